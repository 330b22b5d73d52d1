//! Counterfactuals: small changes to the facts, each judged again, kept when the verdict changes.

use std::sync::Arc;

use octroi_abi::opaque::Opaque;
use octroi_abi::rules::RULE_OPAQUE;
use octroi_abi::verdict::Verdict;
use octroi_geo_db::Dossier;
use octroi_geo_db::profile::{
    Control, ControlBasis, CountryCode, Hosting, HostingConfidence, Profile, Qualification, Reach,
};

use super::Counterfactual;
use crate::condition::Condition;
use crate::decision::Decision;
use crate::model::Policy;
use crate::protocol::{has_ports, protocol_name};
use crate::subject::{Facts, Subject};

/// Most that are told.
const TOLD: usize = 6;
/// Most zones, ports and schemes that are tried.
const TRIED: usize = 16;

/// Collects the changes that lead to another verdict.
struct Search<'a> {
    policy: &'a Policy,
    subject: &'a Subject<'a>,
    verdict: Verdict,
    found: Vec<Counterfactual>,
}

/// Finds small changes that lead to another verdict, the smallest first.
pub(super) fn find(
    policy: &Policy,
    subject: &Subject<'_>,
    dossier: &Dossier,
    decision: Decision,
) -> Vec<Counterfactual> {
    let mut search = Search {
        policy,
        subject,
        verdict: decision.verdict,
        found: Vec::new(),
    };
    search.opacity();
    search.name(dossier);
    search.hosting();
    search.control();
    search.hosting_and_control();
    search.qualification();
    search.zones();
    search.ports();
    search.alternatives();
    search.exemption(decision);
    search.found.truncate(TOLD);
    search.found
}

/// No foreign law: an operator of the hosting country itself.
fn immune() -> Control {
    Control {
        operator: None,
        country: Some(CountryCode::FR),
        reach: Reach::NoneKnown,
        laws: Vec::new(),
        basis: ControlBasis::Operator,
    }
}

fn located(country: CountryCode) -> Hosting {
    Hosting {
        country: Some(country),
        confidence: HostingConfidence::Located,
    }
}

