//! Answers to rejected packets of this host itself, on their way out (TCX egress).
//!
//! The socket buffer becomes the answer and turns round: `bpf_redirect` with `BPF_F_INGRESS` hands it
//! to the host's own stack as if it had just come in, so that a local program learns of a reject as
//! a client behind a gateway does. Dropping it would leave TCP to its time-outs: the local stack
//! takes a drop on egress for congestion.

use core::mem::size_of;

use aya_ebpf::bindings::{__sk_buff, bpf_adj_room_mode};
use aya_ebpf::helpers::generated::{
    bpf_csum_diff, bpf_skb_adjust_room, bpf_skb_change_tail, bpf_skb_store_bytes,
};
use octroi_abi::outcome::{Direction, Loss};

use crate::answer::{self, ICMP_BYTES, IPV4_BYTES, IPV6_BYTES, QUOTE_BYTES, TCP_BYTES};
use crate::count;
use crate::frame::{Frame as _, SkbFrame};
use crate::maps::SCRATCH;
use crate::packet::{Packet, protocol};

/// Stations at the start of an Ethernet header.
const STATIONS_BYTES: u32 = 12;

/// Turns the socket buffer into an answer. `false`: it must not be answered, or cannot be.
#[inline(never)]
pub fn answer(frame: &SkbFrame, packet: &Packet, now_ns: u64) -> bool {
    if !answer::may_answer(packet) || !answer::within_rate(now_ns) {
        return false;
    }
    let answered = if packet.labelled != 0 || packet.session != 0 {
        // What is encapsulated by hand is not this host's own connection.
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
fn reset(frame: &SkbFrame, packet: &Packet) -> bool {
    let context = frame.context();
    let network = packet.network;
    if packet.key.family == 4 {
        let answer = answer::reset_v4(packet);
        cut(context, network + IPV4_BYTES + TCP_BYTES)
            && swap_stations(frame, packet)
            && store(context, network, &answer)
    } else {
        let (header, segment) = answer::reset_v6(packet);
        cut(context, network + IPV6_BYTES + TCP_BYTES)
            && swap_stations(frame, packet)
            && store(context, network, &header)
            && store(context, network + IPV6_BYTES, &segment)
    }
}

#[inline(never)]
fn prohibited(frame: &SkbFrame, packet: &Packet) -> bool {
    let context = frame.context();
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
    let v4 = packet.key.family == 4;
    let head = ICMP_BYTES + if v4 { IPV4_BYTES } else { IPV6_BYTES };
    if !cut(context, network + quoted) || !make_room(context, head) || !swap_stations(frame, packet)
    {
        return false;
    }
    if v4 {
        let (header, message) = answer::prohibited_v4(packet, quoted, quote_sum as u64);
        store(context, network, &header) && store(context, network + IPV4_BYTES, &message)
    } else {
        let (header, message) = answer::prohibited_v6(packet, quoted, quote_sum as u64);
        store(context, network, &header) && store(context, network + IPV6_BYTES, &message)
    }
}

/// Cuts the buffer to `length` bytes; segments that were to come of it are forgotten.
#[inline(always)]
fn cut(context: *mut __sk_buff, length: u32) -> bool {
    // SAFETY: a helper on the program's own context.
    unsafe { bpf_skb_change_tail(context, length, 0) == 0 }
}

/// Makes room between the link header and the IP header.
#[inline(always)]
fn make_room(context: *mut __sk_buff, bytes: u32) -> bool {
    // SAFETY: a helper on the program's own context.
    unsafe {
        bpf_skb_adjust_room(context, bytes as i32, bpf_adj_room_mode::BPF_ADJ_ROOM_MAC, 0) == 0
    }
}

#[inline(always)]
fn store<T>(context: *mut __sk_buff, offset: u32, value: &T) -> bool {
    let value = core::ptr::from_ref(value).cast();
    // SAFETY: the helper reads the bytes of `value`.
    unsafe { bpf_skb_store_bytes(context, offset, value, size_of::<T>() as u32, 0) == 0 }
}

/// Swaps the link addresses, if there is a link header.
#[inline(always)]
fn swap_stations(frame: &SkbFrame, packet: &Packet) -> bool {
    if packet.network == 0 {
        return true;
    }
    let mut stations = [[0_u8; 6]; 2];
    if !frame.load(0, (&raw mut stations).cast(), STATIONS_BYTES) {
        return false;
    }
    stations.swap(0, 1);
    store(frame.context(), 0, &stations)
}
