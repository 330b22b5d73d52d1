//! What an answer to a rejected packet says, and which packets get one: a TCP RST, or
//! "administratively prohibited" in ICMP or ICMPv6, from the address that was spoken to.

use octroi_abi::outcome::{REJECTS_BURST, REJECTS_PER_SECOND};

use crate::maps::LIMITS;
use crate::packet::{Address, Packet, fragment, protocol, tcp, words};

/// Most bytes of the rejected packet that an ICMP answer quotes: within the 576 bytes of RFC 1812
/// section 4.3.2.3 and the minimum MTU of RFC 4443 section 2.4 (c).
pub const QUOTE_BYTES: u32 = 512;
/// Answers start with a full time to live.
const TIME_TO_LIVE: u32 = 64;
/// Length of the header of an ICMP or ICMPv6 error.
pub const ICMP_BYTES: u32 = 8;
/// Length of the IPv4 header of an answer.
pub const IPV4_BYTES: u32 = 20;
/// Length of its IPv6 header.
pub const IPV6_BYTES: u32 = 40;
/// Length of a RST.
pub const TCP_BYTES: u32 = 20;

/// Credit that one answer costs.
const ANSWER_NS: u64 = 1_000_000_000 / REJECTS_PER_SECOND;

/// Type 3, code 13: communication administratively prohibited (RFC 1812 section 5.2.7.1).
const DESTINATION_UNREACHABLE: u32 = 0x030d_0000_u32.to_be();
/// Type 1, code 1: communication administratively prohibited (RFC 4443 section 3.1).
const DESTINATION_UNREACHABLE_V6: u32 = 0x0101_0000_u32.to_be();


/// Whether the packet is of a kind that is answered at all (RFC 1122 section 3.2.2, RFC 4443
/// section 2.4 (e), RFC 9293 section 3.10.7.1).
#[inline(always)]
pub fn may_answer(packet: &Packet) -> bool {
    if packet.fragment == fragment::LATER || !packet.has_flow() {
        return false;
    }
    let source = words(&packet.key.inside);
    let destination = words(&packet.key.outside);
    if packet.key.protocol == protocol::TCP && packet.tcp_flags & tcp::RST != 0 {
        return false;
    }
    if packet.key.family == 4 {
        let from = ((source[1] >> 32) as u32).swap_bytes();
        let to = ((destination[1] >> 32) as u32).swap_bytes();
        let from_many = from == 0 || from >> 28 >= 0xe || from >> 24 == 127;
        let to_many = to >> 28 >= 0xe;
        // Echo, timestamp and their like may be answered, errors never.
        let error = packet.key.protocol == protocol::ICMP
            && !matches!(packet.icmp_type, 0 | 8 | 13..=18);
        !from_many && !to_many && !error
    } else {
        let from_many = source == [0; 2] || source[0] & 0xff == 0xff;
        let to_many = destination[0] & 0xff == 0xff;
        let error = packet.key.protocol == protocol::ICMPV6 && packet.icmp_type < 128;
        !from_many && !to_many && !error
    }
}

/// A token bucket for each CPU.
#[inline(always)]
pub fn within_rate(now_ns: u64) -> bool {
    const FULL_NS: u64 = REJECTS_BURST * ANSWER_NS;
    let Some(limits) = LIMITS.get_ptr_mut(0) else {
        return false;
    };
    // SAFETY: this CPU's own slot.
    let limits = unsafe { &mut *limits };
    let earned = limits.answer_credit_ns + now_ns.wrapping_sub(limits.answer_time_ns);
    limits.answer_time_ns = now_ns;
    let credit = if earned > FULL_NS { FULL_NS } else { earned };
    if credit < ANSWER_NS {
        limits.answer_credit_ns = credit;
        return false;
    }
    limits.answer_credit_ns = credit - ANSWER_NS;
    true
}

