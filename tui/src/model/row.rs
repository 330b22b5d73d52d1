//! The rows the lists show: plain values, made by the adapter from what the daemon says.

use std::cmp::Ordering;
use std::net::IpAddr;
use std::sync::Arc;

use serde::Serialize;

use super::list::Row;
use super::reason::Reason;

/// What identifies a row for as long as the daemon knows it. Never a position in a list.
pub type RowId = Arc<str>;

pub use super::jurisdiction::{Confidence, Judgement, Jurisdiction, Reach, Verdict};

/// One conversation.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct FlowRow {
    /// Identity.
    pub id: RowId,
    /// First packet, milliseconds since 1970.
    pub started_ms: i64,
    /// Last packet, milliseconds since 1970.
    pub last_ms: i64,
    /// Zone of the source, empty when none.
    pub zone: String,
    /// Inside address.
    pub source: IpAddr,
    /// Inside port.
    pub source_port: u16,
    /// Outside address.
    pub destination: IpAddr,
    /// Outside port.
    pub destination_port: u16,
    /// Transport: `tcp`, `udp`...
    pub protocol: String,
    /// Application protocol, empty when not known.
    pub application: String,
    /// Name of the destination, when the traffic told it.
    pub name: Option<String>,
    /// Where the name was read: `dns`, `sni`...
    pub name_source: Option<String>,
    /// Name of the catalogued service, when known.
    pub service: Option<String>,
    /// What was decided.
    pub judgement: Judgement,
    /// The three axes.
    pub jurisdiction: Jurisdiction,
    /// Bytes sent outward.
    pub bytes_out: u64,
    /// Bytes that came back.
    pub bytes_in: u64,
    /// Packets sent outward.
    pub packets_out: u64,
    /// Packets that came back.
    pub packets_in: u64,
    /// Outward packets that were stopped.
    pub packets_stopped: u64,
    /// Bytes per second in both directions, smoothed by the daemon.
    pub rate: u64,
    /// `new`, `established`, `closed`, `stopped`.
    pub stage: String,
    /// Why the traffic is opaque, when it is.
    pub opaque: Option<String>,
}

impl FlowRow {
    /// The name of the destination, or its address.
    #[must_use]
    pub fn destination_text(&self) -> String {
        match &self.name {
            Some(name) => name.clone(),
            None => endpoint(self.destination, self.destination_port),
        }
    }
}

/// `address:port`, brackets around IPv6 (RFC 3986 section 3.2.2); no port when it is 0.
#[must_use]
pub fn endpoint(address: IpAddr, port: u16) -> String {
    match (address, port) {
        (address, 0) => address.to_string(),
        (IpAddr::V4(address), port) => format!("{address}:{port}"),
        (IpAddr::V6(address), port) => format!("[{address}]:{port}"),
    }
}

/// Columns by which flows are sorted, in the order `s` walks through, and whether each begins
/// with the greatest.
pub const FLOW_SORTS: [(&str, bool); 7] = [
    ("AGE", false),
    ("VERDICT", true),
    ("DESTINATION", false),
    ("HOST", false),
    ("CONTROL", false),
    ("UP", true),
    ("RATE", true),
];

impl Row for FlowRow {
    const SORTS: &'static [(&'static str, bool)] = &FLOW_SORTS;

    fn id(&self) -> &RowId {
        &self.id
    }

    fn compare(&self, other: &Self, column: usize) -> Ordering {
        let by_column = match column {
            0 => other.started_ms.cmp(&self.started_ms),
            1 => self.judgement.verdict.cmp(&other.judgement.verdict),
            2 => self.destination_text().cmp(&other.destination_text()),
            3 => self
                .jurisdiction
                .host_text()
                .cmp(&other.jurisdiction.host_text()),
            4 => self
                .jurisdiction
                .control_text()
                .cmp(&other.jurisdiction.control_text()),
            5 => self.bytes_out.cmp(&other.bytes_out),
            _ => coarse(self.rate).cmp(&coarse(other.rate)),
        };
        by_column.then(self.started_ms.cmp(&other.started_ms))
    }
}

/// A rate cut to two significant digits: rows whose rates only jitter keep their places.
#[must_use]
pub fn coarse(rate: u64) -> u64 {
    let mut unit = 1;
    while rate / unit >= 100 {
        unit *= 10;
    }
    rate / unit * unit
}

