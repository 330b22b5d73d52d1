//! The dossier of an address: its profile and every claim behind it, won or lost.

use std::net::IpAddr;

use ipnet::IpNet;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::layers::AsInfo;
use crate::ClassId;
use crate::catalogue::{Language, Text};
use crate::profile::Profile;

/// How far an axis can be trusted, for people. Policies decide on the values, never on this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Nothing is known.
    None,
    /// A presumption, or sources that disagree.
    Low,
    /// One source that nothing contradicts.
    Medium,
    /// The publisher itself, a reviewed fact, or sources that agree.
    High,
}

impl Level {
    /// The word used in messages.
    #[must_use]
    pub const fn name(self, language: Language) -> &'static str {
        match (self, language) {
            (Self::None, Language::En) => "none",
            (Self::Low, Language::En) => "low",
            (Self::Medium, Language::En) => "medium",
            (Self::High, Language::En) => "high",
            (Self::None, Language::Fr) => "nulle",
            (Self::Low, Language::Fr) => "faible",
            (Self::Medium, Language::Fr) => "moyenne",
            (Self::High, Language::Fr) => "élevée",
        }
    }

    /// One level down; `None` stays.
    pub(crate) const fn lowered(self) -> Self {
        match self {
            Self::None => Self::None,
            Self::Low | Self::Medium => Self::Low,
            Self::High => Self::Medium,
        }
    }
}

/// How far one axis can be trusted, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confidence {
    /// How far.
    pub level: Level,
    /// Why.
    pub reason: Text,
}

/// How far each axis of a dossier can be trusted; the rule is in `docs/atlas.md`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confidences {
    /// Where it stands.
    pub hosting: Confidence,
    /// Whose law reaches it.
    pub control: Confidence,
    /// What it is qualified for.
    pub qualification: Confidence,
}

impl Confidences {
    /// Nothing is known, for one reason.
    pub(crate) fn none(reason: &Text) -> Self {
        let nothing = || Confidence {
            level: Level::None,
            reason: reason.clone(),
        };
        Self {
            hosting: nothing(),
            control: nothing(),
            qualification: nothing(),
        }
    }
}

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
    /// Who says it: id of a source of the atlas, `catalogue`, `iana`, or `atlas` for a complaint about
    /// the atlas itself.
    pub source: String,
    /// As of which day.
    pub date: Date,
    /// Where it says it: prefix, region, AS number, registry row.
    pub reference: String,
    /// Was it followed?
    pub won: bool,
    /// Why, or why not; what else should be known.
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
    /// How far each axis can be trusted.
    pub confidence: Confidences,
    /// Every claim, by axis, the followed ones first within an axis where trust has an order.
    pub claims: Vec<Claim>,
    /// Version of the atlas.
    pub atlas_version: String,
}
