//! One evaluator: for random tables and packets, the kernel's verdict is that of `Tables::decide`.

use std::cell::RefCell;

use ipnet::IpNet;
use octroi_abi::flow::ENFORCED;
use octroi_abi::opaque::Opaque;
use octroi_abi::rules::{self, RULE_NONE, RuleEntry};
use octroi_abi::verdict::Verdict;
use octroi_policy::Tables;
use proptest::prelude::*;

use crate::common::frames::{SYN, TCP, UDP, between, icmp, key_between, tcp, udp};
use crate::common::{self, tables};

const CLASSES: u16 = 5;

fn verdict() -> impl Strategy<Value = Verdict> {
    prop::sample::select(Verdict::ALL.to_vec())
}

fn entry() -> impl Strategy<Value = RuleEntry> {
    let conditions = (
        0_u64..8,
        0_u16..4,
        0_u16..4,
        prop::sample::select(vec![TCP, UDP, 1, 47]),
    );
    (1_u16..100, verdict(), any::<[bool; 4]>(), conditions).prop_map(
        |(rule, verdict, [ports, shadow, enforced, protocol], (marks, low, more, number))| {
            let mut flags = 0;
            for (set, flag) in [
                (ports, rules::PORTS),
                (shadow, rules::SHADOW),
                (enforced, rules::ENFORCED),
                (protocol, rules::PROTOCOL),
            ] {
                flags |= if set { flag } else { 0 };
            }
            let marks = if marks < 4 { 0 } else { marks };
            let (port_low, port_high) = (low, low + more);
            let verdict = verdict.code();
            RuleEntry {
                marks,
                rule,
                port_low,
                port_high,
                protocol: number,
                verdict,
                flags,
                ..RuleEntry::default()
            }
        },
    )
}

fn random_tables() -> impl Strategy<Value = Tables> {
    let sets = prop::collection::vec(
        (
            prop::collection::vec(entry(), 0..8),
            verdict(),
            any::<bool>(),
            0_u32..2,
        ),
        1..5,
    );
    let cells = prop::collection::vec(any::<prop::sample::Index>(), 3 * usize::from(CLASSES));
    let opaque = prop::collection::vec((verdict(), any::<bool>()), Opaque::COUNT as usize);
    (sets, cells, opaque).prop_map(|(sets, cells, kinds)| {
        let rule_sets: Vec<_> = sets
            .into_iter()
            .map(|(mut entries, last, enforced, flags)| {
                entries.push(tables::rule(rules::RULE_DEFAULT, last, enforced));
                tables::set(&entries, flags)
            })
            .collect();
        let numbers: Vec<u16> = cells
            .iter()
            .map(|cell| u16::try_from(cell.index(rule_sets.len())).unwrap())
            .collect();
        let mut opaque = tables::opaque_all(Verdict::Allow, true);
        for (entry, (verdict, enforced)) in opaque.iter_mut().zip(kinds) {
            *entry = tables::rule(rules::RULE_OPAQUE, verdict, enforced);
        }
        let prefix = |text: &str| text.parse::<IpNet>().unwrap();
        Tables {
            zones: vec![
                (prefix("10.0.0.0/8"), 1),
                (prefix("10.1.0.0/16"), 2),
                (prefix("fd00::/8"), 1),
                (prefix("fd00:1::/32"), 2),
            ],
            marks: vec![
                (prefix("198.18.2.0/23"), tables::marks(4)),
                (prefix("198.18.3.128/25"), tables::marks(6)),
                (prefix("2001:db8:2::/47"), tables::marks(5)),
                (prefix("2001:db8:3::1/128"), tables::marks(1)),
            ],
            nat64: Vec::new(),
            rule_sets,
            verdicts: numbers
                .chunks(usize::from(CLASSES))
                .map(<[u16]>::to_vec)
                .collect(),
            opaque,
            policy_name: "random".to_owned(),
            policy_sha256: String::new(),
        }
    })
}

fn class_of(third: u8) -> u16 {
    u16::from(third) % CLASSES
}

#[test]
fn the_kernel_decides_as_the_tables_say() {
    if common::skipped() {
        return;
    }
    let mut rig = common::rig();
    let mut world: Vec<(IpNet, u16)> = Vec::new();
    for third in 0..8_u8 {
        world.push((
            format!("198.18.{third}.0/24").parse().unwrap(),
            class_of(third),
        ));
        world.push((
            format!("2001:db8:{third}::/48").parse().unwrap(),
            class_of(third),
        ));
    }
    rig.datapath
        .apply_atlas_and_policy(&tables::atlas_of(&world), &tables::policy(true))
        .unwrap();
    rig.told();
    let packets = prop::collection::vec(
        (
            prop::sample::select(vec![
                ("10.0.0.9", "fd00::9"),
                ("10.1.0.9", "fd00:1::9"),
                ("192.0.2.9", "2001:db9::9"),
            ]),
            (0_u8..8, prop::sample::select(vec![1_u8, 127, 128, 200])),
            0_u16..7,
            prop::sample::select(vec![TCP, UDP, 1, 47, 4, 50, 99]),
            any::<bool>(),
        ),
        1..20,
    );
    let rig = RefCell::new(rig);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 60,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    runner
        .run(&(random_tables(), packets), |(policy, packets)| {
            let mut rig = rig.borrow_mut();
            rig.datapath.apply_policy(&policy).unwrap();
            for (source, (third, last), port, protocol, six) in packets {
                let destination = if six {
                    format!("2001:db8:{third}::{last:x}")
                } else {
                    format!("198.18.{third}.{last}")
                };
                let source = if six { source.1 } else { source.0 };
                let (payload, ports) = match protocol {
                    TCP => (tcp(40_000, port, SYN, b""), (40_000, port)),
                    UDP => (udp(40_000, port, b""), (40_000, port)),
                    _ => (icmp(13, 0, 0), (0, 0)),
                };
                let opaque = match protocol {
                    TCP | UDP => Opaque::None,
                    1 if !six => Opaque::None,
                    47 => Opaque::Gre,
                    4 => Opaque::Ipv4InIp,
                    50 => Opaque::Esp,
                    _ => Opaque::UnknownProtocol,
                };
                rig.outbound(&between(source, &destination, protocol, payload));
                let key = key_between(source, &destination, ports.0, ports.1, protocol);
                let state = rig.flow(&key).unwrap();
                let zone = policy.zone_of(source.parse().unwrap());
                let marks = policy.marks_of(destination.parse().unwrap());
                prop_assert_eq!((state.zone, state.class), (zone, class_of(third)));
                let wanted = policy.decide(zone, class_of(third), marks, protocol, ports.1, opaque);
                prop_assert_eq!(state.verdict, wanted.verdict.code());
                prop_assert_eq!(state.rule, wanted.rule);
                prop_assert_eq!(state.flags & ENFORCED != 0, wanted.enforced);
                prop_assert_eq!(state.opaque, opaque.code());
                let shadow = wanted.shadow.unwrap_or((RULE_NONE, Verdict::Allow));
                let told = rig.told().pop().unwrap();
                prop_assert_eq!(
                    (told.shadow_rule, told.shadow_verdict),
                    (shadow.0, shadow.1.code())
                );
                rig.datapath.remove_flow(&key).unwrap();
            }
            Ok(())
        })
        .unwrap();
}
