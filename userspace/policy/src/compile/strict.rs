//! Which cells must wait for a name: those whose address passes and whose name could stop them.
//!
//! A name acts on a verdict in three ways: by itself (`name`), by the service that it or its DNS
//! answer stands for, and by how it was learned (`naming`, `speaks`, `ech`). All that can be learned
//! is finite as far as the rules can tell: the names of the policy and of every service, one below
//! each of them and one that nobody knows; each service behind each of those that have none; the
//! words of the conditions. They are tried, each once for every group of classes that differ in
//! nothing that matters. Ports and addresses are left open, rule by rule.

use std::collections::{HashMap, HashSet};

use jiff::civil::Date;
use octroi_geo_db::catalogue::{Catalogue, Service};
use octroi_geo_db::profile::{Profile, Reach};

use crate::condition::{Condition, Scope};
use crate::model::{Policy, Rule};
use crate::naming::{EchSeen, NamesMode, Naming, SPEECH};
use crate::subject::{Facts, Subject};
use crate::tracking::TrackingLink;

/// Most outcomes (names by ways of learning them) that are tried for one cell; with more, the cell
/// waits when any name could change its verdict at all.
const OUTCOMES: usize = 1 << 16;
/// A label that no policy names.
const FRESH: &str = "some-name-below";

/// One bit for each rule.
type Bits = Box<[u64]>;

/// What the conditions of all rules answer when a name with a certain service is learned.
#[derive(Clone, PartialEq, Eq, Hash)]
struct NameKind {
    /// Rules whose conditions on `name` hold.
    names: Bits,
    /// Index of the service behind it.
    service: Option<usize>,
}

/// Part of a profile that a service does not replace.
type Kept = (Reach, Vec<octroi_geo_db::catalogue::LawId>);

/// What decides of a cell; equal keys have equal answers.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    asked: Bits,
    everywhere: Bits,
    base: Bits,
    kept: usize,
}

/// Finds the cells that must wait.
pub(super) struct Strict<'p> {
    policy: &'p Policy,
    catalogue: &'p Catalogue,
    at: Date,
    services: Vec<&'p Service>,
    kinds: Vec<NameKind>,
    /// Rules without a condition on `name`: what holds without one.
    nameless: Bits,
    /// By way of learning: whether there is a name, and the rules whose conditions on it hold.
    ways: Vec<(bool, Bits)>,
    /// Rules that hold as far as the client has not spoken.
    pending: Bits,
    kept: HashMap<Kept, usize>,
    /// By kept part, the distinct rules that hold by profile and name under each kind with a service.
    laid: Vec<Vec<Bits>>,
    answers: HashMap<Key, bool>,
    /// The class at hand.
    class: Key,
}

impl<'p> Strict<'p> {
    /// `None` when nothing ever waits: the policy observes, or enforces nothing.
    pub(super) fn new(policy: &'p Policy, catalogue: &'p Catalogue, at: Date) -> Option<Self> {
        if policy.names != NamesMode::Strict || !policy.enforced() {
            return None;
        }
        let services: Vec<&Service> = catalogue.services().collect();
        let empty = bits(policy, |_| false);
        let mut strict = Self {
            policy,
            catalogue,
            at,
            kinds: Vec::new(),
            nameless: bits(policy, |rule| !rule.conditions.iter().any(is_name)),
            ways: Vec::new(),
            pending: bits(policy, |rule| !rule.conditions.iter().any(is_of_client)),
            kept: HashMap::new(),
            laid: Vec::new(),
            answers: HashMap::new(),
            class: Key {
                asked: empty.clone(),
                everywhere: empty.clone(),
                base: empty,
                kept: 0,
            },
            services,
        };
        strict.kinds = strict.name_kinds();
        strict.ways = strict.ways_of_learning();
        Some(strict)
    }

    /// Notes what the rules say of a class.
    pub(super) fn stand(&mut self, profile: &Profile) {
        let subject = Subject::of_class(self.catalogue, profile, self.at);
        let facts = Facts::new(self.policy, &subject);
        self.class.asked = bits(self.policy, |rule| {
            !rule.shadow
                && rule.conditions.iter().all(|condition| {
                    condition.scope() != Scope::Class
                        || condition.asks_for_transition(profile)
                        || condition.holds(&facts)
                })
        });
        self.class.everywhere = bits(self.policy, |rule| {
            !rule.conditions.iter().any(|condition| {
                matches!(condition.scope(), Scope::Address | Scope::Packet)
                    || condition.asks_for_transition(profile)
            })
        });
        self.class.base = bits(self.policy, |rule| of_profile(rule, &facts));
        let control = &profile.control;
        let next = self.kept.len();
        let kept = (control.reach, control.laws.clone());
        self.class.kept = *self.kept.entry(kept).or_insert(next);
        if self.class.kept == self.laid.len() {
            let laid = self.laid_over(profile);
            self.laid.push(laid);
        }
    }

