//! Packets inside packets.

use super::*;

/// Each kind of tunnel around the same segment.
#[expect(clippy::too_many_lines, reason = "a table")]
fn tunnels() -> Vec<(&'static str, Vec<u8>)> {
    let inner = summed(ip(A, B, protocol::TCP, &tcp(1234, 443, 99, 0, b"payload")));
    let frame = ethernet(0x0800, &inner);
    let through_udp = |from, to, head: &[u8], body: &[u8]| {
        ip(
            "10.0.0.1",
            "10.0.0.2",
            protocol::UDP,
            &udp(from, to, &[head, body].concat()),
        )
    };
    let inner6 = ip(A6, B6, protocol::TCP, &tcp(1234, 443, 99, 0, b"payload"));
    let gre = |head: &[u8], body: &[u8]| {
        ip(
            "10.0.0.1",
            "10.0.0.2",
            protocol::GRE,
            &[head, body].concat(),
        )
    };
    vec![
        (
            "ip in ip",
            ip("10.0.0.1", "10.0.0.2", protocol::IPV4, &inner),
        ),
        ("gre", gre(&[0, 0, 8, 0], &inner)),
        ("gre with key", gre(&[0x20, 0, 8, 0, 1, 2, 3, 4], &inner)),
        ("gre bridge", gre(&[0, 0, 0x65, 0x58], &frame)),
        (
            "gtp",
            through_udp(2152, 2152, &[0x30, 255, 0, 9, 0, 0, 0, 1], &inner),
        ),
        (
            "gtp with sequence",
            through_udp(
                2152,
                2152,
                &[0x32, 255, 0, 9, 0, 0, 0, 1, 0, 1, 0, 0],
                &inner,
            ),
        ),
        (
            "vxlan",
            through_udp(9999, 4789, &[8, 0, 0, 0, 0, 0, 1, 0], &frame),
        ),
        (
            "geneve",
            through_udp(9999, 6081, &[0, 0, 0x65, 0x58, 0, 0, 1, 0], &frame),
        ),
        (
            "six in four",
            ip("10.0.0.1", "10.0.0.2", protocol::IPV6, &inner6),
        ),
        (
            "ethernet in ip",
            ip(
                "10.0.0.1",
                "10.0.0.2",
                protocol::ETHER_IP,
                &[&[0x30, 0][..], &frame].concat(),
            ),
        ),
        (
            "mpls in ip",
            ip(
                "10.0.0.1",
                "10.0.0.2",
                protocol::MPLS,
                &[&[0, 1, 0x41, 64][..], &inner].concat(),
            ),
        ),
        (
            "mpls in gre",
            gre(&[0, 0, 0x88, 0x47, 0, 1, 0x41, 64], &inner),
        ),
        (
            "erspan 3",
            gre(
                &[
                    &[0x10, 0, 0x22, 0xeb, 0, 0, 0, 1][..],
                    &[0x20; 11],
                    &[1],
                    &[9; 8],
                ]
                .concat(),
                &frame,
            ),
        ),
        (
            "l2tp",
            through_udp(1701, 1701, &[0, 2, 0, 1, 0, 1, 0xff, 3, 0, 0x21], &inner),
        ),
        (
            "l2tp with all its fields",
            through_udp(
                40_000,
                1701,
                &[0x4a, 2, 0, 99, 0, 1, 0, 1, 0, 0, 0, 0, 0, 2, 9, 9, 0, 0x21],
                &inner,
            ),
        ),
        (
            "vxlan with next protocol",
            through_udp(9999, 4790, &[0x0c, 0, 0, 1, 0, 0, 1, 0], &inner),
        ),
        (
            "mpls in udp",
            through_udp(9999, 6635, &[0, 1, 0x41, 64], &inner),
        ),
        ("nvgre", gre(&[0x20, 0, 0x65, 0x58, 0, 0, 7, 1], &frame)),
        (
            "capwap, ethernet",
            through_udp(40_000, 5247, &[0, 0x10, 2, 0, 0, 0, 0, 0], &frame),
        ),
        (
            "capwap, wireless",
            through_udp(
                5247,
                40_000,
                &[
                    &[0, 0x10, 3, 0, 0, 0, 0, 0][..],
                    &wireless(&[0x88, 2], true),
                ]
                .concat(),
                &inner,
            ),
        ),
        (
            "capwap, wireless, bytes swapped",
            through_udp(
                40_000,
                5247,
                &[
                    &[0, 0x10, 3, 0, 0, 0, 0, 0][..],
                    &wireless(&[0x11, 8], false),
                ]
                .concat(),
                &inner,
            ),
        ),
        (
            "l2tp version 3 over ip",
            ip(
                "10.0.0.1",
                "10.0.0.2",
                protocol::L2TP,
                &[&[0, 0, 0, 9][..], &frame].concat(),
            ),
        ),
        (
            "l2tp version 3 over ip, cookie and sublayer, ipv6",
            ip(
                "10.0.0.1",
                "10.0.0.2",
                protocol::L2TP,
                &[
                    &[0, 0, 0, 9, 1, 2, 3, 4, 5, 6, 7, 8, 0x40, 0, 0, 1][..],
                    &ethernet(0x86dd, &inner6),
                ]
                .concat(),
            ),
        ),
        (
            "l2tp version 3 over udp, cookie, ppp",
            through_udp(
                1701,
                1701,
                &[0, 3, 0, 0, 0, 0, 0, 9, 1, 2, 3, 4, 0xff, 3, 0, 0x21],
                &inner,
            ),
        ),
        (
            "gre over udp",
            through_udp(9999, 4754, &[0, 0, 8, 0], &inner),
        ),
        ("gue", through_udp(9999, 6080, &[0, 4, 0, 0], &inner)),
        (
            "gue with options",
            through_udp(9999, 6080, &[1, 41, 0, 0, 9, 9, 9, 9], &inner6),
        ),
        ("gue without header", through_udp(9999, 6080, &[], &inner)),
        ("amt", through_udp(2268, 9999, &[6, 0], &inner)),
        (
            "lisp",
            through_udp(9999, 4341, &[0x80, 1, 2, 3, 0, 0, 0, 1], &inner),
        ),
        (
            "vxlan of linux",
            through_udp(9999, 8472, &[8, 0, 0, 0, 0, 0, 1, 0], &frame),
        ),
        (
            "authenticated packet",
            ip(
                "10.0.0.1",
                "10.0.0.2",
                protocol::AH,
                &[&[4, 4][..], &[7; 22], &inner].concat(),
            ),
        ),
        (
            "authenticated segment",
            ip(
                "10.0.0.1",
                "10.0.0.2",
                protocol::AH,
                &[&[6, 4][..], &[7; 22], &tcp(1234, 443, 99, 0, b"payload")].concat(),
            ),
        ),
        (
            "teredo",
            through_udp(3544, 9999, &[0, 0, 1, 2, 3, 4, 5, 6], &inner6),
        ),
    ]
}

