//! The layers of an atlas: what each source says, as it was read, joined with nothing.
//!
//! This is the evidence of an atlas file. The file also holds its join with the catalogue it was
//! written with; with another one the layers are joined anew, so that a corrected fact needs no new
//! data.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::prefix::PrefixSet;
use super::range::{Address, Partition};
use crate::profile::CountryCode;

/// What a source says. One source can say several things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceRole {
    /// What an administrator says against all sources.
    Override,
    /// An operator's own list of its prefixes: cloud lists, geofeeds.
    OwnList,
    /// The prefixes that carry one service alone.
    Service,
    /// The country where a network is used.
    Location,
    /// The country where a network is registered: no location.
    Registration,
    /// The autonomous system that announces a network, and its name.
    Announcement,
    /// The country in which the announcing system is registered: no location.
    SystemCountry,
}

impl SourceRole {
    /// The word used in messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Override => "override",
            Self::OwnList => "own_list",
            Self::Service => "service",
            Self::Location => "location",
            Self::Registration => "registration",
            Self::Announcement => "announcement",
            Self::SystemCountry => "system_country",
        }
    }
}

/// One source of an atlas.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceInfo {
    /// Short name, used in claims.
    pub id: String,
    /// The kind of file, by the word of its declaration: `mmdb`, `geofeed`, `aws`...
    pub kind: String,
    /// What it says; a source that says nothing has none.
    pub roles: Vec<SourceRole>,
    /// How far it is trusted: the higher the more.
    pub priority: u16,
    /// Where it came from: a path, an address, or registry and package.
    pub origin: String,
    /// Version of the data; empty when nothing says it.
    pub version: String,
    /// Day of the data.
    pub date: Date,
    /// Licence of the data.
    pub licence: String,
    /// The attribution that the licence asks for.
    pub attribution: String,
    /// IPv4 ranges that it speaks of (neighbours that say the same are one).
    pub ranges_v4: u64,
    /// IPv6 ranges that it speaks of.
    pub ranges_v6: u64,
}

/// What an atlas is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AtlasMeta {
    /// Day of the newest data and a digest of all of it: equal versions hold equal data.
    pub version: String,
    /// The day of the newest data: never the clock, so that equal data give equal bytes.
    pub built: Date,
    /// The sources, most trusted first.
    pub sources: Vec<SourceInfo>,
}

impl AtlasMeta {
    /// All ranges that the sources speak of: IPv4, IPv6.
    #[must_use]
    pub fn source_ranges(&self) -> (u64, u64) {
        self.sources.iter().fold((0, 0), |(v4, v6), source| {
            (v4 + source.ranges_v4, v6 + source.ranges_v6)
        })
    }

    /// The sources that say something of that kind, most trusted first.
    pub fn of_role(&self, role: SourceRole) -> impl Iterator<Item = &SourceInfo> {
        self.sources
            .iter()
            .filter(move |source| source.roles.contains(&role))
    }
}

/// The autonomous systems, by number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Systems {
    /// Numbers, ascending.
    pub(crate) numbers: Vec<u32>,
    /// Where each name ends in `names`.
    pub(crate) name_ends: Vec<u32>,
    /// All names, one after the other.
    pub(crate) names: String,
    /// Country of registration.
    pub(crate) countries: Vec<PlaceValue>,
}

impl Systems {
    /// Number of the system `index`.
    pub(crate) fn number(&self, index: usize) -> Option<u32> {
        self.numbers.get(index).copied()
    }

    /// Name of the system `index`; empty when it has none.
    pub(crate) fn name(&self, index: usize) -> &str {
        let end = self.name_ends.get(index).copied().unwrap_or(0) as usize;
        let start = index
            .checked_sub(1)
            .and_then(|before| self.name_ends.get(before).copied())
            .unwrap_or(0) as usize;
        self.names.get(start..end).unwrap_or_default()
    }
}

