//! Two small atlases that really differ, in both families: what moved, how much of it, whose it
//! was, and what of it crossed a border that law draws.

use jiff::civil::date;

use super::*;
use crate::build::small::{self, Row};

/// Systems of the catalogue.
const OVH: u32 = 16276;
const MICROSOFT: u32 = 8075;
const CLOUDFLARE: u32 = 13335;

/// OVH in France, Microsoft in Germany, the same in both families.
const BEFORE: [Row<'_>; 4] = [
    ("20.0.0.0/8", "FR", OVH),
    ("2a14::/16", "FR", OVH),
    ("30.0.0.0/8", "DE", MICROSOFT),
    ("2a1e::/16", "DE", MICROSOFT),
];

const DAY: Date = date(2026, 11, 1);

fn diff_with(changes: &[Row<'_>]) -> Diff {
    let old = small::atlas(date(2026, 10, 1), &BEFORE);
    let new = small::atlas(date(2026, 11, 1), &[&BEFORE[..], changes].concat());
    diff(&old, &new, DAY)
}

/// IPv4 addresses and IPv6 networks of 64 bits.
fn space(v4_addresses: u64, v6_networks_64: u64) -> Space {
    Space {
        v4_addresses,
        v6_networks_64,
    }
}

fn of<'a>(diff: &'a Diff, operator: &str) -> &'a OperatorMoves {
    let found = diff
        .operators
        .iter()
        .find(|row| row.operator.as_deref() == Some(operator));
    found.unwrap_or_else(|| panic!("no row of {operator} in {:?}", diff.operators))
}

#[test]
fn a_network_that_left_the_union_is_told_with_its_size_and_sides() {
    let diff = diff_with(&[("20.1.0.0/16", "US", OVH), ("2a14:1::/32", "US", OVH)]);
    let gone = space(1 << 16, 1 << 32);
    assert_eq!(diff.moved, gone);
    assert_eq!(diff.day, DAY);
    assert!(diff.old.starts_with("2026-10-01-"), "{}", diff.old);
    assert!(diff.new.starts_with("2026-11-01-"), "{}", diff.new);
    let [found] = &diff.moves[..] else {
        panic!("{:#?}", diff.moves);
    };
    assert_eq!(found.space, gone);
    assert_eq!(found.from.country, "FR".parse().ok());
    assert_eq!(found.to.country, "US".parse().ok());
    assert_eq!(found.crossed, Some((Side::France, Side::Third)));
    assert_eq!(found.changed, [Changed::Country, Changed::Side]);
    let examples: Vec<String> = found.examples.iter().map(ToString::to_string).collect();
    assert_eq!(examples, ["20.1.0.0/16", "2a14:1::/32"]);
    for changed in Changed::ALL {
        let expected = match changed {
            Changed::Country | Changed::Side => gone,
            _ => Space::default(),
        };
        assert_eq!(diff.total(changed), expected, "{}", changed.name());
    }
    // It is OVH's before and after.
    assert_eq!(diff.operators.len(), 1);
    let ovh = of(&diff, "ovh");
    assert_eq!(
        (ovh.lost, ovh.gained, ovh.changed),
        (space(0, 0), space(0, 0), gone)
    );
}

#[test]
fn each_border_that_law_draws_is_one_and_no_other_is() {
    for (to, crossed) in [
        // France is a side of its own; within the rest of the EEA nothing is crossed.
        ("IT", None),
        ("NO", None),
        ("FR", Some((Side::Eea, Side::France))),
        ("RE", Some((Side::Eea, Side::France))),
        ("NC", Some((Side::Eea, Side::FrenchOverseas))),
        ("CH", Some((Side::Eea, Side::Adequate))),
        ("IN", Some((Side::Eea, Side::Third))),
    ] {
        for (network, size) in [
            ("30.7.0.0/16", space(1 << 16, 0)),
            ("2a1e:7::/32", space(0, 1 << 32)),
        ] {
            let diff = diff_with(&[(network, to, MICROSOFT)]);
            let [found] = &diff.moves[..] else {
                panic!("{to} {network}: {:#?}", diff.moves);
            };
            assert_eq!(found.crossed, crossed, "{to} {network}");
            assert_eq!(found.space, size, "{to} {network}");
            let side = if crossed.is_some() { size } else { space(0, 0) };
            assert_eq!(diff.total(Changed::Side), side, "{to} {network}");
            assert_eq!(diff.total(Changed::Country), size, "{to} {network}");
        }
    }
}

