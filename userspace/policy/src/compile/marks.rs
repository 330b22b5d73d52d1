//! Marks: conditions on the very address, compiled to one small trie.
//!
//! Each distinct combination of `asn`, `prefix`, `to` and `special = ["transition"]` is one mark. The
//! trie holds, for each prefix that any of them names, all marks that hold in it and in no longer
//! prefix: one longest-prefix look-up then answers every condition. It holds the parts of the answer
//! beside it, for addresses that are judged by another one (`octroi_abi::transition::Marks`).

use std::collections::BTreeMap;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use octroi_abi::control::MARKS_ENTRIES;
use octroi_abi::transition::Marks as Parts;
use octroi_geo_db::profile::SpecialUse;

use super::{ClassMap, CompileError};
use crate::condition::Condition;
use crate::model::{Policy, Rule};
use crate::sets::{Prefixes, ZoneSet};

/// Marks of a policy: one bit each.
const MAX_MARKS: usize = 64;
/// One half of the kernel's trie.
const MAX_PREFIXES: usize = MARKS_ENTRIES as usize / 2;

/// What one mark stands for; all parts must hold.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Mark {
    asn: Option<Vec<u32>>,
    prefix: Option<Prefixes>,
    to: Option<ZoneSet>,
    /// The address embeds the one it is judged by, in a well-known form.
    transition: bool,
}

impl Mark {
    /// What a rule asks of the address; of a transition address when `transition`.
    fn of(rule: &Rule, transition: bool) -> Option<Self> {
        let mut mark = Self {
            transition,
            ..Self::default()
        };
        for condition in &rule.conditions {
            match condition {
                Condition::Asn(asns) => mark.asn = Some(asns.clone()),
                Condition::Prefix(prefixes) => mark.prefix = Some(prefixes.clone()),
                Condition::To(zones) => mark.to = Some(*zones),
                _ => {}
            }
        }
        (mark != Self::default()).then_some(mark)
    }
}

/// The marks of a policy.
pub(super) struct Marks {
    /// By rule number: the mark its conditions need, 0 when it has none on the address.
    pub(super) of_rule: Vec<u64>,
    /// By rule number: the mark when it holds for transition addresses only; 0 when it does not ask.
    pub(super) of_transition: Vec<u64>,
    /// The trie.
    pub(super) prefixes: Vec<(IpNet, Parts)>,
}

/// What a prefix adds to what is known of the addresses in it.
#[derive(Clone, Copy, Default)]
struct Node {
    asn: Option<u32>,
    zone: Option<u8>,
    wanted: u64,
    unwanted: u64,
}

/// For each part of a mark, the marks that it does not hinder.
struct Masks {
    without_asn: u64,
    by_asn: BTreeMap<u32, u64>,
    without_prefix: u64,
    wants_nothing: u64,
    without_to: u64,
    by_zone: [u64; 64],
    /// Marks that do not ask for a transition address.
    plain: u64,
}

impl Masks {
    fn of(&self, node: Node) -> Parts {
        let asn = node.asn.and_then(|asn| self.by_asn.get(&asn)).copied();
        let zone = usize::from(node.zone.unwrap_or(0));
        let in_zone = self.by_zone.get(zone).copied().unwrap_or(0);
        let asn = self.without_asn | asn.unwrap_or(0);
        let prefix = self.without_prefix | self.wants_nothing | node.wanted;
        let to = self.without_to | in_zone;
        // A set of zones that takes in the rest of the world (zone 0) excludes the others.
        let vetoes = node.unwanted | self.by_zone[0] & !in_zone;
        Parts {
            holds: asn & prefix & to & !vetoes & self.plain,
            asn,
            prefix,
            to,
            vetoes,
            plain: self.plain,
        }
    }
}

/// Finds the marks of a policy and the prefixes in which they hold.
pub(super) fn marks(policy: &Policy, atlas: &impl ClassMap) -> Result<Marks, CompileError> {
    let mut marks: Vec<Mark> = Vec::new();
    let mut number = |rule: &Rule, mark: Option<Mark>| {
        let Some(mark) = mark else {
            return Ok(0);
        };
        let known = marks.iter().position(|known| *known == mark);
        let number = known.unwrap_or_else(|| {
            marks.push(mark);
            marks.len() - 1
        });
        if number >= MAX_MARKS {
            return Err(CompileError::TooManyMarks {
                rule: rule.id.clone(),
                line: rule.line,
                most: MAX_MARKS,
            });
        }
        Ok(1 << number)
    };
    let mut of_rule = Vec::with_capacity(policy.rules.len());
    let mut of_transition = Vec::with_capacity(policy.rules.len());
    for rule in &policy.rules {
        of_rule.push(number(rule, Mark::of(rule, false))?);
        let mark = asks_for_transition(rule).then(|| Mark::of(rule, true));
        of_transition.push(number(rule, mark.flatten())?);
    }
    let nodes = nodes(policy, atlas, &marks);
    let prefixes = flatten(&nodes, &masks(&marks));
    if prefixes.len() > MAX_PREFIXES {
        let (rule, line) = widest(policy, atlas);
        return Err(CompileError::TooManyPrefixes {
            rule,
            line,
            prefixes: prefixes.len(),
            most: MAX_PREFIXES,
        });
    }
    Ok(Marks {
        of_rule,
        of_transition,
        prefixes,
    })
}