/// What an address is said to be, as a number: 0 is silence, 1 is anycast, others are an index into
/// [`Layers::countries`] plus two.
pub(crate) type PlaceValue = u16;
/// In many places at once.
pub(crate) const ANYCAST: PlaceValue = 1;
/// The value of the first country.
pub(crate) const FIRST_COUNTRY: PlaceValue = 2;

/// One prefix of an operator's own list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListedPrefix {
    /// Index into [`AtlasMeta::sources`].
    pub(crate) source: u16,
    /// Index into [`ListTexts::providers`].
    pub(crate) provider: u16,
    /// Index into [`ListTexts::regions`] plus one, 0 for none.
    pub(crate) region: u16,
    /// Index into [`ListTexts::service_sets`].
    pub(crate) services: u32,
    /// Where the publisher itself says that it is used.
    pub(crate) place: PlaceValue,
}

/// A prefix that carries one service alone, from a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListedService {
    /// Index into [`AtlasMeta::sources`].
    pub(crate) source: u16,
    /// Index into [`ListTexts::service_ids`].
    pub(crate) service: u16,
}

/// The texts that listed prefixes refer to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListTexts {
    pub(crate) providers: Vec<String>,
    pub(crate) regions: Vec<String>,
    /// The publishers' names of services.
    pub(crate) services: Vec<String>,
    /// Sets of indices into `services`.
    pub(crate) service_sets: Vec<Vec<u16>>,
    /// Ids of services in the catalogue.
    pub(crate) service_ids: Vec<String>,
}

impl ListTexts {
    pub(crate) fn region(&self, prefix: ListedPrefix) -> Option<&str> {
        let index = prefix.region.checked_sub(1)?;
        self.regions.get(usize::from(index)).map(String::as_str)
    }

    pub(crate) fn provider(&self, prefix: ListedPrefix) -> &str {
        self.providers
            .get(usize::from(prefix.provider))
            .map_or("", String::as_str)
    }

    pub(crate) fn services(&self, prefix: ListedPrefix) -> impl Iterator<Item = &str> {
        self.service_sets
            .get(prefix.services as usize)
            .into_iter()
            .flatten()
            .filter_map(|index| self.services.get(usize::from(*index)))
            .map(String::as_str)
    }
}

/// What an administrator says of one prefix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverrideEntry {
    /// Index into [`AtlasMeta::sources`].
    pub(crate) source: u16,
    pub(crate) network: IpNet,
    /// `anycast` or a country code.
    pub(crate) place: Option<String>,
    /// Id of the operator in the catalogue.
    pub(crate) operator: Option<String>,
    /// Id of the service in the catalogue.
    pub(crate) service: Option<String>,
    pub(crate) owner: String,
    pub(crate) reason: String,
    pub(crate) from: Option<Date>,
    pub(crate) until: Option<Date>,
}

impl OverrideEntry {
    /// Does it hold on that day? Both ends are included.
    pub(crate) fn in_force(&self, day: Date) -> bool {
        self.from.is_none_or(|from| from <= day) && self.until.is_none_or(|until| day <= until)
    }
}

/// What one source says of one thing, over the whole space of one family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer<A, V> {
    /// Index into [`AtlasMeta::sources`].
    pub(crate) source: u16,
    pub(crate) said: Partition<A, V>,
}

/// What the sources say of one family, layers of the most trusted sources first. Systems are
/// indices into [`Systems`] plus one; 0 is silence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Family<A> {
    /// Where networks are used.
    pub(crate) locations: Vec<Layer<A, PlaceValue>>,
    /// Where networks are registered.
    pub(crate) registrations: Vec<Layer<A, PlaceValue>>,
    /// The announcing system.
    pub(crate) systems: Vec<Layer<A, u32>>,
    /// The country of registration of the announcing system.
    pub(crate) system_countries: Vec<Layer<A, PlaceValue>>,
    /// Operators' own lists; of equal prefixes the most trusted source's is the inner one.
    pub(crate) listed: PrefixSet<A, ListedPrefix>,
    /// Prefixes of services, from lists.
    pub(crate) services: PrefixSet<A, ListedService>,
}

