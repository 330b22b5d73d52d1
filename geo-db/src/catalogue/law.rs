//! Laws that reach operators, and the texts a policy can rest on.

use std::sync::Arc;

use jiff::civil::Date;

use super::words::{Text, words};
use crate::profile::CountryCode;

/// Id of a law in the catalogue.
pub type LawId = Arc<str>;

words! {
    /// What a law lets its State do.
    LawClass, "class of a law" {
        /// Orders of a court or magistrate.
        Judicial = "judicial",
        /// Intelligence services.
        Intelligence = "intelligence",
        /// Orders of an administration.
        Administrative = "administrative",
        /// Cutting a service off, rather than reading it.
        Availability = "availability",
        /// Data must stay in the country.
        Localisation = "localisation",
        /// Data protection with reach abroad.
        Privacy = "privacy",
    }
}

impl LawClass {
    /// Can an operator be forced to hand data over?
    #[must_use]
    pub const fn compels_access(self) -> bool {
        matches!(
            self,
            Self::Judicial | Self::Intelligence | Self::Administrative
        )
    }
}

words! {
    /// On what a law's force rests during a period.
    Force, "force of a law" {
        /// The text itself is in force.
        Statute = "statute",
        /// The text has lapsed, but orders given under it go on to be executed.
        Continued = "continued",
    }
}

/// A period in which a law can be used against an operator, both days included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Period {
    /// First day, when known.
    pub from: Option<Date>,
    /// Last day, when it has one.
    pub until: Option<Date>,
    /// On what its force rests.
    pub force: Force,
    /// What a reader must know of this period, in one sentence without a full stop.
    pub remark: Option<Text>,
    /// Where the facts come from.
    pub source: String,
    /// Day on which the facts were last checked.
    pub as_of: Date,
}

impl Period {
    /// Does the period hold a day?
    #[must_use]
    pub fn holds(&self, day: Date) -> bool {
        self.from.is_none_or(|from| from <= day) && self.until.is_none_or(|until| day <= until)
    }
}

/// A law that reaches operators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Law {
    /// Id, such as `us_cloud_act`.
    pub id: LawId,
    /// Its name.
    pub name: Text,
    /// The State whose law it is (`EU` for the Union's).
    pub country: CountryCode,
    /// What it lets the State do.
    pub class: LawClass,
    /// Does its text or settled practice reach data or operators outside the State's territory?
    pub extraterritorial: bool,
    /// Whom it reaches.
    pub reach: String,
    /// One sentence for whoever was stopped, without a full stop.
    pub sentence: Text,
    /// Official citation.
    pub citation: Option<String>,
    /// When it can be used, in order of time, at least one: a law can lapse and be renewed.
    pub periods: Vec<Period>,
    /// Where the facts come from.
    pub source: String,
    /// Day on which the facts were last checked.
    pub as_of: Date,
    /// Remark for whoever reviews.
    pub note: Option<String>,
}

impl Law {
    /// The period that holds a day, if any.
    #[must_use]
    pub fn period_at(&self, day: Date) -> Option<&Period> {
        self.periods.iter().find(|period| period.holds(day))
    }

    /// Can it be used on a day, by its text or by orders that outlive it? A law without a first
    /// day can.
    #[must_use]
    pub fn in_force(&self, day: Date) -> bool {
        self.period_at(day).is_some()
    }

    /// Can it force an operator to hand over data that stands outside the State's territory?
    #[must_use]
    pub const fn compels_abroad(&self) -> bool {
        self.extraterritorial && self.class.compels_access()
    }
}

/// A text of doctrine or law that a policy rule can rest on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Basis {
    /// Id, such as `circulaire-6404-sg`.
    pub id: Arc<str>,
    /// Its title.
    pub title: Text,
    /// Official number, when it has one.
    pub reference: Option<String>,
    /// Day of signature, adoption or announcement.
    pub date: Date,
    /// First day in force, when it differs.
    pub from: Option<Date>,
    /// Last day in force, when it has one.
    pub until: Option<Date>,
    /// What it requires, in one sentence without a full stop.
    pub effect: Text,
    /// Where to read it.
    pub url: Option<String>,
    /// Where the facts come from.
    pub source: String,
    /// Day on which the facts were last checked.
    pub as_of: Date,
    /// Remark for whoever reviews.
    pub note: Option<String>,
}
