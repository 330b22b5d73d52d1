//! The audit: how right are the countries, measured on what the clouds publish of themselves?
//!
//! Truth is, for each address, the narrowest prefix of one operator's own list whose country is
//! known. Against it stand, side by side: each location database alone, all that is known without
//! that list (other lists first, then the databases in their order), and the atlas as it decided.
//! The last one follows the list, so that it says whether the rules work, not whether the list is
//! right; how much a list is worth is the distance from the column before it.

mod tally;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::Serialize;

use self::tally::{Found, tally};
use crate::Atlas;
use crate::atlas::AtlasError;
use crate::atlas::layers::SourceRole;
use crate::compare::Side;
use crate::profile::CountryCode;

/// The column of the atlas as it decided.
pub const DECIDED: &str = "with lists";
/// The column of all that is known without the list that is the truth.
pub const WITHOUT: &str = "without the list";

/// IPv4 or IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// The word used in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        }
    }
}

/// Which published prefixes a row is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Where {
    /// All.
    #[serde(rename = "all")]
    All,
    /// Those in the European Economic Area.
    #[serde(rename = "inside the EEA")]
    Inside,
    /// Those elsewhere.
    #[serde(rename = "outside the EEA")]
    Outside,
}

impl Where {
    /// The words used in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Inside => "inside the EEA",
            Self::Outside => "outside the EEA",
        }
    }
}

/// How often one column is right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Score {
    /// Prefixes most of whose space has the right country.
    pub prefixes: u64,
    /// Prefixes most of whose space is on the right side of the border of the EEA.
    pub prefixes_side: u64,
    /// Space with the right country: IPv4 addresses, or IPv6 networks of 64 bits.
    pub space: u64,
    /// Space on the right side.
    pub space_side: u64,
}

/// One row: some of the published prefixes, and how right each column is on them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// Whose prefixes; `None`: everybody's.
    pub provider: Option<String>,
    /// Family.
    pub family: Family,
    /// Which of them.
    #[serde(rename = "where")]
    pub place: Where,
    /// Prefixes.
    pub prefixes: u64,
    /// Their space: IPv4 addresses, or IPv6 networks of 64 bits.
    pub space: u64,
    /// One for each of [`Audit::columns`].
    pub scores: Vec<Score>,
}

/// A region, and how wrong the columns are on it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Region {
    /// Whose.
    pub provider: String,
    /// The publisher's name of it; empty when the row has none.
    pub region: String,
    /// Where the publisher says that it stands.
    pub country: CountryCode,
    /// Family.
    pub family: Family,
    /// Prefixes.
    pub prefixes: u64,
    /// Prefixes with a wrong country, for each of [`Audit::columns`].
    pub wrong: Vec<u64>,
}

/// What an audit found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Audit {
    /// Version of the atlas.
    pub atlas: String,
    /// Day for which countries were put on a side of the border.
    pub day: Date,
    /// The lists that were taken for the truth.
    pub lists: Vec<String>,
    /// Databases alone, [`WITHOUT`], [`DECIDED`].
    pub columns: Vec<String>,
    /// Everybody's prefixes, then each provider's.
    pub rows: Vec<Row>,
    /// The regions on which the databases (all columns but the last) are wrong most often.
    pub worst: Vec<Region>,
}

impl Audit {
    /// The row of everybody's prefixes of a family.
    #[must_use]
    pub fn total(&self, family: Family) -> Option<&Row> {
        self.rows
            .iter()
            .find(|row| row.provider.is_none() && row.family == family && row.place == Where::All)
    }
}

