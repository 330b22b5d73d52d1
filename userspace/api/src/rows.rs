//! Rows: flows, alerts and jurisdictions as clients list them.

use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use octroi_events::{
    CountryCode, EchSeen, FlowStage, HostingConfidence, Name, Naming, Reach, Residency,
    ResidencyClass, Severity, Verdict, words,
};
use serde::{Deserialize, Serialize};

/// One live flow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FlowRow {
    /// [`octroi_events::flow_id`]: also `flow_id` of its alert and its record.
    pub id: u64,
    /// Inside address.
    pub source: IpAddr,
    /// Outside address.
    pub destination: IpAddr,
    /// `None` when the protocol has no ports.
    pub source_port: Option<u16>,
    /// `None` when the protocol has no ports.
    pub destination_port: Option<u16>,
    /// IP protocol number.
    pub protocol: u8,
    /// `tls`, `quic`, `http`, `dns`...
    pub app_protocol: Option<Arc<str>>,
    /// Name of the destination, and who said it.
    pub name: Option<Name>,
    /// What the name rests on, or that there is none.
    #[serde(default)]
    pub naming: Naming,
    /// Whether the client hid its name; `None` while it has not spoken.
    #[serde(default)]
    pub ech: Option<EchSeen>,
    /// Zone of the source; `None`: no zone.
    pub zone: Option<Arc<str>>,

    /// What was decided.
    #[serde(with = "words::verdict")]
    pub verdict: Verdict,
    /// Whether it is done (`false` in `monitor` mode).
    pub enforced: bool,
    /// Id of the rule that decided.
    pub rule: Arc<str>,
    /// Why the traffic is opaque, when it is.
    pub opaque: Option<Arc<str>>,

    /// One word for the destination.
    pub class: ResidencyClass,
    /// Where it stands.
    pub hosting: Option<CountryCode>,
    /// How sure that is.
    pub confidence: HostingConfidence,
    /// Country of the ultimate parent of the operator.
    pub control: Option<CountryCode>,
    /// How far foreign law reaches.
    pub reach: Reach,
    /// Id of the operator.
    pub operator: Option<Arc<str>>,
    /// Id of the service.
    pub service: Option<Arc<str>>,
    /// Number of the announcing AS.
    pub asn: Option<u32>,

    /// Outbound bytes, from the IP header on.
    pub outbound_bytes: u64,
    /// Outbound packets, stopped ones included.
    pub outbound_packets: u64,
    /// Reply bytes.
    pub reply_bytes: u64,
    /// Reply packets.
    pub reply_packets: u64,
    /// Outbound packets that were stopped.
    pub stopped_packets: u64,
    /// Outbound bytes per second, smoothed over about 10 s.
    pub outbound_rate: u64,
    /// Reply bytes per second, smoothed over about 10 s.
    pub reply_rate: u64,
    /// First packet.
    pub first: Timestamp,
    /// Last packet.
    pub last: Timestamp,
    /// Where it stands.
    pub stage: FlowStage,
}

impl FlowRow {
    /// Bytes, both ways.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.outbound_bytes.saturating_add(self.reply_bytes)
    }

    /// Packets, both ways.
    #[must_use]
    pub const fn packets(&self) -> u64 {
        self.outbound_packets.saturating_add(self.reply_packets)
    }

    /// Bytes per second, both ways.
    #[must_use]
    pub const fn rate(&self) -> u64 {
        self.outbound_rate.saturating_add(self.reply_rate)
    }
}

/// One flow and its reason.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FlowDetail {
    /// The server's clock.
    pub now: Timestamp,
    /// The flow.
    pub row: FlowRow,
    /// Community ID v1.
    pub community_id: Option<Arc<str>>,
    /// Inside interface.
    pub interface: Option<Arc<str>>,
    /// The whole reason.
    pub residency: Residency,
    /// The same as a readable block.
    pub text: String,
}

