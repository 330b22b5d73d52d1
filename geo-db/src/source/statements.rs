//! What a source says, in the one shape that every reader produces and the atlas is put together
//! from. A statement is joined with nothing and decides nothing.

use std::collections::HashMap;
use std::sync::Arc;

use ipnet::IpNet;
use jiff::civil::Date;

use crate::atlas::range::Range;
use crate::profile::CountryCode;

/// Where a source says that addresses stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// In that country. The code need not be one of the catalogue (`EU`, `AP`, `ZZ` occur).
    Country(CountryCode),
    /// In many places at once.
    Anycast,
}

/// What a source says of the addresses of one family, in any order. Ranges may overlap: the
/// narrowest one speaks ([`Partition::from_ranges`](crate::atlas::range::Partition::from_ranges)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spoken<A> {
    /// Where a network is used.
    pub locations: Vec<Range<A, Place>>,
    /// Where a network is registered: no location.
    pub registrations: Vec<Range<A, CountryCode>>,
    /// Number of the announcing AS, never 0.
    pub systems: Vec<Range<A, u32>>,
    /// Country in which the announcing AS is registered: no location.
    pub system_countries: Vec<Range<A, CountryCode>>,
}

impl<A> Default for Spoken<A> {
    fn default() -> Self {
        Self {
            locations: Vec::new(),
            registrations: Vec::new(),
            systems: Vec::new(),
            system_countries: Vec::new(),
        }
    }
}

/// A prefix in an operator's own list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The prefix.
    pub network: IpNet,
    /// The list's name of whoever publishes it, as in `geo-db/data/cloud_regions.csv`.
    pub provider: Arc<str>,
    /// The publisher's name of the region, when the row has one.
    pub region: Option<Arc<str>>,
    /// The publisher's name of the service, when the row has one.
    pub service: Option<Arc<str>>,
    /// Where the publisher itself says that the prefix is used (geofeeds, RFC 8805).
    pub place: Option<Place>,
}

/// What an administrator says against all sources. At least one of place, operator and service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// The prefix.
    pub network: IpNet,
    /// Where it stands.
    pub place: Option<Place>,
    /// Id of the operator in the catalogue.
    pub operator: Option<Arc<str>>,
    /// Id of the service in the catalogue.
    pub service: Option<Arc<str>>,
    /// Who answers for it.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// First day it holds, when it has one.
    pub from: Option<Date>,
    /// Last day it holds, when it has one.
    pub until: Option<Date>,
}

/// All that one source says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statements {
    /// Day of the data, when the data says it.
    pub date: Option<Date>,
    /// Version of the data, when the data says it.
    pub version: Option<String>,
    /// IPv4.
    pub v4: Spoken<u32>,
    /// IPv6.
    pub v6: Spoken<u128>,
    /// Names of the organisations behind autonomous systems.
    pub names: HashMap<u32, String>,
    /// Prefixes of operators' own lists.
    pub listed: Vec<Listed>,
    /// Prefixes that carry one service alone, with its id in the catalogue.
    pub services: Vec<(IpNet, Arc<str>)>,
    /// What an administrator says against all sources.
    pub overrides: Vec<Override>,
    /// What was left out and why, with its place: nothing is dropped in silence.
    pub warnings: Vec<String>,
}
