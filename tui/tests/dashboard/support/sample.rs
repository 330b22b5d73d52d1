//! One gateway at one moment, as the daemon would tell it: for snapshots and for the fake daemon.

use std::sync::Arc;

use jiff::SignedDuration;
use octroi_api as api;
use octroi_api::events::{Counters, DirectionCounters, Mode, Named, SinkStatus, Verdict};

use super::places::{ago, flow, now, place};
use super::reasons::{alert, date, residency};
use super::watched;

/// The first `count` flows by (hosting, control).
pub(crate) fn jurisdictions(flows: &[api::FlowRow]) -> Vec<api::JurisdictionRow> {
    let mut rows: Vec<api::JurisdictionRow> = Vec::new();
    for flow in flows {
        let found = rows.iter().position(|row| {
            (row.hosting, row.confidence, row.control, row.reach)
                == (flow.hosting, flow.confidence, flow.control, flow.reach)
        });
        let index = found.unwrap_or_else(|| {
            rows.push(api::JurisdictionRow {
                hosting: flow.hosting,
                confidence: flow.confidence,
                control: flow.control,
                reach: flow.reach,
                flows: 0,
                outbound_bytes: 0,
                reply_bytes: 0,
                outbound_rate: 0,
                reply_rate: 0,
                verdicts: api::VerdictCounts::default(),
                operators: Vec::new(),
            });
            rows.len() - 1
        });
        let row = &mut rows[index];
        row.flows += 1;
        row.outbound_bytes += flow.outbound_bytes;
        row.reply_bytes += flow.reply_bytes;
        row.outbound_rate += flow.outbound_rate;
        row.reply_rate += flow.reply_rate;
        row.verdicts.count(flow.verdict);
        if let Some(operator) = &flow.operator {
            match row
                .operators
                .iter_mut()
                .find(|(known, _)| known == operator)
            {
                Some((_, bytes)) => *bytes += flow.bytes(),
                None => row.operators.push((operator.clone(), flow.bytes())),
            }
        }
    }
    for row in &mut rows {
        row.operators
            .sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    }
    rows
}

fn direction(passed: u64, blocked: u64) -> DirectionCounters {
    DirectionCounters {
        seen: passed + blocked + 40,
        outcomes: vec![
            Named::new("allowed", passed),
            Named::new("flagged", 40),
            Named::new("rejected", 0),
            Named::new("blocked", blocked),
        ],
    }
}

/// The status, with `lost` events lost.
pub(crate) fn status(flows: u64, lost: u64) -> api::StatusReport {
    api::StatusReport {
        now: now(),
        version: "0.1.0".to_owned(),
        abi_version: 1,
        host: "gw-min-01".to_owned(),
        boot: "01jd9z".to_owned(),
        pid: 4242,
        started: ago(93_780),
        rss_bytes: 74_000_000,
        kernel: "6.18.3".to_owned(),
        interfaces: vec![api::InterfaceStatus {
            name: "lan0".to_owned(),
            index: Some(3),
            attached: true,
            mode: "native".to_owned(),
            role: "inside".to_owned(),
            link: "Ethernet".to_owned(),
            before: Vec::new(),
            after: Vec::new(),
            problem: None,
        }],
        policy: api::PolicyStatus {
            name: "cloud-au-centre".to_owned(),
            version: Some("12".to_owned()),
            sha256: "9c1e4b7a20d55a31c0ffee".to_owned(),
            file: "/etc/octroi/policy.toml".to_owned(),
            mode: Mode::Enforce,
            generation: 7,
            applied: ago(3_600),
            rules: 5,
            zones: 2,
        },
        atlas: api::AtlasStatus {
            version: "2026.11.20".to_owned(),
            built: date("2026-11-20"),
            age_days: 1,
            max_age_days: 180,
            file: None,
            signature: None,
            update: None,
            catalogue: date("2026-11-01"),
            classes: 1_812,
            sources: vec![api::SourceStatus {
                id: "dbip-country-lite".to_owned(),
                version: "2026-11".to_owned(),
                date: date("2026-11-01"),
                ranges_v4: 361_442,
                ranges_v6: 322_918,
            }],
        },
        counters: Counters {
            outbound: direction(41_220_118, 31_204),
            reply: direction(63_018_554, 0),
            opaque: vec![Named::new("truncated", 0), Named::new("gre", 96)],
            losses: vec![
                Named::new("event_ring_full", lost),
                Named::new("sample_ring_full", 0),
            ],
        },
        flows,
        flows_capacity: 1_048_576,
        taken_over: Vec::new(),
        alerts: 412,
        calls: 2,
        calls_dropped: 0,
        tracking_hits: 0,
        findings: Vec::new(),
        queue_length: 0,
        queue_capacity: 8_192,
        queue_lost: Vec::new(),
        sinks: vec![SinkStatus {
            name: "file:/var/log/octroi/eve.json".to_owned(),
            healthy: true,
            written: 88_214,
            written_bytes: 120_000_000,
            lost: 0,
            rotations: 2,
            error: None,
        }],
        holds: Vec::new(),
        health: api::Health {
            healthy: true,
            problems: Vec::new(),
        },
    }
}

