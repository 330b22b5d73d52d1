//! The account of a flow: packets, bytes, times, TCP flags, both ways.

use octroi_abi::flow::{self, FlowState};
use octroi_abi::outcome::Direction;

use crate::judge::Decision;
use crate::packet::{Packet, tcp};

/// Several CPUs may count one flow at once.
#[inline(always)]
fn add(counter: &mut u64, amount: u64) {
    // SAFETY: a u64 of a map value, aligned to 8. `core` has no atomic addition for this target;
    // the instruction is BPF_ATOMIC | BPF_ADD without fetch (RFC 9669 section 5.3).
    unsafe {
        core::arch::asm!(
            "lock *(u64 *)({counter} + 0) += {amount}",
            counter = in(reg) counter,
            amount = in(reg) amount,
            options(nostack),
        );
    }
}

/// Whether the flags seen both ways end a TCP connection: RST, or FIN both ways.
#[inline(always)]
fn is_closed(outbound: u8, reply: u8) -> bool {
    (outbound | reply) & tcp::RST != 0 || outbound & reply & tcp::FIN != 0
}

/// Whether a packet opens a new connection with the key of one that ended.
#[inline(always)]
pub fn reopens(state: &FlowState, packet: &Packet) -> bool {
    packet.tcp_flags & (tcp::SYN | tcp::ACK) == tcp::SYN
        && is_closed(state.outbound_tcp_flags, state.reply_tcp_flags)
}

/// Writes the state of a flow at its first packet, which is not yet counted.
#[inline(always)]
pub fn open(
    state: &mut FlowState,
    decision: &Decision,
    generation: u32,
    opaque: u8,
    now_ns: u64,
) {
    *state = FlowState {
        first_ns: now_ns,
        last_ns: now_ns,
        outbound_packets: 0,
        outbound_bytes: 0,
        reply_packets: 0,
        reply_bytes: 0,
        stopped_packets: 0,
        marks: decision.marks,
        generation,
        rule: decision.rule,
        class: decision.class,
        shadow_rule: decision.shadow_rule,
        shadow_verdict: decision.shadow_verdict,
        verdict: decision.verdict,
        flags: decision.flags & !flow::NAMED,
        zone: decision.zone,
        opaque,
        outbound_tcp_flags: 0,
        reply_tcp_flags: 0,
        outbound_samples: 0,
        reply_samples: 0,
        reserved: [0; 5],
    };
}

/// Counts a packet. Returns whether it ended the connection.
#[inline(always)]
pub fn packet(
    direction: Direction,
    state: &mut FlowState,
    packet: &Packet,
    stopped: bool,
    now_ns: u64,
) -> bool {
    state.last_ns = now_ns;
    let segments = packet.segments as u64;
    match direction {
        Direction::Outbound => {
            add(&mut state.outbound_packets, segments);
            add(&mut state.outbound_bytes, packet.ip_bytes);
            if stopped {
                add(&mut state.stopped_packets, segments);
            }
        }
        Direction::Reply => {
            add(&mut state.reply_packets, segments);
            add(&mut state.reply_bytes, packet.ip_bytes);
        }
    }
    if packet.tcp_flags == 0 {
        return false;
    }
    let (outbound, reply) = (state.outbound_tcp_flags, state.reply_tcp_flags);
    let known = match direction {
        Direction::Outbound => outbound,
        Direction::Reply => reply,
    };
    if known | packet.tcp_flags == known {
        return false;
    }
    match direction {
        Direction::Outbound => state.outbound_tcp_flags = outbound | packet.tcp_flags,
        Direction::Reply => state.reply_tcp_flags = reply | packet.tcp_flags,
    }
    !is_closed(outbound, reply) && is_closed(state.outbound_tcp_flags, state.reply_tcp_flags)
}
