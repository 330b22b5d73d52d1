//! The join's rules on small layers made by hand, the file format, and the clouds' own prefixes.

use std::sync::Arc;

use super::layers::{CloudPrefix, CloudTexts, Family, Systems};
use super::range::Range;
use super::regions::RegionSays;
use super::*;
use crate::profile::{ControlBasis, CountryCode, HostingConfidence, Reach};

/// Country values of the layers below: their position plus one.
const COUNTRIES: [&str; 5] = ["FR", "DE", "US", "EU", "RU"];
const FR: u16 = 1;
const DE: u16 = 2;
const US: u16 = 3;
const EU: u16 = 4;
const RU: u16 = 5;
/// System values, in order of number: Cloudflare, OVH, a system of nobody in the catalogue, another.
const CLOUDFLARE: u32 = 1;
const OVH: u32 = 2;
const NOBODY: u32 = 3;
const STATELESS: u32 = 4;

fn source(id: &str, role: SourceRole) -> SourceInfo {
    SourceInfo {
        id: id.to_owned(),
        role,
        package: "test".to_owned(),
        version: "1".to_owned(),
        date: jiff::civil::date(2026, 1, 2),
        licence: "none".to_owned(),
        attribution: "nobody".to_owned(),
        ranges_v4: 1,
        ranges_v6: 1,
    }
}

fn partition<A: Address, V: Copy + Eq + Default>(rows: &[(&str, V)]) -> Partition<A, V> {
    let ranges = rows.iter().map(|(net, value)| {
        let net: IpNet = net.parse().expect("a prefix");
        Range {
            first: A::from_ip(net.network()).expect("the family"),
            last: A::from_ip(net.broadcast()).expect("the family"),
            value: *value,
        }
    });
    Partition::from_ranges(ranges.collect())
}

fn cloud(net: &str, provider: u16, region: u16) -> (u32, u8, CloudPrefix) {
    let net: IpNet = net.parse().expect("a prefix");
    let (first, bits) = prefix::split(&net).expect("IPv4");
    let item = CloudPrefix {
        provider,
        region,
        services: 0,
    };
    (first, bits, item)
}

/// 20.0.0.0/8 and below is OVH's, 30/8 nobody's in Russia, 40/8 Cloudflare's, 50/8 unannounced.
fn layers() -> Layers {
    let v4 = Family {
        locations: vec![
            partition(&[
                ("20.0.0.0/8", FR),
                ("20.2.0.0/16", EU),
                ("30.0.0.0/8", RU),
                ("40.0.0.0/8", US),
                ("50.0.0.0/8", US),
                ("10.0.0.0/8", US),
            ]),
            partition(&[
                ("20.1.0.0/16", DE),
                ("20.2.0.0/16", DE),
                ("20.3.0.0/16", FR),
            ]),
        ],
        systems: partition(&[
            ("20.0.0.0/8", OVH),
            ("30.0.0.0/8", NOBODY),
            ("31.0.0.0/8", STATELESS),
            ("40.0.0.0/8", CLOUDFLARE),
        ]),
        system_countries: partition(&[("20.0.0.0/8", FR), ("30.0.0.0/9", RU), ("32.0.0.0/8", DE)]),
        clouds: PrefixSet::new(vec![
            cloud("20.9.0.0/16", 0, 1),
            cloud("20.9.9.0/24", 0, 0),
            cloud("20.9.8.0/24", 0, 2),
            cloud("20.9.7.0/24", 0, 3),
            cloud("40.9.0.0/16", 0, 1),
            cloud("60.0.0.0/16", 0, 1),
        ]),
    };
    let v6 = Family {
        locations: vec![partition(&[("2a00::/16", FR)]), Partition::silent()],
        systems: partition(&[("2a00::/16", OVH)]),
        system_countries: Partition::silent(),
        clouds: PrefixSet::new(Vec::new()),
    };
    Layers {
        meta: AtlasMeta {
            version: "test".to_owned(),
            built: jiff::civil::date(2026, 1, 3),
            sources: vec![
                source("clouds", SourceRole::CloudList),
                source("first", SourceRole::Location),
                source("second", SourceRole::Location),
                source("asn", SourceRole::Announcement),
                source("as-country", SourceRole::SystemCountry),
            ],
        },
        countries: COUNTRIES
            .iter()
            .map(|code| code.parse().expect("a code"))
            .collect(),
        systems: Systems {
            numbers: vec![13335, 16276, 4_200_000_001, 4_200_000_002],
            name_ends: vec![10, 13, 13, 20],
            names: "CloudflareOVHNowhere".to_owned(),
            countries: vec![US, FR, RU, 0],
        },
        texts: CloudTexts {
            providers: vec!["aws".to_owned()],
            regions: vec![
                "eu-west-3".to_owned(),
                "GLOBAL".to_owned(),
                "nowhere-9".to_owned(),
            ],
            services: vec!["EC2".to_owned()],
            service_sets: vec![vec![0]],
        },
        v4,
        v6,
    }
}

