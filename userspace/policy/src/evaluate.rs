//! The one evaluator: first rule that matches decides, shadow rules are recorded and passed over.

use octroi_abi::opaque::Opaque;
use octroi_abi::rules::{RULE_DEFAULT, RULE_OPAQUE};

use crate::condition::Scope;
use crate::decision::Decision;
use crate::model::{Policy, Rule};
use crate::naming::Naming;
use crate::subject::{Facts, Subject};

impl Rule {
    /// Whether every condition holds.
    pub(crate) fn matches(&self, facts: &Facts<'_>) -> bool {
        self.conditions
            .iter()
            .all(|condition| condition.holds(facts))
    }
}

/// What a name could do to one rule, ports and addresses left open.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Standing {
    /// The rule holds for this zone and class, on some port and address at least.
    pub(crate) holds: bool,
    /// A name could change that.
    pub(crate) name_decides: bool,
    /// For which ports and addresses.
    pub(crate) extent: Extent,
}

/// Where a rule holds that holds for a class.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Extent {
    /// On every port and address.
    Everywhere,
    /// On some.
    Somewhere,
    /// On some, and only for addresses that embed one of the class.
    Transition,
}

impl Standing {
    /// How a rule stands towards a class. The zone is looked at only when `with_zone`.
    pub(crate) fn of(rule: &Rule, facts: &Facts<'_>, with_zone: bool) -> Self {
        let mut holds = true;
        let mut could_hold = true;
        let mut could_fail = false;
        let mut extent = Extent::Everywhere;
        for condition in &rule.conditions {
            if condition.asks_for_transition(facts.subject.profile) {
                extent = Extent::Transition;
                continue;
            }
            match condition.scope() {
                Scope::Zone if !with_zone => {}
                Scope::Zone | Scope::Class => {
                    if !condition.holds(facts) {
                        return Self {
                            holds: false,
                            name_decides: false,
                            extent: Extent::Somewhere,
                        };
                    }
                }
                Scope::Named => {
                    if condition.holds(facts) {
                        could_fail |= condition.name_could_unsatisfy(facts);
                    } else {
                        holds = false;
                        could_hold &= condition.name_could_satisfy(facts);
                    }
                }
                Scope::Address | Scope::Packet => {
                    if extent == Extent::Everywhere {
                        extent = Extent::Somewhere;
                    }
                }
            }
        }
        Self {
            holds,
            name_decides: if holds { could_fail } else { could_hold },
            extent,
        }
    }

    /// It holds on every port and address.
    pub(crate) fn everywhere(self) -> bool {
        self.extent == Extent::Everywhere
    }

    /// Nothing after this rule is ever asked, whatever the port, address and name.
    pub(crate) fn settles(self, rule: &Rule) -> bool {
        self.holds && self.everywhere() && !self.name_decides && !rule.shadow
    }
}

impl Policy {
    /// Judges a subject. The same evaluation stands behind the live slow path, `analyze`,
    /// `explain` and the tables of the kernel.
    #[must_use]
    pub fn evaluate(&self, subject: &Subject<'_>) -> Decision {
        let facts = Facts::new(self, subject);
        let mut decision = Decision {
            verdict: self.default,
            rule: RULE_DEFAULT,
            enforced: self.enforced(),
            shadow: None,
            names_matter: subject.name.is_none()
                && subject.naming == Naming::Pending
                && self.names_matter(&facts),
        };
        for (rule, number) in self.rules.iter().zip(0u16..) {
            if rule.matches(&facts) {
                if rule.shadow {
                    decision.shadow.get_or_insert((number, rule.verdict));
                } else {
                    decision.verdict = rule.verdict;
                    decision.rule = number;
                    break;
                }
            }
        }
        self.with_opaque(decision, subject.opaque)
    }

    /// Opaque traffic gets the policy's verdict for its kind when that is stricter.
    pub(crate) fn with_opaque(&self, decision: Decision, kind: Opaque) -> Decision {
        let hidden = self.opaque_verdict(kind);
        if kind == Opaque::None || hidden <= decision.verdict {
            return decision;
        }
        Decision {
            verdict: hidden,
            rule: RULE_OPAQUE,
            ..decision
        }
    }

    /// Judges opaque traffic without a readable destination.
    #[must_use]
    pub fn evaluate_opaque(&self, kind: Opaque) -> Decision {
        Decision {
            verdict: self.opaque_verdict(kind),
            rule: RULE_OPAQUE,
            enforced: self.enforced(),
            shadow: None,
            names_matter: false,
        }
    }

    fn names_matter(&self, facts: &Facts<'_>) -> bool {
        for rule in &self.rules {
            let standing = Standing::of(rule, facts, true);
            if standing.name_decides {
                return true;
            }
            if standing.settles(rule) {
                return false;
            }
        }
        false
    }
}
