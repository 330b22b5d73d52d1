//! What each guard says, word for word, on small atlases that really differ: the number that was
//! found, the number that is allowed, and what to do.

use jiff::civil::date;

use super::*;
use crate::build::small::{self, Row};

const OVH: u32 = 16276;
const MICROSOFT: u32 = 8075;
const TODAY: Date = date(2026, 11, 22);

/// France at OVH, two networks of the same size in each family.
const BEFORE: [Row<'_>; 4] = [
    ("20.0.0.0/16", "FR", OVH),
    ("21.0.0.0/16", "FR", OVH),
    ("2a14::/32", "FR", OVH),
    ("2a15::/32", "FR", OVH),
];

/// What guards with these lines have to say against an atlas of `after`, where `before` is in
/// force.
fn said(guards: &str, before: &Atlas, after: &Atlas) -> Vec<String> {
    let bounds = "[guards]\nmin_v4_addresses = 0\nmin_v6_networks_48 = 0\n";
    let guards = Guards::parse("sources.toml", &format!("{bounds}{guards}"), &["made-up"]);
    let refused = guards.expect("are right").check(Some(before), after, TODAY);
    let refused = refused.err().unwrap_or_default();
    refused.iter().map(ToString::to_string).collect()
}

fn atlas(rows: &[Row<'_>]) -> Atlas {
    small::atlas(date(2026, 11, 1), rows)
}

const LOOK_AT_THE_DIFF: &str = "look at `octroi geo-db diff`; accept it once (--accept) if that is \
                                meant, or raise max_reclassified in [guards]";

#[test]
fn too_much_space_in_another_country() {
    let before = atlas(&BEFORE);
    // An eighth of what is known of IPv4 goes abroad; of IPv6 nothing does.
    let after = atlas(&[&BEFORE[..], &[("21.0.0.0/18", "US", OVH)]].concat());
    assert_eq!(
        said("", &before, &after),
        [format!(
            "guard reclassified: 12.5 % of the known IPv4 space has another hosting country (such \
             as 21.0.0.0/18), allowed is: at most 3.0 % ({LOOK_AT_THE_DIFF})"
        )]
    );
    let exactly = "max_reclassified = 0.125\n";
    assert_eq!(said(exactly, &before, &after), [""; 0]);
    let less = "max_reclassified = 0.1249\n";
    assert_eq!(said(less, &before, &after).len(), 1);
    // The same in the other family.
    let after = atlas(&[&BEFORE[..], &[("2a15::/33", "US", OVH)]].concat());
    let found = said("", &before, &after);
    let [found] = &found[..] else {
        panic!("{found:?}");
    };
    assert!(
        found.starts_with(
            "guard reclassified: 25.0 % of the known IPv6 space has another hosting country (such \
             as 2a15::/33), allowed is: at most 3.0 %"
        ),
        "{found}"
    );
}

#[test]
fn too_much_space_under_another_control() {
    let before = atlas(&BEFORE);
    let after = atlas(&[&BEFORE[..], &[("20.0.0.0/16", "FR", MICROSOFT)]].concat());
    // Of two rows for one network the later one is believed.
    let say = |what: &str| {
        format!(
            "guard reclassified: 50.0 % of the known IPv4 space {what} (such as 20.0.0.0/16), \
             allowed is: at most 3.0 % ({LOOK_AT_THE_DIFF})"
        )
    };
    assert_eq!(
        said("", &before, &after),
        [
            say("has another controlling country"),
            say("is reached by foreign law in another way"),
        ]
    );
}

#[test]
fn a_source_that_was_cut_short() {
    let networks: Vec<String> = (0..20).map(|third| format!("20.{third}.0.0/16")).collect();
    // Neighbours differ: ranges that say the same are one.
    let said_of = [("FR", OVH), ("DE", MICROSOFT)];
    let rows: Vec<Row<'_>> = networks
        .iter()
        .zip(said_of.into_iter().cycle())
        .map(|(net, (country, system))| (&**net, country, system))
        .collect();
    let (whole, cut) = (atlas(&rows), atlas(&rows[..15]));
    let found = said("", &whole, &cut);
    // Each row says a country and a system.
    assert_eq!(
        found[..2],
        [
            "guard shrink: source made-up: 30 IPv4 ranges after 40: 25.0 % fewer, allowed is: at \
             most 20.0 % fewer (look whether the source was cut short; if it really shrank, accept \
             it once (--accept) or raise max_shrink in [guards.source.made-up])",
            "guard coverage: something is known of 983040 IPv4 addresses after 1310720: 25.0 % \
             fewer, allowed is: at most 20.0 % fewer (see which source is missing or short; accept \
             it once (--accept) if that is meant)",
        ],
        "{found:#?}"
    );
    let own =
        "max_shrink = 0.5\nmax_reclassified = 1.0\n[guards.source.made-up]\nmax_shrink = 0.1\n";
    let found = said(own, &whole, &cut);
    let [found] = &found[..] else {
        panic!("{found:#?}");
    };
    assert!(found.contains("at most 10.0 % fewer"), "{found}");
}

#[test]
fn too_little_is_known() {
    let atlas = atlas(&BEFORE);
    let guards = Guards::default().check(None, &atlas, TODAY);
    let found: Vec<String> = guards
        .expect_err("131072 addresses are no Internet")
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        found,
        [
            "guard coverage: something is known of 131072 IPv4 addresses, allowed is: at least \
             2500000000 (see which source is missing or short, or lower min_v4_addresses in \
             [guards])",
            "guard coverage: something is known of 131072 IPv6 /48 networks, allowed is: at least \
             10000000 (see which source is missing or short, or lower min_v6_networks_48 in \
             [guards])",
        ]
    );
}

