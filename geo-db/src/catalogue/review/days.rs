//! Days: facts from the future, facts nobody looked at for a year, facts that ended or will soon,
//! periods that overlap or leave a gap.

use jiff::ToSpan as _;
use jiff::civil::Date;

use super::super::{Catalogue, Regime};
use super::table::provenance;
use super::{ENDS_SOON_DAYS, Findings, STALE_DAYS, Severity};

pub(super) fn check(catalogue: &Catalogue, findings: &mut Findings<'_>) {
    checked(catalogue, findings);
    countries(catalogue, findings);
    laws(catalogue, findings);
    operators(catalogue, findings);
    services(catalogue, findings);
}

/// Every entry: not from the future, looked at within a year.
fn checked(catalogue: &Catalogue, findings: &mut Findings<'_>) {
    for (kind, id, _, as_of) in provenance(catalogue) {
        let age = (findings.today - as_of).get_days();
        if age < 0 {
            let what = format!("as_of ({as_of}) is in the future");
            findings.add(
                Severity::Error,
                kind,
                &id,
                what,
                "write the day you checked",
            );
        } else if age > STALE_DAYS {
            let what = format!("nobody checked it since {as_of}");
            let remedy = "look again and write as_of";
            findings.add(Severity::Warning, kind, &id, what, remedy);
        }
    }
}

/// A period with what stands in it, for messages.
struct Span {
    from: Option<Date>,
    until: Option<Date>,
    what: String,
}

impl Span {
    fn new(from: Option<Date>, until: Option<Date>, what: impl Into<String>) -> Self {
        Self {
            from,
            until,
            what: what.into(),
        }
    }
}

/// Periods of one thing in order of time: those that overlap, and those that leave days out.
fn succession(spans: &mut [Span]) -> (Vec<String>, Vec<String>) {
    spans.sort_by_key(|span| span.from);
    let (mut overlaps, mut gaps) = (Vec::new(), Vec::new());
    for pair in spans.windows(2) {
        let [before, after] = pair else { continue };
        let names = format!("\"{}\" and \"{}\"", before.what, after.what);
        let (until, from) = (before.until, after.from);
        match (until, from) {
            (Some(until), Some(from)) if until >= from => {
                overlaps.push(format!("{names} overlap from {from} to {until}"));
            }
            (Some(until), Some(from)) if until.tomorrow().is_ok_and(|next| next < from) => {
                gaps.push(format!(
                    "nothing holds between {names}, from {until} to {from}"
                ));
            }
            (Some(_), Some(_)) => {}
            _ => overlaps.push(format!(
                "{names} overlap: one has no last, or one no first day"
            )),
        }
    }
    (overlaps, gaps)
}

