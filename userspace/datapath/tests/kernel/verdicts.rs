//! The policy's words: what each does to packets, flows and events.

use octroi_abi::event::{end, kind};
use octroi_abi::flow::{ENFORCED, NAMES_MATTER};
use octroi_abi::outcome::{Direction, Outcome};
use octroi_abi::rules::{RULE_DEFAULT, RULE_NONE};
use octroi_abi::verdict::Verdict;

use crate::common::frames::{
    self, ACK, FIN, ICMP, ICMPV6, INSIDE_V4, INSIDE_V6, SYN, TCP, UDP, V4, between, ethernet,
    ethernet_tagged, icmp, key, key_between, tcp, to, udp, v6,
};
use crate::common::tables::{
    self, ALLOWED, BLOCKED, FLAGGED, NAMED, PORTED, REJECTED, RULE, SHADOWED,
};
use crate::common::{self, Rig, XDP_DROP};

#[test]
fn before_any_policy_nothing_but_the_links_own_traffic_passes() {
    if common::skipped() {
        return;
    }
    let rig = Rig::new();
    let (outcome, report) = rig.outcome(
        Direction::Outbound,
        &to("198.18.1.1", TCP, tcp(1, 2, SYN, b"")),
    );
    assert_eq!((outcome, report.action), (Outcome::NoPolicy, XDP_DROP));
    let arp = ethernet_tagged(&[], 0x0806, &[0; 28]);
    assert_eq!(rig.outcome(Direction::Outbound, &arp).0, Outcome::Control);
    let (outcome, _) = rig.outcome(
        Direction::Reply,
        &frames::from("198.18.1.1", UDP, udp(1, 2, b"")),
    );
    assert_eq!(outcome, Outcome::NoPolicy);
    assert_eq!(rig.flow_count(), 0);
}

#[test]
#[expect(
    clippy::too_many_lines,
    reason = "a table, and what is asked of each row"
)]
fn each_verdict_has_its_outcome_and_its_flow() {
    if common::skipped() {
        return;
    }
    let mut rig = common::rig();
    let allow = |class: u16| (Outcome::Allowed, Verdict::Allow, RULE + class);
    let block = |class: u16| (Outcome::Blocked, Verdict::Block, RULE + class);
    let table = [
        ("198.18.1.1", 443, allow(ALLOWED)),
        ("198.18.2.1", 443, block(BLOCKED)),
        (
            "198.18.3.1",
            443,
            (Outcome::Rejected, Verdict::Reject, RULE + REJECTED),
        ),
        (
            "198.18.4.1",
            443,
            (Outcome::Flagged, Verdict::Flag, RULE + FLAGGED),
        ),
        ("198.18.5.1", 443, allow(PORTED)),
        ("198.18.5.1", 25, block(PORTED)),
        ("198.18.6.1", 443, allow(SHADOWED)),
        ("198.18.6.200", 443, allow(NAMED)),
        ("198.18.1.77", 443, block(BLOCKED)),
        ("198.18.1.78", 443, allow(ALLOWED)),
        (
            "203.0.113.1",
            443,
            (Outcome::Blocked, Verdict::Block, RULE_DEFAULT),
        ),
        (
            "198.18.7.1",
            443,
            (Outcome::Blocked, Verdict::Block, RULE_DEFAULT),
        ),
        (
            "198.18.7.1",
            8443,
            (Outcome::Allowed, Verdict::Allow, RULE + 50),
        ),
        ("2001:db8:1::1", 443, allow(ALLOWED)),
        ("2001:db8:1::77", 443, block(BLOCKED)),
        ("2001:db8:2::1", 443, block(BLOCKED)),
        (
            "2001:db8:3::1",
            443,
            (Outcome::Rejected, Verdict::Reject, RULE + REJECTED),
        ),
        (
            "2001:db8:7::1",
            8443,
            (Outcome::Allowed, Verdict::Allow, RULE + 50),
        ),
        (
            "2001:db9::1",
            443,
            (Outcome::Blocked, Verdict::Block, RULE_DEFAULT),
        ),
    ];
    rig.told();
    for (address, port, (outcome, verdict, rule)) in table {
        let frame = to(address, TCP, tcp(40_000, port, SYN, b""));
        for packet in 1..=2 {
            let (found, report) = rig.outcome(Direction::Outbound, &frame);
            assert_eq!(found, outcome, "{address}:{port}, packet {packet}");
            if outcome.passes() {
                assert_eq!(report.frame, frame, "a frame that passes is not touched");
            }
            let state = rig.flow(&key(address, 40_000, port, TCP)).unwrap();
            assert_eq!(
                (state.verdict, state.rule),
                (verdict.code(), rule),
                "{address}:{port}"
            );
            assert_eq!(state.outbound_packets, packet, "{address}:{port}");
            assert_eq!(state.outbound_bytes, packet * (frame.len() as u64 - 14));
            assert_eq!(
                state.stopped_packets,
                if outcome.passes() { 0 } else { packet }
            );
            assert_eq!(
                (state.zone, state.opaque, state.outbound_tcp_flags),
                (1, 0, SYN)
            );
            assert_eq!(state.flags & ENFORCED, ENFORCED);
        }
    }
    let told = rig.told();
    let shadow_of = |key| {
        let event = told.iter().find(|event| event.key == key).unwrap();
        (event.shadow_rule, event.shadow_verdict)
    };
    let expected = (RULE + SHADOWED, Verdict::Block.code());
    assert_eq!(shadow_of(key("198.18.6.1", 40_000, 443, TCP)), expected);
    let named = key("198.18.6.200", 40_000, 443, TCP);
    assert_eq!(shadow_of(named).0, RULE_NONE);
    assert_eq!(rig.flow(&named).unwrap().flags & NAMES_MATTER, NAMES_MATTER);
    // Marks are for TCP only here.
    let (found, _) = rig.outcome(
        Direction::Outbound,
        &to("198.18.7.1", UDP, udp(1, 8443, b"")),
    );
    assert_eq!(found, Outcome::Blocked);
}

