use octroi_abi::opaque::Opaque;

use super::*;
use crate::capture::LinkType;
use crate::packet::{Parsed, parse, protocol, tcp_flag};
use crate::testing::{ip, ip_with, tcp, udp};

const INSIDE: &str = "10.0.0.1";
const OUTSIDE: &str = "203.0.113.9";

fn read(packet: &[u8]) -> Parsed<'_> {
    parse(LinkType::RAW, packet).unwrap()
}

fn table() -> FlowTable<()> {
    FlowTable::new(Limits::default())
}

/// The key that a single packet begins.
fn key_of(packet: &[u8]) -> FlowKey {
    table().observe(&read(packet), 0, |_| {}).flow.key
}

#[test]
fn both_directions_are_one_flow() {
    let mut flows = table();
    let out = ip(
        INSIDE,
        OUTSIDE,
        protocol::TCP,
        &tcp(5000, 443, 1, tcp_flag::SYN, b""),
    );
    let back = ip(
        OUTSIDE,
        INSIDE,
        protocol::TCP,
        &tcp(443, 5000, 1, tcp_flag::SYN | tcp_flag::ACK, b""),
    );
    let seen = flows.observe(&read(&out), 10, |_| {});
    assert!(seen.outbound && seen.is_new);
    let seen = flows.observe(&read(&back), 20, |_| {});
    assert!(!seen.outbound && !seen.is_new);
    assert_eq!(seen.flow.tcp_state(), TcpState::Established);
    let mut ended = Vec::new();
    flows.finish(|flow| ended.push(flow));
    let [flow] = &ended[..] else {
        panic!("{ended:?}")
    };
    assert_eq!(inside(&flow.key), INSIDE.parse::<IpAddr>().unwrap());
    assert_eq!((flow.key.inside_port, flow.key.outside_port), (5000, 443));
    assert_eq!((flow.outbound_packets, flow.reply_packets), (1, 1));
    assert_eq!((flow.outbound_bytes, flow.reply_bytes), (40, 40));
    assert_eq!((flow.first_ns, flow.last_ns), (10, 20));
}

#[test]
fn the_side_that_began_is_inside() {
    let segment = |from, to, flags| tcp(from, to, 0, flags, b"");
    let syn_ack = tcp_flag::SYN | tcp_flag::ACK;
    // Source, destination, ports and flags of the first packet seen; whether its source began.
    let cases = [
        (INSIDE, OUTSIDE, 5000, 6000, tcp_flag::SYN, true),
        (OUTSIDE, INSIDE, 443, 5000, syn_ack, false),
        (OUTSIDE, INSIDE, 443, 5000, tcp_flag::ACK, false),
        (OUTSIDE, INSIDE, 5000, 22, tcp_flag::ACK, true),
        (OUTSIDE, INSIDE, 40_000, 50_000, tcp_flag::ACK, false),
        (OUTSIDE, "198.51.100.1", 40_000, 50_000, tcp_flag::ACK, true),
    ];
    for (source, destination, from, to, flags, began) in cases {
        let packet = ip(
            source,
            destination,
            protocol::TCP,
            &segment(from, to, flags),
        );
        let expected = if began { source } else { destination };
        assert_eq!(
            inside(&key_of(&packet)),
            expected.parse::<IpAddr>().unwrap(),
            "{source}:{from} {destination}:{to} {flags:#x}"
        );
    }
    let reply = ip(
        OUTSIDE,
        INSIDE,
        protocol::ICMP,
        &[0, 0, 0, 0, 0x12, 0x34, 0, 1],
    );
    let key = key_of(&reply);
    assert_eq!(inside(&key), INSIDE.parse::<IpAddr>().unwrap());
    assert_eq!((key.inside_port, key.outside_port), (0x1234, 0));
}

#[test]
fn echo_request_and_reply_are_one_flow() {
    let mut flows = table();
    let request = ip(
        INSIDE,
        OUTSIDE,
        protocol::ICMP,
        &[8, 0, 0, 0, 0x12, 0x34, 0, 1],
    );
    let reply = ip(
        OUTSIDE,
        INSIDE,
        protocol::ICMP,
        &[0, 0, 0, 0, 0x12, 0x34, 0, 1],
    );
    let key = flows.observe(&read(&request), 0, |_| {}).flow.key;
    let seen = flows.observe(&read(&reply), 1, |_| {});
    assert!(!seen.is_new && !seen.outbound);
    assert_eq!(flows.get_mut(&key).unwrap().reply_packets, 1);
}

#[test]
fn a_tuple_used_again_is_another_flow() {
    let mut flows = table();
    let send = |flows: &mut FlowTable<()>, flags, time_ns| {
        let packet = ip(
            INSIDE,
            OUTSIDE,
            protocol::TCP,
            &tcp(5000, 443, 1, flags, b""),
        );
        let mut ended = 0;
        let seen = flows.observe(&read(&packet), time_ns, |_| ended += 1);
        (seen.is_new, seen.is_reused, ended)
    };
    assert_eq!(send(&mut flows, tcp_flag::SYN, 0), (true, false, 0));
    // A SYN that is sent again is the same attempt.
    assert_eq!(send(&mut flows, tcp_flag::SYN, 1), (false, false, 0));
    assert_eq!(send(&mut flows, tcp_flag::RST, 2), (false, false, 0));
    assert_eq!(send(&mut flows, tcp_flag::SYN, 3), (true, true, 1));
    let idle = Limits::default().tcp_idle_ns;
    assert_eq!(send(&mut flows, tcp_flag::ACK, 4 + idle), (true, true, 1));
    assert_eq!(flows.len(), 1);
}

