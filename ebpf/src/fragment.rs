//! Fragments: the later ones follow the flow of the first, and each byte passes once.

use core::ffi::c_void;

use aya_ebpf::helpers::generated::{bpf_ktime_get_coarse_ns, bpf_loop};
use octroi_abi::fragment::{
    FORGOTTEN_AFTER_NS, FragmentKey, FragmentState, UNIT_BYTES, UNIT_WORDS,
};
use octroi_abi::opaque::Opaque;
use octroi_abi::outcome::{Direction, Loss};

use crate::count;
use crate::maps::{FRAGMENTS, SCRATCH};
use crate::packet::{Packet, fragment, protocol};

/// A fragment as its IP header tells of it.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Piece {
    /// Number of the datagram.
    pub identification: u32,
    /// Its place in the datagram, bytes.
    pub offset_bytes: u32,
    /// Its own bytes of the datagram.
    pub bytes: u32,
    /// Protocol in the IPv4 header or IPv6 fragment header.
    pub protocol: u8,
    /// 1: more follow.
    pub more: u8,
    /// Zero.
    pub reserved: u16,
}

impl Piece {
    /// Only the last fragment may end inside a unit, and none is empty (RFC 791 section 3.2,
    /// RFC 8200 section 4.5).
    #[inline(always)]
    pub fn is_sound(&self) -> bool {
        self.bytes != 0 && (self.more == 0 || self.bytes % UNIT_BYTES == 0)
    }
}

#[inline(always)]
fn fragment_key(direction: Direction, packet: &Packet, piece: &Piece) -> FragmentKey {
    let (source, destination) = match direction {
        Direction::Outbound => (packet.key.inside, packet.key.outside),
        Direction::Reply => (packet.key.outside, packet.key.inside),
    };
    FragmentKey {
        source,
        destination,
        identification: piece.identification,
        protocol: piece.protocol,
        family: packet.key.family,
        direction: direction as u8,
        reserved: 0,
    }
}

/// What a fragment is among those of its datagram. Done behind the parser, where all its ways meet:
/// the verifier follows the loop over the bitmap once and not for each of them.
#[inline(never)]
pub fn resolve(direction: Direction, packet: &mut Packet) {
    if !packet.has_flow() {
        return;
    }
    let piece = packet.piece;
    if packet.fragment == fragment::FIRST {
        remember(direction, packet, &piece);
    } else {
        follow(direction, packet, &piece);
    }
}

/// Notes a first fragment, whose transport header was read.
#[inline(always)]
fn remember(direction: Direction, packet: &mut Packet, piece: &Piece) {
    let key = fragment_key(direction, packet, piece);
    // SAFETY: a helper without arguments.
    let now_ns = unsafe { bpf_ktime_get_coarse_ns() };
    if let Some(state) = FRAGMENTS.get_ptr_mut(&key) {
        // SAFETY: the kernel's pointer; an entry that is reused meanwhile still holds a state.
        let state = unsafe { &mut *state };
        if !is_past(state, now_ns) {
            cover(state, piece);
            return packet.give_up(Opaque::FragmentOverlapping);
        }
    }
    let Some(scratch) = SCRATCH.get_ptr_mut(direction as u32) else {
        return;
    };
    // SAFETY: this CPU's and this direction's own slot; no one else holds this field.
    let state = unsafe { &mut *(&raw mut (*scratch).datagram) };
    // Its bitmap is never written: it stays empty.
    state.first_ns = now_ns;
    state.inside_port = packet.key.inside_port;
    state.outside_port = packet.key.outside_port;
    state.protocol = packet.key.protocol;
    state.opaque = packet.opaque;
    if FRAGMENTS.insert(&key, &*state, 0).is_err() {
        return count::loss(Loss::FragmentInsert);
    }
    if let Some(state) = FRAGMENTS.get_ptr_mut(&key) {
        // SAFETY: as above.
        cover(unsafe { &mut *state }, piece);
    }
}

/// Gives a later fragment the key of its flow.
#[inline(always)]
fn follow(direction: Direction, packet: &mut Packet, piece: &Piece) {
    let key = fragment_key(direction, packet, piece);
    let Some(state) = FRAGMENTS.get_ptr_mut(&key) else {
        return packet.give_up(without_first(piece));
    };
    // SAFETY: the kernel's pointer; an entry that is reused meanwhile still holds a state.
    let state = unsafe { &mut *state };
    // SAFETY: a helper without arguments.
    let now_ns = unsafe { bpf_ktime_get_coarse_ns() };
    if now_ns.wrapping_sub(state.first_ns) > FORGOTTEN_AFTER_NS {
        return packet.give_up(without_first(piece));
    }
    if !cover(state, piece) {
        return packet.give_up(Opaque::FragmentOverlapping);
    }
    packet.key.inside_port = state.inside_port;
    packet.key.outside_port = state.outside_port;
    packet.key.protocol = state.protocol;
    // What the first fragment was, they are; a source route of their own is theirs.
    if packet.opaque == Opaque::None.code() {
        packet.opaque = state.opaque;
    }
}