/// A conversation of the past (or one that still lives) and the reason of its verdict, as it was
/// told then.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PastFlow {
    /// When it was decided.
    pub time: Timestamp,
    /// What told it: `live`, `alert` or `flow` (a flow record).
    pub told_by: Arc<str>,
    /// Id of the event (`host/boot/sequence`), when an event told it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<Arc<str>>,
    /// [`FlowRow::id`].
    pub flow_id: u64,
    /// Community ID v1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub community_id: Option<Arc<str>>,
    /// Inside address.
    pub source: IpAddr,
    /// Outside address.
    pub destination: IpAddr,
    /// `None` when the protocol has no ports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_port: Option<u16>,
    /// `None` when the protocol has no ports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination_port: Option<u16>,
    /// IP protocol number.
    pub protocol: u8,
    /// The whole reason, as it was told.
    pub residency: Residency,
}

/// The flows of a filter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FlowsPage {
    /// The server's clock.
    pub now: Timestamp,
    /// Flows in the table.
    pub live: u64,
    /// Flows that match the filter.
    pub matching: u64,
    /// Their sum of outbound bytes per second.
    pub outbound_rate: u64,
    /// Their sum of reply bytes per second.
    pub reply_rate: u64,
    /// The first of them in order.
    pub rows: Vec<FlowRow>,
}

/// Flows by verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct VerdictCounts {
    /// `allow`.
    pub allow: u64,
    /// `flag`.
    pub flag: u64,
    /// `reject`.
    pub reject: u64,
    /// `block`.
    pub block: u64,
}

impl VerdictCounts {
    /// One more.
    pub const fn count(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Allow => self.allow += 1,
            Verdict::Flag => self.flag += 1,
            Verdict::Reject => self.reject += 1,
            Verdict::Block => self.block += 1,
        }
    }

    /// `reject` and `block`.
    #[must_use]
    pub const fn stopped(&self) -> u64 {
        self.reject + self.block
    }
}

/// Traffic to one pair of hosting and control.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JurisdictionRow {
    /// Where it stands; `None` with `confidence` `anycast` or `unknown`.
    pub hosting: Option<CountryCode>,
    /// How sure that is.
    pub confidence: HostingConfidence,
    /// Whose law reaches the operator.
    pub control: Option<CountryCode>,
    /// How far.
    pub reach: Reach,
    /// Flows.
    pub flows: u64,
    /// Outbound bytes.
    pub outbound_bytes: u64,
    /// Reply bytes.
    pub reply_bytes: u64,
    /// Outbound bytes per second.
    pub outbound_rate: u64,
    /// Reply bytes per second.
    pub reply_rate: u64,
    /// Flows by verdict.
    pub verdicts: VerdictCounts,
    /// Operators with the most bytes, at most five: id (or `AS<number>`) and bytes both ways.
    pub operators: Vec<(Arc<str>, u64)>,
}

/// Traffic by (hosting, control), most bytes first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JurisdictionsPage {
    /// The server's clock.
    pub now: Timestamp,
    /// The rows.
    pub rows: Vec<JurisdictionRow>,
}

/// One alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlertRow {
    /// Sequence number of the event: `host/boot/id` in exports. A later alert has a greater one.
    pub id: u64,
    /// First.
    pub time: Timestamp,
    /// Last of the alerts folded into this one.
    pub last: Timestamp,
    /// Alerts folded into this one, itself included.
    pub count: u64,
    /// How urgent.
    pub severity: Severity,
    /// One line that says what happened.
    pub signature: String,
    /// [`FlowRow::id`] of the first flow.
    pub flow_id: u64,
    /// Inside address.
    pub source: IpAddr,
    /// Outside address.
    pub destination: IpAddr,
    /// `None` when the protocol has no ports.
    pub source_port: Option<u16>,
    /// `None` when the protocol has no ports.
    pub destination_port: Option<u16>,
    /// IP protocol number.
    pub protocol: u8,
    /// `tls`, `quic`, `http`, `dns`...
    pub app_protocol: Option<Arc<str>>,
    /// Name of the destination, and who said it.
    pub name: Option<Name>,
    /// The whole reason: verdict, rule, place, operator.
    pub residency: Arc<Residency>,
}

/// Alerts of a filter, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlertsPage {
    /// The server's clock.
    pub now: Timestamp,
    /// Alerts raised since the daemon started.
    pub raised: u64,
    /// Alerts the daemon keeps for clients.
    pub kept: u64,
    /// The rows.
    pub rows: Vec<AlertRow>,
}
