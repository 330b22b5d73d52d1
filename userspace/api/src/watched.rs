//! Rows: calls of people and findings as clients list them.

use jiff::Timestamp;
use octroi_events::{CallRecord, Finding, Severity};
use serde::{Deserialize, Serialize};

/// One call: running, or over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallRow {
    /// [`crate::FlowRow::id`] of its first media flow: the same while it runs and afterwards.
    pub id: u64,
    /// Sequence number of the event that told it; `None` while it is not over. A later event has a
    /// greater one.
    pub event: Option<u64>,
    /// Who, over what, how long, how much, on what evidence; of a running call as far as it has come.
    #[serde(flatten)]
    pub record: CallRecord,
}

impl CallRow {
    /// Whether it is not over yet, as far as the gateway can tell.
    #[must_use]
    pub const fn is_running(&self) -> bool {
        self.event.is_none()
    }

    /// `running` or `over`.
    #[must_use]
    pub const fn state(&self) -> &'static str {
        if self.is_running() { "running" } else { "over" }
    }

    /// Bytes, both ways.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        let call = &self.record.call;
        call.outbound_bytes.saturating_add(call.reply_bytes)
    }

    /// Packets, both ways.
    #[must_use]
    pub const fn packets(&self) -> u64 {
        let call = &self.record.call;
        call.outbound_packets.saturating_add(call.reply_packets)
    }
}

/// Calls of a filter: those that run first, then the latest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallsPage {
    /// The server's clock.
    pub now: Timestamp,
    /// Calls told since the daemon started.
    pub told: u64,
    /// Of those, what the daemon keeps for clients.
    pub kept: u64,
    /// Flows and names that could not be remembered: a call may lack a part, or be missing.
    pub dropped: u64,
    /// Rows that match the filter, of which `rows` holds the first.
    pub matching: u64,
    /// The rows.
    pub rows: Vec<CallRow>,
}

/// One finding, open or closed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FindingRow {
    /// Sequence number of the event that told the latest word on it.
    pub event: u64,
    /// How urgent.
    pub severity: Severity,
    /// One line that says what was found.
    pub signature: String,
    /// `open`, `acknowledged` or `closed`.
    pub state: String,
    /// All of it.
    #[serde(flatten)]
    pub finding: Finding,
}

impl FindingRow {
    /// The row of a finding whose latest word was told as this event.
    #[must_use]
    pub fn new(event: u64, finding: Finding) -> Self {
        Self {
            event,
            severity: finding.matter.severity(),
            signature: finding.signature(),
            state: finding.state().to_owned(),
            finding,
        }
    }
}

/// Findings of a filter: those that are not closed first, then the latest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FindingsPage {
    /// The server's clock.
    pub now: Timestamp,
    /// Names seen since the daemon started that are a finding.
    pub hits: u64,
    /// Findings that are not closed.
    pub open: u64,
    /// Closed ones that the daemon keeps for clients.
    pub kept: u64,
    /// Closed ones that made room for later ones.
    pub forgotten: u64,
    /// Rows that match the filter, of which `rows` holds the first.
    pub matching: u64,
    /// The rows.
    pub rows: Vec<FindingRow>,
}
