//! The page for people: snapshots in both languages, and no English left in the French one.
//!
//! `UPDATE_GOLDEN=1 cargo test -p octroi-events` writes the snapshots anew.

use std::path::Path;

use jiff::civil::date;
use octroi_events::page::{self, Asked, label::Label};
use octroi_events::{Mode, NameSource, Residency};
use octroi_geo_db::catalogue::{Catalogue, Language};
use octroi_policy::{EchSeen, Naming, Opaque, Policy, Subject};

use super::reason::ATLAS;
use super::samples;

const FRENCH: &str = "[policy]\nname = \"essai\"\nversion = \"1\"\nmode = \"enforce\"\ndefault = \"block\"\n\
    [[zone]]\nname = \"cabinet\"\nprefixes = [\"10.0.0.0/8\"]\n\
    [[zone]]\nname = \"invites\"\nprefixes = [\"10.9.0.0/16\"]\n\
    [[rule]]\nid = \"interne\"\ntitle = \"Entre réseaux privés\"\nverdict = \"allow\"\nspecial = [\"private\"]\n\
    [[rule]]\nid = \"ports\"\ntitle = \"Ports du courrier\"\nverdict = \"flag\"\nports = [25]\nprotocol = [\"tcp\"]\n\
    [[rule]]\nid = \"essai\"\ntitle = \"À l'essai\"\nverdict = \"block\"\nshadow = true\nhosting = [\"!FR\"]\n\
    [[rule]]\nid = \"reunions\"\ntitle = \"Réunions\"\nverdict = \"reject\"\nfrom = [\"cabinet\"]\nservice = [\"zoom\", \"ms-teams\"]\n\
    [[rule]]\nid = \"droit\"\ntitle = \"Droit étranger\"\nverdict = \"reject\"\nfrom = [\"cabinet\"]\nbasis = [\"r9\"]\nreach = [\"controlled\"]\n\
    [[rule]]\nid = \"ue\"\ntitle = \"Dans l'Union\"\nverdict = \"allow\"\nhosting = [\"EU\"]\n";

fn told(destination: &str, name: Option<&str>, opaque: Opaque, language: Language) -> String {
    let catalogue = ATLAS.catalogue();
    let policy = Policy::parse(FRENCH, "essai.toml", catalogue).unwrap();
    let destination = destination.parse().unwrap();
    let dossier = ATLAS.dossier(policy.looked_up(destination));
    let service = name.and_then(|name| catalogue.service_of_domain(name));
    let profile = match service {
        Some(service) => catalogue.profile_with_service(&dossier.profile, &service.id),
        None => dossier.profile.clone(),
    };
    let subject = Subject {
        catalogue,
        zone: 1,
        destination,
        profile: &profile,
        asn: dossier.asn.as_ref().map(|asn| asn.number),
        protocol: 6,
        port: 443,
        name,
        naming: name.map_or(Naming::Pending, |_| Naming::Confirmed),
        speaks: None,
        ech: EchSeen::None,
        chain: &[],
        opaque,
        at: date(2020, 1, 1),
    };
    let explanation = policy.explain(&subject, dossier, catalogue);
    let residency = Residency::from_explanation(&explanation, &ATLAS, language);
    let asked = Asked {
        destination: destination.to_string(),
        protocol: 6,
        port: 443,
    };
    page::render(&residency, &asked, catalogue, language)
}

#[test]
fn pages_are_as_they_were() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let catalogue = Catalogue::embedded().unwrap();
    let asked = Asked {
        destination: "20.33.0.1".to_owned(),
        protocol: 6,
        port: 443,
    };
    let mut residency = samples::residency();
    residency.mode = Mode::Monitor;
    residency.name_src = Some(NameSource::Sni);
    residency.name_dns_bound = Some(false);
    for (language, file) in [(Language::En, "page-en.txt"), (Language::Fr, "page-fr.txt")] {
        let text = page::render(&residency, &asked, &catalogue, language) + "\n";
        let path = directory.join(file);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        assert_eq!(text, std::fs::read_to_string(&path).unwrap(), "{file}");
    }
}

const ASKED: [(&str, Option<&str>, Opaque); 11] = [
    ("20.74.0.1", None, Opaque::None),
    ("51.210.0.1", Some("zoom.us"), Opaque::None),
    ("51.210.0.1", None, Opaque::Gre),
    ("8.8.8.8", None, Opaque::None),
    ("10.1.2.3", None, Opaque::None),
    ("57.112.10.10", None, Opaque::None),
    ("2002:1437:1::1", None, Opaque::None),
    ("64:ff9b::a01:203", None, Opaque::None),
    ("224.0.0.1", None, Opaque::None),
    ("147.135.10.10", None, Opaque::None),
    (
        "171.33.80.20",
        Some("visio.numerique.gouv.fr"),
        Opaque::None,
    ),
];

#[test]
fn no_english_is_left_in_french() {
    // Words that a French page never needs; ids, AS names and legal names have none of them.
    let english = [
        " the ", " is ", " by ", " from ", " not ", " asks ", " and ", " were ", " with ", " of ",
        " none", "anybody", "unknown:", "rule ", " known", " until ", " hosted",
    ];
    let titles = ["United States", "Foreign Intelligence"];
    for (destination, name, opaque) in ASKED {
        let page = told(destination, name, opaque, Language::Fr);
        for line in page.lines() {
            // Evidence quotes names of networks and registries as they are.
            let quotes = line.contains("AS") || line.contains("RFC");
            if quotes {
                continue;
            }
            let line = format!("{line} ");
            for word in english {
                assert!(
                    !line.contains(word),
                    "{destination}: {word:?} in: {line}\n{page}"
                );
            }
            assert!(titles.iter().all(|title| !line.contains(title)), "{line}");
        }
        for label in Label::ALL {
            let (en, fr) = (label.text(Language::En), label.text(Language::Fr));
            let begins = |line: &str| line.split("  ").next() == Some(en);
            assert!(en == fr || !page.lines().any(begins), "{en} in:\n{page}");
        }
    }
}

#[test]
fn pages_fit_and_begin_with_the_verdict() {
    for (destination, name, opaque) in ASKED {
        for language in [Language::En, Language::Fr] {
            let page = told(destination, name, opaque, language);
            let verdicts = [
                "ALLOW",
                "FLAG",
                "REJECT",
                "BLOCK",
                "AUTORISÉ",
                "SIGNALÉ",
                "REJETÉ",
                "BLOQUÉ",
            ];
            assert!(
                verdicts.iter().any(|verdict| page.starts_with(verdict)),
                "{page}"
            );
            for line in page.lines() {
                assert!(line.chars().count() <= 100, "{line}");
                assert_eq!(line, line.trim_end());
            }
        }
    }
}

#[test]
fn evidence_of_later_days_is_marked() {
    let page = told("20.74.0.1", None, Opaque::None, Language::En);
    assert!(page.contains("newer than the day asked about"), "{page}");
}

#[test]
fn every_label_is_said_in_both_languages() {
    let same = [Label::Qualification, Label::Service];
    for label in Label::ALL {
        let (en, fr) = (label.text(Language::En), label.text(Language::Fr));
        assert!(!en.is_empty() && !fr.is_empty());
        assert_eq!(en == fr, same.contains(&label), "{en}");
    }
}
