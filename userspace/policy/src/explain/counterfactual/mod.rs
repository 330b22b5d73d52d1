//! Counterfactuals: the smallest changes to the facts that turn a verdict round.
//!
//! The facts are eleven, in this order: opacity, name, what the name rests on, what is spoken,
//! hiding of the name (ECH), service, qualification, hosting, control, zone, protocol and port. Of each, those values are tried that the rules of the policy can tell
//! apart ([`candidates`]). All changes of one fact are judged first, then of two at once, and so on
//! up to [`MOST_FACTS`]: the first number of facts at which any change turns the verdict round is
//! the smallest, and changes of that size alone are told, in the order of the facts. Whatever stops
//! is turned round by what lets it pass (`allow` or `flag`), `flag` by `allow`, and `allow` by
//! anything else.
//!
//! Two ways out change no fact of the destination and are told after them: a sovereign service used
//! instead, and an exemption.

mod candidates;

use std::sync::Arc;

use octroi_abi::opaque::Opaque;
use octroi_abi::rules::RULE_OPAQUE;
use octroi_abi::verdict::Verdict;
use octroi_geo_db::catalogue::{Catalogue, Text};
use octroi_geo_db::profile::{
    Control, ControlBasis, CountryCode, Hosting, HostingConfidence, Profile, Qualification, Reach,
};

use super::{Counterfactual, Way};
use crate::decision::Decision;
use crate::model::Policy;
use crate::naming::{EchSeen, Naming};
use crate::subject::{Facts, Subject};

/// Most facts that are changed at once.
pub const MOST_FACTS: usize = 4;
/// Most changes of facts that are told.
const TOLD: usize = 4;
/// Most changes that are judged: a policy with very many distinctions ends the search early.
const JUDGED: usize = 20_000;
/// Most sovereign services that are tried.
const TRIED: usize = 16;

/// Another value of one fact.
#[derive(Clone)]
enum Value {
    NotOpaque,
    Nameless,
    Naming(Naming),
    Speaks(Option<Arc<str>>),
    Ech(EchSeen),
    NoService,
    Qualified(Arc<str>),
    Hosting(Hosting),
    Control(Control),
    Zone(u8),
    Packet(u8, u16),
}

impl Value {
    /// Place of the fact in the documented order.
    const fn fact(&self) -> u8 {
        match self {
            Self::NotOpaque => 0,
            Self::Nameless => 1,
            Self::Naming(_) => 2,
            Self::Speaks(_) => 3,
            Self::Ech(_) => 4,
            Self::NoService => 5,
            Self::Qualified(_) => 6,
            Self::Hosting(_) => 7,
            Self::Control(_) => 8,
            Self::Zone(_) => 9,
            Self::Packet(..) => 10,
        }
    }
}

/// A change of one fact.
#[derive(Clone)]
struct Change {
    value: Value,
    words: Text,
}

/// Changes of facts, the smallest that turn the verdict round; then a service to use instead, then
/// an exemption.
pub(super) fn find(
    policy: &Policy,
    subject: &Subject<'_>,
    base: &Profile,
    decision: Decision,
) -> Vec<Counterfactual> {
    let search = Search {
        policy,
        subject,
        base,
        verdict: decision.verdict,
    };
    let mut found = search.smallest();
    found.extend(search.instead());
    found.extend(search.exemption(decision));
    found
}

struct Search<'a> {
    policy: &'a Policy,
    subject: &'a Subject<'a>,
    base: &'a Profile,
    verdict: Verdict,
}

