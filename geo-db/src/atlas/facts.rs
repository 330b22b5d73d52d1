//! What the catalogue and the region table say, indexed the way the layers refer to it.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::civil::Date;

use super::error::AtlasError;
use super::layers::{FIRST_COUNTRY, Family, Layers, ListedPrefix, OverrideEntry, PlaceValue};
use super::names::Names;
use super::prefix::{PrefixSet, split};
use super::range::Address;
use super::regions::{RegionSays, Regions};
use crate::catalogue::Catalogue;
use crate::profile::CountryCode;

/// What a listed prefix says, in its own words or in those of a prefix around it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ListedFact {
    /// Of hosting, with the index of the prefix whose word it is.
    pub(crate) says: Option<(RegionSays, u32)>,
    /// The operator of the catalogue that lists it: position, and the index of the prefix.
    pub(crate) operator: Option<(u16, u32)>,
    /// The word on hosting is a publisher's own of whom the catalogue knows nothing.
    pub(crate) stranger: bool,
}

/// A service prefix, from the catalogue or from a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ServicePrefix {
    /// Position of the service.
    pub(crate) service: u16,
    /// Index of the source; `None` is the catalogue.
    pub(crate) source: Option<u16>,
}

/// What the overrides around an address say together: of each axis the narrowest that names it,
/// with its index in [`Layers::overrides`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OverrideFact {
    pub(crate) place: Option<(RegionSays, u32)>,
    pub(crate) operator: Option<(u16, u32)>,
    pub(crate) service: Option<(u16, u32)>,
}

/// Facts of one family.
#[derive(Debug)]
pub(crate) struct FamilyFacts<A> {
    /// Prefixes of services, of the catalogue and of lists.
    pub(crate) services: PrefixSet<A, ServicePrefix>,
    /// Prefixes of operators, of the catalogue: position of the operator.
    pub(crate) operators: PrefixSet<A, u16>,
    /// For each listed prefix what it says.
    pub(crate) listed: Vec<ListedFact>,
    /// Overrides in force: index into [`Layers::overrides`].
    pub(crate) overrides: PrefixSet<A, u32>,
    /// For each of them what holds there.
    pub(crate) overridden: Vec<OverrideFact>,
}

/// Everything that the join looks up beside the layers, by index.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) names: Names,
    /// For each system its operator: position, 0 for none.
    pub(crate) operator_of_system: Vec<u16>,
    /// For each value of a country layer the code, when the catalogue has it.
    pub(crate) countries: Vec<Option<CountryCode>>,
    pub(crate) regions: Arc<Regions>,
    pub(crate) v4: FamilyFacts<u32>,
    pub(crate) v6: FamilyFacts<u128>,
}

impl Facts {
    /// # Errors
    /// When an override in force names what the catalogue does not hold.
    pub(crate) fn new(
        layers: &Layers,
        catalogue: &Catalogue,
        regions: Arc<Regions>,
    ) -> Result<Self, AtlasError> {
        let names = Names::new(catalogue);
        let operator_of_system = layers
            .systems
            .numbers
            .iter()
            .map(|number| {
                let operator = catalogue.operator_of_asn(*number);
                operator.map_or(0, |operator| names.operator(&operator.id))
            })
            .collect();
        // Silence and anycast are no countries.
        let countries = std::iter::repeat_n(None, usize::from(FIRST_COUNTRY))
            .chain(layers.countries.iter().map(|code| {
                let known = catalogue.country(*code).is_some();
                known.then_some(*code)
            }))
            .collect();
        let draft = Draft {
            layers,
            catalogue,
            regions: &regions,
            names: &names,
            operator_of_provider: layers
                .texts
                .providers
                .iter()
                .map(|provider| names.operator(regions.operator(provider).unwrap_or(provider)))
                .collect(),
        };
        Ok(Self {
            v4: draft.family(&layers.v4)?,
            v6: draft.family(&layers.v6)?,
            names,
            operator_of_system,
            countries,
            regions,
        })
    }

    /// The code of a value of a country layer, when the catalogue has it.
    pub(crate) fn country(&self, value: PlaceValue) -> Option<CountryCode> {
        self.countries.get(usize::from(value)).copied().flatten()
    }
}

/// What one listed prefix alone says of hosting: its publisher's own word, else the region table's.
/// The date is the table's.
pub(crate) fn own_word(
    layers: &Layers,
    regions: &Regions,
    prefix: ListedPrefix,
) -> Option<(RegionSays, Option<Date>)> {
    match prefix.place {
        0 => {}
        super::layers::ANYCAST => return Some((RegionSays::Anycast, None)),
        place => {
            return layers
                .country(place)
                .map(|code| (RegionSays::Country(code), None));
        }
    }
    let provider = layers.texts.provider(prefix);
    let found = match layers.texts.region(prefix) {
        Some(region) => regions.of_region(provider, region),
        None => regions.of_services(provider, layers.texts.services(prefix)),
    };
    found.map(|(says, date)| (says, Some(date)))
}

struct Draft<'a> {
    layers: &'a Layers,
    catalogue: &'a Catalogue,
    regions: &'a Regions,
    names: &'a Names,
    /// For each provider of lists its operator: position, 0 for none.
    operator_of_provider: Vec<u16>,
}

