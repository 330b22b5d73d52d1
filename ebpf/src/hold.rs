//! Holding what a client says until its name was read: the frame goes to userspace, and nowhere else.
//!
//! Userspace decides the flow, and runs the frame once more (`BPF_PROG_RUN` with live frames): it then
//! meets the verdict as any packet does. When nobody reads, nothing goes on.

use core::mem::size_of;

use aya_ebpf::helpers::generated::bpf_ringbuf_output;
use octroi_abi::control::{Control, RELEASES};
use octroi_abi::event::{HELD_BYTES, HeldHeader};
use octroi_abi::outcome::{Loss, Outcome};
use octroi_abi::table::{Account, short_time};

use crate::count;
use crate::frame::Frame;
use crate::maps::{HELD, HOLD};
use crate::outbound::Outbound;
use crate::packet::{Packet, fragment, tcp};

/// Where and when a held frame was seen.
pub struct Sight {
    now_ns: u64,
    ifindex: u32,
    frame_bytes: u32,
}

impl Sight {
    /// Of a frame.
    #[inline(always)]
    pub fn of<F: Frame>(frame: &F, now_ns: u64) -> Self {
        Self {
            now_ns,
            ifindex: frame.ifindex(),
            frame_bytes: frame.length(),
        }
    }
}

/// Whether a packet of a flow that awaits its name is to be held: it carries something that the client
/// says, or a part of it, or it opens a connection and can be let go on without delay.
#[inline(always)]
pub fn is_due<F: Outbound>(packet: &Packet, control: &Control) -> bool {
    if packet.payload_bytes != 0 || packet.fragment != fragment::WHOLE {
        return true;
    }
    F::GATEWAY
        && control.flags & RELEASES != 0
        && packet.tcp_flags & (tcp::SYN | tcp::ACK) == tcp::SYN
}

/// Gives the frame to userspace. A fragment holds no name that could be read: it is not kept.
#[inline(never)]
pub fn take<F: Frame>(sight: &Sight, frame: &F, packet: &Packet, account: &mut Account) -> Outcome {
    account.last = short_time(sight.now_ns);
    if packet.fragment != fragment::WHOLE || !copy(sight, frame, packet, account.first) {
        count::loss(Loss::Hold);
    }
    Outcome::Held
}

#[inline(always)]
fn copy<F: Frame>(sight: &Sight, frame: &F, packet: &Packet, first: u32) -> bool {
    let Some(held) = HOLD.get_ptr_mut(0) else {
        return false;
    };
    // SAFETY: this CPU's own slot, and this direction's.
    let held = unsafe { &mut *held };
    let length = bounded(sight.frame_bytes);
    if length == 0 || !frame.load(0, held.frame.as_mut_ptr(), length) {
        return false;
    }
    held.header = HeldHeader {
        time_ns: sight.now_ns,
        key: packet.key,
        ifindex: sight.ifindex,
        frame_bytes: sight.frame_bytes,
        length,
        first,
        sequence: packet.sequence,
        payload_bytes: packet.payload_bytes,
        payload: packet.payload as u16,
        transport: packet.transport as u16,
        tcp_flags: packet.tcp_flags,
        reserved: [0; 3],
    };
    let bytes = size_of::<HeldHeader>() as u64 + length as u64;
    // SAFETY: the slot holds header and frame one behind the other; the verifier checks the size.
    // Userspace is woken when it waits: somebody waits for its answer.
    let result = unsafe {
        bpf_ringbuf_output(
            core::ptr::from_ref(&HELD).cast_mut().cast(),
            core::ptr::from_mut(held).cast(),
            bytes,
            0,
        )
    };
    result == 0
}

/// `bytes`, at most [`HELD_BYTES`], in a form whose bounds the verifier can follow.
#[inline(always)]
fn bounded(bytes: u32) -> u32 {
    let mut length = if bytes > HELD_BYTES as u32 {
        HELD_BYTES as u32
    } else {
        bytes
    };
    // SAFETY: a move to itself, so that the compiler does not prove the mask below useless.
    unsafe { core::arch::asm!("{0} = {0}", inout(reg) length, options(nomem, nostack, preserves_flags)) };
    length & (2 * HELD_BYTES as u32 - 1)
}
