//! The flow table: bounded, evicting into finished records.

use std::hash::BuildHasher as _;

use foldhash::fast::RandomState;
use octroi_abi::flow::FlowKey;
use octroi_abi::opaque::Opaque;

use super::index::Index;
use super::initiator::source_began;
use super::tuple::{Tuple, is_icmp};
use super::{flow_ports, mapped};
use crate::packet::{Parsed, protocol, tcp_flag};

/// Bounds of a table. Times are of the capture.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Flows held at once; more push the longest idle ones out, finished.
    pub flows: usize,
    /// A TCP flow silent for longer is over: the next packet of its tuple begins another.
    pub tcp_idle_ns: u64,
    /// The same for every other protocol.
    pub other_idle_ns: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            flows: 1 << 20,
            tcp_idle_ns: 7_440 * 1_000_000_000,
            other_idle_ns: 300 * 1_000_000_000,
        }
    }
}

/// How far a TCP connection was seen to go.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TcpState {
    /// No TCP, or neither SYN nor end was seen.
    #[default]
    Unknown,
    /// SYN without answer.
    Opening,
    /// SYN and its answer.
    Established,
    /// FIN both ways.
    Closed,
    /// RST.
    Reset,
}

impl TcpState {
    /// The word used in flow records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Opening => "opening",
            Self::Established => "established",
            Self::Closed => "closed",
            Self::Reset => "reset",
        }
    }
}

/// One flow. `T` is whatever the user of the table keeps beside it.
#[derive(Clone, Debug)]
pub struct Flow<T> {
    /// The five-tuple; inside is the side that began (see the module `initiator`).
    pub key: FlowKey,
    /// Time of the first packet.
    pub first_ns: u64,
    /// Time of the last packet.
    pub last_ns: u64,
    /// Packets from inside to outside.
    pub outbound_packets: u64,
    /// Their bytes, from the IP header on.
    pub outbound_bytes: u64,
    /// Packets from outside to inside.
    pub reply_packets: u64,
    /// Their bytes, from the IP header on.
    pub reply_bytes: u64,
    /// Union of TCP flags outbound.
    pub outbound_tcp_flags: u8,
    /// Union of TCP flags in replies.
    pub reply_tcp_flags: u8,
    /// The first kind of opacity seen.
    pub opaque: Opaque,
    /// Type and code of the first ICMP packet.
    pub icmp: Option<(u8, u8)>,
    /// Beside the flow.
    pub data: T,
}

impl<T> Flow<T> {
    /// How far the TCP connection was seen to go.
    #[must_use]
    pub fn tcp_state(&self) -> TcpState {
        let either = self.outbound_tcp_flags | self.reply_tcp_flags;
        let both = self.outbound_tcp_flags & self.reply_tcp_flags;
        if either & tcp_flag::RST != 0 {
            TcpState::Reset
        } else if both & tcp_flag::FIN != 0 {
            TcpState::Closed
        } else if both & tcp_flag::SYN != 0 {
            TcpState::Established
        } else if either & tcp_flag::SYN != 0 {
            TcpState::Opening
        } else {
            TcpState::Unknown
        }
    }

    fn is_over(&self) -> bool {
        matches!(self.tcp_state(), TcpState::Closed | TcpState::Reset)
    }
}

struct Slot<T> {
    flow: Flow<T>,
    /// Seen since the clock hand passed.
    touched: bool,
}

/// What a packet was to the table.
pub struct Seen<'t, T> {
    /// Its flow, this packet counted.
    pub flow: &'t mut Flow<T>,
    /// It went from inside to outside.
    pub outbound: bool,
    /// It is the flow's first.
    pub is_new: bool,
    /// It is new, and the tuple of a flow that is over was used again.
    pub is_reused: bool,
}

/// Flows by five-tuple.
pub struct FlowTable<T> {
    index: Index,
    hasher: RandomState,
    slots: Vec<Slot<T>>,
    /// Clock hand of the eviction (second chance: about the longest idle goes first).
    hand: usize,
    limits: Limits,
    evicted: u64,
}

