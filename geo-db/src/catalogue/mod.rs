//! The catalogue: reviewed facts on countries, laws, operators and services, from TOML files that
//! a lawyer can read and correct.

mod at;
mod check;
mod control;
mod country;
mod domains;
mod draft;
mod entry;
mod law;
mod look_alike;
mod operator;
pub(crate) mod problem;
pub mod review;
mod service;
mod titles;
mod words;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};

use ipnet::IpNet;
use jiff::civil::Date;
use sha2::{Digest, Sha256};

pub use self::country::{Adequacy, Country, Extent, Group, GroupError, PastRegime, Regime};
pub use self::law::{Basis, Force, Law, LawClass, LawId, Period};
pub use self::look_alike::{Likeness, Suspicion};
pub use self::operator::{Operator, OperatorKind, Parent, PastSeat};
pub use self::problem::{CatalogueError, Problem};
pub use self::service::{Category, IpLogger, PortRange, PortRangeError, Service};
pub use self::words::{Language, Text};

use self::domains::SuffixIndex;
use self::draft::Draft;
use self::look_alike::LookAlikes;
use self::problem::{Problems, SourceFile};
use crate::profile::CountryCode;

/// The files of the embedded catalogue.
const EMBEDDED: [(&str, &str); 6] = [
    (
        "countries.toml",
        include_str!("../../catalogue/countries.toml"),
    ),
    ("laws.toml", include_str!("../../catalogue/laws.toml")),
    ("basis.toml", include_str!("../../catalogue/basis.toml")),
    (
        "operators.toml",
        include_str!("../../catalogue/operators.toml"),
    ),
    (
        "services.toml",
        include_str!("../../catalogue/services.toml"),
    ),
    (
        "ip_loggers.toml",
        include_str!("../../catalogue/ip_loggers.toml"),
    ),
];

type Index<K> = HashMap<K, u32, foldhash::fast::RandomState>;

/// Reviewed facts, checked as a whole, indexed, and read as of one day.
///
/// What depends on the day (reach, laws in force, who controls an operator) is that of [`Self::day`]:
/// the day of the facts, unless another one was asked for with [`Self::at`]. A clone is cheap.
#[derive(Clone, Debug)]
pub struct Catalogue {
    /// The day that was asked for, when one was.
    asked: Option<Date>,
    facts: Arc<Facts>,
    /// With the reach of the day.
    operators: Arc<[Operator]>,
}

/// What does not depend on the day.
#[derive(Debug)]
struct Facts {
    as_of: Date,
    fingerprint: String,
    countries: Vec<Country>,
    laws: Vec<Law>,
    basis: Vec<Basis>,
    services: Vec<Service>,
    ip_loggers: Vec<IpLogger>,
    by_code: Index<CountryCode>,
    by_law: Index<Arc<str>>,
    by_basis: Index<Arc<str>>,
    by_operator: Index<Arc<str>>,
    by_service: Index<Arc<str>>,
    by_asn: Index<u32>,
    by_domain: SuffixIndex,
    by_logger: SuffixIndex,
    look_alikes: LookAlikes,
}

impl Catalogue {
    /// The catalogue that is part of the program, read once and shared.
    ///
    /// # Errors
    /// The embedded files are wrong: all problems with file, line and column.
    pub fn embedded() -> Result<Arc<Self>, CatalogueError> {
        static EMBEDDED_CATALOGUE: OnceLock<Arc<Catalogue>> = OnceLock::new();
        if let Some(catalogue) = EMBEDDED_CATALOGUE.get() {
            return Ok(Arc::clone(catalogue));
        }
        let catalogue = Arc::new(Self::from_texts(&EMBEDDED)?);
        Ok(Arc::clone(EMBEDDED_CATALOGUE.get_or_init(|| catalogue)))
    }

