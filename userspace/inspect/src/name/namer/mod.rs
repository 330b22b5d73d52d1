//! The [`Namer`]: which reader a payload goes to, and what is told of what it read.

mod datagram;
mod dns;
mod order;
mod stream;
mod tell;

use std::net::IpAddr;

use foldhash::fast::RandomState;
use octroi_abi::flow::FlowKey;

use self::tell::Told;
use super::fair::Fair;
use super::memo::{Memos, Said};
use super::service::Services;
use super::start::{self, Start};
use super::{
    AppProtocol, Binding, Bindings, Heard, NameEvent, NamerLimits, NamerStats, Sample, dtls, quic,
};
use crate::flow;
use crate::packet::{protocol, tcp_flag};

/// No answer comes later than that.
const QUERY_NS: u64 = 60 * 1_000_000_000;

const PORT_DNS: u16 = 53;
const PORT_MDNS: u16 = 5353;
const PORT_LLMNR: u16 = 5355;

/// A query: its flow, its identifier, the hash of what it asks.
type Query = (FlowKey, u16, u64);

/// Names flows; see the module.
pub struct Namer {
    limits: NamerLimits,
    stats: NamerStats,
    now_ns: u64,
    /// At least one; with several, flows that are bounded apart.
    lanes: Vec<Lane>,
    /// The lane of the sample that is read.
    at: usize,
    /// What else is of interest in the flow that was read last.
    rest: Rest,
    bindings: Bindings,
    services: Services,
    hasher: RandomState,
}

/// What is kept of the flows of one lane.
struct Lane {
    memos: Memos,
    /// Bytes that its memos may hold.
    total_bytes: usize,
    /// Queries, and when they were seen.
    queries: Fair<Query, u64>,
    /// Flows of DNS over UDP that were told to be nameless, and when they were seen last.
    dns_told: Fair<(FlowKey, u64), u64>,
}

impl Lane {
    fn new(limits: &NamerLimits) -> Self {
        Self {
            memos: Memos::new(limits.flows),
            total_bytes: limits.total_bytes,
            queries: Fair::of_things(limits.queries),
            dns_told: Fair::of_things(limits.queries),
        }
    }
}

/// What may still come in a flow, as far as its name is concerned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rest {
    /// Anything.
    All,
    /// Only payloads for which [`may_begin`] holds, and those that repeat what was read: others tell
    /// nothing more.
    Beginnings {
        /// TCP: the sequence number behind what was read of the client's stream.
        read_to: Option<u32>,
    },
}

/// Whether a payload may be the start of something that holds a name, wherever it stands in its flow.
/// Not for ports of DNS.
#[must_use]
pub fn may_begin(transport: u8, payload: &[u8]) -> bool {
    match transport {
        protocol::TCP => start::of(payload, false) != Start::Not,
        protocol::UDP => quic::may_be(payload) || dtls::is_record(payload),
        _ => false,
    }
}

impl Namer {
    /// A namer that knows nothing yet.
    #[must_use]
    pub fn new(limits: NamerLimits) -> Self {
        Self {
            limits,
            stats: NamerStats::default(),
            now_ns: 0,
            lanes: vec![Lane::new(&limits)],
            at: 0,
            rest: Rest::All,
            bindings: Bindings::new(limits.bindings, limits.binding_bytes),
            services: Services::new(limits.services, limits.service_bytes),
            hasher: RandomState::default(),
        }
    }

    /// Adds a lane: what is kept of its flows (memos, queries, held bytes) does not depend on those
    /// of other lanes. The first lane is there from the start.
    pub fn add_lane(&mut self, limits: &NamerLimits) {
        self.lanes.push(Lane::new(limits));
    }

    /// As [`Self::observe`], of a flow of this lane; of the last lane when there are fewer. Tells what
    /// else is of interest in the flow.
    pub fn observe_in(&mut self, lane: u8, sample: &Sample<'_>, out: &mut Vec<NameEvent>) -> Rest {
        self.at = usize::from(lane).min(self.lanes.len() - 1);
        self.rest = Rest::All;
        self.observe(sample, out);
        self.at = 0;
        self.rest
    }

