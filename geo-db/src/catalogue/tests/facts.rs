//! The embedded facts: complete, sourced, and consistent with each other.

use super::{code, day, embedded};
use crate::catalogue::{Catalogue, Language};
use crate::profile::Reach;

#[test]
fn the_embedded_catalogue_is_complete() {
    let catalogue = embedded();
    assert_eq!(catalogue.as_of(), day("2026-11-22"));
    assert_eq!(catalogue.countries().count(), 250);
    assert!(catalogue.operators().count() >= 220);
    assert!(catalogue.services().count() >= 130);
    assert!(catalogue.ip_loggers().count() >= 100);
    assert!(catalogue.laws().count() >= 35);
    assert!(catalogue.bases().count() >= 20);
}

#[test]
fn every_fact_has_a_source_and_a_day_that_is_not_in_the_future() {
    let catalogue = embedded();
    let mut provenance = Vec::new();
    for country in catalogue.countries() {
        provenance.push((country.code.to_string(), &country.source, country.as_of));
        for decision in &country.adequacy {
            provenance.push((decision.decision.clone(), &decision.source, decision.as_of));
        }
    }
    provenance.extend(
        catalogue
            .laws()
            .map(|l| (l.id.to_string(), &l.source, l.as_of)),
    );
    provenance.extend(
        catalogue
            .bases()
            .map(|b| (b.id.to_string(), &b.source, b.as_of)),
    );
    provenance.extend(
        catalogue
            .operators()
            .map(|o| (o.id.to_string(), &o.source, o.as_of)),
    );
    provenance.extend(
        catalogue
            .services()
            .map(|s| (s.id.to_string(), &s.source, s.as_of)),
    );
    for service in catalogue.services() {
        for held in &service.qualifications {
            assert!(
                held.source.is_some() && held.as_of.is_some(),
                "{}",
                service.id
            );
        }
    }
    for law in catalogue.laws() {
        let periods = law.periods.iter();
        provenance.extend(periods.map(|p| (law.id.to_string(), &p.source, p.as_of)));
    }
    provenance.extend(
        catalogue
            .ip_loggers()
            .map(|l| (l.host.to_string(), &l.source, l.as_of)),
    );
    for (id, source, as_of) in provenance {
        assert!(source.len() >= 3, "{id} has no source worth the name");
        assert!(
            as_of >= day("2020-01-01") && as_of <= catalogue.as_of(),
            "{id}: {as_of}"
        );
    }
}

#[test]
fn operators_list_the_law_of_the_states_that_control_them() {
    let catalogue = embedded();
    for operator in catalogue.operators() {
        let mut states = vec![operator.hq, operator.country_at(catalogue.as_of())];
        states.retain(|state| !catalogue.extraterritorial_laws_of(*state).is_empty());
        for state in states {
            let listed = operator
                .laws
                .iter()
                .any(|law| catalogue.law(law).is_some_and(|law| law.country == state));
            assert!(
                listed,
                "{} is under {state} but lists none of its laws",
                operator.id
            );
        }
    }
}

#[test]
fn presence_leads_to_a_law_and_is_not_the_seat() {
    let catalogue = embedded();
    for operator in catalogue.operators() {
        for country in &operator.presence {
            assert_ne!(*country, operator.hq, "{}", operator.id);
            assert!(
                !catalogue.extraterritorial_laws_of(*country).is_empty(),
                "{}: no law of {country} reaches abroad",
                operator.id
            );
        }
    }
}

#[test]
fn no_service_is_advised_that_foreign_law_controls() {
    let catalogue = embedded();
    for service in catalogue.services() {
        for alternative in &service.alternatives {
            assert_ne!(*alternative, service.id);
            let advised = catalogue.service(alternative).unwrap();
            let operator = catalogue.operator(&advised.operator).unwrap();
            // Free software of a foreign vendor is advised to be hosted oneself.
            let self_hosted = advised
                .note
                .as_deref()
                .is_some_and(|n| n.contains("host it oneself"));
            assert!(
                operator.reach < Reach::Controlled || self_hosted,
                "{} advises {alternative}",
                service.id
            );
        }
    }
}

#[test]
fn tools_the_state_replaces_lead_to_its_own() {
    let catalogue = embedded();
    let cases = [
        ("ms-teams", "visio"),
        ("zoom", "visio"),
        ("webex", "visio"),
        ("gotomeeting", "visio"),
        ("google-meet", "visio"),
        ("whatsapp", "tchap"),
        ("telegram", "tchap"),
        ("signal", "tchap"),
        ("wetransfer", "france-transfert"),
    ];
    for (tool, first) in cases {
        let tool = catalogue.service(tool).unwrap();
        assert_eq!(&*tool.alternatives[0], first, "{}", tool.id);
        assert!(catalogue.service(first).unwrap().sovereign);
    }
}

