//! Reasons in plain words, in English and French side by side: what a condition asks, and what it
//! found. Ids and the words of the policy language stay as a policy writes them.

use octroi_geo_db::catalogue::Text;
use octroi_geo_db::profile::{HostingConfidence, SpecialUse};

use crate::condition::Condition;
use crate::model::{Policy, Rule};
use crate::naming::Naming;
use crate::protocol::protocol_name;
use crate::sets::ZoneSet;
use crate::subject::Facts;
use crate::tracking::{self, TrackingLink};

/// Why a rule matched: its conditions and the facts that met them.
pub(super) fn why(rule: &Rule, facts: &Facts<'_>, policy: &Policy) -> Text {
    if rule.conditions.is_empty() {
        return Text::new("it asks nothing", "elle ne demande rien");
    }
    let met: Vec<Text> = rule
        .conditions
        .iter()
        .map(|condition| {
            let (noun, found) = fact(condition, facts, policy);
            match found {
                Some(found) => Text::new(
                    format!("{} is {}", noun.en, found.en),
                    format!("{} : {}", noun.fr, found.fr),
                ),
                None => Text::new(
                    format!("{} is as asked", noun.en),
                    format!("{} : comme demandé", noun.fr),
                ),
            }
        })
        .collect();
    let join = |pick: fn(&Text) -> &str, between: &str| {
        met.iter().map(pick).collect::<Vec<_>>().join(between)
    };
    Text::new(join(|text| &text.en, ", "), join(|text| &text.fr, " ; "))
}

/// Why a condition failed.
pub(super) fn why_not(condition: &Condition, facts: &Facts<'_>, policy: &Policy) -> Text {
    let (noun, found) = fact(condition, facts, policy);
    let found = found.unwrap_or_else(|| Text::new("not known", "information inconnue"));
    let asked = asked(condition, policy);
    Text::new(
        format!(
            "{} is {}, the rule asks for {}",
            noun.en, found.en, asked.en
        ),
        format!("{} : {} ; la règle demande {}", noun.fr, found.fr, asked.fr),
    )
}

/// What a condition looks at, and what is there.
fn fact(condition: &Condition, facts: &Facts<'_>, policy: &Policy) -> (Text, Option<Text>) {
    (noun(condition), found(condition, facts, policy))
}

fn noun(condition: &Condition) -> Text {
    let (en, fr) = match condition {
        Condition::From(_) => ("zone of the source", "zone de la source"),
        Condition::Protocol(_) => ("protocol", "protocole"),
        Condition::Ports(_) => ("destination port", "port de destination"),
        Condition::Special(_) => ("special use", "usage spécial"),
        Condition::Confidence(_) => ("hosting confidence", "certitude de l'hébergement"),
        Condition::ControlBasis(_) => ("basis of control", "fondement du contrôle"),
        Condition::Reach(_) => ("reach of foreign law", "portée du droit étranger"),
        Condition::Hosting(_) => ("hosting country", "pays d'hébergement"),
        Condition::Control(_) => ("country of control", "pays de contrôle"),
        Condition::Operator(_) => ("operator", "opérateur"),
        Condition::Laws(_) => (
            "law that reaches the operator",
            "loi qui atteint l'opérateur",
        ),
        Condition::Service(_) => ("service", "service"),
        Condition::Category(_) => ("category of service", "catégorie de service"),
        Condition::Sovereign(_) => ("sovereignty of the service", "souveraineté du service"),
        Condition::Qualification(_) => ("qualification", "qualification"),
        Condition::Asn(_) => ("AS", "système autonome"),
        Condition::Prefix(_) => ("destination", "destination"),
        Condition::To(_) => ("zone of the destination", "zone de la destination"),
        Condition::Name(_) => ("name", "nom"),
        Condition::TrackingLink(_) => (
            "tracking link by its name",
            "lien de traçage d'après le nom",
        ),
        Condition::Naming(_) => ("what the name rests on", "ce qui fonde le nom"),
        Condition::Speaks(_) => ("what is spoken", "langage parlé"),
        Condition::Ech(_) => ("hiding of the name (ECH)", "dissimulation du nom (ECH)"),
    };
    Text::new(en, fr)
}

