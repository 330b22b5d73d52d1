//! The findings of a review with the counts beside them.

use std::collections::BTreeMap;
use std::fmt;

use jiff::civil::Date;
use serde::Serialize;

use super::super::Catalogue;
use super::{Finding, STALE_DAYS, Severity};

/// What sources say that nobody looked up.
const NOT_LOOKED_UP: &str = "general knowledge";

/// The kinds of claims, in the order in which they are told.
const KINDS: [&str; 9] = [
    "country",
    "adequacy",
    "law",
    "period",
    "basis",
    "operator",
    "service",
    "qualification",
    "ip_logger",
];

/// Counts of one kind of claim.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counted {
    /// How many there are.
    pub claims: usize,
    /// How many of them name a source and a day.
    pub sourced: usize,
    /// How many of those rest on general knowledge, wholly or in part: nobody looked that up.
    pub general_knowledge: usize,
    /// How many were checked within a year.
    pub fresh: usize,
}

/// What a review found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Review {
    /// The day of the review.
    pub today: Date,
    /// Day up to which the facts were checked.
    pub as_of: Date,
    /// Which catalogue it was.
    pub fingerprint: String,
    /// Counts by kind of claim, in the order of the kinds.
    pub counts: Vec<(&'static str, Counted)>,
    /// Errors first.
    pub findings: Vec<Finding>,
}

impl Review {
    pub(super) fn new(catalogue: &Catalogue, today: Date, mut findings: Vec<Finding>) -> Self {
        findings.sort_by(|a, b| (a.severity, a.kind).cmp(&(b.severity, b.kind)));
        let mut counted: BTreeMap<&str, Counted> = BTreeMap::new();
        for (kind, _, source, as_of) in provenance(catalogue) {
            let count = counted.entry(kind).or_default();
            count.claims += 1;
            count.sourced += usize::from(!source.is_empty() && as_of > Date::ZERO);
            count.general_knowledge += usize::from(source.contains(NOT_LOOKED_UP));
            count.fresh += usize::from((today - as_of).get_days() <= STALE_DAYS);
        }
        let counts = KINDS
            .iter()
            .map(|kind| (*kind, counted.remove(kind).unwrap_or_default()));
        Self {
            today,
            as_of: catalogue.as_of(),
            fingerprint: catalogue.fingerprint(),
            counts: counts.collect(),
            findings,
        }
    }

    /// How many findings are errors.
    #[must_use]
    pub fn errors(&self) -> usize {
        let errors = self.findings.iter();
        errors
            .filter(|finding| finding.severity == Severity::Error)
            .count()
    }
}

impl fmt::Display for Review {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            writeln!(f, "{finding}")?;
        }
        if !self.findings.is_empty() {
            writeln!(f)?;
        }
        writeln!(
            f,
            "catalogue of {} ({}), reviewed as of {}",
            self.as_of,
            self.fingerprint.get(..12).unwrap_or_default(),
            self.today
        )?;
        writeln!(
            f,
            "{:14} {:>6} {:>17} {:>18} {:>21}",
            "claims", "count", "source and date", "general knowledge", "checked within a year"
        )?;
        let mut total = Counted::default();
        for (kind, count) in &self.counts {
            line(f, kind, count)?;
            total.claims += count.claims;
            total.sourced += count.sourced;
            total.general_knowledge += count.general_knowledge;
            total.fresh += count.fresh;
        }
        line(f, "all", &total)?;
        let errors = self.errors();
        write!(
            f,
            "{errors} errors, {} warnings",
            self.findings.len() - errors
        )
    }
}

fn line(f: &mut fmt::Formatter<'_>, kind: &str, count: &Counted) -> fmt::Result {
    writeln!(
        f,
        "{kind:14} {:>6} {:>17} {:>18} {:>21}",
        count.claims, count.sourced, count.general_knowledge, count.fresh
    )
}

/// Every claim: its kind, id, source and day.
pub(super) fn provenance(catalogue: &Catalogue) -> Vec<(&'static str, String, &str, Date)> {
    let mut claims: Vec<(&'static str, String, &str, Date)> = Vec::new();
    for country in catalogue.countries() {
        let code = country.code.to_string();
        claims.push(("country", code.clone(), &country.source, country.as_of));
        let decisions = country.adequacy.iter();
        claims.extend(decisions.map(|held| ("adequacy", code.clone(), &*held.source, held.as_of)));
    }
    for law in catalogue.laws() {
        claims.push(("law", law.id.to_string(), &law.source, law.as_of));
        let periods = law.periods.iter();
        claims.extend(periods.map(|p| ("period", law.id.to_string(), &*p.source, p.as_of)));
    }
    let bases = catalogue.bases();
    claims.extend(bases.map(|basis| ("basis", basis.id.to_string(), &*basis.source, basis.as_of)));
    let operators = catalogue.operators();
    claims.extend(operators.map(|o| ("operator", o.id.to_string(), &*o.source, o.as_of)));
    for service in catalogue.services() {
        let id = service.id.to_string();
        claims.push(("service", id.clone(), &service.source, service.as_of));
        claims.extend(service.qualifications.iter().map(|held| {
            let source = held.source.as_deref().unwrap_or_default();
            let as_of = held.as_of.unwrap_or(Date::ZERO);
            ("qualification", id.clone(), source, as_of)
        }));
    }
    let loggers = catalogue.ip_loggers();
    claims.extend(loggers.map(|l| ("ip_logger", l.host.to_string(), &*l.source, l.as_of)));
    claims
}
