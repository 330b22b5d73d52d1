//! The layers of an atlas: what each source says, as it was read, joined with nothing.
//!
//! This is what an atlas file holds. The join with the catalogue happens when the file is opened,
//! so that a corrected fact in the catalogue needs no new data.

use std::sync::Arc;

use ipnet::IpNet;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::prefix::PrefixSet;
use super::range::{Address, Partition};
use crate::profile::CountryCode;

/// What a source is trusted to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceRole {
    /// A provider's own list of its prefixes with regions.
    CloudList,
    /// The country where a network is used.
    Location,
    /// The autonomous system that announces a network, and its name.
    Announcement,
    /// The country in which the announcing system is registered: no location.
    SystemCountry,
}

/// One source of an atlas.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceInfo {
    /// Short name, used in claims.
    pub id: String,
    /// What it says.
    pub role: SourceRole,
    /// The package it came in, with its registry.
    pub package: String,
    /// Version of the package.
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
    /// The day it was built.
    pub built: Date,
    /// The sources, most trusted first within a role.
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

    pub(crate) fn of_role(&self, role: SourceRole) -> impl Iterator<Item = &SourceInfo> {
        self.sources
            .iter()
            .filter(move |source| source.role == role)
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
    /// Country of registration: index into [`Layers::countries`] plus one, 0 for none.
    pub(crate) countries: Vec<u16>,
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

/// One prefix of a provider's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloudPrefix {
    /// Index into [`CloudTexts::providers`].
    pub(crate) provider: u16,
    /// Index into [`CloudTexts::regions`] plus one, 0 for none.
    pub(crate) region: u16,
    /// Index into [`CloudTexts::service_sets`].
    pub(crate) services: u32,
}

/// The texts that cloud prefixes refer to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloudTexts {
    pub(crate) providers: Vec<String>,
    pub(crate) regions: Vec<String>,
    pub(crate) services: Vec<String>,
    /// Sets of indices into `services`.
    pub(crate) service_sets: Vec<Vec<u16>>,
}

impl CloudTexts {
    pub(crate) fn region(&self, prefix: CloudPrefix) -> Option<&str> {
        let index = prefix.region.checked_sub(1)?;
        self.regions.get(usize::from(index)).map(String::as_str)
    }

    pub(crate) fn provider(&self, prefix: CloudPrefix) -> &str {
        self.providers
            .get(usize::from(prefix.provider))
            .map_or("", String::as_str)
    }

    pub(crate) fn services(&self, prefix: CloudPrefix) -> impl Iterator<Item = &str> {
        self.service_sets
            .get(prefix.services as usize)
            .into_iter()
            .flatten()
            .filter_map(|index| self.services.get(usize::from(*index)))
            .map(String::as_str)
    }
}

/// What the sources say of one family. Country values are indices into [`Layers::countries`] plus
/// one, systems indices into [`Systems`] plus one; 0 is silence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Family<A> {
    /// One layer for each source of role `Location`, in the order of the meta data.
    pub(crate) locations: Vec<Partition<A, u16>>,
    /// The announcing system.
    pub(crate) systems: Partition<A, u32>,
    /// The country of registration of the announcing system.
    pub(crate) system_countries: Partition<A, u16>,
    /// The providers' lists.
    pub(crate) clouds: PrefixSet<A, CloudPrefix>,
}

/// Everything an atlas file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layers {
    /// What it is made of.
    pub meta: AtlasMeta,
    /// The country codes that the sources use, ISO or not.
    pub(crate) countries: Vec<CountryCode>,
    /// The autonomous systems.
    pub(crate) systems: Systems,
    /// Texts of the cloud prefixes.
    pub(crate) texts: CloudTexts,
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
    /// The code that a country value of a layer stands for.
    pub(crate) fn country(&self, value: u16) -> Option<CountryCode> {
        let index = value.checked_sub(1)?;
        self.countries.get(usize::from(index)).copied()
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
            for piece in family.systems.pieces().filter(|piece| piece.value == value) {
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
