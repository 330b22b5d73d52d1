//! One flow of an analysis, as the text and the JSON output print it.

use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use octroi_events::class::ResidencyClass;
use octroi_events::{FlowStage, Severity};
use octroi_geo_db::profile::Profile;
use octroi_inspect::community_id_of;
use octroi_inspect::flow::Flow;
use octroi_inspect::name::{Ech, NameSource};
use octroi_inspect::packet::protocol;
use octroi_inspect::survey::{Name, Naming};
use octroi_policy::protocol::protocol_name;
use octroi_policy::{EchSeen, Opaque, Verdict};
use serde::Serialize;

use super::desk::Desk;
use super::judged::{Answer, Ends, control, ech_seen, hosting, naming, speaks};
use super::outlet::Place;
use super::report::{severity, timestamp};
use crate::judge::{Named, Question};

/// One flow and its verdict.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct FlowLine {
    /// Number of the capture, from 0.
    pub(crate) capture: usize,
    pub(crate) community_id: String,
    pub(crate) start: Option<Timestamp>,
    pub(crate) end: Option<Timestamp>,
    pub(crate) zone: String,
    pub(crate) source: IpAddr,
    pub(crate) source_port: u16,
    pub(crate) destination: IpAddr,
    pub(crate) destination_port: u16,
    /// IP protocol number.
    pub(crate) protocol: u8,
    /// The destination began the flow.
    pub(crate) from_outside: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) app_protocol: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name_source: Option<&'static str>,
    /// What the name rests on, or that there is none.
    pub(crate) naming: &'static str,
    /// Aliases through which the DNS answer led.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) chain: Vec<String>,
    /// What is known of an encrypted hello.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ech: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) alpn: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ja4: Option<String>,
    pub(crate) outbound_packets: u64,
    pub(crate) outbound_bytes: u64,
    pub(crate) reply_packets: u64,
    pub(crate) reply_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tcp_state: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) opaque: Option<&'static str>,
    pub(crate) hosting: String,
    pub(crate) control: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) operator: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) service: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) asn: Option<u32>,
    pub(crate) verdict: &'static str,
    pub(crate) enforced: bool,
    pub(crate) rule: String,
    /// Rule that would have decided if it were not `shadow`, and its verdict.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) shadow: Option<(String, &'static str)>,
    #[serde(skip)]
    pub(crate) name_from: Option<NameSource>,
    #[serde(skip)]
    naming_kind: octroi_policy::Naming,
    #[serde(skip)]
    ech_kind: EchSeen,
    #[serde(skip)]
    pub(super) profile: Arc<Profile>,
    #[serde(skip)]
    pub(super) class: ResidencyClass,
    /// Its place among the flows of its capture.
    #[serde(skip)]
    pub(super) place: Place,
    #[serde(skip)]
    zone_number: u8,
    #[serde(skip)]
    opaque_kind: Opaque,
}

impl FlowLine {
    pub(super) fn new(
        capture: usize,
        flow: &Flow<Naming>,
        ends: &Ends,
        answer: &Answer,
        desk: &Desk,
    ) -> Self {
        let policy = &desk.judge.policy;
        let (profile, decision): (&Profile, _) = (&answer.profile, &answer.decision);
        let name: Option<&Name> = flow.data.name.as_deref();
        let (mut outbound, mut reply) = (
            (flow.outbound_packets, flow.outbound_bytes),
            (flow.reply_packets, flow.reply_bytes),
        );
        if ends.from_outside {
            std::mem::swap(&mut outbound, &mut reply);
        }
        Self {
            capture,
            community_id: community_id(flow, ends),
            start: timestamp(flow.first_ns),
            end: timestamp(flow.last_ns),
            zone: policy.zone_name(ends.zone).to_owned(),
            source: ends.source,
            source_port: ends.source_port,
            destination: ends.destination,
            destination_port: ends.destination_port,
            protocol: flow.key.protocol,
            from_outside: ends.from_outside,
            app_protocol: speaks(&flow.data),
            name: name.map(|name| name.name.clone()),
            name_source: name.map(|name| name.source.name()),
            name_from: name.map(|name| name.source),
            naming: naming(&flow.data).name(),
            chain: name.map(|name| name.chain.clone()).unwrap_or_default(),
            ech: (flow.data.ech != Ech::None).then(|| flow.data.ech.name()),
            alpn: name.map(|name| name.alpn.clone()).unwrap_or_default(),
            ja4: flow.data.ja4.as_deref().map(str::to_owned),
            outbound_packets: outbound.0,
            outbound_bytes: outbound.1,
            reply_packets: reply.0,
            reply_bytes: reply.1,
            tcp_state: (flow.key.protocol == protocol::TCP).then(|| flow.tcp_state().name()),
            opaque: (flow.opaque != Opaque::None).then(|| flow.opaque.name()),
            hosting: hosting(profile),
            control: control(profile),
            operator: profile.control.operator.as_deref().map(str::to_owned),
            service: profile.service.as_deref().map(str::to_owned),
            asn: answer.asn,
            verdict: decision.verdict.name(),
            enforced: decision.enforced,
            rule: policy.rule_name(decision.rule).to_owned(),
            shadow: decision
                .shadow
                .map(|(rule, verdict)| (policy.rule_name(rule).to_owned(), verdict.name())),
            naming_kind: naming(&flow.data),
            ech_kind: ech_seen(flow.data.ech),
            class: ResidencyClass::of(profile, &desk.judge.regions_on(desk.at)),
            profile: Arc::clone(&answer.profile),
            place: Place::of(&flow.data),
            zone_number: ends.zone,
            opaque_kind: flow.opaque,
        }
    }

