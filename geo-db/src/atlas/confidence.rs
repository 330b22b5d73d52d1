//! How far each axis can be trusted: the rule of `docs/atlas.md`, for people.

use jiff::civil::Date;

use super::dossier::{Confidence, Confidences, Level};
use super::join::{ControlBy, Decision, Evidence, HostingBy, Rules};
use super::layers::{ANYCAST, PlaceValue};
use super::note;
use super::range::Address;
use crate::catalogue::{Catalogue, OperatorKind, Text};
use crate::profile::{CountryCode, HostingConfidence, Profile};

/// Data of sources older than this lower a level by one, and again at each multiple of four.
const DATA_FRESH_DAYS: i32 = 183;
/// Reviewed facts older than this lower a level by one.
const FACT_FRESH_DAYS: i32 = 731;

/// What one address's levels rest on.
pub(super) struct Grounds<'a, A> {
    pub(super) rules: &'a Rules<'a, A>,
    pub(super) evidence: &'a Evidence,
    pub(super) locations: &'a [PlaceValue],
    pub(super) decision: &'a Decision,
    pub(super) address: A,
}

pub(super) fn assess<A: Address>(
    grounds: &Grounds<'_, A>,
    profile: &Profile,
    catalogue: &Catalogue,
) -> Confidences {
    let day = catalogue.day();
    Confidences {
        hosting: grounds.hosting(day),
        control: grounds.control(day),
        qualification: qualification(profile, day),
    }
}

/// How old what decided is.
#[derive(Clone, Copy)]
enum Age {
    /// Data of a source, by its day.
    Data(Date),
    /// A reviewed fact, by the day it was checked.
    Fact(Date),
    /// An administrator's word, or a standard: it has its own dates.
    Timeless,
}

fn confidence(level: Level, reason: Text, age: Age, day: Date) -> Confidence {
    let (date, steps) = match age {
        Age::Timeless => return Confidence { level, reason },
        Age::Data(date) => {
            let days = days_between(date, day);
            let old = i32::from(days > DATA_FRESH_DAYS);
            (date, old + i32::from(days > 4 * DATA_FRESH_DAYS))
        }
        Age::Fact(date) => (date, i32::from(days_between(date, day) > FACT_FRESH_DAYS)),
    };
    let mut out = Confidence { level, reason };
    for _ in 0..steps {
        out.level = out.level.lowered();
    }
    if steps > 0 && level != Level::None {
        let old = note::old(date);
        out.reason.en.push_str("; ");
        out.reason.en.push_str(&old.en);
        out.reason.fr.push_str(" ; ");
        out.reason.fr.push_str(&old.fr);
    }
    out
}

/// Days from `from` to `to`; 0 when `from` is the later one.
fn days_between(from: Date, to: Date) -> i32 {
    (to - from).get_days().max(0)
}

