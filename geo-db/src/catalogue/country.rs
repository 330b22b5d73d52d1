//! Countries: which data-protection regime holds where, and since when.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;

use super::words::{Language, Text, words};
use crate::profile::CountryCode;

words! {
    /// The data-protection regime of a country or territory.
    Regime, "regime" {
        /// Metropolitan France with Corsica.
        France = "FR",
        /// French outermost region of the Union (TFEU art. 349 and 355(1)): EU law applies.
        FrenchOutermost = "FR-DROM",
        /// French overseas country or territory (TFEU annex II): the French Act applies, the GDPR
        /// itself does not.
        FrenchOverseas = "FR-OCT",
        /// Another member of the European Union.
        Union = "EU",
        /// EEA State outside the Union: the GDPR applies through the EEA Agreement.
        Eea = "EEA",
        /// Third country with an adequacy decision for all transfers.
        Adequate = "ADEQUATE",
        /// Third country with an adequacy decision for some recipients or sectors only.
        AdequatePartial = "ADEQUATE-PARTIAL",
        /// Third country without any.
        Third = "THIRD",
    }
}

impl Regime {
    /// The regime in words.
    #[must_use]
    pub const fn title(self, language: Language) -> &'static str {
        match (self, language) {
            (Self::France, _) => "France",
            (Self::FrenchOutermost, Language::En) => "French outermost region (EU law applies)",
            (Self::FrenchOutermost, Language::Fr) => {
                "région ultrapériphérique française (droit de l'Union applicable)"
            }
            (Self::FrenchOverseas, Language::En) => {
                "French overseas country or territory (French Act, outside the GDPR)"
            }
            (Self::FrenchOverseas, Language::Fr) => {
                "pays ou territoire français d'outre-mer (loi française, hors RGPD)"
            }
            (Self::Union, Language::En) => "European Union",
            (Self::Union, Language::Fr) => "Union européenne",
            (Self::Eea, Language::En) => "European Economic Area",
            (Self::Eea, Language::Fr) => "Espace économique européen",
            (Self::Adequate, Language::En) => "third country with an adequacy decision",
            (Self::Adequate, Language::Fr) => "pays tiers avec décision d'adéquation",
            (Self::AdequatePartial, Language::En) => {
                "third country with a partial adequacy decision"
            }
            (Self::AdequatePartial, Language::Fr) => {
                "pays tiers avec décision d'adéquation partielle"
            }
            (Self::Third, Language::En) => "third country without an adequacy decision",
            (Self::Third, Language::Fr) => "pays tiers sans décision d'adéquation",
        }
    }
}

/// A regime that held in the past, both days included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PastRegime {
    /// What held.
    pub regime: Regime,
    /// First day.
    pub from: Date,
    /// Last day.
    pub until: Date,
}

words! {
    /// How much of a country an adequacy decision covers.
    Extent, "extent of an adequacy decision" {
        /// Every recipient under the country's data-protection law.
        Full = "full",
        /// Some recipients or sectors only; an address can never show which.
        Partial = "partial",
    }
}

/// An adequacy decision (GDPR art. 45, or Directive 95/46/EC art. 25(6) before it).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adequacy {
    /// The country found adequate.
    pub country: CountryCode,
    /// Reference of the decision, such as `(EU) 2021/1772`.
    pub decision: String,
    /// How much it covers.
    pub extent: Extent,
    /// What it covers or leaves out, in words.
    pub scope: Option<String>,
    /// First day.
    pub from: Date,
    /// Last day, when it has one (expiry, or the day before it was struck down).
    pub until: Option<Date>,
    /// Where the fact comes from.
    pub source: String,
    /// Day on which the fact was last checked.
    pub as_of: Date,
    /// Remark for whoever reviews.
    pub note: Option<String>,
}

/// A country or territory with a code of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Country {
    /// ISO 3166-1 alpha-2 (and the user-assigned XK).
    pub code: CountryCode,
    /// Its name.
    pub name: Text,
    /// Regime today, adequacy left out (that is in the decisions).
    pub(super) regime: Regime,
    /// First day of that regime, when it has one.
    pub since: Option<Date>,
    /// What held before.
    pub history: Vec<PastRegime>,
    /// The State a territory belongs to.
    pub sovereign: Option<CountryCode>,
    /// Adequacy decisions, past ones included.
    pub adequacy: Vec<Adequacy>,
    /// Where the facts come from.
    pub source: String,
    /// Day on which the facts were last checked.
    pub as_of: Date,
    /// Remark for whoever reviews.
    pub note: Option<String>,
}

