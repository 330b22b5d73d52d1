//! The link layer: Ethernet with at most two VLAN tags (IEEE 802.1Q, 802.1ad), then MPLS
//! (RFC 3032) or PPPoE (RFC 2516); or no link header at all.
//!
//! What is behind is found here, and parsed in one place whatever the way to it.

use octroi_abi::opaque::Opaque;
use octroi_abi::outcome::Direction;

use crate::fragment as fragments;
use crate::frame::{Frame, header};
use crate::packet::{Packet, fragment};
use crate::{ipv4, ipv6};

/// Length of an Ethernet header.
pub const ETHERNET_BYTES: u32 = 14;
/// Length of a VLAN tag.
pub const TAG_BYTES: u32 = 4;
/// Length of a PPPoE header, without the PPP protocol.
pub const PPPOE_BYTES: u32 = 6;
/// Longest PPP protocol field.
pub const PPP_PROTOCOL_BYTES: u32 = 2;
/// Where a PPPoE header has its length.
pub const PPPOE_LENGTH: u32 = 4;

const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_ARP: u16 = 0x0806;
const ETHERTYPE_IPV6: u16 = 0x86dd;
const ETHERTYPE_VLAN: u16 = 0x8100;
const ETHERTYPE_QINQ: u16 = 0x88a8;
const ETHERTYPE_MPLS: u16 = 0x8847;
const ETHERTYPE_MPLS_UPSTREAM: u16 = 0x8848;
const ETHERTYPE_PPPOE_DISCOVERY: u16 = 0x8863;
const ETHERTYPE_PPPOE_SESSION: u16 = 0x8864;

/// MPLS labels that are walked; a deeper stack is opaque.
const MAX_LABELS: u32 = 8;
const LABEL_BYTES: u32 = 4;
/// In the third byte of a label stack entry: this is the last one.
const BOTTOM_OF_STACK: u8 = 1;

/// Version 1, type 1.
const PPPOE_VERSION_AND_TYPE: u8 = 0x11;
const PPPOE_SESSION_CODE: u8 = 0;
/// PADO, PADI, PADR, PADS, PADT.
const PPPOE_DISCOVERY_CODES: [u8; 5] = [0x07, 0x09, 0x19, 0x65, 0xa7];

const PPP_IPV4: u16 = 0x0021;
const PPP_IPV6: u16 = 0x0057;
/// IPCP, IPV6CP, CCP, LCP, PAP, LQR, CHAP, EAP: what the two ends of the session say to each other
/// (IANA "PPP DLL Protocol Numbers").
const PPP_CONTROL: [u16; 8] =
    [0x8021, 0x8057, 0x80fd, 0xc021, 0xc023, 0xc025, 0xc223, 0xc227];

/// First five bytes of the group addresses that no bridge forwards, whose last is below 16
/// (IEEE 802.1Q table 8-1): spanning tree, LACP, 802.1X, LLDP.
const RESERVED_GROUP: [u8; 5] = [0x01, 0x80, 0xc2, 0, 0];
const RESERVED_GROUP_LAST: u8 = 0x0f;

/// What stands before the IP header on the interfaces that a program runs on.
#[derive(Clone, Copy)]
pub enum Link {
    /// An Ethernet header.
    Ethernet,
    /// Nothing: tun, PPP and tunnel devices carry IP packets.
    Bare,
}

/// What is behind the link header.
#[derive(Clone, Copy)]
enum Behind {
    Ipv4,
    Ipv6,
    /// The link's own traffic.
    Control,
    Opaque(Opaque),
}

#[derive(Clone, Copy)]
#[repr(C)]
struct Pppoe {
    version_and_type: u8,
    code: u8,
    session: u16,
    length: u16,
    protocol: [u8; 2],
}

/// Parses a frame into `packet`.
#[inline(always)]
pub fn parse<F: Frame>(frame: &F, link: Link, direction: Direction, packet: &mut Packet) {
    let behind = match link {
        Link::Ethernet => ethernet(frame, packet),
        Link::Bare => by_version(frame, 0),
    };
    match behind {
        Behind::Ipv4 => ipv4::parse(frame, direction, packet),
        Behind::Ipv6 => ipv6::parse(frame, direction, packet),
        Behind::Control => packet.link_control = 1,
        Behind::Opaque(kind) => packet.give_up(kind),
    }
    if packet.fragment != fragment::WHOLE {
        fragments::resolve(direction, packet);
    }
}

