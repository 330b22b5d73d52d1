//! The policy as a value: zones, ordered rules, verdicts for the rest.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv6Net};
use octroi_abi::opaque::Opaque;
use octroi_abi::rules::{RULE_CONTROL, RULE_DEFAULT, RULE_GATEWAY, RULE_NONE, RULE_OPAQUE};
use octroi_abi::verdict::Verdict;
use serde::{Deserialize, Serialize};

use crate::condition::Condition;
use crate::diagnostic::Diagnostics;
use crate::naming::NamesMode;

/// Whether verdicts are enforced.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Decided and recorded; every packet passes.
    Monitor,
    /// Decided, recorded and enforced.
    Enforce,
}

impl Mode {
    /// The word used in policies and messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Monitor => "monitor",
            Self::Enforce => "enforce",
        }
    }
}

/// A named set of source prefixes. Its number is its place in the policy, from 1.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Zone {
    /// Unique in the policy.
    pub name: String,
    /// Sorted, none twice. An address belongs to the zone with the longest prefix around it.
    pub prefixes: Vec<IpNet>,
}

/// One rule. It matches when all its conditions hold; without conditions it always matches.
#[derive(Clone, PartialEq, Debug)]
pub struct Rule {
    /// Unique in the policy; what alerts and exports call the rule.
    pub id: String,
    /// One sentence for humans; the id when the policy gives none.
    pub title: String,
    /// What is done with what matches.
    pub verdict: Verdict,
    /// Evaluated and recorded, not enforced.
    pub shadow: bool,
    /// Ids of legal texts in the catalogue.
    pub basis: Vec<String>,
    /// At most one of each kind, cheapest to evaluate first.
    pub conditions: Vec<Condition>,
    /// Line of the rule in its file, from 1.
    pub line: usize,
}

/// A policy: ordered rules, the first that matches decides.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Name the policy gives itself.
    pub name: String,
    /// Version the policy gives itself.
    pub version: Option<String>,
    /// One sentence for humans.
    pub description: Option<String>,
    /// Whether verdicts are enforced.
    pub mode: Mode,
    /// When names are enforced.
    pub names: NamesMode,
    /// NAT64 prefixes of one's own translators: what they lead to is judged by the IPv4 address.
    pub nat64: Vec<Ipv6Net>,
    /// Zone `n` is at index `n - 1`.
    pub zones: Vec<Zone>,
    /// In order; the number of a rule is its index.
    pub rules: Vec<Rule>,
    /// Verdict of what no rule matches.
    pub default: Verdict,
    /// Verdict for each kind of opacity, by code; entry 0 (not opaque) has no meaning.
    pub opaque: [Verdict; Opaque::COUNT as usize],
    /// What is legal but looks like a mistake: rules that can never match, unused zones...
    pub warnings: Diagnostics,
    /// Of the text, lower-case hexadecimal.
    pub sha256: String,
}

/// Name of zone 0: sources that are in no zone.
pub const NO_ZONE: &str = "none";

impl Policy {
    /// Number of the zone of a source address: the longest prefix decides. 0: in no zone.
    #[must_use]
    pub fn zone_of(&self, source: IpAddr) -> u8 {
        let source = source.to_canonical();
        let mut best = (0, None);
        for (zone, number) in self.zones.iter().zip(1u8..) {
            for prefix in &zone.prefixes {
                if prefix.contains(&source) && best.1 < Some(prefix.prefix_len()) {
                    best = (number, Some(prefix.prefix_len()));
                }
            }
        }
        best.0
    }

    /// Name of a zone; `none` for 0 and for numbers the policy has no zone for.
    #[must_use]
    pub fn zone_name(&self, zone: u8) -> &str {
        usize::from(zone)
            .checked_sub(1)
            .and_then(|index| self.zones.get(index))
            .map_or(NO_ZONE, |zone| &zone.name)
    }

    /// The rule of a number; `None` for `RULE_*` and numbers past the last rule.
    #[must_use]
    pub fn rule(&self, number: u16) -> Option<&Rule> {
        self.rules.get(usize::from(number))
    }

    /// Id of a rule, or the word for what else decided: `default`, `opaque`, `control`, `gateway`.
    #[must_use]
    pub fn rule_name(&self, number: u16) -> &str {
        match number {
            RULE_DEFAULT => "default",
            RULE_OPAQUE => "opaque",
            RULE_CONTROL => "control",
            RULE_GATEWAY => "gateway",
            RULE_NONE => "none",
            _ => self.rule(number).map_or("none", |rule| &rule.id),
        }
    }

    /// Whether a rule asks which system announces the destination: else [`crate::Subject::asn`] is
    /// not looked at, and may be left out.
    #[must_use]
    pub fn asks_asn(&self) -> bool {
        let conditions = self.rules.iter().flat_map(|rule| &rule.conditions);
        conditions
            .into_iter()
            .any(|condition| matches!(condition, Condition::Asn(_)))
    }

    /// Whether verdicts are enforced.
    #[must_use]
    pub fn enforced(&self) -> bool {
        self.mode == Mode::Enforce
    }

    /// The policy's verdict for a kind of opacity.
    #[must_use]
    pub fn opaque_verdict(&self, kind: Opaque) -> Verdict {
        self.opaque
            .get(usize::from(kind.code()))
            .copied()
            .unwrap_or(Verdict::Block)
    }
}
