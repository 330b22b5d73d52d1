//! The one place that knows the wire types: what the daemon says, as rows of the model.

mod filter;
mod reason;
mod status;
mod watched;

use std::sync::Arc;

use jiff::Timestamp;
use octroi_api as api;
use octroi_api::events::{self, HostingConfidence};

use crate::message::{Update, Wanted};
use crate::model::list::Sort;
use crate::model::row::{
    AlertRow, Confidence, FLOW_SORTS, FlowRow, Judgement, Jurisdiction, JurisdictionRow, Reach,
    RowId, Severity, Verdict,
};
use crate::model::{AlertsPart, FlowsPart};

pub(crate) use filter::{check_filter, filter_help, jurisdiction_filter};
pub use reason::flow_reason;
pub(crate) use reason::reason;

/// Flows asked for: more than any screen shows, few enough for the socket.
const FLOWS_WANTED: u32 = 500;
/// Milliseconds between updates.
const INTERVAL_MS: u32 = 1_000;

/// The watch for what the dashboard wants.
pub(crate) fn watch_request(wanted: &Wanted) -> api::WatchRequest {
    let filter = (!wanted.filter.is_empty()).then(|| wanted.filter.clone());
    api::WatchRequest {
        topics: vec![
            api::Topic::Status,
            api::Topic::Flows,
            api::Topic::Jurisdictions,
            api::Topic::Alerts,
            api::Topic::Calls,
            api::Topic::Findings,
            api::Topic::Policy,
        ],
        filter: filter.clone(),
        alert_filter: filter.clone(),
        call_filter: filter.clone(),
        finding_filter: filter,
        sort: sort(wanted.sort),
        limit: FLOWS_WANTED,
        interval_ms: INTERVAL_MS,
    }
}

fn sort(sort: Sort) -> api::Sort {
    let key = match FLOW_SORTS.get(sort.column).map(|(name, _)| *name) {
        Some("AGE") => api::SortKey::Age,
        Some("VERDICT") => api::SortKey::Verdict,
        Some("DESTINATION") => api::SortKey::Destination,
        Some("HOST") => api::SortKey::Hosting,
        Some("CONTROL") => api::SortKey::Control,
        Some("UP") => api::SortKey::Up,
        _ => api::SortKey::Rate,
    };
    // The daemon sorts by the first packet, the list by the age: the other way round.
    let ascending = !sort.descending;
    let ascending = if key == api::SortKey::Age {
        !ascending
    } else {
        ascending
    };
    api::Sort { key, ascending }
}

/// An update of the daemon.
#[must_use]
pub fn update(update: api::Update) -> Update {
    Update {
        now_ms: update.now.as_millisecond(),
        lost: update.lost,
        skipped: update.skipped,
        flows: update.flows.map(|page| FlowsPart {
            total: page.live,
            matched: page.matching,
            rows: page.rows.into_iter().map(flow).collect(),
        }),
        jurisdictions: update
            .jurisdictions
            .map(|page| page.rows.into_iter().map(jurisdiction_row).collect()),
        alerts: update.alerts.map(|page| AlertsPart {
            all: update.sequence <= 1,
            rows: page.rows.into_iter().map(alert).collect(),
        }),
        calls: update.calls.map(watched::calls),
        findings: update.findings.map(watched::findings),
        status: update
            .status
            .map(|report| Box::new(status::status(*report))),
        policy: update.policy.map(|view| Box::new(status::policy(*view))),
    }
}

fn text(value: Option<Arc<str>>) -> Option<String> {
    value.map(|value| value.to_string())
}

fn milliseconds(time: Timestamp) -> i64 {
    time.as_millisecond()
}

fn row_id(id: u64) -> RowId {
    RowId::from(id.to_string())
}

/// The number of a flow or a finding, from its row.
pub(crate) fn row_number(id: &RowId) -> Option<u64> {
    id.parse().ok()
}

pub(crate) fn verdict(verdict: events::Verdict) -> Verdict {
    match verdict {
        events::Verdict::Allow => Verdict::Allow,
        events::Verdict::Flag => Verdict::Flag,
        events::Verdict::Reject => Verdict::Reject,
        events::Verdict::Block => Verdict::Block,
    }
}

fn confidence(confidence: HostingConfidence) -> Confidence {
    match confidence {
        HostingConfidence::Located => Confidence::Located,
        HostingConfidence::Contested => Confidence::Contested,
        HostingConfidence::Anycast => Confidence::Anycast,
        HostingConfidence::Unknown => Confidence::Unknown,
    }
}

