//! EVE JSON: one line for an event, as Suricata writes it and every SIEM reads it.
//!
//! The schema of EVE is closed: the root and most objects refuse keys they do not know. What it has
//! no word for stands at its open places only:
//!
//! - `alert.context.residency`: the whole [`Residency`];
//! - `alert.metadata`: lists of strings (rule, class, control);
//! - `alert.context.finding`: the whole [`crate::finding::Finding`];
//! - `metadata.flowvars`: `{"gid", "key", "value"}` strings, for flow records one
//!   `{"gid": "residency", "residency": {...}}`, for calls one `{"gid": "octroi", "call": {...}}`;
//! - `traffic.id` and `traffic.label`: words to search by.
//!
//! Times are UTC (`+0000`) with microseconds. What EVE could not express: the source of a name that
//! DNS gave (it stands in `residency.name_src`), and the outcome counters of `stats` beyond
//! accepted, blocked and rejected (they stand in `metadata.flowvars`).

mod alert;
mod call;
mod finding;
mod flow;
mod notice;
mod stamp;
mod stats;

use std::net::IpAddr;

use serde::Serialize;
use serde::ser::{SerializeSeq, Serializer};

use crate::call::CallRecord;
use crate::identity::Origin;
use crate::model::{Conversation, Event, NameSource};
use crate::residency::Residency;
use stamp::Stamp;

impl Event {
    /// Appends the event as one line of EVE JSON, newline included. `origin` and `sequence` make
    /// its id (`metadata.flowvars`, key `event_id`).
    pub fn write_eve(&self, origin: &Origin, sequence: u64, out: &mut Vec<u8>) {
        let start = out.len();
        let id = origin.id(sequence);
        let written = match self {
            Self::Alert(alert) => write(out, &alert::line(alert, origin, &id)),
            Self::Flow(flow) => write(out, &flow::line(flow, origin, &id)),
            Self::Stats(stats) => write(out, &stats::line(stats, origin, &id)),
            Self::Call(call) => write(out, &call::line(call, origin, &id)),
            Self::Finding(finding) => write(out, &finding::line(finding, origin, &id)),
            Self::Notice(notice) => write(out, &notice::line(notice, origin, &id)),
        };
        // Lines are made of strings and numbers, and memory takes every write: this cannot fail.
        // If it did, half a line must not stay.
        match written {
            Ok(()) => out.push(b'\n'),
            Err(_) => out.truncate(start),
        }
    }
}

fn write<T: Serialize>(out: &mut Vec<u8>, line: &T) -> serde_json::Result<()> {
    serde_json::to_writer(out, line)
}

/// The root keys that alerts and flows share.
#[derive(Serialize)]
struct Head<'a> {
    timestamp: Stamp,
    flow_id: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    in_iface: Option<&'a str>,
    event_type: &'static str,
    host: &'a str,
    #[serde(skip_serializing_if = "<[u16]>::is_empty")]
    vlan: &'a [u16],
    src_ip: IpAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    src_port: Option<u16>,
    dest_ip: IpAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    dest_port: Option<u16>,
    ip_v: u8,
    proto: Protocol,
    #[serde(skip_serializing_if = "Option::is_none")]
    community_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    app_proto: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<Tls<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quic: Option<Quic<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    http: Option<Http<'a>>,
    traffic: Labels<'a>,
}

impl<'a> Head<'a> {
    fn new(
        time: jiff::Timestamp,
        event_type: &'static str,
        origin: &'a Origin,
        talk: &'a Conversation,
        residency: &'a Residency,
    ) -> Self {
        let named = |source| {
            talk.name
                .as_ref()
                .filter(|name| name.source == source)
                .map(|name| &*name.text)
        };
        let sni = named(NameSource::Sni);
        let version = talk.tls_version.as_deref();
        Self {
            timestamp: Stamp(time),
            flow_id: talk.flow_id,
            in_iface: talk.interface.as_deref(),
            event_type,
            host: &origin.host,
            vlan: &talk.vlan,
            src_ip: talk.source,
            src_port: talk.source_port,
            dest_ip: talk.destination,
            dest_port: talk.destination_port,
            ip_v: if talk.destination.is_ipv4() { 4 } else { 6 },
            proto: Protocol(talk.protocol),
            community_id: talk.community_id.as_deref(),
            app_proto: talk.app_protocol.as_deref(),
            tls: (sni.is_some() || version.is_some()).then_some(Tls { sni, version }),
            quic: named(NameSource::Quic).map(|sni| Quic { sni }),
            http: named(NameSource::Host).map(|hostname| Http { hostname }),
            traffic: Labels {
                id: ["residency"],
                label: LabelList(residency),
            },
        }
    }
}

