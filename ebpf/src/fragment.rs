//! Fragments: the later ones follow the flow of the first.

use octroi_abi::flow::{FragmentKey, FragmentState};
use octroi_abi::opaque::Opaque;
use octroi_abi::outcome::{Direction, Loss};

use crate::count;
use crate::maps::FRAGMENTS;
use crate::packet::Packet;

#[inline(always)]
fn fragment_key(
    direction: Direction,
    packet: &Packet,
    identification: u32,
    protocol: u8,
) -> FragmentKey {
    let (source, destination) = match direction {
        Direction::Outbound => (packet.key.inside, packet.key.outside),
        Direction::Reply => (packet.key.outside, packet.key.inside),
    };
    FragmentKey {
        source,
        destination,
        identification,
        protocol,
        family: packet.key.family,
        direction: direction as u8,
        reserved: 0,
    }
}

/// Notes the flow of a first fragment. `header_end`: bytes of the reassembled payload that its
/// headers take.
#[inline(never)]
pub fn remember(
    direction: Direction,
    packet: &Packet,
    identification: u32,
    protocol: u8,
    header_end: u32,
) {
    if !packet.has_flow() {
        return;
    }
    let key = fragment_key(direction, packet, identification, protocol);
    let state = FragmentState {
        key: packet.key,
        header_end,
        reserved: 0,
    };
    if FRAGMENTS.insert(&key, &state, 0).is_err() {
        count::loss(Loss::FragmentInsert);
    }
}

/// Gives a later fragment the key of its flow.
#[inline(never)]
pub fn follow(
    direction: Direction,
    packet: &mut Packet,
    identification: u32,
    protocol: u8,
    offset_bytes: u32,
) {
    let key = fragment_key(direction, packet, identification, protocol);
    let Some(state) = FRAGMENTS.get_ptr(&key) else {
        return packet.give_up(without_first(protocol, offset_bytes));
    };
    // SAFETY: the pointer is the kernel's; an entry that is reused meanwhile still holds a state.
    let state = unsafe { &*state };
    if offset_bytes < state.header_end {
        return packet.give_up(Opaque::FragmentOverlapping);
    }
    packet.key = state.key;
    let opaque = crate::transport::of_flow(state.key.protocol, state.key.family);
    if opaque as u8 != 0 {
        packet.note(opaque);
    }
}

/// A fragment that begins inside the TCP header is a trick, with or without its first
/// (RFC 3128).
#[inline(always)]
fn without_first(protocol: u8, offset_bytes: u32) -> Opaque {
    if protocol == crate::packet::protocol::TCP && offset_bytes < 20 {
        Opaque::FragmentOverlapping
    } else {
        Opaque::FragmentWithoutFirst
    }
}
