//! The link layer: Ethernet and at most two VLAN tags (IEEE 802.1Q, 802.1ad).

use octroi_abi::opaque::Opaque;
use octroi_abi::outcome::Direction;

use crate::frame::{Frame, header};
use crate::packet::Packet;
use crate::{ipv4, ipv6};

/// Length of an Ethernet header.
pub const ETHERNET_BYTES: u32 = 14;
/// Length of a VLAN tag.
pub const TAG_BYTES: u32 = 4;

const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_ARP: u16 = 0x0806;
const ETHERTYPE_IPV6: u16 = 0x86dd;
const ETHERTYPE_VLAN: u16 = 0x8100;
const ETHERTYPE_QINQ: u16 = 0x88a8;

/// Parses a frame into `packet`.
#[inline(always)]
pub fn parse<F: Frame>(frame: &F, direction: Direction, packet: &mut Packet) {
    let mut network = ETHERNET_BYTES;
    let Some(mut ethertype) = header::<F, u16>(frame, network - 2) else {
        return packet.give_up(Opaque::Truncated);
    };
    for _ in 0..2 {
        if ethertype != ETHERTYPE_VLAN.to_be() && ethertype != ETHERTYPE_QINQ.to_be() {
            break;
        }
        network += TAG_BYTES;
        let Some(inner) = header::<F, u16>(frame, network - 2) else {
            return packet.give_up(Opaque::Truncated);
        };
        ethertype = inner;
    }
    packet.network = network;
    match u16::from_be(ethertype) {
        ETHERTYPE_IPV4 => ipv4::parse(frame, direction, packet),
        ETHERTYPE_IPV6 => ipv6::parse(frame, direction, packet),
        ETHERTYPE_ARP => packet.arp = 1,
        _ => packet.give_up(Opaque::NotIp),
    }
}
