//! From what the sources say of one family to its layers.

use std::collections::HashMap;

use super::lists::Lists;
use crate::atlas::PrefixSet;
use crate::atlas::layers::{ANYCAST, FIRST_COUNTRY, Family, Layer, PlaceValue};
use crate::atlas::range::{Address, Partition, Range};
use crate::profile::CountryCode;
use crate::source::statements::{Place, Spoken, Statements};

/// What the layers refer to by number.
pub(super) struct Interned {
    /// Country codes, sorted.
    pub(super) countries: Vec<CountryCode>,
    /// Numbers of systems, ascending.
    pub(super) systems: Vec<u32>,
    pub(super) lists: Lists,
    values: HashMap<CountryCode, PlaceValue, foldhash::fast::RandomState>,
}

impl Interned {
    pub(super) fn new(statements: &[&Statements], lists: Lists) -> Self {
        fn codes<A>(said: &Spoken<A>) -> impl Iterator<Item = CountryCode> + '_ {
            let places = said.locations.iter().filter_map(|range| match range.value {
                Place::Country(code) => Some(code),
                Place::Anycast => None,
            });
            let registered = said.registrations.iter().chain(&said.system_countries);
            places.chain(registered.map(|range| range.value))
        }
        let mut countries: std::collections::BTreeSet<CountryCode> = lists.countries().collect();
        let mut systems = Vec::new();
        for said in statements {
            countries.extend(codes(&said.v4));
            countries.extend(codes(&said.v6));
            systems.extend(said.v4.systems.iter().map(|range| range.value));
            systems.extend(said.v6.systems.iter().map(|range| range.value));
        }
        systems.sort_unstable();
        systems.dedup();
        let countries: Vec<CountryCode> = countries.into_iter().collect();
        // There are 676 codes of two letters.
        let values = countries.iter().copied().zip(FIRST_COUNTRY..).collect();
        Self {
            countries,
            systems,
            lists,
            values,
        }
    }

    pub(super) fn country(&self, code: CountryCode) -> PlaceValue {
        self.values.get(&code).copied().unwrap_or(0)
    }

    pub(super) fn place(&self, place: Place) -> PlaceValue {
        match place {
            Place::Country(code) => self.country(code),
            Place::Anycast => ANYCAST,
        }
    }

    fn system(&self, number: u32) -> u32 {
        let found = self.systems.binary_search(&number).ok();
        found
            .and_then(|index| u32::try_from(index + 1).ok())
            .unwrap_or(0)
    }
}

/// The layers of one family, `spoken` of each source, most trusted source first.
pub(super) fn of<A: Address>(
    statements: &[&Statements],
    interned: &Interned,
    spoken: impl Fn(&Statements) -> &Spoken<A>,
) -> Family<A> {
    let mut family = Family {
        locations: Vec::new(),
        registrations: Vec::new(),
        systems: Vec::new(),
        system_countries: Vec::new(),
        listed: PrefixSet::new(interned.lists.prefixes(|place| interned.place(place))),
        services: PrefixSet::new(interned.lists.services()),
    };
    for (source, said) in (0_u16..).zip(statements) {
        let said = spoken(said);
        let country = |code| interned.country(code);
        family
            .locations
            .extend(layer(source, &said.locations, |place| {
                interned.place(place)
            }));
        family
            .registrations
            .extend(layer(source, &said.registrations, country));
        family
            .systems
            .extend(layer(source, &said.systems, |number| {
                interned.system(number)
            }));
        family
            .system_countries
            .extend(layer(source, &said.system_countries, country));
    }
    family
}

/// A source that says nothing has no layer.
fn layer<A: Address, S: Copy, V: Copy + Eq + Default>(
    source: u16,
    ranges: &[Range<A, S>],
    value: impl Fn(S) -> V,
) -> Option<Layer<A, V>> {
    if ranges.is_empty() {
        return None;
    }
    let ranges = ranges.iter().map(|range| Range {
        first: range.first,
        last: range.last,
        value: value(range.value),
    });
    Some(Layer {
        source,
        said: Partition::from_ranges(ranges.collect()),
    })
}
