//! Real clients, and what they see: the only judge of whether a gate works.

pub mod call;
pub mod curl;
pub mod hello;
pub mod openssl;
pub mod probe;
pub mod quic;
pub mod socket;

use std::fmt;
use std::time::Duration;

use serde::Deserialize;

/// How long a client waits for a connection or an answer before it calls it silence.
pub const PATIENCE: Duration = Duration::from_secs(2);

/// How one attempt looked from the client's chair.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Seen {
    /// The whole answer came.
    Answered,
    /// The connection was refused at once (RST to the SYN).
    Refused,
    /// An ICMP message said that the way is administratively closed.
    Prohibited,
    /// Silence.
    Timeout,
    /// The connection stood, and was cut before the answer came.
    Cut,
    /// The name did not resolve.
    NoName,
}

impl Seen {
    /// The word in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Refused => "refused",
            Self::Prohibited => "prohibited",
            Self::Timeout => "timeout",
            Self::Cut => "cut",
            Self::NoName => "no name",
        }
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One attempt: what was seen, how fast, and from which port.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// What the client saw.
    pub seen: Seen,
    /// From the first packet to the verdict.
    pub took: Duration,
    /// The client's port, when the client told.
    pub local_port: Option<u16>,
    /// The client's own words (an error message, the first line of an answer).
    pub words: String,
}
