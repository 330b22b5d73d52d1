//! Flows of a capture: both directions of one five-tuple, with counters.

mod fragment;
mod index;
mod initiator;
mod table;
mod tuple;

use std::net::{IpAddr, Ipv6Addr};

use octroi_abi::flow::FlowKey;

pub use fragment::FragmentTable;
pub(crate) use index::Index;
pub use table::{Flow, FlowTable, Limits, Seen, TcpState};
pub use tuple::{LANES, lane_of, lane_of_key};

/// The key of a flow whose outbound packets go from `inside` to `outside`.
#[must_use]
pub fn key(
    inside: IpAddr,
    outside: IpAddr,
    protocol: u8,
    inside_port: u16,
    outside_port: u16,
) -> FlowKey {
    FlowKey {
        inside: mapped(inside),
        outside: mapped(outside),
        inside_port,
        outside_port,
        protocol,
        family: if outside.is_ipv4() { 4 } else { 6 },
        reserved: [0; 2],
    }
}

/// The inside address of a key.
#[must_use]
pub fn inside(key: &FlowKey) -> IpAddr {
    address(key.inside, key.family)
}

/// The outside address of a key.
#[must_use]
pub fn outside(key: &FlowKey) -> IpAddr {
    address(key.outside, key.family)
}

/// The form addresses have in a [`FlowKey`]: IPv4 as `::ffff:a.b.c.d`.
#[must_use]
pub fn mapped(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

/// Source and destination port as a flow counts them: an ICMP echo has its identifier first.
fn flow_ports(packet: &crate::packet::Parsed<'_>) -> (u16, u16) {
    match packet.icmp {
        Some(icmp) => (icmp.echo_identifier.unwrap_or(0), 0),
        None => (packet.source_port, packet.destination_port),
    }
}

fn address(bytes: [u8; 16], family: u8) -> IpAddr {
    let address = Ipv6Addr::from(bytes);
    match address.to_ipv4_mapped() {
        Some(mapped) if family == 4 => IpAddr::V4(mapped),
        _ => IpAddr::V6(address),
    }
}

#[cfg(test)]
mod tests;
