//! Real explanations, of the embedded atlas and a shipped policy, as `residency` objects.

use std::net::IpAddr;
use std::sync::LazyLock;

use jiff::civil::date;
use octroi_events::{Evidence, HostingConfidence, Mode, Reach, Residency, ResidencyClass, Verdict};
use octroi_geo_db::Atlas;
use octroi_geo_db::catalogue::Language;
use octroi_policy::{EchSeen, Naming, Opaque, Policy, Subject};

pub(crate) static ATLAS: LazyLock<Atlas> = LazyLock::new(|| Atlas::embedded().unwrap());

fn residency(preset: &str, source: &str, destination: &str, name: Option<&str>) -> Residency {
    let catalogue = ATLAS.catalogue();
    let text = Policy::preset(preset).unwrap();
    let policy = Policy::parse(text, "preset.toml", catalogue).unwrap();
    let destination: IpAddr = destination.parse().unwrap();
    let source: IpAddr = source.parse().unwrap();
    let dossier = ATLAS.dossier(policy.looked_up(destination));
    let service = name.and_then(|name| catalogue.service_of_domain(name));
    let profile = match service {
        Some(service) => catalogue.profile_with_service(&dossier.profile, &service.id),
        None => dossier.profile.clone(),
    };
    let day = date(2026, 11, 21);
    let subject = Subject {
        catalogue,
        zone: policy.zone_of(source),
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
        opaque: Opaque::None,
        at: day,
    };
    let explanation = policy.explain(&subject, dossier, catalogue);
    Residency::from_explanation(&explanation, &ATLAS, Language::En)
}

#[test]
fn azure_paris_is_hosted_in_france_and_controlled_from_the_united_states() {
    let told = residency("cloud-au-centre", "10.1.2.3", "20.74.0.1", None);
    assert_eq!(told.class, ResidencyClass::FrHostedNoneuControl);
    assert!(told.verdict.stops() && told.enforced);
    assert_eq!(
        (told.mode, told.zone.as_deref()),
        (Mode::Enforce, Some("internal"))
    );
    assert_eq!(told.host_country.unwrap().as_str(), "FR");
    assert!(told.host_country_src.is_some());
    assert_eq!(told.confidence, HostingConfidence::Located);
    assert_eq!((told.asn, told.reach), (Some(8075), Reach::Controlled));
    assert_eq!(told.control_country.unwrap().as_str(), "US");
    assert!(told.operator.as_deref().unwrap().contains("Microsoft"));
    assert_eq!(told.control_chain.first(), told.operator.as_ref());
    assert!(!told.legal_regimes.is_empty());
    assert_eq!(told.laws.len(), told.legal_regimes.len());
    assert!(told.laws.iter().all(|law| !law.sentence.is_empty()));
    let speaks = |axis: &str| {
        told.evidence
            .iter()
            .any(|claim: &Evidence| &*claim.axis == axis)
    };
    assert!(speaks("hosting") && speaks("control"));
    let last = told.rule_path.last().unwrap();
    assert!(last.matched && last.rule == told.rule);
    assert!(!told.counterfactual.is_empty());
    assert!(
        told.counterfactual
            .iter()
            .all(|other| other.verdict != told.verdict)
    );
    assert_eq!(told.policy_sha256.len(), 64);
    assert!(!told.db_ver.is_empty());
    assert!(
        told.signature().contains("under non-EU control"),
        "{}",
        told.signature()
    );
}

#[test]
fn a_banned_tool_comes_with_the_sovereign_one() {
    let told = residency(
        "cloud-au-centre",
        "10.1.2.3",
        "52.112.0.1",
        Some("teams.microsoft.com"),
    );
    assert_eq!(told.verdict, Verdict::Reject);
    assert!(told.service.is_some());
    assert_eq!(told.name.as_deref(), Some("teams.microsoft.com"));
    let names: Vec<_> = told.alternatives.iter().map(|offer| &*offer.name).collect();
    assert!(names.iter().any(|name| name.contains("Visio")), "{names:?}");
    // Nobody said how the name was seen.
    assert!(told.name_src.is_none() && told.ech.is_none() && told.name_dns_bound.is_none());
    let mut seen = told;
    seen.observed(Some(octroi_events::NameSource::Sni));
    assert_eq!((seen.name_dns_bound, seen.ech), (Some(true), Some(false)));
    assert!(seen.name_src.is_some());
}

#[test]
fn evidence_agrees_and_conflicts_do_not() {
    for destination in [
        "20.74.0.1",
        "8.8.8.8",
        "51.210.0.1",
        "1.1.1.1",
        "2a01:e0a::1",
        "13.107.42.14",
    ] {
        let told = residency("observe", "192.0.2.1", destination, None);
        assert_eq!(told.zone, None, "{destination}");
        let country = told.host_country.map(|country| country.to_string());
        for claim in told
            .evidence
            .iter()
            .filter(|claim| &*claim.axis == "hosting")
        {
            if let Some(country) = &country {
                assert_eq!(&*claim.value, country, "{destination}");
            }
        }
        for conflict in told
            .conflicts
            .iter()
            .filter(|claim| &*claim.axis == "hosting")
        {
            assert_ne!(Some(&*conflict.value), country.as_deref(), "{destination}");
        }
        assert_eq!(
            told.anycast,
            told.class == ResidencyClass::Anycast,
            "{destination}"
        );
    }
}

#[test]
fn a_private_address_is_internal_and_owes_nothing_to_anybody() {
    let told = residency("cloud-au-centre", "10.1.2.3", "10.9.9.9", None);
    assert_eq!(
        (told.class, told.verdict),
        (ResidencyClass::Internal, Verdict::Allow)
    );
    assert_eq!(told.special.as_deref(), Some("private"));
    assert!(told.operator.is_none() && told.laws.is_empty() && told.alternatives.is_empty());
}
