//! Packet in, verdict out: the table of what the policy's words do to packets.

mod common;

use common::frames::{self, SYN, TCP, key, tcp, to};
use common::tables::{ALLOWED, BLOCKED, RULE};
use common::{Rig, XDP_DROP, XDP_PASS};
use octroi_abi::outcome::{Direction, Outcome};
use octroi_abi::verdict::Verdict;

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
    let arp = frames::ethernet_tagged(&[], 0x0806, &[0; 28]);
    assert_eq!(rig.outcome(Direction::Outbound, &arp).0, Outcome::Control);
    assert_eq!(rig.flow_count(), 0);
}

#[test]
fn each_verdict_has_its_outcome_and_its_flow() {
    if common::skipped() {
        return;
    }
    let rig = Rig::with_world();
    let table = [
        (
            "198.18.1.1",
            443,
            Outcome::Allowed,
            Verdict::Allow,
            RULE + ALLOWED,
        ),
        (
            "198.18.2.1",
            443,
            Outcome::Blocked,
            Verdict::Block,
            RULE + BLOCKED,
        ),
    ];
    for (address, port, outcome, verdict, rule) in table {
        let frame = to(address, TCP, tcp(40_000, port, SYN, b""));
        let (found, report) = rig.outcome(Direction::Outbound, &frame);
        assert_eq!(found, outcome, "{address}");
        assert_eq!(report.action == XDP_PASS, outcome.passes());
        let state = rig.flow(&key(address, 40_000, port, TCP)).unwrap();
        assert_eq!(
            (state.verdict, state.rule),
            (verdict.code(), rule),
            "{address}"
        );
        assert_eq!(state.outbound_packets, 1);
    }
}
