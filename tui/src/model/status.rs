//! What the gateway says of itself.

use serde::Serialize;

use super::row::Verdict;

/// The state of the gateway, all of it: the fourth screen, and parts of the header.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Status {
    /// Name of the gateway.
    pub gateway: String,
    /// Version of the daemon.
    pub version: String,
    /// `None` before the daemon said so.
    pub enforcing: Option<bool>,
    /// Seconds since the daemon started.
    pub uptime_seconds: u64,
    /// Resident memory of the daemon.
    pub resident_bytes: Option<u64>,
    /// Name of the policy.
    pub policy_name: String,
    /// Its version, when it has one.
    pub policy_version: Option<String>,
    /// SHA-256 of its text, hexadecimal.
    pub policy_sha256: String,
    /// Version of the atlas.
    pub atlas_version: String,
    /// Day the atlas was built.
    pub atlas_built: String,
    /// Interfaces: name, and how the programs are attached.
    pub interfaces: Vec<(String, String)>,
    /// Flows known now.
    pub flows_live: u64,
    /// Flows the table can hold, 0 when not told.
    pub flows_capacity: u64,
    /// Packets seen: outward, and on the way back.
    pub packets: (u64, u64),
    /// Packets by outcome.
    pub outcomes: Vec<Outcome>,
    /// Opaque packets by kind.
    pub opaque: Vec<(String, u64)>,
    /// Sources of the atlas: id, and date.
    pub sources: Vec<(String, String)>,
    /// What was lost, by kind; zeros included.
    pub losses: Vec<(String, u64)>,
    /// Where events go.
    pub sinks: Vec<Sink>,
    /// Further facts: label, and text.
    pub facts: Vec<(String, String)>,
    /// What the operator should look at.
    pub warnings: Vec<String>,
}

impl Status {
    /// All that was lost, in one number.
    #[must_use]
    pub fn lost(&self) -> u64 {
        let sinks = self.sinks.iter().map(|sink| sink.lost);
        let kernel = self.losses.iter().map(|(_, count)| *count);
        kernel.chain(sinks).fold(0, u64::saturating_add)
    }
}

/// The policy in force: sent only when it changes.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct PolicyRules {
    /// Zones: name, and prefixes.
    pub zones: Vec<(String, String)>,
    /// Rules in order.
    pub rules: Vec<RuleLine>,
    /// Verdict when no rule matches.
    pub default: Option<Verdict>,
}

/// Packets of one outcome.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Outcome {
    /// Its name.
    pub name: String,
    /// Outward packets.
    pub outbound: u64,
    /// Packets on the way back.
    pub reply: u64,
}

/// One place events go to.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Sink {
    /// Its name.
    pub name: String,
    /// What is wrong with it, with the remedy.
    pub error: Option<String>,
    /// Events written.
    pub written: u64,
    /// Events lost.
    pub lost: u64,
}

/// One rule of the policy.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct RuleLine {
    /// Its id.
    pub rule: String,
    /// Its title.
    pub title: String,
    /// Its verdict.
    pub verdict: Verdict,
    /// Evaluated and recorded, not enforced.
    pub shadow: bool,
    /// Its conditions in words.
    pub conditions: String,
}
