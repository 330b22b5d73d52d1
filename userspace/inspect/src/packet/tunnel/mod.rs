//! What a tunnel carries, for offline reading: the packet inside another packet.
//!
//! The outer packet keeps its flow and its verdict: what is inside is evidence of what the tunnel
//! is used for, never the name of the outer flow.

mod capwap;
mod l2tp;

use super::transport::{self, Datagram};
use super::{Parsed, Unparsed, ipv4, ipv6, link, protocol, u16_at};

/// Tunnels within tunnels that are followed.
pub const MAX_DEPTH: usize = 4;

const GTP_USER: u16 = 2152;
const VXLAN: u16 = 4789;
/// The port of VXLAN before it had one: Linux, and what builds on it, still takes it.
const VXLAN_OF_LINUX: u16 = 8472;
const GENEVE: u16 = 6081;
const TEREDO: u16 = 3544;
const L2TP: u16 = 1701;
const VXLAN_GENERIC: u16 = 4790;
const MPLS_OVER_UDP: u16 = 6635;
const CAPWAP: u16 = 5247;
const GRE_OVER_UDP: u16 = 4754;
const GENERIC_UDP: u16 = 6080;
const MULTICAST: u16 = 2268;
const LOCATOR: u16 = 4341;

/// Transparent Ethernet bridging.
const ETHERTYPE_BRIDGE: u16 = 0x6558;
const GRE_PPP: u16 = 0x880b;
const GRE_ERSPAN: u16 = 0x88be;
const GRE_ERSPAN_3: u16 = 0x22eb;

/// Whether the ports of a UDP packet are those of a tunnel.
#[must_use]
pub fn may_be(outer: &Parsed<'_>) -> bool {
    const PORTS: [u16; 13] = [
        GTP_USER,
        VXLAN,
        VXLAN_OF_LINUX,
        GENEVE,
        TEREDO,
        L2TP,
        VXLAN_GENERIC,
        MPLS_OVER_UDP,
        CAPWAP,
        GRE_OVER_UDP,
        GENERIC_UDP,
        MULTICAST,
        LOCATOR,
    ];
    outer.protocol == protocol::UDP
        && (PORTS.contains(&outer.destination_port) || PORTS.contains(&outer.source_port))
}

/// The packet inside `outer`, when it is an unencrypted tunnel: IP in IP (6in4, 6rd and 4in6 too),
/// GRE (over UDP too), Ethernet in IP, MPLS, AH, L2TP, GTP-U, VXLAN, Geneve, Teredo, CAPWAP, GUE, AMT,
/// LISP. `None` when it is not, or cannot be read.
#[must_use]
pub fn inside<'a>(outer: &Parsed<'a>) -> Option<Parsed<'a>> {
    if outer.fragment.is_some() {
        return None;
    }
    let payload = outer.payload;
    match outer.protocol {
        protocol::IPV4 | protocol::IPV6 => ip(payload),
        protocol::GRE => gre(payload),
        // RFC 3378: version 3, reserved bits zero.
        protocol::ETHER_IP => ethernet(payload.strip_prefix(&[0x30, 0])?),
        protocol::MPLS => read(link::mpls(payload)),
        protocol::L2TP => network(l2tp::over_ip(payload)?),
        protocol::AH => authenticated(outer),
        protocol::UDP => over_udp(outer),
        _ => None,
    }
}