/// Tells a period that ended, or that ends soon.
fn ends(
    findings: &mut Findings<'_>,
    (kind, id): (&'static str, &str),
    what: &str,
    until: Option<Date>,
) {
    let Some(until) = until else { return };
    let soon = findings.today.saturating_add(ENDS_SOON_DAYS.days());
    let told = if until < findings.today {
        format!("{what} ended on {until}")
    } else if until <= soon {
        format!("{what} ends on {until}")
    } else {
        return;
    };
    let remedy = "look for a renewal; write it, or what follows";
    findings.add(Severity::Warning, kind, id, told, remedy);
}

fn countries(catalogue: &Catalogue, findings: &mut Findings<'_>) {
    for country in catalogue.countries() {
        let id = country.code.as_str();
        let history = country.history.iter();
        let mut spans: Vec<Span> = history
            .map(|past| Span::new(Some(past.from), Some(past.until), past.regime.name()))
            .collect();
        if country.since.is_some() || !spans.is_empty() {
            spans.push(Span::new(country.since, None, country.regime.name()));
        }
        let (overlaps, _) = succession(&mut spans);
        for what in overlaps {
            let remedy = "a country has one regime at a time";
            findings.add(Severity::Error, "country", id, what, remedy);
        }
        let decisions = country.adequacy.iter();
        let mut spans: Vec<Span> = decisions
            .map(|held| Span::new(Some(held.from), held.until, &held.decision))
            .collect();
        for what in succession(&mut spans).0 {
            let remedy = "end the first, or write one decision";
            findings.add(Severity::Error, "adequacy", id, what, remedy);
        }
        // Earlier decisions are history; accession to the Union needs none.
        let last = country.adequacy.iter().max_by_key(|held| held.from);
        let acceded = |until: Date| {
            until
                .tomorrow()
                .is_ok_and(|next| country.membership_at(next) != Regime::Third)
        };
        if let Some(last) = last.filter(|last| !last.until.is_some_and(acceded)) {
            ends(findings, ("adequacy", id), &last.decision, last.until);
        }
    }
}

fn laws(catalogue: &Catalogue, findings: &mut Findings<'_>) {
    for law in catalogue.laws() {
        let periods = law.periods.iter();
        let mut spans: Vec<Span> = periods
            .map(|period| Span::new(period.from, period.until, period.force.name()))
            .collect();
        for what in succession(&mut spans).0 {
            let remedy = "periods follow each other";
            findings.add(Severity::Error, "law", &law.id, what, remedy);
        }
        let last = law.periods.iter().max_by_key(|period| period.from);
        ends(
            findings,
            ("law", &law.id),
            "its force",
            last.and_then(|period| period.until),
        );
    }
    for basis in catalogue.bases() {
        if basis.from.is_some_and(|from| from < basis.date) {
            let what = "it is in force before its own date";
            findings.add(
                Severity::Error,
                "basis",
                &basis.id,
                what,
                "correct date or from",
            );
        }
        // A text that was replaced stays, for policies of its time.
        let running = basis.until.filter(|until| *until >= findings.today);
        ends(findings, ("basis", &basis.id), "it", running);
    }
}

fn operators(catalogue: &Catalogue, findings: &mut Findings<'_>) {
    for operator in catalogue.operators() {
        let seats = operator.past_seats.iter();
        let mut spans: Vec<Span> = seats
            .map(|seat| Span::new(seat.from, Some(seat.until), seat.country.as_str()))
            .collect();
        for what in succession(&mut spans).0 {
            let remedy = "a company has one seat at a time";
            findings.add(Severity::Error, "operator", &operator.id, what, remedy);
        }
        let parents = operator.parents.iter();
        let mut spans: Vec<Span> = parents
            .map(|parent| Span::new(parent.from, parent.until, &parent.name))
            .collect();
        let (overlaps, gaps) = succession(&mut spans);
        for what in overlaps {
            let remedy = "who controls it on a day must be one: end the first, or name them as one";
            findings.add(Severity::Error, "operator", &operator.id, what, remedy);
        }
        for what in gaps {
            let remedy = "on those days it counts as its own master; add who controlled it";
            findings.add(Severity::Warning, "operator", &operator.id, what, remedy);
        }
    }
}

fn services(catalogue: &Catalogue, findings: &mut Findings<'_>) {
    for service in catalogue.services() {
        for held in &service.qualifications {
            let what = format!("its qualification {}", held.scheme);
            ends(findings, ("service", &service.id), &what, held.until);
            let unknown = [
                (held.from.is_none(), "first"),
                (held.until.is_none(), "last"),
            ];
            let missing: Vec<&str> = unknown
                .into_iter()
                .filter_map(|(missing, day)| missing.then_some(day))
                .collect();
            if !missing.is_empty() {
                let what = format!(
                    "its qualification {} has no {} day and is taken to hold",
                    held.scheme,
                    missing.join(" and no ")
                );
                let remedy = "read it on the list of the authority";
                findings.add(Severity::Warning, "service", &service.id, what, remedy);
            }
        }
    }
}
