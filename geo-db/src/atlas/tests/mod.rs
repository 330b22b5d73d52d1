//! Small layers made by hand, the same in both families, for the tests of this directory.

mod file;
mod lists;
mod rules;

use std::sync::Arc;

use super::layers::{
    ANYCAST, Family, Layer, ListTexts, ListedPrefix, ListedService, OverrideEntry, PlaceValue,
    Systems,
};
use super::range::Range;
use super::*;

/// Values of countries in the layers below: their position plus two.
const COUNTRIES: [&str; 7] = ["FR", "DE", "US", "EU", "RU", "RE", "CN"];
const FR: PlaceValue = 2;
const DE: PlaceValue = 3;
const US: PlaceValue = 4;
const EU: PlaceValue = 5;
const RU: PlaceValue = 6;
const RE: PlaceValue = 7;
const CN: PlaceValue = 8;
/// System values, in order of number: Cloudflare, OVH, a system of nobody in the catalogue, another.
const CLOUDFLARE: u32 = 1;
const OVH: u32 = 2;
const NOBODY: u32 = 3;
const STATELESS: u32 = 4;
/// Sources, by index.
const OVERRIDES: u16 = 0;
const LISTS: u16 = 1;
const GEOFEED: u16 = 2;
const FIRST: u16 = 3;
const SECOND: u16 = 4;
const ASN: u16 = 5;
const AS_COUNTRY: u16 = 6;