/// One alert.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct AlertRow {
    /// Identity.
    pub id: RowId,
    /// The flow it speaks of.
    pub flow: RowId,
    /// When it was first raised, milliseconds since 1970.
    pub first_ms: i64,
    /// The last of those folded into it, milliseconds since 1970.
    pub time_ms: i64,
    /// Alerts folded into it, itself included.
    pub count: u64,
    /// How urgent.
    pub severity: Severity,
    /// One sentence.
    pub message: String,
    /// Zone of the source, empty when none.
    pub zone: String,
    /// Inside address.
    pub source: IpAddr,
    /// Inside port.
    pub source_port: u16,
    /// Outside address.
    pub destination: IpAddr,
    /// Outside port.
    pub destination_port: u16,
    /// Transport: `tcp`, `udp`...
    pub protocol: String,
    /// Name of the destination, when known.
    pub name: Option<String>,
    /// Why, all of it.
    pub reason: Arc<Reason>,
}

impl AlertRow {
    /// The name of the destination, or its address.
    #[must_use]
    pub fn destination_text(&self) -> String {
        match &self.name {
            Some(name) => name.clone(),
            None => endpoint(self.destination, self.destination_port),
        }
    }

    /// What was decided.
    #[must_use]
    pub fn judgement(&self) -> &Judgement {
        &self.reason.judgement
    }

    /// The three axes.
    #[must_use]
    pub fn jurisdiction(&self) -> &Jurisdiction {
        &self.reason.jurisdiction
    }
}

/// How urgent an alert is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Passed, and a shadow rule would have said otherwise.
    Low,
    /// Passed, or would have been stopped if verdicts were enforced.
    Medium,
    /// Stopped.
    High,
}

impl Severity {
    /// The word shown, upper case, at most four columns.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::High => "HIGH",
            Self::Medium => "MED",
            Self::Low => "LOW",
        }
    }
}

/// Columns by which alerts are sorted, and whether each begins with the greatest.
pub const ALERT_SORTS: [(&str, bool); 6] = [
    ("TIME", true),
    ("SEV", true),
    ("VERDICT", true),
    ("DESTINATION", false),
    ("RULE", false),
    ("N", true),
];

impl Row for AlertRow {
    const SORTS: &'static [(&'static str, bool)] = &ALERT_SORTS;

    fn id(&self) -> &RowId {
        &self.id
    }

    fn compare(&self, other: &Self, column: usize) -> Ordering {
        let by_column = match column {
            0 => Ordering::Equal,
            1 => self.severity.cmp(&other.severity),
            2 => self.judgement().verdict.cmp(&other.judgement().verdict),
            3 => self.destination_text().cmp(&other.destination_text()),
            4 => self.judgement().rule.cmp(&other.judgement().rule),
            _ => self.count.cmp(&other.count),
        };
        by_column.then(self.time_ms.cmp(&other.time_ms))
    }
}

/// Traffic towards one pair of (control, hosting).
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct JurisdictionRow {
    /// Identity: both axes in one text.
    pub id: RowId,
    /// Both axes.
    pub jurisdiction: Jurisdiction,
    /// Flows.
    pub flows: u64,
    /// Bytes sent outward.
    pub bytes_out: u64,
    /// Bytes that came back.
    pub bytes_in: u64,
    /// Flows by verdict, in the order of [`Verdict::ALL`].
    pub verdicts: [u64; 4],
    /// Operators and their bytes, greatest first.
    pub operators: Vec<(String, u64)>,
    /// Bytes per second, both ways.
    pub rate: u64,
}

impl JurisdictionRow {
    /// Flows that were stopped, or would have been.
    #[must_use]
    pub const fn stopped(&self) -> u64 {
        self.verdicts[2].saturating_add(self.verdicts[3])
    }

    /// Bytes in both directions.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes_out.saturating_add(self.bytes_in)
    }
}

/// Columns by which jurisdictions are sorted, and whether each begins with the greatest.
pub const JURISDICTION_SORTS: [(&str, bool); 5] = [
    ("BYTES", true),
    ("CONTROL", false),
    ("HOST", false),
    ("FLOWS", true),
    ("STOPPED", true),
];

impl Row for JurisdictionRow {
    const SORTS: &'static [(&'static str, bool)] = &JURISDICTION_SORTS;

    fn id(&self) -> &RowId {
        &self.id
    }

    fn compare(&self, other: &Self, column: usize) -> Ordering {
        match column {
            0 => self.bytes().cmp(&other.bytes()),
            1 => self
                .jurisdiction
                .control_text()
                .cmp(&other.jurisdiction.control_text()),
            2 => self
                .jurisdiction
                .host_text()
                .cmp(&other.jurisdiction.host_text()),
            3 => self.flows.cmp(&other.flows),
            _ => self.stopped().cmp(&other.stopped()),
        }
    }
}
