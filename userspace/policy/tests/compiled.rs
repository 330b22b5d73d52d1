//! The tables of the kernel decide as the evaluator does.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod common;

use std::net::IpAddr;

use common::{AT, DESTINATIONS, HOSTS, SmallAtlas, parse, policy_text, profile};
use octroi_geo_db::profile::Profile;
use octroi_policy::{ClassMap, EchSeen, Naming, Opaque, Policy, Subject};
use proptest::prelude::*;
use proptest::sample::select;

fn subject<'a>(
    policy: &Policy,
    atlas: &'a SmallAtlas,
    profile: &'a Profile,
    destination: IpAddr,
) -> Subject<'a> {
    Subject {
        catalogue: &atlas.catalogue,
        zone: 0,
        destination,
        profile,
        asn: atlas.asn_of(policy.looked_up(destination)),
        protocol: 6,
        port: 443,
        name: None,
        naming: Naming::Pending,
        speaks: None,
        ech: EchSeen::None,
        chain: &[],
        opaque: Opaque::None,
        at: AT,
    }
}

fn packets() -> impl Strategy<Value = Vec<(u8, u16, Opaque)>> {
    let packet = prop_oneof![
        4 => (select(vec![6u8, 17, 132]), select(vec![443u16, 80, 79, 5000, 53]), Just(Opaque::None)),
        1 => (select(vec![1u8, 58]), Just(0), Just(Opaque::None)),
        1 => (Just(47), Just(0), select(vec![Opaque::Gre, Opaque::Esp])),
        1 => (Just(6), Just(443), Just(Opaque::SourceRouted)),
    ];
    proptest::collection::vec(packet, 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn tables_decide_as_the_evaluator(
        text in policy_text(),
        profiles in proptest::collection::vec(profile(), 1..6),
        packets in packets(),
    ) {
        let policy = parse(&text);
        let atlas = SmallAtlas::new(profiles);
        let tables = policy.compile(&atlas, AT).unwrap();
        for destination in DESTINATIONS {
            let destination: IpAddr = destination.parse().unwrap();
            let marks = tables.marks_of(destination);
            for (class, profile) in (0u16..).zip(atlas.profiles()) {
                for &(protocol, port, opaque) in &packets {
                    for zone in 0..=3 {
                        let asked = Subject {
                            zone,
                            protocol,
                            port,
                            opaque,
                            ..subject(&policy, &atlas, profile, destination)
                        };
                        let evaluated = policy.evaluate(&asked);
                        let decided = tables.decide(zone, class, marks, protocol, port, opaque);
                        prop_assert_eq!(
                            evaluated, decided,
                            "{} class {} zone {} {}/{}", destination, class, zone, protocol, port
                        );
                    }
                }
            }
        }
        for kind in Opaque::ALL.into_iter().filter(|&kind| kind != Opaque::None) {
            prop_assert_eq!(policy.evaluate_opaque(kind), tables.decide_opaque(kind));
        }
    }

    /// Whenever a name does change the decision, the decision without it said that one could.
    #[test]
    fn a_name_that_changes_the_decision_was_announced(
        text in policy_text(),
        profile in profile(),
        destination in select(&DESTINATIONS[..]),
        zone in 0u8..=3,
        port in select(vec![443u16, 80, 5000]),
    ) {
        let policy = parse(&text);
        let atlas = SmallAtlas::new(Vec::new());
        let without = Subject {
            zone,
            port,
            ..subject(&policy, &atlas, &profile, destination.parse().unwrap())
        };
        let before = policy.evaluate(&without);
        for host in HOSTS {
            let service = atlas.catalogue.service_of_domain(host);
            let overlaid = match service {
                Some(service) => atlas.catalogue.profile_with_service(&profile, &service.id),
                None => profile.clone(),
            };
            let with = Subject {
                name: Some(host),
                profile: &overlaid,
                ..without
            };
            let after = policy.evaluate(&with);
            let same = (before.verdict, before.rule, before.shadow)
                == (after.verdict, after.rule, after.shadow);
            prop_assert!(same || before.names_matter, "{host}: {before:?} then {after:?}");
            prop_assert!(!after.names_matter);
        }
    }

    /// A rule of which it was said that it can never decide never does.
    #[test]
    fn rules_that_can_never_decide_never_do(
        text in policy_text(),
        profiles in proptest::collection::vec(profile(), 1..6),
        packets in packets(),
        host in proptest::option::of(select(&HOSTS[..])),
    ) {
        let policy = parse(&text);
        let warned = |id: &str| {
            let what = format!("rule \"{id}\" can never decide");
            policy.warnings.iter().any(|warning| warning.what.starts_with(&what))
        };
        let atlas = SmallAtlas::new(profiles);
        for destination in DESTINATIONS {
            for profile in atlas.profiles() {
                for &(protocol, port, opaque) in &packets {
                    for zone in 0..=3 {
                        let asked = Subject {
                            zone,
                            protocol,
                            port,
                            opaque,
                            name: host,
                            ..subject(&policy, &atlas, profile, destination.parse().unwrap())
                        };
                        let decision = policy.evaluate(&asked);
                        prop_assert!(!warned(policy.rule_name(decision.rule)));
                    }
                }
            }
        }
    }

    /// Sources belong to the same zone in the policy and in its tables.
    #[test]
    fn zones_are_the_same_in_the_tables(text in policy_text(), v4: u32, v6: u128) {
        let policy = parse(&text);
        let tables = policy.compile(&SmallAtlas::new(Vec::new()), AT).unwrap();
        let sources = [IpAddr::V4(v4.into()), IpAddr::V6(v6.into())];
        let near = DESTINATIONS.iter().map(|text| text.parse().unwrap());
        for source in near.chain(sources) {
            prop_assert_eq!(policy.zone_of(source), tables.zone_of(source));
        }
    }
}

/// In the kernel's tries IPv4 lies inside IPv6 as `::ffff:0:0/96`: the longest prefix of the mapped
/// form must give what the address's own family gives.
#[test]
fn short_ipv6_prefixes_do_not_swallow_ipv4() {
    let policy = parse(
        "[policy]\nname = \"n\"\nmode = \"enforce\"\ndefault = \"block\"\n\
         [[zone]]\nname = \"all6\"\nprefixes = [\"::/0\"]\n\
         [[rule]]\nid = \"six\"\nverdict = \"allow\"\nprefix = [\"::/0\"]\n",
    );
    let tables = policy.compile(&SmallAtlas::new(Vec::new()), AT).unwrap();
    let longest = |address: IpAddr| {
        let mapped = match address {
            IpAddr::V4(v4) => v4.to_ipv6_mapped(),
            IpAddr::V6(v6) => v6,
        };
        let around = |prefix| {
            let (network, length) = octroi_policy::tables::mapped(prefix);
            let prefix = ipnet::Ipv6Net::new(network, length).unwrap();
            prefix.contains(&mapped).then_some(length)
        };
        let zone = tables
            .zones
            .iter()
            .filter_map(|&(prefix, zone)| Some((around(prefix)?, zone)));
        let marks = tables
            .marks
            .iter()
            .filter_map(|&(prefix, mark)| Some((around(prefix)?, mark.holds)));
        (
            zone.max().map_or(0, |found| found.1),
            marks.max().map_or(0, |found| found.1),
        )
    };
    assert_eq!(longest("8.8.8.8".parse().unwrap()), (0, 0));
    assert_eq!(longest("2001:db8::1".parse().unwrap()), (1, 1));
    assert_eq!(policy.zone_of("8.8.8.8".parse().unwrap()), 0);
    assert_eq!(tables.marks_of("8.8.8.8".parse().unwrap()), 0);
}

#[test]
fn monitor_mode_and_shadow_rules_enforce_nothing() {
    let text = "[policy]\nname = \"n\"\nmode = \"monitor\"\ndefault = \"block\"\n\
                [[rule]]\nid = \"a\"\nverdict = \"reject\"\nshadow = true\n";
    let policy: Policy = parse(text);
    let tables = policy.compile(&SmallAtlas::new(Vec::new()), AT).unwrap();
    let decision = tables.decide(0, 0, 0, 6, 443, Opaque::None);
    assert!(!decision.enforced);
    assert_eq!(decision.shadow, Some((0, octroi_policy::Verdict::Reject)));
    assert_eq!(policy.rule_name(decision.rule), "default");
    for set in &tables.rule_sets {
        let entries = octroi_policy::tables::entries(set);
        assert!(
            entries
                .iter()
                .all(|entry| entry.flags & octroi_abi::rules::ENFORCED == 0)
        );
    }
}
