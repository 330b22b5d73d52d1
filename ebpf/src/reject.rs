//! Answers to rejected packets: a TCP RST, or "administratively prohibited" in ICMP or ICMPv6.
//!
//! The frame itself becomes the answer (`XDP_TX`): link addresses are swapped, VLAN tags and PPPoE
//! session stay. The answer comes from the address the client spoke to: the gateway has none that
//! it would expect. Behind MPLS labels there is no answer: the labels of the way back are not known.

use core::mem::size_of;

use aya_ebpf::bindings::xdp_md;
use aya_ebpf::helpers::generated::{
    bpf_csum_diff, bpf_xdp_adjust_head, bpf_xdp_adjust_tail, bpf_xdp_load_bytes,
    bpf_xdp_store_bytes,
};
use octroi_abi::outcome::{Direction, Loss, REJECTS_BURST, REJECTS_PER_SECOND};

use crate::count;
use crate::frame::{Frame as _, XdpFrame};
use crate::link::{
    ETHERNET_BYTES, PPP_PROTOCOL_BYTES, PPPOE_BYTES, PPPOE_LENGTH, TAG_BYTES,
};
use crate::maps::{LIMITS, SCRATCH};
use crate::packet::{Address, Packet, fragment, protocol, tcp, words};

/// Longest link header that an answer keeps: Ethernet, two tags and PPPoE.
const LINK_BYTES: usize =
    (ETHERNET_BYTES + 2 * TAG_BYTES + PPPOE_BYTES + PPP_PROTOCOL_BYTES) as usize;
/// Stations at the start of a link header.
const STATIONS_BYTES: u32 = 12;
/// Most bytes of the rejected packet that an ICMP answer quotes: within the 576 bytes of RFC 1812
/// section 4.3.2.3 and the minimum MTU of RFC 4443 section 2.4 (c).
const QUOTE_BYTES: u32 = 512;
/// Answers start with a full time to live.
const TIME_TO_LIVE: u32 = 64;
const ICMP_BYTES: u32 = 8;
const IPV4_BYTES: u32 = 20;
const IPV6_BYTES: u32 = 40;
const TCP_BYTES: u32 = 20;

/// Credit that one answer costs.
const ANSWER_NS: u64 = 1_000_000_000 / REJECTS_PER_SECOND;

/// Turns the frame into an answer. `false`: it must not be answered, or cannot be.
#[inline(never)]
pub fn answer(frame: &XdpFrame, packet: &Packet, now_ns: u64) -> bool {
    if !may_answer(packet) || !within_rate(now_ns) {
        return false;
    }
    let answered = if packet.labelled != 0 {
        false
    } else if packet.key.protocol == protocol::TCP {
        reset(frame, packet)
    } else {
        prohibited(frame, packet)
    };
    if !answered {
        count::loss(Loss::RejectAnswer);
    }
    answered
}