#[test]
fn a_source_in_no_zone_is_zone_zero() {
    if common::skipped() {
        return;
    }
    let rig = common::rig();
    let frame = between("192.0.2.1", "198.18.1.1", UDP, udp(5, 6, b""));
    assert_eq!(rig.outcome(Direction::Outbound, &frame).0, Outcome::Blocked);
    let state = rig
        .flow(&key_between("192.0.2.1", "198.18.1.1", 5, 6, UDP))
        .unwrap();
    assert_eq!((state.zone, state.rule), (0, RULE_DEFAULT));
}

#[test]
fn monitor_mode_passes_everything_and_says_so() {
    if common::skipped() {
        return;
    }
    let mut rig = common::rig();
    rig.datapath.apply_policy(&tables::policy(false)).unwrap();
    for (address, outcome) in [
        ("198.18.1.1", Outcome::Allowed),
        ("198.18.2.1", Outcome::Monitored),
        ("198.18.3.1", Outcome::Monitored),
        ("198.18.4.1", Outcome::Flagged),
    ] {
        let frame = to(address, TCP, tcp(1, 443, SYN, b""));
        assert_eq!(
            rig.outcome(Direction::Outbound, &frame).0,
            outcome,
            "{address}"
        );
        assert_eq!(
            rig.flow(&key(address, 1, 443, TCP))
                .unwrap()
                .stopped_packets,
            0
        );
    }
}

#[test]
fn a_new_policy_holds_from_the_next_packet_of_known_flows_on() {
    if common::skipped() {
        return;
    }
    let mut rig = common::rig();
    let frame = to("198.18.1.1", UDP, udp(7, 9, b"x"));
    assert_eq!(rig.outcome(Direction::Outbound, &frame).0, Outcome::Allowed);
    let before = rig.datapath.active().unwrap();
    let mut stricter = tables::policy(true);
    stricter.verdicts[1][usize::from(ALLOWED)] = BLOCKED;
    let applied = rig.datapath.apply_policy(&stricter).unwrap();
    assert_eq!(applied.generation, before.generation + 1);
    assert_eq!(rig.outcome(Direction::Outbound, &frame).0, Outcome::Blocked);
    // A policy that is refused changes nothing.
    let mut broken = tables::policy(true);
    broken.verdicts[1][3] = 99;
    let error = rig.datapath.apply_policy(&broken).unwrap_err().to_string();
    assert!(error.contains("rule set 99 does not exist"), "{error}");
    assert_eq!(
        rig.datapath.active().unwrap().generation,
        applied.generation
    );
    assert_eq!(rig.outcome(Direction::Outbound, &frame).0, Outcome::Blocked);
}

