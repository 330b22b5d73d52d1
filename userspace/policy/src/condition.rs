//! One condition of a rule: what it asks of a subject, and what could change the answer.

use octroi_geo_db::profile::{ControlBasis, HostingConfidence, Profile, Reach, SpecialUse};

use crate::naming::{EchSeen, Naming};
use crate::sets::{Names, Places, Prefixes, Words, ZoneSet};
use crate::subject::Facts;
use crate::tracking::{self, TrackingLink};

/// A condition. A fact that is missing never satisfies one, negated or not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Condition {
    /// `from`: zone of the source.
    From(ZoneSet),
    /// `protocol`: IP protocol numbers.
    Protocol(Vec<u8>),
    /// `ports`: destination ports, inclusive ranges, sorted, apart. Port 0 is "no port".
    Ports(Vec<(u16, u16)>),
    /// `special`: special-use range of the destination.
    Special(Vec<SpecialUse>),
    /// `confidence` of the hosting country. A rule that names countries but no confidence has
    /// `located` alone.
    Confidence(Vec<HostingConfidence>),
    /// `control_basis`. A rule that asks about control but names no basis has all but `as_country`.
    ControlBasis(Vec<ControlBasis>),
    /// `reach` of foreign law.
    Reach(Vec<Reach>),
    /// `hosting` country.
    Hosting(Places),
    /// `control`: country of control.
    Control(Places),
    /// `operator` of the catalogue.
    Operator(Words),
    /// `laws` that reach the operator.
    Laws(Words),
    /// `service` of the catalogue.
    Service(Words),
    /// `category` of the service.
    Category(Words),
    /// `sovereign` service or not.
    Sovereign(bool),
    /// `qualification` of the service, valid on the day of the evaluation.
    Qualification(Words),
    /// `asn` that announces the destination, sorted.
    Asn(Vec<u32>),
    /// `prefix` of the destination.
    Prefix(Prefixes),
    /// `to`: zone of the destination.
    To(ZoneSet),
    /// `name`: host name.
    Name(Names),
    /// `tracking_link`: how the name is one that records who opens it.
    TrackingLink(Vec<TrackingLink>),
    /// `naming`: what the name rests on.
    Naming(Vec<Naming>),
    /// `speaks`: what the client speaks.
    Speaks(Words),
    /// `ech`: whether the client hid its name.
    Ech(Vec<EchSeen>),
}

/// What the answer to a condition depends on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Scope {
    /// The zone of the source.
    Zone,
    /// The class of the destination, whatever name it goes by.
    Class,
    /// The class of the destination, and the name.
    Named,
    /// The very destination address.
    Address,
    /// Protocol and port.
    Packet,
}

