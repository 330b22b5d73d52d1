//! From policy to the tables of the kernel.
//!
//! What a rule asks of the zone and of the destination's class is answered here, once for each
//! cell; what it asks of address, protocol and port is left to the entries of the cell's rule set.
//! Cells whose lists of rules are equal share one set.

mod marks;

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net};
use jiff::civil::Date;
use octroi_abi::atlas::CLASS_MAX;
use octroi_abi::opaque::Opaque;
use octroi_abi::rules::{
    ENFORCED, NAMES_MATTER, PORTS, PROTOCOL, RULE_DEFAULT, RULE_OPAQUE, RULE_SETS, RULES_PER_SET,
    RuleEntry, RuleSet, SHADOW,
};
use octroi_abi::verdict::Verdict;
use octroi_geo_db::Atlas;
use octroi_geo_db::catalogue::Catalogue;
use octroi_geo_db::profile::Profile;

use crate::condition::Condition;
use crate::evaluate::Standing;
use crate::model::{Policy, Rule};
use crate::sets::ZoneSet;
use crate::subject::{Facts, Subject};
use crate::tables::{Tables, mapped};

/// What compilation needs of an atlas.
pub trait ClassMap {
    /// By class; the first is what nothing is known of.
    fn profiles(&self) -> &[Arc<Profile>];
    /// Every prefix an AS announces, apart from those of any other AS.
    fn prefixes_of_asn(&self, asn: u32) -> Vec<IpNet>;
    /// What groups, services and laws mean.
    fn catalogue(&self) -> &Catalogue;
}

impl ClassMap for Atlas {
    fn profiles(&self) -> &[Arc<Profile>] {
        Self::profiles(self)
    }

    fn prefixes_of_asn(&self, asn: u32) -> Vec<IpNet> {
        Self::prefixes_of_asn(self, asn)
    }

    fn catalogue(&self) -> &Catalogue {
        Self::catalogue(self)
    }
}

/// The policy is right but does not fit the tables of the kernel.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// More distinct combinations of `asn`, `prefix` and `to` than a mark has bits.
    #[error(
        "compile rule \"{rule}\" (line {line}): it needs one more than {most} different lists of \
         asn, prefix and to (give rules with like lists the same list, or merge them)"
    )]
    TooManyMarks {
        /// Id of the rule that is one too many.
        rule: String,
        /// Its line.
        line: usize,
        /// The bound.
        most: usize,
    },
    /// More prefixes than the trie has room for.
    #[error(
        "compile rule \"{rule}\" (line {line}): with it the policy names {prefixes} prefixes, \
         {most} fit (name the operator or the service instead of its ASNs)"
    )]
    TooManyPrefixes {
        /// Id of the rule that names most.
        rule: String,
        /// Its line.
        line: usize,
        /// Prefixes of all rules.
        prefixes: usize,
        /// The bound.
        most: usize,
    },
    /// The rules that stand for one zone and class are more than a rule set holds.
    #[error(
        "compile rule \"{rule}\" (line {line}): from zone {zone} to destinations like class \
         {class}, {entries} combinations of protocol and ports come before the decision, {most} \
         fit (merge rules with the same verdict, name fewer port ranges, or put a rule without \
         protocol and ports earlier)"
    )]
    RuleSetTooLong {
        /// Id of the rule at which the set is full.
        rule: String,
        /// Its line.
        line: usize,
        /// Name of the zone.
        zone: String,
        /// The class.
        class: usize,
        /// Entries needed.
        entries: usize,
        /// The bound.
        most: usize,
    },
    /// More different cells than there are rule sets.
    #[error(
        "compile the policy: zones and classes need more than {most} different lists of rules \
         (merge zones that are treated alike; rule \"{rule}\", line {line}, was the last to differ)"
    )]
    TooManyRuleSets {
        /// Id of the last rule of the list that did not fit.
        rule: String,
        /// Its line.
        line: usize,
        /// The bound.
        most: usize,
    },
    /// The atlas has more classes than 15 bits number.
    #[error(
        "compile the policy: the atlas has {classes} classes, {most} fit (build it from fewer \
         distinct profiles)"
    )]
    TooManyClasses {
        /// Classes of the atlas.
        classes: usize,
        /// The bound.
        most: usize,
    },
}

