//! What a client says is held until its name is decided: in the programs.

use std::sync::atomic::{AtomicBool, Ordering};

use octroi_abi::event::{HeldHeader, kind};
use octroi_abi::flow::{AWAITS_NAME, NAMED};
use octroi_abi::outcome::{Direction, Loss, Outcome};
use octroi_abi::table::long_time;
use octroi_abi::verdict::Verdict;
use octroi_datapath::{Datapath, HeldRing, LoadOptions, Program, Rewritten, VerdictChange};

use crate::common::frames::{ACK, PSH, SYN, TCP, UDP, V4, from, key, tcp, to, udp};
use crate::common::{self, PinRoot, Rig, tables};

/// Of the class that a name can stop.
pub(crate) const HELD: &str = "198.18.6.200";

fn strict() -> (Rig, HeldRing) {
    let mut rig = Rig::new();
    rig.datapath
        .apply_atlas_and_policy(&tables::atlas(), &tables::strict(true))
        .unwrap();
    let waiting = rig.datapath.take_held().unwrap();
    (rig, waiting)
}

pub(crate) fn decide(datapath: &Datapath, header: &HeldHeader, verdict: Verdict) -> Rewritten {
    let state = datapath.flow(&header.key).unwrap();
    let change = VerdictChange {
        generation: state.generation,
        class: state.class,
        verdict,
        rule: 7,
        enforced: true,
        names_matter: true,
    };
    datapath.rewrite_verdict(
        &header.key,
        long_time(header.first, header.time_ns),
        &change,
    )
}

fn lost(rig: &Rig) -> u64 {
    rig.datapath.counters().unwrap().loss(Loss::Hold)
}

#[test]
fn what_a_client_says_waits_for_the_decision() {
    if common::skipped() {
        return;
    }
    let (mut rig, mut waiting) = strict();
    rig.told();
    let hello = to(HELD, UDP, udp(9, 443, b"hello"));
    assert_eq!(rig.outcome(Direction::Outbound, &hello).0, Outcome::Held);
    let flow = key(HELD, 9, 443, UDP);
    let state = rig.flow(&flow).unwrap();
    assert_ne!(state.flags & AWAITS_NAME, 0);
    assert_eq!(state.outbound_packets, 0, "it has not gone yet");
    let told = rig.told();
    assert_eq!(told.len(), 1);
    assert_eq!(
        (told[0].kind, told[0].outcome),
        (kind::NEW, Outcome::Held as u8)
    );
    let header = {
        let held = waiting.next().expect("the frame");
        assert_eq!(held.frame(), hello);
        assert_eq!(held.payload(), b"hello");
        assert!(!held.is_cut());
        assert_eq!(held.header.key, flow);
        held.header
    };
    assert_eq!(rig.outcome(Direction::Outbound, &hello).0, Outcome::Held);

    // Userspace lets a frame go on without deciding the flow.
    rig.datapath.load_program(Program::Release).unwrap();
    let (outcome, _) = rig.outcome_of(Program::Release, Direction::Outbound, &hello);
    assert_eq!(outcome, Outcome::Allowed);
    assert_eq!(rig.outcome(Direction::Outbound, &hello).0, Outcome::Held);

    assert_eq!(
        decide(&rig.datapath, &header, Verdict::Allow),
        Rewritten::Done
    );
    assert_eq!(rig.outcome(Direction::Outbound, &hello).0, Outcome::Allowed);
    let state = rig.flow(&flow).unwrap();
    assert_eq!(state.flags & (AWAITS_NAME | NAMED), NAMED);
    assert_eq!(state.outbound_packets, 2);
    assert_eq!(
        decide(&rig.datapath, &header, Verdict::Block),
        Rewritten::Done
    );
    for program in [Program::Outbound, Program::Release] {
        let (outcome, _) = rig.outcome_of(program, Direction::Outbound, &hello);
        assert_eq!(outcome, Outcome::Blocked, "{program:?}");
    }
    // Another generation of the same policy: what a name decided is not asked again.
    rig.datapath.apply_policy(&tables::strict(true)).unwrap();
    assert_eq!(rig.outcome(Direction::Outbound, &hello).0, Outcome::Blocked);
    assert_eq!(lost(&rig), 0);
}

#[test]
fn a_handshake_waits_only_where_it_can_be_let_go() {
    if common::skipped() {
        return;
    }
    let (mut rig, mut waiting) = strict();
    let segment = |flags, payload: &[u8]| to(HELD, TCP, tcp(9, 443, flags, payload));
    let outcome = |rig: &Rig, frame: &[u8]| rig.outcome(Direction::Outbound, frame).0;
    assert_eq!(outcome(&rig, &segment(SYN, b"")), Outcome::Allowed);
    assert_eq!(outcome(&rig, &segment(ACK, b"")), Outcome::Allowed);
    assert_eq!(outcome(&rig, &segment(ACK | PSH, b"hello")), Outcome::Held);
    assert_eq!(waiting.next().expect("the hello").payload(), b"hello");
    rig.datapath.set_releases(true).unwrap();
    assert_eq!(outcome(&rig, &segment(SYN, b"")), Outcome::Held);
    assert_eq!(waiting.next().expect("the opening").header.tcp_flags, SYN);
    assert_eq!(outcome(&rig, &segment(ACK, b"")), Outcome::Allowed);
    // Fast open: the hello comes with the first packet.
    rig.datapath.set_releases(false).unwrap();
    assert_eq!(outcome(&rig, &segment(SYN, b"early")), Outcome::Held);
    assert_eq!(waiting.next().expect("the opening").payload(), b"early");
    // What carries no name by its protocol does not wait.
    let ping = to(HELD, 1, common::frames::icmp(8, 0, 3));
    assert_eq!(outcome(&rig, &ping), Outcome::Allowed);
    assert!(waiting.next().is_none());
}

