//! Frames, built byte by byte.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use octroi_abi::flow::FlowKey;

use super::checksum;

pub const TCP: u8 = 6;
pub const UDP: u8 = 17;
pub const ICMP: u8 = 1;
pub const ICMPV6: u8 = 58;

pub const FIN: u8 = 1;
pub const SYN: u8 = 2;
pub const RST: u8 = 4;
pub const PSH: u8 = 8;
pub const ACK: u8 = 16;

pub const INSIDE_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
pub const GATE_MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];

/// An Ethernet frame from the inside, with VLAN tags (`(ethertype, id)`, outermost first).
pub fn ethernet_tagged(tags: &[(u16, u16)], ethertype: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = GATE_MAC.to_vec();
    frame.extend_from_slice(&INSIDE_MAC);
    for (kind, id) in tags {
        frame.extend_from_slice(&kind.to_be_bytes());
        frame.extend_from_slice(&id.to_be_bytes());
    }
    frame.extend_from_slice(&ethertype.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// An untagged frame around an IP packet.
pub fn ethernet(packet: &[u8]) -> Vec<u8> {
    let ethertype = if packet[0] >> 4 == 6 { 0x86dd } else { 0x0800 };
    ethernet_tagged(&[], ethertype, packet)
}

/// An IPv4 packet to be bent.
#[derive(Clone)]
pub struct V4 {
    pub source: Ipv4Addr,
    pub destination: Ipv4Addr,
    pub protocol: u8,
    pub ttl: u8,
    pub options: Vec<u8>,
    pub identification: u16,
    /// Bytes.
    pub offset: u16,
    pub more: bool,
    pub payload: Vec<u8>,
}

impl V4 {
    pub fn new(source: &str, destination: &str, protocol: u8, payload: Vec<u8>) -> Self {
        Self {
            source: source.parse().unwrap(),
            destination: destination.parse().unwrap(),
            protocol,
            ttl: 64,
            options: Vec::new(),
            identification: 0x1234,
            offset: 0,
            more: false,
            payload,
        }
    }

    pub fn bytes(&self) -> Vec<u8> {
        assert_eq!(self.options.len() % 4, 0);
        let header = 20 + self.options.len();
        let total = u16::try_from(header + self.payload.len()).unwrap();
        let mut bytes = vec![0x40 | u8::try_from(header / 4).unwrap(), 0];
        bytes.extend_from_slice(&total.to_be_bytes());
        bytes.extend_from_slice(&self.identification.to_be_bytes());
        let flags = (self.offset / 8) | if self.more { 0x2000 } else { 0 };
        bytes.extend_from_slice(&flags.to_be_bytes());
        bytes.extend_from_slice(&[self.ttl, self.protocol, 0, 0]);
        bytes.extend_from_slice(&self.source.octets());
        bytes.extend_from_slice(&self.destination.octets());
        bytes.extend_from_slice(&self.options);
        let check = checksum::of(&bytes);
        bytes[10..12].copy_from_slice(&check.to_be_bytes());
        bytes.extend_from_slice(&self.payload);
        bytes
    }

    pub fn frame(&self) -> Vec<u8> {
        ethernet(&self.bytes())
    }
}

/// An IPv6 packet; `payload` begins with the header that `next_header` names.
pub fn v6(
    source: &str,
    destination: &str,
    next_header: u8,
    hop_limit: u8,
    payload: &[u8],
) -> Vec<u8> {
    let source: Ipv6Addr = source.parse().unwrap();
    let destination: Ipv6Addr = destination.parse().unwrap();
    let mut bytes = vec![0x60, 0, 0, 0];
    bytes.extend_from_slice(&u16::try_from(payload.len()).unwrap().to_be_bytes());
    bytes.extend_from_slice(&[next_header, hop_limit]);
    bytes.extend_from_slice(&source.octets());
    bytes.extend_from_slice(&destination.octets());
    bytes.extend_from_slice(payload);
    bytes
}

pub fn tcp(source: u16, destination: u16, flags: u8, payload: &[u8]) -> Vec<u8> {
    tcp_numbered(source, destination, 1000, 2000, flags, payload)
}

pub fn tcp_numbered(
    source: u16,
    destination: u16,
    sequence: u32,
    acknowledgment: u32,
    flags: u8,
    payload: &[u8],
) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend_from_slice(&source.to_be_bytes());
    bytes.extend_from_slice(&destination.to_be_bytes());
    bytes.extend_from_slice(&sequence.to_be_bytes());
    bytes.extend_from_slice(&acknowledgment.to_be_bytes());
    bytes.extend_from_slice(&[0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
    bytes.extend_from_slice(payload);
    bytes
}

pub fn udp(source: u16, destination: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend_from_slice(&source.to_be_bytes());
    bytes.extend_from_slice(&destination.to_be_bytes());
    bytes.extend_from_slice(&u16::try_from(8 + payload.len()).unwrap().to_be_bytes());
    bytes.extend_from_slice(&[0, 0]);
    bytes.extend_from_slice(payload);
    bytes
}

pub fn icmp(kind: u8, code: u8, identifier: u16) -> Vec<u8> {
    let mut bytes = vec![kind, code, 0, 0];
    bytes.extend_from_slice(&identifier.to_be_bytes());
    bytes.extend_from_slice(&[0, 1, 0xab, 0xcd, 0xef, 0x01]);
    bytes
}

/// A transport payload from the usual inside host to an address.
pub fn to(destination: &str, protocol: u8, payload: Vec<u8>) -> Vec<u8> {
    between(inside_of(destination), destination, protocol, payload)
}

/// A reply from an address to the usual inside host.
pub fn from(source: &str, protocol: u8, payload: Vec<u8>) -> Vec<u8> {
    between(source, inside_of(source), protocol, payload)
}

pub fn between(source: &str, destination: &str, protocol: u8, payload: Vec<u8>) -> Vec<u8> {
    if destination.contains(':') {
        ethernet(&v6(source, destination, protocol, 64, &payload))
    } else {
        V4::new(source, destination, protocol, payload).frame()
    }
}

fn inside_of(other: &str) -> &'static str {
    if other.contains(':') {
        INSIDE_V6
    } else {
        INSIDE_V4
    }
}

pub const INSIDE_V4: &str = "10.1.2.3";
pub const INSIDE_V6: &str = "fd00::1:2:3";

/// The key of a flow from the usual inside host.
pub fn key(outside: &str, inside_port: u16, outside_port: u16, protocol: u8) -> FlowKey {
    key_between(
        inside_of(outside),
        outside,
        inside_port,
        outside_port,
        protocol,
    )
}

pub fn key_between(
    inside: &str,
    outside: &str,
    inside_port: u16,
    outside_port: u16,
    protocol: u8,
) -> FlowKey {
    let outside: IpAddr = outside.parse().unwrap();
    FlowKey {
        inside: mapped(inside.parse().unwrap()),
        outside: mapped(outside),
        inside_port,
        outside_port,
        protocol,
        family: if outside.is_ipv4() { 4 } else { 6 },
        reserved: [0; 2],
    }
}

pub fn mapped(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}
