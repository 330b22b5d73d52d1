//! One evaluator: for random policies, in the policy language, and packets of every shape, the
//! kernel's verdict is that of `Policy::evaluate`, and the counters add up to the packets.
//!
//! `OCTROI_EQUIVALENCE_CASES=20000 cargo test -p octroi-datapath --test kernel evaluator` runs more;
//! a case is one policy and up to 40 packets.

use std::cell::{Cell, RefCell};
use std::net::IpAddr;

use octroi_abi::flow::{AWAITS_NAME, ENFORCED};
use octroi_abi::opaque::Opaque;
use octroi_abi::outcome::{Direction, Outcome};
use octroi_abi::rules::NAMES_STRICT;
use octroi_policy::{ClassMap as _, EchSeen, Naming, Subject};
use proptest::prelude::*;

use crate::common::frames::{
    SYN, TCP, UDP, V4, between, ethernet, ethernet_tagged, icmp, key_between, tcp, udp, v6,
};
use crate::common::{self, tables};
use crate::language::{AT, DESTINATIONS, SmallAtlas, parse, policy_text, profile};

const SCTP: u8 = 132;
const UDP_LITE: u8 = 136;
const SOURCES: [(&str, &str); 4] = [
    ("10.10.0.9", "fd00:10::9"),
    ("10.20.0.9", "fd00:20::9"),
    ("10.10.5.9", "2a00::9"),
    ("192.0.2.9", "fe00::9"),
];
/// Classes of the world, the unknown one included.
const CLASSES: usize = 6;
const SHAPES: u8 = 17;
const FIRST_PIECE: u8 = 12;
/// An empty datagram.
const WITHOUT_PAYLOAD: u8 = 16;
/// Not drawn: it ends the datagram that a first piece began, so that its number is free again.
const LAST_PIECE: u8 = 200;

/// A packet to be built: source, destination, shape, port.
type Draft = (usize, usize, u8, u16);

/// What a frame is, told by whoever built it.
struct Built {
    frame: Vec<u8>,
    protocol: u8,
    ports: (u16, u16),
    opaque: Opaque,
}

