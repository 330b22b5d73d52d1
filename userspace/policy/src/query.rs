//! The question before the flow: may a name be asked for at all?
//!
//! Of a query only the zone and the name are known; the address that the answer will hold is not.
//! So each condition has three values, and a name is forbidden only when every address that it
//! could have would be stopped.

use jiff::civil::Date;
use octroi_abi::rules::RULE_DEFAULT;
use octroi_abi::verdict::Verdict;
use octroi_geo_db::catalogue::Catalogue;
use octroi_geo_db::profile::{ControlBasis, Profile, Reach};

use crate::condition::Condition;
use crate::model::{Policy, Rule};
use crate::naming::Naming;
use crate::subject::{Facts, Subject};

/// DNS (RFC 1035) and DNS over TLS (RFC 7858), as ranges of a condition.
const DNS_PORTS: [(u16, u16); 2] = [(53, 53), (853, 853)];

/// Whether a name may be asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum QueryVerdict {
    /// Some address that the name could have may be reached, in some way.
    Open,
    /// Whatever address the answer held, and whatever were spoken there, the policy would stop it.
    Forbidden {
        /// Number of the rule that is sure to match, or `RULE_DEFAULT`.
        rule: u16,
        /// Its verdict.
        verdict: Verdict,
    },
}

/// An answer when not all is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Three {
    No,
    Maybe,
    Yes,
}

impl From<bool> for Three {
    fn from(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }
}

impl Policy {
    /// Judges a DNS query: whether any address that `name` could have would be let pass for a zone.
    /// Two kinds of rules are not counted as such a way: those for DNS's own ports, and, for a service of
    /// the catalogue, those for special-use addresses and one's own zones. The mode of the policy is not looked at (see [`Policy::enforced`]).
    #[must_use]
    pub fn judge_query(
        &self,
        catalogue: &Catalogue,
        zone: u8,
        name: &str,
        at: Date,
    ) -> QueryVerdict {
        let service = catalogue.service_of_domain(name);
        let unknown = Profile::unknown();
        let profile = service.map_or_else(
            || unknown.clone(),
            |service| catalogue.profile_with_service(&unknown, &service.id),
        );
        let reach = service
            .and_then(|service| catalogue.operator(&service.operator))
            .map(|operator| operator.reach);
        let subject = Subject {
            zone,
            name: Some(name),
            naming: Naming::Dns,
            ..Subject::of_class(catalogue, &profile, at)
        };
        let asked = Asked {
            facts: Facts::new(self, &subject),
            reach,
        };
        let forbidden = |rule: u16, verdict: Verdict| {
            if verdict.stops() {
                QueryVerdict::Forbidden { rule, verdict }
            } else {
                QueryVerdict::Open
            }
        };
        for (rule, number) in self.rules.iter().zip(0u16..) {
            if rule.shadow {
                continue;
            }
            match asked.matches(rule) {
                Three::Yes => return forbidden(number, rule.verdict),
                Three::Maybe if !rule.verdict.stops() => return QueryVerdict::Open,
                Three::Maybe | Three::No => {}
            }
        }
        forbidden(RULE_DEFAULT, self.default)
    }
}

/// A query: its facts are those of an address of which nothing is known.
struct Asked<'a> {
    facts: Facts<'a>,
    /// Reach of the operator behind the name, when the catalogue knows the service: that of the
    /// address is united with it.
    reach: Option<Reach>,
}

impl Asked<'_> {
    fn matches(&self, rule: &Rule) -> Three {
        let mut all = Three::Yes;
        for condition in &rule.conditions {
            match self.holds(condition) {
                Three::No => return Three::No,
                Three::Maybe => all = Three::Maybe,
                Three::Yes => {}
            }
        }
        all
    }

    fn holds(&self, condition: &Condition) -> Three {
        match condition {
            // A rule about resolvers says nothing of what they are asked.
            Condition::Ports(ranges) if ranges.iter().all(|range| DNS_PORTS.contains(range)) => {
                Three::No
            }
            // A service of the catalogue stands at public addresses. Where a name leads to one's own,
            // its address is judged when it is used.
            Condition::Special(_) | Condition::To(_) if self.reach.is_some() => Three::No,
            Condition::From(_) | Condition::Name(_) | Condition::TrackingLink(_) => {
                condition.holds(&self.facts).into()
            }
            // A flow with a name has one of these four.
            Condition::Naming(wanted) => {
                let named = Naming::ASKED
                    .into_iter()
                    .filter(|&naming| naming != Naming::Nameless);
                every(named, |naming| wanted.contains(&naming))
            }
            Condition::Service(_)
            | Condition::Category(_)
            | Condition::Sovereign(_)
            | Condition::Qualification(_)
            | Condition::Operator(_)
            | Condition::Control(_)
                if self.reach.is_some() =>
            {
                condition.holds(&self.facts).into()
            }
            Condition::ControlBasis(wanted) if self.reach.is_some() => {
                wanted.contains(&ControlBasis::Service).into()
            }
            Condition::Reach(wanted) => {
                let reaches = [
                    Reach::NoneKnown,
                    Reach::Unknown,
                    Reach::Presence,
                    Reach::Controlled,
                ];
                let least = self.reach.unwrap_or(Reach::NoneKnown);
                let possible = reaches.into_iter().filter(|&reach| reach >= least);
                every(possible, |reach| wanted.contains(&reach))
            }
            Condition::Laws(words) if self.reach.is_some() => {
                // The address can only add laws.
                let own = &self.facts.subject.profile.control.laws;
                if own.iter().any(|law| words.unwanted.contains(law)) {
                    Three::No
                } else if words.unwanted.is_empty() && condition.holds(&self.facts) {
                    Three::Yes
                } else {
                    Three::Maybe
                }
            }
            _ => Three::Maybe,
        }
    }
}

/// `Yes` when all of the possible values are wanted, `No` when none is.
fn every<T>(possible: impl Iterator<Item = T>, wanted: impl Fn(T) -> bool) -> Three {
    let (mut some, mut all) = (false, true);
    for value in possible {
        if wanted(value) {
            some = true;
        } else {
            all = false;
        }
    }
    match (some, all) {
        (true, true) => Three::Yes,
        (true, false) => Three::Maybe,
        (false, _) => Three::No,
    }
}
