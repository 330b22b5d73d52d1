//! A compiled policy into one half of its maps.

use std::os::fd::AsFd as _;

use octroi_abi::atlas::CLASS_MAX;
use octroi_abi::control::{MARKS_ENTRIES, MAX_ZONES, ZONES_ENTRIES};
use octroi_abi::name;
use octroi_abi::opaque::Opaque;
use octroi_abi::rules::{MARKS_MATTER, RULE_SETS, RuleSet, VERDICT_ROWS, VERDICT_SLOTS};
use octroi_abi::transition::{Marks, NAT64_ENTRIES};
use octroi_policy::Tables;

use crate::error::DatapathError;
use crate::fault::{self, FaultPoint};
use crate::load::Datapath;
use crate::sys;
use crate::wire::Wire;

const ROWS_PER_ZONE: u32 = VERDICT_ROWS / MAX_ZONES;

impl Datapath {
    pub(crate) fn fill_policy(&mut self, half: u8, tables: &Tables) -> Result<(), DatapathError> {
        check(tables)?;
        let rows = verdict_rows(tables);
        let base = u32::from(half);
        let write = |map: &'static str, result: std::io::Result<()>| {
            result.map_err(|source| DatapathError::map_call("fill", map, source))
        };
        self.zones.fill(half, &zones(tables))?;
        self.marks.fill(half, &marks(tables))?;
        self.nat64.fill(half, &nat64(tables))?;
        fault::at(FaultPoint::PolicyPrefixes)?;
        write(
            name::RULE_SETS,
            sys::update_array(
                self.rule_sets.fd().as_fd(),
                base * RULE_SETS,
                &tables.rule_sets,
            ),
        )?;
        fault::at(FaultPoint::PolicyRuleSets)?;
        write(
            name::VERDICTS,
            sys::update_array(self.verdicts.fd().as_fd(), base * VERDICT_ROWS, &rows),
        )?;
        write(
            name::OPAQUE,
            sys::update_array(
                self.opaque.fd().as_fd(),
                base * Opaque::COUNT,
                &tables.opaque,
            ),
        )?;
        fault::at(FaultPoint::PolicyFilled)
    }
}

fn zones(tables: &Tables) -> Vec<(ipnet::IpNet, u32)> {
    tables
        .zones
        .iter()
        .map(|&(prefix, zone)| (prefix, u32::from(zone)))
        .collect()
}

fn marks(tables: &Tables) -> Vec<(ipnet::IpNet, Wire<Marks>)> {
    let marks = tables.marks.iter();
    marks
        .map(|&(prefix, marks)| (prefix, Wire(marks)))
        .collect()
}

fn nat64(tables: &Tables) -> Vec<(ipnet::IpNet, u32)> {
    let prefixes = tables.nat64.iter();
    prefixes
        .map(|&prefix| (prefix.into(), u32::from(prefix.prefix_len())))
        .collect()
}

/// Whether everything fits, before anything is written.
fn check(tables: &Tables) -> Result<(), DatapathError> {
    let reason = problem(tables);
    reason.map_or(Ok(()), |reason| {
        Err(DatapathError::Tables {
            what: "policy",
            reason,
        })
    })
}

