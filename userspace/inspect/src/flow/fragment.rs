//! Where the later fragments of a datagram belong: they have no ports of their own.

use std::collections::{HashMap, VecDeque};

use foldhash::fast::RandomState;
use octroi_abi::flow::FRAGMENTS_ENTRIES;

use super::{flow_ports, mapped};
use crate::packet::Parsed;

/// Source port, destination port, and the protocol behind the extension headers.
type Ports = (u16, u16, u8);

/// What fragments of one datagram share (RFC 791, RFC 8200 section 4.5).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Datagram {
    source: [u8; 16],
    destination: [u8; 16],
    identification: u32,
    protocol: u8,
}

/// Ports of the datagrams whose first fragment was seen. Bounded: the oldest are forgotten.
pub struct FragmentTable {
    ports: HashMap<Datagram, Ports, RandomState>,
    order: VecDeque<Datagram>,
    limit: usize,
}

impl Default for FragmentTable {
    fn default() -> Self {
        Self::new(FRAGMENTS_ENTRIES as usize)
    }
}

impl FragmentTable {
    /// A table of at most `limit` datagrams.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            ports: HashMap::default(),
            order: VecDeque::new(),
            limit: limit.max(1),
        }
    }

    /// Gives a later fragment the ports of its datagram; remembers those of a first fragment.
    /// False: a later fragment whose first one was not seen.
    pub fn resolve(&mut self, packet: &mut Parsed<'_>) -> bool {
        let Some(fragment) = packet.fragment else {
            return true;
        };
        let datagram = Datagram {
            source: mapped(packet.source),
            destination: mapped(packet.destination),
            identification: fragment.identification,
            protocol: fragment.protocol,
        };
        if fragment.offset_bytes != 0 {
            let Some(&(source, destination, protocol)) = self.ports.get(&datagram) else {
                return false;
            };
            packet.source_port = source;
            packet.destination_port = destination;
            packet.protocol = protocol;
            return true;
        }
        let (source, destination) = flow_ports(packet);
        let ports = (source, destination, packet.protocol);
        if self.ports.insert(datagram, ports).is_none() {
            if self.order.len() >= self.limit
                && let Some(oldest) = self.order.pop_front()
            {
                self.ports.remove(&oldest);
            }
            self.order.push_back(datagram);
        }
        true
    }
}