#[derive(Serialize)]
struct Tls<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    sni: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
}

#[derive(Serialize)]
struct Quic<'a> {
    sni: &'a str,
}

#[derive(Serialize)]
struct Http<'a> {
    hostname: &'a str,
}

/// IP protocols that Suricata names; the others are three digits.
const PROTOCOLS: [(u8, &str); 13] = [
    (1, "ICMP"),
    (2, "IGMP"),
    (4, "IPv4-in-IP"),
    (6, "TCP"),
    (17, "UDP"),
    (33, "DCCP"),
    (41, "IPv6-in-IP"),
    (47, "GRE"),
    (50, "ESP"),
    (51, "AH"),
    (58, "IPv6-ICMP"),
    (132, "SCTP"),
    (136, "UDPLITE"),
];

/// The number of an IP protocol by its name in EVE.
#[must_use]
pub fn protocol_number(name: &str) -> Option<u8> {
    PROTOCOLS
        .iter()
        .find(|(_, known)| known.eq_ignore_ascii_case(name))
        .map_or_else(|| name.parse().ok(), |(number, _)| Some(*number))
}

/// An IP protocol number as Suricata names it: upper case, else three digits.
struct Protocol(u8);

impl Serialize for Protocol {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match PROTOCOLS.iter().find(|(number, _)| *number == self.0) {
            Some((_, name)) => serializer.serialize_str(name),
            None => serializer.collect_str(&format_args!("{:03}", self.0)),
        }
    }
}

/// `traffic`: words to search by.
#[derive(Serialize)]
struct Labels<'a> {
    id: [&'static str; 1],
    label: LabelList<'a>,
}

struct LabelList<'a>(&'a Residency);

struct Label<'a>(&'static str, &'a str);

impl Serialize for Label<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}/{}", self.0, self.1))
    }
}

impl Serialize for LabelList<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let residency = self.0;
        let mut list = serializer.serialize_seq(None)?;
        list.serialize_element(&Label("class", residency.class.name()))?;
        list.serialize_element(&Label("verdict", residency.verdict.name()))?;
        if let Some(country) = &residency.host_country {
            list.serialize_element(&Label("host", country.as_str()))?;
        }
        if let Some(country) = &residency.control_country {
            list.serialize_element(&Label("control", country.as_str()))?;
        }
        for law in &residency.legal_regimes {
            list.serialize_element(&Label("regime", law))?;
        }
        for (key, value) in [
            ("operator", &residency.operator_id),
            ("service", &residency.service),
            ("zone", &residency.zone),
            ("opaque", &residency.opaque),
        ] {
            if let Some(value) = value {
                list.serialize_element(&Label(key, value))?;
            }
        }
        list.end()
    }
}

/// `metadata`: strings under a group.
#[derive(Serialize)]
struct Metadata<'a> {
    flowvars: Vec<Var<'a>>,
}

/// An item of `metadata.flowvars`.
#[derive(Serialize)]
#[serde(untagged)]
enum Var<'a> {
    Text {
        gid: &'static str,
        key: &'a str,
        value: &'a str,
    },
    Owned {
        gid: &'static str,
        key: String,
        value: String,
    },
    Whole {
        gid: &'static str,
        residency: &'a Residency,
    },
    Call {
        gid: &'static str,
        call: &'a CallRecord,
    },
}

/// Group of what is ours but not of the residency object.
const OWN: &str = "octroi";
/// Group of what is of the residency object.
const RESIDENCY: &str = "residency";

const fn event_id(id: &str) -> Var<'_> {
    Var::Text {
        gid: OWN,
        key: "event_id",
        value: id,
    }
}

/// `flow` inside alerts and flow records: what was carried.
#[derive(Serialize)]
struct Carried {
    pkts_toserver: u64,
    pkts_toclient: u64,
    bytes_toserver: u64,
    bytes_toclient: u64,
    start: Stamp,
}

impl Carried {
    fn new(talk: &Conversation) -> Self {
        Self {
            pkts_toserver: talk.traffic.outbound_packets,
            pkts_toclient: talk.traffic.reply_packets,
            bytes_toserver: talk.traffic.outbound_bytes,
            bytes_toclient: talk.traffic.reply_bytes,
            start: Stamp(talk.start),
        }
    }
}