#[test]
fn a_sold_network_is_lost_by_one_operator_and_gained_by_the_other() {
    let diff = diff_with(&[
        // Sold to Microsoft, and not moved.
        ("20.2.0.0/15", "FR", MICROSOFT),
        ("2a14:2::/31", "FR", MICROSOFT),
        // Sold to Cloudflare, and moved to the United States.
        ("20.4.0.0/24", "US", CLOUDFLARE),
        // Not sold, moved to Italy.
        ("30.1.0.0/16", "IT", MICROSOFT),
    ]);
    let (sold, moved_and_sold, moved) = (space(1 << 17, 1 << 33), 1 << 8, 1 << 16);
    assert_eq!(
        diff.moved,
        space(
            sold.v4_addresses + moved_and_sold + moved,
            sold.v6_networks_64
        )
    );
    let (ovh, microsoft) = (of(&diff, "ovh"), of(&diff, "microsoft"));
    assert_eq!(ovh.lost, space((1 << 17) + moved_and_sold, 1 << 33));
    assert_eq!((ovh.gained, ovh.changed), (space(0, 0), space(0, 0)));
    assert_eq!(microsoft.gained, sold);
    assert_eq!(microsoft.lost, space(0, 0));
    assert_eq!(microsoft.changed, space(moved, 0));
    assert_eq!(of(&diff, "cloudflare").gained, space(moved_and_sold, 0));
    assert_eq!(diff.operators.len(), 3);
    // French control became American, whose law reaches its customers' data.
    let american = space((1 << 17) + moved_and_sold, 1 << 33);
    for changed in [Changed::Operator, Changed::Control, Changed::Reach] {
        assert_eq!(diff.total(changed), american, "{}", changed.name());
    }
    // Cloudflare's networks are in many places, so that country and side are others' too.
    let elsewhere = space(moved + moved_and_sold, 0);
    assert_eq!(diff.total(Changed::Country), elsewhere);
    assert_eq!(diff.total(Changed::Side), space(moved_and_sold, 0));
    let largest = &diff.moves[0];
    assert_eq!(largest.space, sold);
    assert_eq!(largest.crossed, None);
}

#[test]
fn space_that_only_one_atlas_knows_counts_as_known_and_as_moved() {
    let known = diff_with(&[]).known;
    assert_eq!(known, space(2 << 24, 2 << 48));
    let there = [("50.0.0.0/24", "DE", OVH), ("2a32::/48", "DE", OVH)];
    let found = diff_with(&there);
    let new = space(1 << 8, 1 << 16);
    assert_eq!(found.moved, new);
    assert_eq!(found.known.v4_addresses, known.v4_addresses + (1 << 8));
    assert_eq!(found.known.v6_networks_64, known.v6_networks_64 + (1 << 16));
    assert_eq!(found.moves[0].crossed, Some((Side::Unknown, Side::Eea)));
    // The other way round the same space is lost.
    let old = small::atlas(DAY, &[&BEFORE[..], &there[..]].concat());
    let back = diff(&old, &small::atlas(DAY, &BEFORE), DAY);
    assert_eq!(back.moved, new);
    assert_eq!(back.known, found.known);
    assert_eq!(back.moves[0].crossed, Some((Side::Eea, Side::Unknown)));
    assert_eq!(of(&back, "ovh").lost, new);
}
