//! The join: what the sources and the catalogue say of an address becomes one profile.
//!
//! The rules, first that applies (`docs/atlas.md` gives the reasons):
//! 1. Special-use space is no place: nothing else is asked.
//! 2. **Hosting**: the provider's own list (a region's country, or anycast); else anycast when the
//!    catalogue says so of the service or operator; else, where the space is announced, the
//!    locations: the first that speaks names the country, another that disagrees makes it
//!    contested; else unknown.
//! 3. **Control**: the operator of the service whose prefix it is, united with the network's; else
//!    the operator that announces it; else the provider in whose list it is; else the law of the
//!    country in which the announcing system is registered, presumed; else nobody.

use std::collections::HashMap;

use super::facts::{Facts, FamilyFacts};
use super::layers::{Family, Layers};
use super::prefix::PrefixSet;
use super::range::{Address, Cursor, Partition};
use super::regions::RegionSays;
use super::special::SpecialRow;
use crate::catalogue::Catalogue;
use crate::profile::{
    Control, ControlBasis, CountryCode, Hosting, HostingConfidence, Profile, Reach, SpecialUse,
};

/// What the layers say at one address, as indices.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Evidence {
    /// Special use of the narrowest registry row.
    pub(crate) special: Option<SpecialUse>,
    /// Index of the service plus one.
    pub(crate) service: u16,
    /// Index of the narrowest cloud prefix plus one.
    pub(crate) cloud: u32,
    /// System value.
    pub(crate) system: u32,
    /// Country value of the system's registration.
    pub(crate) system_country: u16,
}

/// Whose word decided the hosting axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HostingBy {
    Nobody,
    CloudList,
    Catalogue,
    /// Index of the location layer.
    Location(usize),
}

/// Whose word decided the control axis.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum ControlBy {
    Nobody,
    /// The announcing operator: index plus one.
    System(u16),
    /// The provider in whose list the prefix is: index plus one.
    CloudList(u16),
    Country(CountryCode),
}

/// What tells profiles apart, before they are spelled out.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Key {
    pub(crate) special: Option<SpecialUse>,
    pub(crate) hosting: Hosting,
    pub(crate) control: ControlBy,
    /// Index of the service plus one.
    pub(crate) service: u16,
}

const NO_HOSTING: Hosting = Hosting {
    country: None,
    confidence: HostingConfidence::Unknown,
};

/// Applies the rules to the evidence at one address.
pub(crate) fn decide<A: Address>(
    layers: &Layers,
    facts: &Facts,
    family: &Family<A>,
    family_facts: &FamilyFacts<A>,
    evidence: &Evidence,
    locations: &[u16],
) -> (Key, HostingBy) {
    if evidence.special.is_some() {
        let key = Key {
            special: evidence.special,
            hosting: NO_HOSTING,
            control: ControlBy::Nobody,
            service: 0,
        };
        return (key, HostingBy::Nobody);
    }
    let control = decide_control(layers, facts, family, evidence);
    let (hosting, by) = decide_hosting(facts, family_facts, evidence, control, locations);
    let key = Key {
        special: None,
        hosting,
        control,
        service: evidence.service,
    };
    (key, by)
}

fn decide_control<A: Address>(
    layers: &Layers,
    facts: &Facts,
    family: &Family<A>,
    evidence: &Evidence,
) -> ControlBy {
    let system = evidence.system.checked_sub(1).map(|index| index as usize);
    let at =
        |operators: &[u16], index: usize| operators.get(index).copied().filter(|found| *found != 0);
    if let Some(operator) = system.and_then(|index| at(&facts.operator_of_system, index)) {
        return ControlBy::System(operator);
    }
    let entry = evidence
        .cloud
        .checked_sub(1)
        .and_then(|index| family.clouds.entries().get(index as usize));
    let provider = entry.map(|entry| usize::from(entry.item.provider));
    if let Some(operator) = provider.and_then(|index| at(&facts.operator_of_provider, index)) {
        return ControlBy::CloudList(operator);
    }
    // The table of systems covers what the layer of countries does not.
    let registered = facts.country(evidence.system_country).or_else(|| {
        let value = system.and_then(|index| layers.systems.countries.get(index).copied());
        value.and_then(|value| facts.country(value))
    });
    registered.map_or(ControlBy::Nobody, ControlBy::Country)
}

