//! Presets over the embedded atlas: compiled tables against the evaluator, and explanations.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use jiff::civil::Date;
use octroi_geo_db::Atlas;
use octroi_geo_db::profile::{HostingConfidence, Profile};
use octroi_policy::{
    EchSeen, Explanation, Marks, Naming, Opaque, Policy, Subject, Tables, Verdict,
};
use proptest::prelude::*;

const AT: Date = jiff::civil::date(2026, 11, 21);

static ATLAS: LazyLock<Atlas> = LazyLock::new(|| Atlas::embedded().unwrap());

static COMPILED: LazyLock<Vec<(Policy, Tables)>> = LazyLock::new(|| {
    let policies = Policy::PRESETS.into_iter().map(preset);
    let compiled = |policy: Policy| {
        let tables = policy.compile(&*ATLAS, AT).unwrap();
        (policy, tables)
    };
    policies.map(compiled).collect()
});

fn preset(name: &str) -> Policy {
    let text = Policy::preset(name).unwrap();
    Policy::parse(text, name, ATLAS.catalogue()).unwrap()
}

fn explain(policy: &Policy, destination: &str, name: Option<&str>) -> Explanation {
    let destination: IpAddr = destination.parse().unwrap();
    let catalogue = ATLAS.catalogue();
    let dossier = ATLAS.dossier(destination);
    let service = name.and_then(|name| catalogue.service_of_domain(name));
    let profile = match service {
        Some(service) => catalogue.profile_with_service(&dossier.profile, &service.id),
        None => dossier.profile.clone(),
    };
    let subject = Subject {
        catalogue,
        zone: policy.zone_of("10.10.0.10".parse().unwrap()),
        destination,
        profile: &profile,
        asn: dossier.asn.as_ref().map(|asn| asn.number),
        protocol: 6,
        port: 443,
        name,
        naming: name.map_or(Naming::Pending, |_| Naming::Confirmed),
        speaks: None,
        ech: EchSeen::None,
        chain: &[],
        opaque: Opaque::None,
        at: AT,
    };
    policy.explain(&subject, dossier.clone(), catalogue)
}

#[test]
fn presets_compile_for_the_embedded_atlas() {
    for name in Policy::PRESETS {
        let tables = preset(name).compile(&*ATLAS, AT).unwrap();
        assert_eq!(tables.verdicts.len(), 2);
        assert_eq!(tables.verdicts[0].len(), ATLAS.profiles().len());
        assert!(
            tables.rule_sets.len() < 64,
            "{name}: {} rule sets",
            tables.rule_sets.len()
        );
    }
}