#[test]
fn data_that_is_old_or_older_than_what_is_in_force() {
    let rows = &BEFORE[..];
    let (old, new) = (
        small::atlas(date(2026, 1, 1), rows),
        small::atlas(date(2026, 11, 1), rows),
    );
    assert_eq!(
        said("[guards.source.made-up]\nmax_age_d = 30\n", &new, &old),
        [
            "guard age: source made-up: data of 2026-01-01, 325 days old, allowed is: at most 30 \
             days (see whether its publisher still publishes, or raise max_age_d in \
             [guards.source.made-up])",
            "guard backwards: source made-up: data of 2026-01-01, allowed is: not older than \
             2026-11-01, which is in force (the source serves old data: see its mirror; accept it \
             once (--accept) if that is meant)",
            "guard age: the newest data is of 2026-01-01, 325 days old, allowed is: at most 180 \
             days (fetch newer data, or raise max_age_d in [guards])",
        ]
    );
    assert_eq!(said("max_age_d = 21\n", &new, &new), [""; 0]);
    assert_eq!(said("max_age_d = 20\n", &new, &new).len(), 1);
}

#[test]
fn an_address_that_everybody_knows() {
    let atlas = atlas(&BEFORE);
    let expects = |what: &str| {
        let sentinel = format!("[[sentinel]]\naddress = \"20.0.0.1\"\n{what}\n");
        said(&sentinel, &atlas, &atlas)
    };
    let say = |source: &str, found: &str, allowed: &str| {
        format!(
            "guard sentinel: source {source}: 20.0.0.1 has {found}, allowed is: {allowed} (`octroi \
             explain 20.0.0.1 --atlas FILE` says why; correct the source, or the [[sentinel]] if \
             the world changed)"
        )
    };
    let right = "country = \"FR\"\nhosting = \"located\"\noperator = \"ovh\"\nreach = \"presence\"";
    assert_eq!(expects(right), [""; 0]);
    // The source of the claim that was followed: whose word is to be looked at.
    let table = [
        ("country = \"DE\"", say("made-up", "country FR", "DE")),
        (
            "hosting = \"anycast\"",
            say("made-up", "hosting located", "anycast"),
        ),
        (
            "operator = \"microsoft\"",
            say("catalogue", "operator ovh", "microsoft"),
        ),
        (
            "reach = \"none_known\"",
            say("catalogue", "reach presence", "none_known"),
        ),
    ];
    for (expected, message) in table {
        assert_eq!(expects(expected), [message], "{expected}");
    }
}
