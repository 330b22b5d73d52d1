//! Statements of made-up sources put together: order of trust, numbering, reproducible bytes.

use std::net::IpAddr;
use std::sync::Arc;

use jiff::civil::date;

use super::{assemble, newest};
use crate::atlas::range::{Address, Range, bounds};
use crate::atlas::split;
use crate::source::statements::{Listed, Override, Place, Spoken, Statements};
use crate::source::{Declaration, DeclaredSource};
use crate::{Atlas, Catalogue, SourceRole};

/// In the order of the file; trust is another one.
const DECLARATION: &str = r#"
[[source]]
id = "weak"
kind = "mmdb"
path = "weak.mmdb"
priority = 10
licence = "none"
date = "2026-09-01"

[[source]]
id = "feed"
kind = "geofeed"
path = "feed.csv"
provider = "ovh"
priority = 700
licence = "none"
date = "2026-10-01"

[[source]]
id = "strong"
kind = "mmdb"
path = "strong.mmdb"
priority = 500
licence = "CC BY 4.0"
attribution = " by Somebody "
date = "2026-08-01"

[[source]]
id = "local"
kind = "overrides"
path = "local.toml"
"#;

fn range<A: Address, V>(net: &str, value: V) -> Range<A, V> {
    let net: ipnet::IpNet = net.parse().expect("a prefix");
    let (first, bits) = split::<A>(&net).expect("the family");
    let (first, last) = bounds(first, u32::from(bits));
    Range { first, last, value }
}

fn country(code: &str) -> Place {
    Place::Country(code.parse().expect("a code"))
}

fn spoken<A: Address>(net: &str, code: &str, system: u32) -> Spoken<A> {
    Spoken {
        locations: vec![range(net, country(code))],
        registrations: vec![range(net, "US".parse().expect("a code"))],
        systems: vec![range(net, system)],
        system_countries: vec![range(net, code.parse().expect("a code"))],
    }
}

fn says(id: &str) -> Statements {
    let (net_v4, net_v6) = ("20.0.0.0/8", "2a14::/16");
    let database = |code, system, name: &str| Statements {
        v4: spoken(net_v4, code, system),
        v6: spoken(net_v6, code, system),
        names: [(system, name.to_owned()), (16276, name.to_owned())].into(),
        ..Statements::default()
    };
    let listed = |net: &str, region: &str, service: &str, place| Listed {
        network: net.parse().expect("a prefix"),
        provider: Arc::from("ovh"),
        region: Some(Arc::from(region)),
        service: Some(Arc::from(service)),
        place,
    };
    match id {
        "weak" => database("DE", 13335, "Weak"),
        "strong" => database("FR", 16276, "Strong"),
        "feed" => Statements {
            version: Some("7".to_owned()),
            listed: vec![
                listed("20.1.0.0/16", "a", "x", Some(country("PL"))),
                listed("20.1.0.0/16", "a", "y", Some(country("PL"))),
                listed("20.2.0.0/16", "a", "x", Some(country("PL"))),
                listed("20.2.0.0/16", "b", "x", Some(country("IT"))),
                listed("2a14:1::/32", "a", "x", Some(country("PL"))),
            ],
            services: vec![("20.3.0.0/16".parse().expect("a prefix"), Arc::from("zoom"))],
            ..Statements::default()
        },
        _ => Statements {
            overrides: vec![Override {
                network: "20.4.0.0/16".parse().expect("a prefix"),
                place: Some(country("CH")),
                operator: None,
                service: None,
                owner: "network team".to_owned(),
                reason: "seen on site".to_owned(),
                from: None,
                until: None,
            }],
            ..Statements::default()
        },
    }
}

fn sources() -> Vec<(DeclaredSource, Statements)> {
    let declaration = Declaration::parse("sources.toml", DECLARATION).expect("is right");
    let sources = declaration.sources.into_iter();
    sources
        .map(|source| {
            let said = says(&source.id);
            (source, said)
        })
        .collect()
}

fn atlas() -> Atlas {
    let built = newest(&sources()).expect("a day");
    let layers = assemble(sources(), built).expect("fits");
    Atlas::new(layers, Catalogue::embedded().expect("the catalogue")).expect("joins")
}

