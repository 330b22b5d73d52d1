//! The residency class: one word for a destination, for dashboards and SIEM rules.
//!
//! It is a label for people. Policies decide on the three axes themselves, never on this word.

use jiff::civil::Date;
use octroi_geo_db::profile::{CountryCode, HostingConfidence, Profile, Reach, SpecialUse};
use octroi_geo_db::{Catalogue, Group};
use serde::{Deserialize, Serialize};

/// Membership of countries in the groups the class speaks of, at one date.
pub trait Regions {
    /// French law: metropolitan France, the overseas departments, and the overseas collectivities
    /// (where the GDPR holds through the French Act).
    fn french(&self, country: CountryCode) -> bool;
    /// The GDPR applies directly: European Union and European Economic Area.
    fn european(&self, country: CountryCode) -> bool;
    /// An adequacy decision of the Commission covers the country as a whole.
    fn adequate(&self, country: CountryCode) -> bool;
}

/// The catalogue's word on one day.
#[derive(Clone, Copy, Debug)]
pub struct CatalogueOn<'a> {
    /// The catalogue.
    pub catalogue: &'a Catalogue,
    /// The day.
    pub day: Date,
}

impl CatalogueOn<'_> {
    fn contains(&self, groups: &[Group], country: CountryCode) -> bool {
        groups
            .iter()
            .any(|group| self.catalogue.group_contains(*group, country, self.day))
    }
}

impl Regions for CatalogueOn<'_> {
    fn french(&self, country: CountryCode) -> bool {
        self.contains(&[Group::Fr, Group::FrDrom, Group::FrOct], country)
    }

    fn european(&self, country: CountryCode) -> bool {
        self.contains(&[Group::Eea], country)
    }

    fn adequate(&self, country: CountryCode) -> bool {
        self.contains(&[Group::Adequate], country)
    }
}

/// One word for what is known of a destination.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResidencyClass {
    /// Hosted in France; no operator under the law of a country outside the EEA is known.
    Fr,
    /// Hosted elsewhere in the EU or EEA; no such operator is known.
    Eu,
    /// Hosted in France by an operator that such a law controls.
    FrHostedNoneuControl,
    /// Hosted elsewhere in the EU or EEA by an operator that such a law controls.
    EuHostedNoneuControl,
    /// Hosted in a country with an adequacy decision, whoever controls the operator.
    Adequate,
    /// Hosted anywhere else.
    ThirdCountry,
    /// Sources disagree on the country.
    Contested,
    /// Announced from many places: no country.
    Anycast,
    /// Nothing is known of the place.
    Unknown,
    /// Not a place on the Internet (private, loopback, link-local, multicast).
    Internal,
}

impl ResidencyClass {
    /// Every class.
    pub const ALL: [Self; 10] = [
        Self::Fr,
        Self::Eu,
        Self::FrHostedNoneuControl,
        Self::EuHostedNoneuControl,
        Self::Adequate,
        Self::ThirdCountry,
        Self::Contested,
        Self::Anycast,
        Self::Unknown,
        Self::Internal,
    ];

    /// The class of a profile. In this order, the first that holds:
    /// 1. private, loopback, link-local, multicast: `internal`; any other special-purpose address
    ///    is no known place: `unknown`;
    /// 2. hosting `anycast`, `contested`, `unknown`: that word;
    /// 3. by country: France, EU/EEA, adequate, third. In France and the EU/EEA the class says
    ///    `..._hosted_noneu_control` when the reach is `controlled` and the controlling country is
    ///    not in the EEA (or no country is named, but laws are). `presence` does not change the
    ///    class: the group is European and some foreign law reaches part of it.
    #[must_use]
    pub fn of(profile: &Profile, regions: &impl Regions) -> Self {
        match profile.special {
            Some(
                SpecialUse::Private
                | SpecialUse::Loopback
                | SpecialUse::LinkLocal
                | SpecialUse::Multicast,
            ) => return Self::Internal,
            Some(SpecialUse::Documentation | SpecialUse::Transition | SpecialUse::Reserved) => {
                return Self::Unknown;
            }
            None => {}
        }
        match profile.hosting.confidence {
            HostingConfidence::Anycast => return Self::Anycast,
            HostingConfidence::Contested => return Self::Contested,
            HostingConfidence::Unknown => return Self::Unknown,
            HostingConfidence::Located => {}
        }
        let Some(country) = profile.hosting.country else {
            return Self::Unknown;
        };
        let foreign = profile.control.reach == Reach::Controlled
            && match profile.control.country {
                Some(controller) => !regions.european(controller) && !regions.french(controller),
                None => !profile.control.laws.is_empty(),
            };
        match (regions.french(country), regions.european(country), foreign) {
            (true, _, false) => Self::Fr,
            (true, _, true) => Self::FrHostedNoneuControl,
            (false, true, false) => Self::Eu,
            (false, true, true) => Self::EuHostedNoneuControl,
            (false, false, _) if regions.adequate(country) => Self::Adequate,
            (false, false, _) => Self::ThirdCountry,
        }
    }

