//! Groups of countries at dates: accession, withdrawal, adequacy.

use super::{code, day, embedded};
use crate::catalogue::{Group, Regime};

#[test]
fn membership_and_adequacy_are_dated() {
    let catalogue = embedded();
    // (country, day, regime)
    let cases = [
        ("FR", "2026-11-21", Regime::France),
        ("RE", "2026-11-21", Regime::FrenchOutermost),
        ("MF", "2026-11-21", Regime::FrenchOutermost),
        ("YT", "2013-12-31", Regime::FrenchOverseas),
        ("YT", "2014-01-01", Regime::FrenchOutermost),
        ("BL", "2011-12-31", Regime::FrenchOutermost),
        ("BL", "2012-01-01", Regime::FrenchOverseas),
        ("NC", "2026-11-21", Regime::FrenchOverseas),
        ("DE", "2026-11-21", Regime::Union),
        ("HR", "2013-06-30", Regime::Third),
        ("HR", "2013-07-01", Regime::Union),
        ("HU", "2000-07-25", Regime::Third),
        ("HU", "2004-04-30", Regime::Adequate),
        ("HU", "2004-05-01", Regime::Union),
        ("NO", "2026-11-21", Regime::Eea),
        ("SJ", "2026-11-21", Regime::Third),
        ("GB", "2020-01-31", Regime::Union),
        // No member any more, but the agreements kept transfers free until the decision.
        ("GB", "2020-02-01", Regime::Adequate),
        ("GB", "2020-12-31", Regime::Adequate),
        ("GB", "2021-01-01", Regime::Adequate),
        ("GB", "2021-06-27", Regime::Adequate),
        ("GB", "2021-06-28", Regime::Adequate),
        ("GB", "2026-11-21", Regime::Adequate),
        ("GB", "2031-12-27", Regime::Adequate),
        ("GB", "2031-12-28", Regime::Third),
        ("GI", "2026-11-21", Regime::Third),
        ("US", "2015-10-05", Regime::AdequatePartial),
        ("US", "2015-10-06", Regime::Third),
        ("US", "2020-07-15", Regime::AdequatePartial),
        ("US", "2020-07-16", Regime::Third),
        ("US", "2023-07-09", Regime::Third),
        ("US", "2023-07-10", Regime::AdequatePartial),
        ("BR", "2026-01-25", Regime::Third),
        ("BR", "2026-01-26", Regime::Adequate),
        ("JP", "2026-11-21", Regime::AdequatePartial),
        ("CH", "2026-11-21", Regime::Adequate),
        ("CN", "2026-11-21", Regime::Third),
        ("ZZ", "2026-11-21", Regime::Third),
    ];
    for (country, at, regime) in cases {
        assert_eq!(
            catalogue.regime_at(code(country), day(at)),
            regime,
            "{country} at {at}"
        );
    }
}

#[test]
fn groups_hold_whom_they_should() {
    let catalogue = embedded();
    let today = catalogue.as_of();
    let members = |group: Group| -> Vec<String> {
        let held = catalogue.countries();
        let held = held.filter(|country| catalogue.group_contains(group, country.code, today));
        held.map(|country| country.code.to_string()).collect()
    };
    assert_eq!(members(Group::Fr), ["FR"]);
    assert_eq!(members(Group::FrDrom), ["GF", "GP", "MF", "MQ", "RE", "YT"]);
    assert_eq!(members(Group::FrOct), ["BL", "NC", "PF", "PM", "TF", "WF"]);
    // 27 members, Åland and the six outermost regions.
    assert_eq!(members(Group::Eu).len(), 27 + 1 + 6);
    assert_eq!(members(Group::Eea).len(), members(Group::Eu).len() + 3);
    assert_eq!(
        members(Group::Adequate),
        [
            "AD", "AR", "BR", "CH", "FO", "GB", "GG", "IM", "JE", "NZ", "UY"
        ]
    );
    assert_eq!(
        members(Group::AdequatePartial),
        ["CA", "IL", "JP", "KR", "US"]
    );
}

#[test]
fn every_country_is_in_exactly_one_of_the_outer_groups() {
    let catalogue = embedded();
    for at in [
        "1957-01-01",
        "1999-12-31",
        "2020-03-01",
        "2026-11-21",
        "2040-01-01",
    ] {
        for country in catalogue.countries() {
            let outer = [Group::Eea, Group::FrOct, Group::Adequate, Group::Third];
            let held = outer
                .into_iter()
                .filter(|group| catalogue.group_contains(*group, country.code, day(at)));
            assert_eq!(held.count(), 1, "{} at {at}", country.code);
        }
    }
}

#[test]
fn names_of_groups_are_read_back_in_any_case() {
    for group in Group::ALL {
        assert_eq!(group.to_string().parse(), Ok(group));
        assert_eq!(group.to_string().to_lowercase().parse(), Ok(group));
    }
    let error = "EUROPE".parse::<Group>().unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("\"EUROPE\" is not a group of countries: FR, FR-DROM")
    );
}
