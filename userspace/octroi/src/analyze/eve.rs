//! Alerts and flow records of an analysis as EVE JSON: the events that the gate would have told.
//! (Calls and findings follow when all flows were told: [`super::watch::Watched::events`].)

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use octroi_events::{
    Alert, Conversation, EndReason, Event, FlowRecord, Name, NameSource, Residency, TcpFlags,
    Traffic,
};
use octroi_inspect::flow::{Flow, TcpState};
use octroi_inspect::name;
use octroi_inspect::packet::protocol;
use octroi_inspect::survey::Naming;

use super::flow_line::FlowLine;
use super::judged::Judging;

/// Reasons kept, so that a thousand flows to one place are explained once.
const KEPT: usize = 1_024;

/// What flows with one reason have in common: everything that the judge is asked, and how the name
/// was observed.
#[derive(PartialEq, Eq, Hash)]
struct Key {
    zone: String,
    destination: std::net::IpAddr,
    protocol: u8,
    port: u16,
    from_outside: bool,
    name: Option<String>,
    name_from: Option<name::NameSource>,
    naming: &'static str,
    speaks: Option<&'static str>,
    ech: Option<&'static str>,
    chain: Vec<String>,
    opaque: Option<&'static str>,
}

impl Key {
    fn of(line: &FlowLine) -> Self {
        Self {
            zone: line.zone.clone(),
            destination: line.destination,
            protocol: line.protocol,
            port: line.destination_port,
            from_outside: line.from_outside,
            name: line.name.clone(),
            name_from: line.name_from,
            naming: line.naming,
            speaks: line.app_protocol,
            ech: line.ech,
            chain: line.chain.clone(),
            opaque: line.opaque,
        }
    }
}

/// Makes the events of each flow as it ends.
#[derive(Default)]
pub(super) struct Eve {
    reasons: HashMap<Key, Arc<Residency>>,
}

impl Eve {
    /// The events of a flow: its alert, when it has one, and its record.
    pub(super) fn events(
        &mut self,
        judging: &Judging,
        flow: &Flow<Naming>,
        line: &FlowLine,
    ) -> Vec<Event> {
        let Some(residency) = self.reason(judging, line) else {
            return Vec::new();
        };
        let conversation = conversation(flow, line);
        let start = conversation.start;
        let alerted = line.is_alert();
        let end = line.end.unwrap_or(start);
        let over = matches!(flow.tcp_state(), TcpState::Closed | TcpState::Reset);
        let record = FlowRecord {
            time: end,
            end,
            stage: line.stage(),
            reason: if over && conversation.tcp.is_some_and(TcpFlags::is_reset) {
                EndReason::Reset
            } else if over {
                EndReason::Closed
            } else {
                EndReason::Shutdown
            },
            conversation: conversation.clone(),
            alerted,
            residency: Arc::clone(&residency),
        };
        let alert = alerted.then(|| Event::Alert(Alert::new(start, conversation, residency)));
        alert.into_iter().chain([Event::Flow(record)]).collect()
    }

    fn reason(&mut self, judging: &Judging, line: &FlowLine) -> Option<Arc<Residency>> {
        let key = Key::of(line);
        if let Some(reason) = self.reasons.get(&key) {
            return Some(Arc::clone(reason));
        }
        if self.reasons.len() >= KEPT {
            self.reasons.clear();
        }
        let mut residency = judging.residency(line)?;
        residency.observed(line.name_from.and_then(name_source));
        let reason = Arc::new(residency);
        self.reasons.insert(key, Arc::clone(&reason));
        Some(reason)
    }
}

fn conversation(flow: &Flow<Naming>, line: &FlowLine) -> Conversation {
    let has_ports = matches!(
        line.protocol,
        protocol::TCP | protocol::UDP | protocol::SCTP | protocol::DCCP | protocol::UDP_LITE
    );
    let name = match (&line.name, line.name_from.and_then(name_source)) {
        (Some(text), Some(source)) => Some(Name {
            text: text.as_str().into(),
            source,
        }),
        _ => None,
    };
    let (mut outbound, mut reply) = (flow.outbound_tcp_flags, flow.reply_tcp_flags);
    if line.from_outside {
        std::mem::swap(&mut outbound, &mut reply);
    }
    Conversation {
        flow_id: octroi_events::flow_id(&flow.key, flow.first_ns),
        source: line.source,
        destination: line.destination,
        source_port: has_ports.then_some(line.source_port),
        destination_port: has_ports.then_some(line.destination_port),
        protocol: line.protocol,
        interface: None,
        vlan: Vec::new(),
        community_id: Some(line.community_id.as_str().into()),
        app_protocol: line.app_protocol.map(Into::into),
        name,
        tls_version: None,
        start: line.start.unwrap_or(Timestamp::UNIX_EPOCH),
        traffic: Traffic {
            outbound_packets: line.outbound_packets,
            outbound_bytes: line.outbound_bytes,
            reply_packets: line.reply_packets,
            reply_bytes: line.reply_bytes,
            // A capture shows what passed: nothing was stopped in it.
            stopped_packets: 0,
        },
        tcp: (line.protocol == protocol::TCP).then_some(TcpFlags { outbound, reply }),
    }
}

fn name_source(source: name::NameSource) -> Option<NameSource> {
    match source {
        name::NameSource::Query | name::NameSource::Nameless => None,
        name::NameSource::Dns => Some(NameSource::Dns),
        name::NameSource::Certificate => Some(NameSource::Certificate),
        name::NameSource::Host => Some(NameSource::Host),
        name::NameSource::Quic => Some(NameSource::Quic),
        name::NameSource::Sni => Some(NameSource::Sni),
    }
}
