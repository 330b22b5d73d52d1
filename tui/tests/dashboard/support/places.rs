//! The destinations of the sample, and the flows that go there.

use std::net::IpAddr;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use octroi_api as api;
use octroi_api::events::{
    EchSeen, FlowStage, HostingConfidence, Name, NameSource, Naming, Reach, ResidencyClass, Verdict,
};

/// The moment.
pub(crate) fn now() -> Timestamp {
    "2026-11-21T12:04:31Z".parse().expect("a moment")
}

pub(crate) fn ago(seconds: i64) -> Timestamp {
    now() - SignedDuration::from_secs(seconds)
}

/// A destination of the sample: what is known of it.
pub(crate) struct Place {
    pub(crate) name: Option<(&'static str, NameSource)>,
    pub(crate) address: &'static str,
    pub(crate) class: ResidencyClass,
    pub(crate) host: Option<&'static str>,
    pub(crate) confidence: HostingConfidence,
    pub(crate) control: Option<&'static str>,
    pub(crate) reach: Reach,
    pub(crate) operator: Option<&'static str>,
    pub(crate) service: Option<&'static str>,
    pub(crate) asn: u32,
    pub(crate) verdict: Verdict,
    pub(crate) rule: &'static str,
}

const PLACES: [Place; 10] = [
    Place {
        name: Some(("outlook.office.com", NameSource::Sni)),
        address: "20.74.0.1",
        class: ResidencyClass::FrHostedNoneuControl,
        host: Some("FR"),
        confidence: HostingConfidence::Located,
        control: Some("US"),
        reach: Reach::Controlled,
        operator: Some("microsoft"),
        service: Some("microsoft-365"),
        asn: 8075,
        verdict: Verdict::Block,
        rule: "us-control",
    },
    Place {
        name: Some(("matrix.agent.tchap.gouv.fr", NameSource::Dns)),
        address: "51.210.0.1",
        class: ResidencyClass::Fr,
        host: Some("FR"),
        confidence: HostingConfidence::Located,
        control: Some("FR"),
        reach: Reach::NoneKnown,
        operator: Some("ovhcloud"),
        service: Some("tchap"),
        asn: 16276,
        verdict: Verdict::Allow,
        rule: "sovereign",
    },
    Place {
        name: Some(("us05web.zoom.us", NameSource::Quic)),
        address: "170.114.52.2",
        class: ResidencyClass::ThirdCountry,
        host: Some("US"),
        confidence: HostingConfidence::Located,
        control: Some("US"),
        reach: Reach::Controlled,
        operator: Some("zoom"),
        service: Some("zoom"),
        asn: 30103,
        verdict: Verdict::Reject,
        rule: "banned-tools",
    },
    Place {
        name: Some(("dns.google", NameSource::Sni)),
        address: "8.8.8.8",
        class: ResidencyClass::Anycast,
        host: None,
        confidence: HostingConfidence::Anycast,
        control: Some("US"),
        reach: Reach::Controlled,
        operator: Some("google"),
        service: Some("google-public-dns"),
        asn: 15169,
        verdict: Verdict::Flag,
        rule: "anycast",
    },
    Place {
        name: None,
        address: "203.0.113.77",
        class: ResidencyClass::Unknown,
        host: None,
        confidence: HostingConfidence::Unknown,
        control: None,
        reach: Reach::Unknown,
        operator: None,
        service: None,
        asn: 64500,
        verdict: Verdict::Flag,
        rule: "unknown",
    },
    Place {
        name: Some(("chat.deepseek.com", NameSource::Sni)),
        address: "47.88.12.5",
        class: ResidencyClass::ThirdCountry,
        host: Some("CN"),
        confidence: HostingConfidence::Located,
        control: Some("CN"),
        reach: Reach::Controlled,
        operator: Some("alibaba-cloud"),
        service: Some("deepseek"),
        asn: 45102,
        verdict: Verdict::Block,
        rule: "banned-tools",
    },
    Place {
        name: Some(("depot.nuage-public.gouv.fr", NameSource::Sni)),
        address: "2001:bc8:1200::25",
        class: ResidencyClass::Fr,
        host: Some("FR"),
        confidence: HostingConfidence::Located,
        control: Some("FR"),
        reach: Reach::NoneKnown,
        operator: Some("scaleway"),
        service: None,
        asn: 12876,
        verdict: Verdict::Allow,
        rule: "sovereign",
    },
    Place {
        name: Some(("static.cdn-example.net", NameSource::Host)),
        address: "198.51.100.23",
        class: ResidencyClass::Contested,
        host: Some("DE"),
        confidence: HostingConfidence::Contested,
        control: Some("US"),
        reach: Reach::Presence,
        operator: Some("example-cdn"),
        service: None,
        asn: 64501,
        verdict: Verdict::Flag,
        rule: "contested",
    },
    Place {
        name: Some(("download.hetzner.com", NameSource::Sni)),
        address: "88.198.1.9",
        class: ResidencyClass::Eu,
        host: Some("DE"),
        confidence: HostingConfidence::Located,
        control: Some("DE"),
        reach: Reach::NoneKnown,
        operator: Some("hetzner"),
        service: None,
        asn: 24940,
        verdict: Verdict::Allow,
        rule: "europe",
    },
    Place {
        name: Some(("s3.eu-west-3.amazonaws.com", NameSource::Sni)),
        address: "52.95.154.4",
        class: ResidencyClass::FrHostedNoneuControl,
        host: Some("FR"),
        confidence: HostingConfidence::Located,
        control: Some("US"),
        reach: Reach::Controlled,
        operator: Some("amazon"),
        service: Some("aws-s3"),
        asn: 16509,
        verdict: Verdict::Block,
        rule: "us-control",
    },
];

pub(crate) fn place(index: u64) -> &'static Place {
    let count = PLACES.len() as u64;
    &PLACES[usize::try_from(index % count).expect("a small index")]
}

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn name(place: &Place) -> Option<Name> {
    place.name.map(|(text, source)| Name {
        text: Arc::from(text),
        source,
    })
}

