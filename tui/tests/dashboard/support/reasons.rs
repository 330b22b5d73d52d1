//! The reasons and alerts of the sample.

use std::sync::Arc;

use jiff::SignedDuration;
use octroi_api as api;
use octroi_api::events::{
    Alternative, BasisLine, ControlBasis, Counterfactual, Evidence, HostingConfidence, LawLine,
    Mode, Naming, Reach, Residency, RuleStep, SCHEMA, Severity, Verdict,
};

use super::places::{Place, ago, country, flow, inside, place};

pub(crate) fn date(text: &str) -> jiff::civil::Date {
    text.parse().expect("a date")
}

fn evidence(axis: &str, value: &str, src: &str, reference: &str, ver: &str) -> Evidence {
    Evidence {
        axis: Arc::from(axis),
        value: Arc::from(value),
        src: Arc::from(src),
        reference: Arc::from(reference),
        ver: date(ver),
        won: true,
        note: None,
        newer: false,
    }
}

fn step(rule: &str, matched: bool, reason: &str) -> RuleStep {
    RuleStep {
        rule: Arc::from(rule),
        matched,
        reason: Arc::from(reason),
    }
}

fn laws(foreign: bool) -> Vec<LawLine> {
    let law = |id: &str, name: &str, sentence: &str| LawLine {
        id: Arc::from(id),
        name: Arc::from(name),
        sentence: Arc::from(sentence),
    };
    if !foreign {
        return Vec::new();
    }
    vec![
        law(
            "us-cloud-act",
            "CLOUD Act (18 U.S.C. 2713)",
            "a US provider must produce data in its possession, custody or control, wherever the \
             data stands",
        ),
        law(
            "us-fisa-702",
            "FISA section 702 (50 U.S.C. 1881a)",
            "a US provider can be compelled to assist in acquiring communications of non-US \
             persons abroad",
        ),
    ]
}

fn agreeing(place: &Place) -> Vec<Evidence> {
    let Some(host) = place.host else {
        return Vec::new();
    };
    let operator = place.operator.unwrap_or("unknown");
    vec![
        evidence(
            "hosting",
            host,
            "cloud-regions",
            "francecentral",
            "2026-11-18",
        ),
        evidence(
            "control",
            operator,
            "catalogue",
            "AS of the operator",
            "2026-11-01",
        ),
    ]
}

fn contradicting(place: &Place, foreign: bool) -> Vec<Evidence> {
    if place.confidence != HostingConfidence::Located || !foreign {
        return Vec::new();
    }
    vec![Evidence {
        won: false,
        note: Some(Arc::from(
            "the registry names the holder's seat, not the machine",
        )),
        ..evidence(
            "hosting",
            "US",
            "registry",
            "ARIN, NET-20-33-0-0-1",
            "2026-11-20",
        )
    }]
}

fn counterfactuals(place: &Place) -> Vec<Counterfactual> {
    if place.verdict == Verdict::Allow {
        return Vec::new();
    }
    vec![
        Counterfactual {
            change: Arc::from("the service were SecNumCloud qualified"),
            verdict: Verdict::Allow,
            facts: Some(1),
        },
        Counterfactual {
            change: Arc::from("the source were in zone guest"),
            verdict: Verdict::Flag,
            facts: Some(1),
        },
    ]
}

/// The reason of flow number `index`.
pub(crate) fn residency(index: u64) -> Residency {
    let place = place(index);
    let (zone, _) = inside(index);
    let foreign = place.reach == Reach::Controlled && place.control == Some("US");
    let banned = place.rule == "banned-tools";
    Residency {
        schema: SCHEMA,
        class: place.class,
        verdict: place.verdict,
        enforced: true,
        mode: Mode::Enforce,
        zone: Some(Arc::from(zone)),
        at: None,
        prefix: None,
        host_country: country(place.host),
        host_country_src: place.host.map(|_| Arc::from("cloud-regions")),
        confidence: place.confidence,
        anycast: place.confidence == HostingConfidence::Anycast,
        registered_country: country(place.control),
        asn: Some(place.asn),
        as_name: place.operator.map(Arc::from),
        operator: place.operator.map(Arc::from),
        operator_id: place.operator.map(Arc::from),
        control_country: country(place.control),
        control_chain: match place.operator {
            Some("microsoft") => vec![
                Arc::from("Microsoft France SAS"),
                Arc::from("Microsoft Ireland Operations Ltd"),
                Arc::from("Microsoft Corporation"),
            ],
            _ => Vec::new(),
        },
        reach: place.reach,
        control_basis: if place.operator.is_some() {
            ControlBasis::Operator
        } else {
            ControlBasis::None
        },
        legal_regimes: laws(foreign).into_iter().map(|law| law.id).collect(),
        laws: laws(foreign),
        qualification: Vec::new(),
        service: place.service.map(Arc::from),
        service_name: None,
        special: None,
        embedded: None,
        opaque: None,
        trust: None,
        evidence: agreeing(place),
        conflicts: contradicting(place, foreign),
        name: place.name.map(|(text, _)| Arc::from(text)),
        name_src: place.name.map(|(_, source)| source),
        name_dns_bound: place.name.map(|_| true),
        ech: None,
        ech_seen: None,
        naming: Naming::Pending,
        speaks: None,
        name_chain: Vec::new(),
        name_could_change: false,
        rule: Arc::from(place.rule),
        rule_title: Some(Arc::from(match place.rule {
            "us-control" => "No operator under US law for the cabinet",
            "banned-tools" => "Tools banned by circular",
            "sovereign" => "Sovereign services",
            other => other,
        })),
        rule_path: vec![
            step("management", false, "zone is cabinet, not administration"),
            step(
                "sovereign",
                place.rule == "sovereign",
                "service in the sovereign list",
            ),
            step(
                place.rule,
                true,
                "control US, reach controlled, qualification none",
            ),
        ],
        shadow: None,
        exemption: None,
        basis: vec![BasisLine {
            id: Arc::from("circular-6404-sg"),
            title: Arc::from("Circulaire n° 6404/SG, doctrine « cloud au centre »"),
            date: Some(date("2023-05-31")),
        }],
        counterfactual: counterfactuals(place),
        alternatives: if banned {
            vec![Alternative {
                service: Arc::from("visio"),
                name: Arc::from("Visio (numerique.gouv.fr)"),
            }]
        } else {
            Vec::new()
        },
        policy: Arc::from("cloud-au-centre"),
        policy_ver: Some(Arc::from("12")),
        policy_sha256: Arc::from("9c1e4b7a20d55a31c0ffee"),
        db_ver: Arc::from("2026.11.20"),
    }
}

/// Alert number `index`: one for each place that is not allowed.
pub(crate) fn alert(index: u64) -> api::AlertRow {
    let row = flow(index, 0);
    let residency = residency(index);
    let first = ago(i64::try_from(index * 61).expect("an age") + 2);
    api::AlertRow {
        id: 500 - index,
        time: first - SignedDuration::from_secs(40),
        last: first,
        count: 1 + index * 7 % 412,
        severity: Severity::of(residency.verdict, residency.enforced),
        signature: residency.signature(),
        flow_id: row.id,
        source: row.source,
        destination: row.destination,
        source_port: row.source_port,
        destination_port: row.destination_port,
        protocol: row.protocol,
        app_protocol: row.app_protocol,
        name: row.name,
        residency: Arc::new(residency),
    }
}
