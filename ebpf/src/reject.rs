//! Answers to rejected packets that came in by XDP.
//!
//! The frame itself becomes the answer (`XDP_TX`): link addresses are swapped, VLAN tags and PPPoE
//! session stay. The answer comes from the address the client spoke to: the gateway has none that
//! it would expect. Behind MPLS labels there is no answer: the labels of the way back are not known.

use core::mem::size_of;

use aya_ebpf::bindings::xdp_md;
use aya_ebpf::helpers::generated::{
    bpf_csum_diff, bpf_xdp_adjust_head, bpf_xdp_adjust_tail, bpf_xdp_load_bytes,
    bpf_xdp_store_bytes,
};
use octroi_abi::outcome::{Direction, Loss};

use crate::answer::{self, ICMP_BYTES, IPV4_BYTES, IPV6_BYTES, QUOTE_BYTES, TCP_BYTES};
use crate::count;
use crate::frame::{Frame as _, XdpFrame};
use crate::link::{
    ETHERNET_BYTES, PPP_PROTOCOL_BYTES, PPPOE_BYTES, PPPOE_LENGTH, TAG_BYTES,
};
use crate::maps::SCRATCH;
use crate::packet::{Packet, protocol};

/// Longest link header that an answer keeps: Ethernet, two tags and PPPoE.
const LINK_BYTES: usize =
    (ETHERNET_BYTES + 2 * TAG_BYTES + PPPOE_BYTES + PPP_PROTOCOL_BYTES) as usize;
/// Stations at the start of a link header.
const STATIONS_BYTES: u32 = 12;

/// Turns the frame into an answer. `false`: it must not be answered, or cannot be.
#[inline(never)]
pub fn answer(frame: &XdpFrame, packet: &Packet, now_ns: u64) -> bool {
    if !answer::may_answer(packet) || !answer::within_rate(now_ns) {
        return false;
    }
    let answered = if packet.labelled != 0 {
        false
    } else if packet.key.protocol == protocol::TCP {
        reset(frame, packet)
    } else {
        prohibited(frame, packet)
    };
    if !answered {
        count::loss(Loss::RejectAnswer);
    }
    answered
}

#[inline(never)]
fn reset(frame: &XdpFrame, packet: &Packet) -> bool {
    let context = frame.context();
    let length = frame.length();
    let network = packet.network;
    if packet.key.family == 4 {
        let answer = answer::reset_v4(packet);
        let total = IPV4_BYTES + TCP_BYTES;
        shrink(context, length, network + total)
            && turn_link(context, packet, total)
            && store(context, network, &answer)
    } else {
        let (header, segment) = answer::reset_v6(packet);
        let total = IPV6_BYTES + TCP_BYTES;
        shrink(context, length, network + total)
            && turn_link(context, packet, total)
            && store(context, network, &header)
            && store(context, network + IPV6_BYTES, &segment)
    }
}

/// Cuts the frame to `length` bytes.
#[inline(always)]
fn shrink(context: *mut xdp_md, now: u32, length: u32) -> bool {
    // SAFETY: a helper on the program's own context.
    now >= length
        && (now == length
            || unsafe { bpf_xdp_adjust_tail(context, length as i32 - now as i32) } == 0)
}

#[inline(always)]
fn store<T>(context: *mut xdp_md, offset: u32, value: &T) -> bool {
    let value = core::ptr::from_ref(value).cast_mut().cast();
    // SAFETY: the helper reads the bytes of `value`.
    unsafe { bpf_xdp_store_bytes(context, offset, value, size_of::<T>() as u32) == 0 }
}

/// Makes the link header of the frame that of an answer of `total` IP bytes.
#[inline(always)]
fn turn_link(context: *mut xdp_md, packet: &Packet, total: u32) -> bool {
    if packet.network == 0 {
        return true;
    }
    let mut stations = [[0_u8; 6]; 2];
    let to = (&raw mut stations).cast();
    // SAFETY: the helper writes as many bytes as there is room for.
    if unsafe { bpf_xdp_load_bytes(context, 0, to, STATIONS_BYTES) } != 0 {
        return false;
    }
    if stations[1][0] & 1 != 0 {
        // No station sends from a group address.
        return false;
    }
    stations.swap(0, 1);
    store(context, 0, &stations) && announce(context, packet, total)
}

/// Writes the length of an answer of `total` IP bytes into a PPPoE header, if there is one.
#[inline(always)]
fn announce(context: *mut xdp_md, packet: &Packet, total: u32) -> bool {
    if packet.session == 0 {
        return true;
    }
    let session = packet.session as u32;
    let length = packet.network - session - PPPOE_BYTES + total;
    store(context, session + PPPOE_LENGTH, &(length as u16).to_be())
}

#[inline(never)]
fn prohibited(frame: &XdpFrame, packet: &Packet) -> bool {
    let context = frame.context();
    let length = frame.length();
    let network = packet.network;
    let quoted = answer::quoted_bytes(packet);
    if quoted == 0 || quoted > QUOTE_BYTES {
        return false;
    }
    let Some(scratch) = SCRATCH.get_ptr_mut(Direction::Outbound as u32) else {
        return false;
    };
    // SAFETY: this CPU's and this direction's own slot.
    let quote = unsafe { (&raw mut (*scratch).sample.payload).cast::<u8>() };
    if !frame.load(network, quote, quoted) {
        return false;
    }
    // SAFETY: the helper reads the bytes just written.
    let quote_sum =
        unsafe { bpf_csum_diff(core::ptr::null_mut(), 0, quote.cast(), quoted, 0) };
    if quote_sum < 0 {
        return false;
    }

    let mut link = [0_u8; LINK_BYTES];
    if network > LINK_BYTES as u32 {
        return false;
    }
    if network != 0 {
        if !frame.load(0, link.as_mut_ptr(), network) || link[6] & 1 != 0 {
            return false;
        }
        swap_first(&mut link);
    }

    let v4 = packet.key.family == 4;
    let head = ICMP_BYTES + if v4 { IPV4_BYTES } else { IPV6_BYTES };
    // SAFETY: a helper on the program's own context.
    if !shrink(context, length, network + quoted)
        || unsafe { bpf_xdp_adjust_head(context, -(head as i32)) } != 0
    {
        return false;
    }
    if network != 0 {
        let link = link.as_mut_ptr().cast();
        // SAFETY: the helper reads `network` bytes of `link`, at most its length.
        if unsafe { bpf_xdp_store_bytes(context, 0, link, network) } != 0
            || !announce(context, packet, head + quoted)
        {
            return false;
        }
    }
    if v4 {
        let (header, message) = answer::prohibited_v4(packet, quoted, quote_sum as u64);
        store(context, network, &header) && store(context, network + IPV4_BYTES, &message)
    } else {
        let (header, message) = answer::prohibited_v6(packet, quoted, quote_sum as u64);
        store(context, network, &header) && store(context, network + IPV6_BYTES, &message)
    }
}

/// Swaps the two stations at the start of a link header.
#[inline(always)]
fn swap_first(link: &mut [u8; LINK_BYTES]) {
    let mut at = 0;
    while at < 6 {
        let station = link[at];
        link[at] = link[at + 6];
        link[at + 6] = station;
        at += 1;
    }
}
