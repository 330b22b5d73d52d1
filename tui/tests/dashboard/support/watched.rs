//! Calls and findings of the sample.

use std::sync::Arc;

use octroi_api as api;
use octroi_api::events::call::{CallEvidence, Certainty};
use octroi_api::events::finding::{Acknowledged, Activity, Matter};
use octroi_api::events::{Call, CallRecord, CountryCode, Finding, Reach, Verdict};

use super::places::{ago, now};

fn country(code: &str) -> CountryCode {
    code.parse().expect("a country")
}

fn words(list: &[&str]) -> Vec<Arc<str>> {
    list.iter().map(|word| Arc::from(*word)).collect()
}

/// A call that began `start_s` seconds ago.
fn call(client: &str, start_s: i64, seconds: u64, service: [&str; 3]) -> CallRecord {
    let [id, name, operator] = service;
    let start = ago(start_s);
    let lasted = jiff::SignedDuration::from_secs(i64::try_from(seconds).expect("a length"));
    CallRecord {
        time: now(),
        start,
        end: start + lasted,
        call: Call {
            client: client.parse().expect("an address"),
            zone: Some("cabinet".into()),
            service: id.into(),
            service_name: name.into(),
            operator_id: operator.into(),
            seconds,
            outbound_packets: seconds * 52,
            outbound_bytes: seconds * 48_000,
            reply_packets: seconds * 140,
            reply_bytes: seconds * 151_000,
            flows: 3,
            flow_ids: vec![7_104_001, 7_104_002, 7_104_003],
            peers: vec![
                "52.112.0.10".parse().expect("an address"),
                "52.112.0.11".parse().expect("an address"),
            ],
            names: words(&["teams.microsoft.com"]),
            evidence: vec![
                CallEvidence::MediaShape,
                CallEvidence::ServicePrefix,
                CallEvidence::Signalling,
                CallEvidence::Stun,
            ],
            certainty: Certainty::High,
            verdict: Verdict::Flag,
            enforced: true,
        },
        operator: Some("Microsoft".into()),
        control_country: Some(country("US")),
        reach: Reach::Controlled,
        legal_regimes: words(&["us-cloud-act", "us-fisa-702"]),
        alternatives: words(&["visio"]),
    }
}

/// The calls, `tick` seconds after the moment: one goes on.
pub(crate) fn calls(tick: u64) -> api::CallsPage {
    let teams = ["ms-teams", "Microsoft Teams", "microsoft"];
    let mut visio = call("10.20.4.21", 7_300, 3_541, ["visio", "Visio", "dinum"]);
    visio.operator = Some("DINUM".into());
    visio.call.verdict = Verdict::Allow;
    visio.call.peers = vec!["171.33.80.20".parse().expect("an address")];
    visio.call.names = words(&["visio.numerique.gouv.fr"]);
    visio.control_country = Some(country("FR"));
    visio.reach = Reach::NoneKnown;
    visio.legal_regimes = Vec::new();
    visio.alternatives = Vec::new();
    let mut whatsapp = call("10.30.0.44", 93_600, 312, ["whatsapp", "WhatsApp", "meta"]);
    whatsapp.operator = Some("Meta Platforms".into());
    whatsapp.call.zone = None;
    whatsapp.call.certainty = Certainty::Medium;
    whatsapp.call.evidence = vec![CallEvidence::MediaShape, CallEvidence::ServicePrefix];
    whatsapp.call.names = Vec::new();
    whatsapp.call.verdict = Verdict::Reject;
    whatsapp.call.enforced = false;
    let row = |id: u64, event: Option<u64>, record: CallRecord| api::CallRow { id, event, record };
    api::CallsPage {
        now: now(),
        told: 2,
        kept: 2,
        dropped: 0,
        matching: 3,
        rows: vec![
            row(7_104_001, None, call("10.20.4.17", 754, 754 + tick, teams)),
            row(6_000_001, Some(812), visio),
            row(5_000_001, Some(77), whatsapp),
        ],
    }
}

fn finding(id: u64, client: &str, matter: Matter, name: &str) -> Finding {
    Finding {
        time: ago(20),
        id,
        activity: Activity::Create,
        matter,
        client: client.parse().expect("an address"),
        zone: Some("cabinet".into()),
        names: words(&[name]),
        seen_by: words(&["query"]),
        destination: None,
        first: ago(20),
        last: ago(20),
        count: 1,
        acknowledged: None,
    }
}

fn listed(host: &str, family: &str, dual_use: bool) -> Matter {
    Matter::IpLogger {
        host: host.into(),
        family: family.into(),
        dual_use,
        source: "community list of grabify hosts".into(),
    }
}

/// The findings: one open, one that somebody looks into, one closed.
pub(crate) fn findings() -> api::FindingsPage {
    let open = Finding {
        seen_by: words(&["query", "sni"]),
        destination: Some("203.0.113.80".parse().expect("an address")),
        count: 4,
        last: ago(3),
        ..finding(
            4_107,
            "10.20.4.17",
            listed("grabify.link", "grabify", false),
            "grabify.link",
        )
    };
    let acknowledged = Finding {
        first: ago(5_400),
        last: ago(1_200),
        count: 2,
        acknowledged: Some(Acknowledged {
            at: ago(1_100),
            by: "soc-1".into(),
        }),
        ..finding(
            4_090,
            "10.20.4.61",
            listed("canarytokens.com", "other", true),
            "x1.canarytokens.com",
        )
    };
    let closed = Finding {
        activity: Activity::Close,
        first: ago(92_000),
        last: ago(91_000),
        count: 1,
        ..finding(
            3_777,
            "10.20.4.9",
            Matter::LookAlike {
                like: "grabify.link".into(),
                family: "grabify".into(),
                distance: 1,
                likeness: "edits".into(),
            },
            "grabfy.link",
        )
    };
    let rows = [(901, open), (874, acknowledged), (15, closed)];
    api::FindingsPage {
        now: now(),
        hits: 7,
        open: 2,
        kept: 1,
        forgotten: 0,
        matching: 3,
        rows: rows
            .map(|(event, finding)| api::FindingRow::new(event, finding))
            .to_vec(),
    }
}
