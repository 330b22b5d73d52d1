//! From an explanation to the `residency` object: the one place where the two meet.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;

use jiff::civil::Date;
use octroi_geo_db::atlas::{Confidence, embedded_v4};
use octroi_geo_db::catalogue::{Language, Text};
use octroi_geo_db::profile::{HostingConfidence, Profile, Qualification};
use octroi_geo_db::{Atlas, Axis, Catalogue, Claim, Dossier};
use octroi_policy::{Explanation, Verdict};

use crate::class::{CatalogueOn, ResidencyClass};
use crate::model::SCHEMA;
use crate::residency::{
    Alternative, AxisTrust, BasisLine, Counterfactual, Embedded, Evidence, LawLine, Residency,
    RuleStep, Shadow, Trust,
};

/// Claims of each sort that an object carries: an atlas can hold dozens for one address.
const MOST_CLAIMS: usize = 24;

impl Residency {
    /// The object of an explained decision, its sentences in one language. The day of the evaluation
    /// decides membership of groups and who the parent of an operator is.
    ///
    /// What an explanation does not hold stays absent: who said the name (the caller has seen the
    /// packets: see [`Residency::observed`]), and exemptions.
    #[must_use]
    pub fn from_explanation(explanation: &Explanation, atlas: &Atlas, language: Language) -> Self {
        let day = explanation.at;
        let say = |words: &Text| text(words.get(language));
        let catalogue = atlas.catalogue();
        let profile = &explanation.profile;
        let dossier = &explanation.dossier;
        let regions = CatalogueOn { catalogue, day };
        let (mut evidence, conflicts) = weigh(&dossier.claims, profile, day, language);
        evidence.extend(by_alias(explanation, language));
        let control = &profile.control;
        Self {
            schema: SCHEMA,
            class: ResidencyClass::of(profile, &regions),
            verdict: explanation.verdict,
            enforced: explanation.enforced,
            mode: explanation.mode,
            zone: Some(&*explanation.zone)
                .filter(|zone| *zone != octroi_policy::NO_ZONE)
                .map(Arc::from),
            at: Some(day),
            prefix: Some(dossier.prefix),

            host_country: profile.hosting.country,
            host_country_src: host_source(&dossier.claims, profile),
            confidence: profile.hosting.confidence,
            anycast: profile.hosting.confidence == HostingConfidence::Anycast,
            registered_country: dossier.asn.as_ref().and_then(|asn| asn.country),
            asn: dossier.asn.as_ref().map(|asn| asn.number),
            as_name: dossier
                .asn
                .as_ref()
                .filter(|asn| !asn.name.is_empty())
                .map(|asn| asn.name.clone()),

            operator: explanation.operator_name.as_deref().map(Arc::from),
            operator_id: control.operator.clone(),
            control_country: control.country,
            control_chain: chain(catalogue, profile, day),
            reach: control.reach,
            control_basis: control.basis,
            legal_regimes: control.laws.clone(),
            laws: laws(explanation, language),

            qualification: held_on(profile, day),
            service: profile.service.clone(),
            special: profile.special.map(|special| special.name().into()),
            service_name: explanation.service_name.as_deref().map(Arc::from),
            embedded: embedded(explanation, atlas, &regions).map(Box::new),
            opaque: explanation.opaque.as_deref().map(Arc::from),

            trust: Some(Box::new(trust(dossier, language))),
            evidence,
            conflicts,

            name: explanation.name.as_deref().map(Arc::from),
            name_src: None,
            name_dns_bound: None,
            ech: None,
            ech_seen: explanation.ech,
            naming: explanation.naming,
            speaks: explanation.speaks.as_deref().map(Arc::from),
            name_chain: explanation.chain.iter().map(|name| text(name)).collect(),
            name_could_change: explanation.names_matter,

            rule: text(&explanation.rule),
            rule_title: Some(explanation.rule_title.get(language))
                .filter(|title| !title.is_empty())
                .map(Arc::from),
            rule_path: explanation
                .path
                .iter()
                .map(|step| RuleStep {
                    rule: text(&step.rule),
                    matched: step.matched,
                    reason: say(&step.reason),
                })
                .collect(),
            shadow: explanation.shadow.as_ref().map(|shadow| Shadow {
                rule: text(&shadow.rule),
                verdict: shadow.verdict,
            }),
            exemption: None,
            basis: explanation
                .basis
                .iter()
                .map(|basis| BasisLine {
                    id: text(&basis.id),
                    title: say(&basis.title),
                    date: basis.date,
                })
                .collect(),
            counterfactual: explanation
                .counterfactuals
                .iter()
                .map(|other| Counterfactual {
                    change: say(&other.change),
                    verdict: other.verdict,
                    facts: other.facts,
                })
                .collect(),
            alternatives: alternatives(explanation),

            policy: text(&explanation.policy_name),
            policy_ver: explanation.policy_version.as_deref().map(Arc::from),
            policy_sha256: text(&explanation.policy_sha256),
            db_ver: text(&explanation.atlas_version),
        }
    }
}

/// The alias that showed the service, as evidence.
fn by_alias(explanation: &Explanation, language: Language) -> Option<Evidence> {
    let alias = explanation.service_alias.as_deref()?;
    let name = explanation.name.as_deref()?;
    let note = Text::new(
        format!("by CNAME: the DNS answer for {name} led through {alias}"),
        format!("par CNAME : la réponse DNS pour {name} passait par {alias}"),
    );
    Some(Evidence {
        axis: "service".into(),
        value: explanation.profile.service.clone()?,
        src: "dns-cname".into(),
        reference: alias.into(),
        ver: explanation.at,
        won: true,
        note: Some(text(note.get(language))),
        newer: false,
    })
}