    /// Whether flows of a zone to the class at hand must wait for their names.
    pub(super) fn waits(&mut self, zone: u8) -> bool {
        let mut key = self.class.clone();
        for (index, rule) in self.policy.rules.iter().enumerate() {
            let excluded = rule.conditions.iter().any(
                |condition| matches!(condition, Condition::From(zones) if !zones.contains(zone)),
            );
            if excluded {
                clear(&mut key.asked, index);
            }
        }
        if let Some(&answer) = self.answers.get(&key) {
            return answer;
        }
        let answer = self.tried(&key);
        self.answers.insert(key, answer);
        answer
    }

    fn tried(&self, key: &Key) -> bool {
        let unnamed = and(&[&key.base, &self.nameless, &self.pending, &key.asked]);
        let laid = self.laid.get(key.kept).map_or(&[][..], Vec::as_slice);
        if (laid.len() + self.kinds.len()) * self.ways.len() > OUTCOMES {
            return self.any_name_decides(key);
        }
        self.ways.iter().any(|(named, way)| {
            let turns = |parts: &Bits, names: &Bits| {
                self.turns(&unnamed, &and(&[parts, names, way, &key.asked]), key)
            };
            if !named {
                return turns(&key.base, &self.nameless);
            }
            let plain = self.kinds.iter().filter(|kind| kind.service.is_none());
            { plain }.any(|kind| turns(&key.base, &kind.names))
                || laid.iter().any(|held| turns(held, held))
        })
    }

    /// A rule asks for something that a name brings.
    fn any_name_decides(&self, key: &Key) -> bool {
        let mut rules = self.policy.rules.iter().enumerate();
        rules.any(|(index, rule)| {
            has(&key.asked, index)
                && rule
                    .conditions
                    .iter()
                    .any(|condition| condition.scope() == Scope::Named)
        })
    }

    /// Whether some packet passes without a name and is stopped with one. Each rule may hold for
    /// that packet or not, when it asks for ports or addresses.
    fn turns(&self, unnamed: &Bits, named: &Bits, key: &Key) -> bool {
        let (mut unnamed_open, mut named_open) = (true, true);
        // A rule that only the name makes stop; one that only the name makes fail to pass.
        let (mut stop, mut pass) = (false, false);
        for (index, rule) in self.policy.rules.iter().enumerate() {
            let (before, after) = (has(unnamed, index), has(named, index));
            let stops = rule.verdict.stops();
            if unnamed_open && before && !stops {
                if stop {
                    return true;
                }
                pass |= !after;
            }
            if named_open && after && stops {
                if pass {
                    return true;
                }
                stop |= !before;
            }
            if has(&key.everywhere, index) {
                unnamed_open &= !before;
                named_open &= !after;
            }
            if !unnamed_open && !named_open {
                return false;
            }
        }
        if self.policy.default.stops() {
            named_open && pass
        } else {
            unnamed_open && stop
        }
    }

    /// Every kind of name that the rules and the catalogue can tell apart.
    fn name_kinds(&self) -> Vec<NameKind> {
        let patterns = self.policy.rules.iter().flat_map(|rule| &rule.conditions);
        let patterns = patterns.filter_map(|condition| match condition {
            Condition::Name(names) => Some(names.wanted.iter().chain(&names.unwanted)),
            _ => None,
        });
        let patterns = patterns.flatten().map(|pattern| pattern.name.as_str());
        let domains = self.services.iter().flat_map(|service| &service.domains);
        let tracks = |condition: &Condition| matches!(condition, Condition::TrackingLink(_));
        let tracked = { self.policy.rules.iter() }.any(|rule| rule.conditions.iter().any(tracks));
        let loggers = { self.catalogue.ip_loggers() }.filter(|_| tracked);
        let known: HashSet<&str> = patterns
            .chain(domains.map(AsRef::as_ref))
            .chain(loggers.map(|logger| &*logger.host))
            .collect();
        let numbers: HashMap<&str, usize> = { self.services.iter() }
            .enumerate()
            .map(|(index, service)| (service.id.as_ref(), index))
            .collect();
        let mut kinds: HashSet<NameKind> = HashSet::new();
        let mut add = |name: &str, tracking: Option<TrackingLink>| {
            let names = bits(self.policy, |rule| {
                rule.conditions.iter().all(|condition| match condition {
                    Condition::Name(names) => names.contains(name),
                    Condition::TrackingLink(wanted) => {
                        tracking.is_some_and(|found| wanted.contains(&found))
                    }
                    _ => true,
                })
            });
            let service = self.catalogue.service_of_domain(name);
            let service = service.and_then(|service| numbers.get(service.id.as_ref()).copied());
            if service.is_none() {
                // A CNAME chain may lead to any service.
                kinds.extend((0..self.services.len()).map(|index| NameKind {
                    names: names.clone(),
                    service: Some(index),
                }));
            }
            kinds.insert(NameKind { names, service });
        };
        add(FRESH, None);
        if tracked {
            add(FRESH, Some(TrackingLink::LookAlike));
        }
        for name in known {
            for name in [name, &format!("{FRESH}.{name}")] {
                let tracking = TrackingLink::of(self.catalogue, name).filter(|_| tracked);
                add(name, tracking);
            }
        }
        kinds.into_iter().collect()
    }