fn source(id: &str, role: SourceRole) -> SourceInfo {
    SourceInfo {
        id: id.to_owned(),
        kind: "test".to_owned(),
        roles: vec![role],
        priority: 1,
        origin: "test".to_owned(),
        version: "1".to_owned(),
        date: jiff::civil::date(2026, 10, 2),
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

fn layer<A: Address, V: Copy + Eq + Default>(source: u16, rows: &[(&str, V)]) -> Layer<A, V> {
    Layer {
        source,
        said: partition(rows),
    }
}

fn prefixed<A: Address, T>(rows: Vec<(&str, T)>) -> PrefixSet<A, T> {
    let rows = rows.into_iter().map(|(net, item)| {
        let net: IpNet = net.parse().expect("a prefix");
        let (first, bits) = split(&net).expect("the family");
        (first, bits, item)
    });
    PrefixSet::new(rows.collect())
}

/// Of the provider at that index, in the region at that index plus one.
fn listed(provider: u16, region: u16) -> ListedPrefix {
    ListedPrefix {
        source: LISTS,
        provider,
        region,
        services: 0,
        place: 0,
    }
}

/// In the publisher's own words.
fn geofeed(provider: u16, place: PlaceValue) -> ListedPrefix {
    ListedPrefix {
        source: GEOFEED,
        place,
        ..listed(provider, 0)
    }
}

fn overriding(network: &str) -> OverrideEntry {
    OverrideEntry {
        source: OVERRIDES,
        network: network.parse().expect("a prefix"),
        place: None,
        operator: None,
        service: None,
        owner: "network team".to_owned(),
        reason: "seen on site".to_owned(),
        from: None,
        until: None,
    }
}

/// One plan of the address space, the same in both families: `20` is 20.0.0.0/8 in IPv4 and
/// `2a14::/16` in IPv6, `20.9.8` is 20.9.8.0/24 and `2a14:908::/32`.
trait Plan: Address {
    fn net(text: &str) -> String;
    fn address(text: &str) -> IpAddr {
        let net: IpNet = Self::net(text).parse().expect("a prefix");
        net.hosts().nth(1).expect("an address")
    }
}

impl Plan for u32 {
    fn net(text: &str) -> String {
        let mut octets: Vec<&str> = text.split('.').collect();
        let bits = 8 * octets.len();
        octets.resize(4, "0");
        format!("{}/{bits}", octets.join("."))
    }
}

impl Plan for u128 {
    fn net(text: &str) -> String {
        let octets = text
            .split('.')
            .map(|octet| octet.parse::<u8>().expect("an octet"));
        let mut bytes = [0_u8; 16];
        bytes[0] = 0x2a;
        let mut bits = 8;
        for (byte, octet) in bytes[1..].iter_mut().zip(octets) {
            *byte = octet;
            bits += 8;
        }
        format!("{}/{bits}", std::net::Ipv6Addr::from(bytes))
    }
}

/// 20 and below is OVH's, 30 nobody's in Russia, 40 Cloudflare's, 50 unannounced.
fn family<A: Plan>() -> Family<A> {
    fn rows<A: Plan, V: Copy>(rows: &[(&str, V)]) -> Vec<(String, V)> {
        rows.iter()
            .map(|(net, value)| (A::net(net), *value))
            .collect()
    }
    fn said<A: Plan, V: Copy + Eq + Default>(source: u16, plan: &[(&str, V)]) -> Layer<A, V> {
        let rows = rows::<A, V>(plan);
        let rows: Vec<(&str, V)> = rows.iter().map(|(net, value)| (&**net, *value)).collect();
        layer(source, &rows)
    }
    fn nested<A: Plan, T: Copy>(plan: &[(&str, T)]) -> PrefixSet<A, T> {
        let rows = rows::<A, T>(plan);
        prefixed(rows.iter().map(|(net, item)| (&**net, *item)).collect())
    }
    Family {
        locations: vec![
            said(
                FIRST,
                &[
                    ("20", FR),
                    ("20.2", EU),
                    ("20.5", ANYCAST),
                    ("30", RU),
                    ("40", US),
                    ("50", US),
                    ("51", US),
                ],
            ),
            said(
                SECOND,
                &[
                    ("20.1", DE),
                    ("20.2", DE),
                    ("20.3", FR),
                    ("20.4", RE),
                    ("20.10", DE),
                    ("30.7", CN),
                ],
            ),
        ],
        registrations: vec![said(FIRST, &[("20", US)])],
        systems: vec![
            said(
                ASN,
                &[
                    ("20", OVH),
                    ("30", NOBODY),
                    ("31", STATELESS),
                    ("40", CLOUDFLARE),
                ],
            ),
            said(SECOND, &[("20", CLOUDFLARE), ("51", NOBODY)]),
        ],
        system_countries: vec![
            said(AS_COUNTRY, &[("20", FR), ("30.1", RU), ("32", DE)]),
            said(SECOND, &[("32", US)]),
        ],
        listed: nested(&[
            ("20.9", listed(0, 1)),
            ("20.9.9", listed(0, 0)),
            ("20.9.8", listed(0, 2)),
            ("20.9.7", listed(0, 3)),
            ("20.9.6", geofeed(1, DE)),
            ("20.9.6", listed(0, 1)),
            ("20.10", geofeed(1, FR)),
            ("20.11", geofeed(2, DE)),
            ("40.9", listed(0, 1)),
            ("60.0", listed(0, 1)),
        ]),
        services: nested(&[(
            "20.20",
            ListedService {
                source: LISTS,
                service: 0,
            },
        )]),
    }
}

fn layers() -> Layers {
    Layers {
        meta: AtlasMeta {
            version: "test".to_owned(),
            built: jiff::civil::date(2026, 10, 2),
            sources: vec![
                source("local", SourceRole::Override),
                source("lists", SourceRole::OwnList),
                source("geofeed", SourceRole::OwnList),
                source("first", SourceRole::Location),
                source("second", SourceRole::Location),
                source("asn", SourceRole::Announcement),
                source("as-country", SourceRole::SystemCountry),
            ],
        },
        overrides: Vec::new(),
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
        texts: ListTexts {
            providers: vec![
                "aws".to_owned(),
                "a-stranger".to_owned(),
                "scaleway".to_owned(),
            ],
            regions: vec![
                "eu-west-3".to_owned(),
                "GLOBAL".to_owned(),
                "nowhere-9".to_owned(),
            ],
            services: vec!["EC2".to_owned()],
            service_sets: vec![vec![0]],
            service_ids: vec!["zoom".to_owned()],
        },
        v4: family(),
        v6: family(),
    }
}

fn catalogue() -> Arc<Catalogue> {
    Catalogue::embedded().expect("the catalogue")
}

fn atlas() -> Atlas {
    Atlas::new(layers(), catalogue()).expect("joins")
}

fn joined(overrides: Vec<OverrideEntry>) -> Atlas {
    let layers = Layers {
        overrides,
        ..layers()
    };
    Atlas::new(layers, catalogue()).expect("joins")
}

/// The addresses of one place of the plan, in both families.
fn both(place: &str) -> [IpAddr; 2] {
    [u32::address(place), u128::address(place)]
}
