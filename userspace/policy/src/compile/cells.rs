//! Rule sets: for each zone and class the entries that are left to ask, shared where equal.

use std::collections::HashMap;

use octroi_abi::rules::{
    MARKS_MATTER, NAMES_MATTER, NAMES_STRICT, PORTS, PROTOCOL, RULE_DEFAULT, RULE_SETS,
    RULES_PER_SET, RuleEntry, RuleSet, SHADOW,
};

use super::CompileError;
use super::marks::Marks;
use crate::condition::Condition;
use crate::evaluate::{Extent, Standing};
use crate::model::{Policy, Rule};
use crate::sets::ZoneSet;
use crate::subject::Facts;

/// Builds and shares the rule sets.
pub(super) struct Cells<'p> {
    policy: &'p Policy,
    /// By rule: its entries in a rule set.
    entries: Vec<Vec<RuleEntry>>,
    /// By rule: the same, for addresses only that embed one of the class.
    of_transition: Vec<Vec<RuleEntry>>,
    /// By rule: the zones it asks for.
    from: Vec<Option<ZoneSet>>,
    /// Rules that hold, or could by a name, for the class at hand, zones left open.
    standings: Vec<(u16, Standing)>,
    /// Rules of a cell, flags of names first; to its set.
    known: HashMap<Box<[u32]>, u16, foldhash::fast::RandomState>,
    /// The sets by content: different rules can come to the same entries.
    by_content: HashMap<RuleSet, u16, foldhash::fast::RandomState>,
    pub(super) sets: Vec<RuleSet>,
    key: Vec<u32>,
}

/// In a key: the list ends without a rule that decides in every case.
const OPEN: u32 = RULE_DEFAULT as u32;
/// In a key, beside the number of a rule: it holds for transition addresses only.
const TRANSITION: u32 = 1 << 16;
/// In the first word of a key: a name could change the decision.
const NAMED: u32 = 1;
/// In the first word of a key: flows are held until they are named.
const WAITS: u32 = 2;

impl<'p> Cells<'p> {
    pub(super) fn new(policy: &'p Policy, marks: &Marks) -> Self {
        let flag = policy.enforced_flag();
        let expanded = |marks: &[u64]| {
            let marked = policy.rules.iter().zip(marks).zip(0u16..);
            marked
                .map(|((rule, &marks), number)| expand(rule, number, marks, flag))
                .collect()
        };
        Self {
            policy,
            entries: expanded(&marks.of_rule),
            of_transition: expanded(&marks.of_transition),
            from: policy.rules.iter().map(zones_asked).collect(),
            standings: Vec::new(),
            known: HashMap::default(),
            by_content: HashMap::default(),
            sets: Vec::new(),
            key: Vec::new(),
        }
    }

    /// Notes how every rule stands towards a class.
    pub(super) fn stand(&mut self, facts: &Facts<'_>) {
        self.standings.clear();
        for (rule, number) in self.policy.rules.iter().zip(0u16..) {
            let standing = Standing::of(rule, facts, false);
            if standing.holds || standing.name_decides {
                self.standings.push((number, standing));
            }
            if standing.holds
                && standing.everywhere()
                && !rule.shadow
                && zones_asked(rule).is_none()
            {
                break;
            }
        }
    }

    /// The rule set of a zone and the class at hand; `waits`: its flows are held until named.
    pub(super) fn rule_set(
        &mut self,
        zone: u8,
        class: usize,
        waits: bool,
    ) -> Result<u16, CompileError> {
        self.key.clear();
        self.key.push(if waits { WAITS } else { 0 });
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
                *names |= NAMED;
            }
            if !standing.holds {
                continue;
            }
            let shadow = self.policy.rule(number).is_some_and(|rule| rule.shadow);
            let transition = if standing.extent == Extent::Transition {
                TRANSITION
            } else {
                0
            };
            if !shadow {
                self.key.push(u32::from(number) | transition);
                if standing.everywhere() {
                    open = false;
                    break;
                }
            } else if !shadowed {
                // Only the first shadow rule that matches is recorded.
                self.key.push(u32::from(number) | transition);
                shadowed = standing.everywhere();
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
            rules.iter().map(|&number| match self.entries_of(number) {
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
            let (rule, line) = self.name(full.map_or(RULE_DEFAULT, |(&number, _)| rule_of(number)));
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
        let names_matter = if names & NAMED == 0 { 0 } else { NAMES_MATTER };
        let names_strict = if names & WAITS == 0 { 0 } else { NAMES_STRICT };
        let marks_matter = if entries.iter().any(|entry| entry.marks != 0) {
            MARKS_MATTER
        } else {
            0
        };
        Ok(RuleSet {
            len: length,
            flags: names_matter | names_strict | marks_matter,
            entries,
        })
    }

    fn add(&mut self, set: &RuleSet) -> Result<u16, CompileError> {
        let number = u16::try_from(self.sets.len()).unwrap_or(u16::MAX);
        if u32::from(number) >= RULE_SETS {
            let last = self.key.iter().rev().find(|&&number| number != OPEN);
            let (rule, line) = self.name(last.map_or(RULE_DEFAULT, |&number| rule_of(number)));
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

    /// The entries of a rule in a key; `None` for the default.
    fn entries_of(&self, number: u32) -> Option<&Vec<RuleEntry>> {
        let entries = if number & TRANSITION == 0 {
            &self.entries
        } else {
            &self.of_transition
        };
        entries.get(usize::from(rule_of(number)))
    }

    fn name(&self, number: u16) -> (String, usize) {
        let rule = self.policy.rule(number);
        (
            self.policy.rule_name(number).to_owned(),
            rule.map_or(0, |rule| rule.line),
        )
    }
}

/// The number of a rule in a key.
fn rule_of(number: u32) -> u16 {
    u16::try_from(number & !TRANSITION).unwrap_or(RULE_DEFAULT)
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
