//! Link layers: MPLS, PPPoE, the link's own traffic that is not IP, and no link header at all.

use octroi_abi::opaque::Opaque;
use octroi_abi::outcome::{Direction, Loss, Outcome};
use octroi_datapath::{Program, RunReport};

use crate::common::checksum;
use crate::common::frames::{
    GATE_MAC, INSIDE_MAC, INSIDE_V4, INSIDE_V6, RST, SYN, TCP, UDP, V4, ethernet_tagged, key, tcp,
    udp, v6,
};
use crate::common::{self, RigGuard, XDP_TX};

const MPLS: u16 = 0x8847;
const MPLS_UPSTREAM: u16 = 0x8848;
const DISCOVERY: u16 = 0x8863;
const SESSION: u16 = 0x8864;
const PPP_IPV4: [u8; 2] = [0x00, 0x21];
const PPP_IPV6: [u8; 2] = [0x00, 0x57];

const ALLOWED: &str = "198.18.1.1";
const BLOCKED: &str = "198.18.2.1";
const REJECTED: &str = "198.18.3.1";
const ALLOWED_V6: &str = "2001:db8:1::1";
const REJECTED_V6: &str = "2001:db8:3::1";

/// A packet of the usual inside host, without a link header.
fn packet(to: &str, protocol: u8, payload: &[u8]) -> Vec<u8> {
    if to.contains(':') {
        v6(INSIDE_V6, to, protocol, 64, payload)
    } else {
        V4::new(INSIDE_V4, to, protocol, payload.to_vec()).bytes()
    }
}

fn syn(to: &str, port: u16) -> Vec<u8> {
    packet(to, TCP, &tcp(port, 443, SYN, b""))
}

/// Labels above some bytes; only the last one has the bottom-of-stack bit.
fn labelled(labels: usize, ethertype: u16, inner: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for number in 0..labels {
        let bottom = u8::from(number + 1 == labels);
        bytes.extend_from_slice(&[0x00, 0x3e, 0x80 | bottom, 64]);
    }
    bytes.extend_from_slice(inner);
    ethernet_tagged(&[], ethertype, &bytes)
}

/// A PPPoE session frame whose length says `length`.
fn session_of(length: usize, protocol: &[u8], inner: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x11, 0x00, 0x12, 0x34];
    bytes.extend_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
    bytes.extend_from_slice(protocol);
    bytes.extend_from_slice(inner);
    ethernet_tagged(&[], SESSION, &bytes)
}

fn session(protocol: &[u8], inner: &[u8]) -> Vec<u8> {
    session_of(protocol.len() + inner.len(), protocol, inner)
}

fn shape(rig: &RigGuard, program: Program, frame: &[u8]) -> (Outcome, Opaque) {
    let direction = match program {
        Program::Reply | Program::ReplyL3 => Direction::Reply,
        _ => Direction::Outbound,
    };
    let before = rig.datapath.counters().unwrap();
    let (outcome, _) = rig.outcome_of(program, direction, frame);
    let after = rig.datapath.counters().unwrap();
    let counted = Opaque::ALL
        .into_iter()
        .find(|kind| after.opaque(*kind) != before.opaque(*kind));
    (outcome, counted.unwrap_or(Opaque::None))
}

fn outbound(rig: &RigGuard, frame: &[u8]) -> (Outcome, Opaque) {
    shape(rig, Program::Outbound, frame)
}

const PASSED: (Outcome, Opaque) = (Outcome::Allowed, Opaque::None);
const STOPPED: (Outcome, Opaque) = (Outcome::Blocked, Opaque::None);
const CONTROL: (Outcome, Opaque) = (Outcome::Control, Opaque::None);

const fn opaque(kind: Opaque) -> (Outcome, Opaque) {
    (Outcome::OpaqueDropped, kind)
}