impl Draft<'_> {
    fn family<A: Address>(&self, family: &Family<A>) -> Result<FamilyFacts<A>, AtlasError> {
        let (overrides, overridden) = self.overrides()?;
        Ok(FamilyFacts {
            services: self.services(family),
            operators: self.operators(),
            listed: self.listed(family),
            overrides,
            overridden,
        })
    }

    /// Of equal prefixes the catalogue's comes last: it is the reviewed one.
    fn services<A: Address>(&self, family: &Family<A>) -> PrefixSet<A, ServicePrefix> {
        let of_lists = family.services.entries().iter().filter_map(|entry| {
            let id = self
                .layers
                .texts
                .service_ids
                .get(usize::from(entry.item.service))?;
            let item = ServicePrefix {
                service: self.names.service(id),
                source: Some(entry.item.source),
            };
            (item.service != 0).then_some((entry.first, entry.bits, item))
        });
        let reviewed = self
            .catalogue
            .service_prefixes()
            .filter_map(|(prefix, service)| {
                let (first, bits) = split::<A>(&prefix)?;
                let item = ServicePrefix {
                    service: self.names.service(&service.id),
                    source: None,
                };
                Some((first, bits, item))
            });
        PrefixSet::new(of_lists.chain(reviewed).collect())
    }

    fn operators<A: Address>(&self) -> PrefixSet<A, u16> {
        let prefixes = self
            .catalogue
            .operator_prefixes()
            .filter_map(|(prefix, operator)| {
                let (first, bits) = split::<A>(&prefix)?;
                Some((first, bits, self.names.operator(&operator.id)))
            });
        PrefixSet::new(prefixes.collect())
    }

    fn listed<A: Address>(&self, family: &Family<A>) -> Vec<ListedFact> {
        // The same combination of provider, region and services comes up again and again.
        type Known = HashMap<(u16, u16, u32), Option<RegionSays>, foldhash::fast::RandomState>;
        let mut words: Known = HashMap::default();
        let mut facts: Vec<ListedFact> = Vec::with_capacity(family.listed.entries().len());
        for (index, entry) in (0_u32..).zip(family.listed.entries()) {
            let item = entry.item;
            let word = || own_word(self.layers, self.regions, item).map(|(says, _)| says);
            let says = if item.place == 0 {
                let services = if item.region == 0 { item.services } else { 0 };
                *words
                    .entry((item.provider, item.region, services))
                    .or_insert_with(word)
            } else {
                word()
            };
            let says = says.filter(|says| match says {
                RegionSays::Anycast => true,
                RegionSays::Country(code) => self.catalogue.country(*code).is_some(),
            });
            let provider = usize::from(item.provider);
            let operator = self.operator_of_provider.get(provider).copied();
            let operator = operator.filter(|position| *position != 0);
            // A prefix comes after those around it, whose facts are complete.
            let outer = entry
                .parent()
                .and_then(|parent| facts.get(parent).copied())
                .unwrap_or_default();
            facts.push(ListedFact {
                says: says.map(|says| (says, index)).or(outer.says),
                operator: operator
                    .map(|position| (position, index))
                    .or(outer.operator),
                stranger: match says {
                    Some(_) => item.place != 0 && operator.is_none(),
                    None => outer.stranger,
                },
            });
        }
        facts
    }

    fn overrides<A: Address>(&self) -> Result<(PrefixSet<A, u32>, Vec<OverrideFact>), AtlasError> {
        let day = self.catalogue.day();
        let mut prefixes = Vec::new();
        // Of equal prefixes the most trusted source's, then its first, is the inner one.
        for (index, entry) in self.layers.overrides.iter().enumerate().rev() {
            if let Some((first, bits)) = split::<A>(&entry.network)
                && let Ok(index) = u32::try_from(index)
                && entry.in_force(day)
            {
                prefixes.push((first, bits, index));
            }
        }
        let set = PrefixSet::new(prefixes);
        let mut facts: Vec<OverrideFact> = Vec::with_capacity(set.entries().len());
        for nested in set.entries() {
            let outer = nested
                .parent()
                .and_then(|parent| facts.get(parent).copied())
                .unwrap_or_default();
            let own = match self.layers.overrides.get(nested.item as usize) {
                Some(entry) => self.override_fact(nested.item, entry)?,
                None => OverrideFact::default(),
            };
            facts.push(OverrideFact {
                place: own.place.or(outer.place),
                operator: own.operator.or(outer.operator),
                service: own.service.or(outer.service),
            });
        }
        Ok((set, facts))
    }

    fn override_fact(&self, index: u32, entry: &OverrideEntry) -> Result<OverrideFact, AtlasError> {
        let wrong = |what: &str, name: &str| AtlasError::Table {
            file: self
                .layers
                .meta
                .sources
                .get(usize::from(entry.source))
                .map_or_else(String::new, |source| source.origin.clone()),
            what: format!(
                "the override of {} names the {what} \"{name}\", which the catalogue does not hold \
                 (correct it there, or add the {what} to the catalogue)",
                entry.network
            ),
        };
        let position = |what, id: &Option<String>, found: fn(&Names, &str) -> u16| match id {
            None => Ok(None),
            Some(id) => match found(self.names, id) {
                0 => Err(wrong(what, id)),
                position => Ok(Some((position, index))),
            },
        };
        let place = match entry.place.as_deref() {
            None => None,
            Some("anycast") => Some((RegionSays::Anycast, index)),
            Some(code) => {
                let known = code
                    .parse::<CountryCode>()
                    .ok()
                    .filter(|code| self.catalogue.country(*code).is_some())
                    .ok_or_else(|| wrong("country", code))?;
                Some((RegionSays::Country(known), index))
            }
        };
        Ok(OverrideFact {
            place,
            operator: position("operator", &entry.operator, Names::operator)?,
            service: position("service", &entry.service, Names::service)?,
        })
    }
}