fn over_udp<'a>(outer: &Parsed<'a>) -> Option<Parsed<'a>> {
    let payload = outer.payload;
    let is = |port| outer.source_port == port || outer.destination_port == port;
    match outer.destination_port {
        // RFC 7348 section 5: the flag of a valid network identifier.
        VXLAN => (payload.first()? & 0x08 != 0).then(|| ethernet(payload.get(8..)?))?,
        // Not everything there is VXLAN: no other bit may be set.
        VXLAN_OF_LINUX => {
            let (header, frame) = payload.split_first_chunk::<8>()?;
            (header[..4] == [8, 0, 0, 0] && header[7] == 0).then(|| ethernet(frame))?
        }
        GENEVE => geneve(payload),
        VXLAN_GENERIC => generic_vxlan(payload),
        // RFC 7510.
        MPLS_OVER_UDP => read(link::mpls(payload)),
        // RFC 8086.
        GRE_OVER_UDP => gre(payload),
        GENERIC_UDP => generic_udp(payload),
        LOCATOR => locator(payload),
        _ if is(GTP_USER) => gtp(payload),
        _ if is(TEREDO) => teredo(payload),
        _ if is(L2TP) => network(l2tp::over_udp(payload)?),
        _ if is(CAPWAP) => network(capwap::inside(payload)?),
        // RFC 7450 section 5.1.6: version 0, a message of data.
        _ if is(MULTICAST) => ip(payload.strip_prefix(&[6, 0])?),
        _ => None,
    }
}

fn network(network: link::Network<'_>) -> Option<Parsed<'_>> {
    read(Ok(network))
}

fn read(network: Result<link::Network<'_>, octroi_abi::opaque::Opaque>) -> Option<Parsed<'_>> {
    match network.ok()? {
        link::Network::V4(bytes) => whole(ipv4::parse(bytes, usize::from(u16::MAX))),
        link::Network::V6(bytes) => whole(ipv6::parse(bytes, usize::from(u16::MAX) + 40)),
        link::Network::Link(_) => None,
    }
}

/// The outer packet may be cut by the capture: inner lengths are not checked against it.
fn whole(parsed: Result<Parsed<'_>, Unparsed>) -> Option<Parsed<'_>> {
    parsed.ok()
}

fn ip(bytes: &[u8]) -> Option<Parsed<'_>> {
    match bytes.first()? >> 4 {
        4 => read(Ok(link::Network::V4(bytes))),
        6 => read(Ok(link::Network::V6(bytes))),
        _ => None,
    }
}

fn ethernet(bytes: &[u8]) -> Option<Parsed<'_>> {
    read(link::ethernet(bytes))
}

/// GRE (RFC 2784, RFC 2890), PPTP's version 1 (RFC 2637) and ERSPAN types I to III.
fn gre(bytes: &[u8]) -> Option<Parsed<'_>> {
    let flags = u16_at(bytes.get(..4)?, 0);
    let kind = u16_at(bytes, 2);
    // Routing (RFC 1701) is obsolete, and moves all that follows.
    if flags & 0x4000 != 0 || flags & 7 > 1 {
        return None;
    }
    let (checksum, key, sequence) = (flags & 0x8000, flags & 0x2000, flags & 0x1000);
    let mut at = 4;
    at += if checksum != 0 { 4 } else { 0 };
    at += if key != 0 { 4 } else { 0 };
    at += if sequence != 0 { 4 } else { 0 };
    if flags & 7 == 1 {
        // Enhanced GRE: an acknowledgement number behind the rest.
        at += if flags & 0x0080 != 0 { 4 } else { 0 };
    }
    let rest = bytes.get(at..)?;
    match kind {
        ETHERTYPE_BRIDGE => ethernet(rest),
        GRE_PPP => read(link::ppp(rest)),
        GRE_ERSPAN if sequence == 0 => ethernet(rest),
        GRE_ERSPAN => ethernet(rest.get(8..)?),
        // A flag says whether a subheader of the platform follows.
        GRE_ERSPAN_3 => {
            let header = 12 + if *rest.get(11)? & 1 == 0 { 0 } else { 8 };
            ethernet(rest.get(header..)?)
        }
        kind => read(link::by_ethertype(kind, rest, 0)),
    }
}