#[test]
fn prefixes_of_an_earlier_policy_do_not_linger_in_its_half() {
    if common::skipped() {
        return;
    }
    let mut rig = common::rig();
    let mut without = tables::policy(true);
    without.zones.clear();
    without.marks.clear();
    let frame = to("198.18.1.1", UDP, udp(7, 9, b"x"));
    // Both halves in turn.
    for _ in 0..2 {
        rig.datapath.apply_policy(&without).unwrap();
        assert_eq!(rig.outcome(Direction::Outbound, &frame).0, Outcome::Blocked);
    }
    rig.datapath.apply_policy(&tables::policy(true)).unwrap();
    assert_eq!(rig.outcome(Direction::Outbound, &frame).0, Outcome::Allowed);
}

#[test]
fn the_links_own_traffic_passes_and_nothing_that_only_looks_like_it() {
    if common::skipped() {
        return;
    }
    let rig = common::rig();
    let solicitation = |source: &str, destination: &str, hop_limit: u8| {
        ethernet(&v6(
            source,
            destination,
            ICMPV6,
            hop_limit,
            &icmp(135, 0, 0),
        ))
    };
    let igmp = |ttl: u8| {
        let mut packet = V4::new(INSIDE_V4, "239.1.2.3", 2, vec![0x16; 8]);
        packet.ttl = ttl;
        packet.frame()
    };
    let control = [
        (
            "DHCP",
            between("0.0.0.0", "255.255.255.255", UDP, udp(68, 67, b"x")),
        ),
        (
            "link-local",
            to("169.254.169.254", TCP, tcp(1, 80, SYN, b"")),
        ),
        ("all hosts", to("224.0.0.1", 2, vec![0x11; 8])),
        ("IGMP report", igmp(1)),
        (
            "link-local v6",
            between(INSIDE_V6, "fe80::1", TCP, tcp(1, 80, SYN, b"")),
        ),
        (
            "solicited node",
            solicitation("fe80::9", "ff02::1:ff00:1", 255),
        ),
        (
            "neighbour of the same /64",
            solicitation("2001:db8:2::9", "2001:db8:2::1", 255),
        ),
        (
            "DHCPv6",
            between("fe80::9", "ff02::1:2", UDP, udp(546, 547, b"x")),
        ),
    ];
    for (what, frame) in &control {
        assert_eq!(
            rig.outcome(Direction::Outbound, frame).0,
            Outcome::Control,
            "{what}"
        );
    }
    assert_eq!(rig.flow_count(), 0, "control traffic has no flows");
    let judged = [
        (
            "broadcast of another port",
            between("10.0.0.1", "255.255.255.255", UDP, udp(1, 2, b"")),
        ),
        ("IGMP of many hops", igmp(9)),
        (
            "solicitation far away",
            solicitation("2001:db8:9::9", "2001:db8:2::1", 255),
        ),
        (
            "solicitation that was forwarded",
            solicitation("2001:db8:2::9", "2001:db8:2::1", 64),
        ),
        (
            "DHCP to a server elsewhere",
            to("198.18.2.1", UDP, udp(68, 67, b"x")),
        ),
    ];
    for (what, frame) in &judged {
        assert_eq!(
            rig.outcome(Direction::Outbound, frame).0,
            Outcome::Blocked,
            "{what}"
        );
    }
}