impl Policy {
    /// Compiles the policy for an atlas, as of a day (qualifications and adequacy are dated:
    /// compile again when the day changes).
    ///
    /// # Errors
    ///
    /// The policy does not fit the bounded tables of the kernel; the error names the rule.
    pub fn compile(&self, atlas: &impl ClassMap, at: Date) -> Result<Tables, CompileError> {
        let most = usize::from(CLASS_MAX) + 1;
        let classes = atlas.profiles().len();
        if classes > most {
            return Err(CompileError::TooManyClasses { classes, most });
        }
        let marks = marks::marks(self, atlas)?;
        let mut cells = Cells::new(self, &marks.of_rule);
        let unknown = Profile::unknown();
        let profiles = atlas.profiles().iter().map(Arc::as_ref);
        // Class 0 exists whatever the atlas.
        let profiles: Vec<&Profile> = match classes {
            0 => vec![&unknown],
            _ => profiles.collect(),
        };
        let zones = self.zones.len() + 1;
        let mut verdicts = vec![Vec::with_capacity(profiles.len()); zones];
        for (class, &profile) in profiles.iter().enumerate() {
            let subject = Subject {
                catalogue: atlas.catalogue(),
                zone: 0,
                destination: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
                profile,
                asn: None,
                protocol: 0,
                port: 0,
                name: None,
                opaque: Opaque::None,
                at,
            };
            cells.stand(&Facts::new(self, &subject));
            for (zone, row) in (0u8..).zip(&mut verdicts) {
                row.push(cells.rule_set(zone, class)?);
            }
        }
        Ok(Tables {
            zones: zone_prefixes(self),
            marks: marks.prefixes,
            rule_sets: cells.sets,
            verdicts,
            opaque: opaque_entries(self),
            policy_name: self.name.clone(),
            policy_sha256: self.sha256.clone(),
        })
    }

    fn enforced_flag(&self) -> u8 {
        if self.enforced() { ENFORCED } else { 0 }
    }
}

/// In the kernel IPv4 lies inside IPv6: a short IPv6 prefix must not take IPv4 sources in.
fn zone_prefixes(policy: &Policy) -> Vec<(IpNet, u8)> {
    let numbered = policy.zones.iter().zip(1u8..);
    let mut prefixes: Vec<(IpNet, u8)> = numbered
        .flat_map(|(zone, number)| zone.prefixes.iter().map(move |&prefix| (prefix, number)))
        .collect();
    let root = IpNet::V4(Ipv4Net::default());
    let (mapped_root, length) = mapped(root);
    let swallows = |&(prefix, _): &(IpNet, u8)| match prefix {
        IpNet::V4(_) => false,
        IpNet::V6(v6) => v6.prefix_len() <= length && v6.contains(&mapped_root),
    };
    if prefixes.iter().any(swallows) && !prefixes.iter().any(|&(prefix, _)| prefix == root) {
        prefixes.push((root, 0));
    }
    prefixes.sort_unstable();
    prefixes
}

fn opaque_entries(policy: &Policy) -> [RuleEntry; Opaque::COUNT as usize] {
    let entry = |verdict: Verdict| RuleEntry {
        rule: RULE_OPAQUE,
        verdict: verdict.code(),
        flags: policy.enforced_flag(),
        ..RuleEntry::default()
    };
    let mut entries = policy.opaque.map(entry);
    // What is not opaque has no verdict of this kind: nothing is stricter than this.
    if let Some(none) = entries.first_mut() {
        *none = entry(Verdict::Allow);
    }
    entries
}

/// Builds and shares the rule sets.
struct Cells<'p> {
    policy: &'p Policy,
    /// By rule: its entries in a rule set.
    entries: Vec<Vec<RuleEntry>>,
    /// By rule: the zones it asks for.
    from: Vec<Option<ZoneSet>>,
    /// Rules that hold, or could by a name, for the class at hand, zones left open.
    standings: Vec<(u16, Standing)>,
    /// Rules of a cell, names flag first; to its set.
    known: HashMap<Box<[u16]>, u16, foldhash::fast::RandomState>,
    /// The sets by content: different rules can come to the same entries.
    by_content: HashMap<RuleSet, u16, foldhash::fast::RandomState>,
    sets: Vec<RuleSet>,
    key: Vec<u16>,
}

/// In a key: the list ends without a rule that decides in every case.
const OPEN: u16 = RULE_DEFAULT;

impl<'p> Cells<'p> {
    fn new(policy: &'p Policy, marks: &[u64]) -> Self {
        let flag = policy.enforced_flag();
        let marked = policy.rules.iter().zip(marks).zip(0u16..);
        Self {
            policy,
            entries: marked
                .map(|((rule, &marks), number)| expand(rule, number, marks, flag))
                .collect(),
            from: policy.rules.iter().map(zones_asked).collect(),
            standings: Vec::new(),
            known: HashMap::default(),
            by_content: HashMap::default(),
            sets: Vec::new(),
            key: Vec::new(),
        }
    }

    /// Notes how every rule stands towards a class.
    fn stand(&mut self, facts: &Facts<'_>) {
        self.standings.clear();
        for (rule, number) in self.policy.rules.iter().zip(0u16..) {
            let standing = Standing::of(rule, facts, false);
            if standing.holds || standing.name_decides {
                self.standings.push((number, standing));
            }
        }
    }