/// GTP-U version 1 (3GPP TS 29.281): only G-PDU (message 255) carries a packet.
fn gtp(bytes: &[u8]) -> Option<Parsed<'_>> {
    let flags = *bytes.first()?;
    if flags & 0xf0 != 0x30 || *bytes.get(1)? != 255 {
        return None;
    }
    let mut at = 8;
    if flags & 0x07 != 0 {
        // Sequence, N-PDU number and next extension are all there when one of them is.
        let mut next = *bytes.get(11)?;
        at = 12;
        let mut left = 4;
        while next != 0 && left > 0 {
            let length = usize::from(*bytes.get(at)?) * 4;
            if length == 0 {
                return None;
            }
            next = *bytes.get(at + length - 1)?;
            at += length;
            left -= 1;
        }
    }
    ip(bytes.get(at..)?)
}

/// VXLAN with a next protocol (draft-ietf-nvo3-vxlan-gpe): flag P says that there is one.
fn generic_vxlan(bytes: &[u8]) -> Option<Parsed<'_>> {
    let (header, rest) = bytes.split_first_chunk::<8>()?;
    match (header[0] & 0x04, header[3]) {
        (0, _) => (header[0] & 0x08 != 0).then(|| ethernet(rest))?,
        (_, 1) => read(Ok(link::Network::V4(rest))),
        (_, 2) => read(Ok(link::Network::V6(rest))),
        (_, 3) => ethernet(rest),
        _ => None,
    }
}

/// Geneve (RFC 8926).
fn geneve(bytes: &[u8]) -> Option<Parsed<'_>> {
    let first = *bytes.first()?;
    if first >> 6 != 0 {
        return None;
    }
    let rest = bytes.get(8 + usize::from(first & 0x3f) * 4..)?;
    match u16_at(bytes, 2) {
        ETHERTYPE_BRIDGE => ethernet(rest),
        kind => read(link::by_ethertype(kind, rest, 0)),
    }
}

/// Teredo (RFC 4380 section 5.1.1): authentication and origin indications, then IPv6.
fn teredo(mut bytes: &[u8]) -> Option<Parsed<'_>> {
    if bytes.starts_with(&[0, 1]) {
        let identifier = usize::from(*bytes.get(2)?);
        let value = usize::from(*bytes.get(3)?);
        bytes = bytes.get(13 + identifier + value..)?;
    }
    if bytes.starts_with(&[0, 0]) {
        bytes = bytes.get(8..)?;
    }
    (bytes.first()? >> 4 == 6).then(|| ip(bytes))?
}

/// Generic UDP encapsulation (draft-ietf-intarea-gue): version 0 with a protocol number, version 1
/// is the IP packet itself.
fn generic_udp(bytes: &[u8]) -> Option<Parsed<'_>> {
    let &[first, kind, ..] = bytes.first_chunk::<4>()?;
    if first >> 6 == 1 {
        return ip(bytes);
    }
    // A control message, or a version that is not known.
    if first & 0xe0 != 0 {
        return None;
    }
    let rest = bytes.get(4 + usize::from(first & 0x1f) * 4..)?;
    match kind {
        protocol::IPV4 | protocol::IPV6 => ip(rest),
        protocol::GRE => gre(rest),
        _ => None,
    }
}

/// LISP's data packets (RFC 9300 section 5.3): eight bytes of header, then IP.
fn locator(bytes: &[u8]) -> Option<Parsed<'_>> {
    const RESERVED: u8 = 0x07;
    let (header, rest) = bytes.split_first_chunk::<8>()?;
    (header[0] & RESERVED == 0).then(|| ip(rest))?
}

/// What AH (RFC 4302) authenticates, and does not hide: a packet, or the transport of this one.
fn authenticated<'a>(outer: &Parsed<'a>) -> Option<Parsed<'a>> {
    let &[next, words] = outer.payload.first_chunk::<2>()?;
    let payload = outer.payload.get((usize::from(words) + 2) * 4..)?;
    match next {
        protocol::IPV4 | protocol::IPV6 => ip(payload),
        protocol::TCP | protocol::UDP => transport::parse(&Datagram {
            source: outer.source,
            destination: outer.destination,
            protocol: next,
            fragment: None,
            ip_bytes: outer.ip_bytes,
            payload,
            payload_wire: payload.len(),
        })
        .ok(),
        _ => None,
    }
}
