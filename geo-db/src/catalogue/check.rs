//! What only shows when all entries are compared: duplicates and ids that lead nowhere.

use std::collections::{HashMap, HashSet};
use std::fmt::Display;
use std::hash::Hash;

use super::draft::{Draft, Target};
use super::problem::{Place, Problems, did_you_mean};

/// Compares all entries; every fault becomes a problem.
pub(super) fn check(draft: &Draft, problems: &mut Problems<'_>) {
    duplicates(draft, problems);
    references(draft, problems);
}

fn duplicates(draft: &Draft, problems: &mut Problems<'_>) {
    let countries = draft.countries.iter();
    let countries = countries.map(|country| (country.place, country.value.code, ""));
    unique(problems, "country", countries, "keep one of them");
    let laws = draft.laws.iter().map(|law| (law.place, &law.value.id, ""));
    unique(problems, "law", laws, "keep one of them");
    let basis = draft.basis.iter();
    let basis = basis.map(|basis| (basis.place, &basis.value.id, ""));
    unique(problems, "basis", basis, "keep one of them");
    let operators = draft.operators.iter();
    let operators = operators.map(|operator| (operator.place, &operator.value.id, ""));
    unique(problems, "operator", operators, "keep one of them");
    let services = draft.services.iter();
    let services = services.map(|service| (service.place, &service.value.id, ""));
    unique(problems, "service", services, "keep one of them");
    let hosts = draft.ip_loggers.iter();
    let hosts = hosts.map(|logger| (logger.place, &logger.value.host, ""));
    unique(problems, "ip_logger", hosts, "keep one of them");

    let operator = |index: usize| draft.operators.get(index).map_or("", |o| &*o.value.id);
    let asns = draft.asns.iter();
    let asns = asns.map(|(place, asn, index)| (*place, *asn, operator(*index)));
    unique(problems, "AS", asns, "one operator announces it");
    let service = |index: usize| draft.services.get(index).map_or("", |s| &*s.value.id);
    let domains = draft.domains.iter();
    let domains = domains.map(|(place, domain, index)| (*place, domain, service(*index)));
    unique(problems, "domain", domains, "leave it with one service");
    let prefixes = draft.prefixes.iter();
    let prefixes = prefixes.map(|(place, prefix, index)| (*place, prefix, service(*index)));
    unique(problems, "prefix", prefixes, "leave it with one service");
    let prefixes = draft.operator_prefixes.iter();
    let prefixes = prefixes.map(|(place, prefix, index)| (*place, prefix, operator(*index)));
    unique(problems, "prefix", prefixes, "leave it with one operator");
}

/// Tells every key that was seen before, with the owner and place of the first.
fn unique<K: Hash + Eq + Display>(
    problems: &mut Problems<'_>,
    kind: &str,
    keys: impl Iterator<Item = (Place, K, impl Display)>,
    remedy: &str,
) {
    let mut first: HashMap<K, (Place, String)> = HashMap::new();
    for (place, key, owner) in keys {
        match first.get(&key) {
            None => {
                first.insert(key, (place, owner.to_string()));
            }
            Some((before, owner)) => {
                let whose = if owner.is_empty() {
                    String::new()
                } else {
                    format!(" to \"{owner}\"")
                };
                let quoted = format!("{kind} \"{key}\"");
                let verb = if owner.is_empty() {
                    "is defined"
                } else {
                    "is given"
                };
                let what = format!(
                    "{quoted} {verb}{whose} at {} already",
                    problems.tell(*before)
                );
                problems.add(place, what, remedy);
            }
        }
    }
}

fn references(draft: &Draft, problems: &mut Problems<'_>) {
    let countries: HashSet<&str> = draft
        .countries
        .iter()
        .map(|country| country.value.code.as_str())
        .collect();
    let laws: HashSet<&str> = draft.laws.iter().map(|law| &*law.value.id).collect();
    let operators: HashSet<&str> = draft.operators.iter().map(|o| &*o.value.id).collect();
    let services: HashSet<&str> = draft.services.iter().map(|s| &*s.value.id).collect();
    for reference in &draft.references {
        let id = &*reference.id;
        let (kind, known) = match reference.target {
            Target::Lawmaker if id == "EU" => continue,
            Target::Country | Target::Lawmaker => ("country", &countries),
            Target::Law => ("law", &laws),
            Target::Operator => ("operator", &operators),
            Target::Service => ("service", &services),
        };
        if known.contains(id) {
            continue;
        }
        let remedy = if kind == "country" {
            CODE_UNKNOWN.to_owned()
        } else {
            let otherwise = format!("define the {kind} or correct the id");
            did_you_mean(id, known.iter().copied(), &otherwise)
        };
        let what = format!("{kind} \"{id}\" of {} is not defined", reference.by);
        problems.add(reference.place, what, remedy);
    }
}

const CODE_UNKNOWN: &str = "no [[country]] has this code; check ISO 3166-1";