fn decide_hosting<A>(
    facts: &Facts,
    family_facts: &FamilyFacts<A>,
    evidence: &Evidence,
    control: ControlBy,
    locations: &[u16],
) -> (Hosting, HostingBy) {
    const ANYCAST: Hosting = Hosting {
        country: None,
        confidence: HostingConfidence::Anycast,
    };
    let cloud = evidence.cloud.checked_sub(1).map(|index| index as usize);
    let listed = cloud.and_then(|index| family_facts.clouds.get(index).copied().flatten());
    match listed.map(|listed| listed.says) {
        Some(RegionSays::Country(country)) => {
            let hosting = Hosting {
                country: Some(country),
                confidence: HostingConfidence::Located,
            };
            return (hosting, HostingBy::CloudList);
        }
        Some(RegionSays::Anycast) => return (ANYCAST, HostingBy::CloudList),
        None => {}
    }
    let service = evidence
        .service
        .checked_sub(1)
        .and_then(|index| facts.services.get(usize::from(index)));
    let operator = match (service, control) {
        (Some(service), _) => facts.operator(service.operator),
        (None, ControlBy::System(operator) | ControlBy::CloudList(operator)) => {
            facts.operator(operator)
        }
        (None, _) => None,
    };
    if service.is_some_and(|service| service.anycast) || operator.is_some_and(|fact| fact.anycast) {
        return (ANYCAST, HostingBy::Catalogue);
    }
    let announced = evidence.system != 0
        || evidence.system_country != 0
        || evidence.cloud != 0
        || evidence.service != 0;
    if !announced {
        return (NO_HOSTING, HostingBy::Nobody);
    }
    let mut speaking = locations
        .iter()
        .enumerate()
        .filter_map(|(layer, value)| Some((layer, facts.country(*value)?)));
    let Some((layer, country)) = speaking.next() else {
        return (NO_HOSTING, HostingBy::Nobody);
    };
    let confidence = if speaking.any(|(_, other)| other != country) {
        HostingConfidence::Contested
    } else {
        HostingConfidence::Located
    };
    let hosting = Hosting {
        country: Some(country),
        confidence,
    };
    (hosting, HostingBy::Location(layer))
}

/// One family's pieces, each with the number of its key; and the keys.
pub(crate) struct Joined<A> {
    pub(crate) pieces: Partition<A, u32>,
    pub(crate) keys: Vec<Key>,
}

/// Walks all layers of one family side by side.
pub(crate) fn join<A: Address>(
    layers: &Layers,
    facts: &Facts,
    family: &Family<A>,
    family_facts: &FamilyFacts<A>,
    registry: &PrefixSet<A, SpecialRow>,
) -> Joined<A> {
    let mut numbers: HashMap<Key, u32, foldhash::fast::RandomState> = HashMap::default();
    let mut keys = Vec::new();
    let room = family.systems.len() + family.locations.iter().map(Partition::len).sum::<usize>();
    let mut pieces = Partition::with_capacity(room);
    let mut special = Cursor::new(registry.narrowest());
    let mut service = Cursor::new(family_facts.services.narrowest());
    let mut cloud = Cursor::new(family.clouds.narrowest());
    let mut system = Cursor::new(&family.systems);
    let mut system_country = Cursor::new(&family.system_countries);
    let mut locations: Vec<_> = family.locations.iter().map(Cursor::new).collect();
    let mut spoken = vec![0; locations.len()];
    let mut last: Option<(Key, u32)> = None;
    let mut at = A::MIN;
    loop {
        for (value, cursor) in spoken.iter_mut().zip(&locations) {
            *value = cursor.value();
        }
        let entry = |position: u32| Some(position.checked_sub(1)? as usize);
        let row = entry(special.value()).and_then(|index| registry.entries().get(index));
        let found =
            entry(service.value()).and_then(|index| family_facts.services.entries().get(index));
        let evidence = Evidence {
            special: row.and_then(|row| row.item.special),
            service: found.map_or(0, |found| found.item + 1),
            cloud: cloud.value(),
            system: system.value(),
            system_country: system_country.value(),
        };
        let (key, _) = decide(layers, facts, family, family_facts, &evidence, &spoken);
        let number = match last {
            Some((known, number)) if known == key => number,
            _ => *numbers.entry(key).or_insert_with(|| {
                keys.push(key);
                // A partition has fewer than 2^32 pieces, so there are fewer keys.
                u32::try_from(keys.len() - 1).unwrap_or(u32::MAX)
            }),
        };
        last = Some((key, number));
        pieces.push(at, number);

        let mut next: Option<A> = None;
        let mut earliest = |start: Option<A>| {
            next = match (next, start) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
        };
        earliest(special.next_start());
        earliest(service.next_start());
        earliest(cloud.next_start());
        earliest(system.next_start());
        earliest(system_country.next_start());
        for cursor in &locations {
            earliest(cursor.next_start());
        }
        let Some(next) = next else {
            return Joined { pieces, keys };
        };
        at = next;
        special.advance_to(at);
        service.advance_to(at);
        cloud.advance_to(at);
        system.advance_to(at);
        system_country.advance_to(at);
        for cursor in &mut locations {
            cursor.advance_to(at);
        }
    }
}

/// Spells a key out.
pub(crate) fn profile_of(key: &Key, facts: &Facts, catalogue: &Catalogue) -> Profile {
    let operator = match key.control {
        ControlBy::System(operator) | ControlBy::CloudList(operator) => facts.operator(operator),
        ControlBy::Nobody | ControlBy::Country(_) => None,
    };
    let mut profile = Profile {
        hosting: key.hosting,
        special: key.special,
        ..Profile::unknown()
    };
    let service = key
        .service
        .checked_sub(1)
        .and_then(|index| facts.services.get(usize::from(index)));
    if let Some(operator) = operator {
        profile.control = operator.control.clone();
    }
    if let Some(service) = service {
        if operator.is_none() {
            // The service's own prefix: there is no other network to be reached through.
            profile.control = Control {
                operator: None,
                country: None,
                reach: Reach::NoneKnown,
                laws: Vec::new(),
                basis: ControlBasis::None,
            };
        }
        return catalogue.profile_with_service(&profile, &service.id);
    }
    if let ControlBy::Country(country) = key.control {
        profile.control = catalogue.presumed_control(country);
    }
    profile
}