/// The head of a wireless data frame, up to its ethertype.
fn wireless(control: &[u8], quality: bool) -> Vec<u8> {
    let mut out = [control, &[0; 22]].concat();
    if quality {
        out.extend([0, 0]);
    }
    out.extend([0xaa, 0xaa, 3, 0, 0, 0, 8, 0]);
    out
}

#[test]
fn tunnels_carry_packets() {
    for (label, packet) in tunnels() {
        let outer = parse(LinkType::RAW, &packet).unwrap();
        let inner = tunnel::inside(&outer).unwrap_or_else(|| panic!("{label}"));
        assert_eq!(inner.destination_port, 443, "{label}");
        assert_eq!(inner.payload, b"payload", "{label}");
    }
}

#[test]
fn what_is_no_tunnel_carries_nothing() {
    let inner = ip(A, B, protocol::TCP, &tcp(1234, 443, 99, 0, b"payload"));
    let frame_head = [&[2; 12][..], &[8, 0]].concat();
    let over_udp = |port, head: &[u8]| {
        let payload = [head, &inner].concat();
        ip(
            "10.0.0.1",
            "10.0.0.2",
            protocol::UDP,
            &udp(9999, port, &payload),
        )
    };
    let over_ip =
        |protocol, head: &[u8]| ip("10.0.0.1", "10.0.0.2", protocol, &[head, &inner].concat());
    for (label, packet) in [
        (
            "control of l2tp",
            over_udp(1701, &[0xc8, 2, 0, 99, 0, 1, 0, 0, 0, 0, 0, 0]),
        ),
        (
            "l2tp version 3, nothing that is known inside",
            over_udp(1701, &[0, 3, 0, 0, 0, 0, 0, 1]),
        ),
        (
            "control of l2tp version 3",
            over_ip(protocol::L2TP, &[&[0, 0, 0, 0][..], &frame_head].concat()),
        ),
        (
            "capwap, encrypted",
            over_udp(
                5247,
                &[&[1, 0x10, 2, 0, 0, 0, 0, 0][..], &frame_head].concat(),
            ),
        ),
        (
            "capwap, kept alive",
            over_udp(
                5247,
                &[&[0, 0x10, 2, 8, 0, 0, 0, 0][..], &frame_head].concat(),
            ),
        ),
        (
            "capwap, a later fragment",
            over_udp(
                5247,
                &[&[0, 0x10, 2, 0x80, 0, 1, 0, 8][..], &frame_head].concat(),
            ),
        ),
        (
            "capwap, a protected frame",
            over_udp(
                5247,
                &[
                    &[0, 0x10, 3, 0, 0, 0, 0, 0][..],
                    &wireless(&[8, 0x41], false),
                ]
                .concat(),
            ),
        ),
        (
            "capwap, several frames in one",
            over_udp(
                5247,
                &[
                    &[0, 0x10, 3, 0, 0, 0, 0, 0, 0x88, 1][..],
                    &[0; 22],
                    &[0x80, 0, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0],
                ]
                .concat(),
            ),
        ),
        ("gue, control", over_udp(6080, &[0x20, 4, 0, 0])),
        ("gue, version 2", over_udp(6080, &[0x80, 4, 0, 0])),
        ("amt, a query", over_udp(2268, &[4, 0])),
        (
            "vxlan of linux, other bits",
            over_udp(8472, &[&[9, 0, 0, 0, 0, 0, 1, 0][..], &frame_head].concat()),
        ),
        (
            "esp in ah",
            over_ip(
                protocol::AH,
                &[
                    50, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                ],
            ),
        ),
        (
            "routed gre",
            over_ip(protocol::GRE, &[0x40, 0, 8, 0, 0, 0, 0, 0]),
        ),
        ("gre version 2", over_ip(protocol::GRE, &[0, 2, 8, 0])),
        ("etherip version 2", over_ip(protocol::ETHER_IP, &[0x20, 0])),
        (
            "gtp echo",
            over_udp(2152, &[0x32, 1, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0]),
        ),
    ] {
        let outer = parse(LinkType::RAW, &packet).unwrap();
        assert_eq!(tunnel::inside(&outer), None, "{label}");
    }
}

