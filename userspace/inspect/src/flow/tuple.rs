//! Both directions of a five-tuple as one thing, and where it is kept.

use std::hash::{BuildHasher as _, Hash};

use foldhash::fast::FixedState;
use octroi_abi::flow::FlowKey;

use super::{flow_ports, mapped};
use crate::packet::{Parsed, protocol};

/// Lanes of a survey: see [`lane_of`].
pub const LANES: u8 = 16;

/// Both directions of a five-tuple: the lower end first. ICMP has one identifier and no sides.
/// Addresses are numbers: they are compared for every packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Tuple {
    low: u128,
    high: u128,
    /// Lower port, higher port, protocol and family.
    rest: u64,
}

impl Tuple {
    /// The tuple of a packet.
    pub(super) fn of(packet: &Parsed<'_>) -> Self {
        let (source_port, destination_port) = flow_ports(packet);
        let has_sides = packet.icmp.is_none() && !is_icmp(packet.protocol);
        Self::new(
            (u128::from_ne_bytes(mapped(packet.source)), source_port),
            (
                u128::from_ne_bytes(mapped(packet.destination)),
                destination_port,
            ),
            packet.protocol,
            if packet.destination.is_ipv4() { 4 } else { 6 },
            has_sides,
        )
    }

    /// The tuple of a flow.
    pub(super) fn of_key(key: &FlowKey) -> Self {
        Self::new(
            (u128::from_ne_bytes(key.inside), key.inside_port),
            (u128::from_ne_bytes(key.outside), key.outside_port),
            key.protocol,
            key.family,
            !is_icmp(key.protocol),
        )
    }

    fn new(
        one: (u128, u16),
        other: (u128, u16),
        protocol: u8,
        family: u8,
        has_sides: bool,
    ) -> Self {
        let (low, high) = if has_sides {
            if one <= other {
                (one, other)
            } else {
                (other, one)
            }
        } else {
            ((one.0.min(other.0), one.1), (one.0.max(other.0), 0))
        };
        Self {
            low: low.0,
            high: high.0,
            rest: u64::from(low.1) << 48
                | u64::from(high.1) << 32
                | u64::from(protocol) << 8
                | u64::from(family),
        }
    }
}

impl Hash for Tuple {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        state.write_u128(self.low);
        state.write_u128(self.high);
        state.write_u64(self.rest);
    }
}

pub(super) const fn is_icmp(protocol: u8) -> bool {
    matches!(protocol, protocol::ICMP | protocol::ICMPV6)
}

/// The lane of a packet's flow: which of [`LANES`] parts of a survey it belongs to. Both directions
/// have one lane, and the same tuple always has the same one, so that it does not depend on the
/// number of threads which flows share a table.
#[must_use]
pub fn lane_of(packet: &Parsed<'_>) -> u8 {
    lane(&Tuple::of(packet))
}

/// The lane of a flow: that of its packets.
#[must_use]
pub fn lane_of_key(key: &FlowKey) -> u8 {
    lane(&Tuple::of_key(key))
}

fn lane(tuple: &Tuple) -> u8 {
    let hash = FixedState::with_seed(0x6f63_7472_6f69).hash_one(tuple);
    (hash >> 60) as u8 % LANES
}