fn problem(tables: &Tables) -> Option<String> {
    let room = |what: &str, used: usize, room: u32| {
        (used as u64 > u64::from(room)).then(|| format!("{used} {what}, room for {room}"))
    };
    // Both halves share a trie.
    room("zone prefixes", tables.zones.len(), ZONES_ENTRIES / 2)
        .or_else(|| room("marked prefixes", tables.marks.len(), MARKS_ENTRIES / 2))
        .or_else(|| room("NAT64 prefixes", tables.nat64.len(), NAT64_ENTRIES / 2))
        .or_else(|| room("rule sets", tables.rule_sets.len(), RULE_SETS))
        .or_else(|| room("zones", tables.verdicts.len(), MAX_ZONES))
        .or_else(|| {
            let classes = tables.verdicts.iter().map(Vec::len).max().unwrap_or(0);
            room("classes", classes, u32::from(CLASS_MAX) + 1)
        })
        .or_else(|| {
            let known = tables.verdicts.len();
            let lost = tables
                .zones
                .iter()
                .find(|(_, zone)| usize::from(*zone) >= known);
            lost.map(|(prefix, zone)| format!("{prefix} is in zone {zone}, which has no verdicts"))
        })
        .or_else(|| {
            let known = tables.rule_sets.len();
            let mut numbers = tables.verdicts.iter().flatten();
            let lost = numbers.find(|number| usize::from(**number) >= known);
            lost.map(|number| format!("rule set {number} does not exist"))
        })
        .or_else(|| {
            let unmarked = |set: &RuleSet| {
                set.flags & MARKS_MATTER == 0 && set.entries.iter().any(|entry| entry.marks != 0)
            };
            let lost = tables.rule_sets.iter().position(unmarked);
            lost.map(|number| format!("rule set {number} asks for marks and does not say so"))
        })
        .or_else(|| {
            let empty = tables.verdicts.is_empty() || tables.verdicts.iter().any(Vec::is_empty);
            empty.then(|| "a zone without verdicts".to_owned())
        })
}

/// The rows of every zone, whole: a class past the end is judged as class 0.
fn verdict_rows(tables: &Tables) -> Vec<[u16; VERDICT_SLOTS]> {
    let mut rows = Vec::with_capacity(tables.verdicts.len() * ROWS_PER_ZONE as usize);
    for classes in &tables.verdicts {
        let unknown = classes.first().copied().unwrap_or(0);
        let mut chunks = classes.chunks(VERDICT_SLOTS);
        for _ in 0..ROWS_PER_ZONE {
            let mut row = [unknown; VERDICT_SLOTS];
            for (slot, number) in row.iter_mut().zip(chunks.next().unwrap_or_default()) {
                *slot = *number;
            }
            rows.push(row);
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use octroi_abi::rules::{RULES_PER_SET, RuleEntry};

    use super::*;

    fn tables() -> Tables {
        let set = RuleSet {
            len: 1,
            flags: 0,
            entries: [RuleEntry::default(); RULES_PER_SET],
        };
        Tables {
            zones: vec![("10.0.0.0/8".parse().unwrap(), 1)],
            marks: Vec::new(),
            nat64: Vec::new(),
            rule_sets: vec![set; 3],
            verdicts: vec![vec![2], (0..300).map(|class| class % 3).collect()],
            opaque: [RuleEntry::default(); Opaque::COUNT as usize],
            policy_name: "test".to_owned(),
            policy_sha256: String::new(),
        }
    }

    #[test]
    fn rows_are_whole_and_padded_with_the_unknown_class() {
        let rows = verdict_rows(&tables());
        assert_eq!(rows.len(), 2 * ROWS_PER_ZONE as usize);
        assert!(rows[..128].iter().flatten().all(|number| *number == 2));
        assert_eq!(rows[128][255], 255 % 3);
        assert_eq!(rows[129][43], 299 % 3);
        assert_eq!(rows[129][44], 0, "past the end: as class 0 of that zone");
    }

    #[test]
    fn tables_that_do_not_fit_are_refused_with_numbers() {
        assert_eq!(problem(&tables()), None);
        let mut lost = tables();
        lost.verdicts[0][0] = 3;
        assert_eq!(problem(&lost).unwrap(), "rule set 3 does not exist");
        let mut lost = tables();
        lost.zones[0].1 = 2;
        assert_eq!(
            problem(&lost).unwrap(),
            "10.0.0.0/8 is in zone 2, which has no verdicts"
        );
        let mut many = tables();
        many.verdicts = vec![vec![0]; 65];
        assert_eq!(problem(&many).unwrap(), "65 zones, room for 64");
        let mut marked = tables();
        marked.rule_sets[1].entries[0].marks = 4;
        assert_eq!(
            problem(&marked).unwrap(),
            "rule set 1 asks for marks and does not say so"
        );
        let mut none = tables();
        none.verdicts.push(Vec::new());
        assert_eq!(problem(&none).unwrap(), "a zone without verdicts");
    }
}
