mod tunnels;

use proptest::prelude::*;

use super::*;
use crate::testing::{ethernet, ip, ip_with, tcp, udp};

const A: &str = "192.0.2.1";
const B: &str = "198.51.100.2";
const A6: &str = "2001:db8::1";
const B6: &str = "2001:db8::2";

fn opaque_of(frame: &[u8]) -> Opaque {
    match parse(LinkType::ETHERNET, frame) {
        Ok(parsed) => parsed.opaque,
        Err(unparsed) => unparsed.opaque,
    }
}

fn assert_tcp(link: LinkType, packet: &[u8], label: &str) {
    let parsed = parse(link, packet).unwrap_or_else(|error| panic!("{label}: {error:?}"));
    assert_eq!(parsed.source_port, 1234, "{label}");
    assert_eq!(parsed.destination_port, 443, "{label}");
    assert_eq!(parsed.payload, b"payload", "{label}");
    assert_eq!(parsed.tcp.unwrap().sequence, 99, "{label}");
    assert_eq!(parsed.opaque, Opaque::None, "{label}");
    assert!(!parsed.cut, "{label}");
}

#[test]
fn every_link_header_leads_to_the_packet() {
    let segment = tcp(1234, 443, 99, tcp_flag::ACK, b"payload");
    for (source, destination, ethertype, ppp, family) in [
        (A, B, 0x0800_u16, 0x0021_u16, 2_u32),
        (A6, B6, 0x86dd, 0x0057, 30),
    ] {
        let packet = ip(source, destination, protocol::TCP, &segment);
        let behind = |head: &[u8]| [head, &packet[..]].concat();
        let kind = ethertype.to_be_bytes();
        let ppp = ppp.to_be_bytes();
        let mut sll = vec![0; 14];
        sll.extend(kind);
        let mut sll2 = kind.to_vec();
        sll2.extend([0; 18]);
        let mut infiniband = vec![0; 40];
        infiniband.extend(kind);
        infiniband.extend([0, 0]);
        let mpls = [0, 1, 0x40, 64, 0, 2, 0x41, 64];
        let pppoe = [&[0x11, 0, 0, 1, 0, 9][..], &ppp].concat();
        let vlan = [&[0, 5, 0x81, 0, 0, 6][..], &kind].concat();
        let service = [&[0, 2, 1, if family == 2 { 1 } else { 2 }][..], &[0; 4]].concat();
        let backbone = [&[0; 4][..], &ethernet(ethertype, &[])].concat();
        let snap = [&[0xaa, 0xaa, 3, 0, 0, 0][..], &kind].concat();
        let cases: Vec<(&str, LinkType, Vec<u8>)> = vec![
            ("ethernet", LinkType::ETHERNET, ethernet(ethertype, &packet)),
            (
                "padding",
                LinkType::ETHERNET,
                [ethernet(ethertype, &packet), vec![0; 9]].concat(),
            ),
            ("qinq", LinkType::ETHERNET, ethernet(0x88a8, &behind(&vlan))),
            ("mpls", LinkType::ETHERNET, ethernet(0x8847, &behind(&mpls))),
            (
                "pppoe",
                LinkType::ETHERNET,
                ethernet(0x8864, &behind(&pppoe)),
            ),
            (
                "nsh",
                LinkType::ETHERNET,
                ethernet(0x894f, &behind(&service)),
            ),
            (
                "pbb",
                LinkType::ETHERNET,
                ethernet(0x88e7, &behind(&backbone)),
            ),
            (
                "authenticated, not encrypted",
                LinkType::ETHERNET,
                [
                    ethernet(0x88e5, &behind(&[&[0x20, 0][..], &[7; 12], &kind].concat())),
                    vec![9; 16],
                ]
                .concat(),
            ),
            ("snap", LinkType::ETHERNET, ethernet(200, &behind(&snap))),
            ("raw", LinkType::RAW, packet.clone()),
            ("raw bsd", LinkType::RAW_BSD, packet.clone()),
            ("raw openbsd", LinkType::RAW_OPENBSD, packet.clone()),
            ("null le", LinkType::NULL, behind(&family.to_le_bytes())),
            ("null be", LinkType::NULL, behind(&family.to_be_bytes())),
            ("loop", LinkType::LOOP, behind(&family.to_be_bytes())),
            ("sll", LinkType::LINUX_SLL, behind(&sll)),
            ("sll2", LinkType::LINUX_SLL2, behind(&sll2)),
            ("ipoib", LinkType::IPOIB, behind(&infiniband)),
            ("ppp", LinkType::PPP, behind(&ppp)),
            (
                "ppp hdlc",
                LinkType::PPP_HDLC,
                behind(&[&[0xff, 3], &ppp[..]].concat()),
            ),
            ("ppp compressed", LinkType::PPP, behind(&ppp[1..])),
            (
                "chdlc",
                LinkType::C_HDLC,
                behind(&[&[0x0f, 0], &kind[..]].concat()),
            ),
            (
                "chdlc in ppp",
                LinkType::PPP_HDLC,
                behind(&[&[0x0f, 0], &kind[..]].concat()),
            ),
            ("pppoe link", LinkType::PPP_ETHER, behind(&pppoe)),
        ];
        for (label, link, bytes) in cases {
            assert_tcp(link, &bytes, label);
        }
        let only = if family == 2 {
            LinkType::IPV4
        } else {
            LinkType::IPV6
        };
        assert_tcp(only, &packet, "one family");
    }
}

