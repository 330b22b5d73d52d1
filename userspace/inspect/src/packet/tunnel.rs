//! What a tunnel carries, for offline reading: the packet inside another packet.
//!
//! The outer packet keeps its flow and its verdict: what is inside is evidence of what the tunnel
//! is used for, never the name of the outer flow.

use super::{Parsed, Unparsed, ipv4, ipv6, link, protocol, u16_at};

/// Tunnels within tunnels that are followed.
pub const MAX_DEPTH: usize = 4;

const GTP_USER: u16 = 2152;
const VXLAN: u16 = 4789;
const GENEVE: u16 = 6081;
const TEREDO: u16 = 3544;
const L2TP: u16 = 1701;
const VXLAN_GENERIC: u16 = 4790;
const MPLS_OVER_UDP: u16 = 6635;

/// Transparent Ethernet bridging.
const ETHERTYPE_BRIDGE: u16 = 0x6558;
const GRE_PPP: u16 = 0x880b;
const GRE_ERSPAN: u16 = 0x88be;
const GRE_ERSPAN_3: u16 = 0x22eb;

/// Whether the ports of a UDP packet are those of a tunnel.
#[must_use]
pub fn may_be(outer: &Parsed<'_>) -> bool {
    const PORTS: [u16; 7] = [
        GTP_USER,
        VXLAN,
        GENEVE,
        TEREDO,
        L2TP,
        VXLAN_GENERIC,
        MPLS_OVER_UDP,
    ];
    outer.protocol == protocol::UDP
        && (PORTS.contains(&outer.destination_port) || PORTS.contains(&outer.source_port))
}

/// The packet inside `outer`, when it is an unencrypted tunnel: IP in IP (6in4 and 4in6 too), GRE,
/// Ethernet in IP, MPLS, GTP-U, VXLAN, Geneve, Teredo, L2TP version 2. `None` when it is not, or
/// cannot be read (L2TP version 3 has cookies whose length only its ends know).
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
        protocol::UDP => {
            let is = |port| outer.source_port == port || outer.destination_port == port;
            if is(GTP_USER) {
                gtp(payload)
            } else if outer.destination_port == VXLAN {
                // RFC 7348 section 5: the flag of a valid network identifier.
                (payload.first()? & 0x08 != 0).then(|| ethernet(payload.get(8..)?))?
            } else if outer.destination_port == GENEVE {
                geneve(payload)
            } else if is(TEREDO) {
                teredo(payload)
            } else if is(L2TP) {
                l2tp(payload)
            } else if outer.destination_port == VXLAN_GENERIC {
                generic_vxlan(payload)
            } else if outer.destination_port == MPLS_OVER_UDP {
                // RFC 7510.
                read(link::mpls(payload))
            } else {
                None
            }
        }
        _ => None,
    }
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

/// L2TP version 2 (RFC 2661 section 3.1): data messages carry PPP.
fn l2tp(bytes: &[u8]) -> Option<Parsed<'_>> {
    let flags = u16_at(bytes.get(..2)?, 0);
    let (control, length, sequence, offset) = (
        flags & 0x8000,
        flags & 0x4000,
        flags & 0x0800,
        flags & 0x0200,
    );
    if flags & 0x000f != 2 || control != 0 {
        return None;
    }
    // Tunnel and session, with the fields that the flags announce around them.
    let mut at = 6;
    at += if length == 0 { 0 } else { 2 };
    at += if sequence == 0 { 0 } else { 4 };
    if offset != 0 {
        at += 2 + usize::from(u16_at(bytes.get(..at + 2)?, at));
    }
    read(link::ppp(bytes.get(at..)?))
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
