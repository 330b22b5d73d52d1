//! Lines instead of a screen: one for each event, in words, for pipes and screen readers.

use std::collections::HashSet;

use jiff::Timestamp;

use crate::message::Update;
use crate::model::row::{AlertRow, FlowRow, Judgement, Jurisdiction, RowId, Verdict, endpoint};
use crate::model::status::Status;
use crate::model::watched::{CallRow, FindingRow};

/// What was told already.
#[derive(Debug, Default)]
pub struct Teller {
    flows: HashSet<RowId>,
    /// Alerts told, with how many were folded into each.
    alerts: HashSet<(RowId, u64)>,
    /// Calls told, and whether they ran then.
    calls: HashSet<(RowId, bool)>,
    /// Findings told, and how they stood then.
    findings: HashSet<(RowId, String)>,
    status: Option<String>,
    lost: u64,
}

impl Teller {
    /// The lines of an update: what it tells for the first time.
    pub fn lines(&mut self, update: &Update) -> Vec<String> {
        let mut lines = Vec::new();
        let now = time(update.now_ms);
        if let Some(status) = &update.status {
            let state = state(status);
            if self.status.as_ref() != Some(&state) {
                lines.push(format!("{now} status {state}"));
                self.status = Some(state);
            }
        }
        if update.lost > self.lost {
            lines.push(format!(
                "{now} lost {} events in all: what is told is not all there was",
                update.lost
            ));
        }
        self.lost = update.lost;
        if let Some(part) = &update.alerts {
            let mut rows: Vec<&AlertRow> = part.rows.iter().collect();
            rows.sort_by_key(|row| (row.time_ms, row.id.clone()));
            for row in rows {
                if self.alerts.insert((row.id.clone(), row.count)) {
                    lines.push(alert(row));
                }
            }
        }
        if let Some(part) = &update.findings {
            let mut rows: Vec<&FindingRow> = part.rows.iter().collect();
            rows.sort_by_key(|row| (row.first_ms, row.id.clone()));
            let key = |row: &FindingRow| (row.id.clone(), row.state.clone());
            let new = rows.iter().filter(|row| !self.findings.contains(&key(row)));
            lines.extend(new.map(|row| finding(row)));
            self.findings = rows.into_iter().map(key).collect();
        }
        if let Some(part) = &update.calls {
            let mut rows: Vec<&CallRow> = part.rows.iter().collect();
            rows.sort_by_key(|row| (row.start_ms, row.id.clone()));
            let key = |row: &CallRow| (row.id.clone(), row.running);
            let new = rows.iter().filter(|row| !self.calls.contains(&key(row)));
            lines.extend(new.map(|row| call(row)));
            self.calls = rows.into_iter().map(key).collect();
        }
        if let Some(part) = &update.flows {
            let mut rows: Vec<&FlowRow> = part.rows.iter().collect();
            rows.sort_by_key(|row| (row.started_ms, row.id.clone()));
            for row in &rows {
                if !self.flows.contains(&row.id) {
                    lines.push(flow(row));
                }
            }
            // Only what is still listed is remembered: the set cannot grow without end.
            self.flows = rows.into_iter().map(|row| row.id.clone()).collect();
        }
        for line in &mut lines {
            line.retain(|character| !character.is_control());
        }
        lines
    }
}

fn time(milliseconds: i64) -> String {
    Timestamp::from_millisecond(milliseconds).map_or_else(
        |_| "unknown time".to_owned(),
        |time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
    )
}

fn state(status: &Status) -> String {
    let mode = match status.enforcing {
        Some(true) => "enforces",
        Some(false) => "monitors",
        None => "has not told its mode",
    };
    let mut text = format!(
        "gateway {} {mode}, policy {} {}, atlas {}",
        status.gateway,
        status.policy_name,
        status
            .policy_version
            .as_deref()
            .unwrap_or("without version"),
        status.atlas_version
    );
    for warning in &status.warnings {
        text.push_str("; warning: ");
        text.push_str(warning);
    }
    text
}

fn judged(judgement: &Judgement) -> String {
    let word = judgement.verdict.word().to_ascii_lowercase();
    let recorded = if judgement.enforced {
        ""
    } else {
        " (recorded only)"
    };
    format!("{word}{recorded} by rule {}", judgement.rule)
}

fn placed(jurisdiction: &Jurisdiction) -> String {
    let operator = jurisdiction.operator.as_deref().unwrap_or("unknown");
    format!(
        "host {}, control {}, operator {operator}",
        jurisdiction.host_text(),
        jurisdiction.control_text()
    )
}

fn zone(zone: &str) -> String {
    if zone.is_empty() {
        "no zone".to_owned()
    } else {
        format!("zone {zone}")
    }
}

fn destination(name: Option<&str>, address: String) -> String {
    match name {
        Some(name) => format!("{name} at {address}"),
        None => address,
    }
}

fn alert(row: &AlertRow) -> String {
    let folded = if row.count > 1 {
        format!(", {} alike", row.count)
    } else {
        String::new()
    };
    let to = endpoint(row.destination, row.destination_port);
    format!(
        "{} alert {}: {}; {} from {} {} to {}; {}{folded}",
        time(row.time_ms),
        row.severity.word().to_ascii_lowercase(),
        judged(row.judgement()),
        row.protocol,
        endpoint(row.source, row.source_port),
        zone(&row.zone),
        destination(row.name.as_deref(), to),
        placed(row.jurisdiction()),
    )
}

fn flow(row: &FlowRow) -> String {
    let to = endpoint(row.destination, row.destination_port);
    format!(
        "{} flow: {}; {} from {} {} to {}; {}",
        time(row.started_ms),
        judged(&row.judgement),
        row.protocol,
        endpoint(row.source, row.source_port),
        zone(&row.zone),
        destination(row.name.as_deref(), to),
        placed(&row.jurisdiction),
    )
}

fn finding(row: &FindingRow) -> String {
    format!(
        "{} finding {} {}: {}; from {} {}, {} times, seen by {}; {}",
        time(row.last_ms),
        row.severity.word().to_ascii_lowercase(),
        row.state,
        row.message,
        row.source,
        zone(&row.zone),
        row.count,
        row.seen_by.join(", "),
        row.evidence.join(", "),
    )
}

fn call(row: &CallRow) -> String {
    let judgement = &row.judgement;
    let recorded = if judgement.enforced || judgement.verdict < Verdict::Reject {
        ""
    } else {
        " (recorded only)"
    };
    format!(
        "{} call {} with {}: {}{recorded}; from {} {} for {} s, {} bytes up, {} bytes down; control {}; certainty {} ({})",
        time(row.start_ms),
        row.state(),
        row.service,
        judgement.verdict.word().to_ascii_lowercase(),
        row.source,
        zone(&row.zone),
        row.seconds,
        row.bytes_out,
        row.bytes_in,
        row.jurisdiction.control_text(),
        row.certainty,
        row.evidence.join(", "),
    )
}
