//! The way back: accounting, stopped flows, what nobody asked for.

use octroi_abi::outcome::{Direction, Outcome};
use octroi_abi::verdict::Verdict;
use octroi_datapath::{Rewritten, VerdictChange};

use crate::common::checksum;
use crate::common::frames::{ACK, PSH, RST, SYN, TCP, UDP, from, key, tcp, to, udp};
use crate::common::tables::{self, ALLOWED, BLOCKED};
use crate::common::{self, TCX_DROP, TCX_NEXT};

#[test]
fn a_reply_is_counted_to_the_flow_that_asked() {
    if common::skipped() {
        return;
    }
    let rig = common::rig();
    for address in ["198.18.1.1", "2001:db8:1::1"] {
        rig.outbound(&to(address, UDP, udp(9, 53, b"?")));
        let answer = from(address, UDP, udp(53, 9, b"an answer"));
        let (outcome, report) = rig.outcome(Direction::Reply, &answer);
        assert_eq!((outcome, report.action), (Outcome::Allowed, TCX_NEXT));
        let state = rig.flow(&key(address, 9, 53, UDP)).unwrap();
        assert_eq!((state.reply_packets, state.outbound_packets), (1, 1));
        assert_eq!(state.reply_bytes, answer.len() as u64 - 14);
        let other = from(address, UDP, udp(53, 10, b"to another port"));
        assert_eq!(
            rig.outcome(Direction::Reply, &other).0,
            Outcome::Unsolicited
        );
    }
}

#[test]
fn a_stopped_flow_is_stopped_both_ways() {
    if common::skipped() {
        return;
    }
    let rig = common::rig();
    for (address, protocol, outcome) in [
        ("198.18.2.1", TCP, Outcome::Blocked),
        ("198.18.2.1", UDP, Outcome::Blocked),
        ("198.18.3.1", UDP, Outcome::RejectedSilently),
    ] {
        let segment = |from, to, flags| match protocol {
            TCP => tcp(from, to, flags, b""),
            _ => udp(from, to, b""),
        };
        rig.outbound(&to(address, protocol, segment(9, 443, SYN)));
        let reply = from(address, protocol, segment(443, 9, SYN | ACK));
        let (found, report) = rig.outcome(Direction::Reply, &reply);
        assert_eq!((found, report.action), (outcome, TCX_DROP));
    }
}

#[test]
fn a_reply_of_a_rejected_conversation_becomes_a_reset() {
    if common::skipped() {
        return;
    }
    let rig = common::rig();
    for (address, header) in [("198.18.3.1", 20), ("2001:db8:3::1", 40)] {
        rig.outbound(&to(address, TCP, tcp(9, 443, SYN, b"")));
        let mut reply = from(address, TCP, tcp(443, 9, PSH | ACK, b"a server's hello"));
        let (ip, segment) = reply[14..].split_at_mut(header);
        checksum::seal_tcp(ip, segment);
        let (outcome, report) = rig.outcome(Direction::Reply, &reply);
        assert_eq!((outcome, report.action), (Outcome::Rejected, TCX_NEXT));
        let (ip, reset) = report.frame[14..].split_at(header);
        assert_eq!(reset[13], RST | ACK);
        assert_eq!(
            reset[4..12],
            reply[14 + header + 4..][..8],
            "its numbers stay"
        );
        assert!(
            checksum::transport_holds(ip, TCP, reset),
            "{address}: TCP checksum"
        );
        // One that is a reset already passes as it is.
        let reset = from(address, TCP, tcp(443, 9, RST, b""));
        let (outcome, report) = rig.outcome(Direction::Reply, &reset);
        assert_eq!((outcome, report.action), (Outcome::Rejected, TCX_NEXT));
        assert_eq!(report.frame, reset);
    }
}

#[test]
fn a_stream_that_only_comes_in_feels_a_new_policy_too() {
    if common::skipped() {
        return;
    }
    let mut rig = common::rig();
    rig.outbound(&to("198.18.1.1", UDP, udp(9, 4433, b"play")));
    let frame = from("198.18.1.1", UDP, udp(4433, 9, b"video"));
    assert_eq!(rig.outcome(Direction::Reply, &frame).0, Outcome::Allowed);
    let mut stricter = tables::policy(true);
    stricter.verdicts[1][usize::from(ALLOWED)] = BLOCKED;
    rig.datapath.apply_policy(&stricter).unwrap();
    assert_eq!(rig.outcome(Direction::Reply, &frame).0, Outcome::Blocked);
}

#[test]
fn a_flow_that_is_cut_by_its_name_is_cut_both_ways() {
    if common::skipped() {
        return;
    }
    let rig = common::rig();
    let key = key("198.18.6.200", 9, 443, TCP);
    rig.outbound(&to("198.18.6.200", TCP, tcp(9, 443, SYN, b"")));
    let answer = from("198.18.6.200", TCP, tcp(443, 9, SYN | ACK, b""));
    assert_eq!(rig.outcome(Direction::Reply, &answer).0, Outcome::Allowed);
    let state = rig.flow(&key).unwrap();
    let change = VerdictChange {
        generation: state.generation,
        class: state.class,
        verdict: Verdict::Reject,
        rule: 7,
        enforced: true,
        names_matter: true,
    };
    let done = rig.datapath.rewrite_verdict(&key, state.first_ns, &change);
    assert_eq!(done, Rewritten::Done);
    let data = to("198.18.6.200", TCP, tcp(9, 443, ACK, b"hello"));
    assert_eq!(rig.outcome(Direction::Outbound, &data).0, Outcome::Rejected);
    assert_eq!(rig.outcome(Direction::Reply, &answer).0, Outcome::Rejected);
}