fn build(source: &str, destination: &str, shape: u8, port: u16, number: u16) -> Built {
    let six = destination.contains(':');
    let from = 40_000;
    let segment = || tcp(from, port, SYN, b"hello");
    let send = |protocol, payload| between(source, destination, protocol, payload);
    let with = |frame, protocol, ports, opaque| Built {
        frame,
        protocol,
        ports,
        opaque,
    };
    let options = |bytes: &[u8]| {
        let mut packet = V4::new(source, destination, TCP, segment());
        packet.options = bytes.to_vec();
        packet.frame()
    };
    let extended = |kind, head: &[u8]| {
        let payload = [head, &segment()].concat();
        ethernet(&v6(source, destination, kind, 64, &payload))
    };
    let piece = |offset: u16, more: bool| {
        let payload = udp(from, port, &[0; 16]);
        if six {
            let word = (offset | u16::from(more)).to_be_bytes();
            let id = number.to_be_bytes();
            let head = [UDP, 0, word[0], word[1], 0, 0, id[0], id[1]];
            let payload = [&head[..], &payload].concat();
            return ethernet(&v6(source, destination, 44, 64, &payload));
        }
        let mut packet = V4::new(source, destination, UDP, payload);
        (packet.identification, packet.offset, packet.more) = (number, offset, more);
        packet.frame()
    };
    let ported = (from, port);
    match shape {
        0 => with(send(TCP, segment()), TCP, ported, Opaque::None),
        1 => with(send(UDP, udp(from, port, b"x")), UDP, ported, Opaque::None),
        2 => with(send(SCTP, segment()), SCTP, ported, Opaque::None),
        3 => with(send(UDP_LITE, segment()), UDP_LITE, ported, Opaque::None),
        4 if six => with(send(58, icmp(200, 0, 0)), 58, (0, 0), Opaque::None),
        4 => with(send(1, icmp(13, 0, 0)), 1, (0, 0), Opaque::None),
        5 => with(send(47, vec![0; 16]), 47, (0, 0), Opaque::Gre),
        6 => with(send(50, vec![0; 16]), 50, (0, 0), Opaque::Esp),
        7 => with(send(41, vec![0; 16]), 41, (0, 0), Opaque::Ipv6InIp),
        8 => with(send(99, vec![0; 16]), 99, (0, 0), Opaque::UnknownProtocol),
        9 => {
            let bare = send(TCP, segment());
            let kind = u16::from_be_bytes([bare[12], bare[13]]);
            let tagged = ethernet_tagged(&[(0x88a8, 5), (0x8100, 6)], kind, &bare[14..]);
            with(tagged, TCP, ported, Opaque::None)
        }
        10 if six => with(
            extended(60, &[TCP, 0, 1, 4, 0, 0, 0, 0]),
            TCP,
            ported,
            Opaque::None,
        ),
        10 => with(options(&[1, 1, 1, 0]), TCP, ported, Opaque::None),
        11 if six => with(
            extended(43, &[TCP, 0, 0, 0, 0, 0, 0, 0]),
            TCP,
            ported,
            Opaque::SourceRouted,
        ),
        11 => {
            let route = [131, 7, 4, 9, 9, 9, 9, 0];
            with(options(&route), TCP, ported, Opaque::SourceRouted)
        }
        FIRST_PIECE => with(piece(0, true), UDP, ported, Opaque::None),
        LAST_PIECE => with(piece(24, false), UDP, (0, 0), Opaque::None),
        13 => {
            let whole = send(TCP, segment());
            let cut = whole[..whole.len() - 3].to_vec();
            with(cut, TCP, (0, 0), Opaque::Truncated)
        }
        14 => {
            let protocol = if six { 44 } else { UDP };
            let kind = Opaque::FragmentWithoutFirst;
            // The header chain is walked before the fragment is looked for.
            let protocol = if six { UDP } else { protocol };
            with(piece(64, false), protocol, (0, 0), kind)
        }
        15 => {
            let payload = udp(from, 4_789, &[8, 0, 0, 0, 0, 0, 1, 0]);
            with(send(UDP, payload), UDP, (from, 4_789), Opaque::Vxlan)
        }
        // WITHOUT_PAYLOAD
        _ => {
            let payload = udp(from, 3_544, b"");
            with(send(UDP, payload), UDP, (from, 3_544), Opaque::Teredo)
        }
    }
}

fn cases() -> u32 {
    let asked = std::env::var("OCTROI_EQUIVALENCE_CASES").ok();
    asked.map_or(1_000, |text| text.parse().expect("a number of cases"))
}