#[test]
fn the_gateways_own_addresses_pass_from_when_they_are_set() {
    if common::skipped() {
        return;
    }
    let mut rig = common::rig();
    let frame = to("198.18.2.1", TCP, tcp(9, 22, SYN, b""));
    assert_eq!(rig.outcome(Direction::Outbound, &frame).0, Outcome::Blocked);
    let address = "198.18.2.1".parse().unwrap();
    assert!(rig.datapath.set_gateway_addresses(&[address]).unwrap());
    assert!(
        !rig.datapath.set_gateway_addresses(&[address]).unwrap(),
        "nothing changed"
    );
    assert_eq!(rig.outcome(Direction::Outbound, &frame).0, Outcome::Gateway);
    let reply = frames::from("198.18.2.1", UDP, udp(9, 22, b""));
    assert_eq!(rig.outcome(Direction::Reply, &reply).0, Outcome::Gateway);
    assert!(rig.datapath.set_gateway_addresses(&[]).unwrap());
    assert_eq!(rig.outcome(Direction::Outbound, &frame).0, Outcome::Blocked);
}

#[test]
fn decisions_are_told_once_and_connections_end() {
    if common::skipped() {
        return;
    }
    let mut rig = Rig::new();
    rig.datapath
        .apply_atlas_and_policy(&tables::atlas(), &tables::policy(true))
        .unwrap();
    let mut events = rig.datapath.take_events().unwrap();
    assert!(rig.datapath.take_events().is_err(), "one reader");
    for flags in [SYN, ACK, ACK, FIN | ACK, ACK] {
        rig.outbound(&to("198.18.1.1", TCP, tcp(5, 443, flags, b"")));
    }
    rig.reply(&frames::from(
        "198.18.1.1",
        TCP,
        tcp(443, 5, FIN | ACK, b""),
    ));
    // The same ports again: another connection.
    rig.outbound(&to("198.18.1.1", TCP, tcp(5, 443, SYN, b"")));
    let told: Vec<_> = std::iter::from_fn(|| events.next()).collect();
    let kinds: Vec<_> = told.iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [kind::NEW, kind::CLOSED, kind::ENDED, kind::NEW]);
    assert_eq!(told[1].account.outbound_packets, 5);
    assert_eq!(told[1].direction, Direction::Reply as u8);
    assert_eq!(told[2].reason, end::REOPENED);
    assert_eq!(told[2].account.outbound_packets, 5, "the whole account");
    assert_eq!(told[2].account.reply_packets, 1);
    assert_eq!(
        told[3].account.outbound_packets, 1,
        "counted from the start"
    );
    assert!(
        told.iter()
            .all(|event| event.key == key("198.18.1.1", 5, 443, TCP))
    );

    let mut stricter = tables::policy(true);
    stricter.verdicts[1][usize::from(ALLOWED)] = BLOCKED;
    rig.datapath.apply_policy(&stricter).unwrap();
    rig.outbound(&to("198.18.1.1", TCP, tcp(5, 443, ACK, b"")));
    let told = events.next().unwrap();
    assert_eq!(
        (told.kind, told.outcome),
        (kind::REJUDGED, Outcome::Blocked as u8)
    );
    // Opaque traffic: one event a second for each kind, all of it counted.
    for _ in 0..5 {
        rig.outbound(&ethernet_tagged(&[], 0x88cc, &[0; 40]));
    }
    let told: Vec<_> = std::iter::from_fn(|| events.next()).collect();
    assert!(!told.is_empty() && told.len() <= 2, "{} events", told.len());
    assert!(told.iter().all(|event| event.kind == kind::OPAQUE));
    assert_eq!(events.broken(), 0);
}

#[test]
fn echo_requests_of_two_programs_are_two_flows() {
    if common::skipped() {
        return;
    }
    let rig = common::rig();
    for (address, protocol, request, reply) in [
        ("198.18.1.9", ICMP, 8, 0),
        ("2001:db8:1::9", ICMPV6, 128, 129),
    ] {
        for identifier in [11, 12] {
            let frame = to(address, protocol, icmp(request, 0, identifier));
            assert_eq!(rig.outcome(Direction::Outbound, &frame).0, Outcome::Allowed);
            let answer = frames::from(address, protocol, icmp(reply, 0, identifier));
            assert_eq!(rig.outcome(Direction::Reply, &answer).0, Outcome::Allowed);
            let state = rig.flow(&key(address, identifier, 0, protocol)).unwrap();
            assert_eq!((state.outbound_packets, state.reply_packets), (1, 1));
        }
    }
}
