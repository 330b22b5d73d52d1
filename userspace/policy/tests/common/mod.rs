//! Random policies, profiles and destinations, and a small atlas to compile for.
#![allow(
    clippy::unwrap_used,
    clippy::format_push_string,
    dead_code,
    reason = "a panic is how a test fails, and each test file is a program of its own that uses a part of this one"
)]

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use jiff::civil::Date;
use octroi_geo_db::Catalogue;
use octroi_geo_db::profile::{
    Control, ControlBasis, Hosting, HostingConfidence, Profile, Qualification, Reach, SpecialUse,
};
use octroi_policy::{ClassMap, Policy};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

/// Day of every evaluation.
pub(crate) const AT: Date = jiff::civil::date(2026, 11, 21);

/// An atlas as small as a test needs it.
pub(crate) struct SmallAtlas {
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) profiles: Vec<Arc<Profile>>,
    pub(crate) asns: BTreeMap<u32, Vec<IpNet>>,
}

impl SmallAtlas {
    pub(crate) fn new(profiles: Vec<Profile>) -> Self {
        let unknown = std::iter::once(Profile::unknown());
        let asns = [
            (
                8075,
                vec!["20.64.0.0/10", "2603:1000::/24", "52.112.0.0/14"],
            ),
            (16276, vec!["51.210.0.0/16", "2001:41d0::/32"]),
            (3215, vec!["80.10.0.0/16", "90.0.0.0/9"]),
        ];
        Self {
            catalogue: Catalogue::embedded().unwrap(),
            profiles: unknown.chain(profiles).map(Arc::new).collect(),
            asns: asns
                .into_iter()
                .map(|(asn, list)| (asn, list.iter().map(|text| text.parse().unwrap()).collect()))
                .collect(),
        }
    }

    pub(crate) fn asn_of(&self, address: IpAddr) -> Option<u32> {
        let holds = |list: &Vec<IpNet>| list.iter().any(|prefix| prefix.contains(&address));
        self.asns
            .iter()
            .find(|(_, list)| holds(list))
            .map(|(&asn, _)| asn)
    }
}

impl ClassMap for SmallAtlas {
    fn profiles(&self) -> &[Arc<Profile>] {
        &self.profiles
    }

    fn prefixes_of_asn(&self, asn: u32) -> Vec<IpNet> {
        self.asns.get(&asn).cloned().unwrap_or_default()
    }

    fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }
}

pub(crate) fn parse(text: &str) -> Policy {
    let catalogue = Catalogue::embedded().unwrap();
    match Policy::parse(text, "policy.toml", &catalogue) {
        Ok(policy) => policy,
        Err(errors) => panic!("{errors}\n{text}"),
    }
}

const COUNTRIES: [&str; 8] = ["FR", "DE", "US", "CN", "CH", "NC", "RE", "JP"];
const PLACES: [&str; 12] = [
    "FR",
    "DE",
    "US",
    "CN",
    "CH",
    "EU",
    "EEA",
    "FR-DROM",
    "FR-OCT",
    "ADEQUATE",
    "ADEQUATE-PARTIAL",
    "THIRD",
];
const OPERATORS: [&str; 4] = ["ovh", "microsoft", "dinum", "zoom"];
const SERVICES: [&str; 5] = ["ms-teams", "zoom", "tchap", "oodrive", "s3ns-premi3ns"];
const LAWS: [&str; 3] = ["cn_nil_2017", "us_cloud_act", "us_fisa_702"];
const NAMES: [&str; 4] = [
    "zoom.us",
    "*.zoom.us",
    "*.example.org",
    "teams.microsoft.com",
];
pub(crate) const HOSTS: [&str; 5] = [
    "zoom.us",
    "eu.zoom.us",
    "www.example.org",
    "teams.microsoft.com",
    "Tchap.Gouv.FR.",
];
const PREFIXES: [&str; 13] = [
    "51.210.0.0/16",
    "51.210.4.0/24",
    "20.64.0.0/10",
    "20.74.0.0/16",
    "0.0.0.0/0",
    "::/0",
    "2001:41d0::/32",
    "::/3",
    "10.10.0.0/16",
    "64:ff9b::/96",
    "2002::/16",
    "2a01:64::/40",
    "2002:144a:1::/48",
];
pub(crate) const DESTINATIONS: [&str; 22] = [
    "51.210.0.1",
    "51.210.4.9",
    "20.74.0.1",
    "52.113.0.1",
    "80.10.3.4",
    "8.8.8.8",
    "10.10.5.1",
    "10.20.0.7",
    "2001:41d0::1",
    "2603:1000::1",
    "2a01:e0a::1",
    "fd00:20::9",
    // 20.74.0.1 in every dress, and addresses that are not judged by what they embed.
    "64:ff9b::20.74.0.1",
    "2002:144a:1::1",
    "2001:0:3333:3333:0:0:ebb5:fffe",
    "::ffff:20.74.0.1",
    "::20.74.0.1",
    "2a01:64:14:4a00:1::",
    "2a01:64:33:d200:1::",
    "64:ff9b::10.10.5.1",
    "2a01:64:a:a05:1::",
    "2a01:64:14:4a00:101::",
];