    /// Flows of a lane that were forgotten to make room.
    #[must_use]
    pub fn flows_evicted_in(&self, lane: u8) -> u64 {
        let lane = self.lanes.get(usize::from(lane));
        lane.map_or(0, |lane| lane.memos.evicted())
    }

    /// Streams that were given up because they, or all together, would have held too much.
    #[must_use]
    pub fn streams_given_up(&self) -> u64 {
        self.stats.streams_too_long + self.stats.memory_refused
    }

    fn lane(&mut self) -> &mut Lane {
        &mut self.lanes[self.at]
    }

    fn memos(&mut self) -> &mut Memos {
        &mut self.lane().memos
    }

    /// Reads a payload and pushes the names it brings. The same name is told once for a flow;
    /// another name in the same flow (HTTP requests for several hosts) is told too. When it is
    /// sure that the client's words carry no name, that is told once
    /// ([`super::NameSource::Nameless`]; again when it is known only later what is spoken).
    pub fn observe(&mut self, sample: &Sample<'_>, out: &mut Vec<NameEvent>) -> Heard {
        self.now_ns = self.now_ns.max(sample.time_ns);
        if sample.payload.is_empty() {
            return self.without_payload(sample);
        }
        self.stats.samples += 1;
        let before = out.len();
        let ports = [sample.key.inside_port, sample.key.outside_port];
        let told_in_clear = match sample.key.protocol {
            protocol::UDP if ports.contains(&PORT_DNS) => Some(AppProtocol::Dns),
            protocol::UDP if ports.contains(&PORT_MDNS) => Some(AppProtocol::Mdns),
            protocol::UDP if ports.contains(&PORT_LLMNR) => Some(AppProtocol::Llmnr),
            _ => None,
        };
        // What is no DNS on a port of DNS is read as anything else is.
        let heard = told_in_clear
            .and_then(|protocol| self.dns_datagram(sample, protocol, out))
            .unwrap_or_else(|| self.flow(sample, out));
        self.stats.names += (out.len() - before) as u64;
        heard
    }

    /// Tells what time it is, where other namers see samples too: what is bound by DNS is over at
    /// the same time for all of them.
    pub fn pass_time(&mut self, now_ns: u64) {
        self.now_ns = self.now_ns.max(now_ns);
    }

    /// Forgets flows, bindings and queries that are over. To be called now and then.
    pub fn expire(&mut self, now_ns: u64) {
        self.now_ns = self.now_ns.max(now_ns);
        let idle_ns = self.now_ns.saturating_sub(self.limits.idle_ns);
        let asked_ns = self.now_ns.saturating_sub(QUERY_NS);
        for lane in &mut self.lanes {
            lane.memos.expire(idle_ns);
            lane.queries.retain(|_, seen_ns| *seen_ns >= asked_ns);
            lane.dns_told.retain(|_, seen_ns| *seen_ns >= idle_ns);
        }
        self.bindings.expire(self.now_ns);
        self.services.expire(self.now_ns);
    }

    /// Counters, and what is held now.
    #[must_use]
    pub fn stats(&self) -> NamerStats {
        NamerStats {
            incomplete: self.sum(|lane| lane.memos.incomplete),
            flows_evicted: self.sum(|lane| lane.memos.evicted()),
            bindings_evicted: self.bindings.evicted(),
            names_forgotten: self.bindings.names_forgotten(),
            queries_evicted: self.sum(|lane| lane.queries.evicted),
            services_evicted: self.services.evicted(),
            flows: self.sum(|lane| lane.memos.len() as u64),
            bindings: self.bindings.len() as u64,
            held_bytes: self.sum(|lane| lane.memos.held as u64),
            name_bytes: (self.bindings.bytes() + self.services.bytes()) as u64,
            ..self.stats
        }
    }

    fn sum(&self, of: impl Fn(&Lane) -> u64) -> u64 {
        self.lanes.iter().map(of).sum()
    }

    /// The name under which a client knows a destination by DNS, when there is exactly one.
    #[must_use]
    pub fn name_of(&self, client: IpAddr, destination: IpAddr) -> Option<&str> {
        self.bindings
            .only(client, destination, self.now_ns)
            .map(|binding| &*binding.name)
    }