impl Search<'_> {
    /// Keeps a change when it leads to another verdict.
    fn judge(&mut self, changed: &Subject<'_>, change: impl FnOnce() -> String) -> bool {
        let verdict = self.policy.evaluate(changed).verdict;
        let other = verdict != self.verdict;
        if other {
            let change = change();
            self.found.push(Counterfactual { change, verdict });
        }
        other
    }

    fn judge_profile(&mut self, profile: &Profile, change: impl FnOnce() -> String) -> bool {
        let changed = Subject {
            profile,
            ..*self.subject
        };
        self.judge(&changed, change)
    }

    fn opacity(&mut self) {
        let kind = self.subject.opaque;
        if kind != Opaque::None {
            let changed = Subject {
                opaque: Opaque::None,
                ..*self.subject
            };
            self.judge(&changed, || {
                format!("the traffic were not opaque ({})", kind.name())
            });
        }
    }

    /// Without the name, the address alone speaks.
    fn name(&mut self, dossier: &Dossier) {
        if let Some(name) = self.subject.name {
            let changed = Subject {
                name: None,
                profile: &dossier.profile,
                ..*self.subject
            };
            self.judge(&changed, || format!("it did not go by the name {name}"));
        }
    }

    /// Stricter verdicts are explained by what would loosen them, and the other way round.
    fn loosens(&self) -> bool {
        self.verdict != Verdict::Allow
    }

    fn hosting(&mut self) {
        let mut profile = self.subject.profile.clone();
        let hosting = profile.hosting;
        if hosting.confidence == HostingConfidence::Contested
            && let Some(country) = hosting.country
        {
            profile.hosting = located(country);
            if self.judge_profile(&profile, || format!("all sources agreed on {country}")) {
                return;
            }
        }
        let country = if self.loosens() {
            CountryCode::FR
        } else {
            CountryCode::US
        };
        if hosting != located(country) {
            profile.hosting = located(country);
            profile.special = None;
            self.judge_profile(&profile, || format!("it were hosted in {country}"));
        }
    }

    fn control(&mut self) {
        let mut profile = self.subject.profile.clone();
        if self.loosens() {
            if profile.control.reach == Reach::NoneKnown
                && profile.control.basis != ControlBasis::AsCountry
            {
                return;
            }
            profile.control = immune();
            self.judge_profile(&profile, || {
                "it were run by an operator that no foreign law reaches".to_owned()
            });
        } else if profile.control.reach != Reach::Controlled {
            profile.control = Control {
                operator: None,
                country: Some(CountryCode::US),
                reach: Reach::Controlled,
                laws: self
                    .subject
                    .catalogue
                    .extraterritorial_laws_of(CountryCode::US),
                basis: ControlBasis::Operator,
            };
            self.judge_profile(&profile, || "its operator came under law of US".to_owned());
        }
    }

    fn hosting_and_control(&mut self) {
        if !self.loosens() || !self.found.is_empty() {
            return;
        }
        let mut profile = self.subject.profile.clone();
        profile.hosting = located(CountryCode::FR);
        profile.special = None;
        profile.control = immune();
        self.judge_profile(&profile, || {
            "it were hosted in FR by an operator that no foreign law reaches".to_owned()
        });
    }

    /// Qualifications that rules of the policy ask for, one by one.
    fn qualification(&mut self) {
        if !self.loosens() {
            return;
        }
        let facts = Facts::new(self.policy, self.subject);
        let mut schemes: Vec<Arc<str>> = Vec::new();
        for condition in self.policy.rules.iter().flat_map(|rule| &rule.conditions) {
            let Condition::Qualification(words) = condition else {
                continue;
            };
            for scheme in &words.wanted {
                let held = facts.qualifications().any(|held| held == scheme.as_ref());
                if !held && !schemes.contains(scheme) && schemes.len() < TRIED {
                    schemes.push(Arc::clone(scheme));
                }
            }
        }
        for scheme in schemes {
            let mut profile = self.subject.profile.clone();
            profile.qualifications.push(Qualification {
                scheme: Arc::clone(&scheme),
                from: None,
                until: None,
                source: None,
                as_of: None,
            });
            let change = || format!("the service were qualified ({scheme})");
            if self.judge_profile(&profile, change) {
                continue;
            }
            profile.hosting = located(CountryCode::FR);
            self.judge_profile(&profile, || {
                format!("the service were qualified ({scheme}) and hosted in FR")
            });
        }
    }

    fn zones(&mut self) {
        let policy = self.policy;
        let zones = u8::try_from(policy.zones.len()).unwrap_or(u8::MAX);
        let mut told: Vec<Verdict> = Vec::new();
        for zone in (1..=zones)
            .filter(|&zone| zone != self.subject.zone)
            .take(TRIED)
        {
            let changed = Subject {
                zone,
                ..*self.subject
            };
            let verdict = policy.evaluate(&changed).verdict;
            if !told.contains(&verdict) {
                told.push(verdict);
                self.judge(&changed, || {
                    format!("it came from zone {}", policy.zone_name(zone))
                });
            }
        }
    }

    /// Ports that rules of the policy ask for.
    fn ports(&mut self) {
        if !has_ports(self.subject.protocol) {
            return;
        }
        let conditions = self.policy.rules.iter().flat_map(|rule| &rule.conditions);
        let ports = conditions.filter_map(|condition| match condition {
            Condition::Ports(ranges) => ranges.first().map(|&(low, _)| low),
            _ => None,
        });
        let mut tried = vec![self.subject.port];
        let ports: Vec<u16> = ports.collect();
        for port in ports {
            if tried.contains(&port) || tried.len() > TRIED {
                continue;
            }
            tried.push(port);
            let changed = Subject {
                port,
                ..*self.subject
            };
            let protocol = protocol_name(self.subject.protocol);
            if self.judge(&changed, || format!("it went to {protocol} port {port}")) {
                return;
            }
        }
    }

    /// Sovereign services instead of the one that was used.
    fn alternatives(&mut self) {
        let catalogue = self.subject.catalogue;
        let facts = Facts::new(self.policy, self.subject);
        let Some(service) = facts.service().filter(|_| self.loosens()) else {
            return;
        };
        let offered = service
            .alternatives
            .iter()
            .filter_map(|id| catalogue.service(id));
        for offer in offered.filter(|offer| offer.sovereign).take(TRIED) {
            let operator = catalogue.operator(&offer.operator);
            let mut profile = self.subject.profile.clone();
            profile.hosting = located(CountryCode::FR);
            profile.control = operator.map_or_else(immune, |operator| Control {
                basis: ControlBasis::Service,
                ..catalogue.control_of_operator(operator)
            });
            profile.service = Some(Arc::clone(&offer.id));
            profile.qualifications.clone_from(&offer.qualifications);
            let changed = Subject {
                profile: &profile,
                name: None,
                asn: None,
                ..*self.subject
            };
            let change = || format!("{} ({}) were used instead", offer.name, offer.id);
            if self.judge(&changed, change) {
                return;
            }
        }
    }

    /// An exemption before the rule that decided.
    fn exemption(&mut self, decision: Decision) {
        if !self.loosens() || decision.rule == RULE_OPAQUE {
            return;
        }
        let exempted = Decision {
            verdict: Verdict::Allow,
            ..decision
        };
        let verdict = self
            .policy
            .with_opaque(exempted, self.subject.opaque)
            .verdict;
        if verdict != self.verdict {
            let rule = self.policy.rule_name(decision.rule);
            let place = match self.policy.rule(decision.rule) {
                Some(_) => format!("before rule {rule}"),
                None => "at the end".to_owned(),
            };
            let destination = self.subject.destination.to_canonical();
            let change = format!(
                "a rule {place} allowed prefix {}",
                ipnet::IpNet::from(destination)
            );
            self.found.push(Counterfactual { change, verdict });
        }
    }
}