    /// How a name, or the lack of one, can come to be known, as far as the rules tell.
    fn ways_of_learning(&self) -> Vec<(bool, Bits)> {
        let conditions = self.policy.rules.iter().flat_map(|rule| &rule.conditions);
        let mut words: Vec<&str> = Vec::new();
        for condition in conditions {
            if let Condition::Speaks(asked) = condition {
                words.extend(
                    asked
                        .wanted
                        .iter()
                        .chain(&asked.unwanted)
                        .map(AsRef::as_ref),
                );
            }
        }
        // And one that no rule names.
        words.extend(SPEECH.iter().find(|word| !words.contains(word)));
        let speeches: Vec<Option<&str>> = { words.into_iter().map(Some) }.chain([None]).collect();
        let unknown = Profile::unknown();
        let mut ways = HashSet::new();
        for naming in Naming::ASKED {
            for &speaks in &speeches {
                for ech in EchSeen::ALL {
                    let subject = Subject {
                        naming,
                        speaks,
                        ech,
                        ..Subject::of_class(self.catalogue, &unknown, self.at)
                    };
                    let facts = Facts::new(self.policy, &subject);
                    let held = bits(self.policy, |rule| {
                        let mut asked = rule.conditions.iter();
                        asked.all(|condition| !is_of_client(condition) || condition.holds(&facts))
                    });
                    ways.insert((naming != Naming::Nameless, held));
                }
            }
        }
        ways.into_iter().collect()
    }

    /// What holds by profile and name when each kind of name with a service is learned.
    fn laid_over(&self, base: &Profile) -> Vec<Bits> {
        let by_service: Vec<Bits> = { self.services.iter() }
            .map(|service| {
                let profile = self.catalogue.profile_with_service(base, &service.id);
                let subject = Subject::of_class(self.catalogue, &profile, self.at);
                let facts = Facts::new(self.policy, &subject);
                bits(self.policy, |rule| of_profile(rule, &facts))
            })
            .collect();
        let held = self.kinds.iter().filter_map(|kind| {
            let service = by_service.get(kind.service?)?;
            Some(and(&[service, &kind.names]))
        });
        let distinct: HashSet<Bits> = held.collect();
        distinct.into_iter().collect()
    }
}

const fn is_name(condition: &Condition) -> bool {
    matches!(condition, Condition::Name(_) | Condition::TrackingLink(_))
}

const fn is_of_client(condition: &Condition) -> bool {
    matches!(
        condition,
        Condition::Naming(_) | Condition::Speaks(_) | Condition::Ech(_)
    )
}

/// Whether the conditions hold that look at the profile and that a name can change.
fn of_profile(rule: &Rule, facts: &Facts<'_>) -> bool {
    rule.conditions.iter().all(|condition| {
        condition.scope() != Scope::Named
            || is_name(condition)
            || is_of_client(condition)
            || condition.holds(facts)
    })
}

fn bits(policy: &Policy, holds: impl Fn(&Rule) -> bool) -> Bits {
    let words = policy.rules.chunks(64).map(|rules| {
        rules.iter().enumerate().fold(0_u64, |word, (bit, rule)| {
            word | u64::from(holds(rule)) << bit
        })
    });
    words.collect()
}

fn has(bits: &Bits, index: usize) -> bool {
    bits.get(index / 64)
        .is_some_and(|word| word >> (index % 64) & 1 == 1)
}

fn clear(bits: &mut Bits, index: usize) {
    if let Some(word) = bits.get_mut(index / 64) {
        *word &= !(1 << (index % 64));
    }
}

fn and(parts: &[&Bits]) -> Bits {
    let Some((first, rest)) = parts.split_first() else {
        return Bits::default();
    };
    let mut all = (*first).clone();
    for part in rest {
        for (word, other) in all.iter_mut().zip(part.iter()) {
            *word &= other;
        }
    }
    all
}