    /// Where it came from, with its port.
    pub(super) fn source_text(&self) -> String {
        with_port(&self.source.to_string(), self.source_port)
    }

    /// Where it went, with its port and protocol.
    pub(super) fn destination_with_port(&self) -> String {
        let mut text = with_port(&self.destination.to_string(), self.destination_port);
        text.push('/');
        text.push_str(&protocol_name(self.protocol));
        text
    }

    /// Its place among the flows of all captures.
    pub(super) fn order(&self) -> (usize, Place) {
        (self.capture, self.place)
    }

    /// Bytes of both directions.
    pub(super) fn bytes(&self) -> u64 {
        self.outbound_bytes + self.reply_bytes
    }

    /// Name, or address.
    pub(super) fn destination_text(&self) -> String {
        match &self.name {
            Some(name) if !self.from_outside => name.clone(),
            _ => self.destination.to_string(),
        }
    }

    /// What its name rests on.
    pub(super) fn naming(&self) -> octroi_policy::Naming {
        self.naming_kind
    }

    /// Whether its client hid its name.
    pub(super) fn ech_seen(&self) -> EchSeen {
        self.ech_kind
    }

    /// Whether a SOC should see it.
    pub(super) fn is_alert(&self) -> bool {
        self.verdict != Verdict::Allow.name() || self.shadow.is_some()
    }

    /// Whole seconds from the first to the last packet.
    pub(super) fn seconds(&self) -> u64 {
        let (Some(start), Some(end)) = (self.start, self.end) else {
            return 0;
        };
        u64::try_from(end.as_second() - start.as_second()).unwrap_or(0)
    }

    /// How urgent its alert is, when it has one.
    pub(super) fn severity(&self) -> Option<Severity> {
        let verdict = Verdict::ALL
            .into_iter()
            .find(|known| known.name() == self.verdict)?;
        self.is_alert()
            .then(|| Severity::of(verdict, self.enforced))
    }

    /// Where the conversation stood when it was seen last, in the words of the gate.
    pub(super) fn stage(&self) -> FlowStage {
        let over = self
            .tcp_state
            .is_some_and(|state| matches!(state, "closed" | "reset"));
        if self.enforced && self.stops() {
            FlowStage::Stopped
        } else if over {
            FlowStage::Closed
        } else if self.reply_packets > 0 && self.outbound_packets > 0 {
            FlowStage::Established
        } else {
            FlowStage::New
        }
    }

    /// Whether the verdict stops packets.
    pub(super) fn stops(&self) -> bool {
        severity(self.verdict) >= Verdict::Reject.code()
    }

    /// The question that was judged.
    pub(super) fn question<'a>(&'a self, desk: &Desk) -> Question<'a> {
        Question {
            zone: self.zone_number,
            destination: self.destination,
            protocol: self.protocol,
            port: self.destination_port,
            named: if self.from_outside {
                Named::default()
            } else {
                Named {
                    name: self.name.as_deref(),
                    naming: self.naming_kind,
                    speaks: self.app_protocol,
                    ech: self.ech_kind,
                    chain: &self.chain,
                }
            },
            opaque: self.opaque_kind,
            at: desk.at,
        }
    }
}

fn with_port(address: &str, port: u16) -> String {
    match port {
        0 => address.to_owned(),
        port if address.contains(':') => format!("[{address}]:{port}"),
        port => format!("{address}:{port}"),
    }
}

fn community_id(flow: &Flow<Naming>, ends: &Ends) -> String {
    let (source_port, destination_port) = match flow.icmp {
        Some((kind, code)) => (u16::from(kind), u16::from(code)),
        None => (ends.source_port, ends.destination_port),
    };
    community_id_of(
        ends.source,
        ends.destination,
        flow.key.protocol,
        source_port,
        destination_port,
    )
}