impl<A: Address> Grounds<'_, A> {
    fn source_age(&self, source: u16) -> Age {
        let sources = &self.rules.layers.meta.sources;
        sources
            .get(usize::from(source))
            .map_or(Age::Timeless, |source| Age::Data(source.date))
    }

    fn hosting(&self, day: Date) -> Confidence {
        if self.evidence.special.is_some() {
            return confidence(Level::High, note::no_place(), Age::Timeless, day);
        }
        let hosting = self.decision.key.hosting;
        match self.decision.hosting_by {
            HostingBy::Nobody => {
                let announced = self.evidence.system != 0;
                let reason = if announced {
                    note::no_source_speaks()
                } else {
                    note::not_announced()
                };
                confidence(Level::None, reason, Age::Timeless, day)
            }
            HostingBy::Override(_) => {
                confidence(Level::High, note::override_beats(), Age::Timeless, day)
            }
            HostingBy::Catalogue => {
                let (level, reason) = (Level::High, note::anycast_reviewed());
                confidence(level, reason, Age::Fact(self.anycast_fact(day)), day)
            }
            HostingBy::OwnList(index) => {
                let listed = self.rules.family.listed.entries().get(index as usize);
                let age = listed.map_or(Age::Timeless, |entry| self.source_age(entry.item.source));
                let stranger = self
                    .rules
                    .family_facts
                    .listed
                    .get(index as usize)
                    .is_some_and(|fact| fact.stranger);
                let (level, reason) = match (stranger, hosting.country) {
                    (false, _) => (Level::High, note::own_list_speaks()),
                    (true, Some(country)) => self.among_locations(country, note::stranger()),
                    (true, None) => (Level::Medium, note::stranger()),
                };
                confidence(level, reason, age, day)
            }
            HostingBy::Location(layer) => {
                let age = self
                    .rules
                    .family
                    .locations
                    .get(layer)
                    .map_or(Age::Timeless, |layer| self.source_age(layer.source));
                let (level, reason) = if let Some(country) = hosting.country {
                    self.of_locations(country)
                } else {
                    let flags = self.locations.iter().filter(|value| **value == ANYCAST);
                    if flags.count() > 1 {
                        (Level::High, note::several_agree())
                    } else {
                        (Level::Medium, note::anycast_flag())
                    }
                };
                confidence(level, reason, age, day)
            }
        }
    }

    fn anycast_fact(&self, day: Date) -> Date {
        let names = &self.rules.facts.names;
        let key = self.decision.key;
        let service = names.service_at(key.service).filter(|found| found.anycast);
        let operators = key.control.operators();
        let mut operators = operators.iter().filter_map(|at| names.operator_at(*at));
        service.map_or_else(
            || {
                let found = operators.find(|operator| operator.anycast);
                found.map_or(day, |operator| operator.as_of)
            },
            |service| service.as_of,
        )
    }

    /// Locations alone: how many speak, and what else is known of the network.
    fn of_locations(&self, country: CountryCode) -> (Level, Text) {
        let speaking = self.speaking().count();
        if speaking > 1 {
            return self.among_locations(country, note::several_agree());
        }
        let facts = self.rules.facts;
        let registrations = self.rules.family.registrations.iter();
        let registered = registrations
            .map(|layer| layer.said.get(self.address))
            .chain([self.evidence.system_country])
            .find_map(|value| facts.country(value));
        match registered {
            Some(other) if facts.names.side(other) != facts.names.side(country) => {
                (Level::Low, note::alone_against(other.as_str()))
            }
            Some(_) => (Level::Medium, note::alone_and_plausible()),
            None => (Level::Medium, note::alone()),
        }
    }

    /// The winner's country among those that the location sources name.
    fn among_locations(&self, country: CountryCode, reason: Text) -> (Level, Text) {
        let contested = self.decision.key.hosting.confidence == HostingConfidence::Contested;
        if contested {
            return (Level::Low, note::disagree_across());
        }
        let mut agreeing = 0;
        for other in self.speaking() {
            if other != country {
                return (Level::Low, note::disagree_within());
            }
            agreeing += 1;
        }
        if agreeing > 0 {
            (Level::High, reason)
        } else {
            (Level::Medium, reason)
        }
    }

    fn speaking(&self) -> impl Iterator<Item = CountryCode> {
        let facts = self.rules.facts;
        self.locations
            .iter()
            .filter_map(|value| facts.country(*value))
    }

    fn control(&self, day: Date) -> Confidence {
        if self.evidence.special.is_some() {
            return confidence(Level::None, note::no_place(), Age::Timeless, day);
        }
        let key = self.decision.key.control;
        let names = &self.rules.facts.names;
        let operator = names.operator_at(key.named());
        let age = operator.map_or(Age::Timeless, |operator| Age::Fact(operator.as_of));
        let united = key.operators().len() > 1;
        let landlord = operator.is_some_and(|operator| {
            matches!(
                operator.kind,
                OperatorKind::Datacentre | OperatorKind::Transit
            )
        });
        match self.decision.control_by {
            ControlBy::Nobody => confidence(Level::None, note::nobody(), Age::Timeless, day),
            ControlBy::Country => confidence(Level::Low, note::presumed(), Age::Timeless, day),
            ControlBy::Override(_) => {
                confidence(Level::High, note::override_beats(), Age::Timeless, day)
            }
            ControlBy::System if landlord => confidence(Level::Medium, note::landlord(), age, day),
            _ if united => confidence(Level::Medium, note::several_hold_the_wire(), age, day),
            ControlBy::System => confidence(Level::High, note::operator_announces(), age, day),
            ControlBy::Prefix | ControlBy::OwnList(_) => {
                confidence(Level::High, note::operators_prefix(), age, day)
            }
            ControlBy::Service => confidence(Level::High, note::own_prefix(), age, day),
        }
    }
}

fn qualification(profile: &Profile, day: Date) -> Confidence {
    if profile.service.is_none() {
        return confidence(Level::None, note::no_service(), Age::Timeless, day);
    }
    let mut in_force = profile.qualifications.iter().filter(|held| {
        held.from.is_none_or(|from| from <= day) && held.until.is_none_or(|until| day <= until)
    });
    let (level, reason) = match in_force.next() {
        None => (Level::None, note::not_qualified()),
        Some(held) if held.until.is_some() => (Level::High, note::qualified()),
        Some(_) => (Level::Medium, note::no_end_known()),
    };
    confidence(level, reason, Age::Timeless, day)
}
