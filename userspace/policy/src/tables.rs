//! A policy as the kernel holds it, and the kernel's decision mirrored in plain code.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::{IpNet, Ipv6Net};
use octroi_abi::atlas::{CLASS_UNKNOWN, ClassId};
use octroi_abi::opaque::Opaque;
use octroi_abi::rules::{
    ENFORCED, NAMES_MATTER, PORTS, PROTOCOL, RULE_DEFAULT, RULE_OPAQUE, RuleEntry, RuleSet, SHADOW,
};
use octroi_abi::transition::Marks;
use octroi_abi::verdict::Verdict;

use crate::decision::Decision;
use crate::transition::embedded;

/// A compiled policy, in the shapes of `octroi_abi::rules`, one half of the double buffer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tables {
    /// Source prefix to zone number; the longest prefix decides.
    pub zones: Vec<(IpNet, u8)>,
    /// Destination prefix to the marks in it, those of the prefixes around it included:
    /// the longest prefix decides. Sorted, none twice.
    pub marks: Vec<(IpNet, Marks)>,
    /// NAT64 prefixes of one's own.
    pub nat64: Vec<Ipv6Net>,
    /// Distinct rule sets; `verdicts` holds indices into it. At least one, `RULE_SETS` at most.
    pub rule_sets: Vec<RuleSet>,
    /// `[zone][class]` to rule set. Zone 0 is "in no zone". A class past the end is judged as
    /// class 0 (unknown), a zone past the end as zone 0.
    pub verdicts: Vec<Vec<u16>>,
    /// By kind of opacity: its verdict holds when it is stricter.
    pub opaque: [RuleEntry; Opaque::COUNT as usize],
    /// Name of the policy.
    pub policy_name: String,
    /// Of the policy's text.
    pub policy_sha256: String,
}

impl Tables {
    /// Decides as the kernel does: from the tables alone. `port` is 0 when there is none.
    #[must_use]
    pub fn decide(
        &self,
        zone: u8,
        class: ClassId,
        marks: u64,
        protocol: u8,
        port: u16,
        opaque: Opaque,
    ) -> Decision {
        let set = self.rule_set(zone, class);
        let mut decision = Decision {
            verdict: Verdict::Block,
            rule: RULE_DEFAULT,
            enforced: true,
            shadow: None,
            names_matter: set.is_some_and(|set| set.flags & NAMES_MATTER != 0),
        };
        for entry in set.map(entries).unwrap_or_default() {
            let holds = (entry.marks == 0 || entry.marks & marks != 0)
                && (entry.flags & PROTOCOL == 0 || entry.protocol == protocol)
                && (entry.flags & PORTS == 0
                    || (entry.port_low <= port && port <= entry.port_high));
            if !holds {
                continue;
            }
            if entry.flags & SHADOW != 0 {
                decision
                    .shadow
                    .get_or_insert((entry.rule, verdict_of(entry)));
            } else {
                decision.verdict = verdict_of(entry);
                decision.rule = entry.rule;
                decision.enforced = entry.flags & ENFORCED != 0;
                break;
            }
        }
        if opaque != Opaque::None {
            let hidden = self.decide_opaque(opaque);
            if hidden.verdict > decision.verdict {
                decision.verdict = hidden.verdict;
                decision.rule = hidden.rule;
                decision.enforced = hidden.enforced;
            }
        }
        decision
    }

    /// Decides on opaque traffic without a readable destination.
    #[must_use]
    pub fn decide_opaque(&self, kind: Opaque) -> Decision {
        let entry = self.opaque.get(usize::from(kind.code()));
        Decision {
            verdict: entry.map_or(Verdict::Block, verdict_of),
            rule: RULE_OPAQUE,
            enforced: entry.is_none_or(|entry| entry.flags & ENFORCED != 0),
            shadow: None,
            names_matter: false,
        }
    }

    /// The rule set of a zone and a class.
    #[must_use]
    pub fn rule_set(&self, zone: u8, class: ClassId) -> Option<&RuleSet> {
        let row = self
            .verdicts
            .get(usize::from(zone))
            .or(self.verdicts.first())?;
        let number = row
            .get(usize::from(class))
            .or(row.get(usize::from(CLASS_UNKNOWN)))?;
        self.rule_sets.get(usize::from(*number))
    }

    /// The marks that hold for a destination: those of the longest prefix around it, and of that
    /// around the address it is judged by.
    #[must_use]
    pub fn marks_of(&self, destination: IpAddr) -> u64 {
        let outer = self.marks_around(destination.to_canonical());
        let Some(embedded) = embedded(&self.nat64, destination) else {
            return outer.map_or(0, |marks| marks.holds);
        };
        match (outer, self.marks_around(embedded.address.into())) {
            (Some(outer), Some(inner)) => outer.through(inner, embedded.via),
            _ => 0,
        }
    }

    fn marks_around(&self, address: IpAddr) -> Option<&Marks> {
        let longest: u8 = if address.is_ipv4() { 32 } else { 128 };
        (0..=longest)
            .rev()
            .filter_map(|length| IpNet::new(address, length).ok())
            .find_map(|around| {
                let around = around.trunc();
                let found = self
                    .marks
                    .binary_search_by(|(prefix, _)| prefix.cmp(&around));
                found.ok().and_then(|index| self.marks.get(index))
            })
            .map(|(_, marks)| marks)
    }

    /// The address whose class judges a destination: what it embeds, or itself.
    #[must_use]
    pub fn looked_up(&self, destination: IpAddr) -> IpAddr {
        embedded(&self.nat64, destination).map_or(destination, |found| found.address.into())
    }

    /// The zone of a source: that of the longest prefix around it.
    #[must_use]
    pub fn zone_of(&self, source: IpAddr) -> u8 {
        let source = source.to_canonical();
        self.zones
            .iter()
            .filter(|(prefix, _)| prefix.contains(&source))
            .max_by_key(|(prefix, _)| prefix.prefix_len())
            .map_or(0, |&(_, zone)| zone)
    }
}

/// The entries in use.
#[must_use]
pub fn entries(set: &RuleSet) -> &[RuleEntry] {
    let length = usize::try_from(set.len).unwrap_or(0);
    set.entries.get(..length).unwrap_or(&set.entries)
}

/// A code that no version ever wrote stops the packet.
fn verdict_of(entry: &RuleEntry) -> Verdict {
    Verdict::from_code(entry.verdict).unwrap_or(Verdict::Block)
}

/// A prefix as the kernel's tries want it: 16 bytes, IPv4 mapped into IPv6, and the length in them.
#[must_use]
pub fn mapped(prefix: IpNet) -> (Ipv6Addr, u8) {
    match prefix {
        IpNet::V4(v4) => (v4.network().to_ipv6_mapped(), 96 + v4.prefix_len()),
        IpNet::V6(v6) => (v6.network(), v6.prefix_len()),
    }
}
