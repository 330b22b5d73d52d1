//! The rules of the join, confidence, and what claims say of it.

use std::net::IpAddr;

use super::super::*;
use super::*;
use crate::profile::{ControlBasis, Reach};

fn hosting(atlas: &Atlas, address: IpAddr) -> String {
    let profile = atlas.profile(atlas.class_of(address));
    let country = profile
        .hosting
        .country
        .map_or("-".to_owned(), |code| code.to_string());
    format!("{country} {}", profile.hosting.confidence.name())
}

#[test]
fn hosting_follows_the_order_of_trust_in_both_families() {
    let atlas = atlas();
    let cases = [
        ("20", "FR located", "one location speaks"),
        ("20.1", "FR contested", "a second one disagrees"),
        (
            "20.2",
            "DE located",
            "EU is no country: the second speaks alone",
        ),
        ("20.3", "FR located", "two agree"),
        (
            "20.4",
            "FR located",
            "they differ, on the same side of the law",
        ),
        ("20.5", "- anycast", "a location source flags it"),
        ("20.9", "FR located", "the provider's region"),
        (
            "20.9.9",
            "FR located",
            "no region of its own: the prefix around it",
        ),
        ("20.9.8", "- anycast", "the provider says global"),
        (
            "20.9.7",
            "FR located",
            "a region nobody placed: the prefix around it",
        ),
        (
            "20.9.6",
            "FR located",
            "of equal prefixes the more trusted list's",
        ),
        (
            "20.10",
            "FR contested",
            "a stranger's own word, contested by a location",
        ),
        (
            "20.11",
            "DE located",
            "the own word of an operator of the catalogue",
        ),
        (
            "30.7",
            "RU located",
            "Russia and China are both third countries",
        ),
        ("40", "- anycast", "the catalogue says so of the operator"),
        (
            "40.9",
            "FR located",
            "the provider's region before the operator's anycast",
        ),
        ("50", "- unknown", "not announced"),
        (
            "51",
            "US located",
            "announced, says the second source alone",
        ),
        (
            "60.0",
            "FR located",
            "announced by nobody known, but listed",
        ),
        ("70", "- unknown", "nobody speaks"),
    ];
    for (place, expected, why) in cases {
        for address in both(place) {
            assert_eq!(hosting(&atlas, address), expected, "{address}: {why}");
        }
    }
    let private = "10.0.0.1".parse().expect("an address");
    assert_eq!(hosting(&atlas, private), "- unknown", "special use");
}

#[test]
fn control_follows_the_order_of_trust_in_both_families() {
    let atlas = atlas();
    for family in [0, 1] {
        let control = |place: &str| {
            let class = atlas.class_of(both(place)[family]);
            atlas.profile(class).control.clone()
        };
        // The most trusted announcement is OVH's.
        assert_eq!(control("20").operator.as_deref(), Some("ovh"));
        assert_eq!(control("20").basis, ControlBasis::Operator);
        // AWS lists it and OVH announces it: both hold the wire.
        let listed = control("20.9");
        assert_eq!(listed.operator.as_deref(), Some("amazon-aws"));
        for law in &control("20").laws {
            assert!(listed.laws.contains(law), "{law}");
        }
        assert_eq!(listed.reach, Reach::Controlled);
        assert_eq!(control("60.0").operator.as_deref(), Some("amazon-aws"));
        // A service's own prefix, announced by OVH.
        let zoom = control("20.20");
        assert_eq!(zoom.operator.as_deref(), Some("zoom"));
        assert_eq!(zoom.basis, ControlBasis::Service);
        assert!(control("20").laws.iter().all(|law| zoom.laws.contains(law)));
        let presumed = control("30");
        assert_eq!(presumed.basis, ControlBasis::AsCountry);
        assert_eq!(presumed.country, Some("RU".parse().expect("a code")));
        assert_eq!(presumed.reach, Reach::Controlled);
        // Beyond the layer of countries the system's own country holds.
        assert_eq!(control("30.200"), presumed);
        // Announced, by a system of no known country.
        assert_eq!(control("31").basis, ControlBasis::None);
        assert_eq!(control("31").reach, Reach::Unknown);
        // A country without a system, by the more trusted of two sources.
        assert_eq!(control("32").country, Some("DE".parse().expect("a code")));
        assert_eq!(control("32").reach, Reach::NoneKnown);
    }
}