fn rule(id: &str, title: &str, verdict: Verdict, conditions: &str) -> api::RuleView {
    api::RuleView {
        id: id.to_owned(),
        title: title.to_owned(),
        verdict,
        shadow: id == "contested",
        conditions: conditions.to_owned(),
        basis: Vec::new(),
        flows: 3,
    }
}

/// The policy.
pub(crate) fn policy() -> api::PolicyView {
    api::PolicyView {
        status: status(0, 0).policy,
        text: String::new(),
        default: Verdict::Flag,
        zones: vec![
            api::ZoneView {
                name: "cabinet".to_owned(),
                prefixes: vec!["10.20.0.0/16".to_owned(), "fd00:20::/32".to_owned()],
                flows: 8,
            },
            api::ZoneView {
                name: "guest".to_owned(),
                prefixes: vec!["10.30.0.0/16".to_owned()],
                flows: 4,
            },
        ],
        rules: vec![
            rule(
                "sovereign",
                "Sovereign services",
                Verdict::Allow,
                "service sovereign",
            ),
            rule(
                "banned-tools",
                "Tools banned by circular",
                Verdict::Reject,
                "service in zoom, deepseek",
            ),
            rule(
                "us-control",
                "No operator under US law",
                Verdict::Block,
                "zone cabinet, reach controlled, country US",
            ),
            rule(
                "contested",
                "Contested places",
                Verdict::Flag,
                "confidence contested",
            ),
            rule("europe", "The Union", Verdict::Allow, "hosting EU"),
        ],
    }
}

/// An update of `count` flows, `tick` seconds after the moment.
pub(crate) fn update(count: u64, tick: u64) -> api::Update {
    let at = now() + SignedDuration::from_secs(i64::try_from(tick).expect("a tick"));
    let rows: Vec<api::FlowRow> = (0..count).map(|index| flow(index, tick)).collect();
    let alerts: Vec<api::AlertRow> = (0..10)
        .filter(|index| place(*index).verdict != Verdict::Allow)
        .map(alert)
        .collect();
    api::Update {
        now: at,
        sequence: tick + 1,
        skipped: 0,
        lost: 0,
        status: Some(Box::new(api::StatusReport {
            now: at,
            ..status(count, 0)
        })),
        jurisdictions: Some(api::JurisdictionsPage {
            now: at,
            rows: jurisdictions(&rows),
        }),
        flows: Some(api::FlowsPage {
            now: at,
            live: count,
            matching: count,
            outbound_rate: rows.iter().map(|row| row.outbound_rate).sum(),
            reply_rate: rows.iter().map(|row| row.reply_rate).sum(),
            rows,
        }),
        alerts: (tick == 0).then_some(api::AlertsPage {
            now: at,
            raised: 412,
            kept: alerts.len() as u64,
            rows: alerts,
        }),
        calls: Some(watched::calls(tick)),
        findings: (tick == 0).then(watched::findings),
        policy: (tick == 0).then(|| Box::new(policy())),
    }
}

/// The detail of flow number `index`.
pub(crate) fn detail(index: u64) -> api::FlowDetail {
    api::FlowDetail {
        now: now(),
        row: flow(index, 0),
        community_id: Some(Arc::from("1:kG3vXv7tcFQ0pCt0zMs5Tg0Wq8k=")),
        interface: Some(Arc::from("lan0")),
        residency: residency(index),
        text: String::new(),
    }
}
