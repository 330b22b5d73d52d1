//! Link headers: from the first byte of a packet to its IP header.

use octroi_abi::opaque::Opaque;
use pnet_packet::ethernet::{EtherTypes, EthernetPacket};
use pnet_packet::vlan::VlanPacket;

use super::u16_at;
use crate::capture::LinkType;

/// What a link header leads to.
pub(super) enum Network<'a> {
    V4(&'a [u8]),
    V6(&'a [u8]),
    /// The link's own traffic: ARP.
    Link(&'a [u8]),
}

impl<'a> Network<'a> {
    pub(super) fn bytes(&self) -> &'a [u8] {
        match self {
            Self::V4(bytes) | Self::V6(bytes) | Self::Link(bytes) => bytes,
        }
    }
}

const ETHERNET_BYTES: usize = 14;
const VLAN_BYTES: usize = 4;
/// VLAN tags accepted, as in the kernel.
const MAX_VLAN_TAGS: u8 = 2;
/// MPLS labels accepted.
const MAX_MPLS_LABELS: usize = 8;

/// Ethertypes that pnet has no name for.
mod ethertype {
    pub(super) const MPLS_UNICAST: u16 = 0x8847;
    pub(super) const MPLS_MULTICAST: u16 = 0x8848;
    pub(super) const PPPOE_SESSION: u16 = 0x8864;
    pub(super) const MAC_SECURITY: u16 = 0x88e5;
    pub(super) const PROVIDER_BACKBONE: u16 = 0x88e7;
    pub(super) const VN_TAG: u16 = 0x8926;
    pub(super) const SERVICE_HEADER: u16 = 0x894f;
    /// Values up to here are lengths of IEEE 802.3 frames.
    pub(super) const MAX_LENGTH: u16 = 1_500;
}

const PPP_IPV4: u16 = 0x0021;
const PPP_IPV6: u16 = 0x0057;
const PPP_MPLS_UNICAST: u16 = 0x0281;

pub(super) fn network(link: LinkType, data: &[u8]) -> Result<Network<'_>, Opaque> {
    match link {
        LinkType::ETHERNET => ethernet(data),
        LinkType::RAW | LinkType::RAW_BSD | LinkType::RAW_OPENBSD => raw(data),
        LinkType::IPV4 => Ok(Network::V4(data)),
        LinkType::IPV6 => Ok(Network::V6(data)),
        LinkType::NULL | LinkType::LOOP => loopback(data),
        LinkType::LINUX_SLL => cooked(data, 16, 14),
        LinkType::LINUX_SLL2 => cooked(data, 20, 0),
        LinkType::PPP | LinkType::PPP_HDLC => match data.first() {
            Some(0x0f | 0x8f) => cisco_hdlc(data),
            _ => ppp(data),
        },
        LinkType::C_HDLC => cisco_hdlc(data),
        LinkType::PPP_ETHER => pppoe(data),
        LinkType::IPOIB => cooked(data, 44, 40),
        _ => Err(Opaque::NotIp),
    }
}

pub(super) fn ethernet(data: &[u8]) -> Result<Network<'_>, Opaque> {
    inner_ethernet(data, 0)
}

fn inner_ethernet(data: &[u8], tags: u8) -> Result<Network<'_>, Opaque> {
    let header = EthernetPacket::new(data).ok_or(Opaque::Truncated)?;
    by_ethertype(header.get_ethertype().0, &data[ETHERNET_BYTES..], tags)
}

/// Network service header (RFC 8300): its length in words, and what follows it.
fn service_header(data: &[u8], tags: u8) -> Result<Network<'_>, Opaque> {
    let Some(&[_, length, _, next]) = data.first_chunk::<4>() else {
        return Err(Opaque::Truncated);
    };
    let rest = data
        .get(usize::from(length & 0x3f) * 4..)
        .ok_or(Opaque::Truncated)?;
    match next {
        1 => Ok(Network::V4(rest)),
        2 => Ok(Network::V6(rest)),
        3 => inner_ethernet(rest, tags),
        _ => Err(Opaque::NotIp),
    }
}

/// A frame under IEEE 802.1AE that is authenticated and not encrypted; its check value stands at its
/// end, where the length of the IP packet leaves it out.
fn mac_security(data: &[u8], tags: u8) -> Result<Network<'_>, Opaque> {
    const VERSION: u8 = 0x80;
    const WITH_CHANNEL: u8 = 0x20;
    const ENCRYPTED: u8 = 0x08;
    const CHANGED: u8 = 0x04;
    const CHECK_BYTES: usize = 16;
    let control = *data.first().ok_or(Opaque::Truncated)?;
    if control & (VERSION | ENCRYPTED | CHANGED) != 0 {
        return Err(Opaque::NotIp);
    }
    let at = if control & WITH_CHANNEL == 0 { 6 } else { 14 };
    // Short frames say how long they are without the check value.
    let short = usize::from(*data.get(1).ok_or(Opaque::Truncated)?);
    if short != 0 && data.len() < at + short + CHECK_BYTES {
        return Err(Opaque::Truncated);
    }
    let rest = data.get(at + 2..).ok_or(Opaque::Truncated)?;
    by_ethertype(u16_at(data, at), rest, tags)
}

/// IEEE 802.2 with SNAP and an ethertype in it (RFC 1042).
pub(super) fn snap(data: &[u8], tags: u8) -> Result<Network<'_>, Opaque> {
    match data {
        [0xaa, 0xaa, 3, 0, 0, 0, high, low, rest @ ..] => match u16::from_be_bytes([*high, *low]) {
            0..=ethertype::MAX_LENGTH => Err(Opaque::NotIp),
            kind => by_ethertype(kind, rest, tags),
        },
        _ => Err(Opaque::NotIp),
    }
}