    /// Reads a catalogue from (file name, text) pairs. Any file may hold any kind of entry.
    ///
    /// # Errors
    /// All problems of all files: syntax, unknown or missing fields, wrong types, duplicates, ids
    /// that lead nowhere.
    pub fn from_texts(files: &[(&str, &str)]) -> Result<Self, CatalogueError> {
        let sources: Vec<SourceFile<'_>> = files
            .iter()
            .map(|(name, text)| SourceFile::new(name, text))
            .collect();
        let mut problems = Problems::new(&sources);
        let mut draft = Draft::default();
        for index in 0..sources.len() {
            draft.read(index, &mut problems);
        }
        check::check(&draft, &mut problems);
        problems.finish()?;
        Ok(Self::build(draft, fingerprint(files)))
    }

    fn build(draft: Draft, fingerprint: String) -> Self {
        let mut countries: Vec<Country> = draft.countries.into_iter().map(|c| c.value).collect();
        countries.sort_by_key(|country| country.code);
        let by_code: Index<CountryCode> = indexed(countries.iter().map(|country| country.code));
        for adequacy in draft.adequacy {
            let index = by_code.get(&adequacy.value.country);
            if let Some(country) = index.and_then(|index| countries.get_mut(*index as usize)) {
                country.adequacy.push(adequacy.value);
            }
        }
        let laws: Vec<Law> = draft.laws.into_iter().map(|law| law.value).collect();
        let basis: Vec<Basis> = draft.basis.into_iter().map(|basis| basis.value).collect();
        let operators: Vec<Operator> = draft.operators.into_iter().map(|o| o.value).collect();
        let services: Vec<Service> = draft.services.into_iter().map(|s| s.value).collect();
        let ip_loggers: Vec<IpLogger> = draft.ip_loggers.into_iter().map(|l| l.value).collect();
        let mut by_domain = SuffixIndex::default();
        for (_, domain, index) in draft.domains {
            by_domain.insert(domain, u32::try_from(index).unwrap_or(u32::MAX));
        }
        let mut by_logger = SuffixIndex::default();
        for (index, logger) in (0..).zip(&ip_loggers) {
            by_logger.insert(Arc::clone(&logger.host), index);
        }
        let asns = draft.asns.into_iter();
        let by_asn = asns.map(|(_, asn, index)| (asn, u32::try_from(index).unwrap_or(u32::MAX)));
        let facts = Facts {
            as_of: draft.as_of.unwrap_or(Date::ZERO),
            fingerprint,
            by_code,
            by_law: indexed(laws.iter().map(|law| Arc::clone(&law.id))),
            by_basis: indexed(basis.iter().map(|basis| Arc::clone(&basis.id))),
            by_operator: indexed(operators.iter().map(|operator| Arc::clone(&operator.id))),
            by_service: indexed(services.iter().map(|service| Arc::clone(&service.id))),
            by_asn: by_asn.collect(),
            by_domain,
            by_logger,
            look_alikes: LookAlikes::new(&ip_loggers),
            countries,
            laws,
            basis,
            services,
            ip_loggers,
        };
        Self {
            asked: None,
            facts: Arc::new(facts),
            operators: Arc::from(operators),
        }
        .derived()
    }

    /// Day up to which the facts were checked: the latest of the files' own.
    #[must_use]
    pub fn as_of(&self) -> Date {
        self.facts.as_of
    }

    /// The day that everything derived is told for: the one asked for, else that of the facts.
    #[must_use]
    pub fn day(&self) -> Date {
        self.asked.unwrap_or(self.facts.as_of)
    }

