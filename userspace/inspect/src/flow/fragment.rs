//! Where the later fragments of a datagram belong: they have no ports of their own.

use std::collections::{HashMap, VecDeque};

use foldhash::fast::RandomState;
use octroi_abi::fragment::FRAGMENTS_ENTRIES;
use octroi_abi::opaque::Opaque;

use super::{flow_ports, mapped};
use crate::packet::Parsed;

/// What the first fragment tells of its datagram.
#[derive(Clone, Copy)]
struct First {
    source_port: u16,
    destination_port: u16,
    /// The one behind the extension headers.
    protocol: u8,
    /// Bytes that its headers take of the payload.
    header_end: u32,
}

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
    firsts: HashMap<Datagram, First, RandomState>,
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
            firsts: HashMap::default(),
            order: VecDeque::new(),
            limit: limit.max(1),
        }
    }

    /// Gives a later fragment the ports of its datagram; remembers those of a first fragment.
    ///
    /// # Errors
    ///
    /// A later fragment whose first one was not seen, or that would rewrite its headers
    /// (RFC 3128, RFC 5722).
    pub fn resolve(&mut self, packet: &mut Parsed<'_>) -> Result<(), Opaque> {
        let Some(fragment) = packet.fragment else {
            return Ok(());
        };
        let datagram = Datagram {
            source: mapped(packet.source),
            destination: mapped(packet.destination),
            identification: fragment.identification,
            protocol: fragment.protocol,
        };
        if fragment.offset_bytes != 0 {
            let first = self
                .firsts
                .get(&datagram)
                .ok_or(Opaque::FragmentWithoutFirst)?;
            if fragment.offset_bytes < first.header_end {
                return Err(Opaque::FragmentOverlapping);
            }
            packet.source_port = first.source_port;
            packet.destination_port = first.destination_port;
            packet.protocol = first.protocol;
            return Ok(());
        }
        let (source_port, destination_port) = flow_ports(packet);
        let first = First {
            source_port,
            destination_port,
            protocol: packet.protocol,
            header_end: packet.header_bytes,
        };
        if self.firsts.insert(datagram, first).is_none() {
            if self.order.len() >= self.limit
                && let Some(oldest) = self.order.pop_front()
            {
                self.firsts.remove(&oldest);
            }
            self.order.push_back(datagram);
        }
        Ok(())
    }
}