    /// The word used in alerts, filters and exports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fr => "fr",
            Self::Eu => "eu",
            Self::FrHostedNoneuControl => "fr_hosted_noneu_control",
            Self::EuHostedNoneuControl => "eu_hosted_noneu_control",
            Self::Adequate => "adequate",
            Self::ThirdCountry => "third_country",
            Self::Contested => "contested",
            Self::Anycast => "anycast",
            Self::Unknown => "unknown",
            Self::Internal => "internal",
        }
    }

    /// What the word means, for the signature of an alert.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Fr => "hosted in France",
            Self::Eu => "hosted in the EU/EEA",
            Self::FrHostedNoneuControl => "hosted in France under non-EU control",
            Self::EuHostedNoneuControl => "hosted in the EU/EEA under non-EU control",
            Self::Adequate => "hosted in a country with an adequacy decision",
            Self::ThirdCountry => "hosted in a third country",
            Self::Contested => "hosted in a contested country",
            Self::Anycast => "anycast, hosted in no single country",
            Self::Unknown => "hosted in an unknown place",
            Self::Internal => "not on the Internet",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn class(
        hosting: Option<&str>,
        confidence: HostingConfidence,
        control: Option<&str>,
        reach: Reach,
    ) -> ResidencyClass {
        let code = |text: &str| text.parse::<CountryCode>().unwrap();
        let mut profile = Profile::unknown();
        profile.hosting.country = hosting.map(code);
        profile.hosting.confidence = confidence;
        profile.control.country = control.map(code);
        profile.control.reach = reach;
        let catalogue = Catalogue::embedded().unwrap();
        let regions = CatalogueOn {
            catalogue: &catalogue,
            day: date(2026, 11, 21),
        };
        ResidencyClass::of(&profile, &regions)
    }

    #[test]
    fn a_class_for_each_place_and_control() {
        use HostingConfidence::{Anycast, Contested, Located, Unknown};
        use Reach::{Controlled, NoneKnown, Presence};
        use ResidencyClass as C;
        let cases = [
            (Some("FR"), Located, Some("FR"), NoneKnown, C::Fr),
            (Some("RE"), Located, Some("FR"), NoneKnown, C::Fr),
            (Some("PF"), Located, None, Reach::Unknown, C::Fr),
            (
                Some("FR"),
                Located,
                Some("US"),
                Controlled,
                C::FrHostedNoneuControl,
            ),
            (Some("FR"), Located, Some("FR"), Presence, C::Fr),
            (Some("FR"), Located, Some("DE"), Controlled, C::Fr),
            (Some("DE"), Located, Some("DE"), NoneKnown, C::Eu),
            (Some("NO"), Located, Some("NO"), NoneKnown, C::Eu),
            (
                Some("IE"),
                Located,
                Some("US"),
                Controlled,
                C::EuHostedNoneuControl,
            ),
            (
                Some("IE"),
                Located,
                Some("CN"),
                Controlled,
                C::EuHostedNoneuControl,
            ),
            (Some("CH"), Located, Some("CH"), NoneKnown, C::Adequate),
            (Some("CH"), Located, Some("US"), Controlled, C::Adequate),
            // Partial decisions cover recipients, not countries.
            (Some("US"), Located, Some("US"), Controlled, C::ThirdCountry),
            (Some("CN"), Located, Some("CN"), Controlled, C::ThirdCountry),
            (Some("FR"), Contested, Some("FR"), NoneKnown, C::Contested),
            (None, Anycast, Some("US"), Controlled, C::Anycast),
            (None, Unknown, None, Reach::Unknown, C::Unknown),
            (None, Located, None, Reach::Unknown, C::Unknown),
        ];
        for (hosting, confidence, control, reach, expected) in cases {
            assert_eq!(
                class(hosting, confidence, control, reach),
                expected,
                "{hosting:?} {confidence:?} {control:?} {reach:?}"
            );
        }
    }

    #[test]
    fn special_addresses_are_internal_or_unknown_whatever_else_is_said() {
        let catalogue = Catalogue::embedded().unwrap();
        let regions = CatalogueOn {
            catalogue: &catalogue,
            day: date(2026, 11, 21),
        };
        let mut profile = Profile::unknown();
        profile.hosting.country = Some(CountryCode::FR);
        profile.hosting.confidence = HostingConfidence::Located;
        for (special, expected) in [
            (SpecialUse::Private, ResidencyClass::Internal),
            (SpecialUse::Loopback, ResidencyClass::Internal),
            (SpecialUse::LinkLocal, ResidencyClass::Internal),
            (SpecialUse::Multicast, ResidencyClass::Internal),
            (SpecialUse::Documentation, ResidencyClass::Unknown),
            (SpecialUse::Transition, ResidencyClass::Unknown),
            (SpecialUse::Reserved, ResidencyClass::Unknown),
        ] {
            profile.special = Some(special);
            assert_eq!(ResidencyClass::of(&profile, &regions), expected);
        }
    }

    #[test]
    fn words_in_json_are_the_names() {
        for class in ResidencyClass::ALL {
            let json = serde_json::to_string(&class).unwrap();
            assert_eq!(json, format!("\"{}\"", class.name()));
        }
    }
}