impl Condition {
    /// The key of the language.
    #[must_use]
    pub const fn key(&self) -> &'static str {
        match self {
            Self::From(_) => "from",
            Self::Protocol(_) => "protocol",
            Self::Ports(_) => "ports",
            Self::Special(_) => "special",
            Self::Confidence(_) => "confidence",
            Self::ControlBasis(_) => "control_basis",
            Self::Reach(_) => "reach",
            Self::Hosting(_) => "hosting",
            Self::Control(_) => "control",
            Self::Operator(_) => "operator",
            Self::Laws(_) => "laws",
            Self::Service(_) => "service",
            Self::Category(_) => "category",
            Self::Sovereign(_) => "sovereign",
            Self::Qualification(_) => "qualification",
            Self::Asn(_) => "asn",
            Self::Prefix(_) => "prefix",
            Self::To(_) => "to",
            Self::Name(_) => "name",
            Self::TrackingLink(_) => "tracking_link",
            Self::Naming(_) => "naming",
            Self::Speaks(_) => "speaks",
            Self::Ech(_) => "ech",
        }
    }

    /// Whether the condition asks for a transition address, given that the class itself is none: it
    /// then holds for the addresses that embed one of this class.
    pub(crate) fn asks_for_transition(&self, class: &Profile) -> bool {
        match self {
            Self::Special(uses) => {
                uses.contains(&SpecialUse::Transition)
                    && !class.special.is_some_and(|used| uses.contains(&used))
            }
            _ => false,
        }
    }

    pub(crate) const fn scope(&self) -> Scope {
        match self {
            Self::From(_) => Scope::Zone,
            Self::Special(_) | Self::Confidence(_) | Self::Hosting(_) => Scope::Class,
            Self::ControlBasis(_)
            | Self::Reach(_)
            | Self::Control(_)
            | Self::Operator(_)
            | Self::Laws(_)
            | Self::Service(_)
            | Self::Category(_)
            | Self::Sovereign(_)
            | Self::Qualification(_)
            | Self::Name(_)
            | Self::TrackingLink(_)
            | Self::Naming(_)
            | Self::Speaks(_)
            | Self::Ech(_) => Scope::Named,
            Self::Asn(_) | Self::Prefix(_) | Self::To(_) => Scope::Address,
            Self::Protocol(_) | Self::Ports(_) => Scope::Packet,
        }
    }

    /// Order of evaluation: cheap answers first.
    pub(crate) const fn cost(&self) -> u8 {
        match self {
            Self::From(_) => 0,
            Self::Protocol(_) => 1,
            Self::Ports(_) => 2,
            Self::Special(_) => 3,
            Self::Confidence(_) => 4,
            Self::ControlBasis(_) => 5,
            Self::Reach(_) => 6,
            Self::Hosting(_) => 7,
            Self::Control(_) => 8,
            Self::Asn(_) => 9,
            Self::Operator(_) => 10,
            Self::Service(_) => 11,
            Self::Laws(_) => 12,
            Self::Qualification(_) => 13,
            Self::Category(_) => 14,
            Self::Sovereign(_) => 15,
            Self::Prefix(_) => 16,
            Self::To(_) => 17,
            Self::Name(_) => 18,
            Self::Naming(_) => 19,
            Self::Ech(_) => 20,
            Self::Speaks(_) => 21,
            Self::TrackingLink(_) => 22,
        }
    }

    /// Whether the condition holds.
    pub(crate) fn holds(&self, facts: &Facts<'_>) -> bool {
        let subject = facts.subject;
        let profile = subject.profile;
        match self {
            Self::From(zones) => zones.contains(subject.zone),
            Self::Protocol(protocols) => protocols.contains(&subject.protocol),
            Self::Ports(ranges) => ranges
                .iter()
                .any(|&(low, high)| low <= subject.port && subject.port <= high),
            Self::Special(uses) => facts.is_special(uses),
            Self::Confidence(wanted) => wanted.contains(&profile.hosting.confidence),
            Self::ControlBasis(wanted) => wanted.contains(&profile.control.basis),
            Self::Reach(wanted) => wanted.contains(&profile.control.reach),
            Self::Hosting(places) => profile.hosting.country.is_some_and(|country| {
                places.contains(country, |group| facts.hosting_in(country, group))
            }),
            Self::Control(places) => profile.control.country.is_some_and(|country| {
                places.contains(country, |group| facts.control_in(country, group))
            }),
            Self::Operator(words) => {
                let operator = profile.control.operator.as_deref();
                operator.is_some_and(|operator| words.contains(operator))
            }
            Self::Laws(words) => {
                let laws = profile.control.laws.iter().map(AsRef::as_ref);
                facts.laws_known() && words.contains_any(laws)
            }
            Self::Service(words) => {
                let service = profile.service.as_deref();
                service.is_some_and(|service| words.contains(service))
            }
            Self::Category(words) => facts
                .service()
                .is_some_and(|service| words.contains(service.category.name())),
            Self::Sovereign(wanted) => facts
                .service()
                .is_some_and(|service| service.sovereign == *wanted),
            Self::Qualification(words) => {
                (profile.service.is_some() || !profile.qualifications.is_empty())
                    && words.contains_any(facts.qualifications())
            }
            Self::Asn(numbers) => subject
                .asn
                .is_some_and(|asn| numbers.binary_search(&asn).is_ok()),
            Self::Prefix(prefixes) => facts.in_prefixes(prefixes),
            Self::To(zones) => facts.to_zones(*zones),
            Self::Name(names) => subject.name.is_some_and(|name| names.contains(name)),
            Self::TrackingLink(wanted) => subject
                .name
                .is_some_and(|name| tracking::is_one_of(wanted, subject.catalogue, name)),
            // `Pending` is never asked for.
            Self::Naming(wanted) => wanted.contains(&subject.naming),
            Self::Speaks(words) => facts.speaks().is_some_and(|word| words.contains(word)),
            Self::Ech(wanted) => facts.ech().is_some_and(|ech| wanted.contains(&ech)),
        }
    }

    /// Whether a name that is learned later could make the condition hold, given that it does not.
    ///
    /// A name can lay a service over the profile. That unites laws and takes the greater reach, so
    /// a law that reaches the operator stays, and `controlled` stays.
    pub(crate) fn name_could_satisfy(&self, facts: &Facts<'_>) -> bool {
        match self {
            Self::Reach(wanted) => wanted
                .iter()
                .any(|&reach| reachable_by_name(facts.subject.profile.control.reach, reach)),
            Self::ControlBasis(wanted) => wanted.contains(&ControlBasis::Service),
            Self::Laws(words) => {
                let held = &facts.subject.profile.control.laws;
                !held.iter().any(|law| words.unwanted.contains(law))
            }
            _ => self.scope() == Scope::Named,
        }
    }

    /// Whether a name that is learned later could make the condition fail, given that it holds.
    pub(crate) fn name_could_unsatisfy(&self, facts: &Facts<'_>) -> bool {
        let control = &facts.subject.profile.control;
        match self {
            Self::Reach(wanted) => [
                Reach::NoneKnown,
                Reach::Unknown,
                Reach::Presence,
                Reach::Controlled,
            ]
            .into_iter()
            .any(|reach| reachable_by_name(control.reach, reach) && !wanted.contains(&reach)),
            Self::ControlBasis(wanted) => !wanted.contains(&ControlBasis::Service),
            Self::Laws(words) => !words.unwanted.is_empty(),
            _ => self.scope() == Scope::Named,
        }
    }
}

/// Whether reach `from` can become `to` when a service is laid over it.
fn reachable_by_name(from: Reach, to: Reach) -> bool {
    match from {
        Reach::Controlled => to == Reach::Controlled,
        Reach::Presence => to >= Reach::Presence,
        // Of an unknown operator a service may tell anything.
        Reach::NoneKnown | Reach::Unknown => true,
    }
}
