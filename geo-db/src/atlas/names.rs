//! Operators, services and borders of one catalogue by position, and a digest of all of the
//! catalogue that the join reads.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::civil::Date;
use sha2::{Digest, Sha256};

use super::layers::OverrideEntry;
use super::regions::Regions;
use super::special;
use crate::catalogue::{Catalogue, OperatorKind, Regime};
use crate::profile::{Control, CountryCode};

/// Changes whenever the rules of the join do: tables joined by other rules are joined anew.
const RULES: u32 = 1;

/// An operator as join and dossier need it.
#[derive(Debug)]
pub(crate) struct OperatorFact {
    pub(crate) id: Arc<str>,
    pub(crate) kind: OperatorKind,
    pub(crate) anycast: bool,
    pub(crate) control: Control,
    pub(crate) as_of: Date,
}

/// A service as join and dossier need it.
#[derive(Debug)]
pub(crate) struct ServiceFact {
    pub(crate) id: Arc<str>,
    pub(crate) anycast: bool,
    /// Who runs it: position of the operator, 0 for nobody known.
    pub(crate) operator: u16,
    pub(crate) as_of: Date,
}

/// Countries between which data moves freely in law: a disagreement between two such sides makes a
/// location contested. France is split off from the rest of the EEA because policies are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Side {
    /// France and its outermost regions.
    France,
    /// The rest of the European Economic Area.
    Eea,
    /// The French overseas countries and territories.
    FrenchOverseas,
    /// Third countries with an adequacy decision in full.
    Adequate,
    /// Everything else.
    Third,
}

impl Side {
    pub(crate) const fn of(regime: Regime) -> Self {
        match regime {
            Regime::France | Regime::FrenchOutermost => Self::France,
            Regime::Union | Regime::Eea => Self::Eea,
            Regime::FrenchOverseas => Self::FrenchOverseas,
            Regime::Adequate => Self::Adequate,
            Regime::AdequatePartial | Regime::Third => Self::Third,
        }
    }
}

type Positions = HashMap<Arc<str>, u16, foldhash::fast::RandomState>;

/// The operators and services of a catalogue. Positions count from 1; 0 is nobody.
#[derive(Debug)]
pub(crate) struct Names {
    operators: Vec<OperatorFact>,
    services: Vec<ServiceFact>,
    operator_positions: Positions,
    service_positions: Positions,
    sides: HashMap<CountryCode, Side, foldhash::fast::RandomState>,
}

impl Names {
    pub(crate) fn new(catalogue: &Catalogue) -> Self {
        let operators: Vec<OperatorFact> = catalogue
            .operators()
            .map(|operator| OperatorFact {
                id: Arc::clone(&operator.id),
                kind: operator.kind,
                anycast: operator.anycast,
                control: catalogue.control_of_operator(operator),
                as_of: operator.as_of,
            })
            .collect();
        let ids = operators.iter().map(|operator| Arc::clone(&operator.id));
        let operator_positions: Positions = ids.zip(1..).collect();
        let services: Vec<ServiceFact> = catalogue
            .services()
            .map(|service| ServiceFact {
                id: Arc::clone(&service.id),
                anycast: service.anycast,
                operator: position(&operator_positions, &service.operator),
                as_of: service.as_of,
            })
            .collect();
        let ids = services.iter().map(|service| Arc::clone(&service.id));
        let day = catalogue.day();
        Self {
            service_positions: ids.zip(1..).collect(),
            sides: catalogue
                .countries()
                .map(|country| (country.code, Side::of(country.regime_at(day))))
                .collect(),
            operators,
            services,
            operator_positions,
        }
    }

    /// The position of an operator's id.
    pub(crate) fn operator(&self, id: &str) -> u16 {
        position(&self.operator_positions, id)
    }

    /// The position of a service's id.
    pub(crate) fn service(&self, id: &str) -> u16 {
        position(&self.service_positions, id)
    }

    /// The ids of the operators, by position.
    pub(crate) fn operator_ids(&self) -> impl Iterator<Item = Arc<str>> {
        self.operators
            .iter()
            .map(|operator| Arc::clone(&operator.id))
    }

    /// The ids of the services, by position.
    pub(crate) fn service_ids(&self) -> impl Iterator<Item = Arc<str>> {
        self.services.iter().map(|service| Arc::clone(&service.id))
    }

    /// The operator at a position.
    pub(crate) fn operator_at(&self, position: u16) -> Option<&OperatorFact> {
        self.operators.get(usize::from(position.checked_sub(1)?))
    }

    /// The service at a position.
    pub(crate) fn service_at(&self, position: u16) -> Option<&ServiceFact> {
        self.services.get(usize::from(position.checked_sub(1)?))
    }

    /// On which side a country stands.
    pub(crate) fn side(&self, code: CountryCode) -> Side {
        self.sides.get(&code).copied().unwrap_or(Side::Third)
    }
}

fn position(positions: &Positions, id: &str) -> u16 {
    positions.get(id).copied().unwrap_or(0)
}

/// A digest of everything beside the layers that decides which address has which key: what the join
/// reads of the catalogue on its day, the region table, and which overrides are in force. Laws,
/// parents and qualifications are not in it: keys name operators and services, and profiles are
/// spelled out from the catalogue whenever an atlas is opened.
pub(crate) fn fingerprint(
    catalogue: &Catalogue,
    regions: &Regions,
    overrides: &[OverrideEntry],
) -> [u8; 32] {
    let mut digest = Fingerprint(Sha256::new());
    digest.text(&RULES.to_string());
    digest.text(&special::AS_OF.to_string());
    digest.text(regions.text());
    let day = catalogue.day();
    let mut asns: Vec<u32> = Vec::new();
    for operator in catalogue.operators() {
        digest.text("operator");
        digest.text(&operator.id);
        digest.flag(operator.anycast);
        asns.extend(&operator.asns);
    }
    asns.sort_unstable();
    asns.dedup();
    for asn in asns {
        digest.text(&asn.to_string());
        digest.text(catalogue.operator_of_asn(asn).map_or("", |found| &found.id));
    }
    for (prefix, operator) in catalogue.operator_prefixes() {
        digest.text(&prefix.to_string());
        digest.text(&operator.id);
    }
    for service in catalogue.services() {
        digest.text("service");
        digest.text(&service.id);
        digest.text(&service.operator);
        digest.flag(service.anycast);
    }
    for (prefix, service) in catalogue.service_prefixes() {
        digest.text(&prefix.to_string());
        digest.text(&service.id);
    }
    for country in catalogue.countries() {
        digest.text(country.code.as_str());
        digest.0.update([Side::of(country.regime_at(day)) as u8]);
    }
    for entry in overrides {
        digest.flag(entry.in_force(day));
    }
    digest.0.finalize().into()
}

struct Fingerprint(Sha256);

impl Fingerprint {
    /// Lengths keep texts apart.
    fn text(&mut self, text: &str) {
        self.0.update((text.len() as u64).to_le_bytes());
        self.0.update(text.as_bytes());
    }

    fn flag(&mut self, flag: bool) {
        self.0.update([u8::from(flag)]);
    }
}