    /// SHA-256 of all names and texts, in hexadecimal: which catalogue decided.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        self.facts.fingerprint.clone()
    }

    /// A country or territory by its code.
    #[must_use]
    pub fn country(&self, code: CountryCode) -> Option<&Country> {
        at(&self.facts.countries, self.facts.by_code.get(&code))
    }

    /// Every country, by code.
    pub fn countries(&self) -> impl Iterator<Item = &Country> {
        self.facts.countries.iter()
    }

    /// A law by its id.
    #[must_use]
    pub fn law(&self, id: &str) -> Option<&Law> {
        at(&self.facts.laws, self.facts.by_law.get(id))
    }

    /// Every law.
    pub fn laws(&self) -> impl Iterator<Item = &Law> {
        self.facts.laws.iter()
    }

    /// What a law lets its State do, in one sentence without a full stop.
    #[must_use]
    pub fn law_sentence(&self, id: &str, language: Language) -> Option<&str> {
        Some(self.law(id)?.sentence.get(language))
    }

    /// A text that a policy can rest on, by its id.
    #[must_use]
    pub fn basis(&self, id: &str) -> Option<&Basis> {
        at(&self.facts.basis, self.facts.by_basis.get(id))
    }

    /// Every text that a policy can rest on.
    pub fn bases(&self) -> impl Iterator<Item = &Basis> {
        self.facts.basis.iter()
    }

    /// An operator by its id.
    #[must_use]
    pub fn operator(&self, id: &str) -> Option<&Operator> {
        at(&self.operators, self.facts.by_operator.get(id))
    }

    /// Every operator.
    pub fn operators(&self) -> impl Iterator<Item = &Operator> {
        self.operators.iter()
    }

    /// The operator that announces from an autonomous system.
    #[must_use]
    pub fn operator_of_asn(&self, asn: u32) -> Option<&Operator> {
        at(&self.operators, self.facts.by_asn.get(&asn))
    }

    /// Every prefix that belongs to one operator whoever announces it. Prefixes may nest; no two
    /// are equal.
    pub fn operator_prefixes(&self) -> impl Iterator<Item = (IpNet, &Operator)> {
        self.operators.iter().flat_map(|operator| {
            let prefixes = operator.prefixes.iter();
            prefixes.map(move |prefix| (*prefix, operator))
        })
    }

    /// A service by its id.
    #[must_use]
    pub fn service(&self, id: &str) -> Option<&Service> {
        at(&self.facts.services, self.facts.by_service.get(id))
    }

    /// Every service.
    pub fn services(&self) -> impl Iterator<Item = &Service> {
        self.facts.services.iter()
    }

    /// Every prefix that carries one service alone. Prefixes may nest; no two are equal.
    pub fn service_prefixes(&self) -> impl Iterator<Item = (IpNet, &Service)> {
        self.facts.services.iter().flat_map(|service| {
            service
                .prefixes
                .iter()
                .map(move |prefix| (*prefix, service))
        })
    }

    /// The service whose domain is the longest suffix of a name, on label borders. Any case; one
    /// trailing dot is accepted.
    #[must_use]
    pub fn service_of_domain(&self, name: &str) -> Option<&Service> {
        at(
            &self.facts.services,
            self.facts.by_domain.find(name).as_ref(),
        )
    }

    /// The tracking-link host that a name is or lies below.
    #[must_use]
    pub fn ip_logger(&self, name: &str) -> Option<&IpLogger> {
        at(
            &self.facts.ip_loggers,
            self.facts.by_logger.find(name).as_ref(),
        )
    }

    /// Every tracking-link host.
    pub fn ip_loggers(&self) -> impl Iterator<Item = &IpLogger> {
        self.facts.ip_loggers.iter()
    }

    /// The regime of a country on a day; `Third` when the catalogue does not hold the code.
    #[must_use]
    pub fn regime_at(&self, code: CountryCode, day: Date) -> Regime {
        self.country(code)
            .map_or(Regime::Third, |country| country.regime_at(day))
    }

    /// Does a group hold a country on a day? Accession, withdrawal and adequacy are dated.
    #[must_use]
    pub fn group_contains(&self, group: Group, code: CountryCode, at: Date) -> bool {
        group.holds(self.regime_at(code, at))
    }
}

fn at<'v, T>(values: &'v [T], index: Option<&u32>) -> Option<&'v T> {
    values.get(*index? as usize)
}

fn indexed<K: std::hash::Hash + Eq>(keys: impl Iterator<Item = K>) -> Index<K> {
    keys.zip(0..).collect()
}

fn fingerprint(files: &[(&str, &str)]) -> String {
    let mut hash = Sha256::new();
    for (name, text) in files {
        // Lengths keep (name, text) pairs apart.
        for part in [name, text] {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part.as_bytes());
        }
    }
    hash.finalize()
        .iter()
        .fold(String::with_capacity(64), |mut hex, byte| {
            // Writing to a String cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}