/// The answer to a rejected frame: its link header and its IP packet.
fn answer(rig: &RigGuard, program: Program, frame: &[u8], link_bytes: usize) -> RunReport {
    let (outcome, report) = rig.outcome_of(program, Direction::Outbound, frame);
    assert_eq!((outcome, report.action), (Outcome::Rejected, XDP_TX));
    if link_bytes > 0 {
        assert_eq!(report.frame[0..6], INSIDE_MAC, "to who sent it");
        assert_eq!(report.frame[6..12], GATE_MAC);
    }
    report
}

/// Checks lengths and checksums of a RST or of "administratively prohibited" about `request`.
fn check_answer(packet: &[u8], request: &[u8]) {
    let (header_bytes, total, protocol) = if packet[0] >> 4 == 4 {
        assert!(checksum::holds(&packet[..20]), "IP checksum");
        assert_eq!(
            packet[12..20],
            [&request[16..20], &request[12..16]].concat()
        );
        let total = u16::from_be_bytes([packet[2], packet[3]]);
        (20, usize::from(total), packet[9])
    } else {
        assert_eq!(packet[8..40], [&request[24..40], &request[8..24]].concat());
        let payload = u16::from_be_bytes([packet[4], packet[5]]);
        (40, 40 + usize::from(payload), packet[6])
    };
    assert_eq!(packet.len(), total, "the IP length is that of the frame");
    let (header, rest) = packet.split_at(header_bytes);
    match protocol {
        TCP => {
            assert_eq!(rest[13] & RST, RST);
            assert!(checksum::transport_holds(header, TCP, rest));
        }
        1 => {
            assert_eq!(rest[0..2], [3, 13]);
            assert!(checksum::holds(rest));
        }
        58 => {
            assert_eq!(rest[0..2], [1, 1]);
            assert!(checksum::transport_holds(header, 58, rest));
        }
        other => panic!("an answer of protocol {other}"),
    }
}

#[test]
fn labels_hide_nothing() {
    if common::skipped() {
        return;
    }
    let rig = common::rig();
    for labels in 1..=8 {
        for ethertype in [MPLS, MPLS_UPSTREAM] {
            let frame = |to| labelled(labels, ethertype, &syn(to, 1000));
            assert_eq!(outbound(&rig, &frame(ALLOWED)), PASSED, "{labels} labels");
            assert_eq!(
                outbound(&rig, &frame(ALLOWED_V6)),
                PASSED,
                "{labels} labels"
            );
            assert_eq!(outbound(&rig, &frame(BLOCKED)), STOPPED, "{labels} labels");
        }
    }
    assert!(
        rig.flow(&key(BLOCKED, 1000, 443, TCP)).is_some(),
        "the flow is the packet's"
    );
    let deep = labelled(9, MPLS, &syn(ALLOWED, 1000));
    assert_eq!(outbound(&rig, &deep), opaque(Opaque::NotIp));
    // A pseudowire with its control word, an associated channel, nothing at all.
    for inner in [
        &[0, 0, 0, 0, 1, 2, 3, 4][..],
        &[0x10, 0, 0, 7, 1, 2],
        &[0x50; 24],
    ] {
        let frame = labelled(2, MPLS, inner);
        assert_eq!(outbound(&rig, &frame), opaque(Opaque::NotIp), "{inner:?}");
    }
    // Behind two tags.
    let mut stack = vec![0, 0, 0x01, 64];
    stack.extend(syn(BLOCKED, 1001));
    let tagged = ethernet_tagged(&[(0x88a8, 5), (0x8100, 6)], MPLS, &stack);
    assert_eq!(outbound(&rig, &tagged), STOPPED);
}