fn reach(reach: events::Reach) -> Reach {
    match reach {
        events::Reach::NoneKnown => Reach::NoneKnown,
        events::Reach::Unknown => Reach::Unknown,
        events::Reach::Presence => Reach::Presence,
        events::Reach::Controlled => Reach::Controlled,
    }
}

fn severity(severity: events::Severity) -> Severity {
    match severity {
        events::Severity::Low => Severity::Low,
        events::Severity::Medium => Severity::Medium,
        events::Severity::High => Severity::High,
    }
}

/// The name of an IP protocol (IANA protocol numbers), or its number.
fn protocol(number: u8) -> String {
    match number {
        1 => "icmp".to_owned(),
        6 => "tcp".to_owned(),
        17 => "udp".to_owned(),
        33 => "dccp".to_owned(),
        47 => "gre".to_owned(),
        50 => "esp".to_owned(),
        58 => "icmp6".to_owned(),
        132 => "sctp".to_owned(),
        136 => "udplite".to_owned(),
        number => format!("ip/{number}"),
    }
}

/// The number of a protocol, from its name.
pub(crate) fn protocol_number(name: &str) -> Option<u8> {
    (0..=u8::MAX).find(|&number| protocol(number) == name)
}

fn flow(row: api::FlowRow) -> FlowRow {
    let rate = row.rate();
    let known = row.operator.is_some();
    FlowRow {
        id: row_id(row.id),
        started_ms: milliseconds(row.first),
        last_ms: milliseconds(row.last),
        zone: text(row.zone).unwrap_or_default(),
        source: row.source,
        source_port: row.source_port.unwrap_or(0),
        destination: row.destination,
        destination_port: row.destination_port.unwrap_or(0),
        protocol: protocol(row.protocol),
        application: text(row.app_protocol).unwrap_or_default(),
        name_source: row.name.as_ref().map(|name| name.source.name().to_owned()),
        name: row.name.map(|name| name.text.to_string()),
        service: text(row.service),
        judgement: Judgement {
            verdict: verdict(row.verdict),
            enforced: row.enforced,
            rule: row.rule.to_string(),
            shadow: None,
        },
        jurisdiction: Jurisdiction {
            host: row.hosting.map(|code| code.to_string()),
            confidence: confidence(row.confidence),
            control: row.control.map(|code| code.to_string()),
            reach: reach(row.reach),
            presumed: !known && row.control.is_some(),
            class: row.class.title().to_owned(),
            operator: text(row.operator),
            laws: Vec::new(),
            qualifications: Vec::new(),
            asn: row.asn,
        },
        bytes_out: row.outbound_bytes,
        bytes_in: row.reply_bytes,
        packets_out: row.outbound_packets,
        packets_in: row.reply_packets,
        packets_stopped: row.stopped_packets,
        rate,
        stage: row.stage.name().to_owned(),
        opaque: text(row.opaque),
    }
}

fn alert(row: api::AlertRow) -> AlertRow {
    AlertRow {
        id: row_id(row.id),
        flow: row_id(row.flow_id),
        first_ms: milliseconds(row.time),
        time_ms: milliseconds(row.last),
        count: row.count,
        severity: severity(row.severity),
        message: row.signature,
        zone: text(row.residency.zone.clone()).unwrap_or_default(),
        source: row.source,
        source_port: row.source_port.unwrap_or(0),
        destination: row.destination,
        destination_port: row.destination_port.unwrap_or(0),
        protocol: protocol(row.protocol),
        name: row.name.map(|name| name.text.to_string()),
        reason: Arc::new(reason(&row.residency)),
    }
}

fn jurisdiction_row(row: api::JurisdictionRow) -> JurisdictionRow {
    let jurisdiction = Jurisdiction {
        host: row.hosting.map(|code| code.to_string()),
        confidence: confidence(row.confidence),
        control: row.control.map(|code| code.to_string()),
        reach: reach(row.reach),
        ..Jurisdiction::default()
    };
    let Jurisdiction {
        host,
        confidence,
        control,
        reach,
        ..
    } = &jurisdiction;
    // All four: two rows may read alike and be two.
    let id = format!("{control:?} {reach:?} {host:?} {confidence:?}");
    JurisdictionRow {
        id: RowId::from(id),
        jurisdiction,
        flows: row.flows,
        bytes_out: row.outbound_bytes,
        bytes_in: row.reply_bytes,
        verdicts: [
            row.verdicts.allow,
            row.verdicts.flag,
            row.verdicts.reject,
            row.verdicts.block,
        ],
        operators: row
            .operators
            .into_iter()
            .map(|(operator, bytes)| (operator.to_string(), bytes))
            .collect(),
        rate: row.outbound_rate.saturating_add(row.reply_rate),
    }
}
