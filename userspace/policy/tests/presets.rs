//! The presets parse without an error or a warning, compile, and judge telling destinations as
//! `tests/cases/*.toml` says.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod common;

use std::path::Path;
use std::sync::Arc;

use common::{AT, SmallAtlas, parse};
use octroi_geo_db::Catalogue;
use octroi_geo_db::profile::{HostingConfidence, Profile, SpecialUse};
use octroi_policy::{EchSeen, Naming, Opaque, Policy, QueryVerdict, Subject};
use serde::Deserialize;

/// What must become of destinations under one preset.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    preset: String,
    case: Vec<Case>,
}

/// One destination, described by facts.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    about: String,
    hosting: Option<String>,
    confidence: Option<HostingConfidence>,
    /// The operator that announces it.
    operator: Option<String>,
    /// Country of its AS, when the operator is not catalogued.
    presumed: Option<String>,
    /// The service its name stands for.
    service: Option<String>,
    special: Option<SpecialUse>,
    /// What its client speaks.
    speaks: Option<String>,
    /// How its client hides its name.
    ech: Option<EchSeen>,
    /// The name; with it, or any of the three above and below, its client has spoken.
    name: Option<String>,
    /// What its name rests on.
    naming: Option<Naming>,
    verdict: String,
    rule: String,
}

impl Case {
    fn has_spoken(&self) -> bool {
        self.speaks.is_some() || self.ech.is_some() || self.naming.is_some() || self.name.is_some()
    }

    fn naming(&self) -> Naming {
        match self.naming {
            Some(naming) => naming,
            None if self.has_spoken() => Naming::Confirmed,
            None => Naming::Pending,
        }
    }

    fn profile(&self, catalogue: &Catalogue) -> Profile {
        let mut profile = Profile::unknown();
        if let Some(country) = &self.hosting {
            profile.hosting.country = Some(country.parse().unwrap());
            profile.hosting.confidence = HostingConfidence::Located;
        }
        if let Some(confidence) = self.confidence {
            profile.hosting.confidence = confidence;
        }
        if let Some(operator) = &self.operator {
            let operator = catalogue.operator(operator).expect(operator);
            profile.control = catalogue.control_of_operator(operator);
        }
        if let Some(country) = &self.presumed {
            profile.control = catalogue.presumed_control(country.parse().unwrap());
        }
        profile.special = self.special;
        match &self.service {
            Some(service) => {
                assert!(catalogue.service(service).is_some(), "{service}");
                catalogue.profile_with_service(&profile, service)
            }
            None => profile,
        }
    }
}

#[test]
fn presets_judge_telling_destinations() {
    let catalogue = Catalogue::embedded().unwrap();
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut judged: Vec<String> = Vec::new();
    let mut wrong = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let cases: Cases = toml::from_str(&text).unwrap();
        let policy = parse(Policy::preset(&cases.preset).unwrap());
        let profiles: Vec<Profile> = cases
            .case
            .iter()
            .map(|case| case.profile(&catalogue))
            .collect();
        let atlas = SmallAtlas::new(profiles);
        let tables = policy.compile(&atlas, AT).unwrap();
        for (class, case) in (1u16..).zip(&cases.case) {
            let subject = Subject {
                catalogue: &catalogue,
                zone: policy.zone_of("10.1.2.3".parse().unwrap()),
                destination: "203.0.113.1".parse().unwrap(),
                profile: &atlas.profiles[usize::from(class)],
                asn: None,
                protocol: 6,
                port: 443,
                name: { case.name.as_deref() }
                    .or_else(|| case.has_spoken().then_some("www.example.org")),
                naming: case.naming(),
                speaks: case.speaks.as_deref(),
                ech: case.ech.unwrap_or_default(),
                chain: &[],
                opaque: Opaque::None,
                at: AT,
            };
            let decision = policy.evaluate(&subject);
            if !case.has_spoken() {
                assert_eq!(
                    decision,
                    tables.decide(subject.zone, class, 0, 6, 443, Opaque::None)
                );
            }
            let found = (decision.verdict.name(), policy.rule_name(decision.rule));
            if found != (case.verdict.as_str(), case.rule.as_str()) {
                wrong.push(format!("{}: {}: {found:?}", cases.preset, case.about));
            }
        }
        judged.push(cases.preset);
    }
    judged.sort_unstable();
    let mut all = Policy::PRESETS;
    all.sort_unstable();
    assert_eq!(judged, all, "one file of cases for each preset");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whatever a client speaks, hides or leaves unsaid, no preset lets pass by it what it would stop of a
