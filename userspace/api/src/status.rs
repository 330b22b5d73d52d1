//! How the gateway is: status, health and the policy as clients see them.

use jiff::Timestamp;
use jiff::civil::Date;
use octroi_events::{Counters, Finding, Mode, Named, SinkStatus, Verdict, words};
use serde::{Deserialize, Serialize};

/// How the gateway is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StatusReport {
    /// The server's clock.
    pub now: Timestamp,
    /// Version of the daemon.
    pub version: String,
    /// Version of the kernel ABI.
    pub abi_version: u32,
    /// Name of the gateway.
    pub host: String,
    /// Run of the daemon (middle part of event ids).
    pub boot: String,
    /// Process number.
    pub pid: u32,
    /// Start of the daemon.
    pub started: Timestamp,
    /// Resident memory, bytes.
    pub rss_bytes: u64,
    /// The kernel's release (`uname -r`).
    pub kernel: String,
    /// The inside interfaces.
    pub interfaces: Vec<InterfaceStatus>,
    /// What was done with the gates of older versions that this start found, in words.
    #[serde(default)]
    pub taken_over: Vec<String>,
    /// The policy in force.
    pub policy: PolicyStatus,
    /// The atlas in use.
    pub atlas: AtlasStatus,
    /// The data plane's counters.
    pub counters: Counters,
    /// Flows in the table.
    pub flows: u64,
    /// Room of the table.
    pub flows_capacity: u64,
    /// Alerts raised since the daemon started.
    pub alerts: u64,
    /// Calls of people told since the daemon started.
    #[serde(default)]
    pub calls: u64,
    /// Flows and names of calls that could not be remembered: a call may lack a part, or be missing.
    #[serde(default)]
    pub calls_dropped: u64,
    /// Names seen since the daemon started that belong to tracking links, or resemble one.
    #[serde(default)]
    pub tracking_hits: u64,
    /// The latest of the open findings.
    #[serde(default)]
    pub findings: Vec<Finding>,
    /// Events waiting for the sinks.
    pub queue_length: u64,
    /// Room of that queue.
    pub queue_capacity: u64,
    /// Events given up by the full queue, by kind.
    pub queue_lost: Vec<Named>,
    /// The sinks.
    pub sinks: Vec<SinkStatus>,
    /// What became of frames that were held until their flow was decided by name, since the start,
    /// and what waits now. Empty from a daemon that holds none.
    #[serde(default)]
    pub holds: Vec<Named>,
    /// The verdict of all this.
    pub health: Health,
}

impl StatusReport {
    /// Events lost anywhere: kernel rings and tables, queue, sinks.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.counters.lost()
            + self.queue_lost.iter().map(|named| named.value).sum::<u64>()
            + self.sinks.iter().map(|sink| sink.lost).sum::<u64>()
    }
}

/// Whether the gateway does its work.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Health {
    /// Everything is as it should be.
    pub healthy: bool,
    /// What is not, one sentence each, with the remedy.
    pub problems: Vec<String>,
}

/// One guarded interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceStatus {
    /// Name.
    pub name: String,
    /// Index, `None` while it does not exist.
    pub index: Option<u32>,
    /// Both programs are attached.
    pub attached: bool,
    /// `inside` (it guards who is beyond it) or `host` (this machine itself).
    #[serde(default)]
    pub role: String,
    /// `native` or `generic` XDP.
    pub mode: String,
    /// What its frames begin with, while it is attached: `Ethernet` or `no link header`.
    #[serde(default)]
    pub link: String,
    /// Programs of others on TCX egress that run before ours: name and id.
    #[serde(default)]
    pub before: Vec<String>,
    /// Those that run after ours.
    #[serde(default)]
    pub after: Vec<String>,
    /// Why it is not attached, with the remedy.
    pub problem: Option<String>,
}

/// The policy in force, in short.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolicyStatus {
    /// Its name.
    pub name: String,
    /// Its version, when it has one.
    pub version: Option<String>,
    /// Its digest.
    pub sha256: String,
    /// Where it came from.
    pub file: String,
    /// Mode.
    pub mode: Mode,
    /// Generation in the kernel.
    pub generation: u32,
    /// When it was applied.
    pub applied: Timestamp,
    /// Rules.
    pub rules: u32,
    /// Zones.
    pub zones: u32,
}

/// The atlas in use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AtlasStatus {
    /// Its version.
    pub version: String,
    /// When it was built.
    pub built: Date,
    /// Days since then.
    pub age_days: u32,
    /// Days after which that is a problem.
    #[serde(default)]
    pub max_age_days: u32,
    /// The file it was read from; `None`: the one inside the binary.
    #[serde(default)]
    pub file: Option<String>,
    /// The trusted comment of its signature; `None`: no signature is asked for.
    #[serde(default)]
    pub signature: Option<String>,
    /// The last update of it by this daemon.
    #[serde(default)]
    pub update: Option<AtlasUpdate>,
    /// Date of the catalogue.
    pub catalogue: Date,
    /// Distinct profiles.
    pub classes: u32,
    /// What it was built from.
    pub sources: Vec<SourceStatus>,
}

/// What became of an update of the atlas.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AtlasUpdate {
    /// When it ended.
    pub time: Timestamp,
    /// `updated`, `unchanged`, `refused` or `failed`.
    pub outcome: String,
    /// One sentence for people.
    pub message: String,
    /// The sources whose new data was not taken, and what guards have against it: each with what
    /// is wrong and the remedy.
    pub problems: Vec<String>,
}

/// One source of the atlas.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SourceStatus {
    /// Its id.
    pub id: String,
    /// Its version.
    pub version: String,
    /// Its date.
    pub date: Date,
    /// IPv4 ranges read.
    pub ranges_v4: u64,
    /// IPv6 ranges read.
    pub ranges_v6: u64,
}

/// The policy in force, whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolicyView {
    /// In short.
    pub status: PolicyStatus,
    /// Its text as it was read.
    pub text: String,
    /// Verdict when no rule matches.
    #[serde(with = "words::verdict")]
    pub default: Verdict,
    /// Zones, in order.
    pub zones: Vec<ZoneView>,
    /// Rules, in order.
    pub rules: Vec<RuleView>,
}

/// One zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZoneView {
    /// Its name.
    pub name: String,
    /// Its source prefixes.
    pub prefixes: Vec<String>,
    /// Live flows from it.
    pub flows: u64,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleView {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Its verdict.
    #[serde(with = "words::verdict")]
    pub verdict: Verdict,
    /// Evaluated and recorded, not enforced.
    pub shadow: bool,
    /// Its conditions in words.
    pub conditions: String,
    /// Legal references, ids in the catalogue.
    pub basis: Vec<String>,
    /// Live flows it decided.
    pub flows: u64,
}

/// The outcome of checking or applying a policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyCheck {
    /// It is valid (and, when that was asked, in force).
    pub valid: bool,
    /// Its name, when it was readable.
    pub name: Option<String>,
    /// Its digest, when valid.
    pub sha256: Option<String>,
    /// Generation in the kernel, when applied.
    pub generation: Option<u32>,
    /// All errors, or the warnings of a valid policy: `file:line:column: what (remedy)`.
    pub diagnostics: Vec<String>,
    /// One sentence for people.
    pub message: String,
}
