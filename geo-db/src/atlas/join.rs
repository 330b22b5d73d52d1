//! The join: what the sources and the catalogue say of an address becomes one key, and a key one
//! profile.
//!
//! The rules, first that applies on each axis (`docs/atlas.md` gives the reasons):
//! 1. Special-use space is no place: nothing else is asked.
//! 2. An override in force, on each axis that it names.
//! 3. **Hosting**: the operators' own lists; else anycast when the catalogue says so of the service
//!    or an operator; else, where the space is announced, anycast when a location source says so;
//!    else the first location source that names a country of the catalogue. Sources that disagree
//!    across a border of law make it contested. Else unknown.
//! 4. **Control**: the operator of the prefix (catalogue, then lists); else of the service; else of
//!    the announcing system, each united with the others; else the law of the country in which the
//!    announcing system is registered, presumed; else nobody.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::facts::{Facts, FamilyFacts, OverrideFact};
use super::layers::{ANYCAST, Family, Layers, PlaceValue};
use super::names::Side;
use super::prefix::PrefixSet;
use super::range::{Address, Cursor, Partition};
use super::regions::RegionSays;
use super::special::SpecialRow;
use crate::profile::{ControlBasis, CountryCode, Hosting, HostingConfidence, SpecialUse};

/// What the layers say at one address, as indices.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Evidence {
    /// Special use of the narrowest registry row.
    pub(crate) special: Option<SpecialUse>,
    /// Index of the narrowest override in force plus one.
    pub(crate) overridden: u32,
    /// Position of the service of the narrowest service prefix.
    pub(crate) service: u16,
    /// Position of the operator of the narrowest operator prefix of the catalogue.
    pub(crate) operator: u16,
    /// Index of the narrowest listed prefix plus one.
    pub(crate) listed: u32,
    /// System value.
    pub(crate) system: u32,
    /// Country of the system's registration.
    pub(crate) system_country: PlaceValue,
}

/// Whose word decided the hosting axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HostingBy {
    Nobody,
    /// Index of the override.
    Override(u32),
    /// Index of the listed prefix.
    OwnList(u32),
    Catalogue,
    /// Index of the location layer.
    Location(usize),
}

/// Whose word named the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ControlBy {
    Nobody,
    /// Index of the override.
    Override(u32),
    /// A prefix of the catalogue.
    Prefix,
    /// Index of the listed prefix.
    OwnList(u32),
    Service,
    System,
    Country,
}

/// The control axis before it is spelled out.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub(crate) enum ControlKey {
    Nobody,
    Country(CountryCode),
    Operators {
        /// Position of the operator that is named.
        named: u16,
        /// Positions of the others whose laws reach the address as well, ascending, zeros last.
        also: [u16; 3],
        basis: ControlBasis,
    },
}

impl ControlKey {
    /// Position of the operator that is named, 0 for none.
    pub(crate) const fn named(self) -> u16 {
        match self {
            Self::Operators { named, .. } => named,
            Self::Nobody | Self::Country(_) => 0,
        }
    }

    /// Positions of all operators whose laws reach the address, the named one first.
    pub(crate) fn operators(self) -> Vec<u16> {
        match self {
            Self::Operators { named, also, .. } => std::iter::once(named)
                .chain(also.into_iter().filter(|other| *other != 0))
                .collect(),
            Self::Nobody | Self::Country(_) => Vec::new(),
        }
    }
}

/// What tells profiles apart, before they are spelled out.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub(crate) struct Key {
    pub(crate) special: Option<SpecialUse>,
    pub(crate) hosting: Hosting,
    pub(crate) control: ControlKey,
    /// Position of the service.
    pub(crate) service: u16,
}

/// A key, and whose words made it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decision {
    pub(crate) key: Key,
    pub(crate) hosting_by: HostingBy,
    pub(crate) control_by: ControlBy,
    /// Index of the override that names the service.
    pub(crate) service_by: Option<u32>,
}

const NO_HOSTING: Hosting = Hosting {
    country: None,
    confidence: HostingConfidence::Unknown,
};

/// The rules over one family.
pub(crate) struct Rules<'a, A> {
    pub(crate) layers: &'a Layers,
    pub(crate) facts: &'a Facts,
    pub(crate) family: &'a Family<A>,
    pub(crate) family_facts: &'a FamilyFacts<A>,
}