impl<T: Default> FlowTable<T> {
    /// An empty table.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            index: Index::new(),
            hasher: RandomState::default(),
            slots: Vec::new(),
            hand: 0,
            evicted: 0,
            limits: Limits {
                flows: limits.flows.clamp(1, u32::MAX as usize - 1),
                ..limits
            },
        }
    }

    /// Flows held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether no flow is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Flows ended to make room.
    #[must_use]
    pub fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Counts a packet. A flow that ends because of it (tuple used again, table full) goes to
    /// `finished`.
    pub fn observe(
        &mut self,
        packet: &Parsed<'_>,
        time_ns: u64,
        mut finished: impl FnMut(Flow<T>),
    ) -> Seen<'_, T> {
        let tuple = Tuple::of(packet);
        let hash = self.hasher.hash_one(tuple);
        let found = self.find(hash, &tuple);
        let begins_again = found.is_some_and(|at| self.begins_again(at, packet, time_ns));
        let (at, is_new) = match found {
            Some(at) if begins_again => {
                let fresh = fresh(packet, time_ns);
                finished(std::mem::replace(&mut self.slots[at].flow, fresh));
                (at, true)
            }
            Some(at) => (at, false),
            None => (self.insert(hash, fresh(packet, time_ns), finished), true),
        };
        let slot = &mut self.slots[at];
        slot.touched = true;
        let flow = &mut slot.flow;
        let has_sides = packet.icmp.is_none() && !is_icmp(packet.protocol);
        let outbound = flow.key.inside == mapped(packet.source)
            && (!has_sides || flow.key.inside_port == flow_ports(packet).0);
        count(flow, packet, outbound, time_ns);
        Seen {
            flow,
            outbound,
            is_new,
            is_reused: begins_again,
        }
    }

    /// Ends every flow.
    pub fn finish(&mut self, finished: impl FnMut(Flow<T>)) {
        self.finish_by(|_| ()).for_each(finished);
    }

    /// Ends every flow, in the order of something about it. Those with the same come in any order.
    pub fn finish_by<K: Ord, F: Fn(&Flow<T>) -> K>(
        &mut self,
        key: F,
    ) -> impl Iterator<Item = Flow<T>> + use<K, F, T> {
        self.index.clear();
        self.hand = 0;
        let mut slots = std::mem::take(&mut self.slots);
        slots.sort_unstable_by_key(|slot| key(&slot.flow));
        slots.into_iter().map(|slot| slot.flow)
    }

    /// The flow with this key, when it is held.
    pub fn get_mut(&mut self, key: &FlowKey) -> Option<&mut Flow<T>> {
        let tuple = Tuple::of_key(key);
        let at = self.find(self.hasher.hash_one(tuple), &tuple)?;
        Some(&mut self.slots.get_mut(at)?.flow)
    }

    fn find(&self, hash: u64, tuple: &Tuple) -> Option<usize> {
        let slots = &self.slots;
        self.index.find(hash, |at| {
            slots
                .get(at)
                .is_some_and(|slot| Tuple::of_key(&slot.flow.key) == *tuple)
        })
    }

    fn begins_again(&self, at: usize, packet: &Parsed<'_>, time_ns: u64) -> bool {
        let flow = &self.slots[at].flow;
        let idle_ns = if packet.protocol == protocol::TCP {
            self.limits.tcp_idle_ns
        } else {
            self.limits.other_idle_ns
        };
        let opens = packet
            .tcp
            .is_some_and(|tcp| tcp.flags & (tcp_flag::SYN | tcp_flag::ACK) == tcp_flag::SYN);
        time_ns.saturating_sub(flow.last_ns) > idle_ns || (opens && flow.is_over())
    }

    fn insert(&mut self, hash: u64, flow: Flow<T>, mut finished: impl FnMut(Flow<T>)) -> usize {
        let slot = Slot {
            flow,
            touched: true,
        };
        let at = if self.slots.len() < self.limits.flows {
            self.slots.push(slot);
            self.slots.len() - 1
        } else {
            let at = self.advance();
            let old = std::mem::replace(&mut self.slots[at], slot).flow;
            self.index
                .remove(self.hasher.hash_one(Tuple::of_key(&old.key)), at);
            self.evicted += 1;
            finished(old);
            at
        };
        self.index.insert(hash, at);
        at
    }

    /// The slot to evict: the first one that was not seen since the hand passed it last.
    fn advance(&mut self) -> usize {
        loop {
            let at = self.hand;
            self.hand = (self.hand + 1) % self.slots.len();
            if !std::mem::take(&mut self.slots[at].touched) {
                return at;
            }
        }
    }
}

fn fresh<T: Default>(packet: &Parsed<'_>, time_ns: u64) -> Flow<T> {
    let (source_port, destination_port) = flow_ports(packet);
    let key = if source_began(packet) {
        super::key(
            packet.source,
            packet.destination,
            packet.protocol,
            source_port,
            destination_port,
        )
    } else {
        // An echo has its identifier on the inside, whoever sends it.
        let (inside_port, outside_port) = if packet.icmp.is_some() {
            (source_port, 0)
        } else {
            (destination_port, source_port)
        };
        super::key(
            packet.destination,
            packet.source,
            packet.protocol,
            inside_port,
            outside_port,
        )
    };
    Flow {
        key,
        first_ns: time_ns,
        last_ns: time_ns,
        outbound_packets: 0,
        outbound_bytes: 0,
        reply_packets: 0,
        reply_bytes: 0,
        outbound_tcp_flags: 0,
        reply_tcp_flags: 0,
        opaque: Opaque::None,
        icmp: packet.icmp.map(|icmp| (icmp.kind, icmp.code)),
        data: T::default(),
    }
}

fn count<T>(flow: &mut Flow<T>, packet: &Parsed<'_>, outbound: bool, time_ns: u64) {
    let flags = packet.tcp.map_or(0, |tcp| tcp.flags);
    if outbound {
        flow.outbound_packets += 1;
        flow.outbound_bytes += u64::from(packet.ip_bytes);
        flow.outbound_tcp_flags |= flags;
    } else {
        flow.reply_packets += 1;
        flow.reply_bytes += u64::from(packet.ip_bytes);
        flow.reply_tcp_flags |= flags;
    }
    flow.last_ns = flow.last_ns.max(time_ns);
    if flow.opaque == Opaque::None {
        flow.opaque = packet.opaque;
    }
}