#[inline(always)]
fn ethernet<F: Frame>(frame: &F, packet: &mut Packet) -> Behind {
    let mut network = ETHERNET_BYTES;
    let Some(mut ethertype) = header::<F, u16>(frame, network - 2) else {
        return Behind::Opaque(Opaque::Truncated);
    };
    for _ in 0..2 {
        if ethertype != ETHERTYPE_VLAN.to_be() && ethertype != ETHERTYPE_QINQ.to_be() {
            break;
        }
        network += TAG_BYTES;
        let Some(inner) = header::<F, u16>(frame, network - 2) else {
            return Behind::Opaque(Opaque::Truncated);
        };
        ethertype = inner;
    }
    packet.network = network;
    match u16::from_be(ethertype) {
        ETHERTYPE_IPV4 => Behind::Ipv4,
        ETHERTYPE_IPV6 => Behind::Ipv6,
        ETHERTYPE_ARP => Behind::Control,
        other => rare(frame, other, packet),
    }
}

/// What is neither IP nor ARP at first sight: apart, because it is no part of the fast path.
#[inline(never)]
fn rare<F: Frame>(frame: &F, ethertype: u16, packet: &mut Packet) -> Behind {
    match ethertype {
        ETHERTYPE_MPLS | ETHERTYPE_MPLS_UPSTREAM => mpls(frame, packet),
        ETHERTYPE_PPPOE_SESSION => pppoe_session(frame, packet),
        ETHERTYPE_PPPOE_DISCOVERY => pppoe_discovery(frame, packet),
        _ if is_for_this_link(frame) => Behind::Control,
        _ => Behind::Opaque(Opaque::NotIp),
    }
}

/// IP, by the version in its first four bits; anything else is none.
#[inline(always)]
fn by_version<F: Frame>(frame: &F, offset: u32) -> Behind {
    let Some(first) = header::<F, u8>(frame, offset) else {
        return Behind::Opaque(Opaque::Truncated);
    };
    match first >> 4 {
        4 => Behind::Ipv4,
        6 => Behind::Ipv6,
        _ => Behind::Opaque(Opaque::NotIp),
    }
}

/// Walks to the bottom of a label stack. Labels do not say what they carry: IP is told by its
/// version (RFC 4928 section 3); pseudowires and associated channels begin with 0 or 1.
#[inline(always)]
fn mpls<F: Frame>(frame: &F, packet: &mut Packet) -> Behind {
    packet.labelled = 1;
    for _ in 0..MAX_LABELS {
        let at = packet.network;
        let Some(label) = header::<F, [u8; LABEL_BYTES as usize]>(frame, at) else {
            return Behind::Opaque(Opaque::Truncated);
        };
        packet.network = at + LABEL_BYTES;
        if label[2] & BOTTOM_OF_STACK != 0 {
            return by_version(frame, packet.network);
        }
    }
    Behind::Opaque(Opaque::NotIp)
}

/// The length in the header bounds what follows: a frame may be padded.
#[inline(always)]
fn pppoe_session<F: Frame>(frame: &F, packet: &mut Packet) -> Behind {
    let at = packet.network;
    let Some(found) = header::<F, Pppoe>(frame, at) else {
        return Behind::Opaque(Opaque::Truncated);
    };
    if found.version_and_type != PPPOE_VERSION_AND_TYPE || found.code != PPPOE_SESSION_CODE {
        return Behind::Opaque(Opaque::Malformed);
    }
    // A protocol below 256 may be one byte, which is then odd (RFC 1661 section 6.5): not
    // recommended here, but Linux takes it.
    let (protocol, protocol_bytes) = if found.protocol[0] & 1 != 0 {
        (found.protocol[0] as u16, 1)
    } else {
        (u16::from_be_bytes(found.protocol), PPP_PROTOCOL_BYTES)
    };
    let length = u16::from_be(found.length) as u32;
    if length <= protocol_bytes || frame.length() < at + PPPOE_BYTES + length {
        return Behind::Opaque(Opaque::Truncated);
    }
    packet.session = at as u8;
    packet.room = (length - protocol_bytes) as u16;
    packet.network = at + PPPOE_BYTES + protocol_bytes;
    match protocol {
        PPP_IPV4 => Behind::Ipv4,
        PPP_IPV6 => Behind::Ipv6,
        other if PPP_CONTROL.contains(&other) => Behind::Control,
        _ => Behind::Opaque(Opaque::NotIp),
    }
}

/// How a session begins and ends: between a station and the concentrators of its link, with no
/// destination beyond.
#[inline(always)]
fn pppoe_discovery<F: Frame>(frame: &F, packet: &Packet) -> Behind {
    let Some(found) = header::<F, [u8; PPPOE_BYTES as usize]>(frame, packet.network) else {
        return Behind::Opaque(Opaque::Truncated);
    };
    let known = PPPOE_DISCOVERY_CODES.contains(&found[1]);
    if found[0] != PPPOE_VERSION_AND_TYPE || !known {
        return Behind::Opaque(Opaque::Malformed);
    }
    Behind::Control
}

/// Whether the frame ends at this link, whatever it holds.
#[inline(always)]
fn is_for_this_link<F: Frame>(frame: &F) -> bool {
    let Some(station) = header::<F, [u8; 6]>(frame, 0) else {
        return false;
    };
    station[..5] == RESERVED_GROUP && station[5] <= RESERVED_GROUP_LAST
}
