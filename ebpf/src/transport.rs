//! The transport header: ports, TCP numbers, where the payload begins.

use octroi_abi::opaque::Opaque;
use octroi_abi::outcome::Direction;
use octroi_abi::tunnel;

use crate::frame::{Frame, header};
use crate::packet::{Packet, fragment, protocol};

const TCP_BYTES: u32 = 20;
const UDP_BYTES: u32 = 8;
const SCTP_BYTES: u32 = 12;
const DCCP_BYTES: u32 = 12;
const ICMP_BYTES: u32 = 8;

const ECHO_REPLY: u8 = 0;
const ECHO_REQUEST: u8 = 8;
const ECHO_REQUEST_V6: u8 = 128;
const ECHO_REPLY_V6: u8 = 129;

/// The part of a packet behind the IP headers.
pub struct Part {
    /// Where it begins in the frame.
    pub offset: u32,
    /// Its bytes.
    pub bytes: u32,
    /// Its protocol.
    pub protocol: u8,
}

#[derive(Clone, Copy)]
#[repr(C)]
struct Tcp {
    source_port: u16,
    destination_port: u16,
    sequence: u32,
    acknowledgment: u32,
    data_offset: u8,
    flags: u8,
    window: u16,
}

#[derive(Clone, Copy)]
#[repr(C)]
struct Udp {
    source_port: u16,
    destination_port: u16,
    length: u16,
    checksum: u16,
}

#[derive(Clone, Copy)]
#[repr(C)]
struct Icmp {
    kind: u8,
    code: u8,
    checksum: u16,
    identifier: u16,
    sequence: u16,
}

/// Parses the transport header of a whole packet or of a first fragment.
#[inline(always)]
pub fn parse<F: Frame>(frame: &F, direction: Direction, packet: &mut Packet, part: &Part) {
    match part.protocol {
        protocol::TCP => tcp(frame, direction, packet, part),
        protocol::UDP => udp(frame, direction, packet, part),
        protocol::UDP_LITE => ports(frame, direction, packet, part, UDP_BYTES),
        protocol::SCTP => ports(frame, direction, packet, part, SCTP_BYTES),
        protocol::DCCP => ports(frame, direction, packet, part, DCCP_BYTES),
        protocol::ICMP if packet.key.family == 4 => icmp(frame, packet, part),
        protocol::ICMPV6 if packet.key.family == 6 => icmp(frame, packet, part),
        other => packet.note(tunnel::of_protocol(other)),
    }
}

/// A header that is not there in full: in a first fragment that is a trick (RFC 1858 section 3).
#[inline(always)]
fn short(packet: &Packet) -> Opaque {
    if packet.fragment == fragment::FIRST {
        Opaque::FragmentTiny
    } else {
        Opaque::Truncated
    }
}

#[inline(always)]
fn tcp<F: Frame>(frame: &F, direction: Direction, packet: &mut Packet, part: &Part) {
    if part.bytes < TCP_BYTES {
        return packet.give_up(short(packet));
    }
    let Some(found) = header::<F, Tcp>(frame, part.offset) else {
        return packet.give_up(short(packet));
    };
    let header_bytes = (found.data_offset as u32 >> 4) * 4;
    if header_bytes < TCP_BYTES {
        return packet.give_up(Opaque::Malformed);
    }
    if part.bytes < header_bytes {
        return packet.give_up(short(packet));
    }
    packet.set_ports(
        direction,
        u16::from_be(found.source_port),
        u16::from_be(found.destination_port),
    );
    packet.sequence = u32::from_be(found.sequence);
    packet.acknowledgment = u32::from_be(found.acknowledgment);
    packet.tcp_flags = found.flags;
    packet.transport = part.offset;
    packet.payload = part.offset + header_bytes;
    packet.payload_bytes = part.bytes - header_bytes;
    segments(frame, packet);
}

#[inline(always)]
fn udp<F: Frame>(frame: &F, direction: Direction, packet: &mut Packet, part: &Part) {
    if part.bytes < UDP_BYTES {
        return packet.give_up(short(packet));
    }
    let Some(found) = header::<F, Udp>(frame, part.offset) else {
        return packet.give_up(short(packet));
    };
    let mut length = u16::from_be(found.length) as u32;
    if frame.segment_bytes() > 0 || packet.fragment != fragment::WHOLE {
        // Of the whole datagram, not of this piece.
        length = part.bytes;
    }
    if length < UDP_BYTES {
        return packet.give_up(Opaque::Malformed);
    }
    if length > part.bytes {
        return packet.give_up(Opaque::Truncated);
    }
    packet.set_ports(
        direction,
        u16::from_be(found.source_port),
        u16::from_be(found.destination_port),
    );
    packet.payload = part.offset + UDP_BYTES;
    packet.payload_bytes = length - UDP_BYTES;
    if tunnel::is_udp_port(packet.key.outside_port) {
        tunnelled(frame, packet);
    }
    segments(frame, packet);
}

/// Notes a tunnel over UDP. A payload too short for a tunnel's header reads as zeros.
#[inline(never)]
fn tunnelled<F: Frame>(frame: &F, packet: &mut Packet) {
    let head = if packet.payload_bytes < size_of::<[u8; 8]>() as u32 {
        [0; 8]
    } else {
        header::<F, [u8; 8]>(frame, packet.payload).unwrap_or([0; 8])
    };
    let kind = tunnel::over_udp(packet.key.outside_port, head);
    if kind as u8 != 0 {
        packet.note(kind);
    }
}

#[inline(always)]
fn ports<F: Frame>(
    frame: &F,
    direction: Direction,
    packet: &mut Packet,
    part: &Part,
    header_bytes: u32,
) {
    if part.bytes < header_bytes {
        return packet.give_up(short(packet));
    }
    let Some(found) = header::<F, [u16; 2]>(frame, part.offset) else {
        return packet.give_up(short(packet));
    };
    packet.set_ports(direction, u16::from_be(found[0]), u16::from_be(found[1]));
    packet.payload = part.offset + header_bytes;
    packet.payload_bytes = part.bytes - header_bytes;
    segments(frame, packet);
}

#[inline(always)]
fn icmp<F: Frame>(frame: &F, packet: &mut Packet, part: &Part) {
    if part.bytes < ICMP_BYTES {
        return packet.give_up(short(packet));
    }
    let Some(found) = header::<F, Icmp>(frame, part.offset) else {
        return packet.give_up(short(packet));
    };
    packet.icmp_type = found.kind;
    packet.icmp_code = found.code;
    let echo = if packet.key.family == 4 {
        matches!(found.kind, ECHO_REQUEST | ECHO_REPLY)
    } else {
        matches!(found.kind, ECHO_REQUEST_V6 | ECHO_REPLY_V6)
    };
    if echo {
        // The same number both ways, so that request and reply share a key.
        packet.key.inside_port = u16::from_be(found.identifier);
    }
    packet.payload = part.offset + ICMP_BYTES;
    packet.payload_bytes = part.bytes - ICMP_BYTES;
}

/// Counts a frame that the kernel has not split yet as the segments it will become, each with its
/// own headers.
#[inline(always)]
fn segments<F: Frame>(frame: &F, packet: &mut Packet) {
    let segment_bytes = frame.segment_bytes();
    if segment_bytes == 0 || packet.payload_bytes <= segment_bytes {
        return;
    }
    let count = packet.payload_bytes.div_ceil(segment_bytes);
    let header_bytes = packet.payload - packet.network;
    packet.segments = count;
    packet.ip_bytes += (count - 1) as u64 * header_bytes as u64;
}
