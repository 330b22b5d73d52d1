//! Answers to rejected packets: their bytes, their checksums, and what is never answered.

use std::time::{Duration, Instant};

use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;
use octroi_abi::outcome::{Direction, Loss, Outcome, REJECTS_BURST, REJECTS_PER_SECOND};

use crate::common::checksum;
use crate::common::frames::{
    ACK, FIN, GATE_MAC, ICMP, ICMPV6, INSIDE_MAC, INSIDE_V4, PSH, RST, SYN, TCP, UDP, V4,
    ethernet_tagged, icmp, tcp, tcp_numbered, to, udp, v6,
};
use crate::common::{self, RigGuard, XDP_TX};

const V4_ADDRESS: &str = "198.18.3.1";
const V6_ADDRESS: &str = "2001:db8:3::1";

/// Rejects a frame and returns the answer behind its link header, which is checked.
fn answer(rig: &RigGuard, frame: &[u8], link_bytes: usize) -> Vec<u8> {
    let (outcome, report) = rig.outcome(Direction::Outbound, frame);
    assert_eq!((outcome, report.action), (Outcome::Rejected, XDP_TX));
    assert_eq!(report.frame[0..6], INSIDE_MAC, "to who sent it");
    assert_eq!(report.frame[6..12], GATE_MAC);
    assert_eq!(
        report.frame[12..link_bytes],
        frame[12..link_bytes],
        "tags stay"
    );
    report.frame[link_bytes..].to_vec()
}

/// Checks the IP header of an answer; returns it and the rest.
fn ip<'a>(packet: &'a [u8], request: &[u8], protocol: u8) -> (&'a [u8], &'a [u8]) {
    if packet[0] >> 4 == 4 {
        let (header, rest) = packet.split_at(20);
        assert_eq!(header[0], 0x45);
        assert!(checksum::holds(header), "IP checksum");
        assert_eq!(
            usize::from(u16::from_be_bytes([header[2], header[3]])),
            packet.len()
        );
        assert_eq!(
            (header[9], &header[12..16]),
            (protocol, &request[16..20]),
            "from whom it was for"
        );
        assert_eq!(header[16..20], request[12..16]);
        (header, rest)
    } else {
        let (header, rest) = packet.split_at(40);
        assert_eq!(
            usize::from(u16::from_be_bytes([header[4], header[5]])),
            rest.len()
        );
        assert_eq!((header[6], &header[8..24]), (protocol, &request[24..40]));
        assert_eq!(header[24..40], request[8..24]);
        (header, rest)
    }
}

#[test]
fn tcp_is_reset_with_numbers_its_sender_accepts() {
    if common::skipped() {
        return;
    }
    let rig = common::rig();
    // RFC 9293 section 3.10.7.1: flags and payload in, sequence, acknowledgment and flags out.
    let table: [(u8, &[u8], u32, u32, u8); 6] = [
        (SYN, b"", 0, 1001, RST | ACK),
        (SYN, b"early", 0, 1006, RST | ACK),
        (FIN, b"", 0, 1001, RST | ACK),
        (0, b"abc", 0, 1003, RST | ACK),
        (ACK | PSH, b"hello", 2000, 0, RST),
        (SYN | ACK, b"", 2000, 0, RST),
    ];
    for address in [V4_ADDRESS, V6_ADDRESS] {
        for (number, (flags, payload, sequence, acknowledgment, expected)) in (0..).zip(table) {
            let port = 30_000 + number;
            let segment = tcp_numbered(port, 443, 1000, 2000, flags, payload);
            let frame = to(address, TCP, segment);
            let packet = answer(&rig, &frame, 14);
            let (header, reset) = ip(&packet, &frame[14..], TCP);
            assert_eq!(reset.len(), 20);
            assert!(
                checksum::transport_holds(header, TCP, reset),
                "TCP checksum"
            );
            assert_eq!(
                reset[0..4],
                [443_u16.to_be_bytes(), port.to_be_bytes()].concat()
            );
            assert_eq!(reset[4..8], sequence.to_be_bytes(), "{flags:#x} {address}");
            assert_eq!(
                reset[8..12],
                acknowledgment.to_be_bytes(),
                "{flags:#x} {address}"
            );
            assert_eq!(
                (reset[12], reset[13]),
                (0x50, expected),
                "{flags:#x} {address}"
            );
        }
    }
}

#[test]
fn tags_and_options_do_not_disturb_an_answer() {
    if common::skipped() {
        return;
    }
    let rig = common::rig();
    let mut packet = V4::new(INSIDE_V4, V4_ADDRESS, TCP, tcp(1, 443, SYN, b""));
    packet.options = vec![1, 1, 1, 1, 148, 4, 0, 0];
    let tags = [&[][..], &[(0x8100, 7)], &[(0x88a8, 100), (0x8100, 7)]];
    for (number, tags) in tags.into_iter().enumerate() {
        let bytes = packet.bytes();
        let frame = ethernet_tagged(tags, 0x0800, &bytes);
        let answered = answer(&rig, &frame, 14 + 4 * number);
        let (header, reset) = ip(&answered, &bytes, TCP);
        assert!(checksum::transport_holds(header, TCP, reset));
        packet.protocol = UDP;
        packet.payload = udp(1, 53, b"who?");
        let bytes = packet.bytes();
        let frame = ethernet_tagged(tags, 0x0800, &bytes);
        let answered = answer(&rig, &frame, 14 + 4 * number);
        let (_, message) = ip(&answered, &bytes, ICMP);
        assert!(checksum::holds(message));
        assert_eq!(message[8..], bytes[..]);
        packet.protocol = TCP;
        packet.payload = tcp(1, 443, SYN, b"");
    }
}

