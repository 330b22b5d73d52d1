//! IPv6 (RFC 8200): header, extension headers, fragments.

use std::net::IpAddr;

use octroi_abi::opaque::Opaque;
use pnet_packet::ipv6::Ipv6Packet;

use super::transport::{self, Datagram};
use super::{Fragment, Parsed, Unparsed, array, u16_at};

const HEADER_BYTES: usize = 40;
/// Extension headers walked, as in the kernel.
const MAX_EXTENSION_HEADERS: usize = 8;

/// Extension headers, by their number as next header (IANA).
mod extension {
    pub(super) const HOP_BY_HOP: u8 = 0;
    pub(super) const ROUTING: u8 = 43;
    pub(super) const FRAGMENT: u8 = 44;
    pub(super) const DESTINATION: u8 = 60;
    pub(super) const MOBILITY: u8 = 135;
    pub(super) const HIP: u8 = 139;
    pub(super) const SHIM6: u8 = 140;
}

const fn is_extension(next: u8) -> bool {
    matches!(
        next,
        extension::HOP_BY_HOP
            | extension::ROUTING
            | extension::FRAGMENT
            | extension::DESTINATION
            | extension::MOBILITY
            | extension::HIP
            | extension::SHIM6
    )
}

/// `wire`: bytes that were there on the wire, at least `bytes.len()`.
pub(super) fn parse(bytes: &[u8], wire: usize) -> Result<Parsed<'_>, Unparsed> {
    let Some(header) = Ipv6Packet::new(bytes) else {
        return Err(Unparsed::link(Opaque::Truncated));
    };
    if header.get_version() != 6 {
        return Err(Unparsed::link(Opaque::Malformed));
    }
    let source = IpAddr::V6(header.get_source());
    let destination = IpAddr::V6(header.get_destination());
    let refuse = |opaque| Unparsed {
        opaque,
        addresses: Some((source, destination)),
    };
    // Zero: a jumbogram (RFC 2675), seen in captures of unsegmented packets (BIG TCP).
    let total = match usize::from(header.get_payload_length()) {
        0 if wire > HEADER_BYTES + usize::from(u16::MAX) => wire,
        length => HEADER_BYTES + length,
    };
    if total > wire {
        return Err(refuse(Opaque::Truncated));
    }
    let packet = &bytes[..bytes.len().min(total)];
    let mut next = header.get_next_header().0;
    let mut at = HEADER_BYTES;
    let mut walked = 0;
    let mut fragment = None;
    let mut source_routed = false;
    while is_extension(next) {
        let Some(&[following, length]) = packet.get(at..at + 2) else {
            return Err(refuse(Opaque::Truncated));
        };
        walked += 1;
        if walked > MAX_EXTENSION_HEADERS {
            return Err(refuse(Opaque::ExtensionHeaders));
        }
        let kind = std::mem::replace(&mut next, following);
        let length = if kind == extension::FRAGMENT {
            8
        } else {
            8 + usize::from(length) * 8
        };
        if at + length > packet.len() {
            return Err(refuse(Opaque::Truncated));
        }
        if kind == extension::ROUTING && (packet[at + 2] == 0 || packet[at + 3] > 0) {
            source_routed = true;
        }
        if kind == extension::FRAGMENT {
            let word = u16_at(packet, at + 2);
            let found = Fragment {
                identification: u32::from_be_bytes(array(packet, at + 4)),
                offset_bytes: u32::from(word & !7),
                more: word & 1 == 1,
                protocol: following,
            };
            // An "atomic" fragment is a whole datagram (RFC 6946).
            if found.offset_bytes != 0 || found.more {
                fragment = Some(found);
            }
        }
        at += length;
        // What follows the header of a later fragment is the middle of the datagram.
        if fragment.is_some_and(|fragment| fragment.offset_bytes != 0) {
            break;
        }
    }
    let datagram = Datagram {
        source,
        destination,
        protocol: next,
        fragment,
        ip_bytes: u32::try_from(total).unwrap_or(u32::MAX),
        payload: packet.get(at..).unwrap_or(&[]),
        payload_wire: total - at.min(total),
    };
    let mut parsed = transport::parse(&datagram)?;
    if source_routed {
        parsed.opaque = Opaque::SourceRouted;
    }
    Ok(parsed)
}