fn found(condition: &Condition, facts: &Facts<'_>, policy: &Policy) -> Option<Text> {
    let subject = facts.subject;
    let profile = subject.profile;
    let control = &profile.control;
    let word = |word: &str| Some(Text::verbatim(word));
    match condition {
        Condition::From(_) => Some(zone_name(policy, subject.zone)),
        Condition::Protocol(_) => word(&protocol_name(subject.protocol)),
        Condition::Ports(_) if subject.port == 0 => Some(none()),
        Condition::Ports(_) => word(&subject.port.to_string()),
        Condition::Special(_) => {
            if facts.is_transition() && profile.special.is_none() {
                return word(SpecialUse::Transition.name());
            }
            let special = profile.special;
            Some(special.map_or_else(none, |used| Text::verbatim(used.name())))
        }
        Condition::Confidence(_) => word(profile.hosting.confidence.name()),
        Condition::ControlBasis(_) => word(control.basis.name()),
        Condition::Reach(_) => word(control.reach.name()),
        Condition::Hosting(_) => match (profile.hosting.country, profile.hosting.confidence) {
            (Some(country), _) => word(country.as_str()),
            (None, HostingConfidence::Anycast) => {
                Some(Text::new("none (anycast)", "aucun (anycast)"))
            }
            _ => None,
        },
        Condition::Control(_) => word(control.country?.as_str()),
        Condition::Operator(_) => word(control.operator.as_deref()?),
        Condition::Laws(_) => facts.laws_known().then(|| listed(control.laws.iter())),
        Condition::Service(_) => word(profile.service.as_deref()?),
        Condition::Category(_) => word(facts.service()?.category.name()),
        Condition::Sovereign(_) => Some(yes_no(facts.service()?.sovereign)),
        Condition::Qualification(_) => {
            let known = profile.service.is_some() || !profile.qualifications.is_empty();
            known.then(|| listed(facts.qualifications()))
        }
        Condition::Asn(_) => word(&subject.asn?.to_string()),
        Condition::Prefix(_) => {
            let addresses: Vec<_> = facts.addresses().map(|found| found.to_string()).collect();
            word(&addresses.join(", "))
        }
        Condition::To(_) => Some(zone_name(policy, facts.destination_zone())),
        Condition::Name(_) => word(subject.name?),
        Condition::TrackingLink(_) => {
            let name = subject.name?;
            let told = TrackingLink::of(subject.catalogue, name).map(|found| {
                let family = tracking::family(subject.catalogue, name);
                Text::verbatim(format!("{} ({family})", found.name()))
            });
            Some(told.unwrap_or_else(none))
        }
        Condition::Naming(_) => {
            (subject.naming != Naming::Pending).then(|| Text::verbatim(subject.naming.name()))
        }
        Condition::Speaks(_) => word(facts.speaks()?),
        Condition::Ech(_) => word(facts.ech()?.name()),
    }
}

/// What a condition asks for, as a policy would write it.
pub(crate) fn asked(condition: &Condition, policy: &Policy) -> Text {
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
        | Condition::Qualification(words)
        | Condition::Speaks(words) => listed(words.items()),
        Condition::Sovereign(wanted) => yes_no(*wanted),
        Condition::Asn(asns) => listed(asns.iter()),
        Condition::Prefix(prefixes) => listed(prefixes.items()),
        Condition::Name(names) => listed(names.items()),
        Condition::TrackingLink(wanted) => listed(wanted.iter().map(|wanted| wanted.name())),
        Condition::Naming(wanted) => listed(wanted.iter().map(|wanted| wanted.name())),
        Condition::Ech(wanted) => listed(wanted.iter().map(|wanted| wanted.name())),
    }
}

fn zone_names(zones: ZoneSet, policy: &Policy) -> Text {
    let known = u8::try_from(policy.zones.len()).unwrap_or(u8::MAX);
    let numbers = (0..=known).filter(|&zone| zones.contains(zone));
    listed(numbers.map(|zone| policy.zone_name(zone)))
}

fn zone_name(policy: &Policy, zone: u8) -> Text {
    if zone == 0 {
        none()
    } else {
        Text::verbatim(policy.zone_name(zone))
    }
}

fn none() -> Text {
    Text::new("none", "aucun")
}

/// A flag as the policy language writes it, in French as people say it.
fn yes_no(flag: bool) -> Text {
    Text::new(flag.to_string(), if flag { "oui" } else { "non" })
}

/// Up to eight items, separated by commas.
fn listed(items: impl IntoIterator<Item = impl ToString>) -> Text {
    const SHOWN: usize = 8;
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    match items.get(..SHOWN) {
        _ if items.is_empty() => none(),
        Some(shown) if items.len() > SHOWN => {
            let (shown, more) = (shown.join(", "), items.len() - SHOWN);
            Text::new(
                format!("{shown} and {more} more"),
                format!("{shown} et {more} de plus"),
            )
        }
        _ => Text::verbatim(items.join(", ")),
    }
}