#[test]
fn other_protocols_are_told_that_it_is_prohibited() {
    if common::skipped() {
        return;
    }
    let rig = common::rig();
    for size in [0_usize, 1, 2, 3, 4, 100, 483, 484, 485, 1_200] {
        let request = V4::new(INSIDE_V4, V4_ADDRESS, UDP, udp(1, 53, &vec![0xa5; size])).bytes();
        let frame = ethernet_tagged(&[], 0x0800, &request);
        let packet = answer(&rig, &frame, 14);
        let (_, message) = ip(&packet, &request, ICMP);
        assert!(checksum::holds(message), "ICMP checksum, {size} bytes");
        assert_eq!(message[0..2], [3, 13], "administratively prohibited");
        let quoted = request.len().min(512) & !3;
        assert_eq!(message[8..], request[..quoted], "{size} bytes");
        assert!(packet.len() <= 576);

        let request = v6(
            "fd00::9",
            V6_ADDRESS,
            UDP,
            64,
            &udp(1, 53, &vec![0xa5; size]),
        );
        let frame = ethernet_tagged(&[], 0x86dd, &request);
        let packet = answer(&rig, &frame, 14);
        let (header, message) = ip(&packet, &request, ICMPV6);
        assert!(
            checksum::transport_holds(header, ICMPV6, message),
            "{size} bytes"
        );
        assert_eq!(message[0..2], [1, 1], "administratively prohibited");
        assert_eq!(message[8..], request[..request.len().min(512) & !3]);
        assert!(packet.len() <= 1_280);
    }
    let echo = to(V4_ADDRESS, ICMP, icmp(8, 0, 5));
    let packet = answer(&rig, &echo, 14);
    assert!(checksum::holds(ip(&packet, &echo[14..], ICMP).1));
}

#[test]
fn what_must_never_be_answered_is_dropped_in_silence() {
    if common::skipped() {
        return;
    }
    let rig = common::rig();
    let later = |payload: Vec<u8>, offset| {
        let mut packet = V4::new(INSIDE_V4, V4_ADDRESS, UDP, payload);
        packet.offset = offset;
        packet.more = offset == 0;
        packet.frame()
    };
    let mut first = udp(1, 53, &[0; 24]);
    first[4..6].copy_from_slice(&100_u16.to_be_bytes());
    assert_eq!(
        rig.outcome(Direction::Outbound, &later(first, 0)).0,
        Outcome::Rejected
    );
    let mut multicast_station = to(V4_ADDRESS, UDP, udp(9, 9, b""));
    multicast_station[6] |= 1;
    let silent = [
        ("a reset", to(V4_ADDRESS, TCP, tcp(1, 2, RST, b""))),
        ("a reset v6", to(V6_ADDRESS, TCP, tcp(1, 2, RST | ACK, b""))),
        ("an ICMP error", to(V4_ADDRESS, ICMP, icmp(3, 1, 0))),
        ("an ICMPv6 error", to(V6_ADDRESS, ICMPV6, icmp(1, 4, 0))),
        ("a later fragment", later(vec![0; 64], 32)),
        ("from a group station", multicast_station),
    ];
    for (what, frame) in &silent {
        let (outcome, report) = rig.outcome(Direction::Outbound, frame);
        assert_eq!(outcome, Outcome::RejectedSilently, "{what}");
        assert_eq!(report.action, common::XDP_DROP, "{what}");
    }
}

#[test]
fn answers_are_limited_and_the_rest_is_dropped_in_silence() {
    if common::skipped() {
        return;
    }
    let rig = common::rig();
    let frame = to(V4_ADDRESS, TCP, tcp(1, 2, SYN, b""));
    // One CPU, one bucket.
    let mut one = CpuSet::new();
    one.set(0).unwrap();
    sched_setaffinity(Pid::from_raw(0), &one).unwrap();
    let lost = || rig.datapath.counters().unwrap().loss(Loss::RejectAnswer);
    let lost_before = lost();
    let started = Instant::now();
    let mut answered = 0_u32;
    let runs = 4_000;
    for _ in 0..runs {
        answered += u32::from(rig.outbound(&frame).action == XDP_TX);
    }
    let refilled =
        started.elapsed().as_secs_f64() * f64::from(u32::try_from(REJECTS_PER_SECOND).unwrap());
    let burst = f64::from(u32::try_from(REJECTS_BURST).unwrap());
    // The coarse clock may lag by a tick of 10 ms at either end.
    let most = burst + refilled + 100.0;
    assert!(
        f64::from(answered) <= most,
        "{answered} answers, at most {most}"
    );
    assert!(answered > 0);
    if most < f64::from(runs) {
        assert!(answered < runs, "nothing was held back");
    }
    assert_eq!(lost(), lost_before, "what is held back is no failure");
    // The next test finds its answers again.
    std::thread::sleep(Duration::from_millis(250));
}