#[test]
fn equal_sources_give_equal_bytes() {
    let catalogue = Catalogue::embedded().expect("the catalogue");
    let bytes = || {
        let built = newest(&sources()).expect("a day");
        let layers = assemble(sources(), built).expect("fits");
        layers.to_bytes(&catalogue).expect("writes")
    };
    assert!(bytes() == bytes());
    // The order of sources of different priority does not matter, nor does that of rows.
    let mut turned = sources();
    turned.reverse();
    for (_, said) in &mut turned {
        said.listed.reverse();
    }
    let turned = assemble(turned, date(2026, 10, 1)).expect("fits");
    assert!(turned.to_bytes(&catalogue).expect("writes") == bytes());
    let mut other = sources();
    other[0].1.v6.locations[0].last -= 1;
    let other = assemble(other, date(2026, 10, 1)).expect("fits");
    assert_ne!(other.meta.version, turned.meta.version);
}

#[test]
fn the_meta_data_say_what_each_source_is() {
    let atlas = atlas();
    let meta = atlas.meta();
    assert_eq!(meta.built, date(2026, 10, 1));
    assert!(meta.version.starts_with("2026-10-01-"), "{}", meta.version);
    let ids: Vec<_> = meta.sources.iter().map(|source| &*source.id).collect();
    assert_eq!(
        ids,
        ["local", "feed", "strong", "weak"],
        "most trusted first"
    );
    let roles: Vec<_> = meta.sources.iter().map(|source| &*source.roles).collect();
    let database = [
        SourceRole::Location,
        SourceRole::Registration,
        SourceRole::Announcement,
        SourceRole::SystemCountry,
    ];
    assert_eq!(roles[0], [SourceRole::Override]);
    assert_eq!(roles[1], [SourceRole::OwnList, SourceRole::Service]);
    assert_eq!(roles[2], database);
    assert_eq!(roles[3], database);
    let strong = &meta.sources[2];
    assert_eq!(strong.attribution, "by Somebody");
    assert_eq!((strong.kind.as_str(), strong.priority), ("mmdb", 500));
    assert_eq!(strong.origin, "strong.mmdb");
    assert_eq!((strong.ranges_v4, strong.ranges_v6), (4, 4));
    assert_eq!(meta.sources[1].version, "7");
    // Overrides need no day of their own.
    assert_eq!(meta.sources[0].date, date(2026, 10, 1));
}

#[test]
fn the_most_trusted_source_that_speaks_is_followed() {
    let atlas = atlas();
    let at = |text: &str| -> IpAddr { text.parse().expect("an address") };
    let hosting = |text: &str| {
        let hosting = atlas.profile(atlas.class_of(at(text))).hosting;
        let country = hosting
            .country
            .map_or("-".to_owned(), |code| code.to_string());
        format!("{country} {}", hosting.confidence.name())
    };
    for (address, expected, why) in [
        ("20.9.0.1", "FR contested", "strong and weak disagree"),
        ("2a14:9::1", "FR contested", "the same in IPv6"),
        ("20.1.0.1", "PL located", "the operator's geofeed"),
        ("2a14:1::1", "PL located", "the same in IPv6"),
        (
            "20.2.0.1",
            "FR contested",
            "a prefix in two places names none",
        ),
        ("20.4.0.1", "CH located", "the override"),
    ] {
        assert_eq!(hosting(address), expected, "{address}: {why}");
    }
    for text in ["20.9.0.1", "2a14:9::1"] {
        let asn = atlas.asn_of(at(text)).expect("announced");
        assert_eq!((asn.number, &*asn.name), (16276, "Strong"));
        assert_eq!(asn.country, "FR".parse().ok());
    }
    let zoom = atlas.profile(atlas.class_of(at("20.3.0.1")));
    assert_eq!(zoom.service.as_deref(), Some("zoom"));
    let dossier = atlas.dossier(at("20.1.0.1"));
    let listed = dossier.claims.iter().find(|claim| claim.source == "feed");
    let reference = listed.map(|claim| claim.reference.as_str());
    assert_eq!(reference, Some("20.1.0.0/16 ovh a (x, y)"));
}
