//! The end of a rejected TCP conversation, told to the inside: a reply becomes a RST.
//!
//! A conversation that is rejected by its name was already established: the client has sent its
//! hello and waits. Were the answer dropped in silence, it would wait for its own time-out. The
//! reply keeps its sequence number, which is the one the client expects next, so that the client
//! takes the RST (RFC 5961 section 3.2); what payload it still carries is not delivered.

use aya_ebpf::helpers::generated::{bpf_l4_csum_replace, bpf_skb_store_bytes};

use crate::frame::{Frame as _, SkbFrame};
use crate::packet::{Packet, protocol, tcp};

/// Data offset and flags: a 16-bit word of the TCP header (RFC 9293 section 3.1).
const FLAGS_WORD: u32 = 12;
const CHECKSUM: u32 = 16;
const WORD_BYTES: u32 = 2;

/// Turns a reply into a RST, or leaves one that is. `false`: it cannot be, and must be dropped.
#[inline(never)]
pub fn reset(frame: &SkbFrame, packet: &Packet) -> bool {
    if packet.key.protocol != protocol::TCP || packet.transport == 0 {
        return false;
    }
    if packet.tcp_flags & tcp::RST != 0 {
        return true;
    }
    let mut before = [0_u8; WORD_BYTES as usize];
    if !frame.load(packet.transport + FLAGS_WORD, (&raw mut before).cast(), WORD_BYTES) {
        return false;
    }
    let after = [before[0], tcp::RST | before[1] & tcp::ACK];
    let (from, to) = (u16::from_ne_bytes(before) as u64, u16::from_ne_bytes(after) as u64);
    let context = frame.context();
    let checksum = packet.transport + CHECKSUM;
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
