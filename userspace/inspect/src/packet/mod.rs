//! One packet: from its link header to its transport payload.
//!
//! The semantic twin of the kernel parser: the same shapes are read, and what cannot be read gets
//! the same [`Opaque`] kind. Offline more shapes are read that the kernel counts as `not_ip`:
//! MPLS (RFC 3032), PPPoE sessions (RFC 2516), SNAP (RFC 1042), VN-Tag, provider backbone frames
//! (IEEE 802.1ah), frames that IEEE 802.1AE authenticates and does not encrypt, and the network service header (RFC 8300). Fixed header fields are read through
//! `pnet_packet` views; every length is checked here first.

mod ipv4;
mod ipv6;
mod link;
mod transport;
pub mod tunnel;
mod wireless;

use std::net::IpAddr;

use octroi_abi::opaque::Opaque;

use crate::capture::LinkType;

/// IP protocol numbers (IANA).
pub mod protocol {
    /// ICMP.
    pub const ICMP: u8 = 1;
    /// IPv4 in IP.
    pub const IPV4: u8 = 4;
    /// TCP.
    pub const TCP: u8 = 6;
    /// UDP.
    pub const UDP: u8 = 17;
    /// DCCP.
    pub const DCCP: u8 = 33;
    /// IPv6 in IP.
    pub const IPV6: u8 = 41;
    /// GRE.
    pub const GRE: u8 = 47;
    /// IPsec ESP.
    pub const ESP: u8 = 50;
    /// IPsec AH.
    pub const AH: u8 = 51;
    /// ICMP for IPv6.
    pub const ICMPV6: u8 = 58;
    /// SCTP.
    pub const SCTP: u8 = 132;
    /// UDP-Lite.
    pub const UDP_LITE: u8 = 136;
    /// Ethernet within IP.
    pub const ETHER_IP: u8 = 97;
    /// L2TP version 3.
    pub const L2TP: u8 = 115;
    /// MPLS in IP.
    pub const MPLS: u8 = 137;
}

/// TCP flags, as in the 14th byte of the header.
pub mod tcp_flag {
    /// No more data from the sender.
    pub const FIN: u8 = 0x01;
    /// Synchronise sequence numbers.
    pub const SYN: u8 = 0x02;
    /// Reset.
    pub const RST: u8 = 0x04;
    /// Push.
    pub const PSH: u8 = 0x08;
    /// The acknowledgement number is meaningful.
    pub const ACK: u8 = 0x10;
}

/// What only TCP has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TcpInfo {
    /// See [`tcp_flag`].
    pub flags: u8,
    /// Sequence number of the first payload byte (of the SYN itself when it is set).
    pub sequence: u32,
    /// Acknowledgement number.
    pub acknowledgement: u32,
}

/// What only ICMP and ICMPv6 have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IcmpInfo {
    /// Type.
    pub kind: u8,
    /// Code.
    pub code: u8,
    /// Identifier of an echo request or reply.
    pub echo_identifier: Option<u16>,
}

/// The packet is a fragment of a datagram.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Fragment {
    /// IPv4 identification (16 bits) or IPv6 fragment identification.
    pub identification: u32,
    /// Place of the payload in the datagram, bytes. Ports are known at 0 only.
    pub offset_bytes: u32,
    /// More fragments follow.
    pub more: bool,
    /// Protocol in the IPv4 header or IPv6 fragment header.
    pub protocol: u8,
}

/// A packet with addresses and a transport protocol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Parsed<'a> {
    /// Source address.
    pub source: IpAddr,
    /// Destination address.
    pub destination: IpAddr,
    /// IP protocol number, the last one of an IPv6 header chain.
    pub protocol: u8,
    /// Source port; 0 when the protocol has none and in later fragments.
    pub source_port: u16,
    /// Destination port.
    pub destination_port: u16,
    /// Only in TCP.
    pub tcp: Option<TcpInfo>,
    /// Only in ICMP and ICMPv6.
    pub icmp: Option<IcmpInfo>,
    /// Bytes that the transport header takes behind the IP headers (in a fragment of IPv6, behind
    /// the fragment header); 0 when the protocol has no known one.
    pub header_bytes: u32,
    /// Bytes behind the transport header, link padding cut off. For protocols without a known
    /// header and for later fragments, bytes behind the IP headers.
    pub payload: &'a [u8],
    /// Payload is missing: the capture has less than the packet had.
    pub cut: bool,
    /// The packet is a fragment.
    pub fragment: Option<Fragment>,
    /// Why the packet hides its answer, though its addresses are readable.
    pub opaque: Opaque,
    /// Bytes from the IP header on (IP total length).
    pub ip_bytes: u32,
}

impl Parsed<'_> {
    /// The same without its payload: what can outlive the bytes it was read from.
    #[must_use]
    pub fn without_payload(&self) -> Parsed<'static> {
        Parsed {
            source: self.source,
            destination: self.destination,
            protocol: self.protocol,
            source_port: self.source_port,
            destination_port: self.destination_port,
            tcp: self.tcp,
            icmp: self.icmp,
            header_bytes: self.header_bytes,
            payload: &[],
            cut: self.cut,
            fragment: self.fragment,
            opaque: self.opaque,
            ip_bytes: self.ip_bytes,
        }
    }
}

/// A packet without a readable flow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unparsed {
    /// Why. `None`: traffic of the link itself (ARP), which is not opaque.
    pub opaque: Opaque,
    /// Source and destination, where they could be read.
    pub addresses: Option<(IpAddr, IpAddr)>,
}

impl Unparsed {
    fn link(opaque: Opaque) -> Self {
        Self {
            opaque,
            addresses: None,
        }
    }
}

/// Reads a whole packet.
///
/// # Errors
///
/// The packet has no readable flow: [`Unparsed`] says why.
pub fn parse(link: LinkType, data: &[u8]) -> Result<Parsed<'_>, Unparsed> {
    parse_captured(link, data, u32::try_from(data.len()).unwrap_or(u32::MAX))
}

/// Reads a captured packet that was `wire_bytes` long on the wire: payload that the capture left
/// out is no sign of a truncated packet.
///
/// # Errors
///
/// The packet has no readable flow: [`Unparsed`] says why.
pub fn parse_captured(
    link: LinkType,
    data: &[u8],
    wire_bytes: u32,
) -> Result<Parsed<'_>, Unparsed> {
    let network = link::network(link, data).map_err(Unparsed::link)?;
    let header_bytes = data.len() - network.bytes().len();
    let wire = (wire_bytes as usize).saturating_sub(header_bytes);
    match network {
        link::Network::V4(bytes) => ipv4::parse(bytes, wire.max(bytes.len())),
        link::Network::V6(bytes) => ipv6::parse(bytes, wire.max(bytes.len())),
        link::Network::Link(_) => Err(Unparsed::link(Opaque::None)),
    }
}

/// A fixed field as an array; zeros where the slice is short.
fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut out = [0; N];
    if let Some(part) = bytes.get(at..at.saturating_add(N)) {
        out.copy_from_slice(part);
    }
    out
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes(array(bytes, at))
}

#[cfg(test)]
mod tests;
