//! The sides of the border that law draws between places.

use jiff::civil::Date;
use serde::Serialize;

use crate::catalogue::{Catalogue, Group};
use crate::profile::{CountryCode, HostingConfidence};

/// On which side of the border a place stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Side {
    /// France with its outermost regions.
    #[serde(rename = "FR")]
    France,
    /// The rest of the European Economic Area.
    #[serde(rename = "EEA")]
    Eea,
    /// The French territories outside the Union.
    #[serde(rename = "FR-OCT")]
    FrenchOverseas,
    /// Third countries with an adequacy decision in full.
    #[serde(rename = "ADEQUATE")]
    Adequate,
    /// All other countries.
    #[serde(rename = "THIRD")]
    Third,
    /// Every place at once.
    #[serde(rename = "anycast")]
    Anycast,
    /// No place known.
    #[serde(rename = "unknown")]
    Unknown,
}

impl Side {
    /// The side on which a hosting stands on a day.
    #[must_use]
    pub fn of(
        catalogue: &Catalogue,
        country: Option<CountryCode>,
        confidence: HostingConfidence,
        day: Date,
    ) -> Self {
        let Some(country) = country else {
            return match confidence {
                HostingConfidence::Anycast => Self::Anycast,
                _ => Self::Unknown,
            };
        };
        let inside = |group| catalogue.group_contains(group, country, day);
        if inside(Group::Fr) || inside(Group::FrDrom) {
            Self::France
        } else if inside(Group::Eea) {
            Self::Eea
        } else if inside(Group::FrOct) {
            Self::FrenchOverseas
        } else if inside(Group::Adequate) {
            Self::Adequate
        } else {
            Self::Third
        }
    }

    /// Does the GDPR apply there, French overseas territories left out?
    #[must_use]
    pub const fn in_eea(self) -> bool {
        matches!(self, Self::France | Self::Eea)
    }

    /// The word used in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::France => "FR",
            Self::Eea => "EEA",
            Self::FrenchOverseas => "FR-OCT",
            Self::Adequate => "ADEQUATE",
            Self::Third => "THIRD",
            Self::Anycast => "anycast",
            Self::Unknown => "unknown",
        }
    }
}
