//! From the text of a file to its entries, each with its place, before they are compared.

use std::sync::Arc;

use jiff::civil::Date;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::country::{Adequacy, Country, Extent, PastRegime, Regime};
use super::domains::domain_fault;
use super::entry::{Entry, Placed, shared};
use super::law::{Basis, Law, LawClass};
use super::operator::{Operator, OperatorKind, Parent};
use super::problem::{Place, Problems, did_you_mean};
use super::service::{Category, IpLogger, PortRange, Service};
use crate::profile::{CountryCode, CountryCodeError, Qualification, Reach};

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

    fn country(&mut self, entry: &mut Entry<'_, '_, '_>) {
        let code = entry.text("code");
        if let Some(code) = &code {
            entry.named("country", code.value);
        }
        let name = entry.bilingual("name");
        let regime = membership(entry, "regime");
        let since = entry.optional_date("since").map(|date| date.value);
        let history = entry.tables("history", |past| {
            let regime = membership(past, "regime");
            let (from, until) = past.period();
            Some(PastRegime {
                regime: regime?,
                from: from?,
                until: until?,
            })
        });
        let sovereign = entry.optional_text("sovereign");
        let sovereign = self.code(entry, sovereign.as_ref(), Target::Country);
        let (source, as_of, note) = entry.provenance();
        let place = code.as_ref().map_or(entry.place, |code| code.place);
        let code = code.and_then(|code| exact_code(entry, &code));
        let (Some(code), Some(name), Some(regime)) = (code, name, regime) else {
            return;
        };
        let value = Country {
            code,
            name,
            regime,
            since,
            history,
            sovereign,
            adequacy: Vec::new(),
            source,
            as_of,
            note,
        };
        self.countries.push(Placed { value, place });
    }

    fn adequacy(&mut self, entry: &mut Entry<'_, '_, '_>) {
        let country = entry.text("country");
        if let Some(country) = &country {
            entry.named("adequacy", country.value);
        }
        let country = self.code(entry, country.as_ref(), Target::Country);
        let decision = entry.owned("decision");
        let extent = entry.word::<Extent>("extent");
        let scope = entry.optional_owned("scope");
        if !entry.has("from") {
            let what = format!("{} has no \"from\"", entry.label);
            let place = entry.place;
            entry.problems.add(place, what, "add from = ...");
        }
        let (from, until) = entry.period();
        let (source, as_of, note) = entry.provenance();
        let place = entry.place;
        let (Some(country), Some(extent), Some(from)) = (country, extent, from) else {
            return;
        };
        let value = Adequacy {
            country,
            decision,
            extent,
            scope,
            from,
            until,
            source,
            as_of,
            note,
        };
        self.adequacy.push(Placed { value, place });
    }

    fn law(&mut self, entry: &mut Entry<'_, '_, '_>) {
        let id = id_of(entry, "law");
        let name = entry.bilingual("name");
        let country = entry.text("country");
        let country = self.code(entry, country.as_ref(), Target::Lawmaker);
        let class = entry.word::<LawClass>("class");
        let extraterritorial = entry.flag("extraterritorial");
        let reach = entry.owned("reach");
        let sentence = entry.bilingual("sentence");
        let citation = entry.optional_owned("citation");
        let (from, until) = entry.period();
        let (source, as_of, note) = entry.provenance();
        let (Some(id), Some(name), Some(country), Some(class), Some(sentence)) =
            (id, name, country, class, sentence)
        else {
            return;
        };
        let value = Law {
            id: id.value,
            name,
            country,
            class,
            extraterritorial,
            reach,
            sentence,
            citation,
            from,
            until,
            source,
            as_of,
            note,
        };
        self.laws.push(Placed {
            value,
            place: id.place,
        });
    }

    fn basis(&mut self, entry: &mut Entry<'_, '_, '_>) {
        let id = id_of(entry, "basis");
        let title = entry.bilingual("title");
        let reference = entry.optional_owned("reference");
        let date = entry.date("date");
        let (from, until) = entry.period();
        let effect = entry.bilingual("effect");
        let url = entry.optional_owned("url");
        let (source, as_of, note) = entry.provenance();
        let (Some(id), Some(title), Some(date), Some(effect)) = (id, title, date, effect) else {
            return;
        };
        let value = Basis {
            id: id.value,
            title,
            reference,
            date,
            from,
            until,
            effect,
            url,
            source,
            as_of,
            note,
        };
        self.basis.push(Placed {
            value,
            place: id.place,
        });
    }

    fn operator(&mut self, entry: &mut Entry<'_, '_, '_>) {
        let id = id_of(entry, "operator");
        let name = entry.owned("name");
        let kind = entry.word::<OperatorKind>("kind");
        let hq = entry.text("hq");
        let hq = self.code(entry, hq.as_ref(), Target::Country);
        let parents = entry.tables("parents", |parent| {
            let name = parent.owned("name");
            let country = parent.text("country");
            let country = self.code(parent, country.as_ref(), Target::Country);
            let (from, until) = parent.period();
            Some(Parent {
                name,
                country: country?,
                from,
                until,
            })
        });
        let presence = entry.texts("presence");
        let presence = presence
            .iter()
            .filter_map(|code| self.code(entry, Some(code), Target::Country))
            .collect();
        let laws = entry.texts("laws");
        let mut laws = self.refer_all(Target::Law, &laws, &entry.label);
        laws.sort();
        let asns = entry.numbers("asns");
        let anycast = entry.flag("anycast");
        let (source, as_of, note) = entry.provenance();
        let (Some(id), Some(kind), Some(hq)) = (id, kind, hq) else {
            return;
        };
        let index = self.operators.len();
        self.asns
            .extend(asns.iter().map(|asn| (asn.place, asn.value, index)));
        let value = Operator {
            id: id.value,
            name,
            kind,
            parents,
            hq,
            presence,
            reach: Reach::Unknown,
            laws,
            asns: asns.into_iter().map(|asn| asn.value).collect(),
            anycast,
            source,
            as_of,
            note,
        };
        self.operators.push(Placed {
            value,
            place: id.place,
        });
    }

    fn service(&mut self, entry: &mut Entry<'_, '_, '_>) {
        let id = id_of(entry, "service");
        let name = entry.owned("name");
        let category = entry.word::<Category>("category");
        let operator = entry.text("operator");
        if let Some(operator) = &operator {
            self.refer(Target::Operator, &shared(operator), &entry.label);
        }
        let domains = domains_of(entry);
        let prefixes = entry.parsed::<ipnet::IpNet>("prefixes", "write it as 192.0.2.0/24");
        for prefix in &prefixes {
            if prefix.value.trunc() != prefix.value {
                let what = format!("{} has bits set beyond its length", prefix.value);
                let remedy = format!("write {}", prefix.value.trunc());
                entry.problems.add(prefix.place, what, remedy);
            }
        }
        let ports = entry.parsed::<PortRange>("ports", "write protocol/first-last");
        let anycast = entry.flag("anycast");
        let qualifications = entry.tables("qualifications", |qualification| {
            let scheme = qualification.text("scheme");
            let (from, until) = qualification.period();
            Some(Qualification {
                scheme: Arc::from(scheme?.value),
                from,
                until,
            })
        });
        let sovereign = entry.flag("sovereign");
        let alternatives = entry.texts("alternatives");
        let alternatives = self.refer_all(Target::Service, &alternatives, &entry.label);
        let (source, as_of, note) = entry.provenance();
        let (Some(id), Some(category), Some(operator)) = (id, category, operator) else {
            return;
        };
        let index = self.services.len();
        let placed_domains = domains
            .iter()
            .map(|d| (d.place, Arc::clone(&d.value), index));
        self.domains.extend(placed_domains);
        self.prefixes
            .extend(prefixes.iter().map(|p| (p.place, p.value, index)));
        let value = Service {
            id: id.value,
            name,
            category,
            operator: Arc::from(operator.value),
            domains: domains.into_iter().map(|domain| domain.value).collect(),
            prefixes: prefixes.into_iter().map(|prefix| prefix.value).collect(),
            ports: ports.into_iter().map(|ports| ports.value).collect(),
            anycast,
            qualifications,
            sovereign,
            alternatives,
            source,
            as_of,
            note,
        };
        self.services.push(Placed {
            value,
            place: id.place,
        });
    }

    fn ip_logger(&mut self, entry: &mut Entry<'_, '_, '_>) {
        let host = entry.text("host");
        if let Some(host) = &host {
            entry.named("ip_logger", host.value);
            check_domain(entry, host);
        }
        let family = entry.owned("family");
        let dual_use = entry.flag("dual_use");
        let (source, as_of, note) = entry.provenance();
        let Some(host) = host else { return };
        let value = IpLogger {
            host: Arc::from(host.value),
            family,
            dual_use,
            source,
            as_of,
            note,
        };
        self.ip_loggers.push(Placed {
            value,
            place: host.place,
        });
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
    if text.value.bytes().any(|byte| byte.is_ascii_lowercase()) {
        let what = CountryCodeError(text.value.to_owned()).to_string();
        entry.problems.add(text.place, what, CODE_REMEDY);
        return None;
    }
    entry.parse(text, CODE_REMEDY)
}

/// A regime as the catalogue writes it: adequacy is written as decisions.
fn membership(entry: &mut Entry<'_, '_, '_>, field: &'static str) -> Option<Regime> {
    let text = entry.text(field)?;
    let regime = entry.word_of::<Regime>(&text)?;
    if matches!(regime, Regime::Adequate | Regime::AdequatePartial) {
        let what = format!("adequacy is not a regime of {}", entry.label);
        let remedy = "write THIRD here and an [[adequacy]] entry with its date";
        entry.problems.add(text.place, what, remedy);
        return None;
    }
    Some(regime)
}

fn domains_of(entry: &mut Entry<'_, '_, '_>) -> Vec<Placed<Arc<str>>> {
    let domains = entry.texts("domains");
    for domain in &domains {
        check_domain(entry, domain);
    }
    domains.iter().map(shared).collect()
}

fn check_domain(entry: &mut Entry<'_, '_, '_>, domain: &Placed<&str>) {
    if let Some(remedy) = domain_fault(domain.value) {
        let what = format!("\"{}\" is not a domain", domain.value);
        entry.problems.add(domain.place, what, remedy);
    }
}
