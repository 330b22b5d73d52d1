//! What is missing, what cannot be recognised, what lies inside something else.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;

use super::super::{Catalogue, Service, Text};
use super::{Findings, Severity, iso};

pub(super) fn check(catalogue: &Catalogue, findings: &mut Findings<'_>) {
    codes(catalogue, findings);
    texts(catalogue, findings);
    recognition(catalogue, findings);
    prefixes(catalogue, findings);
    domains(catalogue, findings);
    uses(catalogue, findings);
}

/// ISO 3166-1, no more and no less.
fn codes(catalogue: &Catalogue, findings: &mut Findings<'_>) {
    let wanted: BTreeSet<&str> = iso::codes().collect();
    let held: BTreeSet<&str> = catalogue
        .countries()
        .map(|country| country.code.as_str())
        .collect();
    for code in wanted.difference(&held) {
        let what = "ISO 3166-1 has this code, the catalogue has not";
        findings.add(Severity::Error, "country", code, what, "add a [[country]]");
    }
    for code in held.difference(&wanted) {
        let what = "ISO 3166-1 has no such code";
        findings.add(
            Severity::Error,
            "country",
            code,
            what,
            "remove it or correct it",
        );
    }
}

/// Sentences that are the same in both languages were forgotten in one.
fn texts(catalogue: &Catalogue, findings: &mut Findings<'_>) {
    let mut same = |kind, id: &str, field: &str, text: &Text| {
        if text.en == text.fr {
            let what = format!("{field} is the same in English and French");
            findings.add(Severity::Warning, kind, id, what, "translate it");
        }
    };
    for law in catalogue.laws() {
        same("law", &law.id, "sentence", &law.sentence);
        for remark in law
            .periods
            .iter()
            .filter_map(|period| period.remark.as_ref())
        {
            same("law", &law.id, "remark", remark);
        }
    }
    for basis in catalogue.bases() {
        same("basis", &basis.id, "effect", &basis.effect);
    }
}

/// Can an operator or a service be met at all?
fn recognition(catalogue: &Catalogue, findings: &mut Findings<'_>) {
    let met = |service: &Service| !service.domains.is_empty() || !service.prefixes.is_empty();
    let by_service: BTreeSet<&str> = catalogue
        .services()
        .filter(|service| met(service))
        .map(|service| &*service.operator)
        .collect();
    for operator in catalogue.operators() {
        let own = !operator.asns.is_empty() || !operator.prefixes.is_empty();
        if !own && !by_service.contains(&*operator.id) {
            let what = "no AS, no prefix and no service with names: nothing leads to it";
            let remedy = "add asns, prefixes or a service with domains";
            findings.add(Severity::Warning, "operator", &operator.id, what, remedy);
        }
    }
    for service in catalogue.services().filter(|service| !met(service)) {
        let what = "no domain and no prefix: it is named and advised, never recognised";
        let remedy = "add them if it has any of its own";
        findings.add(Severity::Warning, "service", &service.id, what, remedy);
    }
}

/// A prefix inside another operator's, or inside one of its own service: the narrower decides, and
/// somebody should know. Inside another service of the same operator is how services are told
/// apart.
fn prefixes(catalogue: &Catalogue, findings: &mut Findings<'_>) {
    let services = catalogue.service_prefixes();
    let services = services.map(|(prefix, service)| (prefix, &*service.id));
    let operator = |id: &str| catalogue.service(id).map(|service| &*service.operator);
    let apart = |a: &str, b: &str| a != b && operator(a) == operator(b);
    nested("service", services.collect(), apart, findings);
    let operators = catalogue.operator_prefixes();
    let operators = operators.map(|(prefix, operator)| (prefix, &*operator.id));
    nested("operator", operators.collect(), |_, _| false, findings);
}

