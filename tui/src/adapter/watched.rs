//! Calls and findings, from the wire to the model.

use octroi_api as api;
use octroi_api::events::finding::Matter;

use super::{milliseconds, reach, row_id, severity, text, verdict};
use crate::model::row::{Judgement, Jurisdiction};
use crate::model::watched::{CallRow, FindingRow};
use crate::model::{CallsPart, FindingsPart};

/// A page of calls.
pub(super) fn calls(page: api::CallsPage) -> CallsPart {
    CallsPart {
        told: page.told,
        dropped: page.dropped,
        matched: page.matching,
        rows: page.rows.into_iter().map(call).collect(),
    }
}

fn call(row: api::CallRow) -> CallRow {
    let running = row.is_running();
    let record = row.record;
    let call = record.call;
    let words = |list: Vec<std::sync::Arc<str>>| -> Vec<String> {
        list.iter().map(ToString::to_string).collect()
    };
    CallRow {
        id: row_id(row.id),
        running,
        start_ms: milliseconds(record.start),
        end_ms: milliseconds(record.end),
        seconds: call.seconds,
        zone: text(call.zone).unwrap_or_default(),
        source: call.client,
        service: call.service_name.to_string(),
        service_id: call.service.to_string(),
        judgement: Judgement {
            verdict: verdict(call.verdict),
            enforced: call.enforced,
            ..Judgement::default()
        },
        jurisdiction: Jurisdiction {
            control: record.control_country.map(|code| code.to_string()),
            reach: reach(record.reach),
            operator: text(record.operator).or(Some(call.operator_id.to_string())),
            laws: words(record.legal_regimes),
            ..Jurisdiction::default()
        },
        bytes_out: call.outbound_bytes,
        bytes_in: call.reply_bytes,
        packets_out: call.outbound_packets,
        packets_in: call.reply_packets,
        flows: call.flows,
        flow_ids: call.flow_ids,
        peers: call.peers,
        names: words(call.names),
        evidence: call
            .evidence
            .iter()
            .map(|evidence| evidence.name().replace('_', " "))
            .collect(),
        certainty: call.certainty.name().to_owned(),
        alternatives: words(record.alternatives),
    }
}

/// A page of findings.
pub(super) fn findings(page: api::FindingsPage) -> FindingsPart {
    FindingsPart {
        open: page.open,
        hits: page.hits,
        matched: page.matching,
        rows: page.rows.into_iter().map(finding).collect(),
    }
}

fn finding(row: api::FindingRow) -> FindingRow {
    let finding = row.finding;
    let words = |list: &[std::sync::Arc<str>]| -> Vec<String> {
        list.iter().map(ToString::to_string).collect()
    };
    FindingRow {
        id: row_id(finding.id),
        state: row.state,
        severity: severity(row.severity),
        message: row.signature,
        first_ms: milliseconds(finding.first),
        last_ms: milliseconds(finding.last),
        count: finding.count,
        zone: text(finding.zone).unwrap_or_default(),
        source: finding.client,
        kind: finding.matter.kind().to_owned(),
        family: finding.matter.family().to_string(),
        names: words(&finding.names),
        seen_by: words(&finding.seen_by),
        destination: finding.destination,
        evidence: evidence(&finding.matter),
        acknowledged: finding
            .acknowledged
            .map(|known| (known.by.to_string(), milliseconds(known.at))),
    }
}

fn evidence(matter: &Matter) -> Vec<String> {
    match matter {
        Matter::IpLogger {
            host,
            dual_use,
            source,
            ..
        } => {
            let mut told = vec![format!("{host} is listed: {source}")];
            if *dual_use {
                told.push("the host has lawful uses as well".to_owned());
            }
            told
        }
        Matter::LookAlike {
            like,
            distance,
            likeness,
            ..
        } => vec![
            format!(
                "resembles {like} ({}, {distance} letters away)",
                likeness.replace('_', " ")
            ),
            "a likeness is a suspicion, no proof".to_owned(),
        ],
    }
}