fn text(text: &str) -> Arc<str> {
    text.into()
}

fn laws(explanation: &Explanation, language: Language) -> Vec<LawLine> {
    explanation
        .laws
        .iter()
        .map(|law| LawLine {
            id: text(&law.id),
            name: text(law.name.get(language)),
            sentence: text(law.sentence.get(language)),
        })
        .collect()
}

/// Qualifications that hold on a day.
fn held_on(profile: &Profile, day: Date) -> Vec<Qualification> {
    profile
        .qualifications
        .iter()
        .filter(|held| {
            held.from.is_none_or(|from| from <= day) && held.until.is_none_or(|until| day <= until)
        })
        .cloned()
        .collect()
}

/// Sovereign services only, and only for traffic that is not simply allowed.
fn alternatives(explanation: &Explanation) -> Vec<Alternative> {
    if explanation.verdict == Verdict::Allow {
        return Vec::new();
    }
    explanation
        .alternatives
        .iter()
        .filter(|offer| offer.sovereign)
        .map(|offer| Alternative {
            service: text(&offer.service),
            name: text(&offer.name),
        })
        .collect()
}

/// Splits claims into those that agree with what was judged and those that contradict it. A claim
/// that was not followed may still agree: a second source for the same country.
fn weigh(
    claims: &[Claim],
    profile: &Profile,
    day: Date,
    language: Language,
) -> (Vec<Evidence>, Vec<Evidence>) {
    let (mut agreeing, mut contradicting) = (Vec::new(), Vec::new());
    for claim in claims {
        let evidence = Evidence {
            axis: axis(claim.axis).into(),
            value: text(&claim.value),
            src: text(&claim.source),
            reference: text(&claim.reference),
            ver: claim.date,
            won: claim.won,
            note: claim.note.as_ref().map(|note| text(note.get(language))),
            newer: claim.date > day,
        };
        if claim.won || agrees(claim, profile) {
            agreeing.push(evidence);
        } else {
            contradicting.push(evidence);
        }
    }
    agreeing.truncate(MOST_CLAIMS);
    contradicting.truncate(MOST_CLAIMS);
    (agreeing, contradicting)
}

fn trust(dossier: &Dossier, language: Language) -> Trust {
    let axis = |confidence: &Confidence| AxisTrust {
        level: confidence.level,
        reason: text(confidence.reason.get(language)),
    };
    Trust {
        hosting: axis(&dossier.confidence.hosting),
        control: axis(&dossier.confidence.control),
        qualification: axis(&dossier.confidence.qualification),
    }
}

/// What is known of the address inside a transition address.
fn embedded(
    explanation: &Explanation,
    atlas: &Atlas,
    regions: &CatalogueOn<'_>,
) -> Option<Embedded> {
    let judged = explanation.embedded.as_ref();
    let inside = match judged {
        Some(judged) => IpAddr::V4(judged.address),
        None => IpAddr::V4(embedded_v4(explanation.destination)?),
    };
    let profile = atlas.profile(atlas.class_of(inside));
    let control = &profile.control;
    let operator = control.operator.as_deref();
    let operator = operator.and_then(|id| atlas.catalogue().operator(id));
    Some(Embedded {
        address: inside,
        judged_via: judged.map(|judged| text(&judged.via)),
        server: judged.and_then(|judged| judged.server).map(IpAddr::V4),
        class: ResidencyClass::of(profile, regions),
        host_country: profile.hosting.country,
        confidence: profile.hosting.confidence,
        operator: operator.map(|operator| text(&operator.name)),
        operator_id: control.operator.clone(),
        control_country: control.country,
        reach: control.reach,
        control_basis: control.basis,
        legal_regimes: control.laws.clone(),
        special: profile.special.map(|special| special.name().into()),
    })
}

const fn axis(axis: Axis) -> &'static str {
    match axis {
        Axis::Hosting => "hosting",
        Axis::Control => "control",
        Axis::Qualification => "qualification",
        Axis::Service => "service",
    }
}

fn agrees(claim: &Claim, profile: &Profile) -> bool {
    let value = claim.value.as_str();
    match claim.axis {
        Axis::Hosting => profile
            .hosting
            .country
            .is_some_and(|country| country.as_str() == value),
        Axis::Control => {
            let control = &profile.control;
            control
                .country
                .is_some_and(|country| country.as_str() == value)
                || control.operator.as_deref() == Some(value)
        }
        Axis::Qualification => profile
            .qualifications
            .iter()
            .any(|held| &*held.scheme == value),
        Axis::Service => profile.service.as_deref() == Some(value),
    }
}

/// Who said the country that was judged.
fn host_source(claims: &[Claim], profile: &Profile) -> Option<Arc<str>> {
    let country = profile.hosting.country?;
    claims
        .iter()
        .filter(|claim| claim.axis == Axis::Hosting && claim.value == country.as_str())
        .max_by_key(|claim| claim.won)
        .map(|claim| text(&claim.source))
}

/// Names from the operator up to whoever controls it. The catalogue names the parent as a company;
/// when that company is itself an operator of the catalogue, its own parent follows.
fn chain(catalogue: &Catalogue, profile: &Profile, day: Date) -> Vec<Arc<str>> {
    let mut names = Vec::new();
    let mut seen = HashSet::new();
    let mut operator = profile
        .control
        .operator
        .as_deref()
        .and_then(|id| catalogue.operator(id));
    while let Some(current) = operator {
        if !seen.insert(Arc::clone(&current.id)) {
            break;
        }
        names.push(text(&current.name));
        let Some(parent) = current.parent_at(day) else {
            break;
        };
        operator = catalogue
            .operators()
            .find(|candidate| candidate.name == parent.name);
        if operator.is_none() {
            names.push(text(&parent.name));
        }
    }
    names
}
