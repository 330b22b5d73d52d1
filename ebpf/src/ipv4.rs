//! IPv4 (RFC 791): header, options, fragments.

use octroi_abi::opaque::Opaque;
use octroi_abi::outcome::Direction;

use crate::fragment::Piece;
use crate::frame::{Frame, header};
use crate::packet::{Packet, fragment, mapped};
use crate::transport::{self, Part};

const HEADER_BYTES: u32 = 20;
const MAX_BYTES: u32 = 65_535;
const MORE_FRAGMENTS: u16 = 0x2000;
const FRAGMENT_OFFSET: u16 = 0x1fff;

const OPTION_END: u8 = 0;
const OPTION_NOP: u8 = 1;
const OPTION_LOOSE_ROUTE: u8 = 131;
const OPTION_STRICT_ROUTE: u8 = 137;
/// Bytes of options at most.
const OPTIONS_BYTES: u32 = 40;

/// The fixed part of the header; addresses in memory order.
#[derive(Clone, Copy)]
#[repr(C)]
struct Header {
    version_and_length: u8,
    service: u8,
    total_length: u16,
    identification: u16,
    flags_and_offset: u16,
    time_to_live: u8,
    protocol: u8,
    checksum: u16,
    source: u32,
    destination: u32,
}

/// Parses from the IP header on.
#[inline(always)]
pub fn parse<F: Frame>(frame: &F, direction: Direction, packet: &mut Packet) {
    let network = packet.network;
    let Some(ip) = header::<F, Header>(frame, network) else {
        return packet.give_up(Opaque::Truncated);
    };
    if ip.version_and_length >> 4 != 4 {
        return packet.give_up(Opaque::Malformed);
    }
    let header_bytes = (ip.version_and_length as u32 & 0xf) * 4;
    let mut total = u16::from_be(ip.total_length) as u32;
    if total == 0 && frame.segment_bytes() > 0 {
        // BIG TCP: the length does not fit, the kernel keeps it beside the packet.
        total = frame.length().wrapping_sub(network);
    }
    if header_bytes < HEADER_BYTES || total < header_bytes {
        return packet.give_up(Opaque::Malformed);
    }
    packet.hop_limit = ip.time_to_live;
    packet.ip_bytes = total as u64;
    let source = mapped(ip.source);
    let destination = mapped(ip.destination);
    packet.set_key(direction, source, destination, [0, 0], ip.protocol, 4);
    packet.addressed = 1;

    let linear = (frame.end() - frame.start()) as u32;
    if packet.exceeds_room(total)
        || linear < network + total && frame.length() < network + total
    {
        return packet.give_up(Opaque::Truncated);
    }
    if header_bytes > HEADER_BYTES {
        let options = network + HEADER_BYTES;
        match source_route(frame, options, header_bytes - HEADER_BYTES) {
            Opaque::None => {}
            Opaque::SourceRouted => packet.note(Opaque::SourceRouted),
            other => return packet.give_up(other),
        }
    }

    let part = Part {
        offset: network + header_bytes,
        bytes: total - header_bytes,
        protocol: ip.protocol,
    };
    let flags_and_offset = u16::from_be(ip.flags_and_offset);
    let offset_bytes = (flags_and_offset & FRAGMENT_OFFSET) as u32 * 8;
    let more = flags_and_offset & MORE_FRAGMENTS != 0;
    if offset_bytes == 0 && !more {
        return transport::parse(frame, direction, packet, &part);
    }
    if header_bytes + offset_bytes + part.bytes > MAX_BYTES {
        return packet.give_up(Opaque::Malformed);
    }
    let piece = Piece {
        identification: u16::from_be(ip.identification) as u32,
        protocol: ip.protocol,
        offset_bytes,
        bytes: part.bytes,
        more: u8::from(more),
        reserved: 0,
    };
    if !piece.is_sound() {
        return packet.give_up(Opaque::Malformed);
    }
    packet.piece = piece;
    if offset_bytes == 0 {
        packet.fragment = fragment::FIRST;
        transport::parse(frame, direction, packet, &part);
    } else {
        packet.fragment = fragment::LATER;
    }
}

/// Whether the options hold a source route; `Malformed` when they cannot be walked.
///
/// A byte at a time and always the same forty bytes: the verifier follows constant offsets in one
/// pass, but tries every combination of option lengths.
#[inline(never)]
fn source_route<F: Frame>(frame: &F, options: u32, bytes: u32) -> Opaque {
    let mut skip = 0;
    let mut at_length = false;
    for at in 0..OPTIONS_BYTES {
        if at >= bytes {
            break;
        }
        let Some(byte) = header::<F, u8>(frame, options + at) else {
            return Opaque::Truncated;
        };
        if at_length {
            at_length = false;
            // Counted from the option's kind, one byte back.
            if byte < 2 || at - 1 + byte as u32 > bytes {
                return Opaque::Malformed;
            }
            skip = byte - 2;
            continue;
        }
        if skip > 0 {
            skip -= 1;
            continue;
        }
        match byte {
            OPTION_END => break,
            OPTION_NOP => {}
            OPTION_LOOSE_ROUTE | OPTION_STRICT_ROUTE => return Opaque::SourceRouted,
            _ => at_length = true,
        }
    }
    if at_length { Opaque::Malformed } else { Opaque::None }
}