/// Whether a rule holds for some transition addresses although the class they embed is not special.
fn asks_for_transition(rule: &Rule) -> bool {
    rule.conditions.iter().any(|condition| {
        matches!(condition, Condition::Special(uses) if uses.contains(&SpecialUse::Transition))
    })
}

fn masks(marks: &[Mark]) -> Masks {
    let mut lists = Masks {
        without_asn: 0,
        by_asn: BTreeMap::new(),
        without_prefix: 0,
        wants_nothing: 0,
        without_to: 0,
        by_zone: [0; 64],
        plain: 0,
    };
    for (number, mark) in marks.iter().enumerate() {
        let bit = 1u64 << number;
        if !mark.transition {
            lists.plain |= bit;
        }
        match &mark.asn {
            None => lists.without_asn |= bit,
            Some(asns) => {
                for &asn in asns {
                    *lists.by_asn.entry(asn).or_default() |= bit;
                }
            }
        }
        match &mark.prefix {
            None => lists.without_prefix |= bit,
            Some(prefixes) if prefixes.wanted.is_empty() => lists.wants_nothing |= bit,
            Some(_) => {}
        }
        match mark.to {
            None => lists.without_to |= bit,
            Some(zones) => {
                for (zone, mask) in (0u8..).zip(&mut lists.by_zone) {
                    if zones.contains(zone) {
                        *mask |= bit;
                    }
                }
            }
        }
    }
    lists
}

/// Every prefix at whose border an answer can change.
fn nodes(policy: &Policy, atlas: &impl ClassMap, marks: &[Mark]) -> BTreeMap<IpNet, Node> {
    let mut nodes: BTreeMap<IpNet, Node> = BTreeMap::new();
    for (number, mark) in marks.iter().enumerate() {
        let bit = 1u64 << number;
        for &asn in mark.asn.iter().flatten() {
            for prefix in atlas.prefixes_of_asn(asn) {
                nodes.entry(prefix.trunc()).or_default().asn = Some(asn);
            }
        }
        if let Some(prefixes) = &mark.prefix {
            for prefix in &prefixes.wanted {
                nodes.entry(*prefix).or_default().wanted |= bit;
            }
            for prefix in &prefixes.unwanted {
                nodes.entry(*prefix).or_default().unwanted |= bit;
            }
        }
    }
    if marks.iter().any(|mark| mark.to.is_some()) {
        for (zone, number) in policy.zones.iter().zip(1u8..) {
            for prefix in &zone.prefixes {
                nodes.entry(*prefix).or_default().zone = Some(number);
            }
        }
    }
    if !marks.is_empty() {
        // The roots answer for what no prefix names. In the kernel IPv4 lies inside IPv6 as
        // ::ffff:0:0/96: its root also keeps it apart from the marks of short IPv6 prefixes.
        nodes.entry(IpNet::V4(Ipv4Net::default())).or_default();
        nodes.entry(IpNet::V6(Ipv6Net::default())).or_default();
    }
    nodes
}

/// Walks the prefixes outside in and keeps those at which the marks change.
fn flatten(nodes: &BTreeMap<IpNet, Node>, masks: &Masks) -> Vec<(IpNet, Parts)> {
    let mut around: Vec<(IpNet, Node)> = Vec::new();
    let mut kept: Vec<(IpNet, Parts)> = Vec::new();
    for (&prefix, &own) in nodes {
        while around
            .last()
            .is_some_and(|(outer, _)| !outer.contains(&prefix))
        {
            around.pop();
        }
        let outer = around.last().map(|&(_, node)| node);
        let inherited = outer.unwrap_or_default();
        let node = Node {
            asn: own.asn.or(inherited.asn),
            zone: own.zone.or(inherited.zone),
            wanted: own.wanted | inherited.wanted,
            unwanted: own.unwanted | inherited.unwanted,
        };
        let mask = masks.of(node);
        if outer.is_none_or(|outer| masks.of(outer) != mask) {
            kept.push((prefix, mask));
        }
        around.push((prefix, node));
    }
    kept
}

/// The rule whose conditions name most prefixes.
fn widest(policy: &Policy, atlas: &impl ClassMap) -> (String, usize) {
    let size = |rule: &&Rule| -> usize {
        let sizes = rule.conditions.iter().map(|condition| match condition {
            Condition::Asn(asns) => asns
                .iter()
                .map(|&asn| atlas.prefixes_of_asn(asn).len())
                .sum(),
            Condition::Prefix(prefixes) => prefixes.wanted.len() + prefixes.unwanted.len(),
            _ => 0,
        });
        sizes.sum()
    };
    let rule = policy.rules.iter().max_by_key(size);
    rule.map_or_else(Default::default, |rule| (rule.id.clone(), rule.line))
}