impl<A: Address> Family<A> {
    /// The value of the most trusted announcement at an address, with its layer.
    pub(crate) fn system(&self, address: A) -> (u32, Option<&Layer<A, u32>>) {
        first_said(&self.systems, address)
    }

    /// The most trusted country of registration of the announcing system, with its layer.
    pub(crate) fn system_country(&self, address: A) -> (PlaceValue, Option<&Layer<A, PlaceValue>>) {
        first_said(&self.system_countries, address)
    }
}

fn first_said<A: Address, V: Copy + Eq + Default>(
    layers: &[Layer<A, V>],
    address: A,
) -> (V, Option<&Layer<A, V>>) {
    layers
        .iter()
        .map(|layer| (layer.said.get(address), Some(layer)))
        .find(|(value, _)| *value != V::default())
        .unwrap_or_default()
}

/// Everything an atlas file holds beside the joined tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layers {
    /// What it is made of.
    pub meta: AtlasMeta,
    /// What administrators say against all sources.
    pub(crate) overrides: Vec<OverrideEntry>,
    /// The country codes that the sources use, ISO or not.
    pub(crate) countries: Vec<CountryCode>,
    /// The autonomous systems.
    pub(crate) systems: Systems,
    /// Texts of the listed prefixes.
    pub(crate) texts: ListTexts,
    /// IPv4.
    pub(crate) v4: Family<u32>,
    /// IPv6.
    pub(crate) v6: Family<u128>,
}

/// The AS that announces an address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AsInfo {
    /// Its number.
    pub number: u32,
    /// Name of the organisation behind it; empty when no source has one.
    pub name: Arc<str>,
    /// The country in which it is registered: no location.
    pub country: Option<CountryCode>,
}

impl Layers {
    /// The code that a value of a layer stands for; none for silence and anycast.
    pub(crate) fn country(&self, value: PlaceValue) -> Option<CountryCode> {
        let index = value.checked_sub(FIRST_COUNTRY)?;
        self.countries.get(usize::from(index)).copied()
    }

    /// The value of the most trusted announcement at an address.
    pub(crate) fn system_of(&self, address: IpAddr) -> u32 {
        match address {
            IpAddr::V4(address) => self.v4.system(address.into()).0,
            IpAddr::V6(address) => self.v6.system(address.into()).0,
        }
    }

    /// The number of the system that a value of a layer stands for.
    pub(crate) fn system_number(&self, value: u32) -> Option<u32> {
        self.systems.number(value.checked_sub(1)? as usize)
    }

    /// The system that a value of a layer stands for.
    pub(crate) fn system(&self, value: u32) -> Option<AsInfo> {
        let index = value.checked_sub(1)? as usize;
        Some(AsInfo {
            number: self.systems.number(index)?,
            name: self.systems.name(index).into(),
            country: self
                .systems
                .countries
                .get(index)
                .and_then(|value| self.country(*value)),
        })
    }

    /// The prefixes that the system `number` announces, both families.
    pub(crate) fn prefixes_of_system(&self, number: u32) -> Vec<IpNet> {
        fn collect<A: Address>(family: &Family<A>, value: u32, out: &mut Vec<IpNet>) {
            let systems: Vec<_> = family.systems.iter().map(|layer| &layer.said).collect();
            let merged;
            let said = match &systems[..] {
                [] => return,
                [one] => *one,
                several => {
                    merged = Partition::first_of(several);
                    &merged
                }
            };
            for piece in said.pieces().filter(|piece| piece.value == value) {
                super::range::networks_of(piece.first, piece.last, out);
            }
        }
        let mut out = Vec::new();
        let position = self.systems.numbers.binary_search(&number).ok();
        if let Some(value) = position.and_then(|index| u32::try_from(index + 1).ok()) {
            collect(&self.v4, value, &mut out);
            collect(&self.v6, value, &mut out);
        }
        out
    }
}