fn quoted(items: &[&str]) -> String {
    let items: Vec<_> = items.iter().map(|item| format!("\"{item}\"")).collect();
    format!("[{}]", items.join(", "))
}

/// `key = [...]` with one to three of the pool.
fn list(key: &'static str, pool: &'static [&'static str]) -> BoxedStrategy<String> {
    subsequence(pool, 1..=pool.len().min(3))
        .prop_map(move |items| format!("{key} = {}\n", quoted(&items)))
        .boxed()
}

/// The same, some of them negated.
fn negatable(key: &'static str, pool: &'static [&'static str]) -> BoxedStrategy<String> {
    (subsequence(pool, 1..=pool.len().min(3)), any::<u8>())
        .prop_map(move |(items, negated)| {
            let items: Vec<String> = items
                .iter()
                .enumerate()
                .map(|(index, item)| match negated >> index & 1 {
                    1 => format!("!{item}"),
                    _ => (*item).to_owned(),
                })
                .collect();
            let items: Vec<&str> = items.iter().map(String::as_str).collect();
            format!("{key} = {}\n", quoted(&items))
        })
        .boxed()
}

fn maybe(line: BoxedStrategy<String>) -> BoxedStrategy<String> {
    proptest::option::weighted(0.16, line)
        .prop_map(Option::unwrap_or_default)
        .boxed()
}

/// Where a rule asks for: with a country, only confidences that have one.
fn place() -> BoxedStrategy<String> {
    let located: &[&str] = &["located", "contested"];
    let any: &[&str] = &["located", "contested", "anycast", "unknown"];
    let with = (
        negatable("hosting", &PLACES),
        maybe(list("confidence", located)),
    );
    prop_oneof![
        6 => Just(String::new()),
        2 => with.prop_map(|(hosting, confidence)| hosting + &confidence),
        1 => list("confidence", any),
    ]
    .boxed()
}

/// What a rule asks of the packet: with ports, only protocols that have them.
fn packet() -> BoxedStrategy<String> {
    let ports = list("ports", &["443", "1-79", "80-90", "5000-65535"]);
    let with = (ports, maybe(list("protocol", &["tcp", "udp", "sctp"])));
    prop_oneof![
        6 => Just(String::new()),
        2 => with.prop_map(|(ports, protocol)| ports + &protocol),
        1 => list("protocol", &["tcp", "udp", "icmp"]),
    ]
    .boxed()
}

/// What a rule asks of the client's words.
fn client() -> BoxedStrategy<String> {
    let namings: &[&str] = &["nameless", "dns", "confirmed", "unasked", "contradicted"];
    let hidden: &[&str] = &["none", "grease", "possible", "real"];
    (
        maybe(list("naming", namings)),
        maybe(negatable("speaks", &["tls", "quic", "ssh", "unknown"])),
        maybe(list("ech", hidden)),
        maybe(list("tracking_link", &["listed", "dual_use", "look_alike"])),
    )
        .prop_map(|(naming, speaks, ech, tracking)| naming + &speaks + &ech + &tracking)
        .boxed()
}

/// `open`: rules may ask for ports, protocols and addresses too.
fn rule(open: bool) -> BoxedStrategy<String> {
    let only = |line: BoxedStrategy<String>| {
        if open {
            line
        } else {
            Just(String::new()).boxed()
        }
    };
    let verdict = select(vec!["allow", "flag", "reject", "block"]);
    let shadow = prop_oneof![3 => Just(""), 1 => Just("shadow = true\n")];
    let bases: &[&str] = &["service", "operator", "as_country", "none"];
    let reaches: &[&str] = &["none_known", "unknown", "presence", "controlled"];
    let conditions = vec![
        place(),
        only(packet()),
        maybe(negatable("from", &["cabinet", "guests", "lab"])),
        only(maybe(negatable("to", &["cabinet", "guests"]))),
        maybe(negatable("control", &PLACES)),
        maybe(list("control_basis", bases)),
        maybe(list("reach", reaches)),
        maybe(negatable("laws", &LAWS)),
        maybe(negatable("operator", &OPERATORS)),
        maybe(negatable("service", &SERVICES)),
        maybe(negatable("category", &["video", "chat", "storage"])),
        maybe(
            select(vec!["sovereign = true\n", "sovereign = false\n"])
                .prop_map(str::to_owned)
                .boxed(),
        ),
        maybe(negatable("qualification", &["secnumcloud"])),
        only(maybe(
            select(vec![
                "asn = [8075]\n",
                "asn = [16276, 3215]\n",
                "asn = [64512]\n",
            ])
            .prop_map(str::to_owned)
            .boxed(),
        )),
        only(maybe(negatable("prefix", &PREFIXES))),
        if open {
            maybe(list("special", &["private", "multicast", "transition"]))
        } else {
            maybe(list("special", &["private", "multicast"]))
        },
        client(),
        maybe(negatable("name", &NAMES)),
    ];
    (verdict, shadow, conditions)
        .prop_map(|(verdict, shadow, conditions)| {
            format!("verdict = \"{verdict}\"\n{shadow}{}", conditions.concat())
        })
        .boxed()
}

/// The text of a policy with three zones and up to seven rules, always well formed.
pub(crate) fn policy_text() -> BoxedStrategy<String> {
    policy_text_of(true)
}

/// The same; unless `open`, no rule asks for ports, protocols or addresses.
pub(crate) fn policy_text_of(open: bool) -> BoxedStrategy<String> {
    let verdicts = || select(vec!["allow", "flag", "reject", "block"]);
    let mode = select(vec!["monitor", "enforce"]);
    let rules = proptest::collection::vec(rule(open), 0..=7);
    let names = select(vec!["observe", "strict"]);
    (mode, names, verdicts(), verdicts(), verdicts(), rules)
        .prop_map(|(mode, names, default, opaque, gre, rules)| {
            let mut text = format!(
                "[policy]\nname = \"random\"\nmode = \"{mode}\"\nnames = \"{names}\"\n\
                 default = \"{default}\"\n\
                 nat64 = [\"2a01:64::/40\"]\n\
                 [policy.opaque]\ndefault = \"{opaque}\"\ngre = \"{gre}\"\n\
                 [[zone]]\nname = \"cabinet\"\nprefixes = [\"10.10.0.0/16\", \"fd00:10::/48\"]\n\
                 [[zone]]\nname = \"guests\"\nprefixes = [\"10.20.0.0/16\", \"fd00:20::/48\"]\n\
                 [[zone]]\nname = \"lab\"\nprefixes = [\"10.10.5.0/24\", \"::/1\"]\n"
            );
            for (number, rule) in rules.iter().enumerate() {
                text.push_str(&format!("[[rule]]\nid = \"r{number}\"\n{rule}"));
            }
            text
        })
        .boxed()
}

fn hosting() -> BoxedStrategy<Hosting> {
    let located = (select(&COUNTRIES[..]), any::<bool>()).prop_map(|(country, sure)| Hosting {
        country: country.parse().ok(),
        confidence: if sure {
            HostingConfidence::Located
        } else {
            HostingConfidence::Contested
        },
    });
    let nowhere = select(vec![HostingConfidence::Anycast, HostingConfidence::Unknown]);
    prop_oneof![
        4 => located,
        1 => nowhere.prop_map(|confidence| Hosting { country: None, confidence }),
    ]
    .boxed()
}

fn control() -> BoxedStrategy<Control> {
    let reaches = [
        Reach::NoneKnown,
        Reach::Unknown,
        Reach::Presence,
        Reach::Controlled,
    ];
    let bases = [
        ControlBasis::Service,
        ControlBasis::Operator,
        ControlBasis::AsCountry,
        ControlBasis::None,
    ];
    (
        proptest::option::of(select(&OPERATORS[..])),
        proptest::option::weighted(0.8, select(&COUNTRIES[..])),
        select(reaches.to_vec()),
        subsequence(&LAWS[..], 0..=2),
        select(bases.to_vec()),
    )
        .prop_map(|(operator, country, reach, laws, basis)| Control {
            operator: operator.map(Arc::from),
            country: country.and_then(|country| country.parse().ok()),
            reach,
            laws: laws.into_iter().map(Arc::from).collect(),
            basis,
        })
        .boxed()
}

pub(crate) fn profile() -> BoxedStrategy<Profile> {
    let day = |year| Some(jiff::civil::date(year, 1, 1));
    let qualification = |from, until| Qualification {
        scheme: "secnumcloud".into(),
        from,
        until,
        source: None,
        as_of: None,
    };
    let qualifications = prop_oneof![
        5 => Just(Vec::new()),
        1 => Just(vec![qualification(day(2025), None)]),
        1 => Just(vec![qualification(day(2020), day(2023))]),
        1 => Just(vec![qualification(day(2027), None)]),
    ];
    let special = select(vec![
        SpecialUse::Private,
        SpecialUse::Multicast,
        SpecialUse::Reserved,
    ]);
    (
        hosting(),
        control(),
        qualifications,
        proptest::option::of(select(&SERVICES[..])),
        proptest::option::weighted(0.1, special),
    )
        .prop_map(
            |(hosting, control, qualifications, service, special)| Profile {
                hosting,
                control,
                qualifications,
                service: service.map(Arc::from),
                special,
            },
        )
        .boxed()
}