#[test]
fn a_piece_of_a_hello_never_slips_through() {
    if common::skipped() {
        return;
    }
    let (rig, mut waiting) = strict();
    let datagram = udp(9, 443, &[7; 40]);
    let mut first = V4::new("10.1.2.3", HELD, UDP, datagram[..24].to_vec());
    first.more = true;
    let mut second = V4::new("10.1.2.3", HELD, UDP, datagram[24..].to_vec());
    second.offset = 24;
    for piece in [first, second] {
        let (outcome, _) = rig.outcome(Direction::Outbound, &piece.frame());
        assert_eq!(outcome, Outcome::Held);
    }
    assert_eq!(lost(&rig), 2, "nothing that userspace could read a name in");
    assert!(waiting.next().is_none());
    // Longer than a held frame can be: its beginning is there, and it says so.
    let long = to(HELD, UDP, udp(10, 443, &[7; 4_090]));
    assert_eq!(rig.outcome(Direction::Outbound, &long).0, Outcome::Held);
    assert!(waiting.next().is_some_and(|held| held.is_cut()));
    // The ring is full: what cannot be given to userspace does not go on.
    let frame = to(HELD, UDP, udp(11, 443, &[7; 3_000]));
    rig.datapath.run(Program::Outbound, &frame, 4_000).unwrap();
    let before = rig.datapath.counters().unwrap();
    assert_eq!(rig.outcome(Direction::Outbound, &frame).0, Outcome::Held);
    let after = rig.datapath.counters().unwrap();
    assert_eq!(after.loss(Loss::Hold), before.loss(Loss::Hold) + 1);
}

#[test]
fn questions_are_held_whoever_they_are_for_and_others_are_not() {
    if common::skipped() {
        return;
    }
    let (mut rig, mut waiting) = strict();
    let outcome = |rig: &Rig, frame: &[u8]| rig.outcome(Direction::Outbound, frame).0;
    let question = to("198.18.1.1", UDP, udp(9, 53, b"who?"));
    let other = to("198.18.1.1", UDP, udp(9, 54, b"who?"));
    assert_eq!(outcome(&rig, &question), Outcome::Held);
    assert_eq!(outcome(&rig, &other), Outcome::Allowed);
    // What the address alone stops needs no name.
    let stopped = to("198.18.2.1", UDP, udp(9, 53, b"who?"));
    assert_eq!(outcome(&rig, &stopped), Outcome::Blocked);
    assert!(waiting.next().is_some() && waiting.next().is_none());

    // Not strict, or not enforced: nothing waits, and what waited goes on.
    rig.datapath.apply_policy(&tables::policy(true)).unwrap();
    let held = to(HELD, UDP, udp(9, 443, b"hello"));
    assert_eq!(outcome(&rig, &question), Outcome::Allowed);
    assert_eq!(outcome(&rig, &held), Outcome::Allowed);
    rig.datapath.apply_policy(&tables::strict(false)).unwrap();
    assert_eq!(outcome(&rig, &question), Outcome::Allowed);
    // And strict once more: a flow that goes on without a name waits from here on.
    rig.datapath.apply_policy(&tables::strict(true)).unwrap();
    assert_eq!(outcome(&rig, &held), Outcome::Held);
}

/// Two programs judge one flow again at the same instant, over and over: the one that comes too late must
/// not forget what its name had decided.
#[test]
fn what_a_name_cut_stays_cut_while_two_processors_judge_it_again() {
    const CHANGES: usize = 300;
    if common::skipped() {
        return;
    }
    let root = PinRoot::new();
    let options = LoadOptions {
        flows: [1 << 10, 1 << 10],
        ..LoadOptions::new(root.path())
    };
    let mut changer = Datapath::load(&options).unwrap();
    changer
        .apply_atlas_and_policy(&tables::atlas(), &tables::policy(true))
        .unwrap();
    let runner = Datapath::load(&options).unwrap();
    let out = to(HELD, UDP, udp(9, 443, b"more"));
    let back = from(HELD, UDP, udp(443, 9, b"answer"));
    runner.run(Program::Outbound, &out, 1).unwrap();
    let flow = key(HELD, 9, 443, UDP);
    let state = runner.flow(&flow).unwrap();
    let cut = VerdictChange {
        generation: state.generation,
        class: state.class,
        verdict: Verdict::Block,
        rule: 7,
        enforced: true,
        names_matter: true,
    };
    let done = runner.rewrite_verdict(&flow, state.first_ns, &cut);
    assert_eq!(done, Rewritten::Done);
    let before = runner.counters().unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for (program, frame) in [(Program::Outbound, &out), (Program::Reply, &back)] {
            let (runner, stop) = (&runner, &stop);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    runner.run(program, frame, 500).unwrap();
                }
            });
        }
        for _ in 0..CHANGES {
            changer.apply_policy(&tables::policy(true)).unwrap();
            std::thread::sleep(std::time::Duration::from_micros(300));
        }
        stop.store(true, Ordering::Relaxed);
    });
    let after = runner.counters().unwrap();
    for direction in [Direction::Outbound, Direction::Reply] {
        let of = |outcome| after.outcome(direction, outcome) - before.outcome(direction, outcome);
        println!("{direction:?}: {} stopped", of(Outcome::Blocked));
        assert!(of(Outcome::Blocked) > 1_000, "{direction:?}");
        assert_eq!(of(Outcome::Allowed), 0, "{direction:?}");
    }
}
