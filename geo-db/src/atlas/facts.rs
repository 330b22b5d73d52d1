//! What the catalogue and the region table say, indexed the way the layers refer to it.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::civil::Date;

use super::layers::{CloudPrefix, Family, Layers};
use super::prefix::{PrefixSet, split};
use super::range::Address;
use super::regions::{RegionSays, Regions};
use crate::catalogue::Catalogue;
use crate::profile::{Control, CountryCode};

/// An operator as the join needs it.
pub(crate) struct OperatorFact {
    pub(crate) id: Arc<str>,
    pub(crate) anycast: bool,
    pub(crate) control: Control,
    pub(crate) as_of: Date,
}

/// A service with prefixes as the join needs it.
pub(crate) struct ServiceFact {
    pub(crate) id: Arc<str>,
    pub(crate) anycast: bool,
    /// Who runs it: index into [`Facts::operators`] plus one, 0 for nobody known.
    pub(crate) operator: u16,
    pub(crate) as_of: Date,
}

/// What a cloud prefix says of hosting, its own region's word or an outer prefix's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CloudSays {
    pub(crate) says: RegionSays,
    /// Index of the prefix whose word it is.
    pub(crate) entry: usize,
}

/// Facts of one family.
pub(crate) struct FamilyFacts<A> {
    /// Prefixes of services; the item is an index into [`Facts::services`].
    pub(crate) services: PrefixSet<A, u16>,
    /// For each cloud prefix of the layers what it says of hosting.
    pub(crate) clouds: Vec<Option<CloudSays>>,
}

/// Everything that the join looks up in the catalogue, by index.
pub(crate) struct Facts {
    pub(crate) operators: Vec<OperatorFact>,
    pub(crate) services: Vec<ServiceFact>,
    /// For each system its operator: index plus one, 0 for none.
    pub(crate) operator_of_system: Vec<u16>,
    /// For each provider of cloud lists its operator: index plus one, 0 for none.
    pub(crate) operator_of_provider: Vec<u16>,
    /// For each country value of the layers (0 is silence) the code, when the catalogue has it.
    pub(crate) countries: Vec<Option<CountryCode>>,
    pub(crate) regions: Regions,
    pub(crate) v4: FamilyFacts<u32>,
    pub(crate) v6: FamilyFacts<u128>,
}

impl Facts {
    pub(crate) fn new(layers: &Layers, catalogue: &Catalogue, regions: Regions) -> Self {
        let operators: Vec<OperatorFact> = catalogue
            .operators()
            .map(|operator| OperatorFact {
                id: Arc::clone(&operator.id),
                anycast: operator.anycast,
                control: catalogue.control_of_operator(operator),
                as_of: operator.as_of,
            })
            .collect();
        let positions: HashMap<&str, u16> = operators
            .iter()
            .zip(1..)
            .map(|(operator, position)| (&*operator.id, position))
            .collect();
        let position = |id: &str| positions.get(id).copied().unwrap_or(0);

        let services: Vec<ServiceFact> = catalogue
            .services()
            .map(|service| ServiceFact {
                id: Arc::clone(&service.id),
                anycast: service.anycast,
                operator: position(&service.operator),
                as_of: service.as_of,
            })
            .collect();
        let operator_of_system = layers
            .systems
            .numbers
            .iter()
            .map(|number| {
                let operator = catalogue.operator_of_asn(*number);
                operator.map_or(0, |operator| position(&operator.id))
            })
            .collect();
        let operator_of_provider = layers
            .texts
            .providers
            .iter()
            .map(|provider| regions.operator(provider).map_or(0, position))
            .collect();
        let countries = std::iter::once(None)
            .chain(layers.countries.iter().map(|code| {
                let known = catalogue.country(*code).is_some();
                known.then_some(*code)
            }))
            .collect();
        Self {
            v4: FamilyFacts::new(&layers.v4, layers, catalogue, &regions),
            v6: FamilyFacts::new(&layers.v6, layers, catalogue, &regions),
            operators,
            services,
            operator_of_system,
            operator_of_provider,
            countries,
            regions,
        }
    }

    /// The operator at an index plus one.
    pub(crate) fn operator(&self, position: u16) -> Option<&OperatorFact> {
        self.operators.get(usize::from(position.checked_sub(1)?))
    }

    /// The code of a country value, when the catalogue has it.
    pub(crate) fn country(&self, value: u16) -> Option<CountryCode> {
        self.countries.get(usize::from(value)).copied().flatten()
    }

    /// What the region table says of one cloud prefix alone.
    pub(crate) fn own_word(
        &self,
        layers: &Layers,
        prefix: CloudPrefix,
    ) -> Option<(RegionSays, Date)> {
        own_word(layers, &self.regions, prefix)
    }
}

fn own_word(layers: &Layers, regions: &Regions, prefix: CloudPrefix) -> Option<(RegionSays, Date)> {
    let provider = layers.texts.provider(prefix);
    match layers.texts.region(prefix) {
        Some(region) => regions.of_region(provider, region),
        None => regions.of_services(provider, layers.texts.services(prefix)),
    }
}

impl<A: Address> FamilyFacts<A> {
    fn new(family: &Family<A>, layers: &Layers, catalogue: &Catalogue, regions: &Regions) -> Self {
        let numbers: HashMap<&str, u16> = catalogue
            .services()
            .zip(0..)
            .map(|(service, number)| (&*service.id, number))
            .collect();
        let services = catalogue
            .service_prefixes()
            .filter_map(|(prefix, service)| {
                let (first, bits) = split::<A>(&prefix)?;
                Some((first, bits, *numbers.get(&*service.id)?))
            })
            .collect();
        // The same combination of provider, region and services comes up again and again.
        let mut words: HashMap<(u16, u16, u32), Option<RegionSays>, foldhash::fast::RandomState> =
            HashMap::default();
        let own: Vec<Option<RegionSays>> = family
            .clouds
            .entries()
            .iter()
            .map(|entry| {
                let item = entry.item;
                let services = if item.region == 0 { item.services } else { 0 };
                *words
                    .entry((item.provider, item.region, services))
                    .or_insert_with(|| own_word(layers, regions, item).map(|(says, _)| says))
            })
            .collect();
        let clouds = (0..)
            .zip(&own)
            .map(|(index, _)| {
                let mut chain = family.clouds.chain(Some(index));
                chain.find_map(|(entry, _)| {
                    let says = own.get(entry).copied().flatten()?;
                    Some(CloudSays { says, entry })
                })
            })
            .collect();
        Self {
            services: PrefixSet::new(services),
            clouds,
        }
    }
}
