//! The dossier of an address: its profile and every claim behind it, won or lost.

use std::net::IpAddr;

use ipnet::IpNet;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::layers::AsInfo;
use crate::ClassId;
use crate::catalogue::Text;
use crate::profile::Profile;

/// What a claim speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Axis {
    /// Where it stands.
    Hosting,
    /// Whose law reaches it.
    Control,
    /// What it is qualified for.
    Qualification,
    /// Which service it carries.
    Service,
}

/// What one source says, and whether it was followed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// What it speaks of.
    pub axis: Axis,
    /// What it says: a country code, an operator's or service's id, a scheme.
    pub value: String,
    /// Who says it: id of a source of the atlas, `catalogue` or `iana`.
    pub source: String,
    /// As of which day.
    pub date: Date,
    /// Where it says it: prefix, region, AS number, registry row.
    pub reference: String,
    /// Was it followed?
    pub won: bool,
    /// Why not, or what else should be known.
    pub note: Option<Text>,
}

/// Everything that is known of an address, with the evidence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dossier {
    /// The address.
    pub address: IpAddr,
    /// The largest prefix around it of which all of this holds.
    pub prefix: IpNet,
    /// Its class.
    pub class: ClassId,
    /// Its profile.
    pub profile: Profile,
    /// The AS that announces it.
    pub asn: Option<AsInfo>,
    /// Every claim, by axis, the followed ones first within an axis where trust has an order.
    pub claims: Vec<Claim>,
    /// Version of the atlas.
    pub atlas_version: String,
}