impl Country {
    /// The regime on a day, dated adequacy included.
    #[must_use]
    pub fn regime_at(&self, day: Date) -> Regime {
        let membership = self.membership_at(day);
        if membership != Regime::Third {
            return membership;
        }
        match self.adequacy_at(day).map(|decision| decision.extent) {
            Some(Extent::Full) => Regime::Adequate,
            Some(Extent::Partial) => Regime::AdequatePartial,
            None => Regime::Third,
        }
    }

    /// The regime on a day, adequacy left out.
    pub(super) fn membership_at(&self, day: Date) -> Regime {
        if self.since.is_none_or(|since| since <= day) {
            return self.regime;
        }
        self.history
            .iter()
            .find(|past| past.from <= day && day <= past.until)
            .map_or(Regime::Third, |past| past.regime)
    }

    /// The adequacy decision in force on a day.
    #[must_use]
    pub fn adequacy_at(&self, day: Date) -> Option<&Adequacy> {
        self.adequacy.iter().find(|decision| {
            decision.from <= day && decision.until.is_none_or(|until| day <= until)
        })
    }
}

/// A named set of countries, as policies write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// Metropolitan France with Corsica: the code FR alone.
    Fr,
    /// The French outermost regions: GP, GF, MQ, RE, YT and, since Lisbon, MF.
    FrDrom,
    /// The French overseas countries and territories: BL, NC, PF, PM, TF, WF.
    FrOct,
    /// The European Union, France and its outermost regions included.
    Eu,
    /// The European Economic Area: the Union, Iceland, Liechtenstein and Norway.
    Eea,
    /// Third countries with an adequacy decision in full.
    Adequate,
    /// Third countries with an adequacy decision for some recipients or sectors only (the United
    /// States, Canada, Japan...). They stay in `THIRD`: an address cannot show whether the
    /// recipient is one of those covered.
    AdequatePartial,
    /// Everything outside the EEA, `ADEQUATE` and `FR-OCT`; codes that nobody knows included.
    Third,
}

impl Group {
    /// Every group, widest use first.
    pub const ALL: [Self; 8] = [
        Self::Fr,
        Self::FrDrom,
        Self::FrOct,
        Self::Eu,
        Self::Eea,
        Self::Adequate,
        Self::AdequatePartial,
        Self::Third,
    ];

    /// The word policies use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fr => "FR",
            Self::FrDrom => "FR-DROM",
            Self::FrOct => "FR-OCT",
            Self::Eu => "EU",
            Self::Eea => "EEA",
            Self::Adequate => "ADEQUATE",
            Self::AdequatePartial => "ADEQUATE-PARTIAL",
            Self::Third => "THIRD",
        }
    }

    /// Does the group hold a country of this regime?
    #[must_use]
    pub const fn holds(self, regime: Regime) -> bool {
        match self {
            Self::Fr => matches!(regime, Regime::France),
            Self::FrDrom => matches!(regime, Regime::FrenchOutermost),
            Self::FrOct => matches!(regime, Regime::FrenchOverseas),
            Self::Eu => matches!(
                regime,
                Regime::France | Regime::FrenchOutermost | Regime::Union
            ),
            Self::Eea => matches!(
                regime,
                Regime::France | Regime::FrenchOutermost | Regime::Union | Regime::Eea
            ),
            Self::Adequate => matches!(regime, Regime::Adequate),
            Self::AdequatePartial => matches!(regime, Regime::AdequatePartial),
            Self::Third => matches!(regime, Regime::AdequatePartial | Regime::Third),
        }
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Not the name of a group.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is not a group of countries: FR, FR-DROM, FR-OCT, EU, EEA, ADEQUATE, ADEQUATE-PARTIAL or THIRD is expected"
)]
pub struct GroupError(pub String);

impl FromStr for Group {
    type Err = GroupError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|group| group.name().eq_ignore_ascii_case(text))
            .ok_or_else(|| GroupError(text.to_owned()))
    }
}
