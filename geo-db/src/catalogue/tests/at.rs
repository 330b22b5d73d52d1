//! The catalogue as of other days: frameworks come and go, companies are sold, laws lapse.

use std::time::Instant;

use super::{code, day, embedded};
use crate::catalogue::{Catalogue, Extent, Force, Regime};
use crate::profile::{Profile, Reach};

#[test]
fn the_day_is_that_of_the_facts_unless_another_is_asked_for() {
    let catalogue = embedded();
    assert_eq!(catalogue.day(), catalogue.as_of());
    let before = catalogue.at(day("2020-06-15"));
    assert_eq!(before.day(), day("2020-06-15"));
    assert_eq!(before.as_of(), catalogue.as_of());
    assert_eq!(before.fingerprint(), catalogue.fingerprint());
    assert_eq!(before.at(catalogue.as_of()).day(), catalogue.day());
}

#[test]
fn frameworks_with_the_united_states_come_and_go() {
    let catalogue = embedded();
    let decision = |at: &str| {
        let country = catalogue.country(code("US")).unwrap();
        country
            .adequacy_at(day(at))
            .map(|held| (held.decision.as_str(), held.extent))
    };
    let safe_harbour = Some(("2000/520/EC (Safe Harbor)", Extent::Partial));
    let shield = Some(("(EU) 2016/1250 (Privacy Shield)", Extent::Partial));
    let framework = Some(("(EU) 2023/1795 (Data Privacy Framework)", Extent::Partial));
    for (at, expected) in [
        ("2000-07-25", None),
        ("2000-07-26", safe_harbour),
        ("2015-10-05", safe_harbour),
        ("2015-10-06", None),
        ("2016-07-11", None),
        ("2016-07-12", shield),
        ("2020-06-15", shield),
        ("2020-07-16", None),
        ("2020-08-01", None),
        ("2023-07-09", None),
        ("2023-07-10", framework),
        ("2026-11-22", framework),
    ] {
        assert_eq!(decision(at), expected, "{at}");
    }
}

#[test]
fn a_lapsed_statute_lives_on_in_what_was_ordered_before() {
    let catalogue = embedded();
    let law = catalogue.law("us_fisa_702").unwrap();
    let force = |at: &str| law.period_at(day(at)).map(|period| period.force);
    assert_eq!(force("2008-07-09"), None);
    assert_eq!(force("2020-01-01"), Some(Force::Statute));
    assert_eq!(force("2026-06-11"), Some(Force::Statute));
    assert_eq!(force("2026-06-12"), Some(Force::Continued));
    assert_eq!(force("2027-04-01"), None);
    let remark = law
        .period_at(day("2026-11-22"))
        .unwrap()
        .remark
        .as_ref()
        .unwrap();
    assert!(
        remark.en.contains("lapsed on 12 June 2026"),
        "{}",
        remark.en
    );
    assert!(
        remark.fr.contains("caduc depuis le 12 juin 2026"),
        "{}",
        remark.fr
    );

    let laws = |at: &str| {
        let catalogue = catalogue.at(day(at));
        let control = catalogue.control_of_operator(catalogue.operator("microsoft").unwrap());
        let laws: Vec<String> = control.laws.iter().map(ToString::to_string).collect();
        laws.join(" ")
    };
    assert_eq!(laws("2000-01-01"), "");
    assert_eq!(laws("2005-01-01"), "us_patriot_nsl");
    assert_eq!(laws("2017-01-01"), "us_fisa_702 us_patriot_nsl");
    assert_eq!(
        laws("2026-11-22"),
        "us_cloud_act us_fisa_702 us_patriot_nsl"
    );
    assert_eq!(laws("2027-04-01"), "us_cloud_act us_patriot_nsl");
}

#[test]
fn who_controls_an_operator_and_whose_law_counts_follow_the_sale() {
    let catalogue = embedded();
    let control = |id: &str, at: &str| {
        let catalogue = catalogue.at(day(at));
        let control = catalogue.control_of_operator(catalogue.operator(id).unwrap());
        (control.country.unwrap().to_string(), control.reach)
    };
    for (id, at, country, reach) in [
        // Sold to an American fund in 2022.
        ("contabo", "2021-01-01", "DE", Reach::Presence),
        ("contabo", "2026-11-22", "US", Reach::Controlled),
        // Moved its seat from Australia to the United States in 2022.
        ("atlassian", "2022-01-01", "AU", Reach::Controlled),
        ("atlassian", "2026-11-22", "US", Reach::Controlled),
        // American itself, owned by a French group: its own law stays.
        ("imperva", "2023-01-01", "US", Reach::Controlled),
        ("imperva", "2026-11-22", "FR", Reach::Controlled),
    ] {
        assert_eq!(control(id, at), (country.to_owned(), reach), "{id} at {at}");
    }
    let laws = |at: &str| {
        let catalogue = catalogue.at(day(at));
        catalogue.laws_on(catalogue.operator("atlassian").unwrap())
    };
    assert!(laws("2022-01-01").iter().all(|law| law.starts_with("au_")));
    assert!(laws("2026-11-22").iter().all(|law| law.starts_with("us_")));
}

#[test]
fn a_law_of_a_member_is_foreign_only_while_it_is_none() {
    let catalogue = embedded();
    let reach = |at: &str| {
        let catalogue = catalogue.at(day(at));
        catalogue.operator("vodafone").unwrap().reach
    };
    assert_eq!(reach("2026-11-22"), Reach::Controlled);
    assert_ne!(reach("2019-06-01"), Reach::Controlled);
    assert_eq!(
        catalogue
            .at(day("2019-06-01"))
            .presumed_control(code("GB"))
            .reach,
        Reach::NoneKnown
    );
    assert_eq!(
        catalogue.presumed_control(code("GB")).reach,
        Reach::Controlled
    );
    assert_eq!(
        catalogue.regime_at(code("HR"), day("2013-06-30")),
        Regime::Third
    );
    assert_eq!(
        catalogue.regime_at(code("HR"), day("2013-07-01")),
        Regime::Union
    );
}

#[test]
fn a_qualification_holds_in_its_days_only_once_a_day_is_asked_for() {
    let catalogue = embedded();
    let held = |catalogue: &Catalogue| {
        let profile = catalogue.profile_with_service(&Profile::unknown(), "s3ns-premi3ns");
        profile.qualifications.len()
    };
    assert_eq!(held(&catalogue.at(day("2025-12-16"))), 0);
    assert_eq!(held(&catalogue.at(day("2025-12-17"))), 1);
    assert_eq!(held(&catalogue.at(day("2028-12-18"))), 0);
    // Without a day all are given, with their days: a policy compares them with its own.
    assert_eq!(held(&catalogue), 1);
}

#[test]
fn asking_for_a_day_shares_what_does_not_depend_on_it() {
    let catalogue = embedded();
    let start = Instant::now();
    let before = catalogue.at(day("2020-06-15"));
    let spent = start.elapsed();
    assert!(std::ptr::eq(
        catalogue.service("zoom").unwrap(),
        before.service("zoom").unwrap()
    ));
    // Under a millisecond when optimised; this bound is for a debug build on a loaded machine.
    assert!(spent.as_millis() < 250, "{spent:?}");
}
