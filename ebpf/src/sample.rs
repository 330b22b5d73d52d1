//! First payload bytes of a flow, copied to userspace for naming.

use core::mem::size_of;

use aya_ebpf::helpers::generated::bpf_ringbuf_output;
use octroi_abi::event::{SAMPLE_BYTES, SAMPLES_PER_DIRECTION, SampleHeader};
use octroi_abi::outcome::{Direction, Loss};
use octroi_abi::table::Account;

use crate::count;
use crate::event::{Sight, wake};
use crate::frame::Frame;
use crate::maps::{SAMPLES, Sample};
use crate::packet::{Packet, fragment, protocol};

const DNS: u16 = 53;

/// Whether this packet's payload is wanted.
#[inline(always)]
pub fn is_wanted(direction: Direction, packet: &Packet, account: &Account) -> bool {
    if packet.payload_bytes == 0 || packet.fragment == fragment::LATER {
        return false;
    }
    let taken = match direction {
        Direction::Outbound => account.samples & 15,
        Direction::Reply => account.samples >> 4,
    };
    match packet.key.protocol {
        protocol::TCP => taken < SAMPLES_PER_DIRECTION,
        protocol::UDP => taken < SAMPLES_PER_DIRECTION || packet.key.outside_port == DNS,
        _ => false,
    }
}

/// Copies it.
#[inline(never)]
pub fn take<F: Frame>(
    frame: &F,
    sight: &Sight,
    packet: &Packet,
    sample: &mut Sample,
    account: &mut Account,
) {
    let one = 1 << (4 * sight.direction as u8);
    let samples = account.samples;
    if samples & (one * 15) != one * 15 {
        account.samples = samples + one;
    }
    let length = bounded(packet.payload_bytes);
    if length == 0 || !frame.load(packet.payload, sample.payload.as_mut_ptr(), length) {
        return count::loss(Loss::Sample);
    }
    sample.header = SampleHeader {
        time_ns: sight.now_ns,
        key: packet.key,
        sequence: packet.sequence,
        length: length as u16,
        payload_bytes: if packet.payload_bytes > u16::MAX as u32 {
            u16::MAX
        } else {
            packet.payload_bytes as u16
        },
        direction: sight.direction as u8,
        tcp_flags: packet.tcp_flags,
        reserved: [0; 2],
        first: account.first,
    };
    let bytes = size_of::<SampleHeader>() as u64 + length as u64;
    // SAFETY: the slot holds header and payload one behind the other; the verifier checks the size.
    let result = unsafe {
        bpf_ringbuf_output(
            core::ptr::from_ref(&SAMPLES).cast_mut().cast(),
            core::ptr::from_mut(sample).cast(),
            bytes,
            wake(sight.now_ns),
        )
    };
    if result != 0 {
        count::loss(Loss::Sample);
    }
}

/// `bytes`, at most [`SAMPLE_BYTES`], in a form whose bounds the verifier can follow.
#[inline(always)]
fn bounded(bytes: u32) -> u32 {
    let mut length = if bytes > SAMPLE_BYTES as u32 {
        SAMPLE_BYTES as u32
    } else {
        bytes
    };
    // SAFETY: a move to itself. It keeps the compiler from proving the mask below useless: the
    // verifier does not follow the proof across a spill.
    unsafe { core::arch::asm!("{0} = {0}", inout(reg) length, options(nomem, nostack, preserves_flags)) };
    length & (2 * SAMPLE_BYTES as u32 - 1)
}
