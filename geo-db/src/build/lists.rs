//! From the rows of operators' own lists to one entry for each source, prefix and provider.

use std::collections::{BTreeMap, HashMap};

use ipnet::IpNet;

use super::assemble::too_many;
use crate::atlas::AtlasError;
use crate::atlas::layers::{ListTexts, ListedPrefix, ListedService, PlaceValue};
use crate::atlas::range::Address;
use crate::atlas::split;
use crate::profile::CountryCode;
use crate::source::DeclaredSource;
use crate::source::statements::{Place, Statements};

/// What all lists say, least trusted source first: of equal prefixes the later is the inner one.
pub(super) struct Lists {
    prefixes: Vec<(IpNet, ListedPrefix, Option<Place>)>,
    services: Vec<(IpNet, ListedService)>,
}

impl Lists {
    /// The countries that publishers name themselves.
    pub(super) fn countries(&self) -> impl Iterator<Item = CountryCode> {
        let places = self.prefixes.iter().filter_map(|(.., place)| *place);
        places.filter_map(|place| match place {
            Place::Country(code) => Some(code),
            Place::Anycast => None,
        })
    }

    /// The prefixes of one family.
    pub(super) fn prefixes<A: Address>(
        &self,
        value: impl Fn(Place) -> PlaceValue,
    ) -> Vec<(A, u8, ListedPrefix)> {
        let found = self.prefixes.iter().filter_map(|(network, item, place)| {
            let (first, bits) = split::<A>(network)?;
            let place = place.map_or(0, &value);
            Some((first, bits, ListedPrefix { place, ..*item }))
        });
        found.collect()
    }

    /// The service prefixes of one family.
    pub(super) fn services<A: Address>(&self) -> Vec<(A, u8, ListedService)> {
        let found = self.services.iter().filter_map(|(network, item)| {
            let (first, bits) = split::<A>(network)?;
            Some((first, bits, *item))
        });
        found.collect()
    }
}

/// The rows of one prefix and provider, together.
#[derive(Default)]
struct Gathered<'a> {
    regions: Vec<&'a str>,
    services: Vec<&'a str>,
    places: Vec<Place>,
}

/// Numbers all texts of lists. A prefix whose rows name several regions names none; one whose rows
/// name several places stands in none of them.
///
/// # Errors
/// When there are more texts than numbers.
pub(super) fn intern(
    sources: &[(DeclaredSource, Statements)],
) -> Result<(ListTexts, Lists), AtlasError> {
    let mut texts = ListTexts::default();
    let mut providers = Numbers::default();
    let mut regions = Numbers::default();
    let mut names = Numbers::default();
    let mut ids = Numbers::default();
    let mut sets: HashMap<Vec<u16>, u32> = HashMap::new();
    let mut lists = Lists {
        prefixes: Vec::new(),
        services: Vec::new(),
    };
    for (index, (declared, said)) in sources.iter().enumerate().rev() {
        let bound = |what| too_many(&declared.id, what);
        let source = u16::try_from(index).map_err(|_| bound("sources"))?;
        let mut gathered: BTreeMap<(IpNet, &str), Gathered<'_>> = BTreeMap::new();
        for row in &said.listed {
            let key = (row.network.trunc(), &*row.provider);
            let entry = gathered.entry(key).or_default();
            entry.regions.extend(row.region.as_deref());
            entry.services.extend(row.service.as_deref());
            entry.places.extend(row.place);
        }
        for ((network, provider), mut entry) in gathered {
            entry.regions.sort_unstable();
            entry.regions.dedup();
            let region = match entry.regions[..] {
                [region] => regions
                    .of(region)
                    .and_then(|number| number.checked_add(1))
                    .ok_or_else(|| bound("regions"))?,
                _ => 0,
            };
            // In the order of their names, whatever the order of the rows.
            entry.services.sort_unstable();
            entry.services.dedup();
            let set: Option<Vec<u16>> = entry.services.iter().map(|name| names.of(name)).collect();
            let mut set = set.ok_or_else(|| bound("names of services"))?;
            set.sort_unstable();
            set.dedup();
            let next = u32::try_from(sets.len()).map_err(|_| bound("sets of services"))?;
            let services = *sets.entry(set).or_insert_with_key(|set| {
                texts.service_sets.push(set.clone());
                next
            });
            entry.places.dedup();
            let place = match entry.places[..] {
                [place] => Some(place),
                _ => None,
            };
            let item = ListedPrefix {
                source,
                provider: providers.of(provider).ok_or_else(|| bound("providers"))?,
                region,
                services,
                place: 0,
            };
            lists.prefixes.push((network, item, place));
        }
        for (network, id) in &said.services {
            let service = ids.of(id).ok_or_else(|| bound("services"))?;
            let item = ListedService { source, service };
            lists.services.push((network.trunc(), item));
        }
    }
    texts.providers = providers.texts();
    texts.regions = regions.texts();
    texts.services = names.texts();
    texts.service_ids = ids.texts();
    Ok((texts, lists))
}

/// Numbers texts in the order in which they come up.
#[derive(Default)]
struct Numbers<'a> {
    numbers: HashMap<&'a str, u16>,
    texts: Vec<&'a str>,
}

impl<'a> Numbers<'a> {
    fn of(&mut self, text: &'a str) -> Option<u16> {
        if let Some(number) = self.numbers.get(text) {
            return Some(*number);
        }
        let number = u16::try_from(self.texts.len()).ok()?;
        self.texts.push(text);
        self.numbers.insert(text, number);
        Some(number)
    }

    fn texts(&self) -> Vec<String> {
        self.texts.iter().map(|text| (*text).to_owned()).collect()
    }
}
