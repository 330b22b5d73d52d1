//! Rows of the screens of calls and findings: plain values, made by the adapter.

use std::cmp::Ordering;
use std::net::IpAddr;

use serde::Serialize;

use super::list::Row;
use super::row::{Judgement, Jurisdiction, RowId, Severity};

/// One call of people.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct CallRow {
    /// Identity: the id of its first media flow.
    pub id: RowId,
    /// It is not over, as far as the gateway can tell.
    pub running: bool,
    /// First packet of its media, milliseconds since 1970.
    pub start_ms: i64,
    /// Last packet so far, milliseconds since 1970.
    pub end_ms: i64,
    /// Seconds between the two.
    pub seconds: u64,
    /// Zone of the client, empty when none.
    pub zone: String,
    /// Who is inside.
    pub source: IpAddr,
    /// Name of the service.
    pub service: String,
    /// Its id in the catalogue.
    pub service_id: String,
    /// The strictest verdict of its flows.
    pub judgement: Judgement,
    /// Whose law reaches the service, as far as calls are told of it.
    pub jurisdiction: Jurisdiction,
    /// Bytes sent outward.
    pub bytes_out: u64,
    /// Bytes that came back.
    pub bytes_in: u64,
    /// Packets sent outward.
    pub packets_out: u64,
    /// Packets that came back.
    pub packets_in: u64,
    /// Media flows.
    pub flows: u64,
    /// Ids of the first of them.
    pub flow_ids: Vec<u64>,
    /// Relays of the service, or people.
    pub peers: Vec<IpAddr>,
    /// Names of the service that the client said.
    pub names: Vec<String>,
    /// Why it is taken for a call.
    pub evidence: Vec<String>,
    /// How sure that is.
    pub certainty: String,
    /// Sovereign services that do the same.
    pub alternatives: Vec<String>,
}

impl CallRow {
    /// `running` or `over`.
    #[must_use]
    pub const fn state(&self) -> &'static str {
        if self.running { "running" } else { "over" }
    }
}

/// Columns by which calls are sorted, and whether each begins with the greatest.
pub const CALL_SORTS: [(&str, bool); 7] = [
    ("START", true),
    ("LASTED", true),
    ("CLIENT", false),
    ("SERVICE", false),
    ("VERDICT", true),
    ("UP", true),
    ("DOWN", true),
];

impl Row for CallRow {
    const SORTS: &'static [(&'static str, bool)] = &CALL_SORTS;

    fn id(&self) -> &RowId {
        &self.id
    }

    fn compare(&self, other: &Self, column: usize) -> Ordering {
        let by_column = match column {
            // What runs is newer than what is over.
            0 => self.running.cmp(&other.running),
            1 => self.seconds.cmp(&other.seconds),
            2 => self.source.cmp(&other.source),
            3 => self.service.cmp(&other.service),
            4 => self.judgement.verdict.cmp(&other.judgement.verdict),
            5 => self.bytes_out.cmp(&other.bytes_out),
            _ => self.bytes_in.cmp(&other.bytes_in),
        };
        by_column.then(self.start_ms.cmp(&other.start_ms))
    }
}

/// One finding.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct FindingRow {
    /// Identity.
    pub id: RowId,
    /// `open`, `acknowledged` or `closed`.
    pub state: String,
    /// How urgent.
    pub severity: Severity,
    /// One sentence.
    pub message: String,
    /// First hit, milliseconds since 1970.
    pub first_ms: i64,
    /// Latest hit, milliseconds since 1970.
    pub last_ms: i64,
    /// Hits.
    pub count: u64,
    /// Zone of the client, empty when none.
    pub zone: String,
    /// Who.
    pub source: IpAddr,
    /// `ip_logger` or `look_alike`.
    pub kind: String,
    /// Site behind it.
    pub family: String,
    /// The names that hit.
    pub names: Vec<String>,
    /// How they were seen.
    pub seen_by: Vec<String>,
    /// Where the latest led, when that is known.
    pub destination: Option<IpAddr>,
    /// Why the names are a finding, each in a sentence.
    pub evidence: Vec<String>,
    /// Who looks into it, and since when (milliseconds since 1970).
    pub acknowledged: Option<(String, i64)>,
}

impl FindingRow {
    /// The state in at most six columns.
    #[must_use]
    pub fn state_word(&self) -> &str {
        match &*self.state {
            "acknowledged" => "ack",
            state => state,
        }
    }

    /// The first name, and how many more.
    #[must_use]
    pub fn name_text(&self) -> String {
        match self.names.as_slice() {
            [] => String::new(),
            [name] => name.clone(),
            [name, more @ ..] => format!("{name} +{}", more.len()),
        }
    }

    /// How much it asks for attention.
    fn rank(&self) -> u8 {
        match &*self.state {
            "open" => 2,
            "acknowledged" => 1,
            _ => 0,
        }
    }
}

/// Columns by which findings are sorted, and whether each begins with the greatest.
pub const FINDING_SORTS: [(&str, bool); 6] = [
    ("LAST", true),
    ("STATE", true),
    ("SEV", true),
    ("N", true),
    ("CLIENT", false),
    ("FAMILY", false),
];

impl Row for FindingRow {
    const SORTS: &'static [(&'static str, bool)] = &FINDING_SORTS;

    fn id(&self) -> &RowId {
        &self.id
    }

    fn compare(&self, other: &Self, column: usize) -> Ordering {
        let by_column = match column {
            0 => Ordering::Equal,
            1 => self.rank().cmp(&other.rank()),
            2 => self.severity.cmp(&other.severity),
            3 => self.count.cmp(&other.count),
            4 => self.source.cmp(&other.source),
            _ => self.family.cmp(&other.family),
        };
        by_column.then(self.last_ms.cmp(&other.last_ms))
    }
}