/// Marks of ASNs and prefixes hold where the atlas says that the AS announces.
#[test]
fn marks_agree_with_the_atlas() {
    let text = "[policy]\nname = \"n\"\nmode = \"enforce\"\ndefault = \"allow\"\n\
                [[rule]]\nid = \"inner\"\nverdict = \"flag\"\nasn = [8075]\n\
                prefix = [\"20.0.0.0/8\", \"!20.74.0.0/16\"]\n\
                [[rule]]\nid = \"ms\"\nverdict = \"reject\"\nasn = [8075, 8068]\n\
                [[rule]]\nid = \"ovh\"\nverdict = \"block\"\nasn = [16276]\n";
    let policy = Policy::parse(text, "marks", ATLAS.catalogue()).unwrap();
    let tables = policy.compile(&*ATLAS, AT).unwrap();
    assert!(tables.marks.len() > 100);
    let near = |(prefix, _): &(ipnet::IpNet, Marks)| [prefix.network(), prefix.broadcast()];
    for destination in tables.marks.iter().flat_map(near) {
        let looked_up = policy.looked_up(destination);
        let class = ATLAS.class_of(looked_up);
        let subject = Subject {
            catalogue: ATLAS.catalogue(),
            zone: 0,
            destination,
            profile: ATLAS.profile(class),
            asn: ATLAS.asn_of(looked_up).map(|asn| asn.number),
            protocol: 6,
            port: 443,
            name: None,
            naming: Naming::Pending,
            speaks: None,
            ech: EchSeen::None,
            chain: &[],
            opaque: Opaque::None,
            at: AT,
        };
        let marks = tables.marks_of(destination);
        let decided = tables.decide(0, class, marks, 6, 443, Opaque::None);
        assert_eq!(policy.evaluate(&subject), decided, "{destination}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn presets_decide_alike_everywhere(v4: u32, v6: u64, zone in 0u8..=1) {
        let nat64 = Ipv6Addr::from(0x0064_ff9b_u128 << 96 | u128::from(v4));
        let six_to_four = Ipv6Addr::from(0x2002_u128 << 112 | u128::from(v4) << 80 | 1);
        for (policy, tables) in &*COMPILED {
            let v6 = Ipv6Addr::from(0x2000_u128 << 112 | u128::from(v6) << 61);
            for destination in [Ipv4Addr::from(v4).into(), IpAddr::V6(v6), nat64.into(), six_to_four.into()] {
                let looked_up = policy.looked_up(destination);
                let class = ATLAS.class_of(looked_up);
                let subject = Subject {
                    catalogue: ATLAS.catalogue(),
                    zone,
                    destination,
                    profile: ATLAS.profile(class),
                    asn: ATLAS.asn_of(looked_up).map(|asn| asn.number),
                    protocol: 17,
                    port: 53,
                    name: None,
                    naming: Naming::Pending,
                    speaks: None,
                    ech: EchSeen::None,
                    chain: &[],
                    opaque: Opaque::None,
                    at: AT,
                };
                let marks = tables.marks_of(destination);
                let decided = tables.decide(zone, class, marks, 17, 53, Opaque::None);
                prop_assert_eq!(policy.evaluate(&subject), decided);
            }
        }
    }
}

#[test]
fn azure_in_paris_is_stopped_for_its_control() {
    let explanation = explain(&preset("cloud-au-centre"), "20.74.0.1", None);
    assert_eq!(explanation.verdict, Verdict::Reject);
    assert_eq!(explanation.rule, "foreign-law");
    assert!(explanation.laws.iter().any(|law| law.id == "us_cloud_act"));
    assert!(explanation.basis.iter().any(|basis| basis.id == "r9"));
    let steps = &explanation.path;
    assert!(steps.iter().rev().skip(1).all(|step| !step.matched));
    assert_eq!(
        steps.last().map(|step| step.rule.as_str()),
        Some("foreign-law")
    );
    let allowed = explanation.counterfactuals.iter().any(|other| {
        other.verdict == Verdict::Allow && other.change.en.contains("no foreign law reaches")
    });
    assert!(allowed, "{:#?}", explanation.counterfactuals);
}

#[test]
fn a_banned_tool_is_told_with_its_sovereign_alternative() {
    let explanation = explain(
        &preset("cloud-au-centre"),
        "51.210.0.1",
        Some("us02web.zoom.us"),
    );
    assert_eq!(explanation.rule, "foreign-meetings");
    assert_eq!(explanation.verdict, Verdict::Reject);
    assert_eq!(explanation.service_name.as_deref(), Some("Zoom"));
    assert_eq!(explanation.alternatives[0].service, "visio");
    let changes: Vec<&str> = explanation
        .counterfactuals
        .iter()
        .map(|other| other.change.en.as_str())
        .collect();
    assert!(
        changes
            .iter()
            .any(|change| change.contains("did not go by the name")),
        "{changes:?}"
    );
}

#[test]
fn an_allowed_destination_is_told_with_what_would_stop_it() {
    let explanation = explain(&preset("cloud-au-centre"), "51.210.0.1", None);
    assert_eq!(explanation.verdict, Verdict::Allow);
    assert!(explanation.names_matter);
    assert!(
        explanation
            .counterfactuals
            .iter()
            .any(|other| other.verdict.stops())
    );
}

#[test]
fn explanations_survive_json() {
    let destinations = [
        "20.74.0.1",
        "8.8.8.8",
        "51.210.0.1",
        "1.1.1.1",
        "2a01:e0a::1",
        "10.1.2.3",
        "240.0.0.1",
    ];
    for name in Policy::PRESETS {
        let policy = preset(name);
        for destination in destinations {
            for host in [None, Some("teams.microsoft.com")] {
                let explanation = explain(&policy, destination, host);
                let json = serde_json::to_string(&explanation).unwrap();
                let back: Explanation = serde_json::from_str(&json).unwrap();
                assert_eq!(explanation, back);
            }
        }
    }
}

/// Shadow rules, opacity, zones and ports: each in its place in the explanation.
#[test]
fn shadow_opacity_zone_and_port_are_explained() {
    let text = "[policy]\nname = \"n\"\nmode = \"enforce\"\ndefault = \"allow\"\n\
                [[zone]]\nname = \"cabinet\"\nprefixes = [\"10.10.0.0/16\"]\n\
                [[zone]]\nname = \"guests\"\nprefixes = [\"10.20.0.0/16\"]\n\
                [[rule]]\nid = \"trial\"\nverdict = \"block\"\nshadow = true\nhosting = [\"FR\"]\n\
                [[rule]]\nid = \"mail\"\nverdict = \"reject\"\nfrom = [\"cabinet\"]\nports = [25]\n";
    let policy = Policy::parse(text, "n", ATLAS.catalogue()).unwrap();
    let destination: IpAddr = "51.210.0.1".parse().unwrap();
    let dossier = ATLAS.dossier(destination);
    let mail = Subject {
        catalogue: ATLAS.catalogue(),
        zone: policy.zone_of("10.10.0.1".parse().unwrap()),
        destination,
        profile: &dossier.profile,
        asn: None,
        protocol: 6,
        port: 25,
        name: None,
        naming: Naming::Pending,
        speaks: None,
        ech: EchSeen::None,
        chain: &[],
        opaque: Opaque::None,
        at: AT,
    };
    let explained = policy.explain(&mail, dossier.clone(), ATLAS.catalogue());
    assert_eq!(
        (explained.rule.as_str(), explained.verdict),
        ("mail", Verdict::Reject)
    );
    assert_eq!(
        explained.shadow.as_ref().map(|shadow| shadow.rule.as_str()),
        Some("trial")
    );
    let told = |change: &str| {
        let mut others = explained.counterfactuals.iter();
        others.any(|other| other.change.en == change && other.verdict == Verdict::Allow)
    };
    assert!(told("it came from zone guests"), "{explained:#?}");
    assert_eq!(
        explained.shadow.as_ref().map(|shadow| shadow.verdict),
        Some(Verdict::Block)
    );

    let tunnel = Subject {
        protocol: 47,
        port: 0,
        opaque: Opaque::Gre,
        ..mail
    };
    let explained = policy.explain(&tunnel, dossier.clone(), ATLAS.catalogue());
    assert_eq!(
        (explained.rule.as_str(), explained.verdict),
        ("opaque", Verdict::Block)
    );
    assert_eq!(explained.opaque.as_deref(), Some("gre"));
    let steps: Vec<_> = explained
        .path
        .iter()
        .map(|step| (step.rule.as_str(), step.matched))
        .collect();
    let expected = [
        ("trial", true),
        ("mail", false),
        ("default", true),
        ("opaque", true),
    ];
    assert_eq!(steps, expected);
    assert_eq!(
        explained.counterfactuals[0].change.en,
        "the traffic were not opaque (gre)"
    );
}

/// Changes that are told as the smallest are: with more than one fact, no single place and no single
/// operator of the catalogue turns the verdict round.
#[test]
fn the_smallest_change_is_the_smallest() {
    let turned = |was: Verdict, is: Verdict| match was {
        Verdict::Reject | Verdict::Block => !is.stops(),
        Verdict::Flag => is == Verdict::Allow,
        Verdict::Allow => is != Verdict::Allow,
    };
    let catalogue = ATLAS.catalogue();
    let mut several = 0;
    for name in Policy::PRESETS {
        let policy = preset(name);
        for (destination, host) in [
            ("20.74.0.1", None),
            ("52.112.0.10", None),
            ("8.8.8.8", None),
            ("147.135.10.10", None),
            ("51.210.0.1", Some("zoom.us")),
            ("51.210.0.1", None),
            ("57.112.10.10", None),
            ("102.35.0.1", None),
            ("64:ff9b::144a:1", None),
        ] {
            let explained = explain(&policy, destination, host);
            let sizes: Vec<u8> = explained
                .counterfactuals
                .iter()
                .filter_map(|c| c.facts)
                .collect();
            assert!(sizes.windows(2).all(|pair| pair[0] == pair[1]), "{sizes:?}");
            for other in &explained.counterfactuals {
                assert!(
                    turned(explained.verdict, other.verdict),
                    "{name} {destination} {other:?}"
                );
            }
            if sizes.first().is_none_or(|&size| size == 1) {
                continue;
            }
            several += 1;
            let judged = |profile: &Profile| {
                let subject = Subject {
                    catalogue,
                    zone: 1,
                    destination: explained.destination,
                    profile,
                    asn: explained.dossier.asn.as_ref().map(|asn| asn.number),
                    protocol: 6,
                    port: 443,
                    name: host,
                    naming: host.map_or(Naming::Pending, |_| Naming::Confirmed),
                    speaks: None,
                    ech: EchSeen::None,
                    chain: &[],
                    opaque: Opaque::None,
                    at: AT,
                };
                policy.evaluate(&subject).verdict
            };
            for country in catalogue.countries() {
                let mut profile = explained.profile.clone();
                profile.special = None;
                profile.hosting.country = Some(country.code);
                profile.hosting.confidence = HostingConfidence::Located;
                let verdict = judged(&profile);
                assert!(
                    !turned(explained.verdict, verdict),
                    "{name} {destination} {}",
                    country.code
                );
            }
            for operator in catalogue.operators() {
                let mut profile = explained.profile.clone();
                profile.control = catalogue.control_of_operator(operator);
                let verdict = judged(&profile);
                assert!(
                    !turned(explained.verdict, verdict),
                    "{name} {destination} {}",
                    operator.id
                );
            }
        }
    }
    assert!(several > 3, "no case needs several facts");
}

/// Under strict names every destination that a preset lets pass waits: each forbids some names
/// whatever their address. What it stops does not.
#[test]
fn strict_presets_hold_what_passes_and_nothing_else() {
    for name in ["cloud-au-centre", "france-only"] {
        let text = Policy::preset(name).unwrap();
        let text = text.replace("names = \"observe\"", "names = \"strict\"");
        let policy = Policy::parse(&text, name, ATLAS.catalogue()).unwrap();
        let began = std::time::Instant::now();
        let tables = policy.compile(&*ATLAS, AT).unwrap();
        println!("{name}: compiled in {:?}", began.elapsed());
        let (mut waiting, mut passing) = (0, 0);
        for class in (0u16..).take(ATLAS.profiles().len()) {
            let set = tables.rule_set(1, class).unwrap();
            let entries = octroi_policy::tables::entries(set);
            let passes = entries
                .iter()
                .any(|entry| Verdict::from_code(entry.verdict).is_some_and(|v| !v.stops()));
            let waits = set.flags & octroi_abi::rules::NAMES_STRICT != 0;
            assert!(
                passes || !waits,
                "{name}: class {class} waits and never passes"
            );
            passing += usize::from(passes);
            waiting += usize::from(waits);
        }
        println!("{name}: {waiting} of {passing} passing classes wait");
        assert_eq!(waiting, passing, "{name}");
        assert!(passing > 0 && passing < ATLAS.profiles().len(), "{name}");
    }
}
