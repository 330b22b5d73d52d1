//! Notices: the life of the gateway itself, in the same stream as its decisions.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How grave a notice is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Done as asked.
    Info,
    /// Something is less than it should be.
    Warning,
    /// Something asked for did not happen.
    Error,
}

/// What happened.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// The daemon started.
    Started,
    /// The daemon stops; enforcement goes on in the kernel.
    Stopping,
    /// The gate of an older version was taken over without a gap.
    Upgraded,
    /// A policy is in force.
    PolicyApplied,
    /// A policy was refused; the old one stays.
    PolicyRefused,
    /// An atlas is in use.
    AtlasApplied,
    /// An atlas, or new data for one, was refused; the old one stays.
    AtlasRefused,
    /// The atlas's data is older than allowed.
    AtlasOld,
    /// An inside interface vanished.
    InterfaceLost,
    /// An inside interface is guarded (again).
    InterfaceAttached,
    /// Enforcement was removed on request.
    Detached,
    /// Events were lost.
    EventsLost,
    /// A sink failed.
    SinkFailed,
    /// A sink works again.
    SinkRecovered,
}

impl NoticeKind {
    /// Every kind.
    pub const ALL: [Self; 14] = [
        Self::Started,
        Self::Stopping,
        Self::Upgraded,
        Self::PolicyApplied,
        Self::PolicyRefused,
        Self::AtlasApplied,
        Self::AtlasRefused,
        Self::AtlasOld,
        Self::InterfaceLost,
        Self::InterfaceAttached,
        Self::Detached,
        Self::EventsLost,
        Self::SinkFailed,
        Self::SinkRecovered,
    ];

    /// The word used in exports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Stopping => "stopping",
            Self::Upgraded => "upgraded",
            Self::PolicyApplied => "policy_applied",
            Self::PolicyRefused => "policy_refused",
            Self::AtlasApplied => "atlas_applied",
            Self::AtlasRefused => "atlas_refused",
            Self::AtlasOld => "atlas_old",
            Self::InterfaceLost => "interface_lost",
            Self::InterfaceAttached => "interface_attached",
            Self::Detached => "detached",
            Self::EventsLost => "events_lost",
            Self::SinkFailed => "sink_failed",
            Self::SinkRecovered => "sink_recovered",
        }
    }

    /// Its level.
    #[must_use]
    pub const fn level(self) -> Level {
        match self {
            Self::Started
            | Self::Stopping
            | Self::Upgraded
            | Self::PolicyApplied
            | Self::AtlasApplied
            | Self::InterfaceAttached
            | Self::SinkRecovered => Level::Info,
            Self::AtlasOld | Self::Detached | Self::InterfaceLost | Self::EventsLost => {
                Level::Warning
            }
            Self::PolicyRefused | Self::AtlasRefused | Self::SinkFailed => Level::Error,
        }
    }
}

/// One thing that happened to the gateway.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// When.
    pub time: Timestamp,
    /// What.
    pub kind: NoticeKind,
    /// One sentence for people, with the object and, for a refusal, the remedy.
    pub message: String,
    /// The same as facts: `("policy_sha256", "9f2c...")`, `("lost_flow", "12")`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<(String, String)>,
}

impl Notice {
    /// A notice without facts.
    #[must_use]
    pub fn new(time: Timestamp, kind: NoticeKind, message: impl Into<String>) -> Self {
        Self {
            time,
            kind,
            message: message.into(),
            facts: Vec::new(),
        }
    }

    /// With one more fact.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl std::fmt::Display) -> Self {
        self.facts.push((key.to_owned(), value.to_string()));
        self
    }
}