/// What an ethertype says follows, `tags` VLAN tags deep.
pub(super) fn by_ethertype(kind: u16, rest: &[u8], tags: u8) -> Result<Network<'_>, Opaque> {
    const IPV4: u16 = EtherTypes::Ipv4.0;
    const IPV6: u16 = EtherTypes::Ipv6.0;
    const ARP: u16 = EtherTypes::Arp.0;
    const VLAN: u16 = EtherTypes::Vlan.0;
    // IEEE 802.1ad; and the number vendors used before it.
    const PROVIDER_BRIDGE: u16 = EtherTypes::PBridge.0;
    const QINQ: u16 = EtherTypes::QinQ.0;
    match kind {
        IPV4 => Ok(Network::V4(rest)),
        IPV6 => Ok(Network::V6(rest)),
        ARP => Ok(Network::Link(rest)),
        VLAN | PROVIDER_BRIDGE | QINQ if tags < MAX_VLAN_TAGS => {
            let tag = VlanPacket::new(rest).ok_or(Opaque::Truncated)?;
            by_ethertype(tag.get_ethertype().0, &rest[VLAN_BYTES..], tags + 1)
        }
        ethertype::MPLS_UNICAST | ethertype::MPLS_MULTICAST => mpls(rest),
        ethertype::PPPOE_SESSION => pppoe(rest),
        ethertype::VN_TAG if tags < MAX_VLAN_TAGS => {
            let inner = rest.get(6..).ok_or(Opaque::Truncated)?;
            by_ethertype(u16_at(rest, 4), inner, tags + 1)
        }
        // IEEE 802.1ah: a service tag, then the customer's whole frame.
        ethertype::PROVIDER_BACKBONE if tags < MAX_VLAN_TAGS => {
            let frame = rest.get(4..).ok_or(Opaque::Truncated)?;
            inner_ethernet(frame, tags + 1)
        }
        ethertype::MAC_SECURITY if tags < MAX_VLAN_TAGS => mac_security(rest, tags + 1),
        ethertype::SERVICE_HEADER if tags < MAX_VLAN_TAGS => service_header(rest, tags + 1),
        0..=ethertype::MAX_LENGTH => snap(rest, tags),
        _ => Err(Opaque::NotIp),
    }
}

/// Behind the label with the bottom-of-stack bit there is no type: the IP version tells
/// (RFC 4928). A pseudowire begins with 0 or 1 there and is not IP.
pub(super) fn mpls(data: &[u8]) -> Result<Network<'_>, Opaque> {
    for (index, label) in data.chunks_exact(4).take(MAX_MPLS_LABELS).enumerate() {
        if label[2] & 1 == 1 {
            return raw(&data[4 * (index + 1)..]);
        }
    }
    Err(if data.len() < 4 * MAX_MPLS_LABELS {
        Opaque::Truncated
    } else {
        Opaque::NotIp
    })
}

fn raw(data: &[u8]) -> Result<Network<'_>, Opaque> {
    match data.first().map(|first| first >> 4) {
        Some(4) => Ok(Network::V4(data)),
        Some(6) => Ok(Network::V6(data)),
        Some(_) => Err(Opaque::NotIp),
        None => Err(Opaque::Truncated),
    }
}

/// The address family is in the byte order of a machine that nobody knows, and IPv6 has another
/// number on each system: 10 Linux, 23 Windows, 24 NetBSD, 28 FreeBSD, 30 macOS.
fn loopback(data: &[u8]) -> Result<Network<'_>, Opaque> {
    let Some((family, rest)) = data.split_first_chunk::<4>() else {
        return Err(Opaque::Truncated);
    };
    let family = u32::from_le_bytes(*family).min(u32::from_be_bytes(*family));
    match family {
        2 => Ok(Network::V4(rest)),
        10 | 23 | 24 | 28 | 30 => Ok(Network::V6(rest)),
        _ => Err(Opaque::NotIp),
    }
}

/// Linux cooked capture: a header of fixed length with an ethertype in it.
fn cooked(data: &[u8], header_bytes: usize, type_at: usize) -> Result<Network<'_>, Opaque> {
    let rest = data.get(header_bytes..).ok_or(Opaque::Truncated)?;
    by_ethertype(u16_at(data, type_at), rest, 0)
}

/// PPP (RFC 1661), the address and control bytes (RFC 1662) and a one-byte protocol optional.
pub(super) fn ppp(data: &[u8]) -> Result<Network<'_>, Opaque> {
    let data = data.strip_prefix(&[0xff, 0x03]).unwrap_or(data);
    let (kind, rest) = match data {
        [first, rest @ ..] if first & 1 == 1 => (u16::from(*first), rest),
        [first, second, rest @ ..] => (u16::from_be_bytes([*first, *second]), rest),
        _ => return Err(Opaque::Truncated),
    };
    match kind {
        PPP_IPV4 => Ok(Network::V4(rest)),
        PPP_IPV6 => Ok(Network::V6(rest)),
        PPP_MPLS_UNICAST => mpls(rest),
        _ => Err(Opaque::NotIp),
    }
}

fn cisco_hdlc(data: &[u8]) -> Result<Network<'_>, Opaque> {
    let rest = data.get(4..).ok_or(Opaque::Truncated)?;
    by_ethertype(u16_at(data, 2), rest, 0)
}

/// A PPPoE session packet: version and type 1, code 0 (RFC 2516 section 4).
fn pppoe(data: &[u8]) -> Result<Network<'_>, Opaque> {
    let Some((header, rest)) = data.split_first_chunk::<6>() else {
        return Err(Opaque::Truncated);
    };
    if header[0] != 0x11 || header[1] != 0 {
        return Err(Opaque::NotIp);
    }
    ppp(rest)
}