/// Whether a new datagram may have this one's number.
#[inline(always)]
fn is_past(state: &FragmentState, now_ns: u64) -> bool {
    state.is_complete() || now_ns.wrapping_sub(state.first_ns) > FORGOTTEN_AFTER_NS
}

/// Notes the bytes of a fragment. `false`: it must not pass.
#[inline(never)]
fn cover(state: &mut FragmentState, piece: &Piece) -> bool {
    let from = piece.offset_bytes / UNIT_BYTES;
    let to = (piece.offset_bytes + piece.bytes).div_ceil(UNIT_BYTES);
    let (seen, missing) = mark(&mut state.bitmap, from, to);
    if seen == 0 {
        // SAFETY: a u64 of a map value, aligned to 8.
        unsafe { add(&raw mut state.units, (to - from) as u64) };
    } else if missing != 0 {
        state.spoiled = 1;
    }
    if to > state.highest {
        state.highest = to;
    }
    if piece.more == 0 {
        if state.end != 0 && state.end != to || state.highest > to {
            state.spoiled = 1;
        }
        state.end = to;
    } else if state.end != 0 && to > state.end {
        state.spoiled = 1;
    }
    seen == 0 && state.spoiled == 0
}

/// What the walk over the bitmap carries along.
struct Walk<'a> {
    bitmap: &'a mut [u64; UNIT_WORDS],
    from: u32,
    to: u32,
    seen: u64,
    missing: u64,
}

/// Sets the bits of the units `from` to `to`; tells whether any was set before (not zero), and
/// whether any was not.
///
/// `bpf_loop` (Linux 5.17): its body is verified once, not once for each word.
#[inline(always)]
fn mark(bitmap: &mut [u64; UNIT_WORDS], from: u32, to: u32) -> (u64, u64) {
    let mut walk = Walk {
        bitmap,
        from,
        to,
        seen: 0,
        missing: 0,
    };
    let words = (to + 63) / 64 - from / 64;
    // SAFETY: the callback has the signature that the helper asks for, and gets the walk.
    unsafe { bpf_loop(words, mark_word as *mut c_void, (&raw mut walk).cast(), 0) };
    (walk.seen, walk.missing)
}

/// Sets the bits of one word.
extern "C" fn mark_word(index: u32, walk: *mut c_void) -> i64 {
    // SAFETY: `mark` hands the helper a walk.
    let walk = unsafe { &mut *walk.cast::<Walk<'_>>() };
    let word = walk.from / 64 + index;
    let (begin, end) = (word * 64, word * 64 + 64);
    let low = if walk.from > begin { walk.from - begin } else { 0 };
    let high = if walk.to < end { end - walk.to } else { 0 };
    let mask = (!0_u64 << (low & 63)) & (!0_u64 >> (high & 63));
    // SAFETY: the index is within the bitmap, which is part of a map value and aligned to 8.
    let before = unsafe { set(&raw mut walk.bitmap[word as usize & (UNIT_WORDS - 1)], mask) };
    walk.seen |= before & mask;
    walk.missing |= !before & mask;
    0
}

/// Sets bits of a word and returns what it was, in one step: BPF_ATOMIC | BPF_OR with fetch
/// (RFC 9669 section 5.3; Linux 5.12).
///
/// # Safety
/// `word` is a word of a map value.
#[inline(always)]
unsafe fn set(word: *mut u64, mask: u64) -> u64 {
    let mut value = mask;
    // SAFETY: the caller's.
    unsafe {
        core::arch::asm!(
            "{value} = atomic_fetch_or((u64 *)({word} + 0), {value})",
            word = in(reg) word,
            value = inout(reg) value,
            options(nostack),
        );
    }
    value
}

/// Adds to a word of a map value.
///
/// # Safety
/// `word` is a word of a map value.
#[inline(always)]
unsafe fn add(word: *mut u64, amount: u64) {
    // SAFETY: the caller's.
    unsafe {
        core::arch::asm!(
            "lock *(u64 *)({word} + 0) += {amount}",
            word = in(reg) word,
            amount = in(reg) amount,
            options(nostack),
        );
    }
}

/// A fragment that begins inside the TCP header is a trick, with or without its first
/// (RFC 3128).
#[inline(always)]
fn without_first(piece: &Piece) -> Opaque {
    if piece.protocol == protocol::TCP && piece.offset_bytes < 20 {
        Opaque::FragmentOverlapping
    } else {
        Opaque::FragmentWithoutFirst
    }
}