/// Audits an atlas; countries are put on a side of the border as of `day`.
///
/// # Errors
/// When the evidence of the atlas cannot be read.
pub fn audit(atlas: &Atlas, day: Date) -> Result<Audit, AtlasError> {
    let layers = atlas.layers()?;
    let sources = &layers.meta.sources;
    let name = |source: u16| {
        let source = sources.get(usize::from(source));
        source.map_or_else(String::new, |source| source.id.clone())
    };
    let mut columns: Vec<String> = layers.v4.locations.iter().map(|l| name(l.source)).collect();
    columns.push(WITHOUT.to_owned());
    columns.push(DECIDED.to_owned());
    let mut found = tally(atlas, layers, &layers.v4, atlas.classes_v4(), Family::V4)?;
    found.extend(tally(
        atlas,
        layers,
        &layers.v6,
        atlas.classes_v6(),
        Family::V6,
    )?);
    let side = |country: Option<CountryCode>| {
        let located = crate::profile::HostingConfidence::Located;
        country.map(|code| Side::of(atlas.catalogue(), Some(code), located, day).in_eea())
    };
    let mut rows: BTreeMap<(Option<String>, Family, Where), Row> = BTreeMap::new();
    let mut regions: BTreeMap<(String, String, Family, CountryCode), Region> = BTreeMap::new();
    for prefix in &found {
        let inside = side(Some(prefix.truth));
        let place = if inside == Some(true) {
            Where::Inside
        } else {
            Where::Outside
        };
        let scores: Vec<Score> = prefix
            .columns
            .iter()
            .map(|said| score(prefix, said, |country| side(country) == inside))
            .collect();
        for provider in [None, Some(prefix.provider.clone())] {
            for place in [Where::All, place] {
                let key = (provider.clone(), prefix.family, place);
                let row = rows.entry(key).or_insert_with(|| Row {
                    provider: provider.clone(),
                    family: prefix.family,
                    place,
                    prefixes: 0,
                    space: 0,
                    scores: vec![Score::default(); columns.len()],
                });
                row.prefixes += 1;
                row.space = row.space.saturating_add(prefix.units(prefix.size));
                for (sum, score) in row.scores.iter_mut().zip(&scores) {
                    sum.prefixes += score.prefixes;
                    sum.prefixes_side += score.prefixes_side;
                    sum.space = sum.space.saturating_add(score.space);
                    sum.space_side = sum.space_side.saturating_add(score.space_side);
                }
            }
        }
        let key = (
            prefix.provider.clone(),
            prefix.region.clone(),
            prefix.family,
            prefix.truth,
        );
        let region = regions.entry(key).or_insert_with(|| Region {
            provider: prefix.provider.clone(),
            region: prefix.region.clone(),
            country: prefix.truth,
            family: prefix.family,
            prefixes: 0,
            wrong: vec![0; columns.len()],
        });
        region.prefixes += 1;
        for (wrong, score) in region.wrong.iter_mut().zip(&scores) {
            *wrong += 1 - score.prefixes;
        }
    }
    let mut worst: Vec<Region> = regions
        .into_values()
        .filter(|region| region.wrong.iter().any(|wrong| *wrong > 0))
        .collect();
    // The column before the last: what would be believed without the list.
    let without = columns.len().saturating_sub(2);
    worst.sort_by_key(|region| std::cmp::Reverse(region.wrong.get(without).copied()));
    let lists = layers.meta.of_role(SourceRole::OwnList);
    Ok(Audit {
        atlas: layers.meta.version.clone(),
        day,
        lists: lists.map(|source| source.id.clone()).collect(),
        columns,
        rows: rows.into_values().collect(),
        worst,
    })
}

fn score(
    prefix: &Found,
    said: &[(Option<CountryCode>, u128)],
    right_side: impl Fn(Option<CountryCode>) -> bool,
) -> Score {
    let sum = |right: &dyn Fn(Option<CountryCode>) -> bool| -> u128 {
        let right = said.iter().filter(|(country, _)| right(*country));
        right.fold(0, |sum: u128, (_, size)| sum.saturating_add(*size))
    };
    let country = sum(&|country| country == Some(prefix.truth));
    let side = sum(&right_side);
    let most = |part: u128| u64::from(part > prefix.size / 2);
    Score {
        prefixes: most(country),
        prefixes_side: most(side),
        space: prefix.units(country),
        space_side: prefix.units(side),
    }
}