#[test]
fn what_is_rejected_behind_labels_goes_in_silence_and_is_counted() {
    if common::skipped() {
        return;
    }
    let rig = common::rig();
    let before = rig.datapath.counters().unwrap();
    for frame in [
        labelled(1, MPLS, &syn(REJECTED, 1000)),
        labelled(3, MPLS, &packet(REJECTED_V6, UDP, &udp(1, 443, b"abc"))),
    ] {
        let (outcome, _) = rig.outcome(Direction::Outbound, &frame);
        assert_eq!(outcome, Outcome::RejectedSilently);
    }
    let after = rig.datapath.counters().unwrap();
    assert_eq!(
        after.loss(Loss::RejectAnswer),
        before.loss(Loss::RejectAnswer) + 2
    );
}

#[test]
fn a_session_is_judged_by_what_it_carries() {
    if common::skipped() {
        return;
    }
    let rig = common::rig();
    assert_eq!(
        outbound(&rig, &session(&PPP_IPV4, &syn(ALLOWED, 1))),
        PASSED
    );
    assert_eq!(
        outbound(&rig, &session(&PPP_IPV4, &syn(BLOCKED, 1))),
        STOPPED
    );
    assert_eq!(
        outbound(&rig, &session(&PPP_IPV6, &syn(ALLOWED_V6, 1))),
        PASSED
    );
    // One byte of protocol (RFC 1661 section 6.5), which Linux takes.
    assert_eq!(outbound(&rig, &session(&[0x21], &syn(BLOCKED, 2))), STOPPED);
    assert_eq!(
        outbound(&rig, &session(&[0x57], &syn(ALLOWED_V6, 2))),
        PASSED
    );
    // The protocol and the packet contradict each other.
    let crossed = session(&PPP_IPV6, &syn(ALLOWED, 3));
    assert_eq!(outbound(&rig, &crossed).1, Opaque::Malformed);
    // Padding behind the session's length is nothing; a packet longer than it is cut.
    let inner = syn(ALLOWED, 4);
    let mut padded = session(&PPP_IPV4, &inner);
    padded.resize(padded.len() + 30, 0xee);
    assert_eq!(outbound(&rig, &padded), PASSED);
    for short in [1, 20, inner.len()] {
        let frame = session_of(2 + inner.len() - short, &PPP_IPV4, &inner);
        assert_eq!(outbound(&rig, &frame).1, Opaque::Truncated, "{short} short");
    }
    let long = session_of(3 + inner.len(), &PPP_IPV4, &inner);
    assert_eq!(outbound(&rig, &long), opaque(Opaque::Truncated));
    // Version, type and code.
    for (at, value) in [(14, 0x12), (14, 0x21), (15, 0x09)] {
        let mut frame = session(&PPP_IPV4, &inner);
        frame[at] = value;
        assert_eq!(outbound(&rig, &frame), opaque(Opaque::Malformed), "{at}");
    }
    // Compressed and encrypted datagrams, bridged frames, multilink, a stray HDLC header.
    for protocol in [
        [0x00, 0xfd],
        [0x00, 0x53],
        [0x00, 0x31],
        [0x00, 0x3d],
        [0xff, 0x03],
    ] {
        let frame = session(&protocol, &syn(ALLOWED, 5));
        assert_eq!(
            outbound(&rig, &frame),
            opaque(Opaque::NotIp),
            "{protocol:?}"
        );
    }
}