#[test]
fn a_full_table_ends_the_idle_and_loses_none() {
    let mut flows: FlowTable<()> = FlowTable::new(Limits {
        flows: 8,
        ..Limits::default()
    });
    let mut ended = 0_u64;
    for port in 1000..1100 {
        let kept = ip(INSIDE, OUTSIDE, protocol::UDP, &udp(999, 53, b"busy"));
        flows.observe(&read(&kept), u64::from(port), |flow| {
            ended += flow.outbound_packets;
        });
        let other = ip(INSIDE, OUTSIDE, protocol::UDP, &udp(port, 53, b"idle"));
        flows.observe(&read(&other), u64::from(port), |flow| {
            ended += flow.outbound_packets;
        });
        assert!(flows.len() <= 8);
    }
    let mut busiest = 0;
    flows.finish(|flow| {
        ended += flow.outbound_packets;
        busiest = busiest.max(flow.outbound_packets);
    });
    assert_eq!(ended, 200);
    assert!(busiest > 80, "the busy flow stays: {busiest}");
    assert!(flows.is_empty());
}

#[test]
fn later_fragments_belong_to_their_first() {
    let mut fragments = FragmentTable::new(2);
    let whole = tcp(5000, 443, 1, 0, &[7; 20]);
    let first = ip_with(INSIDE, OUTSIDE, protocol::TCP, &whole, 0x2000, &[]);
    let later = ip_with(INSIDE, OUTSIDE, protocol::TCP, &[7; 8], 5, &[]);
    let overlap = ip_with(INSIDE, OUTSIDE, protocol::TCP, &[7; 8], 1, &[]);
    let mut packet = read(&later);
    assert_eq!(
        fragments.resolve(&mut packet, 0),
        Err(Opaque::FragmentWithoutFirst)
    );
    assert_eq!(fragments.resolve(&mut read(&first), 0), Ok(()));
    assert_eq!(fragments.resolve(&mut packet, 0), Ok(()));
    assert_eq!((packet.source_port, packet.destination_port), (5000, 443));
    assert_eq!(
        fragments.resolve(&mut read(&overlap), 0),
        Err(Opaque::FragmentOverlapping)
    );
    for last in 2..6 {
        let source = format!("10.0.0.{last}");
        let other = ip_with(&source, OUTSIDE, protocol::TCP, &whole, 0x2000, &[]);
        assert_eq!(fragments.resolve(&mut read(&other), 0), Ok(()));
    }
    assert_eq!(
        fragments.resolve(&mut packet, 0),
        Err(Opaque::FragmentWithoutFirst)
    );
}

/// Fragments of one UDP datagram: offset in units, bytes, more follow.
fn piece(offset: u16, bytes: usize, more: bool) -> Vec<u8> {
    let whole = udp(4000, 53, &[7; 400]);
    let from = usize::from(offset) * 8;
    let word = offset | if more { 0x2000 } else { 0 };
    let part = &whole[from..from + bytes];
    ip_with(INSIDE, OUTSIDE, protocol::UDP, part, word, &[])
}

#[test]
fn every_byte_of_a_datagram_belongs_to_it_once() {
    type Pieces<'a> = &'a [(u16, usize, bool, Result<(), Opaque>)];
    const OVERLAPS: Result<(), Opaque> = Err(Opaque::FragmentOverlapping);
    const MALFORMED: Result<(), Opaque> = Err(Opaque::Malformed);
    let cases: [Pieces<'_>; 8] = [
        &[
            (0, 24, true, Ok(())),
            (6, 8, false, Ok(())),
            (3, 24, true, Ok(())),
        ],
        // A duplicate is not passed on and spoils nothing.
        &[
            (0, 24, true, Ok(())),
            (3, 24, true, Ok(())),
            (3, 24, true, OVERLAPS),
            (6, 9, false, Ok(())),
        ],
        // One that overlaps in part spoils the datagram.
        &[
            (0, 24, true, Ok(())),
            (3, 24, true, Ok(())),
            (5, 24, true, OVERLAPS),
            (8, 8, false, OVERLAPS),
        ],
        &[
            (0, 24, true, Ok(())),
            (1, 32, true, OVERLAPS),
            (9, 8, false, OVERLAPS),
        ],
        // Behind the end, or with two ends.
        &[
            (0, 24, true, Ok(())),
            (3, 5, false, Ok(())),
            (9, 8, true, OVERLAPS),
        ],
        &[
            (0, 24, true, Ok(())),
            (9, 8, true, Ok(())),
            (3, 5, false, OVERLAPS),
        ],
        &[
            (0, 24, true, Ok(())),
            (3, 7, true, MALFORMED),
            (3, 0, false, MALFORMED),
        ],
        // When all of it came, another datagram may have its number.
        &[
            (0, 24, true, Ok(())),
            (0, 24, true, OVERLAPS),
            (3, 8, false, Ok(())),
            (0, 24, true, Ok(())),
        ],
    ];
    for (number, pieces) in cases.iter().enumerate() {
        let mut table = FragmentTable::new(4);
        for (offset, bytes, more, expected) in *pieces {
            let bytes_of_it = piece(*offset, *bytes, *more);
            let found = table.resolve(&mut read(&bytes_of_it), 0);
            assert_eq!(found, *expected, "case {number}, unit {offset}");
        }
    }
    // So may one that comes a minute later.
    let mut table = FragmentTable::new(4);
    let (first, later) = (piece(0, 24, true), piece(3, 8, false));
    assert_eq!(table.resolve(&mut read(&first), 0), Ok(()));
    let late = 60_000_000_001;
    let lost = Err(Opaque::FragmentWithoutFirst);
    assert_eq!(table.resolve(&mut read(&later), late), lost);
    assert_eq!(table.resolve(&mut read(&first), late), Ok(()));
}
