//! Both directions of a five-tuple as one thing, and where it is kept.

use std::hash::{BuildHasher as _, Hash, Hasher as _};

use foldhash::fast::FixedState;
use octroi_abi::flow::FlowKey;

use super::{flow_ports, mapped};
use crate::packet::{Parsed, protocol};

/// Lanes of a survey: see [`lane_of`].
pub const LANES: u8 = 16;

/// Both directions of a five-tuple: the lower end first. ICMP has one identifier and no sides.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Tuple {
    low: [u8; 16],
    high: [u8; 16],
    low_port: u16,
    high_port: u16,
    protocol: u8,
    family: u8,
}

impl Tuple {
    /// The tuple of a packet.
    pub(super) fn of(packet: &Parsed<'_>) -> Self {
        let (source_port, destination_port) = flow_ports(packet);
        let has_sides = packet.icmp.is_none() && !is_icmp(packet.protocol);
        Self::new(
            (mapped(packet.source), source_port),
            (mapped(packet.destination), destination_port),
            packet.protocol,
            if packet.destination.is_ipv4() { 4 } else { 6 },
            has_sides,
        )
    }

    /// The tuple of a flow.
    pub(super) fn of_key(key: &FlowKey) -> Self {
        Self::new(
            (key.inside, key.inside_port),
            (key.outside, key.outside_port),
            key.protocol,
            key.family,
            !is_icmp(key.protocol),
        )
    }

    fn new(
        one: ([u8; 16], u16),
        other: ([u8; 16], u16),
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
            low_port: low.1,
            high_port: high.1,
            protocol,
            family,
        }
    }

    /// The last and the middle bytes of IPv4 and IPv6 addresses alike are in the words.
    fn words(&self) -> [u64; 5] {
        let half = |bytes: &[u8; 16], at: usize| {
            let mut word = [0; 8];
            word.copy_from_slice(&bytes[at..at + 8]);
            u64::from_ne_bytes(word)
        };
        [
            half(&self.low, 0),
            half(&self.low, 8),
            half(&self.high, 0),
            half(&self.high, 8),
            u64::from(self.low_port) << 48
                | u64::from(self.high_port) << 32
                | u64::from(self.protocol) << 8
                | u64::from(self.family),
        ]
    }
}

impl Hash for Tuple {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        for word in self.words() {
            state.write_u64(word);
        }
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
    let mut hasher = FixedState::with_seed(0x6f63_7472_6f69).build_hasher();
    Tuple::of(packet).hash(&mut hasher);
    (hasher.finish() >> 60) as u8 % LANES
}
