//! octroi-ebpf: the kernel programs.
//!
//! Owns: what happens to one packet, from its first byte to its verdict. Shares its shapes and
//! codes with userspace through `octroi-abi`, and knows nothing else: no address, no country, no
//! policy is compiled in. One file, one concern; the ways of a packet are `outbound` and `reply`,
//! each by XDP or TCX egress: which one is the role of the interface.
//!
//! Packet bytes are read through pointers that need not be aligned: the kernel's verifier checks
//! bounds, and allows unaligned loads where the machine does (x86-64, arm64).
#![no_std]
#![no_main]
#![feature(asm_experimental_arch)]

#[cfg(not(target_endian = "little"))]
compile_error!("addresses are handled as little-endian words: build for bpfel-unknown-none");

mod account;
mod answer;
mod atomic;
mod atlas;
mod control;
mod count;
mod cut;
mod event;
mod fragment;
mod frame;
mod hold;
mod ipv4;
mod ipv6;
mod judge;
mod link;
mod local;
mod maps;
mod outbound;
mod packet;
mod probe;
mod reject;
mod reply;
mod sample;
mod table;
mod transport;

use aya_ebpf::bindings::xdp_action::{XDP_DROP, XDP_PASS, XDP_TX};
use aya_ebpf::helpers::generated::bpf_redirect;
use aya_ebpf::macros::{classifier, xdp};
use aya_ebpf::programs::{TcContext, XdpContext};

use octroi_abi::outcome::Outcome;

use crate::frame::{Frame as _, SkbFrame, XdpFrame};
use crate::link::Link;

/// Let later programs of the same hook run (`enum tcx_action_base`, Linux 6.6).
const TCX_NEXT: i32 = -1;
const TCX_DROP: i32 = 2;
/// Hand the packet to the receiving side of the interface (`linux/bpf.h`).
const INGRESS: u64 = 1;

/// XDP on the inside interface: outbound packets.
#[xdp(frags)]
pub fn octroi_outbound(context: XdpContext) -> u32 {
    outbound_xdp(&context, Link::Ethernet)
}

/// The same for a frame that userspace held: it goes on although its flow awaits its name.
#[xdp(frags)]
pub fn octroi_release(context: XdpContext) -> u32 {
    released_xdp(&context)
}

/// The same on an interface without a link header: a tun, PPP or tunnel device.
#[xdp(frags)]
pub fn octroi_outbound_l3(context: XdpContext) -> u32 {
    outbound_xdp(&context, Link::Bare)
}

/// TCX egress on the inside interface: replies.
#[classifier]
pub fn octroi_reply(context: TcContext) -> i32 {
    reply_tcx(&context, Link::Ethernet)
}

/// The same on an interface without a link header.
#[classifier]
pub fn octroi_reply_l3(context: TcContext) -> i32 {
    reply_tcx(&context, Link::Bare)
}

/// TCX egress of a host that guards itself: outbound packets.
#[classifier]
pub fn octroi_host_outbound(context: TcContext) -> i32 {
    outbound_tcx(&context, Link::Ethernet)
}

/// The same on an interface without a link header.
#[classifier]
pub fn octroi_host_outbound_l3(context: TcContext) -> i32 {
    outbound_tcx(&context, Link::Bare)
}

/// XDP of a host that guards itself: replies.
#[xdp(frags)]
pub fn octroi_host_reply(context: XdpContext) -> u32 {
    reply_xdp(&context, Link::Ethernet)
}

/// The same on an interface without a link header.
#[xdp(frags)]
pub fn octroi_host_reply_l3(context: XdpContext) -> u32 {
    reply_xdp(&context, Link::Bare)
}

#[inline(always)]
fn outbound_xdp(context: &XdpContext, link: Link) -> u32 {
    action(outbound::run::<_, false>(&XdpFrame::new(context), link))
}

#[inline(always)]
fn released_xdp(context: &XdpContext) -> u32 {
    action(outbound::run::<_, true>(&XdpFrame::new(context), Link::Ethernet))
}

#[inline(always)]
fn action(outcome: Outcome) -> u32 {
    match outcome {
        Outcome::Rejected => XDP_TX,
        other if other.passes() => XDP_PASS,
        _ => XDP_DROP,
    }
}

#[inline(always)]
fn outbound_tcx(context: &TcContext, link: Link) -> i32 {
    let frame = SkbFrame::new(context);
    match outbound::run::<_, false>(&frame, link) {
        // SAFETY: a helper without pointers; its answer is the program's.
        Outcome::Rejected => unsafe { bpf_redirect(frame.ifindex(), INGRESS) as i32 },
        other if other.passes() => TCX_NEXT,
        _ => TCX_DROP,
    }
}

#[inline(always)]
fn reply_tcx(context: &TcContext, link: Link) -> i32 {
    let outcome = reply::run(&SkbFrame::new(context), link);
    if reply::goes_on(outcome) { TCX_NEXT } else { TCX_DROP }
}

#[inline(always)]
fn reply_xdp(context: &XdpContext, link: Link) -> u32 {
    let outcome = reply::run(&XdpFrame::new(context), link);
    if reply::goes_on(outcome) { XDP_PASS } else { XDP_DROP }
}

/// Some helpers are for GPL-compatible programs only.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

/// The verifier accepts no endless loop: that this object loads proves that no panic is reachable.
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
