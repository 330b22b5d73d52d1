//! Packets inside packets.

use super::*;

/// Each kind of tunnel around the same segment.
#[expect(clippy::too_many_lines, reason = "a table")]
fn tunnels() -> Vec<(&'static str, Vec<u8>)> {
    let inner = ip(A, B, protocol::TCP, &tcp(1234, 443, 99, 0, b"payload"));
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
        (
            "teredo",
            through_udp(3544, 9999, &[0, 0, 1, 2, 3, 4, 5, 6], &inner6),
        ),
    ]
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
        ("l2tp version 3", over_udp(1701, &[0, 3, 0, 0, 0, 0, 0, 1])),
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
