//! Walking published prefixes: what each column says of the space for which a prefix speaks.

use super::Family;
use crate::atlas::layers::{self, Layers, ListedPrefix, SourceRole};
use crate::atlas::range::{Address, Partition, Range, bounds};
use crate::atlas::{AtlasError, RegionSays, Regions, own_word};
use crate::profile::CountryCode;
use crate::{Atlas, ClassId};

/// One published prefix and what the columns say of it.
pub(super) struct Found {
    pub(super) provider: String,
    pub(super) region: String,
    pub(super) family: Family,
    /// Where its publisher says that it stands.
    pub(super) truth: CountryCode,
    /// Addresses for which it speaks: those that no narrower prefix of its list places.
    pub(super) size: u128,
    /// For each column the countries that it says, with addresses.
    pub(super) columns: Vec<Vec<(Option<CountryCode>, u128)>>,
}

impl Found {
    /// Addresses in IPv4, networks of 64 bits in IPv6.
    pub(super) fn units(&self, addresses: u128) -> u64 {
        let units = match self.family {
            Family::V4 => addresses,
            Family::V6 => addresses >> 64,
        };
        u64::try_from(units).unwrap_or(u64::MAX)
    }
}

/// One entry of a list with a word of its own on where it stands.
struct Placed<A> {
    range: Range<A, u32>,
    item: ListedPrefix,
    says: RegionSays,
}

/// The prefixes of every own list of one family, each list held against what is known without it.
pub(super) fn tally<A: Address>(
    atlas: &Atlas,
    layers: &Layers,
    family: &layers::Family<A>,
    classes: &Partition<A, ClassId>,
    name: Family,
) -> Result<Vec<Found>, AtlasError> {
    let regions = Regions::embedded()?;
    let placed: Vec<Placed<A>> = (1_u32..)
        .zip(family.listed.entries())
        .filter_map(|(number, entry)| {
            let (says, _) = own_word(layers, &regions, entry.item)?;
            let (first, last) = bounds(entry.first, u32::from(entry.bits));
            Some(Placed {
                range: Range {
                    first,
                    last,
                    value: number,
                },
                item: entry.item,
                says,
            })
        })
        .collect();
    let mut out = Vec::new();
    let lists = (0_u16..).zip(&layers.meta.sources);
    for (list, _) in lists.filter(|(_, source)| source.roles.contains(&SourceRole::OwnList)) {
        let walk = Walk {
            atlas,
            layers,
            family,
            classes,
            own: speaking(&placed, |source| source == list),
            others: speaking(&placed, |source| source != list),
            placed: &placed,
            name,
        };
        out.extend(walk.run());
    }
    Ok(out)
}

/// Which of the entries of some lists speaks where: its number.
fn speaking<A: Address>(placed: &[Placed<A>], of: impl Fn(u16) -> bool) -> Partition<A, u32> {
    let chosen = placed.iter().filter(|entry| of(entry.item.source));
    Partition::from_ranges(chosen.map(|entry| entry.range).collect())
}

struct Walk<'a, A> {
    atlas: &'a Atlas,
    layers: &'a Layers,
    family: &'a layers::Family<A>,
    classes: &'a Partition<A, ClassId>,
    own: Partition<A, u32>,
    others: Partition<A, u32>,
    placed: &'a [Placed<A>],
    name: Family,
}

impl<A: Address> Walk<'_, A> {
    fn run(&self) -> Vec<Found> {
        let columns = self.family.locations.len() + 2;
        let mut found: Vec<Option<Found>> = Vec::new();
        found.resize_with(self.placed.len(), || None);
        for piece in self.own.pieces() {
            let Some(index) = self.index(piece.value) else {
                continue;
            };
            let Some(entry) = self.placed.get(index) else {
                continue;
            };
            let RegionSays::Country(truth) = entry.says else {
                continue;
            };
            let slot = found[index].get_or_insert_with(|| Found {
                provider: self.layers.texts.provider(entry.item).to_owned(),
                region: self
                    .layers
                    .texts
                    .region(entry.item)
                    .unwrap_or("")
                    .to_owned(),
                family: self.name,
                truth,
                size: 0,
                columns: vec![Vec::new(); columns],
            });
            self.piece(&piece, slot);
        }
        found.into_iter().flatten().collect()
    }

    /// Position in `placed` of the entry with that number.
    fn index(&self, number: u32) -> Option<usize> {
        if number == 0 {
            return None;
        }
        self.placed
            .binary_search_by_key(&number, |entry| entry.range.value)
            .ok()
    }

    fn piece(&self, piece: &Range<A, u32>, found: &mut Found) {
        let mut at = piece.first;
        loop {
            let class = self.classes.find(at);
            let other = self.others.find(at);
            let mut last = piece.last.min(class.last).min(other.last);
            let mut said = Vec::with_capacity(found.columns.len());
            for layer in &self.family.locations {
                let here = layer.said.find(at);
                last = last.min(here.last);
                let country = self.layers.country(here.value);
                said.push(country.filter(|code| self.atlas.catalogue().country(*code).is_some()));
            }
            let databases = said.iter().copied().flatten().next();
            let listed = self
                .index(other.value)
                .and_then(|index| self.placed.get(index));
            said.push(match listed.map(|entry| entry.says) {
                Some(RegionSays::Country(country)) => Some(country),
                Some(RegionSays::Anycast) => None,
                None => databases,
            });
            said.push(self.atlas.profile(class.value).hosting.country);
            let size = (last.to_u128() - at.to_u128()).saturating_add(1);
            found.size = found.size.saturating_add(size);
            for (column, country) in found.columns.iter_mut().zip(said) {
                match column.iter_mut().find(|(known, _)| *known == country) {
                    Some((_, sum)) => *sum = sum.saturating_add(size),
                    None => column.push((country, size)),
                }
            }
            match last.next() {
                Some(next) if last < piece.last => at = next,
                _ => return,
            }
        }
    }
}