#[test]
fn what_is_rejected_in_a_session_is_answered_in_it() {
    if common::skipped() {
        return;
    }
    let rig = common::rig();
    let long = udp(7, 443, &[0x55; 700]);
    let requests = [
        syn(REJECTED, 1),
        syn(REJECTED_V6, 1),
        packet(REJECTED, UDP, &udp(7, 443, b"hello")),
        packet(REJECTED_V6, UDP, &udp(7, 443, b"hello")),
        packet(REJECTED, UDP, &long),
    ];
    for request in &requests {
        let two: &[u8] = if request[0] >> 4 == 4 {
            &PPP_IPV4
        } else {
            &PPP_IPV6
        };
        for protocol in [two, &two[1..]] {
            for tags in [&[][..], &[(0x88a8, 5), (0x8100, 6)]] {
                let untagged = session(protocol, request);
                let mut frame = ethernet_tagged(tags, SESSION, &untagged[14..]);
                frame.resize(frame.len().max(60), 0);
                let at = 14 + 4 * tags.len();
                let report = answer(&rig, Program::Outbound, &frame, at);
                let (link, rest) = report.frame.split_at(at + 6 + protocol.len());
                assert_eq!(link[12..at + 4], frame[12..at + 4], "tags and session stay");
                assert_eq!(&link[at + 6..], protocol);
                assert_eq!(
                    usize::from(u16::from_be_bytes([link[at + 4], link[at + 5]])),
                    protocol.len() + rest.len(),
                    "the session's length is that of the answer"
                );
                check_answer(rest, request);
            }
        }
    }
}

#[test]
fn the_links_own_traffic_passes_and_nothing_that_looks_like_it() {
    if common::skipped() {
        return;
    }
    let rig = common::rig();
    let both = |frame: &[u8], expected| {
        assert_eq!(outbound(&rig, frame), expected, "{frame:02x?}");
    };
    for control in [
        0x8021_u16, 0x8057, 0x80fd, 0xc021, 0xc023, 0xc025, 0xc223, 0xc227,
    ] {
        let frame = session(&control.to_be_bytes(), &[1, 1, 0, 4]);
        both(&frame, CONTROL);
        assert_eq!(shape(&rig, Program::Reply, &frame), CONTROL);
    }
    for code in [0x07, 0x09, 0x19, 0x65, 0xa7] {
        both(
            &ethernet_tagged(&[], DISCOVERY, &[0x11, code, 0, 0, 0, 0]),
            CONTROL,
        );
    }
    for bytes in [[0x11, 0x00, 0, 0, 0, 0], [0x12, 0x09, 0, 0, 0, 0]] {
        both(
            &ethernet_tagged(&[], DISCOVERY, &bytes),
            opaque(Opaque::Malformed),
        );
    }
    both(
        &ethernet_tagged(&[], DISCOVERY, &[0x11, 0x09]),
        opaque(Opaque::Truncated),
    );
    // Spanning tree (802.2 with a length), LLDP, LACP, 802.1X: by the group they are sent to.
    let spanning_tree = [0x42, 0x42, 0x03, 0, 0, 0, 0, 0];
    for ethertype in [38, 0x88cc, 0x8809, 0x888e] {
        let mut frame = ethernet_tagged(&[], ethertype, &spanning_tree);
        frame[..6].copy_from_slice(&[0x01, 0x80, 0xc2, 0, 0, 0x0e]);
        both(&frame, CONTROL);
        // A bridge forwards the next group, and any station.
        frame[5] = 0x10;
        both(&frame, opaque(Opaque::NotIp));
        frame[..6].copy_from_slice(&GATE_MAC);
        both(&frame, opaque(Opaque::NotIp));
    }
    // IP is judged, whatever group its frame is sent to.
    let mut disguised = ethernet_tagged(&[], 0x0800, &syn(BLOCKED, 9));
    disguised[..6].copy_from_slice(&[0x01, 0x80, 0xc2, 0, 0, 0]);
    both(&disguised, STOPPED);
}

#[test]
fn cut_anywhere_no_link_layer_lets_a_packet_through() {
    if common::skipped() {
        return;
    }
    let mut rig = common::rig();
    for program in [Program::OutboundL3, Program::ReplyL3] {
        rig.datapath.load_program(program).unwrap();
    }
    let frames = [
        labelled(8, MPLS, &syn(ALLOWED, 1)),
        labelled(1, MPLS, &syn(ALLOWED_V6, 1)),
        session(&PPP_IPV4, &syn(ALLOWED, 1)),
        session(&[0x57], &syn(ALLOWED_V6, 1)),
    ];
    for frame in &frames {
        assert_eq!(outbound(&rig, frame), PASSED);
        for length in 14..frame.len() {
            assert_eq!(
                outbound(&rig, &frame[..length]),
                opaque(Opaque::Truncated),
                "{length} of {}",
                frame.len()
            );
        }
    }
    let bare = syn(ALLOWED_V6, 1);
    for length in 14..bare.len() {
        let (outcome, kind) = shape(&rig, Program::OutboundL3, &bare[..length]);
        assert_eq!((outcome, kind), opaque(Opaque::Truncated), "{length}");
    }
}

