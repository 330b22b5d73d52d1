//! The guards as an administrator writes them, in the declaration of sources:
//!
//! ```toml
//! [guards]
//! max_shrink = 0.2            # share of its ranges that a source may lose
//! max_reclassified = 0.03     # share of the known space that may change its standing
//! min_v4_addresses = 2500000000
//! min_v6_networks_48 = 10000000
//! max_age_d = 180
//!
//! [guards.source.dbip-country-lite]
//! min_ranges_v4 = 200000
//!
//! [[sentinel]]
//! address = "20.74.0.1"
//! country = "FR"
//! operator = "microsoft"
//! reach = "controlled"
//! ```

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::profile::{CountryCode, HostingConfidence, Reach};

/// Bounds for a new atlas. The defaults suit an atlas of the whole Internet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GuardsConfig {
    /// Share of its ranges that a source, and of the known space that a family, may lose, 0 to 1.
    pub max_shrink: f64,
    /// Share of the known space of a family whose hosting country, controlling country or reach
    /// may differ from the atlas in force, 0 to 1.
    pub max_reclassified: f64,
    /// IPv4 addresses of which something must be known.
    pub min_v4_addresses: u64,
    /// IPv6 networks of 48 bits of which something must be known.
    pub min_v6_networks_48: u64,
    /// The newest data may be this many days old.
    pub max_age_d: u32,
    /// Bounds for single sources, by id.
    pub source: BTreeMap<String, SourceGuard>,
}

/// Bounds for one source.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SourceGuard {
    /// IPv4 ranges it must have.
    pub min_ranges_v4: u64,
    /// IPv6 ranges it must have.
    pub min_ranges_v6: u64,
    /// Its own bound instead of `guards.max_shrink`.
    pub max_shrink: Option<f64>,
    /// Its data may be this many days old.
    pub max_age_d: Option<u32>,
}

/// An address that everybody knows, and what must be said of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sentinel {
    /// The address.
    pub address: IpAddr,
    /// Hosting country.
    pub country: Option<CountryCode>,
    /// `located`, `contested`, `anycast` or `unknown`.
    pub hosting: Option<HostingConfidence>,
    /// Id of the operator in the catalogue.
    pub operator: Option<String>,
    /// How far foreign law reaches.
    pub reach: Option<Reach>,
}

/// All guards: bounds and sentinels.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Guards {
    /// The bounds.
    pub bounds: GuardsConfig,
    /// The sentinels.
    pub sentinels: Vec<Sentinel>,
}

impl std::ops::Deref for Guards {
    type Target = GuardsConfig;

    fn deref(&self) -> &GuardsConfig {
        &self.bounds
    }
}

impl Default for GuardsConfig {
    fn default() -> Self {
        Self {
            max_shrink: 0.2,
            max_reclassified: 0.03,
            // About 60 % of IPv4; an atlas of the whole Internet knows about 75 %.
            min_v4_addresses: 2_500_000_000,
            min_v6_networks_48: 10_000_000,
            max_age_d: 180,
            source: BTreeMap::new(),
        }
    }
}

/// A guard that cannot work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {what}")]
pub struct GuardError {
    /// The key, or file, line and column.
    pub key: String,
    /// What is wrong and what is expected.
    pub what: String,
}

/// The part of a declaration of sources that is about guards.
#[derive(Deserialize)]
struct Written {
    #[serde(default)]
    guards: GuardsConfig,
    #[serde(default)]
    sentinel: Vec<Sentinel>,
}

impl Guards {
    /// Reads `[guards]` and `[[sentinel]]` of the declaration of sources `file`. `sources` are the
    /// ids that it declares.
    ///
    /// # Errors
    /// Unknown keys, wrong types, and what [`Self::new`] refuses.
    pub fn parse(file: &str, text: &str, sources: &[&str]) -> Result<Self, GuardError> {
        let written: Written = toml::from_str(text).map_err(|error| {
            let offset = error.span().map_or(0, |span| span.start);
            let before = text.get(..offset).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            let column = before
                .rsplit('\n')
                .next()
                .map_or(0, |rest| rest.chars().count())
                + 1;
            GuardError {
                key: format!("{file}:{line}:{column}"),
                what: error.message().to_owned(),
            }
        })?;
        Self::new(written.guards, written.sentinel, sources).map_err(|error| GuardError {
            key: format!("{file}: {}", error.key),
            ..error
        })
    }

    /// Puts bounds and sentinels together. `sources` are the ids that are declared.
    ///
    /// # Errors
    /// A share outside 0 to 1, a guard of a source that is not declared, a sentinel that expects
    /// nothing.
    pub fn new(
        bounds: GuardsConfig,
        sentinels: Vec<Sentinel>,
        sources: &[&str],
    ) -> Result<Self, GuardError> {
        let mut shares = vec![
            ("guards.max_shrink".to_owned(), bounds.max_shrink),
            (
                "guards.max_reclassified".to_owned(),
                bounds.max_reclassified,
            ),
        ];
        for (id, guard) in &bounds.source {
            if !sources.contains(&id.as_str()) {
                return Err(GuardError {
                    key: format!("guards.source.{id}"),
                    what: format!(
                        "no source of that id is declared (declared are: {})",
                        sources.join(", ")
                    ),
                });
            }
            if let Some(share) = guard.max_shrink {
                shares.push((format!("guards.source.{id}.max_shrink"), share));
            }
        }
        for (key, share) in shares {
            if !(0.0..=1.0).contains(&share) {
                return Err(GuardError {
                    key,
                    what: format!("{share} is no share: a number from 0 to 1 is expected"),
                });
            }
        }
        for sentinel in &sentinels {
            let Sentinel {
                address,
                country,
                hosting,
                operator,
                reach,
            } = sentinel;
            if country.is_none() && hosting.is_none() && operator.is_none() && reach.is_none() {
                return Err(GuardError {
                    key: "sentinel".to_owned(),
                    what: format!(
                        "{address} expects nothing: give at least one of country, hosting, \
                         operator and reach"
                    ),
                });
            }
        }
        Ok(Self { bounds, sentinels })
    }
}
