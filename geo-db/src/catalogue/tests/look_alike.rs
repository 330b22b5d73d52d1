//! Look-alikes of tracking-link hosts: what is suspected, why, and how often that is wrong.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::embedded;
use crate::catalogue::Language;
use crate::catalogue::Likeness::{Edits, Homoglyph, Keyword, OtherEnding};

const COMMON: &str = include_str!("common_domains.txt");

fn common() -> BTreeSet<&'static str> {
    let lines = COMMON.lines().filter(|line| !line.starts_with('#'));
    lines.flat_map(str::split_whitespace).collect()
}

#[test]
fn look_alikes_are_suspected_with_family_distance_and_reason() {
    let catalogue = embedded();
    let cases = [
        ("grabify.lol", "grabify", 0, OtherEnding),
        ("www.grabify.co.uk", "grabify", 0, OtherEnding),
        ("GRABIFY.Xyz.", "grabify", 0, OtherEnding),
        ("gr4bify.com", "grabify", 1, Homoglyph),
        ("xn--grabfy-6va.com", "grabify", 1, Homoglyph),
        ("grabify-link.net", "grabify", 4, Keyword),
        ("mygrabify.com", "grabify", 2, Keyword),
        ("grabiffy.com", "grabify", 1, Edits),
        ("grabity.com", "grabify", 1, Edits),
        ("iplogger.xyz", "iplogger.org", 0, OtherEnding),
        ("ip-logger.net", "iplogger.org", 0, OtherEnding),
        ("1plogger.com", "iplogger.org", 1, Homoglyph),
        ("iploggers.com", "iplogger.org", 1, Keyword),
        ("iploger.org", "iplogger.org", 1, Edits),
        ("free-iplogger.com", "iplogger.org", 4, Keyword),
        ("iplis.xyz", "iplogger.org", 0, OtherEnding),
        ("ipgrabber.com", "iplogger.org", 0, OtherEnding),
        ("screenshot.pics", "grabify", 0, OtherEnding),
        ("xn--disord-d1a.com", "imitation", 1, Homoglyph),
    ];
    for (name, family, distance, reason) in cases {
        let Some(found) = catalogue.suspected_ip_logger(name) else {
            panic!("{name} is not suspected");
        };
        assert_eq!(
            (&*found.family, found.distance, found.reason),
            (family, distance, reason),
            "{name}: {found:?}"
        );
    }
}

#[test]
fn known_hosts_and_services_are_not_suspected() {
    let catalogue = embedded();
    for logger in catalogue.ip_loggers() {
        assert_eq!(catalogue.suspected_ip_logger(&logger.host), None);
    }
    for name in [
        "teams.microsoft.com",
        "",
        ".",
        "com",
        "..",
        "grabify",
        "a..b",
    ] {
        assert_eq!(catalogue.suspected_ip_logger(name), None, "{name:?}");
    }
}

#[test]
fn the_words_alone_find_most_hosts_of_the_families_that_bear_them() {
    // What the list would not hold, had nobody written it: hosts whose name says what they are.
    let catalogue = embedded();
    let named: Vec<_> = catalogue
        .ip_loggers()
        .filter(|logger| {
            [
                "grabify",
                "iplogger",
                "ipgrab",
                "iplis",
                "blasze",
                "ip-tracker",
            ]
            .iter()
            .any(|word| logger.host.contains(word))
        })
        .collect();
    assert!(named.len() >= 15, "{}", named.len());
    for logger in named {
        assert!(
            catalogue.look_alike(&logger.host).is_some(),
            "{}",
            logger.host
        );
    }
}

#[test]
fn no_domain_of_the_catalogue_is_suspected() {
    let catalogue = embedded();
    let domains = catalogue.services().flat_map(|service| &service.domains);
    let domains: Vec<_> = domains.collect();
    let wrong: Vec<_> = domains
        .iter()
        .filter_map(|domain| Some((domain, catalogue.look_alike(domain)?)))
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    assert!(domains.len() > 500, "{}", domains.len());
}

#[test]
fn no_common_domain_is_suspected() {
    let catalogue = embedded();
    let common = common();
    assert!(common.len() >= 540, "{}", common.len());
    let wrong: Vec<_> = common
        .iter()
        .filter_map(|name| Some((name, catalogue.suspected_ip_logger(name)?)))
        .collect();
    assert!(
        wrong.is_empty(),
        "{} of {}: {wrong:?}",
        wrong.len(),
        common.len()
    );
}

#[test]
fn reasons_are_told_in_two_languages() {
    for reason in [OtherEnding, Homoglyph, Keyword, Edits] {
        assert_ne!(reason.title(Language::En), reason.title(Language::Fr));
        assert_eq!(reason.to_string(), reason.name());
    }
}

proptest! {
    #[test]
    fn any_name_is_judged_without_a_panic(name in ".{0,80}", label in "[a-z0-9-]{0,63}") {
        let catalogue = embedded();
        let _ = catalogue.suspected_ip_logger(&name);
        let _ = catalogue.suspected_ip_logger(&format!("xn--{label}.co.uk"));
        let _ = catalogue.suspected_ip_logger(&format!("{label}.grabify.{label}"));
    }

    #[test]
    fn the_case_and_a_dot_at_the_end_change_nothing(name in "[a-zA-Z0-9.-]{1,40}") {
        let catalogue = embedded();
        let lower = catalogue.suspected_ip_logger(&name.to_lowercase());
        prop_assert_eq!(&catalogue.suspected_ip_logger(&name.to_uppercase()), &lower);
        if !name.ends_with('.') {
            prop_assert_eq!(&catalogue.suspected_ip_logger(&format!("{name}.")), &lower);
        }
    }
}