#[test]
fn replies_find_their_flow_through_every_link_layer() {
    if common::skipped() {
        return;
    }
    let rig = common::rig();
    let back = |from: &str, port| {
        let payload = tcp(443, port, SYN | 0x10, b"");
        if from.contains(':') {
            v6(from, INSIDE_V6, TCP, 64, &payload)
        } else {
            V4::new(from, INSIDE_V4, TCP, payload).bytes()
        }
    };
    let table: [(Vec<u8>, Vec<u8>, &str, u16); 3] = [
        (
            labelled(2, MPLS, &syn(ALLOWED, 50)),
            labelled(3, MPLS, &back(ALLOWED, 50)),
            ALLOWED,
            50,
        ),
        (
            session(&PPP_IPV6, &syn(ALLOWED_V6, 51)),
            session(&PPP_IPV6, &back(ALLOWED_V6, 51)),
            ALLOWED_V6,
            51,
        ),
        (
            session(&PPP_IPV4, &syn(ALLOWED, 52)),
            labelled(1, MPLS, &back(ALLOWED, 52)),
            ALLOWED,
            52,
        ),
    ];
    for (out, reply, outside, port) in &table {
        assert_eq!(outbound(&rig, out), PASSED);
        assert_eq!(shape(&rig, Program::Reply, reply), PASSED);
        let flow = rig.flow(&key(outside, *port, 443, TCP)).unwrap();
        assert_eq!((flow.outbound_packets, flow.reply_packets), (1, 1));
        let bytes = if outside.contains(':') { 60 } else { 40 };
        assert_eq!((flow.outbound_bytes, flow.reply_bytes), (bytes, bytes));
    }
}

#[test]
fn without_a_link_header_packets_are_judged_and_answered() {
    if common::skipped() {
        return;
    }
    let mut rig = common::rig();
    for program in [Program::OutboundL3, Program::ReplyL3] {
        rig.datapath.load_program(program).unwrap();
    }
    let bare = |packet: &[u8]| shape(&rig, Program::OutboundL3, packet);
    assert_eq!(bare(&syn(ALLOWED, 60)), PASSED);
    assert_eq!(bare(&syn(ALLOWED_V6, 60)), PASSED);
    assert_eq!(bare(&syn(BLOCKED, 60)), STOPPED);
    let reply = V4::new(ALLOWED, INSIDE_V4, TCP, tcp(443, 60, SYN | 0x10, b"")).bytes();
    assert_eq!(shape(&rig, Program::ReplyL3, &reply), PASSED);
    let flow = rig.flow(&key(ALLOWED, 60, 443, TCP)).unwrap();
    assert_eq!((flow.outbound_packets, flow.reply_packets), (1, 1));
    // An Ethernet frame, and nothing known.
    for strange in [
        ethernet_tagged(&[], 0x0800, &syn(ALLOWED, 61)),
        vec![0x70; 40],
    ] {
        assert_eq!(bare(&strange), opaque(Opaque::NotIp));
    }
    for request in [
        syn(REJECTED, 62),
        syn(REJECTED_V6, 62),
        packet(REJECTED, UDP, &udp(7, 443, b"hello")),
        packet(REJECTED_V6, UDP, &udp(7, 443, b"hello")),
    ] {
        let report = answer(&rig, Program::OutboundL3, &request, 0);
        check_answer(&report.frame, &request);
    }
}
