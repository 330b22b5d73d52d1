//! The account of a flow: packets, bytes, times, TCP flags, both ways.

use octroi_abi::flow::{self, FlowKey};
use octroi_abi::outcome::Direction;
use octroi_abi::table::{Account, Decided, short_time};

use crate::atomic;
use crate::judge::Decision;
use crate::packet::{Packet, tcp};

/// Bits of the last word of an account where the carries begin.
const CARRY_SHIFT: u32 = 16;
/// Bits of one carry.
const CARRY_BITS: u32 = 4;
/// A saturating counter that several CPUs add to stops this far below its end.
const NEARLY_FULL: u32 = u32::MAX - 0x1_0000;

/// Whether the flags seen both ways end a TCP connection: RST, or FIN both ways.
#[inline(always)]
fn is_closed(outbound: u8, reply: u8) -> bool {
    (outbound | reply) & tcp::RST != 0 || outbound & reply & tcp::FIN != 0
}

/// Whether a packet opens a new connection with the key of one that ended.
#[inline(always)]
pub fn reopens(account: *const Account, packet: &Packet) -> bool {
    if packet.tcp_flags & (tcp::SYN | tcp::ACK) != tcp::SYN {
        return false;
    }
    // SAFETY: an account of the table.
    let account = unsafe { &*account };
    is_closed(account.outbound_tcp_flags, account.reply_tcp_flags)
}

/// Writes the account of a flow at its first packet, which is not yet counted.
#[inline(always)]
pub fn open(
    account: &mut Account,
    key: &FlowKey,
    decision: &Decision,
    generation: u32,
    opaque: u8,
    now_ns: u64,
) {
    let now = short_time(now_ns);
    *account = Account {
        inside_port: key.inside_port,
        outside_port: key.outside_port,
        protocol: key.protocol,
        outbound_tcp_flags: 0,
        reply_tcp_flags: 0,
        samples: 0,
        decided: decided(decision, generation, opaque, decision.flags & !flow::NAMED),
        outbound_bytes: 0,
        reply_bytes: 0,
        outbound_packets: 0,
        reply_packets: 0,
        first: now,
        last: now,
        stopped: 0,
        class: decision.class,
        carry: 0,
        state: 0,
    };
}

/// A decision as one word.
#[inline(always)]
pub fn decided(decision: &Decision, generation: u32, opaque: u8, flags: u8) -> u64 {
    Decided {
        generation,
        rule: decision.rule,
        verdict: decision.verdict,
        flags,
        opaque,
        zone: decision.zone,
    }
    .pack()
}

/// Counts packets of one direction beyond 32 bits.
#[inline(always)]
fn count(account: *mut Account, direction: Direction, segments: u32) {
    // SAFETY: an account of the table.
    let (packets, tail) = unsafe {
        let packets = match direction {
            Direction::Outbound => &raw mut (*account).outbound_packets,
            Direction::Reply => &raw mut (*account).reply_packets,
        };
        (packets, account.cast::<u32>().add(size_of::<Account>() / 4 - 1))
    };
    let before = atomic::fetch_add(packets, segments);
    if before.wrapping_add(segments) < before {
        let shift = CARRY_SHIFT + CARRY_BITS * direction as u32;
        // SAFETY: as above.
        let carry = unsafe { core::ptr::read_volatile(tail) } >> shift & 15;
        if carry < 15 {
            atomic::add(tail, 1 << shift);
        }
    }
}

/// Counts a packet. Returns whether it ended the connection.
#[inline(always)]
pub fn packet(
    direction: Direction,
    account: &mut Account,
    packet: &Packet,
    stopped: bool,
    now_ns: u64,
) -> bool {
    account.last = short_time(now_ns);
    count(account, direction, packet.segments);
    match direction {
        Direction::Outbound => {
            atomic::add_64(&raw mut account.outbound_bytes, packet.ip_bytes);
            if stopped && account.stopped < NEARLY_FULL {
                atomic::add(&raw mut account.stopped, packet.segments);
            }
        }
        Direction::Reply => atomic::add_64(&raw mut account.reply_bytes, packet.ip_bytes),
    }
    if packet.tcp_flags == 0 {
        return false;
    }
    let (outbound, reply) = (account.outbound_tcp_flags, account.reply_tcp_flags);
    let known = match direction {
        Direction::Outbound => outbound,
        Direction::Reply => reply,
    };
    if known | packet.tcp_flags == known {
        return false;
    }
    match direction {
        Direction::Outbound => account.outbound_tcp_flags = outbound | packet.tcp_flags,
        Direction::Reply => account.reply_tcp_flags = reply | packet.tcp_flags,
    }
    !is_closed(outbound, reply) && is_closed(account.outbound_tcp_flags, account.reply_tcp_flags)
}