#[test]
fn qualified_services_are_sovereign_and_their_periods_are_three_years_at_most() {
    let catalogue = embedded();
    let qualified: Vec<_> = catalogue
        .services()
        .filter(|service| {
            service
                .qualifications
                .iter()
                .any(|q| &*q.scheme == "secnumcloud")
        })
        .collect();
    assert!(qualified.len() >= 13);
    for service in qualified {
        assert!(service.sovereign, "{}", service.id);
        for qualification in &service.qualifications {
            if let (Some(from), Some(until)) = (qualification.from, qualification.until) {
                // Three years at most, give or take the days that ANSSI adds; a later decision on
                // the same offer can end with the first one.
                let days = from.until(until).unwrap().get_days();
                assert!((365..=1110).contains(&days), "{}: {days} days", service.id);
            }
        }
    }
    // Software on a qualified infrastructure is not itself qualified.
    assert!(
        catalogue
            .service("visio")
            .unwrap()
            .qualifications
            .is_empty()
    );
}

#[test]
fn services_have_prefixes_where_the_vendors_publish_them() {
    let catalogue = embedded();
    assert!(catalogue.service_prefixes().count() >= 150);
    let owner = |prefix: &str| {
        let wanted = prefix.parse().unwrap();
        let found = catalogue
            .service_prefixes()
            .find(|(prefix, _)| *prefix == wanted);
        found.map(|(_, service)| service.id.to_string())
    };
    assert_eq!(owner("52.112.0.0/14").as_deref(), Some("ms-teams"));
    assert_eq!(owner("8.8.8.8/32").as_deref(), Some("google-dns"));
    assert_eq!(
        owner("2606:4700:4700::1111/128").as_deref(),
        Some("cloudflare-dns")
    );
    assert!(catalogue.service("cloudflare-dns").unwrap().anycast);
}

#[test]
fn laws_speak_two_languages() {
    let catalogue = embedded();
    let english = catalogue
        .law_sentence("us_cloud_act", Language::En)
        .unwrap();
    let french = catalogue
        .law_sentence("us_cloud_act", Language::Fr)
        .unwrap();
    assert!(
        english.contains("wherever that data is stored"),
        "{english}"
    );
    assert!(french.contains("où qu'elles soient stockées"), "{french}");
    assert_eq!(catalogue.law_sentence("us_cloud_akt", Language::En), None);
    for law in catalogue.laws() {
        for sentence in [&law.sentence.en, &law.sentence.fr] {
            assert!(!sentence.ends_with('.'), "{}: {sentence}", law.id);
        }
        assert_ne!(law.sentence.en, law.sentence.fr, "{}", law.id);
    }
}

#[test]
fn the_texts_policies_rest_on_are_there() {
    let catalogue = embedded();
    for id in [
        "circulaire-6282-sg",
        "circulaire-6404-sg",
        "r9",
        "secnumcloud-3-2",
        "sren-31",
        "decret-2026-272",
        "arrete-2026-08-12",
        "circulaire-tchap",
        "annonce-visio",
        "gdpr-44",
        "gdpr-45",
        "gdpr-46",
        "gdpr-47",
        "gdpr-48",
        "gdpr-49",
        "schrems-2",
        "dpf",
    ] {
        assert!(catalogue.basis(id).is_some(), "{id}");
    }
    assert_eq!(
        catalogue.basis("decret-2026-272").unwrap().from,
        Some(day("2026-04-17"))
    );
    assert_eq!(catalogue.basis("r9").unwrap().date, day("2023-05-31"));
}

#[test]
fn territories_name_their_state() {
    let catalogue = embedded();
    let reunion = catalogue.country(code("RE")).unwrap();
    assert_eq!(reunion.sovereign, Some(code("FR")));
    assert_eq!(reunion.name.fr, "La Réunion");
    assert_eq!(
        catalogue.country(code("GG")).unwrap().sovereign,
        Some(code("GB"))
    );
}

#[test]
fn the_fingerprint_follows_names_and_texts() {
    let of = |name: &str, text: &str| {
        Catalogue::from_texts(&[(name, text)])
            .unwrap()
            .fingerprint()
    };
    let one = of("a.toml", "as_of = 2026-11-21\n");
    assert_eq!(one.len(), 64);
    assert_eq!(one, of("a.toml", "as_of = 2026-11-21\n"));
    assert_ne!(one, of("b.toml", "as_of = 2026-11-21\n"));
    assert_ne!(one, of("a.toml", "as_of = 2026-11-22\n"));
}

#[test]
fn the_newest_file_dates_the_catalogue_and_laws_end_with_it() {
    let text = |law_until: &str| {
        format!(
            r#"as_of = 2026-11-21
[[country]]
code = "US"
name = {{ en = "United States", fr = "États-Unis" }}
regime = "THIRD"
source = "source"
as_of = 2026-11-21
[[law]]
id = "act"
name = {{ en = "Act", fr = "Loi" }}
country = "US"
class = "judicial"
extraterritorial = true
reach = "all"
sentence = {{ en = "can", fr = "peut" }}
until = {law_until}
source = "source"
as_of = 2026-11-21
[[operator]]
id = "one"
name = "One"
kind = "saas"
hq = "US"
laws = ["act"]
source = "source"
as_of = 2026-11-21
"#
        )
    };
    let reach = |until: &str| {
        let catalogue = Catalogue::from_texts(&[("a.toml", &text(until))]).unwrap();
        let operator = catalogue.operator("one").unwrap();
        (
            operator.reach,
            catalogue.control_of_operator(operator).laws.len(),
        )
    };
    assert_eq!(reach("2026-11-21"), (Reach::Controlled, 1));
    assert_eq!(reach("2026-11-20"), (Reach::NoneKnown, 0));
}