#[test]
fn an_override_in_force_beats_everything_on_the_axes_it_names() {
    let mut over = Vec::new();
    for net in [u32::net("20"), u128::net("20"), "10.0.0.0/8".to_owned()] {
        over.push(OverrideEntry {
            place: Some("US".to_owned()),
            ..overriding(&net)
        });
    }
    for net in [u32::net("20.9"), u128::net("20.9")] {
        over.push(OverrideEntry {
            operator: Some("scaleway".to_owned()),
            service: Some("zoom".to_owned()),
            ..overriding(&net)
        });
    }
    for net in [u32::net("20.1"), u128::net("20.1")] {
        over.push(OverrideEntry {
            place: Some("anycast".to_owned()),
            until: Some(jiff::civil::date(2020, 1, 1)),
            ..overriding(&net)
        });
    }
    let atlas = joined(over);
    for address in both("20.9.8") {
        let dossier = atlas.dossier(address);
        // The wider override names the country, the narrower one the operator and the service.
        assert_eq!(hosting(&atlas, address), "US located");
        assert_eq!(
            dossier.profile.control.operator.as_deref(),
            Some("scaleway")
        );
        assert_eq!(dossier.profile.service.as_deref(), Some("zoom"));
        let scaleway = atlas.catalogue.operator("scaleway").expect("an operator");
        let own = atlas.catalogue.control_of_operator(scaleway);
        assert_eq!(dossier.profile.control, own, "nothing is united with it");
        let won = |axis| {
            let mut claims = dossier.claims.iter();
            claims
                .find(|claim| claim.axis == axis && claim.won)
                .map(|claim| (claim.source.as_str(), claim.value.as_str()))
        };
        assert_eq!(won(Axis::Hosting), Some(("local", "US")));
        assert_eq!(won(Axis::Control), Some(("local", "scaleway")));
        assert_eq!(won(Axis::Service), Some(("local", "zoom")));
        assert_eq!(dossier.confidence.hosting.level, Level::High);
        let list = dossier.claims.iter().find(|claim| claim.source == "lists");
        let note = list
            .and_then(|claim| claim.note.as_ref())
            .expect("why it lost");
        assert_eq!(note.en, "an override of the administrator decides");
    }
    for address in both("20.1") {
        assert_eq!(
            hosting(&atlas, address),
            "US located",
            "the other one ended"
        );
        let dossier = atlas.dossier(address);
        let ended = dossier.claims.iter().find(|claim| claim.value == "anycast");
        let note = ended.and_then(|claim| claim.note.as_ref()).expect("why");
        assert!(note.en.starts_with("not in force on "), "{}", note.en);
    }
    let private: IpAddr = "10.0.0.1".parse().expect("an address");
    assert_eq!(hosting(&atlas, private), "- unknown", "stays special");
}

#[test]
fn an_override_that_names_nobody_is_an_error() {
    for (over, expected) in [
        (
            OverrideEntry {
                operator: Some("ovhh".to_owned()),
                ..overriding("20.0.0.0/8")
            },
            "test: the override of 20.0.0.0/8 names the operator \"ovhh\"",
        ),
        (
            OverrideEntry {
                place: Some("ZZ".to_owned()),
                ..overriding("2a14::/16")
            },
            "names the country \"ZZ\"",
        ),
        (
            OverrideEntry {
                service: Some("zooom".to_owned()),
                ..overriding("20.0.0.0/8")
            },
            "names the service \"zooom\"",
        ),
    ] {
        let layers = Layers {
            overrides: vec![over],
            ..layers()
        };
        let error = Atlas::new(layers, catalogue()).err().expect("an error");
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn every_claim_says_who_when_and_why() {
    let atlas = atlas();
    for place in [
        "20.1", "20.9.6", "20.10", "20.20", "30", "40", "50", "51", "70",
    ] {
        for address in both(place) {
            let dossier = atlas.dossier(address);
            for claim in &dossier.claims {
                assert!(!claim.source.is_empty(), "{claim:?}");
                assert!(claim.date.year() > 2000, "{claim:?}");
                let note = claim.note.as_ref().expect("why");
                assert!(!note.en.is_empty() && note.en != note.fr, "{claim:?}");
            }
            assert_eq!(dossier.class, atlas.class_of(address));
        }
    }
    let dossier = atlas.dossier(u32::address("20.1"));
    let hosting: Vec<_> = dossier
        .claims
        .iter()
        .filter(|claim| claim.axis == Axis::Hosting)
        .map(|claim| {
            let note = claim.note.as_ref().map(|note| note.en.as_str());
            (claim.source.as_str(), claim.value.as_str(), claim.won, note)
        })
        .collect();
    assert_eq!(
        hosting,
        [
            (
                "first",
                "FR",
                true,
                Some("the most trusted location source that names a country")
            ),
            ("second", "DE", false, Some("contests FR")),
            (
                "first",
                "registered US",
                false,
                Some("where the network is registered: no location")
            ),
        ]
    );
    assert_eq!(dossier.prefix.to_string(), "20.1.0.0/16");
}

#[test]
fn confidence_follows_the_documented_rule() {
    let atlas = atlas();
    let cases = [
        (
            "20",
            Level::Low,
            Level::High,
            "alone, registered across the border",
        ),
        ("20.1", Level::Low, Level::High, "contested"),
        ("20.3", Level::High, Level::High, "two agree"),
        ("20.4", Level::Low, Level::High, "two differ"),
        ("20.5", Level::Medium, Level::High, "one flags anycast"),
        (
            "20.9",
            Level::High,
            Level::Medium,
            "the provider's region; two operators",
        ),
        ("20.10", Level::Low, Level::High, "a stranger, contested"),
        (
            "20.11",
            Level::High,
            Level::Medium,
            "an operator's geofeed; two operators",
        ),
        ("30", Level::Medium, Level::Low, "alone; presumed"),
        ("40", Level::High, Level::High, "reviewed anycast"),
        ("70", Level::None, Level::None, "nobody speaks"),
    ];
    for (place, hosting, control, why) in cases {
        for address in both(place) {
            let found = atlas.dossier(address).confidence;
            assert_eq!(found.hosting.level, hosting, "{address}: {why}: {found:?}");
            assert_eq!(found.control.level, control, "{address}: {why}: {found:?}");
        }
    }
    // Old data are worth less.
    let mut old = layers();
    for source in &mut old.meta.sources {
        source.date = jiff::civil::date(2026, 1, 2);
    }
    let old = Atlas::new(old, catalogue()).expect("joins");
    let found = old.dossier(u32::address("20.3")).confidence.hosting;
    assert_eq!(found.level, Level::Medium);
    assert!(
        found
            .reason
            .en
            .ends_with("lowered because it dates from 2026-01-02")
    );
}
