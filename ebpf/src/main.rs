//! octroi-ebpf: the kernel programs.
//!
//! Owns: what happens to one packet, from its first byte to its verdict. Shares its shapes and
//! codes with userspace through `octroi-abi`, and knows nothing else: no address, no country, no
//! policy is compiled in. One file, one concern; the ways of a packet are `outbound` (XDP) and
//! `reply` (TCX egress).
//!
//! Packet bytes are read through pointers that need not be aligned: the kernel's verifier checks
//! bounds, and allows unaligned loads where the machine does (x86-64, arm64).
#![no_std]
#![no_main]
#![feature(asm_experimental_arch)]

#[cfg(not(target_endian = "little"))]
compile_error!("addresses are handled as little-endian words: build for bpfel-unknown-none");

mod account;
mod atomic;
mod atlas;
mod control;
mod count;
mod cut;
mod event;
mod fragment;
mod frame;
mod ipv4;
mod ipv6;
mod judge;
mod link;
mod maps;
mod outbound;
mod packet;
mod probe;
mod reject;
mod reply;
mod sample;
mod table;
mod transport;

use aya_ebpf::macros::{classifier, xdp};
use aya_ebpf::programs::{TcContext, XdpContext};

use crate::frame::{SkbFrame, XdpFrame};
use crate::link::Link;

/// XDP on the inside interface: outbound packets.
#[xdp(frags)]
pub fn octroi_outbound(context: XdpContext) -> u32 {
    outbound::run(&XdpFrame::new(&context), Link::Ethernet)
}

/// The same on an interface without a link header: a tun, PPP or tunnel device.
#[xdp(frags)]
pub fn octroi_outbound_l3(context: XdpContext) -> u32 {
    outbound::run(&XdpFrame::new(&context), Link::Bare)
}

/// TCX egress on the inside interface: replies.
#[classifier]
pub fn octroi_reply(context: TcContext) -> i32 {
    reply::run(&SkbFrame::new(&context), Link::Ethernet)
}

/// The same on an interface without a link header.
#[classifier]
pub fn octroi_reply_l3(context: TcContext) -> i32 {
    reply::run(&SkbFrame::new(&context), Link::Bare)
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
