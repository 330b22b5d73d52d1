//! The end of a rejected TCP conversation, told to the inside: a reply becomes a RST.
//!
//! A conversation that is rejected by its name was already established: the client has sent its
//! hello and waits. Were the answer dropped in silence, it would wait for its own time-out. The
//! reply keeps its sequence number, which is the one the client expects next, so that the client
//! takes the RST (RFC 5961 section 3.2); what payload it still carries is not delivered.

use aya_ebpf::helpers::generated::{
    bpf_l4_csum_replace, bpf_skb_store_bytes, bpf_xdp_store_bytes,
};

use crate::frame::{Frame, SkbFrame, XdpFrame};
use crate::packet::{Packet, protocol, tcp};

/// Data offset and flags: a 16-bit word of the TCP header (RFC 9293 section 3.1).
const FLAGS_WORD: u32 = 12;
const CHECKSUM: u32 = 16;
const WORD_BYTES: u32 = 2;

/// What a reply needs to become a RST.
enum Change {
    /// It cannot be one.
    Impossible,
    /// It is one.
    Nothing,
    /// The word of its flags, before and after (in memory order).
    Word(u16, u16),
}

#[inline(always)]
fn change<F: Frame>(frame: &F, packet: &Packet) -> Change {
    if packet.key.protocol != protocol::TCP || packet.transport == 0 {
        return Change::Impossible;
    }
    if packet.tcp_flags & tcp::RST != 0 {
        return Change::Nothing;
    }
    let mut before = [0_u8; WORD_BYTES as usize];
    if !frame.load(packet.transport + FLAGS_WORD, (&raw mut before).cast(), WORD_BYTES) {
        return Change::Impossible;
    }
    let after = [before[0], tcp::RST | before[1] & tcp::ACK];
    Change::Word(u16::from_ne_bytes(before), u16::from_ne_bytes(after))
}

/// Turns a reply into a RST, or leaves one that is. `false`: it cannot be, and must be dropped.
#[inline(never)]
pub fn reset(frame: &SkbFrame, packet: &Packet) -> bool {
    let (before, after) = match change(frame, packet) {
        Change::Impossible => return false,
        Change::Nothing => return true,
        Change::Word(before, after) => (before, after),
    };
    let context = frame.context();
    let checksum = packet.transport + CHECKSUM;
    let (from, to) = (before as u64, after as u64);
    // SAFETY: helpers on the program's own context; they check the offsets.
    unsafe {
        bpf_l4_csum_replace(context, checksum, from, to, WORD_BYTES as u64) == 0
            && bpf_skb_store_bytes(
                context,
                packet.transport + FLAGS_WORD,
                (&raw const after).cast(),
                WORD_BYTES,
                0,
            ) == 0
    }
}

/// The same for a reply to this host itself, before its stack has it.
#[inline(never)]
pub fn reset_xdp(frame: &XdpFrame, packet: &Packet) -> bool {
    let (before, after) = match change(frame, packet) {
        Change::Impossible => return false,
        Change::Nothing => return true,
        Change::Word(before, after) => (before, after),
    };
    let mut checksum = 0_u16;
    let at = packet.transport + CHECKSUM;
    if !frame.load(at, (&raw mut checksum).cast(), WORD_BYTES) {
        return false;
    }
    // RFC 1624 section 3, equation 3; the sum does not mind the order of bytes.
    let mut sum = !checksum as u32 + !before as u32 + after as u32;
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    write(frame, at, !sum as u16) && write(frame, packet.transport + FLAGS_WORD, after)
}

#[inline(always)]
fn write(frame: &XdpFrame, offset: u32, mut word: u16) -> bool {
    // SAFETY: the helper reads two bytes.
    unsafe {
        bpf_xdp_store_bytes(frame.context(), offset, (&raw mut word).cast(), WORD_BYTES) == 0
    }
}
