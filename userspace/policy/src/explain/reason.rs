//! Reasons in plain words: what a condition asks, and what it found.

use octroi_geo_db::profile::HostingConfidence;

use crate::condition::Condition;
use crate::model::{Policy, Rule};
use crate::protocol::protocol_name;
use crate::sets::ZoneSet;
use crate::subject::Facts;

/// Why a rule matched: its conditions and the facts that met them.
pub(super) fn why(rule: &Rule, facts: &Facts<'_>, policy: &Policy) -> String {
    if rule.conditions.is_empty() {
        return "it asks nothing".to_owned();
    }
    let met = rule.conditions.iter().map(|condition| {
        let (noun, found) = fact(condition, facts, policy);
        match found {
            Some(found) => format!("{noun} is {found}"),
            None => format!("{noun} is as asked"),
        }
    });
    met.collect::<Vec<_>>().join(", ")
}

/// Why a condition failed.
pub(super) fn why_not(condition: &Condition, facts: &Facts<'_>, policy: &Policy) -> String {
    let (noun, found) = fact(condition, facts, policy);
    let found = found.unwrap_or_else(|| "not known".to_owned());
    let asked = asked(condition, policy);
    format!("{noun} is {found}, the rule asks for {asked}")
}

/// What a condition looks at, and what is there.
fn fact(
    condition: &Condition,
    facts: &Facts<'_>,
    policy: &Policy,
) -> (&'static str, Option<String>) {
    let subject = facts.subject;
    let profile = subject.profile;
    let control = &profile.control;
    match condition {
        Condition::From(_) => {
            let zone = policy.zone_name(subject.zone);
            ("zone of the source", Some(zone.to_owned()))
        }
        Condition::Protocol(_) => ("protocol", Some(protocol_name(subject.protocol))),
        Condition::Ports(_) => {
            let port = (subject.port != 0).then(|| subject.port.to_string());
            (
                "destination port",
                Some(port.unwrap_or_else(|| "none".to_owned())),
            )
        }
        Condition::Special(_) => {
            let special = profile.special.map_or("none", |used| used.name());
            ("special use", Some(special.to_owned()))
        }
        Condition::Confidence(_) => {
            let confidence = profile.hosting.confidence.name();
            ("hosting confidence", Some(confidence.to_owned()))
        }
        Condition::ControlBasis(_) => ("basis of control", Some(control.basis.name().to_owned())),
        Condition::Reach(_) => (
            "reach of foreign law",
            Some(control.reach.name().to_owned()),
        ),
        Condition::Hosting(_) => {
            let country = profile.hosting.country.map(|country| country.to_string());
            let none = || match profile.hosting.confidence {
                HostingConfidence::Anycast => Some("none (anycast)".to_owned()),
                _ => None,
            };
            ("hosting country", country.or_else(none))
        }
        Condition::Control(_) => {
            let country = control.country.map(|country| country.to_string());
            ("country of control", country)
        }
        Condition::Operator(_) => ("operator", control.operator.as_deref().map(str::to_owned)),
        Condition::Laws(_) => {
            let laws = facts.laws_known().then(|| listed(control.laws.iter()));
            ("law that reaches the operator", laws)
        }
        Condition::Service(_) => ("service", profile.service.as_deref().map(str::to_owned)),
        Condition::Category(_) => {
            let category = facts
                .service()
                .map(|service| service.category.name().to_owned());
            ("category of service", category)
        }
        Condition::Sovereign(_) => {
            let sovereign = facts.service().map(|service| service.sovereign.to_string());
            ("sovereignty of the service", sovereign)
        }
        Condition::Qualification(_) => {
            let held = facts.qualifications();
            let known = profile.service.is_some() || !profile.qualifications.is_empty();
            ("qualification", known.then(|| listed(held)))
        }
        Condition::Asn(_) => ("AS", subject.asn.map(|asn| asn.to_string())),
        Condition::Prefix(_) => ("destination", Some(facts.destination.to_string())),
        Condition::To(_) => {
            let zone = policy.zone_name(facts.destination_zone());
            ("zone of the destination", Some(zone.to_owned()))
        }
        Condition::Name(_) => ("name", subject.name.map(str::to_owned)),
    }
}

/// What a condition asks for, as a policy would write it.
pub(crate) fn asked(condition: &Condition, policy: &Policy) -> String {
    match condition {
        Condition::From(zones) | Condition::To(zones) => zone_names(*zones, policy),
        Condition::Protocol(protocols) => {
            listed(protocols.iter().map(|&number| protocol_name(number)))
        }
        Condition::Ports(ranges) => listed(
            ranges
                .iter()
                .map(|&(low, high)| crate::parse::range(low, high)),
        ),
        Condition::Special(uses) => listed(uses.iter().map(|used| used.name())),
        Condition::Confidence(wanted) => listed(wanted.iter().map(|wanted| wanted.name())),
        Condition::ControlBasis(wanted) => listed(wanted.iter().map(|wanted| wanted.name())),
        Condition::Reach(wanted) => listed(wanted.iter().map(|wanted| wanted.name())),
        Condition::Hosting(places) | Condition::Control(places) => listed(places.items()),
        Condition::Operator(words)
        | Condition::Laws(words)
        | Condition::Service(words)
        | Condition::Category(words)
        | Condition::Qualification(words) => listed(words.items()),
        Condition::Sovereign(wanted) => wanted.to_string(),
        Condition::Asn(asns) => listed(asns.iter()),
        Condition::Prefix(prefixes) => listed(prefixes.items()),
        Condition::Name(names) => listed(names.items()),
    }
}

fn zone_names(zones: ZoneSet, policy: &Policy) -> String {
    let known = u8::try_from(policy.zones.len()).unwrap_or(u8::MAX);
    let numbers = (0..=known).filter(|&zone| zones.contains(zone));
    listed(numbers.map(|zone| policy.zone_name(zone)))
}

/// Up to eight items, separated by commas.
fn listed(items: impl IntoIterator<Item = impl ToString>) -> String {
    const SHOWN: usize = 8;
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    match items.get(..SHOWN) {
        _ if items.is_empty() => "none".to_owned(),
        Some(shown) if items.len() > SHOWN => {
            format!("{} and {} more", shown.join(", "), items.len() - SHOWN)
        }
        _ => items.join(", "),
    }
}