pub(crate) fn country(code: Option<&str>) -> Option<api::events::CountryCode> {
    code.map(|code| code.parse().expect("a country code"))
}

/// Zone and source of flow number `index`.
pub(crate) fn inside(index: u64) -> (&'static str, IpAddr) {
    match index % 3 {
        0 => ("cabinet", address("10.20.4.17")),
        1 => ("cabinet", address("10.20.4.9")),
        _ => ("guest", address("10.30.0.61")),
    }
}

/// Flow number `index`, `tick` seconds after the moment.
pub(crate) fn flow(index: u64, tick: u64) -> api::FlowRow {
    let place = place(index);
    let (zone, source) = inside(index);
    let stops = matches!(place.verdict, Verdict::Block | Verdict::Reject);
    let age = 3 + (index * 37) % 7_000;
    let bytes = (index * 7_919 + 13) % 90_000_000 + tick * (index % 7) * 31_000;
    let rate = if stops {
        0
    } else {
        (index * 104_729) % 4_000_000
    };
    api::FlowRow {
        id: 9_000 + index,
        source,
        destination: address(place.address),
        source_port: Some(40_000 + u16::try_from(index % 20_000).expect("a port")),
        destination_port: Some(443),
        protocol: if index % 10 == 2 { 17 } else { 6 },
        app_protocol: Some(Arc::from(if index % 10 == 2 { "quic" } else { "tls" })),
        name: name(place),
        naming: if place.name.is_some() {
            Naming::Confirmed
        } else {
            Naming::Nameless
        },
        ech: Some(EchSeen::None),
        zone: Some(Arc::from(zone)),
        verdict: place.verdict,
        enforced: true,
        rule: Arc::from(place.rule),
        opaque: None,
        class: place.class,
        hosting: country(place.host),
        confidence: place.confidence,
        control: country(place.control),
        reach: place.reach,
        operator: place.operator.map(Arc::from),
        service: place.service.map(Arc::from),
        asn: Some(place.asn),
        outbound_bytes: if stops { 180 } else { bytes },
        outbound_packets: if stops { 3 } else { 1 + bytes / 1_200 },
        reply_bytes: if stops { 0 } else { bytes / 3 },
        reply_packets: if stops { 0 } else { bytes / 4_000 },
        stopped_packets: if stops { 3 } else { 0 },
        outbound_rate: rate,
        reply_rate: rate / 3,
        first: ago(i64::try_from(age).expect("an age")),
        last: ago(0),
        stage: if stops {
            FlowStage::Stopped
        } else {
            FlowStage::Established
        },
    }
}