#[expect(clippy::too_many_lines, reason = "one row of the table for each shape")]
#[test]
fn what_hides_the_answer_is_named() {
    let good = tcp(1, 2, 0, tcp_flag::SYN, b"");
    let packet = |protocol, payload: &[u8]| ethernet(0x0800, &ip(A, B, protocol, payload));
    let fragment =
        |word, payload: &[u8]| ethernet(0x0800, &ip_with(A, B, protocol::TCP, payload, word, &[]));
    let options =
        |options: &[u8]| ethernet(0x0800, &ip_with(A, B, protocol::TCP, &good, 0, options));
    let v6 = |next, payload: &[u8]| ethernet(0x86dd, &ip(A6, B6, next, payload));
    let chain = |count: usize| {
        let mut payload = Vec::new();
        for index in 0..count {
            let next = if index + 1 == count {
                protocol::TCP
            } else {
                60
            };
            payload.extend([next, 0, 1, 4, 0, 0, 0, 0]);
        }
        payload.extend(&good);
        v6(60, &payload)
    };
    let mut wrong_version = packet(protocol::TCP, &good);
    wrong_version[14] = 0x55;
    let mut short_header = packet(protocol::TCP, &good);
    short_header[14] = 0x44;
    let mut short_offset = packet(protocol::TCP, &good);
    short_offset[14 + 20 + 12] = 0x40;
    let routed = [&[protocol::TCP, 2, 0, 1, 0, 0, 0, 0][..], &[0; 16], &good].concat();
    let used = [&[protocol::TCP, 2, 0, 0, 0, 0, 0, 0][..], &[0; 16], &good].concat();
    let cases: Vec<(&str, Vec<u8>, Opaque)> = vec![
        ("good", packet(protocol::TCP, &good), Opaque::None),
        ("arp", ethernet(0x0806, &[0; 28]), Opaque::None),
        ("lldp", ethernet(0x88cc, &[0; 28]), Opaque::NotIp),
        (
            "three tags",
            ethernet(0x8100, &[0, 1, 0x81, 0, 0, 2, 0x81, 0, 0, 3, 8, 0]),
            Opaque::NotIp,
        ),
        ("nothing", ethernet(0x0800, &[]), Opaque::Truncated),
        (
            "half a header",
            ethernet(0x0800, &[0x45, 0, 0, 40]),
            Opaque::Truncated,
        ),
        (
            "shorter than it says",
            packet(protocol::TCP, &good)[..50].to_vec(),
            Opaque::Truncated,
        ),
        ("another version", wrong_version, Opaque::Malformed),
        ("header of 16 bytes", short_header, Opaque::Malformed),
        ("tcp offset of 16 bytes", short_offset, Opaque::Malformed),
        (
            "no room for tcp",
            packet(protocol::TCP, &good[..12]),
            Opaque::Truncated,
        ),
        (
            "no room for udp",
            packet(protocol::UDP, &[0; 7]),
            Opaque::Truncated,
        ),
        (
            "first fragment too small",
            fragment(0x2000, &good[..12]),
            Opaque::FragmentTiny,
        ),
        ("first fragment", fragment(0x2000, &good), Opaque::None),
        ("later fragment", fragment(0x0064, &[0; 4]), Opaque::None),
        (
            "record route",
            options(&[7, 7, 4, 0, 0, 0, 0, 0]),
            Opaque::None,
        ),
        (
            "loose source route",
            options(&[1, 131, 7, 4, 9, 9, 9, 9]),
            Opaque::SourceRouted,
        ),
        (
            "strict source route",
            options(&[137, 7, 4, 9, 9, 9, 9, 0]),
            Opaque::SourceRouted,
        ),
        (
            "behind the end of options",
            options(&[0, 131, 7, 4]),
            Opaque::None,
        ),
        (
            "ip in ip",
            packet(protocol::IPV4, &ip(A, B, 6, &good)),
            Opaque::Ipv4InIp,
        ),
        (
            "6in4",
            packet(protocol::IPV6, &ip(A6, B6, 6, &good)),
            Opaque::Ipv6InIp,
        ),
        ("gre", packet(protocol::GRE, &[0, 0, 8, 0]), Opaque::Gre),
        ("esp", packet(protocol::ESP, &[0; 16]), Opaque::Esp),
        ("ah", packet(protocol::AH, &[0; 16]), Opaque::Ah),
        ("l2tp", packet(115, &[0; 16]), Opaque::L2tp),
        ("ethernet in ip", packet(97, &[0; 16]), Opaque::EtherIp),
        (
            "vxlan",
            packet(protocol::UDP, &udp(9, 4789, &[8, 0, 0, 0, 0, 0, 1, 0])),
            Opaque::Vxlan,
        ),
        (
            "too short for vxlan",
            packet(protocol::UDP, &udp(9, 4789, &[8, 0, 0, 0, 0, 0, 1])),
            Opaque::None,
        ),
        (
            "teredo",
            packet(protocol::UDP, &udp(9, 3544, &[])),
            Opaque::Teredo,
        ),
        ("protocol 99", packet(99, &[0; 16]), Opaque::UnknownProtocol),
        ("igmp", packet(2, &[0; 8]), Opaque::UnknownProtocol),
        ("sctp", packet(protocol::SCTP, &[0; 12]), Opaque::None),
        ("eight extension headers", chain(8), Opaque::None),
        ("nine extension headers", chain(9), Opaque::ExtensionHeaders),
        ("routing header 0", v6(43, &routed), Opaque::SourceRouted),
        (
            "routing header 0, done",
            v6(43, &used),
            Opaque::SourceRouted,
        ),
        ("no next header", v6(59, &[]), Opaque::UnknownProtocol),
    ];
    for (label, frame, expected) in cases {
        assert_eq!(opaque_of(&frame), expected, "{label}");
    }
}

