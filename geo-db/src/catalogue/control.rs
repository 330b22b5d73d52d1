//! The control axis: from an operator, a service or a mere country to whose law reaches it.

use std::sync::Arc;

use super::Catalogue;
use super::country::Regime;
use super::law::{Law, LawId};
use super::operator::Operator;
use super::service::Service;
use crate::profile::{Control, ControlBasis, CountryCode, Profile, Qualification, Reach};

impl Catalogue {
    /// The control axis of an operator: its controlling parent's country, the laws that reach it
    /// on the day of the catalogue, and the reach derived from them.
    #[must_use]
    pub fn control_of_operator(&self, operator: &Operator) -> Control {
        Control {
            operator: Some(Arc::clone(&operator.id)),
            country: Some(operator.country_at(self.day())),
            reach: operator.reach,
            laws: self.laws_on(operator),
            basis: ControlBasis::Operator,
        }
    }

    /// The laws that reach an operator on the day of the catalogue, sorted: those in force then,
    /// without those of States that only a past or future parent or seat brings in.
    #[must_use]
    pub fn laws_on(&self, operator: &Operator) -> Vec<LawId> {
        let day = self.day();
        let reaches = |id: &&LawId| {
            self.law(id)
                .is_some_and(|law| law.in_force(day) && operator.state_counts_at(law.country, day))
        };
        operator.laws.iter().filter(reaches).cloned().collect()
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
        let foreign = self.facts.laws.iter().filter(|law| {
            law.country == country && law.in_force(self.day()) && self.is_foreign_reach(law)
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
        profile.qualifications = self.qualifications_of(service);
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

    /// The qualifications of a service: when a day was asked for those that hold on it, else all
    /// of them with their days, for whoever compares them with a day of their own.
    #[must_use]
    pub fn qualifications_of(&self, service: &Service) -> Vec<Qualification> {
        let holds = |held: &&Qualification| self.asked.is_none_or(|day| held.holds_on(day));
        let held = service.qualifications.iter().filter(holds);
        held.cloned().collect()
    }

    /// Reach of an operator, from its laws and the countries in which it is present.
    pub(super) fn derived_reach(&self, operator: &Operator) -> Reach {
        let laws = self.laws_on(operator);
        let reaches = |id: &LawId| self.law(id).is_some_and(|law| self.is_foreign_reach(law));
        let present = |country: &CountryCode| !self.extraterritorial_laws_of(*country).is_empty();
        if laws.iter().any(reaches) {
            Reach::Controlled
        } else if operator.presence.iter().any(present) {
            Reach::Presence
        } else {
            Reach::NoneKnown
        }
    }

    /// Does a law let a State outside the Union compel operators abroad?
    pub(super) fn is_foreign_reach(&self, law: &Law) -> bool {
        let home = self.country(law.country).is_none_or(|country| {
            matches!(
                country.regime_at(self.day()),
                Regime::France | Regime::FrenchOutermost | Regime::FrenchOverseas | Regime::Union
            )
        });
        law.compels_abroad() && !home
    }
}