/// client that says its name plainly.
#[test]
fn hiding_opens_nothing() {
    let catalogue = Catalogue::embedded().unwrap();
    let mut profiles: Vec<Profile> = Vec::new();
    for operator in catalogue.operators() {
        for country in ["FR", "DE", "NC", "CH", "CA", "US", "CN"] {
            for confidence in [HostingConfidence::Located, HostingConfidence::Contested] {
                let mut profile = Profile::unknown();
                profile.hosting.country = country.parse().ok();
                profile.hosting.confidence = confidence;
                profile.control = catalogue.control_of_operator(operator);
                profiles.push(profile);
            }
        }
    }
    for confidence in [HostingConfidence::Anycast, HostingConfidence::Unknown] {
        let mut profile = Profile::unknown();
        profile.hosting.confidence = confidence;
        profiles.push(profile);
    }
    profiles.extend(
        catalogue
            .services()
            .map(|service| catalogue.profile_with_service(&Profile::unknown(), &service.id)),
    );
    for name in Policy::PRESETS {
        let policy = parse(Policy::preset(name).unwrap());
        for profile in &profiles {
            let plain = Subject {
                catalogue: &catalogue,
                zone: 1,
                destination: "203.0.113.1".parse().unwrap(),
                profile,
                asn: None,
                protocol: 6,
                port: 443,
                name: Some("www.example.org"),
                naming: Naming::Confirmed,
                speaks: Some("tls"),
                ech: EchSeen::None,
                chain: &[],
                opaque: Opaque::None,
                at: AT,
            };
            let wanted = policy.evaluate(&plain).verdict;
            let words = octroi_policy::naming::SPEECH.map(Some);
            for speaks in words.into_iter().chain([None]) {
                for naming in Naming::ASKED {
                    for ech in EchSeen::ALL {
                        let nameless = naming == Naming::Nameless;
                        let hidden = Subject {
                            name: plain.name.filter(|_| !nameless),
                            naming,
                            speaks,
                            ech,
                            ..plain
                        };
                        let found = policy.evaluate(&hidden).verdict;
                        assert!(
                            found.stops() || found >= wanted,
                            "{name}: {speaks:?} {naming:?} {ech:?} opens {profile:?}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn names_that_presets_forbid_are_refused_before_there_is_an_address() {
    let catalogue = Catalogue::embedded().unwrap();
    let refused = |preset: &str, name: &str| {
        let policy = parse(Policy::preset(preset).unwrap());
        match policy.judge_query(&catalogue, 1, name, AT) {
            QueryVerdict::Open => None,
            QueryVerdict::Forbidden { rule, .. } => Some(policy.rule_name(rule).to_owned()),
        }
    };
    for name in [
        "teams.microsoft.com",
        "mask.icloud.com",
        "dns.google",
        "use-application-dns.net",
    ] {
        assert_eq!(refused("observe", name), None, "{name}");
        assert!(refused("cloud-au-centre", name).is_some(), "{name}");
    }
    let rule = |preset, name| refused(preset, name).unwrap();
    assert_eq!(
        rule("cloud-au-centre", "teams.microsoft.com"),
        "foreign-meetings"
    );
    assert_eq!(rule("gdpr", "mask.icloud.com"), "relays-and-vpns");
    assert_eq!(
        rule("france-only", "mozilla.cloudflare-dns.com"),
        "foreign-resolvers"
    );
    assert_eq!(rule("gdpr", "use-application-dns.net"), "firefox-own-dns");
    for preset in ["gdpr", "cloud-au-centre", "france-only"] {
        for name in ["grabify.link", "x.iplogger.org"] {
            assert_eq!(rule(preset, name), "tracking-links", "{preset} {name}");
        }
        // Lawful uses, or a mere likeness: the address decides.
        for name in ["canarytokens.com", "grabify.example"] {
            assert_eq!(refused(preset, name), None, "{preset} {name}");
        }
    }
    assert_eq!(refused("observe", "grabify.link"), None);
    for name in [
        "www.service-public.fr",
        "visio.numerique.gouv.fr",
        "ns0.fdn.fr",
    ] {
        assert_eq!(refused("cloud-au-centre", name), None, "{name}");
    }
}

#[test]
fn presets_parse_without_errors_and_warnings() {
    for name in Policy::PRESETS {
        let policy = parse(Policy::preset(name).unwrap());
        assert_eq!(policy.name, name);
        assert!(policy.warnings.is_empty(), "{}", policy.warnings);
    }
    assert!(Policy::preset("nothing").is_none());
}

/// Copy and edit: another name, other zones, the rules as they are.
#[test]
fn presets_accept_zones_of_the_user() {
    for name in Policy::PRESETS {
        let text = Policy::preset(name).unwrap();
        let from = text.find("[[zone]]").unwrap();
        let to = from + text[from..].find("[[rule]]").unwrap();
        let zones = "[[zone]]\nname = \"cabinet\"\nprefixes = [\"10.10.0.0/16\", \"fd00:10::/48\"]\n\
                     [[zone]]\nname = \"guests\"\nprefixes = [\"10.20.0.0/16\"]\n";
        let text = format!("{}{zones}{}", &text[..from], &text[to..]);
        let policy = parse(&text);
        assert_eq!(policy.zones.len(), 2);
        assert_eq!(
            policy.zone_name(policy.zone_of("10.10.1.1".parse().unwrap())),
            "cabinet"
        );
        let atlas: Arc<SmallAtlas> = Arc::new(SmallAtlas::new(Vec::new()));
        assert!(policy.compile(&*atlas, AT).is_ok());
    }
}