#[test]
fn a_snap_length_is_no_truncation() {
    let packet = ip(A, B, protocol::TCP, &tcp(1234, 443, 99, 0, &[7; 1000]));
    let wire = u32::try_from(packet.len()).unwrap();
    let parsed = parse_captured(LinkType::RAW, &packet[..60], wire).unwrap();
    assert!(parsed.cut);
    assert_eq!(parsed.payload, [7; 20]);
    assert_eq!(parsed.ip_bytes, wire);
    assert_eq!(
        parse(LinkType::RAW, &packet[..60]).unwrap_err().opaque,
        Opaque::Truncated
    );
}

#[test]
fn udp_length_ends_the_payload() {
    let mut datagram = udp(5, 53, b"question");
    datagram.extend_from_slice(b"padding");
    let packet = ip(A, B, protocol::UDP, &datagram);
    assert_eq!(parse(LinkType::RAW, &packet).unwrap().payload, b"question");
}

#[test]
fn icmp_echo_has_its_identifier() {
    let echo = [8, 0, 0, 0, 0x12, 0x34, 0, 1, 9];
    let packet = ip(A, B, protocol::ICMP, &echo);
    let parsed = parse(LinkType::RAW, &packet).unwrap();
    let icmp = parsed.icmp.unwrap();
    assert_eq!(icmp.echo_identifier, Some(0x1234));
    assert_eq!(parsed.payload, [9]);
    let unreachable = ip(A, B, protocol::ICMP, &[3, 1, 0, 0]);
    let icmp = parse(LinkType::RAW, &unreachable).unwrap().icmp.unwrap();
    assert_eq!((icmp.kind, icmp.code, icmp.echo_identifier), (3, 1, None));
}

proptest! {
    #[test]
    fn parse_never_panics(
        link in prop::sample::select(vec![0_u16, 1, 9, 12, 14, 50, 51, 101, 104, 108, 113, 228, 229, 242, 276, 147]),
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        more in 0_u32..2000,
    ) {
        let wire = u32::try_from(bytes.len()).unwrap() + more;
        if let Ok(parsed) = parse_captured(LinkType(link), &bytes, wire) {
            prop_assert!(parsed.payload.len() <= bytes.len());
            let _ = tunnel::inside(&parsed);
        }
    }

    #[test]
    fn a_packet_cut_or_damaged_anywhere_never_panics(
        kind in 0_usize..5,
        flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
    ) {
        let segment = tcp(1234, 443, 99, tcp_flag::ACK, b"payload");
        let inner = ip(A, B, protocol::TCP, &segment);
        let mut frame = match kind {
            0 => ethernet(0x0800, &ip_with(A, B, protocol::TCP, &segment, 0x2000, &[7, 7, 4, 0, 0, 0, 0, 0])),
            1 => ethernet(0x86dd, &ip(A6, B6, 60, &[&[44, 0, 1, 4, 0, 0, 0, 0][..], &[6, 0, 0, 1, 0, 0, 0, 9], &segment].concat())),
            2 => ethernet(0x8847, &[&[0, 1, 0x41, 64][..], &inner].concat()),
            3 => ethernet(0x0800, &ip(A, B, protocol::UDP, &udp(1, 2152, &[&[0x34, 255, 0, 9, 0, 0, 0, 1, 0, 0, 0, 0x85, 1, 0, 0, 0][..], &inner].concat()))),
            _ => ethernet(0x0800, &ip(A, B, protocol::GRE, &[&[0xb0, 0, 0x88, 0xbe][..], &[0; 20], &ethernet(0x0800, &inner)].concat())),
        };
        for (at, value) in flips {
            let at = at.index(frame.len());
            frame[at] = value;
        }
        for length in 0..=frame.len() {
            if let Ok(parsed) = parse(LinkType::ETHERNET, &frame[..length]) {
                let _ = tunnel::inside(&parsed);
            }
        }
    }
}
