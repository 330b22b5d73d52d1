//! The control axis: from an operator, a service or a mere country to whose law reaches it.

use std::sync::Arc;

use super::Catalogue;
use super::country::Regime;
use super::law::{Law, LawId};
use super::operator::Operator;
use crate::profile::{Control, ControlBasis, CountryCode, Profile, Reach};

impl Catalogue {
    /// The control axis of an operator: its controlling parent's country, the laws in force on
    /// the day of the catalogue, and the reach derived from them.
    #[must_use]
    pub fn control_of_operator(&self, operator: &Operator) -> Control {
        let in_force = |id: &&LawId| self.law(id).is_some_and(|law| law.in_force(self.as_of));
        Control {
            operator: Some(Arc::clone(&operator.id)),
            country: Some(operator.country_at(self.as_of)),
            reach: operator.reach,
            laws: operator.laws.iter().filter(in_force).cloned().collect(),
            basis: ControlBasis::Operator,
        }
    }

    /// The control axis when only the country of the announcing AS is known. `Controlled` when
    /// that country has laws that compel abroad and lies outside the Union, else `NoneKnown`.
    #[must_use]
    pub fn presumed_control(&self, country: CountryCode) -> Control {
        let laws = self.extraterritorial_laws_of(country);
        let reach = if laws.is_empty() {
            Reach::NoneKnown
        } else {
            Reach::Controlled
        };
        Control {
            operator: None,
            country: Some(country),
            reach,
            laws,
            basis: ControlBasis::AsCountry,
        }
    }

    /// The laws of a country that compel operators abroad and are in force on the day of the
    /// catalogue, sorted. Empty for members of the Union: their law is not foreign law here.
    #[must_use]
    pub fn extraterritorial_laws_of(&self, country: CountryCode) -> Vec<LawId> {
        let foreign = self.laws.iter().filter(|law| {
            law.country == country && law.in_force(self.as_of) && self.is_foreign_reach(law)
        });
        let mut laws: Vec<LawId> = foreign.map(|law| Arc::clone(&law.id)).collect();
        laws.sort();
        laws
    }

    /// The laws that reach an operator through the countries in which it is only present.
    #[must_use]
    pub fn presence_laws(&self, operator: &Operator) -> Vec<LawId> {
        let countries = operator.presence.iter();
        let mut laws: Vec<LawId> = countries
            .flat_map(|country| self.extraterritorial_laws_of(*country))
            .collect();
        laws.sort();
        laws.dedup();
        laws
    }

    /// A destination's profile once a name has shown which service it carries. Reach and laws are
    /// united and never lowered: a name can be forged, an address can carry several tenants.
    /// An id that the catalogue does not hold leaves the profile as it is.
    #[must_use]
    pub fn profile_with_service(&self, base: &Profile, service_id: &str) -> Profile {
        let mut profile = base.clone();
        let Some(service) = self.service(service_id) else {
            return profile;
        };
        profile.service = Some(Arc::clone(&service.id));
        profile.qualifications.clone_from(&service.qualifications);
        let Some(operator) = self.operator(&service.operator) else {
            return profile;
        };
        let own = self.control_of_operator(operator);
        let mut laws = own.laws;
        laws.extend(base.control.laws.iter().cloned());
        laws.sort();
        laws.dedup();
        profile.control = Control {
            operator: own.operator,
            country: own.country,
            reach: own.reach.max(base.control.reach),
            laws,
            basis: ControlBasis::Service,
        };
        profile
    }

    /// Reach of an operator, from its laws and the countries in which it is present.
    pub(super) fn derived_reach(&self, operator: &Operator) -> Reach {
        let reaches = |id: &LawId| {
            self.law(id)
                .is_some_and(|law| law.in_force(self.as_of) && self.is_foreign_reach(law))
        };
        let present = |country: &CountryCode| !self.extraterritorial_laws_of(*country).is_empty();
        if operator.laws.iter().any(reaches) {
            Reach::Controlled
        } else if operator.presence.iter().any(present) {
            Reach::Presence
        } else {
            Reach::NoneKnown
        }
    }

    /// Does a law let a State outside the Union compel operators abroad?
    fn is_foreign_reach(&self, law: &Law) -> bool {
        let home = self.country(law.country).is_none_or(|country| {
            matches!(
                country.regime_at(self.as_of),
                Regime::France | Regime::FrenchOutermost | Regime::FrenchOverseas | Regime::Union
            )
        });
        law.compels_abroad() && !home
    }
}
