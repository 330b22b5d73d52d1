//! The record of one call: who, over which service, when, how much, and why it is taken for one.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use octroi_abi::verdict::Verdict;
use serde::{Deserialize, Serialize};

use super::{LISTED, Leg, SECOND_NS, ServiceOf};
use crate::model::Severity;
use crate::words;

/// Why flows are taken for a call.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallEvidence {
    /// Packets of the size and rate of sound and pictures, both ways.
    MediaShape,
    /// The address belongs to the service by a prefix of the catalogue.
    ServicePrefix,
    /// The client named the service before the media, or while it lasted.
    Signalling,
    /// STUN (RFC 8489) opened the way.
    Stun,
    /// TURN (RFC 8656) relays it.
    Turn,
    /// DTLS keys it (RFC 5764).
    Dtls,
    /// RTP (RFC 3550) carries it.
    Rtp,
}

impl CallEvidence {
    /// The word used in exports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MediaShape => "media_shape",
            Self::ServicePrefix => "service_prefix",
            Self::Signalling => "signalling",
            Self::Stun => "stun",
            Self::Turn => "turn",
            Self::Dtls => "dtls",
            Self::Rtp => "rtp",
        }
    }
}

/// How sure it is that these flows were a call over this service.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Certainty {
    /// The service's own address and the shape of media; or media that was signalled, elsewhere.
    Medium,
    /// The service's own address, and media by what it speaks or by its signalling.
    High,
}

impl Certainty {
    /// The word used in exports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// One call of one client.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Call {
    /// Who is inside.
    pub client: IpAddr,
    /// Zone of the client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<Arc<str>>,
    /// Id of the service in the catalogue.
    pub service: Arc<str>,
    /// Its name.
    pub service_name: Arc<str>,
    /// Id of its operator.
    pub operator_id: Arc<str>,
    /// Whole seconds from the first packet to the last.
    pub seconds: u64,
    /// Packets outbound.
    pub outbound_packets: u64,
    /// Their bytes.
    pub outbound_bytes: u64,
    /// Packets of replies.
    pub reply_packets: u64,
    /// Their bytes.
    pub reply_bytes: u64,
    /// Media flows.
    pub flows: u64,
    /// Ids of the first of them.
    pub flow_ids: Vec<u64>,
    /// Addresses of the first of them: relays of the service, or people.
    pub peers: Vec<IpAddr>,
    /// Names of the service that the client said for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<Arc<str>>,
    /// Why it is taken for a call.
    pub evidence: Vec<CallEvidence>,
    /// How sure that is.
    pub certainty: Certainty,
    /// The strictest verdict of its flows.
    #[serde(with = "words::verdict")]
    pub verdict: Verdict,
    /// Whether it is done (`false` in `monitor` mode).
    pub enforced: bool,
}

impl Call {
    /// How urgent it is: as an alert of its strictest flow; `None` when policy allows it.
    #[must_use]
    pub fn severity(&self) -> Option<Severity> {
        (self.verdict != Verdict::Allow).then(|| Severity::of(self.verdict, self.enforced))
    }
}

/// The record of legs that are one call, and when it began; `None` without legs.
pub(super) fn call(service: &ServiceOf, legs: &[&Leg], names: &[Arc<str>]) -> Option<(u64, Call)> {
    let first = legs.first()?;
    let start_ns = legs.iter().map(|leg| leg.first_ns).min()?;
    let last_ns = legs.iter().map(|leg| leg.last_ns).max()?;
    let strictest = legs.iter().max_by_key(|leg| leg.verdict)?;
    let mut evidence = BTreeSet::from([CallEvidence::MediaShape]);
    let own = legs.iter().any(|leg| leg.service.is_some());
    if own {
        evidence.insert(CallEvidence::ServicePrefix);
    }
    if !names.is_empty() {
        evidence.insert(CallEvidence::Signalling);
    }
    let spoken = legs.iter().filter_map(|leg| leg.speaks_media());
    let before = evidence.len();
    evidence.extend(spoken);
    let speaks = evidence.len() > before;
    let sum = |pick: fn(&Leg) -> u64| legs.iter().map(|leg| pick(leg)).sum();
    let mut peers: Vec<IpAddr> = legs.iter().map(|leg| leg.destination).collect();
    peers.sort_unstable();
    peers.dedup();
    peers.truncate(LISTED);
    let call = Call {
        client: first.client,
        zone: first.zone.clone(),
        service: service.id.clone(),
        service_name: service.name.clone(),
        operator_id: service.operator.clone(),
        seconds: last_ns.saturating_sub(start_ns) / SECOND_NS,
        outbound_packets: sum(|leg| leg.outbound.0),
        outbound_bytes: sum(|leg| leg.outbound.1),
        reply_packets: sum(|leg| leg.reply.0),
        reply_bytes: sum(|leg| leg.reply.1),
        flows: legs.len() as u64,
        flow_ids: legs.iter().map(|leg| leg.flow_id).take(LISTED).collect(),
        peers,
        names: names.to_vec(),
        evidence: evidence.into_iter().collect(),
        certainty: if own && (speaks || !names.is_empty()) {
            Certainty::High
        } else {
            Certainty::Medium
        },
        verdict: strictest.verdict,
        enforced: strictest.enforced,
    };
    Some((start_ns, call))
}
