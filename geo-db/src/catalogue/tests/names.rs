//! Names to services and tracking-link hosts.

use proptest::prelude::*;

use super::embedded;
use crate::catalogue::{Catalogue, Service};

fn service(name: &str) -> Option<String> {
    embedded()
        .service_of_domain(name)
        .map(|service| service.id.to_string())
}

#[test]
fn the_longest_suffix_on_label_borders_wins() {
    let cases = [
        ("zoom.us", Some("zoom")),
        ("us05web.zoom.us", Some("zoom")),
        ("US05WEB.Zoom.US.", Some("zoom")),
        ("notzoom.us", None),
        ("zoom.us.example.org", None),
        ("us", None),
        ("", None),
        (".", None),
        ("..", None),
        ("teams.microsoft.com", Some("ms-teams")),
        ("emea.ng.msg.teams.microsoft.com", Some("ms-teams")),
        ("docs.google.com", Some("google-workspace")),
        ("meet.google.com", Some("google-meet")),
        ("gemini.google.com", Some("gemini")),
        ("dns.google", Some("google-dns")),
        ("visio.numerique.gouv.fr", Some("visio")),
        ("matrix.agent.finances.tchap.gouv.fr", Some("tchap")),
        ("numerique.gouv.fr", None),
        (
            "api.cloudgouv-eu-west-1.outscale.com",
            Some("outscale-cloudgouv"),
        ),
        ("api.eu-west-2.outscale.com", Some("outscale")),
        ("storage.s3nsapis.fr", Some("s3ns-premi3ns")),
    ];
    for (name, expected) in cases {
        assert_eq!(service(name).as_deref(), expected, "{name:?}");
    }
}

#[test]
fn names_too_long_or_not_ascii_are_no_service() {
    assert_eq!(service(&format!("{}.zoom.us", "a.".repeat(200))), None);
    assert_eq!(service("zoöm.us"), None);
    assert_eq!(service("é.zoom.us").as_deref(), Some("zoom"));
}

#[test]
fn tracking_link_hosts_are_found_with_the_names_below_them() {
    let catalogue = embedded();
    let family = |name: &str| {
        catalogue
            .ip_logger(name)
            .map(|logger| logger.family.as_str())
    };
    assert_eq!(family("grabify.link"), Some("grabify"));
    assert_eq!(family("www.grabify.link."), Some("grabify"));
    assert_eq!(family("iplogger.org"), Some("iplogger.org"));
    assert_eq!(family("xn--discrd-zxa.com"), Some("grabify"));
    assert_eq!(family("grabify.example.org"), None);
    assert!(catalogue.ip_logger("canarytokens.com").unwrap().dual_use);
}

/// The definition: of all suffixes that end the name on a label border, the longest.
fn naive<'c>(catalogue: &'c Catalogue, name: &str) -> Option<&'c Service> {
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    let ends = |domain: &str| {
        name.strip_suffix(domain)
            .is_some_and(|before| before.is_empty() || before.ends_with('.'))
    };
    let pairs = catalogue
        .services()
        .flat_map(|service| service.domains.iter().map(move |domain| (domain, service)));
    let fits = pairs.filter(|(domain, _)| ends(domain));
    let longest = fits.max_by_key(|(domain, _)| domain.len())?;
    Some(longest.1)
}

fn any_name() -> impl Strategy<Value = String> {
    let catalogue = embedded();
    let domains: Vec<String> = catalogue
        .services()
        .flat_map(|service| service.domains.iter().map(ToString::to_string))
        .collect();
    let known = proptest::sample::select(domains);
    // Labels, glue and whole suffixes in any order: near misses are likely.
    let glue = prop_oneof![
        Just(".".to_owned()),
        Just(String::new()),
        Just("-".to_owned())
    ];
    let piece = prop_oneof![known.clone(), "[a-zA-Z0-9.]{0,9}".prop_map(|text| text)];
    (
        proptest::collection::vec((piece, glue), 0..3),
        known,
        "[.]{0,2}",
    )
        .prop_map(|(before, last, dots)| {
            let before: String = before
                .into_iter()
                .map(|(piece, glue)| piece + &glue)
                .collect();
            format!("{before}{last}{dots}")
        })
}

proptest! {
    #[test]
    fn the_index_agrees_with_the_definition(name in any_name()) {
        prop_assume!(name.len() <= 253);
        let catalogue = embedded();
        let found = catalogue.service_of_domain(&name).map(|service| &service.id);
        prop_assert_eq!(found, naive(&catalogue, &name).map(|service| &service.id));
    }

    #[test]
    fn any_text_is_looked_up_without_a_panic(name in ".*") {
        let catalogue = embedded();
        let _ = catalogue.service_of_domain(&name);
        let _ = catalogue.ip_logger(&name);
    }

    #[test]
    fn any_text_is_read_without_a_panic(text in "(?s).{0,200}") {
        prop_assert!(Catalogue::from_texts(&[("any.toml", &text)]).is_err());
    }
}