    /// Every name under which a client knows a destination by DNS, the latest last.
    pub fn names_of(&self, client: IpAddr, destination: IpAddr) -> impl Iterator<Item = &str> {
        self.bindings
            .all(client, destination, self.now_ns)
            .map(|binding| &*binding.name)
    }

    /// [`Namer::name_of`] for the ends of a flow: names it at its first packet.
    #[must_use]
    pub fn dns_name_for(&self, key: &FlowKey) -> Option<&str> {
        self.name_of(flow::inside(key), flow::outside(key))
    }

    /// As [`Namer::dns_name_for`], with the aliases that led to the address.
    #[must_use]
    pub fn binding_for(&self, key: &FlowKey) -> Option<&Binding> {
        self.bindings
            .only(flow::inside(key), flow::outside(key), self.now_ns)
    }

    #[cfg(test)]
    pub(super) fn bindings_for_tests(&mut self) -> &mut Bindings {
        &mut self.bindings
    }

    /// Every name under which the client of a flow knows its destination, the latest last.
    pub fn bindings_for(&self, key: &FlowKey) -> impl Iterator<Item = &Binding> {
        self.bindings
            .all(flow::inside(key), flow::outside(key), self.now_ns)
    }

    /// Notes where a client's stream begins.
    fn without_payload(&mut self, sample: &Sample<'_>) -> Heard {
        if sample.key.protocol == protocol::TCP
            && sample.outbound
            && sample.tcp_flags & (tcp_flag::SYN | tcp_flag::ACK) == tcp_flag::SYN
        {
            let (mut memo, _) = self.memos().take(&sample.key, sample.first_ns);
            memo.last_ns = sample.time_ns;
            memo.first_byte.note(sample.sequence.wrapping_add(1));
            let is_settled = memo.said != Said::Nothing;
            self.memos().put(sample.key, memo);
            if is_settled {
                return Heard::Settled;
            }
        }
        Heard::Talk
    }

    fn flow(&mut self, sample: &Sample<'_>, out: &mut Vec<NameEvent>) -> Heard {
        let (mut memo, _) = self.memos().take(&sample.key, sample.first_ns);
        if let Some((key, first_ns, protocol)) = self.memos().lost.take() {
            // Whoever waits for its name is told that none will come.
            let lost = Sample {
                key,
                first_ns,
                ..*sample
            };
            self.tell_nameless(&lost, protocol, out);
        }
        memo.last_ns = sample.time_ns;
        if !std::mem::replace(&mut memo.dns_is_told, true) {
            self.tell_dns(sample, &mut memo, out);
        }
        let state = match sample.key.protocol {
            protocol::TCP => self.segment(sample, &mut memo, out),
            protocol::UDP => self.datagram(sample, &mut memo, out),
            _ => State::Silent,
        };
        let is_settled = memo.said != Said::Nothing;
        let mut heard = match state {
            State::Open if is_settled && !memo.is_dns_stream() => Heard::Settled,
            State::Open => Heard::Pending,
            State::Talk if is_settled => Heard::Settled,
            State::Talk => Heard::Talk,
            State::Silent => {
                self.settle(sample, &mut memo, out);
                Heard::Settled
            }
        };
        if !self.has_room(&sample.key, memo.held()) {
            memo.let_go();
            self.stats.memory_refused += 1;
            if sample.outbound {
                self.settle(sample, &mut memo, out);
                heard = Heard::Settled;
            }
        }
        if memo.is_quiet(sample.key.protocol) {
            self.rest = Rest::Beginnings {
                read_to: memo.read_to,
            };
        }
        self.memos().put(sample.key, memo);
        heard
    }

    /// Whether a flow may hold so many bytes: the memory of all, and that of its client, is bounded.
    fn has_room(&self, key: &FlowKey, bytes: usize) -> bool {
        let lane = &self.lanes[self.at];
        let memos = &lane.memos;
        bytes == 0
            || memos.held.saturating_add(bytes) <= lane.total_bytes
                && memos.held_by(&key.inside) + bytes <= self.limits.client_bytes
    }
}

/// What a flow's client may still say, behind a sample.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Part of something that may hold a name is held.
    Open,
    /// Nothing here decides.
    Talk,
    /// The client's bytes are no start of anything that holds a name, or that was read.
    Silent,
}