fn atlas() -> Atlas {
    Atlas::new(layers(), Catalogue::embedded().expect("the catalogue")).expect("joins")
}

fn hosting(atlas: &Atlas, address: &str) -> String {
    let profile = atlas.profile(atlas.class_of(address.parse().expect("an address")));
    let country = profile
        .hosting
        .country
        .map_or("-".to_owned(), |code| code.to_string());
    format!("{country} {}", profile.hosting.confidence.name())
}

#[test]
fn hosting_follows_the_order_of_trust() {
    let atlas = atlas();
    let cases = [
        ("20.0.0.1", "FR located", "one location speaks"),
        ("20.1.0.1", "FR contested", "a second one disagrees"),
        (
            "20.2.0.1",
            "DE located",
            "EU is no country: the second speaks alone",
        ),
        ("20.3.0.1", "FR located", "two agree"),
        ("20.9.0.1", "FR located", "the provider's region"),
        (
            "20.9.9.1",
            "FR located",
            "no region of its own: the prefix around it",
        ),
        ("20.9.8.1", "- anycast", "the provider says global"),
        (
            "20.9.7.1",
            "FR located",
            "a region nobody placed: the prefix around it",
        ),
        (
            "40.0.0.1",
            "- anycast",
            "the catalogue says so of the operator",
        ),
        (
            "40.9.0.1",
            "FR located",
            "the provider's region before the operator's anycast",
        ),
        ("50.0.0.1", "- unknown", "not announced"),
        (
            "60.0.0.1",
            "FR located",
            "announced by nobody known, but listed by the provider",
        ),
        ("10.0.0.1", "- unknown", "special use"),
        ("70.0.0.1", "- unknown", "nobody speaks"),
        (
            "2a00::1",
            "FR located",
            "the other family, by the same rules",
        ),
    ];
    for (address, expected, why) in cases {
        assert_eq!(hosting(&atlas, address), expected, "{address}: {why}");
    }
}

#[test]
fn control_follows_the_order_of_trust() {
    let atlas = atlas();
    let control = |address: &str| {
        let class = atlas.class_of(address.parse().expect("an address"));
        atlas.profile(class).control.clone()
    };
    assert_eq!(control("20.0.0.1").operator.as_deref(), Some("ovh"));
    assert_eq!(control("20.0.0.1").basis, ControlBasis::Operator);
    // OVH announces it, though AWS lists it: whoever announces runs the network.
    assert_eq!(control("20.9.0.1").operator.as_deref(), Some("ovh"));
    assert_eq!(control("60.0.0.1").operator.as_deref(), Some("amazon-aws"));
    let presumed = control("30.0.0.1");
    assert_eq!(presumed.basis, ControlBasis::AsCountry);
    assert_eq!(presumed.country, Some("RU".parse().expect("a code")));
    assert_eq!(presumed.reach, Reach::Controlled);
    // Beyond the layer of countries the system's own country holds.
    assert_eq!(control("30.200.0.1"), presumed);
    // Announced, by a system of no known country.
    assert_eq!(control("31.0.0.1").basis, ControlBasis::None);
    assert_eq!(control("31.0.0.1").reach, Reach::Unknown);
    // A country without a system.
    assert_eq!(
        control("32.0.0.1").country,
        Some("DE".parse().expect("a code"))
    );
    assert_eq!(control("32.0.0.1").reach, Reach::NoneKnown);
}

#[test]
fn a_contested_country_shows_both_claims() {
    let dossier = atlas().dossier("20.1.2.3".parse().expect("an address"));
    let hosting: Vec<_> = dossier
        .claims
        .iter()
        .filter(|claim| claim.axis == Axis::Hosting)
        .map(|claim| {
            (
                claim.source.as_str(),
                claim.value.as_str(),
                claim.won,
                claim.note.as_ref().map(|note| note.en.as_str()),
            )
        })
        .collect();
    assert_eq!(
        hosting,
        [
            ("first", "FR", true, None),
            ("second", "DE", false, Some("contests FR"))
        ]
    );
    assert_eq!(dossier.prefix.to_string(), "20.1.0.0/16");
}

