//! The link's own traffic, and the gateway's: both pass in every mode and have no flow.

use crate::maps::GATEWAY_ADDRESSES;
use crate::packet::{Address, Packet, protocol, words};

const DHCP_SERVER: u16 = 67;
const DHCP_CLIENT: u16 = 68;
/// Only a host on the same link can send it (RFC 4861 section 7.1, RFC 5082).
const NEVER_FORWARDED: u8 = 255;
const ROUTER_SOLICITATION: u8 = 133;
const REDIRECT: u8 = 137;
const MULTICAST_LISTENER_QUERY: u8 = 130;
const MULTICAST_LISTENER_DONE: u8 = 132;
const MULTICAST_LISTENER_REPORT_V2: u8 = 143;

/// Whether a packet is the link's own: to link-local and link-scope multicast destinations,
/// DHCP broadcasts, neighbour discovery, multicast membership.
///
/// The rules are about the packet's destination, so that none of them lets a packet out of the
/// link: a router forwards no link-local source (RFC 4291 section 2.5.6), and neighbour discovery
/// to a global address passes only inside its own /64.
#[inline(always)]
pub fn is_link(source: Address, destination: Address, packet: &Packet) -> bool {
    if packet.key.family == 4 {
        is_link_v4(destination, packet)
    } else {
        is_link_v6(source, destination, packet)
    }
}

#[inline(always)]
fn is_link_v4(destination: Address, packet: &Packet) -> bool {
    let address = ((destination[1] >> 32) as u32).swap_bytes();
    let link_local = address >> 16 == 0xa9fe;
    let link_multicast = address >> 8 == 0x00e0_0000;
    if link_local || link_multicast {
        return true;
    }
    if address == u32::MAX {
        let ports = (packet.key.inside_port, packet.key.outside_port);
        return packet.key.protocol == protocol::UDP
            && (ports == (DHCP_CLIENT, DHCP_SERVER) || ports == (DHCP_SERVER, DHCP_CLIENT));
    }
    // Reports go to the group itself, one hop far (RFC 2236 section 2).
    packet.key.protocol == protocol::IGMP && address >> 28 == 0xe && packet.hop_limit == 1
}

#[inline(always)]
fn is_link_v6(source: Address, destination: Address, packet: &Packet) -> bool {
    let high = destination[0].swap_bytes();
    let link_local = high >> 54 == 0xfe80 >> 6;
    let link_multicast = high >> 48 == 0xff02;
    if link_local || link_multicast {
        return true;
    }
    if packet.key.protocol != protocol::ICMPV6 || packet.icmp_code != 0 {
        return false;
    }
    let kind = packet.icmp_type;
    if (ROUTER_SOLICITATION..=REDIRECT).contains(&kind) && packet.hop_limit == NEVER_FORWARDED {
        let source_link_local = source[0].swap_bytes() >> 54 == 0xfe80 >> 6;
        return source_link_local || source == [0; 2] || source[0] == destination[0];
    }
    // Reports of version 1 go to the group itself, one hop far (RFC 2710 section 3).
    let listener = (MULTICAST_LISTENER_QUERY..=MULTICAST_LISTENER_DONE).contains(&kind)
        || kind == MULTICAST_LISTENER_REPORT_V2;
    listener && high >> 56 == 0xff && packet.hop_limit == 1
}

/// Whether a packet can be the link's own although a flow has its key: decided by more than the
/// key, so it is asked before the flow table.
#[inline(always)]
pub fn is_beyond_key(packet: &Packet) -> bool {
    packet.key.protocol == protocol::ICMPV6 || packet.key.protocol == protocol::IGMP
}

/// Whether an address is the gateway's own.
#[inline(always)]
pub fn is_gateway(address: &[u8; 16]) -> bool {
    GATEWAY_ADDRESSES.get_ptr(words(address)).is_some()
}
