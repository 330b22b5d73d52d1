//! Programs that only benches and tests run: the floor, and a look-up alone.

use aya_ebpf::bindings::xdp_action::{XDP_DROP, XDP_PASS};
use aya_ebpf::macros::xdp;
use aya_ebpf::programs::XdpContext;
use octroi_abi::control::Active;

use crate::atlas;
use crate::frame::{XdpFrame, header};
use crate::outbound::active;
use crate::packet::mapped;

/// Does nothing: what a packet costs before Octroi begins.
#[xdp(frags)]
pub fn octroi_noop(_context: XdpContext) -> u32 {
    XDP_PASS
}

/// Looks up the destination of an untagged packet. Answers with `0x10000 | class`.
#[xdp]
pub fn octroi_lookup(context: XdpContext) -> u32 {
    let frame = XdpFrame::new(&context);
    let Some(active) = active() else {
        return XDP_DROP;
    };
    let half = Active::unpack(active).atlas_half;
    let class = if header::<_, u16>(&frame, 12) == Some(0x0800_u16.to_be()) {
        let Some(address) = header::<_, u32>(&frame, 30) else {
            return XDP_DROP;
        };
        let words = mapped(address);
        // SAFETY: two words are sixteen bytes.
        let bytes: [u8; 16] = unsafe { core::mem::transmute(words) };
        atlas::class_of(half, &bytes, 4)
    } else {
        let Some(bytes) = header::<_, [u8; 16]>(&frame, 38) else {
            return XDP_DROP;
        };
        atlas::class_of(half, &bytes, 6)
    };
    match class {
        Some(class) => 0x1_0000 | class as u32,
        None => XDP_DROP,
    }
}
