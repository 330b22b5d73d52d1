//! IPv6 (RFC 8200): header, extension headers, fragments.

use octroi_abi::opaque::Opaque;
use octroi_abi::outcome::Direction;

use crate::fragment::Piece;
use crate::frame::{Frame, header};
use crate::packet::{Address, Packet, fragment};
use crate::transport::{self, Part};

const HEADER_BYTES: u32 = 40;
const MAX_BYTES: u32 = 65_535;
/// Extension headers that are walked; more are opaque.
const MAX_EXTENSION_HEADERS: u32 = 8;

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const DESTINATION_OPTIONS: u8 = 60;
const MOBILITY: u8 = 135;
const HOST_IDENTITY: u8 = 139;
const SHIM6: u8 = 140;

const FRAGMENT_HEADER_BYTES: u32 = 8;
const ROUTING_TYPE_SOURCE: u8 = 0;

/// The fixed header; addresses in memory order.
#[derive(Clone, Copy)]
#[repr(C)]
struct Header {
    version: u8,
    class_and_flow: [u8; 3],
    payload_length: u16,
    next_header: u8,
    hop_limit: u8,
    source: Address,
    destination: Address,
}

/// First four bytes of an extension header; for a routing header also type and segments left.
#[derive(Clone, Copy)]
#[repr(C)]
struct Extension {
    next_header: u8,
    length: u8,
    routing_type: u8,
    segments_left: u8,
}

#[derive(Clone, Copy)]
#[repr(C)]
struct FragmentHeader {
    next_header: u8,
    reserved: u8,
    offset_and_more: u16,
    identification: u32,
}

/// Where the walk of the extension headers ended.
struct Walk {
    next_header: u8,
    fragment: u8,
    fragment_protocol: u8,
    source_routed: bool,
    more: bool,
    offset: u32,
    /// First byte behind the fragment header, when there is one.
    fragmentable: u32,
    fragment_offset: u32,
    identification: u32,
}

/// Parses from the IP header on.
#[inline(always)]
pub fn parse<F: Frame>(frame: &F, direction: Direction, packet: &mut Packet) {
    let network = packet.network;
    let Some(ip) = header::<F, Header>(frame, network) else {
        return packet.give_up(Opaque::Truncated);
    };
    if ip.version >> 4 != 6 {
        return packet.give_up(Opaque::Malformed);
    }
    let mut payload = u16::from_be(ip.payload_length) as u32;
    if payload == 0 && frame.segment_bytes() > 0 {
        // BIG TCP: the length does not fit, the kernel keeps it beside the packet.
        payload = frame.length().wrapping_sub(network + HEADER_BYTES);
    }
    let total = HEADER_BYTES + payload;
    packet.hop_limit = ip.hop_limit;
    packet.ip_bytes = total as u64;
    packet.set_key(direction, ip.source, ip.destination, [0, 0], ip.next_header, 6);
    packet.addressed = 1;
    let linear = (frame.end() - frame.start()) as u32;
    if packet.exceeds_room(total)
        || linear < network + total && frame.length() < network + total
    {
        return packet.give_up(Opaque::Truncated);
    }

    let end = network + total;
    let mut walk = Walk {
        next_header: ip.next_header,
        fragment: fragment::WHOLE,
        fragment_protocol: 0,
        source_routed: false,
        more: false,
        offset: network + HEADER_BYTES,
        fragmentable: 0,
        fragment_offset: 0,
        identification: 0,
    };
    if is_extension(ip.next_header) {
        match extensions(frame, &mut walk, end) {
            Opaque::None => {}
            other => return packet.give_up(other),
        }
    }
    packet.key.protocol = walk.next_header;
    packet.fragment = walk.fragment;
    if walk.source_routed {
        packet.note(Opaque::SourceRouted);
    }
    if walk.offset > end {
        return packet.give_up(Opaque::Truncated);
    }
    let part = Part {
        offset: walk.offset,
        bytes: end - walk.offset,
        protocol: walk.next_header,
    };
    if walk.fragment == fragment::WHOLE {
        return transport::parse(frame, direction, packet, &part);
    }
    let piece = Piece {
        identification: walk.identification,
        protocol: walk.fragment_protocol,
        offset_bytes: walk.fragment_offset,
        bytes: end - walk.fragmentable,
        more: u8::from(walk.more),
        reserved: 0,
    };
    if walk.fragment_offset + piece.bytes > MAX_BYTES || !piece.is_sound() {
        return packet.give_up(Opaque::Malformed);
    }
    packet.piece = piece;
    if walk.fragment == fragment::FIRST {
        transport::parse(frame, direction, packet, &part);
    }
}

#[inline(always)]
fn is_extension(next_header: u8) -> bool {
    matches!(
        next_header,
        HOP_BY_HOP
            | ROUTING
            | FRAGMENT
            | DESTINATION_OPTIONS
            | MOBILITY
            | HOST_IDENTITY
            | SHIM6
    )
}

/// Walks to the first header that is no extension, or to the payload of a later fragment.
#[inline(never)]
fn extensions<F: Frame>(frame: &F, walk: &mut Walk, end: u32) -> Opaque {
    for number in 0..MAX_EXTENSION_HEADERS + 1 {
        let kind = walk.next_header;
        if !is_extension(kind) {
            return Opaque::None;
        }
        if number == MAX_EXTENSION_HEADERS || (kind == HOP_BY_HOP && number > 0) {
            return Opaque::ExtensionHeaders;
        }
        // A first fragment must hold the whole chain (RFC 7112).
        let short = if walk.fragment == fragment::FIRST {
            Opaque::FragmentTiny
        } else {
            Opaque::Truncated
        };
        if walk.offset + FRAGMENT_HEADER_BYTES > end {
            return short;
        }
        if kind == FRAGMENT {
            let Some(found) = header::<F, FragmentHeader>(frame, walk.offset) else {
                return short;
            };
            if walk.fragmentable != 0 {
                return Opaque::FragmentNested;
            }
            let offset_and_more = u16::from_be(found.offset_and_more);
            walk.offset += FRAGMENT_HEADER_BYTES;
            walk.fragmentable = walk.offset;
            walk.next_header = found.next_header;
            walk.fragment_protocol = found.next_header;
            walk.identification = u32::from_be(found.identification);
            walk.fragment_offset = (offset_and_more & 0xfff8) as u32;
            walk.more = offset_and_more & 1 != 0;
            if walk.fragment_offset > 0 {
                walk.fragment = fragment::LATER;
                return Opaque::None;
            }
            // Without more fragments: an atomic fragment, a whole packet (RFC 6946).
            if walk.more {
                walk.fragment = fragment::FIRST;
            }
            continue;
        }
        let Some(found) = header::<F, Extension>(frame, walk.offset) else {
            return short;
        };
        if kind == ROUTING
            && (found.routing_type == ROUTING_TYPE_SOURCE || found.segments_left > 0)
        {
            walk.source_routed = true;
        }
        walk.offset += (found.length as u32 + 1) * 8;
        walk.next_header = found.next_header;
        if walk.offset > end {
            return short;
        }
    }
    Opaque::ExtensionHeaders
}