#[test]
#[expect(
    clippy::too_many_lines,
    reason = "one packet from its making to its counters"
)]
fn the_kernel_decides_as_the_evaluator() {
    if common::skipped() {
        return;
    }
    let mut rig = common::rig();
    let class_of = |place: usize| u16::try_from(place % CLASSES).unwrap();
    let world: Vec<_> = DESTINATIONS
        .iter()
        .enumerate()
        .map(|(place, text)| (text.parse::<IpAddr>().unwrap(), class_of(place)))
        .collect();
    let prefixes: Vec<_> = world
        .iter()
        .map(|&(address, class)| (address.into(), class))
        .collect();
    rig.datapath
        .apply_atlas_and_policy(&tables::atlas_of(&prefixes), &tables::policy(true))
        .unwrap();
    let look_up = |address: IpAddr| {
        let found = world.iter().find(|(known, _)| *known == address);
        found.map_or(0, |&(_, class)| class)
    };
    let draft = (0..SOURCES.len(), 0..DESTINATIONS.len(), 0..SHAPES);
    let port = prop::sample::select(vec![443_u16, 80, 79, 5_000, 53, 0]);
    let drafts = (draft, port).prop_map(|((from, to, shape), port)| (from, to, shape, port));
    let (judged, number) = (Cell::new(0_u64), Cell::new(0_u16));
    let rig = RefCell::new(rig);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: cases(),
        failure_persistence: None,
        max_shrink_iters: 200,
        ..ProptestConfig::default()
    });
    let strategy = (
        policy_text(),
        prop::collection::vec(profile(), CLASSES - 1),
        prop::collection::vec(drafts, 1..=40),
    );
    let run = |(text, profiles, drafts): (String, _, Vec<Draft>)| {
        let mut rig = rig.borrow_mut();
        let policy = parse(&text);
        let atlas = SmallAtlas::new(profiles);
        let compiled = policy.compile(&atlas, AT).unwrap();
        rig.datapath.apply_policy(&compiled).unwrap();
        let mut sets = compiled.rule_sets.iter();
        let any_strict = sets.any(|set| set.flags & NAMES_STRICT != 0);
        let before = rig.datapath.counters().unwrap();
        let mut last_pieces = 0;
        for &(from, to, shape, port) in &drafts {
            let destination = DESTINATIONS[to];
            let address: IpAddr = destination.parse().unwrap();
            let (v4, v6) = SOURCES[from];
            let source = if address.is_ipv4() { v4 } else { v6 };
            number.set(number.get().wrapping_add(1));
            let built = build(source, destination, shape, port, number.get());
            let looked_up = policy.looked_up(address);
            let class = look_up(looked_up);
            let wanted = policy.evaluate(&Subject {
                catalogue: &atlas.catalogue,
                zone: policy.zone_of(source.parse().unwrap()),
                destination: address,
                profile: &atlas.profiles()[usize::from(class)],
                asn: atlas.asn_of(looked_up.to_canonical()),
                protocol: built.protocol,
                port: built.ports.1,
                name: None,
                naming: Naming::Pending,
                speaks: None,
                ech: EchSeen::None,
                chain: &[],
                opaque: built.opaque,
                at: AT,
            });
            let told = format!("{source} to {destination}, shape {shape}, port {port}");
            let report = rig.outbound(&built.frame);
            let stops = wanted.enforced && wanted.verdict.stops();
            let passed = report.action == common::XDP_PASS;
            let zone = usize::from(policy.zone_of(source.parse().unwrap()));
            let set = compiled.verdicts[zone][usize::from(class)];
            let strict = compiled.rule_sets[usize::from(set)].flags & NAMES_STRICT != 0
                || any_strict && built.ports.1 == 53;
            let speaks = built.opaque.has_flow() && [TCP, UDP].contains(&built.protocol);
            let awaits = strict && speaks && wanted.enforced && !wanted.verdict.stops();
            let held = awaits && shape != WITHOUT_PAYLOAD;
            prop_assert_eq!(passed, !stops && !held, "{}: {:?}", told, wanted);
            if built.opaque.has_flow() {
                let (inside, outside) = built.ports;
                let key = key_between(source, destination, inside, outside, built.protocol);
                let state = rig.flow(&key);
                prop_assert!(state.is_some(), "{}", told);
                let state = state.unwrap();
                let found = (state.verdict, state.rule, state.class, state.opaque);
                let hoped = (
                    wanted.verdict.code(),
                    wanted.rule,
                    class,
                    built.opaque.code(),
                );
                prop_assert_eq!(found, hoped, "{}", told);
                prop_assert_eq!(state.flags & ENFORCED != 0, wanted.enforced, "{}", told);
                prop_assert_eq!(state.flags & AWAITS_NAME != 0, awaits, "{}", told);
                if shape == FIRST_PIECE {
                    let last = build(source, destination, LAST_PIECE, port, number.get());
                    rig.outbound(&last.frame);
                    last_pieces += 1;
                }
                rig.datapath.remove_flow(&key).unwrap();
            }
            rig.reply(&built.frame);
            judged.set(judged.get() + 1);
        }
        let after = rig.datapath.counters().unwrap();
        for direction in [Direction::Outbound, Direction::Reply] {
            let seen = after.seen(direction) - before.seen(direction);
            let sent = match direction {
                Direction::Outbound => drafts.len() + last_pieces,
                Direction::Reply => drafts.len(),
            };
            prop_assert_eq!(seen, sent as u64);
            let ended = after.outcomes(direction) - before.outcomes(direction);
            prop_assert_eq!(ended, seen, "one outcome for each packet");
            let broken = after.outcome(direction, Outcome::InternalDrop);
            prop_assert_eq!(broken, before.outcome(direction, Outcome::InternalDrop));
        }
        Ok(())
    };
    runner.run(&strategy, run).unwrap();
    println!(
        "{} policies, {} packets: kernel and evaluator agree",
        cases(),
        judged.get()
    );
}