    /// The rule set of a zone and the class at hand.
    fn rule_set(&mut self, zone: u8, class: usize) -> Result<u16, CompileError> {
        self.key.clear();
        self.key.push(0);
        let mut open = true;
        let mut shadowed = false;
        for &(number, standing) in &self.standings {
            let asked = self.from.get(usize::from(number)).copied().flatten();
            if asked.is_some_and(|zones| !zones.contains(zone)) {
                continue;
            }
            if standing.name_decides
                && let Some(names) = self.key.first_mut()
            {
                *names = 1;
            }
            if !standing.holds {
                continue;
            }
            let shadow = self.policy.rule(number).is_some_and(|rule| rule.shadow);
            if !shadow {
                self.key.push(number);
                if standing.everywhere {
                    open = false;
                    break;
                }
            } else if !shadowed {
                // Only the first shadow rule that matches is recorded.
                self.key.push(number);
                shadowed = standing.everywhere;
            }
        }
        if open {
            self.key.push(OPEN);
        }
        if let Some(&set) = self.known.get(self.key.as_slice()) {
            return Ok(set);
        }
        let set = self.build(zone, class)?;
        let number = match self.by_content.get(&set) {
            Some(&number) => number,
            None => self.add(&set)?,
        };
        self.known.insert(self.key.as_slice().into(), number);
        Ok(number)
    }

    fn build(&self, zone: u8, class: usize) -> Result<RuleSet, CompileError> {
        let (names, rules) = match self.key.split_first() {
            Some((&names, rules)) => (names, rules),
            None => (0, [].as_slice()),
        };
        let default = [RuleEntry {
            rule: RULE_DEFAULT,
            verdict: self.policy.default.code(),
            flags: self.policy.enforced_flag(),
            ..RuleEntry::default()
        }];
        let lists = || {
            rules
                .iter()
                .map(|&number| match self.entries.get(usize::from(number)) {
                    Some(entries) => entries.as_slice(),
                    None => default.as_slice(),
                })
        };
        let needed: usize = lists().map(<[RuleEntry]>::len).sum();
        if needed > RULES_PER_SET {
            let mut room = RULES_PER_SET;
            let full = rules.iter().zip(lists()).find(|(_, entries)| {
                let fits = entries.len() <= room;
                room = room.saturating_sub(entries.len());
                !fits
            });
            let (rule, line) = self.name(full.map_or(RULE_DEFAULT, |(&number, _)| number));
            return Err(CompileError::RuleSetTooLong {
                rule,
                line,
                zone: self.policy.zone_name(zone).to_owned(),
                class,
                entries: needed,
                most: RULES_PER_SET,
            });
        }
        let mut entries = [RuleEntry::default(); RULES_PER_SET];
        let mut length = 0;
        for (slot, entry) in entries.iter_mut().zip(lists().flatten()) {
            *slot = *entry;
            length += 1;
        }
        Ok(RuleSet {
            len: length,
            flags: if names == 0 { 0 } else { NAMES_MATTER },
            entries,
        })
    }

    fn add(&mut self, set: &RuleSet) -> Result<u16, CompileError> {
        let number = u16::try_from(self.sets.len()).unwrap_or(u16::MAX);
        if u32::from(number) >= RULE_SETS {
            let last = self.key.iter().rev().find(|&&number| number != OPEN);
            let (rule, line) = self.name(last.copied().unwrap_or(RULE_DEFAULT));
            return Err(CompileError::TooManyRuleSets {
                rule,
                line,
                most: RULE_SETS as usize,
            });
        }
        self.sets.push(*set);
        self.by_content.insert(*set, number);
        Ok(number)
    }

    fn name(&self, number: u16) -> (String, usize) {
        let rule = self.policy.rule(number);
        (
            self.policy.rule_name(number).to_owned(),
            rule.map_or(0, |rule| rule.line),
        )
    }
}

fn zones_asked(rule: &Rule) -> Option<ZoneSet> {
    rule.conditions
        .iter()
        .find_map(|condition| match condition {
            Condition::From(zones) => Some(*zones),
            _ => None,
        })
}

/// The entries of one rule: one for each protocol and port range.
fn expand(rule: &Rule, number: u16, marks: u64, enforced: u8) -> Vec<RuleEntry> {
    let flags = if rule.shadow { SHADOW } else { enforced };
    let plain = RuleEntry {
        marks,
        rule: number,
        verdict: rule.verdict.code(),
        flags,
        ..RuleEntry::default()
    };
    let mut entries = vec![plain];
    for condition in &rule.conditions {
        match condition {
            Condition::Protocol(protocols) => {
                let with = |entry: RuleEntry| {
                    protocols.iter().map(move |&protocol| RuleEntry {
                        protocol,
                        flags: entry.flags | PROTOCOL,
                        ..entry
                    })
                };
                entries = entries.into_iter().flat_map(with).collect();
            }
            Condition::Ports(ranges) => {
                let with = |entry: RuleEntry| {
                    ranges.iter().map(move |&(port_low, port_high)| RuleEntry {
                        port_low,
                        port_high,
                        flags: entry.flags | PORTS,
                        ..entry
                    })
                };
                entries = entries.into_iter().flat_map(with).collect();
            }
            _ => {}
        }
    }
    entries
}
