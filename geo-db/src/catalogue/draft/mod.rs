//! From the text of a file to its entries, each with its place, before they are compared.

mod actors;
mod territory;
mod texts;

use std::sync::Arc;

use jiff::civil::Date;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::country::{Adequacy, Country};
use super::entry::{Entry, Placed, shared};
use super::law::{Basis, Law};
use super::operator::Operator;
use super::problem::{Place, Problems, did_you_mean};
use super::service::{IpLogger, Service};
use crate::profile::CountryCode;

/// What an entry names that must exist elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Country,
    /// A country or the Union itself, which has laws but no territory of its own.
    Lawmaker,
    Law,
    Operator,
    Service,
}

/// One use of an id.
#[derive(Debug)]
pub(super) struct Reference {
    pub(super) target: Target,
    pub(super) id: Arc<str>,
    pub(super) place: Place,
    /// Who names it: `service "zoom"`.
    pub(super) by: String,
}

/// The entries of all files as they were read.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) as_of: Option<Date>,
    pub(super) countries: Vec<Placed<Country>>,
    pub(super) adequacy: Vec<Placed<Adequacy>>,
    pub(super) laws: Vec<Placed<Law>>,
    pub(super) basis: Vec<Placed<Basis>>,
    pub(super) operators: Vec<Placed<Operator>>,
    pub(super) services: Vec<Placed<Service>>,
    pub(super) ip_loggers: Vec<Placed<IpLogger>>,
    pub(super) references: Vec<Reference>,
    /// (place, number, index of the operator)
    pub(super) asns: Vec<(Place, u32, usize)>,
    /// (place, domain, index of the service)
    pub(super) domains: Vec<(Place, Arc<str>, usize)>,
    /// (place, prefix, index of the service)
    pub(super) prefixes: Vec<(Place, ipnet::IpNet, usize)>,
    /// (place, prefix, index of the operator)
    pub(super) operator_prefixes: Vec<(Place, ipnet::IpNet, usize)>,
}

const CODE_REMEDY: &str = "write the ISO 3166-1 alpha-2 code, such as FR";
const KINDS: [&str; 7] = [
    "adequacy",
    "basis",
    "country",
    "ip_logger",
    "law",
    "operator",
    "service",
];

impl Draft {
    /// Reads one file. Any file may hold any kind of entry.
    pub(super) fn read(&mut self, index: usize, problems: &mut Problems<'_>) {
        let Some(file) = problems.files.get(index) else {
            return;
        };
        let (document, errors) = DeTable::parse_recoverable(file.text);
        for error in &errors {
            let place = Place::at(index, &error.span().unwrap_or(0..0));
            let what = error.message().lines().collect::<Vec<_>>().join(", ");
            problems.add(place, what, "correct the TOML syntax");
        }
        if !errors.is_empty() {
            // What could be read around a syntax error would only raise false problems.
            return;
        }
        let mut top = Entry::new(problems, document.get_ref(), index, &(0..0), "the file");
        let as_of = top.date("as_of");
        self.as_of = self.as_of.max(as_of);
        for (key, value) in document.get_ref() {
            let kind = key.get_ref().as_ref();
            if kind == "as_of" {
                continue;
            }
            if KINDS.contains(&kind) {
                self.entries(kind, value, index, top.problems);
            } else {
                let remedy = did_you_mean(kind, KINDS, &format!("known: {}", KINDS.join(", ")));
                let what = format!("unknown kind of entry \"{kind}\"");
                let place = Place::at(index, &key.span());
                top.problems.add(place, what, remedy);
            }
        }
    }

    fn entries(
        &mut self,
        kind: &str,
        value: &Spanned<DeValue<'_>>,
        file: usize,
        problems: &mut Problems<'_>,
    ) {
        let tables = value
            .get_ref()
            .as_array()
            .map_or(&[][..], |array| &array[..]);
        if tables.is_empty() {
            let what = format!("\"{kind}\" is not a list of entries");
            let remedy = format!("write [[{kind}]] above each entry");
            problems.add(Place::at(file, &value.span()), what, remedy);
        }
        for item in tables {
            let place = Place::at(file, &item.span());
            let Some(table) = item.get_ref().as_table() else {
                let what = format!("an entry of \"{kind}\" is no table");
                problems.add(place, what, format!("write [[{kind}]] above each entry"));
                continue;
            };
            let mut entry = Entry::new(problems, table, file, &item.span(), kind);
            match kind {
                "country" => self.country(&mut entry),
                "adequacy" => self.adequacy(&mut entry),
                "law" => self.law(&mut entry),
                "basis" => self.basis(&mut entry),
                "operator" => self.operator(&mut entry),
                "service" => self.service(&mut entry),
                _ => self.ip_logger(&mut entry),
            }
            entry.finish();
        }
    }

    fn refer(&mut self, target: Target, id: &Placed<Arc<str>>, by: &str) {
        self.references.push(Reference {
            target,
            id: Arc::clone(&id.value),
            place: id.place,
            by: by.to_owned(),
        });
    }

    fn refer_all(&mut self, target: Target, ids: &[Placed<&str>], by: &str) -> Vec<Arc<str>> {
        let mut shared_ids = Vec::with_capacity(ids.len());
        for id in ids {
            let id = shared(id);
            self.refer(target, &id, by);
            shared_ids.push(id.value);
        }
        shared_ids
    }

    /// A code that must be in the catalogue.
    fn code(
        &mut self,
        entry: &mut Entry<'_, '_, '_>,
        text: Option<&Placed<&str>>,
        target: Target,
    ) -> Option<CountryCode> {
        let text = text?;
        let code = exact_code(entry, text)?;
        let label = entry.label.clone();
        self.refer(target, &shared(text), &label);
        Some(code)
    }
}

/// The id of an entry: lower case letters, digits, `-` and `_`.
fn id_of(entry: &mut Entry<'_, '_, '_>, kind: &str) -> Option<Placed<Arc<str>>> {
    let id = entry.text("id")?;
    entry.named(kind, id.value);
    let fits =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    if !id.value.bytes().all(fits) {
        let what = format!("\"{}\" is not an id", id.value);
        entry
            .problems
            .add(id.place, what, "a-z, 0-9, - and _ are expected");
    }
    Some(shared(&id))
}

fn exact_code(entry: &mut Entry<'_, '_, '_>, text: &Placed<&str>) -> Option<CountryCode> {
    let upper = !text.value.bytes().any(|byte| byte.is_ascii_lowercase());
    let code = text.value.parse().ok().filter(|_| upper);
    if code.is_none() {
        let what = format!("\"{}\" is not a country code", text.value);
        entry.problems.add(text.place, what, CODE_REMEDY);
    }
    code
}