impl Search<'_> {
    /// Whether a verdict turns the one that was given round.
    fn turns(&self, other: Verdict) -> bool {
        match self.verdict {
            Verdict::Reject | Verdict::Block => !other.stops(),
            Verdict::Flag => other == Verdict::Allow,
            Verdict::Allow => other != Verdict::Allow,
        }
    }

    fn judge(&self, changes: &[&Change]) -> Verdict {
        let mut subject = *self.subject;
        let nameless = changes
            .iter()
            .any(|change| matches!(change.value, Value::Nameless));
        let mut profile = if nameless {
            subject.name = None;
            subject.naming = Naming::Nameless;
            self.base.clone()
        } else {
            subject.profile.clone()
        };
        for change in changes {
            match &change.value {
                Value::NotOpaque => subject.opaque = Opaque::None,
                Value::Nameless => {}
                // Without a name it rests on nothing.
                Value::Naming(_) if nameless => {}
                Value::Naming(naming) => subject.naming = *naming,
                Value::Speaks(speaks) => subject.speaks = speaks.as_deref(),
                Value::Ech(ech) => subject.ech = *ech,
                Value::NoService => profile.service = None,
                Value::Qualified(scheme) => profile.qualifications.push(Qualification {
                    scheme: Arc::clone(scheme),
                    from: None,
                    until: None,
                    source: None,
                    as_of: None,
                }),
                Value::Hosting(hosting) => {
                    profile.hosting = *hosting;
                    profile.special = None;
                    subject.destination = self.policy.looked_up(subject.destination);
                }
                Value::Control(control) => profile.control = control.clone(),
                Value::Zone(zone) => subject.zone = *zone,
                Value::Packet(protocol, port) => {
                    subject.protocol = *protocol;
                    subject.port = *port;
                }
            }
        }
        let subject = Subject {
            profile: &profile,
            ..subject
        };
        self.policy.evaluate(&subject).verdict
    }

    /// All changes of the smallest number of facts that turn the verdict round.
    fn smallest(&self) -> Vec<Counterfactual> {
        let facts = candidates::of(self.policy, self.subject);
        let mut left = JUDGED;
        for size in 1..=MOST_FACTS.min(facts.len()) {
            let mut found: Vec<(Vec<u8>, Counterfactual)> = Vec::new();
            let mut chosen = Vec::with_capacity(size);
            self.combine(&facts, size, &mut chosen, &mut left, &mut found);
            if !found.is_empty() {
                // The mildest verdict first when it was too strict, else as the facts come.
                if self.verdict != Verdict::Allow {
                    found.sort_by_key(|(_, other)| other.verdict);
                }
                return told(found);
            }
        }
        Vec::new()
    }

    /// Judges every choice of `size` more facts out of `facts`, one value of each.
    fn combine<'c>(
        &self,
        facts: &'c [Vec<Change>],
        size: usize,
        chosen: &mut Vec<&'c Change>,
        left: &mut usize,
        found: &mut Vec<(Vec<u8>, Counterfactual)>,
    ) {
        if size == 0 {
            if *left == 0 {
                return;
            }
            *left -= 1;
            let verdict = self.judge(chosen);
            if self.turns(verdict) {
                let facts = chosen.iter().map(|change| change.value.fact()).collect();
                let other = Counterfactual {
                    change: together(chosen),
                    verdict,
                    way: Way::Facts,
                    facts: u8::try_from(chosen.len()).ok(),
                };
                found.push((facts, other));
            }
            return;
        }
        for (index, values) in facts.iter().enumerate() {
            let rest = facts.get(index + 1..).unwrap_or_default();
            if rest.len() + 1 < size {
                return;
            }
            for value in values {
                chosen.push(value);
                self.combine(rest, size - 1, chosen, left, found);
                chosen.pop();
            }
        }
    }

    /// The first sovereign service that would pass instead of the one that was used.
    fn instead(&self) -> Option<Counterfactual> {
        let catalogue = self.subject.catalogue;
        let facts = Facts::new(self.policy, self.subject);
        let service = facts.service().filter(|_| self.verdict != Verdict::Allow)?;
        let offered = service
            .alternatives
            .iter()
            .filter_map(|id| catalogue.service(id));
        offered
            .filter(|offer| offer.sovereign)
            .take(TRIED)
            .find_map(|offer| {
                let operator = catalogue.operator(&offer.operator);
                let mut profile = self.subject.profile.clone();
                profile.hosting = located(CountryCode::FR);
                profile.control = operator.map_or_else(
                    || controlled_by(CountryCode::FR, Reach::NoneKnown, catalogue),
                    |operator| Control {
                        basis: ControlBasis::Service,
                        ..catalogue.control_of_operator(operator)
                    },
                );
                profile.service = Some(Arc::clone(&offer.id));
                profile.qualifications.clone_from(&offer.qualifications);
                let changed = Subject {
                    profile: &profile,
                    name: None,
                    naming: Naming::Pending,
                    asn: None,
                    ..*self.subject
                };
                let verdict = self.policy.evaluate(&changed).verdict;
                self.turns(verdict).then(|| Counterfactual {
                    change: Text::new(
                        format!(
                            "{} ({}), hosted in France, were used instead",
                            offer.name, offer.id
                        ),
                        format!(
                            "{} ({}), hébergé en France, était utilisé à la place",
                            offer.name, offer.id
                        ),
                    ),
                    verdict,
                    way: Way::Service,
                    facts: None,
                })
            })
    }

    /// An exemption before the rule that decided.
    fn exemption(&self, decision: Decision) -> Option<Counterfactual> {
        if self.verdict == Verdict::Allow || decision.rule == RULE_OPAQUE {
            return None;
        }
        let exempted = Decision {
            verdict: Verdict::Allow,
            ..decision
        };
        let verdict = self
            .policy
            .with_opaque(exempted, self.subject.opaque)
            .verdict;
        if !self.turns(verdict) {
            return None;
        }
        let rule = self.policy.rule_name(decision.rule);
        let place = match self.policy.rule(decision.rule) {
            Some(_) => Text::new(
                format!("before rule {rule}"),
                format!("avant la règle {rule}"),
            ),
            None => Text::new("at the end", "à la fin"),
        };
        let destination = ipnet::IpNet::from(self.subject.destination.to_canonical());
        Some(Counterfactual {
            change: Text::new(
                format!("a rule {} allowed prefix {destination}", place.en),
                format!("une règle {} autorisait le préfixe {destination}", place.fr),
            ),
            verdict,
            way: Way::Exemption,
            facts: None,
        })
    }
}