/// With the right checksum in its IPv4 header.
fn summed(mut packet: Vec<u8>) -> Vec<u8> {
    packet[10..12].fill(0);
    let words = packet[..20].chunks_exact(2);
    let sum: u32 = words
        .map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])))
        .sum();
    let sum = u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap();
    packet[10..12].copy_from_slice(&(!sum).to_be_bytes());
    packet
}

#[test]
fn a_session_that_can_be_read_in_two_ways_is_not_read() {
    let over_ip = |body: &[u8]| {
        let packet = [&[0, 0, 0, 9][..], body].concat();
        ip("10.0.0.1", "10.0.0.2", protocol::L2TP, &packet)
    };
    let reads = |packet: &[u8]| tunnel::inside(&parse(LinkType::RAW, packet).unwrap()).is_some();
    let inner = summed(ip(A, B, protocol::TCP, &tcp(1234, 443, 99, 0, b"payload")));
    let mut frame = ethernet(0x0800, &inner);
    assert!(reads(&over_ip(&frame)));
    frame[14 + 12] ^= 1;
    assert!(!reads(&over_ip(&frame)), "a checksum that is wrong");
    // PPP around one packet; or a cookie, and Ethernet around another that begins inside of it.
    let first = summed(vec![
        0x45, 0, 0, 60, 0, 0, 0, 0, 64, 17, 0, 0, 8, 0, 0x45, 0, 0, 40, 0, 1,
    ]);
    let tail = [0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
    let second = summed([&first[14..], &tail].concat());
    let body = [&[0xff, 3, 0, 0x21][..], &first, &second[6..], &[0; 40]].concat();
    assert!(!reads(&over_ip(&body)));
    let mut one = body.clone();
    one[4 + 20 + 4] ^= 1;
    assert!(reads(&over_ip(&one)), "the second one's checksum is wrong");
}