fn nested(
    kind: &'static str,
    mut all: Vec<(IpNet, &str)>,
    meant: impl Fn(&str, &str) -> bool,
    findings: &mut Findings<'_>,
) {
    all.sort_by_key(|(prefix, _)| (prefix.addr(), prefix.prefix_len()));
    let mut around: Vec<(IpNet, &str)> = Vec::new();
    for (prefix, owner) in all {
        while around
            .last()
            .is_some_and(|(outer, _)| !outer.contains(&prefix))
        {
            around.pop();
        }
        if let Some((outer, other)) = around.last().filter(|(_, other)| !meant(owner, other)) {
            let what = if owner == *other {
                format!("{prefix} lies inside its own {outer}")
            } else {
                format!("{prefix} lies inside {outer} of {kind} \"{other}\"")
            };
            let remedy = "the narrower one decides; leave one out if that is not meant";
            findings.add(Severity::Warning, kind, owner, what, remedy);
        }
        around.push((prefix, owner));
    }
}

/// A domain below one of another operator's service; below its own it is how services are told
/// apart.
fn domains(catalogue: &Catalogue, findings: &mut Findings<'_>) {
    for service in catalogue.services() {
        for domain in &service.domains {
            let above = domain.split_once('.').map(|(_, above)| above);
            let Some(outer) = above.and_then(|above| catalogue.service_of_domain(above)) else {
                continue;
            };
            if outer.id == service.id {
                let what = format!("{domain} lies below another of its domains");
                let remedy = "the shorter one is enough";
                findings.add(Severity::Warning, "service", &service.id, what, remedy);
            } else if outer.operator != service.operator {
                let what = format!("{domain} lies below a domain of service \"{}\"", outer.id);
                let remedy = "the longer one decides; check who runs it";
                findings.add(Severity::Warning, "service", &service.id, what, remedy);
            }
            if catalogue.ip_logger(domain).is_some() {
                let what = format!("{domain} is a tracking-link host as well");
                findings.add(
                    Severity::Error,
                    "service",
                    &service.id,
                    what,
                    "keep one of them",
                );
            }
        }
    }
}

/// Ids that point at themselves, laws that reach nobody, two services under one name.
fn uses(catalogue: &Catalogue, findings: &mut Findings<'_>) {
    let listed: BTreeSet<&str> = catalogue
        .operators()
        .flat_map(|operator| operator.laws.iter().map(AsRef::as_ref))
        .collect();
    let foreign = catalogue
        .laws()
        .filter(|law| catalogue.is_foreign_reach(law));
    for law in foreign {
        let reached = listed.contains(&*law.id)
            || catalogue
                .operators()
                .any(|operator| operator.presence.contains(&law.country));
        if !reached {
            let what = "it compels abroad and reaches no operator of the catalogue";
            let remedy = "list it with the operators of its State";
            findings.add(Severity::Warning, "law", &law.id, what, remedy);
        }
    }
    let mut names: BTreeMap<&str, &str> = BTreeMap::new();
    for service in catalogue.services() {
        if service.alternatives.contains(&service.id) {
            let what = "it is its own alternative";
            findings.add(Severity::Error, "service", &service.id, what, "remove it");
        }
        if let Some(other) = names.insert(&service.name, &service.id) {
            let what = format!("service \"{other}\" has the same name");
            findings.add(
                Severity::Error,
                "service",
                &service.id,
                what,
                "rename one of them",
            );
        }
        let foreign = service.sovereign
            && catalogue
                .operator(&service.operator)
                .is_some_and(|operator| operator.reach == crate::profile::Reach::Controlled);
        if foreign {
            let what = "it is sovereign and foreign law controls its operator";
            findings.add(
                Severity::Error,
                "service",
                &service.id,
                what,
                "correct one of them",
            );
        }
    }
}

/// Autonomous systems that the routing data do not have.
pub(super) fn check_systems(
    catalogue: &Catalogue,
    announced: &dyn Fn(u32) -> bool,
    findings: &mut Findings<'_>,
) {
    for operator in catalogue.operators() {
        for asn in operator.asns.iter().filter(|asn| !announced(**asn)) {
            let what = format!("AS{asn} announces nothing in the routing data");
            let remedy = "it may have moved: check, and remove it";
            findings.add(Severity::Warning, "operator", &operator.id, what, remedy);
        }
    }
}
