//! Alerts and flow records of an analysis as EVE JSON: the events that the gate would have told.

use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::Arc;

use jiff::Timestamp;
use octroi_events::{
    Alert, Conversation, EndReason, Event, FlowRecord, FlowStage, Name, NameSource, Origin,
    Residency, TcpFlags, Traffic,
};
use octroi_inspect::flow::{Flow, TcpState};
use octroi_inspect::name::{self, NameEvent};
use octroi_inspect::packet::{Unparsed, protocol};
use octroi_inspect::survey::{Naming, Sink};

use super::flow_line::FlowLine;
use super::judged::Judging;

/// Reasons kept, so that a thousand flows to one place are explained once.
const KEPT: usize = 8_192;

/// What flows with one reason have in common: zone, destination, protocol, port, rule, name and
/// whether the hello was hidden.
type Key = (
    String,
    std::net::IpAddr,
    u8,
    u16,
    String,
    Option<String>,
    bool,
);

/// Writes the events of each flow as it ends.
pub(super) struct Eve<'a, W> {
    judging: &'a mut Judging,
    origin: Origin,
    sequence: &'a mut u64,
    reasons: HashMap<Key, Arc<Residency>>,
    out: &'a mut W,
    line: Vec<u8>,
    failed: Option<io::Error>,
}

impl<'a, W: Write> Eve<'a, W> {
    pub(super) fn new(judging: &'a mut Judging, sequence: &'a mut u64, out: &'a mut W) -> Self {
        Self {
            judging,
            origin: Origin::of_this_process(),
            sequence,
            reasons: HashMap::new(),
            out,
            line: Vec::new(),
            failed: None,
        }
    }

    /// The first error of writing, if any.
    pub(super) fn finish(self) -> io::Result<()> {
        self.failed.map_or(Ok(()), Err)
    }

    fn reason(&mut self, line: &FlowLine) -> Arc<Residency> {
        let key = (
            line.zone.clone(),
            line.destination,
            line.protocol,
            line.destination_port,
            line.rule.clone(),
            line.name.clone(),
            line.ech,
        );
        if let Some(reason) = self.reasons.get(&key) {
            return Arc::clone(reason);
        }
        if self.reasons.len() >= KEPT {
            self.reasons.clear();
        }
        let mut residency = self.judging.residency(line);
        if residency.name.is_some() {
            residency.name_src = line.name_from.and_then(name_source);
            residency.ech = Some(line.ech);
        }
        let reason = Arc::new(residency);
        self.reasons.insert(key, Arc::clone(&reason));
        reason
    }

    fn tell(&mut self, event: &Event) {
        self.line.clear();
        *self.sequence += 1;
        event.write_eve(&self.origin, *self.sequence, &mut self.line);
        if self.failed.is_none() {
            self.failed = self.out.write_all(&self.line).err();
        }
    }
}

impl<W: Write> Sink for Eve<'_, W> {
    fn flow(&mut self, flow: Flow<Naming>) {
        let line = self.judging.judge(&flow);
        let residency = self.reason(&line);
        let conversation = conversation(&flow, &line);
        let start = conversation.start;
        let alerted = line.is_alert();
        if alerted {
            let alert = Alert::new(start, conversation.clone(), Arc::clone(&residency));
            self.tell(&Event::Alert(alert));
        }
        let end = line.end.unwrap_or(start);
        let over = matches!(flow.tcp_state(), TcpState::Closed | TcpState::Reset);
        let stage = if line.enforced && line.stops() {
            FlowStage::Stopped
        } else if over {
            FlowStage::Closed
        } else if line.reply_packets > 0 && line.outbound_packets > 0 {
            FlowStage::Established
        } else {
            FlowStage::New
        };
        self.tell(&Event::Flow(FlowRecord {
            time: end,
            end,
            stage,
            reason: if over && conversation.tcp.is_some_and(TcpFlags::is_reset) {
                EndReason::Reset
            } else if over {
                EndReason::Closed
            } else {
                EndReason::Shutdown
            },
            conversation,
            alerted,
            residency,
        }));
    }

    fn name(&mut self, event: &NameEvent, inside_tunnel: bool) {
        self.judging.name(event, inside_tunnel);
    }

    fn without_flow(&mut self, time_ns: u64, wire_bytes: u32, unparsed: &Unparsed) {
        self.judging.without_flow(time_ns, wire_bytes, unparsed);
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
