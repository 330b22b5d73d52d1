//! The reason of a flow's verdict, and the conversation it is about, in the words of the events.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use octroi_abi::flow::{ENFORCED, FlowKey};
use octroi_api::FlowDetail;
use octroi_events::{
    Conversation, EndReason, Name, NameSource, Residency, TcpFlags, Traffic, Verdict,
};
use octroi_geo_db::catalogue::Language;
use octroi_inspect::name::AppProtocol;
use octroi_policy::protocol::has_ports;
use octroi_policy::{EchSeen, Naming};

use super::clock::Clock;
use super::engine::{Engine, question};
use super::registry::{End, LiveFlow, address};
use super::rows;
use crate::judge::Judge;

/// Reasons kept, so that a thousand flows to one place are explained once.
const KEPT: usize = 8_192;

/// What two flows with one reason have in common.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    zone: u8,
    destination: IpAddr,
    protocol: u8,
    port: u16,
    name: Option<String>,
    name_source: Option<NameSource>,
    naming: Naming,
    speaks: Option<AppProtocol>,
    ech: EchSeen,
    chain: Vec<String>,
    opaque: u8,
    rule: u16,
    verdict: u8,
    flags: u8,
}

/// Reasons that were explained, under the policy and the atlas in force.
#[derive(Default)]
pub(super) struct Reasons(HashMap<Key, Arc<Residency>>);

impl Reasons {
    /// The reason of a flow's verdict.
    pub(super) fn of(&mut self, judge: &Judge, flow: &LiveFlow) -> Arc<Residency> {
        let name = flow.name.as_ref();
        let key = Key {
            zone: flow.state.zone,
            destination: address(flow.key.outside, flow.key.family),
            protocol: flow.key.protocol,
            port: flow.key.outside_port,
            name: name.map(|name| name.name.clone()),
            name_source: name.and_then(|name| name_source(name.source)),
            naming: flow.naming,
            speaks: flow.app,
            ech: flow.ech,
            chain: flow.chain.clone(),
            opaque: flow.state.opaque,
            rule: flow.state.rule,
            verdict: flow.state.verdict,
            flags: flow.state.flags & ENFORCED,
        };
        if let Some(reason) = self.0.get(&key) {
            return Arc::clone(reason);
        }
        if self.0.len() >= KEPT {
            self.0.clear();
        }
        let reason = Arc::new(residency(judge, flow));
        self.0.insert(key, Arc::clone(&reason));
        reason
    }
}

/// The whole reason, as it was explained, with what the kernel really does with the flow.
fn residency(judge: &Judge, flow: &LiveFlow) -> Residency {
    let mut residency = judge.residency(&question(flow, judge.day()), Language::En);
    residency.verdict = Verdict::from_code(flow.state.verdict).unwrap_or(Verdict::Block);
    residency.enforced = flow.state.flags & ENFORCED != 0;
    residency.rule = judge.policy.rule_name(flow.state.rule).into();
    if let Some(name) = &flow.name {
        residency.name = Some(name.name.as_str().into());
    }
    let source = flow.name.as_ref();
    residency.observed(source.and_then(|name| name_source(name.source)));
    residency
}

/// A flow and its reason, for the dashboard.
pub(super) fn detail(engine: &Engine, flow: &LiveFlow) -> FlowDetail {
    let judge = &engine.judge;
    let residency = residency(judge, flow);
    FlowDetail {
        now: jiff::Timestamp::now(),
        row: rows::flow_row(engine, flow),
        community_id: Some(octroi_inspect::community_id(&flow.key).into()),
        interface: engine.teller.interface_name(flow.ifindex),
        text: judge.page(&question(flow, judge.day()), &residency, Language::En),
        residency,
    }
}

/// The conversation of a flow, as events tell it.
pub(super) fn conversation(
    clock: &Clock,
    flow: &LiveFlow,
    interfaces: &HashMap<u32, Arc<str>>,
) -> Conversation {
    let FlowKey {
        inside,
        outside,
        inside_port,
        outside_port,
        protocol,
        family,
        ..
    } = flow.key;
    let state = &flow.state;
    Conversation {
        flow_id: flow.id,
        source: address(inside, family),
        destination: address(outside, family),
        source_port: port(protocol, inside_port),
        destination_port: port(protocol, outside_port),
        protocol,
        interface: interfaces.get(&flow.ifindex).cloned(),
        vlan: Vec::new(),
        community_id: Some(octroi_inspect::community_id(&flow.key).into()),
        app_protocol: flow.app.map(|app| app.name().into()),
        name: event_name(flow),
        tls_version: None,
        start: clock.at(state.first_ns),
        traffic: Traffic {
            outbound_packets: state.outbound_packets,
            outbound_bytes: state.outbound_bytes,
            reply_packets: state.reply_packets,
            reply_bytes: state.reply_bytes,
            stopped_packets: state.stopped_packets,
        },
        tcp: (protocol == 6).then_some(flow_flags(flow)),
    }
}

fn flow_flags(flow: &LiveFlow) -> TcpFlags {
    TcpFlags {
        outbound: flow.state.outbound_tcp_flags,
        reply: flow.state.reply_tcp_flags,
    }
}

/// The name of a flow in the words of the events.
pub(super) fn event_name(flow: &LiveFlow) -> Option<Name> {
    let name = flow.name.as_ref()?;
    Some(Name {
        text: name.name.as_str().into(),
        source: name_source(name.source)?,
    })
}

/// The port of a protocol that has ports.
pub(super) fn port(protocol: u8, port: u16) -> Option<u16> {
    has_ports(protocol).then_some(port)
}

/// `None` for a name that was only asked for on the flow: it is not the destination's.
fn name_source(source: octroi_inspect::name::NameSource) -> Option<NameSource> {
    use octroi_inspect::name::NameSource as Observed;
    match source {
        Observed::Query | Observed::Nameless => None,
        Observed::Dns => Some(NameSource::Dns),
        Observed::Certificate => Some(NameSource::Certificate),
        Observed::Sni => Some(NameSource::Sni),
        Observed::Quic => Some(NameSource::Quic),
        Observed::Host => Some(NameSource::Host),
    }
}

pub(super) fn end_reason(end: End, flow: &LiveFlow) -> EndReason {
    match end {
        End::Closed if flow_flags(flow).is_reset() => EndReason::Reset,
        End::Closed => EndReason::Closed,
        End::Idle => EndReason::Timeout,
        End::Evicted => EndReason::Forced,
        End::Shutdown => EndReason::Shutdown,
        End::Upgraded => EndReason::Upgrade,
    }
}