/// Of changes of the same facts, the first.
fn told(found: Vec<(Vec<u8>, Counterfactual)>) -> Vec<Counterfactual> {
    let mut seen: Vec<Vec<u8>> = Vec::new();
    let mut told = Vec::new();
    for (facts, other) in found {
        if !seen.contains(&facts) && told.len() < TOLD {
            seen.push(facts);
            told.push(other);
        }
    }
    told
}

/// Several changes in one sentence, to be read after "if" and "si".
fn together(changes: &[&Change]) -> Text {
    let mut together = Text::verbatim("");
    for change in changes {
        let words = &change.words;
        if !together.en.is_empty() {
            together.en.push_str(" and ");
            together.fr.push_str(" et ");
            together.fr.push_str(si_before(&words.fr));
        }
        together.en.push_str(&words.en);
        together.fr.push_str(&words.fr);
    }
    together
}

/// "si" before a condition; before "il" it loses its vowel.
#[must_use]
pub fn si_before(condition: &str) -> &'static str {
    if condition.starts_with("il ") {
        "s'"
    } else {
        "si "
    }
}

fn located(country: CountryCode) -> Hosting {
    Hosting {
        country: Some(country),
        confidence: HostingConfidence::Located,
    }
}

/// An operator that nobody named, of a country.
fn controlled_by(country: CountryCode, reach: Reach, catalogue: &Catalogue) -> Control {
    Control {
        operator: None,
        country: Some(country),
        reach,
        laws: match reach {
            Reach::Controlled => catalogue.extraterritorial_laws_of(country),
            _ => Vec::new(),
        },
        basis: ControlBasis::Operator,
    }
}
