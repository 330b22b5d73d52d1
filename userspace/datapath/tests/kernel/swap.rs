//! Policies and atlases swapped under load: never a wrong verdict.
//!
//! Two worlds, equal in what they allow, number their classes differently: what one allows has the
//! number of what the other forbids. A packet that met the atlas of one and the policy of the other
//! would be judged wrongly, and would be seen where the datagrams arrive.
//!
//! `OCTROI_TEST_SWAP_SECONDS` says how long (4 when not said).

use std::time::{Duration, Instant};

use octroi_abi::outcome::{Direction, Outcome};
use octroi_datapath::{Datapath, LoadOptions, XdpMode};
use octroi_geo_db::KernelTables;
use octroi_policy::Tables;

use crate::common::netns::{GATE, Pair};
use crate::common::traffic::{self, STREAMS, Traffic};
use crate::common::{self, PinRoot, tables};

const TICK: Duration = Duration::from_millis(1);
/// Ten policies and ten atlases a second.
const PAUSE: Duration = Duration::from_millis(50);

/// The other world's number of a class.
fn other(class: u16) -> u16 {
    match class {
        tables::ALLOWED => tables::BLOCKED,
        tables::BLOCKED => tables::ALLOWED,
        tables::REJECTED => tables::FLAGGED,
        tables::FLAGGED => tables::REJECTED,
        class => class,
    }
}

fn worlds() -> [(KernelTables, Tables); 2] {
    let prefixes: Vec<_> = tables::WORLD
        .iter()
        .map(|(prefix, class)| (prefix.parse().unwrap(), other(*class)))
        .collect();
    let mut policy = tables::policy(true);
    for classes in &mut policy.verdicts {
        let before = classes.clone();
        for (class, number) in (0_u16..).zip(before) {
            if let Some(slot) = classes.get_mut(usize::from(other(class))) {
                *slot = number;
            }
        }
    }
    [
        (tables::atlas(), tables::policy(true)),
        (tables::atlas_of(&prefixes), policy),
    ]
}

/// A policy of equal verdicts, all of whose rule sets have other numbers.
fn renumbered(policy: &Tables) -> Tables {
    let mut policy = policy.clone();
    let last = u16::try_from(policy.rule_sets.len()).unwrap() - 1;
    policy.rule_sets.reverse();
    for number in policy.verdicts.iter_mut().flatten() {
        *number = last - *number;
    }
    policy
}

#[test]
fn swapped_under_load_no_verdict_is_wrong() {
    if common::skipped() {
        return;
    }
    let seconds = std::env::var("OCTROI_TEST_SWAP_SECONDS").ok();
    let seconds = seconds.map_or(4, |text| text.parse().unwrap());
    let pair = Pair::new();
    let root = PinRoot::new();
    let worlds = worlds();
    let mut datapath = Datapath::load(&LoadOptions::new(root.path())).unwrap();
    datapath
        .apply_atlas_and_policy(&worlds[0].0, &worlds[0].1)
        .unwrap();
    pair.in_gate(|| datapath.attach(GATE, XdpMode::Native))
        .unwrap();
    let before = datapath.counters().unwrap();
    let traffic = Traffic::start(&pair, &STREAMS, TICK);
    let (mut atlases, mut policies) = (0_u32, 0_u32);
    let started = Instant::now();
    let mut next = started;
    let mut beat = || {
        next += PAUSE;
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    };
    while started.elapsed() < Duration::from_secs(seconds) {
        let (atlas, policy) = &worlds[usize::from(atlases % 2 == 0)];
        datapath.apply_atlas_and_policy(atlas, policy).unwrap();
        atlases += 1;
        beat();
        datapath.apply_policy(&renumbered(policy)).unwrap();
        policies += 1;
        beat();
    }
    let sums = traffic::judge(traffic, "swaps");
    let after = datapath.counters().unwrap();
    let counted = |outcome| {
        after.outcome(Direction::Outbound, outcome) - before.outcome(Direction::Outbound, outcome)
    };
    println!("{seconds} s, {atlases} atlases and {policies} policies swapped; {sums:?}");
    for outcome in Outcome::ALL {
        if counted(outcome) > 0 {
            println!("  kernel: {outcome:?} {}", counted(outcome));
        }
    }
    assert_eq!(counted(Outcome::Allowed), sums["allowed"].sent);
    let stopped = [
        Outcome::Blocked,
        Outcome::Rejected,
        Outcome::RejectedSilently,
    ];
    let stopped: u64 = stopped.into_iter().map(counted).sum();
    assert_eq!(stopped, sums["forbidden"].sent);
    let seen = after.seen(Direction::Outbound) - before.seen(Direction::Outbound);
    // The link's own traffic (ARP, neighbour discovery) is all there is beside the streams.
    assert_eq!(
        seen,
        counted(Outcome::Allowed) + stopped + counted(Outcome::Control)
    );
}