impl<A: Address> Rules<'_, A> {
    /// Applies the rules to the evidence at one address.
    pub(crate) fn decide(&self, evidence: &Evidence, locations: &[PlaceValue]) -> Decision {
        if evidence.special.is_some() {
            return Decision {
                key: Key {
                    special: evidence.special,
                    hosting: NO_HOSTING,
                    control: ControlKey::Nobody,
                    service: 0,
                },
                hosting_by: HostingBy::Nobody,
                control_by: ControlBy::Nobody,
                service_by: None,
            };
        }
        let overridden = self.override_at(evidence);
        let (service, service_by) = match overridden.service {
            Some((service, by)) => (service, Some(by)),
            None => (evidence.service, None),
        };
        let (control, control_by) = self.control(evidence, &overridden, service);
        let (hosting, hosting_by) =
            self.hosting(evidence, &overridden, service, control, locations);
        Decision {
            key: Key {
                special: None,
                hosting,
                control,
                service,
            },
            hosting_by,
            control_by,
            service_by,
        }
    }

    pub(crate) fn override_at(&self, evidence: &Evidence) -> OverrideFact {
        entry(evidence.overridden)
            .and_then(|index| self.family_facts.overridden.get(index).copied())
            .unwrap_or_default()
    }

    fn control(
        &self,
        evidence: &Evidence,
        overridden: &OverrideFact,
        service: u16,
    ) -> (ControlKey, ControlBy) {
        if let Some((named, by)) = overridden.operator {
            let key = ControlKey::Operators {
                named,
                also: [0; 3],
                basis: ControlBasis::Operator,
            };
            return (key, ControlBy::Override(by));
        }
        let system = entry(evidence.system);
        let of_system = system
            .and_then(|index| self.facts.operator_of_system.get(index).copied())
            .unwrap_or(0);
        let of_service = self
            .facts
            .names
            .service_at(service)
            .map_or(0, |service| service.operator);
        let listed = entry(evidence.listed)
            .and_then(|index| self.family_facts.listed.get(index))
            .and_then(|listed| listed.operator);
        let (named, by) = match (evidence.operator, listed, of_service, of_system) {
            (0, None, 0, 0) => {
                // The table of systems covers what the layers of countries do not.
                let registered = self.facts.country(evidence.system_country).or_else(|| {
                    let countries = &self.layers.systems.countries;
                    let value = system.and_then(|index| countries.get(index).copied());
                    value.and_then(|value| self.facts.country(value))
                });
                return registered.map_or((ControlKey::Nobody, ControlBy::Nobody), |country| {
                    (ControlKey::Country(country), ControlBy::Country)
                });
            }
            (0, None, 0, system) => (system, ControlBy::System),
            (0, None, service, _) => (service, ControlBy::Service),
            (0, Some((operator, index)), ..) => (operator, ControlBy::OwnList(index)),
            (operator, ..) => (operator, ControlBy::Prefix),
        };
        let key = ControlKey::Operators {
            named,
            also: others(
                named,
                [listed.map_or(0, |listed| listed.0), of_service, of_system],
            ),
            basis: match by {
                ControlBy::Service => ControlBasis::Service,
                _ => ControlBasis::Operator,
            },
        };
        (key, by)
    }

    fn hosting(
        &self,
        evidence: &Evidence,
        overridden: &OverrideFact,
        service: u16,
        control: ControlKey,
        locations: &[PlaceValue],
    ) -> (Hosting, HostingBy) {
        if let Some((says, by)) = overridden.place {
            return (said(says), HostingBy::Override(by));
        }
        let listed = entry(evidence.listed).and_then(|index| self.family_facts.listed.get(index));
        if let Some((fact, (says, by))) = listed.and_then(|fact| Some((fact, fact.says?))) {
            let mut hosting = said(says);
            if let (RegionSays::Country(country), true) = (says, fact.stranger)
                && self.contested(country, locations)
            {
                hosting.confidence = HostingConfidence::Contested;
            }
            return (hosting, HostingBy::OwnList(by));
        }
        if self.catalogue_anycast(service, control) {
            return (said(RegionSays::Anycast), HostingBy::Catalogue);
        }
        let announced = evidence.system != 0
            || evidence.system_country != 0
            || evidence.listed != 0
            || evidence.service != 0
            || evidence.operator != 0;
        if !announced {
            return (NO_HOSTING, HostingBy::Nobody);
        }
        if let Some(layer) = locations.iter().position(|value| *value == ANYCAST) {
            return (said(RegionSays::Anycast), HostingBy::Location(layer));
        }
        let mut speaking = locations
            .iter()
            .enumerate()
            .filter_map(|(layer, value)| Some((layer, self.facts.country(*value)?)));
        let Some((layer, country)) = speaking.next() else {
            return (NO_HOSTING, HostingBy::Nobody);
        };
        let mut hosting = said(RegionSays::Country(country));
        if self.contested(country, locations) {
            hosting.confidence = HostingConfidence::Contested;
        }
        (hosting, HostingBy::Location(layer))
    }

    /// Does a location source put the address across a border of law from `country`?
    fn contested(&self, country: CountryCode, locations: &[PlaceValue]) -> bool {
        let mut side: Option<Side> = None;
        locations
            .iter()
            .filter_map(|value| self.facts.country(*value))
            .filter(|other| *other != country)
            .any(|other| {
                let own = *side.get_or_insert_with(|| self.facts.names.side(country));
                own != self.facts.names.side(other)
            })
    }

    /// Does the catalogue say of the service or of an operator there that it is anycast?
    pub(crate) fn catalogue_anycast(&self, service: u16, control: ControlKey) -> bool {
        let names = &self.facts.names;
        let operators = match control {
            ControlKey::Operators { named, also, .. } => [named, also[0], also[1], also[2]],
            ControlKey::Nobody | ControlKey::Country(_) => [0; 4],
        };
        names
            .service_at(service)
            .is_some_and(|service| service.anycast)
            || operators
                .iter()
                .filter_map(|position| names.operator_at(*position))
                .any(|operator| operator.anycast)
    }
}