#[test]
fn a_file_gives_back_what_was_written() {
    let layers = layers();
    let bytes = layers.to_bytes().expect("writes");
    assert_eq!(Layers::from_bytes("x", &bytes).expect("reads"), layers);
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("atlas.bin");
    std::fs::write(&path, &bytes).expect("written");
    assert_eq!(Atlas::open(&path).expect("opens").meta(), &layers.meta);
    let missing = Atlas::open(&directory.path().join("none"))
        .err()
        .expect("no file");
    assert!(missing.to_string().contains("cannot be read"), "{missing}");
}

#[test]
fn a_damaged_file_is_an_error_wherever_the_damage_is() {
    let bytes = layers().to_bytes().expect("writes");
    for length in 0..bytes.len() {
        assert!(
            Layers::from_bytes("x", &bytes[..length]).is_err(),
            "cut to {length}"
        );
    }
    for position in 0..bytes.len() {
        // Two bytes of the header are reserved.
        if (10..12).contains(&position) {
            continue;
        }
        let mut damaged = bytes.clone();
        damaged[position] ^= 0x10;
        assert!(
            Layers::from_bytes("x", &damaged).is_err(),
            "byte {position}"
        );
    }
    let other = Layers::from_bytes("x", b"GIF89a, and more of it").expect_err("another file");
    assert!(matches!(other, AtlasError::NotAnAtlas { .. }), "{other}");
    let mut newer = bytes;
    newer[8] = 9;
    let newer = Layers::from_bytes("x", &newer).expect_err("a newer file");
    assert!(
        newer
            .to_string()
            .contains("format 9, this program reads format 1"),
        "{newer}"
    );
}

#[test]
fn a_wrong_body_with_a_right_checksum_is_an_error() {
    // Damage that the checksum cannot see: a file made wrong.
    let mut layers = layers();
    layers.v4.systems = partition(&[("20.0.0.0/8", 99_u32)]);
    let bytes = layers.to_bytes().expect("writes");
    let error = Layers::from_bytes("x", &bytes).expect_err("no such system");
    assert!(
        error
            .to_string()
            .contains("system 99 is named, there are 4"),
        "{error}"
    );
}

#[test]
fn the_clouds_own_prefixes_are_hosted_where_their_regions_stand() {
    fn right<A: Address>(atlas: &Atlas, family: &Family<A>) -> (usize, usize) {
        let mut listed = 0;
        let mut right = 0;
        for entry in family.clouds.entries() {
            let word = atlas.facts.own_word(&atlas.layers, entry.item);
            let Some((RegionSays::Country(country), _)) = word else {
                continue;
            };
            listed += 1;
            let hosting = atlas.profile(atlas.class_of(entry.first.to_ip())).hosting;
            right += usize::from(
                hosting.country == Some(country)
                    && hosting.confidence == HostingConfidence::Located,
            );
        }
        (right, listed)
    }
    let atlas = Atlas::embedded().expect("opens");
    let (right_v4, listed_v4) = right(&atlas, &atlas.layers.v4);
    let (right_v6, listed_v6) = right(&atlas, &atlas.layers.v6);
    assert!(
        listed_v4 > 30_000 && listed_v6 > 15_000,
        "{listed_v4} {listed_v6}"
    );
    assert!(
        right_v4 * 1000 >= listed_v4 * 995,
        "{right_v4} of {listed_v4} IPv4"
    );
    assert!(
        right_v6 * 1000 >= listed_v6 * 995,
        "{right_v6} of {listed_v6} IPv6"
    );
}

#[test]
fn every_provider_and_nearly_every_region_is_in_the_table() {
    let atlas = Atlas::embedded().expect("opens");
    let texts = &atlas.layers.texts;
    for provider in &texts.providers {
        let id = atlas.facts.regions.operator(provider).expect(provider);
        assert!(atlas.catalogue.operator(id).is_some(), "{provider} -> {id}");
    }
    let known = |region: &String| {
        texts
            .providers
            .iter()
            .any(|provider| atlas.facts.regions.of_region(provider, region).is_some())
    };
    let unplaced: Vec<_> = texts
        .regions
        .iter()
        .filter(|region| !known(region))
        .collect();
    assert_eq!(unplaced, ["europe-west15"], "regions nobody placed");
    for country in COUNTRIES.iter().filter(|code| **code != "EU") {
        let code: CountryCode = country.parse().expect("a code");
        assert!(atlas.catalogue.country(code).is_some());
    }
    assert!(Arc::ptr_eq(&atlas.profiles[0], atlas.profile(0)));
}
