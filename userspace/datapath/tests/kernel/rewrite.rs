//! Verdicts by name: written in place, refused when stale, kept while they are the stricter.

use octroi_abi::flow::NAMED;
use octroi_abi::outcome::{Direction, Outcome};
use octroi_abi::table::TIME_SHIFT;
use octroi_abi::verdict::Verdict;
use octroi_datapath::{Rewritten, VerdictChange};

use crate::common::frames::{UDP, from, key, to, udp};
use crate::common::{self, tables};

#[test]
fn a_verdict_by_name_holds_and_goes_stale() {
    if common::skipped() {
        return;
    }
    let mut rig = common::rig();
    let frame = to("198.18.6.200", UDP, udp(9, 443, b""));
    rig.outbound(&frame);
    let key = key("198.18.6.200", 9, 443, UDP);
    let state = rig.flow(&key).unwrap();
    let change = VerdictChange {
        generation: state.generation,
        class: state.class,
        verdict: Verdict::Block,
        rule: 7,
        enforced: true,
        names_matter: false,
    };
    let rewrite =
        |change: &VerdictChange, first_ns| rig.datapath.rewrite_verdict(&key, first_ns, change);
    assert_eq!(
        rewrite(&change, state.first_ns + (1 << TIME_SHIFT)),
        Rewritten::NoSuchFlow,
        "another flow"
    );
    assert_eq!(rewrite(&change, state.first_ns), Rewritten::Done);
    let named = rig.flow(&key).unwrap();
    assert_eq!((named.verdict, named.rule), (Verdict::Block.code(), 7));
    assert_eq!(named.flags & NAMED, NAMED);
    assert_eq!(named.outbound_packets, 1, "the account goes on");
    assert_eq!(rig.outcome(Direction::Outbound, &frame).0, Outcome::Blocked);

    // A new generation would allow it: the stricter stays until userspace has decided again.
    rig.datapath.apply_policy(&tables::policy(true)).unwrap();
    assert_eq!(rig.outcome(Direction::Outbound, &frame).0, Outcome::Blocked);
    let refused = rig.datapath.rewrite_verdict(&key, state.first_ns, &change);
    assert_eq!(refused, Rewritten::Stale);
    let again = VerdictChange {
        generation: change.generation + 1,
        verdict: Verdict::Allow,
        ..change
    };
    let done = rig.datapath.rewrite_verdict(&key, state.first_ns, &again);
    assert_eq!(done, Rewritten::Done);
    assert_eq!(rig.outcome(Direction::Outbound, &frame).0, Outcome::Allowed);
    let removed = rig.datapath.remove_flow(&key).unwrap();
    assert_eq!(
        removed.outbound_packets, 4,
        "the account to the last packet"
    );
    assert_eq!(rig.datapath.remove_flow(&key), None);
    let gone = rig.datapath.rewrite_verdict(&key, state.first_ns, &again);
    assert_eq!(gone, Rewritten::NoSuchFlow);
}

#[test]
fn first_payloads_are_copied_out_and_no_more() {
    if common::skipped() {
        return;
    }
    let mut rig = common::Rig::new();
    rig.datapath
        .apply_atlas_and_policy(&tables::atlas(), &tables::policy(true))
        .unwrap();
    let mut samples = rig.datapath.take_samples().unwrap();
    let mut payloads = Vec::new();
    for number in 0..10_u8 {
        rig.outbound(&to("198.18.2.1", UDP, udp(9, 443, &[number; 30])));
    }
    rig.outbound(&to("198.18.1.1", UDP, udp(9, 9, &[7; 3_000])));
    while let Some(record) = samples.next() {
        assert_eq!(usize::from(record.header.length), record.payload().len());
        payloads.push((record.header.payload_bytes, record.payload().to_vec()));
    }
    assert_eq!(
        payloads.len(),
        7,
        "six of the first flow, blocked as it is, and one"
    );
    assert_eq!(payloads[5], (30, vec![5; 30]));
    assert_eq!(payloads[6], (3_000, vec![7; 2_048]), "cut");
    // DNS over UDP: every one, both ways.
    for _ in 0..9 {
        rig.outbound(&to("198.18.1.1", UDP, udp(5353, 53, b"question")));
        rig.reply(&from("198.18.1.1", UDP, udp(53, 5353, b"answer")));
    }
    let count = std::iter::from_fn(|| samples.next().map(|_| ())).count();
    assert_eq!(count, 18);
}