/// Folds a sum of words in memory order into a checksum in memory order (RFC 1071).
#[inline(always)]
fn folded(mut sum: u64) -> u32 {
    sum = (sum & 0xffff_ffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    !(sum as u32) & 0xffff
}

#[inline(always)]
fn sum(words: &[u32]) -> u64 {
    let mut sum = 0;
    let mut at = 0;
    while at < words.len() {
        sum += words[at] as u64;
        at += 1;
    }
    sum
}

#[inline(always)]
fn halves(address: Address) -> [u32; 4] {
    [
        address[0] as u32,
        (address[0] >> 32) as u32,
        address[1] as u32,
        (address[1] >> 32) as u32,
    ]
}

/// A word of two 16-bit fields in network byte order.
#[inline(always)]
fn pair(first: u32, second: u32) -> u32 {
    (first << 16 | second & 0xffff).to_be()
}

/// The IPv4 header of an answer, as words in memory order.
#[inline(always)]
fn ipv4_header(packet: &Packet, total: u32, protocol: u8) -> [u32; 5] {
    const VERSION_AND_LENGTH: u32 = 0x4500;
    const DONT_FRAGMENT: u32 = 0x4000;
    let mut header = [
        pair(VERSION_AND_LENGTH, total),
        pair(0, DONT_FRAGMENT),
        pair(TIME_TO_LIVE << 8 | protocol as u32, 0),
        (words(&packet.key.outside)[1] >> 32) as u32,
        (words(&packet.key.inside)[1] >> 32) as u32,
    ];
    // The checksum is the second half of its word: the upper half in memory order.
    header[2] |= folded(sum(&header)) << 16;
    header
}

/// The IPv6 header of an answer, as words in memory order.
#[inline(always)]
fn ipv6_header(packet: &Packet, payload: u32, next_header: u8) -> [u32; 10] {
    let source = halves(words(&packet.key.outside));
    let destination = halves(words(&packet.key.inside));
    [
        0x6000_0000_u32.to_be(),
        pair(payload, (next_header as u32) << 8 | TIME_TO_LIVE),
        source[0],
        source[1],
        source[2],
        source[3],
        destination[0],
        destination[1],
        destination[2],
        destination[3],
    ]
}

/// The segment of RFC 9293 section 3.10.7.1: acceptable to the sender whatever its state.
#[inline(always)]
fn reset_segment(packet: &Packet) -> [u32; 5] {
    const OFFSET: u32 = 5 << 12;
    let (sequence, acknowledgment, flags) = if packet.tcp_flags & tcp::ACK != 0 {
        (packet.acknowledgment, 0, tcp::RST)
    } else {
        let mut length = packet.payload_bytes;
        length += u32::from(packet.tcp_flags & tcp::SYN != 0);
        length += u32::from(packet.tcp_flags & tcp::FIN != 0);
        (0, packet.sequence.wrapping_add(length), tcp::RST | tcp::ACK)
    };
    [
        pair(packet.key.outside_port as u32, packet.key.inside_port as u32),
        sequence.to_be(),
        acknowledgment.to_be(),
        pair(OFFSET | flags as u32, 0),
        0,
    ]
}

/// Checksum over a TCP segment and its pseudo-header; addresses as in the IP header.
#[inline(always)]
fn tcp_checksum(segment: &[u32; 5], addresses: u64) -> u32 {
    let pseudo = addresses + pair(0, protocol::TCP as u32) as u64 + pair(0, TCP_BYTES) as u64;
    folded(sum(segment) + pseudo)
}

/// A RST for a packet: IP header and segment.
#[inline(always)]
pub fn reset_v4(packet: &Packet) -> [[u32; 5]; 2] {
    let header = ipv4_header(packet, IPV4_BYTES + TCP_BYTES, protocol::TCP);
    let mut segment = reset_segment(packet);
    segment[4] = tcp_checksum(&segment, sum(&header[3..5]));
    [header, segment]
}

/// The same for IPv6.
#[inline(always)]
pub fn reset_v6(packet: &Packet) -> ([u32; 10], [u32; 5]) {
    let header = ipv6_header(packet, TCP_BYTES, protocol::TCP);
    let mut segment = reset_segment(packet);
    segment[4] = tcp_checksum(&segment, sum(&header[2..10]));
    (header, segment)
}

/// Bytes of a packet that an ICMP answer quotes; 0: too few. In words of 4 bytes, for the checksum:
/// at most 3 bytes of payload are not quoted.
#[inline(always)]
pub fn quoted_bytes(packet: &Packet) -> u32 {
    let whole = if packet.ip_bytes > QUOTE_BYTES as u64 {
        QUOTE_BYTES
    } else {
        packet.ip_bytes as u32
    };
    let quoted = whole & (2 * QUOTE_BYTES - 4);
    if quoted < IPV4_BYTES || quoted > QUOTE_BYTES { 0 } else { quoted }
}

/// "Administratively prohibited" in front of a quote: IP header and message.
#[inline(always)]
pub fn prohibited_v4(packet: &Packet, quoted: u32, quote_sum: u64) -> ([u32; 5], [u32; 2]) {
    let mut message = [DESTINATION_UNREACHABLE, 0];
    message[0] |= folded(sum(&message) + quote_sum) << 16;
    let total = IPV4_BYTES + ICMP_BYTES + quoted;
    (ipv4_header(packet, total, protocol::ICMP), message)
}

/// The same for IPv6.
#[inline(always)]
pub fn prohibited_v6(packet: &Packet, quoted: u32, quote_sum: u64) -> ([u32; 10], [u32; 2]) {
    let header = ipv6_header(packet, ICMP_BYTES + quoted, protocol::ICMPV6);
    let pseudo = sum(&header[2..10])
        + pair(0, ICMP_BYTES + quoted) as u64
        + pair(0, protocol::ICMPV6 as u32) as u64;
    let mut message = [DESTINATION_UNREACHABLE_V6, 0];
    message[0] |= folded(sum(&message) + quote_sum + pseudo) << 16;
    (header, message)
}