/// Whether the packet is of a kind that is answered at all (RFC 1122 section 3.2.2, RFC 4443
/// section 2.4 (e), RFC 9293 section 3.10.7.1).
#[inline(always)]
fn may_answer(packet: &Packet) -> bool {
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
fn within_rate(now_ns: u64) -> bool {
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

#[inline(never)]
fn reset(frame: &XdpFrame, packet: &Packet) -> bool {
    let context = frame.context();
    let length = frame.length();
    let mut segment = reset_segment(packet);
    if packet.key.family == 4 {
        let header = ipv4_header(packet, IPV4_BYTES + TCP_BYTES, protocol::TCP);
        segment[4] = tcp_checksum(&segment, sum(&header[3..5]));
        let answer: [[u32; 5]; 2] = [header, segment];
        shrink(context, length, packet.network + size_of::<[[u32; 5]; 2]>() as u32)
            && turn_link(context, packet, IPV4_BYTES + TCP_BYTES)
            && store(context, packet.network, &answer)
    } else {
        let header = ipv6_header(packet, TCP_BYTES, protocol::TCP);
        segment[4] = tcp_checksum(&segment, sum(&header[2..10]));
        shrink(context, length, packet.network + IPV6_BYTES + TCP_BYTES)
            && turn_link(context, packet, IPV6_BYTES + TCP_BYTES)
            && store(context, packet.network, &header)
            && store(context, packet.network + IPV6_BYTES, &segment)
    }
}

/// Cuts the frame to `length` bytes.
#[inline(always)]
fn shrink(context: *mut xdp_md, now: u32, length: u32) -> bool {
    // SAFETY: a helper on the program's own context.
    now >= length
        && (now == length
            || unsafe { bpf_xdp_adjust_tail(context, length as i32 - now as i32) } == 0)
}

#[inline(always)]
fn store<T>(context: *mut xdp_md, offset: u32, value: &T) -> bool {
    let value = core::ptr::from_ref(value).cast_mut().cast();
    // SAFETY: the helper reads the bytes of `value`.
    unsafe { bpf_xdp_store_bytes(context, offset, value, size_of::<T>() as u32) == 0 }
}

/// Makes the link header of the frame that of an answer of `total` IP bytes.
#[inline(always)]
fn turn_link(context: *mut xdp_md, packet: &Packet, total: u32) -> bool {
    if packet.network == 0 {
        return true;
    }
    let mut stations = [[0_u8; 6]; 2];
    let to = (&raw mut stations).cast();
    // SAFETY: the helper writes as many bytes as there is room for.
    if unsafe { bpf_xdp_load_bytes(context, 0, to, STATIONS_BYTES) } != 0 {
        return false;
    }
    if stations[1][0] & 1 != 0 {
        // No station sends from a group address.
        return false;
    }
    stations.swap(0, 1);
    store(context, 0, &stations) && announce(context, packet, total)
}

/// Writes the length of an answer of `total` IP bytes into a PPPoE header, if there is one.
#[inline(always)]
fn announce(context: *mut xdp_md, packet: &Packet, total: u32) -> bool {
    if packet.session == 0 {
        return true;
    }
    let session = packet.session as u32;
    let length = packet.network - session - PPPOE_BYTES + total;
    store(context, session + PPPOE_LENGTH, &(length as u16).to_be())
}

#[inline(never)]
fn prohibited(frame: &XdpFrame, packet: &Packet) -> bool {
    let context = frame.context();
    let length = frame.length();
    let network = packet.network;
    // In words of 4 bytes, for the checksum: at most 3 bytes of payload are not quoted.
    let whole = if packet.ip_bytes > QUOTE_BYTES as u64 {
        QUOTE_BYTES
    } else {
        packet.ip_bytes as u32
    };
    let quoted = whole & (2 * QUOTE_BYTES - 4);
    if quoted < IPV4_BYTES || quoted > QUOTE_BYTES {
        return false;
    }
    let Some(scratch) = SCRATCH.get_ptr_mut(Direction::Outbound as u32) else {
        return false;
    };
    // SAFETY: this CPU's and this direction's own slot.
    let quote = unsafe { (&raw mut (*scratch).sample.payload).cast::<u8>() };
    if !frame.load(network, quote, quoted) {
        return false;
    }
    // SAFETY: the helper reads the bytes just written.
    let quote_sum =
        unsafe { bpf_csum_diff(core::ptr::null_mut(), 0, quote.cast(), quoted, 0) };
    if quote_sum < 0 {
        return false;
    }

    let mut link = [0_u8; LINK_BYTES];
    if network > LINK_BYTES as u32 {
        return false;
    }
    if network != 0 {
        if !frame.load(0, link.as_mut_ptr(), network) || link[6] & 1 != 0 {
            return false;
        }
        swap_first(&mut link);
    }

    let v4 = packet.key.family == 4;
    let head = ICMP_BYTES + if v4 { IPV4_BYTES } else { IPV6_BYTES };
    // SAFETY: a helper on the program's own context.
    if !shrink(context, length, network + quoted)
        || unsafe { bpf_xdp_adjust_head(context, -(head as i32)) } != 0
    {
        return false;
    }
    if network != 0 {
        let link = link.as_mut_ptr().cast();
        // SAFETY: the helper reads `network` bytes of `link`, at most its length.
        if unsafe { bpf_xdp_store_bytes(context, 0, link, network) } != 0
            || !announce(context, packet, head + quoted)
        {
            return false;
        }
    }
    if v4 {
        let mut message = [DESTINATION_UNREACHABLE, 0];
        message[0] |= folded(sum(&message) + quote_sum as u64) << 16;
        let header = ipv4_header(packet, head + quoted, protocol::ICMP);
        store(context, network, &header) && store(context, network + IPV4_BYTES, &message)
    } else {
        let header = ipv6_header(packet, ICMP_BYTES + quoted, protocol::ICMPV6);
        let pseudo = sum(&header[2..10])
            + pair(0, ICMP_BYTES + quoted) as u64
            + pair(0, protocol::ICMPV6 as u32) as u64;
        let mut message = [DESTINATION_UNREACHABLE_V6, 0];
        message[0] |= folded(sum(&message) + quote_sum as u64 + pseudo) << 16;
        store(context, network, &header) && store(context, network + IPV6_BYTES, &message)
    }
}

/// Type 3, code 13: communication administratively prohibited (RFC 1812 section 5.2.7.1).
const DESTINATION_UNREACHABLE: u32 = 0x030d_0000_u32.to_be();
/// Type 1, code 1: communication administratively prohibited (RFC 4443 section 3.1).
const DESTINATION_UNREACHABLE_V6: u32 = 0x0101_0000_u32.to_be();

/// Swaps the two stations at the start of a link header.
#[inline(always)]
fn swap_first(link: &mut [u8; LINK_BYTES]) {
    let mut at = 0;
    while at < 6 {
        let station = link[at];
        link[at] = link[at + 6];
        link[at + 6] = station;
        at += 1;
    }
}