fn said(says: RegionSays) -> Hosting {
    match says {
        RegionSays::Country(country) => Hosting {
            country: Some(country),
            confidence: HostingConfidence::Located,
        },
        RegionSays::Anycast => Hosting {
            country: None,
            confidence: HostingConfidence::Anycast,
        },
    }
}

/// An index from an index plus one.
pub(crate) fn entry(position: u32) -> Option<usize> {
    Some(position.checked_sub(1)? as usize)
}

/// Positions other than `named`, each once, ascending, zeros last.
fn others(named: u16, mut positions: [u16; 3]) -> [u16; 3] {
    for position in &mut positions {
        if *position == named {
            *position = 0;
        }
    }
    positions.sort_unstable();
    let mut out = [0; 3];
    let mut next = 0;
    for position in positions {
        if position != 0 && !out.contains(&position) {
            out[next] = position;
            next += 1;
        }
    }
    out
}

/// Both families, joined.
pub(crate) type Tables = (Joined<u32>, Joined<u128>);

/// One family's pieces, each with the number of its key; and the keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Joined<A> {
    pub(crate) pieces: Partition<A, u32>,
    pub(crate) keys: Vec<Key>,
}

/// Walks all layers of one family side by side.
pub(crate) fn join<A: Address>(
    rules: &Rules<'_, A>,
    registry: &PrefixSet<A, SpecialRow>,
) -> Joined<A> {
    let Rules {
        family,
        family_facts: facts,
        ..
    } = rules;
    let mut numbers: HashMap<Key, u32, foldhash::fast::RandomState> = HashMap::default();
    let mut keys = Vec::new();
    let pieces = |layers: &[super::layers::Layer<A, u16>]| -> usize {
        layers.iter().map(|layer| layer.said.len()).sum()
    };
    let systems: usize = family.systems.iter().map(|layer| layer.said.len()).sum();
    let mut out = Partition::with_capacity(systems + pieces(&family.locations));
    let mut special = Cursor::new(registry.narrowest());
    let mut overridden = Cursor::new(facts.overrides.narrowest());
    let mut service = Cursor::new(facts.services.narrowest());
    let mut operator = Cursor::new(facts.operators.narrowest());
    let mut listed = Cursor::new(family.listed.narrowest());
    let cursors = |layers| -> Vec<Cursor<'_, A, u16>> {
        let layers: &[super::layers::Layer<A, u16>] = layers;
        layers
            .iter()
            .map(|layer| Cursor::new(&layer.said))
            .collect()
    };
    let mut locations = cursors(&family.locations);
    let mut system_countries = cursors(&family.system_countries);
    let mut systems: Vec<_> = family
        .systems
        .iter()
        .map(|layer| Cursor::new(&layer.said))
        .collect();
    let mut spoken = vec![0; locations.len()];
    let mut last: Option<(Key, u32)> = None;
    let mut at = A::MIN;
    loop {
        for (value, cursor) in spoken.iter_mut().zip(&locations) {
            *value = cursor.value();
        }
        let evidence = Evidence {
            special: registry.item(special.value()).and_then(|row| row.special),
            overridden: overridden.value(),
            service: facts
                .services
                .item(service.value())
                .map_or(0, |item| item.service),
            operator: facts.operators.item(operator.value()).copied().unwrap_or(0),
            listed: listed.value(),
            system: first(&systems),
            system_country: first(&system_countries),
        };
        let key = rules.decide(&evidence, &spoken).key;
        let number = match last {
            Some((known, number)) if known == key => number,
            _ => *numbers.entry(key).or_insert_with(|| {
                keys.push(key);
                // A partition has fewer than 2^32 pieces, so there are fewer keys.
                u32::try_from(keys.len() - 1).unwrap_or(u32::MAX)
            }),
        };
        last = Some((key, number));
        out.push(at, number);

        let next = [
            special.next_start(),
            overridden.next_start(),
            service.next_start(),
            operator.next_start(),
            listed.next_start(),
        ]
        .into_iter()
        .chain(systems.iter().map(Cursor::next_start))
        .chain(system_countries.iter().map(Cursor::next_start))
        .chain(locations.iter().map(Cursor::next_start))
        .flatten()
        .min();
        let Some(next) = next else {
            return Joined { pieces: out, keys };
        };
        at = next;
        special.advance_to(at);
        overridden.advance_to(at);
        service.advance_to(at);
        operator.advance_to(at);
        listed.advance_to(at);
        for cursor in &mut systems {
            cursor.advance_to(at);
        }
        for cursor in locations.iter_mut().chain(&mut system_countries) {
            cursor.advance_to(at);
        }
    }
}

/// What the first cursor says that speaks.
fn first<A: Address, V: Copy + Eq + Default>(cursors: &[Cursor<'_, A, V>]) -> V {
    cursors
        .iter()
        .map(Cursor::value)
        .find(|value| *value != V::default())
        .unwrap_or_default()
}
