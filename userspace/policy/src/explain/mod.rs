//! Explanation: why a decision is what it is, on what evidence, and what would change it.
//!
//! Sentences are [`Text`]: English and French side by side, made in one place. What a policy says of
//! itself stays as it is written.

mod counterfactual;
mod reason;

use std::net::{IpAddr, Ipv4Addr};

use jiff::civil::Date;
use octroi_abi::opaque::Opaque;
use octroi_abi::verdict::Verdict;
use octroi_geo_db::Dossier;
use octroi_geo_db::catalogue::{Catalogue, Text};
use octroi_geo_db::profile::Profile;
use serde::{Deserialize, Serialize};

use crate::decision::Decision;
use crate::model::{Mode, Policy, Rule};
use crate::naming::{EchSeen, Naming, service_behind};
use crate::subject::{Facts, Subject};
use crate::words;

pub use counterfactual::{MOST_FACTS, si_before};
pub(crate) use reason::asked;

/// Why one subject is judged as it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// Name of the zone of the source; `none` when it is in no zone.
    pub zone: String,
    /// Where it goes.
    pub destination: IpAddr,
    /// What it is judged by, when that is not itself.
    #[serde(default)]
    pub embedded: Option<EmbeddedLine>,
    /// Host name that was known.
    pub name: Option<String>,
    /// What the name rests on.
    #[serde(default)]
    pub naming: Naming,
    /// What the client speaks, when that was recognised.
    #[serde(default)]
    pub speaks: Option<String>,
    /// Whether the client hid its name; `None` while it has not spoken.
    #[serde(default)]
    pub ech: Option<EchSeen>,
    /// CNAME targets through which the DNS answer for the name led.
    #[serde(default)]
    pub chain: Vec<String>,
    /// The CNAME target that the service is known by, when it is not known by the name itself.
    #[serde(default)]
    pub service_alias: Option<String>,
    /// IP protocol number.
    pub protocol: u8,
    /// Destination port; 0 when there is none.
    pub port: u16,
    /// Kind of opacity, when there is one.
    pub opaque: Option<String>,
    /// Everything the atlas holds on the address, with its evidence.
    pub dossier: Dossier,
    /// The profile that was judged: the dossier's, with the service that the name stands for.
    pub profile: Profile,
    /// Name of the operator.
    pub operator_name: Option<String>,
    /// Name of the service.
    pub service_name: Option<String>,

    /// What was decided.
    #[serde(with = "words::verdict")]
    pub verdict: Verdict,
    /// Clear in `monitor` mode.
    pub enforced: bool,
    /// Mode of the policy.
    pub mode: Mode,
    /// Id of the rule that decided, or `default`, `opaque`.
    pub rule: String,
    /// What the rule says of itself.
    pub rule_title: Text,
    /// What a shadow rule would have decided.
    pub shadow: Option<ShadowLine>,
    /// A name that is not known yet could change the decision.
    pub names_matter: bool,

    /// The rules in order, up to the one that decided.
    pub path: Vec<RuleStep>,
    /// The laws that reach the operator.
    pub laws: Vec<LawLine>,
    /// The legal references of the deciding rule.
    pub basis: Vec<BasisLine>,
    /// The smallest changes that turn the verdict round, found by judging again. Without one that
    /// has `facts`, no change of up to [`MOST_FACTS`] facts does.
    pub counterfactuals: Vec<Counterfactual>,
    /// Services that could be used instead, sovereign ones first.
    pub alternatives: Vec<Alternative>,

    /// Name of the policy.
    pub policy_name: String,
    /// Its version.
    pub policy_version: Option<String>,
    /// Digest of its text.
    pub policy_sha256: String,
    /// Version of the atlas.
    pub atlas_version: String,
    /// Day of the evaluation.
    pub at: Date,
}

/// The IPv4 address that a destination is judged by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmbeddedLine {
    /// The address; dossier and profile are its own.
    pub address: Ipv4Addr,
    /// How it is embedded: `NAT64`, `6to4`...
    pub via: String,
    /// Teredo: the server that the address names.
    pub server: Option<Ipv4Addr>,
}

/// A shadow rule that matched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShadowLine {
    /// Its id.
    pub rule: String,
    /// What it says of itself.
    pub title: Text,
    /// Its verdict.
    #[serde(with = "words::verdict")]
    pub verdict: Verdict,
}

/// One rule on the way to the decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleStep {
    /// Its id, or `default`, `opaque`.
    pub rule: String,
    /// What it says of itself.
    pub title: Text,
    /// Whether it matched.
    pub matched: bool,
    /// Why, or the first condition that failed, in plain words.
    pub reason: Text,
}

/// A law that reaches the operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LawLine {
    /// Its id in the catalogue.
    pub id: String,
    /// Its name.
    pub name: Text,
    /// What it lets its State do.
    pub sentence: Text,
}

/// A legal reference of a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BasisLine {
    /// Its id in the catalogue.
    pub id: String,
    /// Its title.
    pub title: Text,
    /// Its date.
    pub date: Option<Date>,
}

/// A change and the verdict it leads to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counterfactual {
    /// The change, to be read after "if".
    pub change: Text,
    /// The verdict then.
    #[serde(with = "words::verdict")]
    pub verdict: Verdict,
    /// What is changed.
    pub way: Way,
    /// How many facts of the flow are changed. Fewer do not turn the verdict round. `None`: no fact
    /// is changed, but the destination (a service used instead) or the policy (an exemption).
    pub facts: Option<u8>,
}

/// What a counterfactual changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// Facts of the flow.
    Facts,
    /// The service that is used.
    Service,
    /// The policy, by an exemption.
    Exemption,
}

/// A service to use instead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alternative {
    /// Its id in the catalogue.
    pub service: String,
    /// Its name.
    pub name: String,
    /// Run by or for the French State, or itself qualified.
    pub sovereign: bool,
}

impl Policy {
    /// Explains the judgement of a subject. `dossier` is the atlas's on the address that judges it
    /// ([`Policy::looked_up`]); laws,
    /// services and legal texts are told from `catalogue`.
    #[must_use]
    pub fn explain(
        &self,
        subject: &Subject<'_>,
        dossier: Dossier,
        catalogue: &Catalogue,
    ) -> Explanation {
        let subject = &Subject {
            catalogue,
            ..*subject
        };
        let decision = self.evaluate(subject);
        let facts = Facts::new(self, subject);
        let profile = subject.profile;
        let operator = profile.control.operator.as_deref();
        let operator = operator.and_then(|id| catalogue.operator(id));
        let rule = self.rule(decision.rule);
        let opaque = (subject.opaque != Opaque::None).then(|| subject.opaque.name().to_owned());
        let counterfactuals = counterfactual::find(self, subject, &dossier.profile, decision);
        Explanation {
            zone: self.zone_name(subject.zone).to_owned(),
            destination: facts.destination,
            embedded: facts.embedded.map(|embedded| EmbeddedLine {
                address: embedded.address,
                via: embedded.via.name().to_owned(),
                server: embedded.server,
            }),
            name: subject.name.map(str::to_owned),
            naming: subject.naming,
            speaks: subject.speaks.map(str::to_owned),
            ech: facts.ech(),
            chain: subject.chain.to_vec(),
            service_alias: service_alias(subject),
            protocol: subject.protocol,
            port: subject.port,
            opaque,
            profile: profile.clone(),
            operator_name: operator.map(|operator| operator.name.clone()),
            service_name: facts.service().map(|service| service.name.clone()),
            verdict: decision.verdict,
            enforced: decision.enforced,
            mode: self.mode,
            rule: self.rule_name(decision.rule).to_owned(),
            rule_title: self.title(decision.rule),
            shadow: decision.shadow.map(|(number, verdict)| ShadowLine {
                rule: self.rule_name(number).to_owned(),
                title: self.title(number),
                verdict,
            }),
            names_matter: decision.names_matter,
            path: self.path(&facts, decision),
            laws: law_lines(profile, catalogue),
            basis: rule
                .map(|rule| basis_lines(rule, catalogue))
                .unwrap_or_default(),
            counterfactuals,
            alternatives: alternatives(&facts),
            policy_name: self.name.clone(),
            policy_version: self.version.clone(),
            policy_sha256: self.sha256.clone(),
            atlas_version: dossier.atlas_version.clone(),
            dossier,
            at: subject.at,
        }
    }

    /// What a rule, or what else decided, says of itself.
    #[must_use]
    pub fn title(&self, number: u16) -> Text {
        use octroi_abi::rules::{RULE_CONTROL, RULE_DEFAULT, RULE_GATEWAY, RULE_OPAQUE};
        match number {
            RULE_DEFAULT => Text::new(
                "No rule matched: the policy's default",
                "Aucune règle ne s'applique : verdict par défaut de la politique",
            ),
            RULE_OPAQUE => Text::new(
                "The policy's word for traffic that hides where it goes",
                "Verdict de la politique pour le trafic qui cache sa destination",
            ),
            RULE_CONTROL => Text::new("The link's own traffic", "Trafic propre au lien"),
            RULE_GATEWAY => Text::new(
                "To or from the gateway itself",
                "Vers la passerelle elle-même, ou depuis elle",
            ),
            _ => Text::verbatim(self.rule(number).map_or("", |rule| &rule.title)),
        }
    }

    /// Every rule that was asked, in order, and what it answered.
    fn path(&self, facts: &Facts<'_>, decision: Decision) -> Vec<RuleStep> {
        let mut steps = Vec::new();
        let mut decided = false;
        for rule in &self.rules {
            let failed = rule
                .conditions
                .iter()
                .find(|condition| !condition.holds(facts));
            let matched = failed.is_none();
            steps.push(RuleStep {
                rule: rule.id.clone(),
                title: Text::verbatim(&*rule.title),
                matched,
                reason: match failed {
                    Some(condition) => reason::why_not(condition, facts, self),
                    None => reason::why(rule, facts, self),
                },
            });
            if matched && !rule.shadow {
                decided = true;
                break;
            }
        }
        let verdict = self.default.name();
        if !decided {
            steps.push(RuleStep {
                rule: "default".to_owned(),
                title: self.title(octroi_abi::rules::RULE_DEFAULT),
                matched: true,
                reason: Text::new(
                    format!("no rule before it decided: {verdict}"),
                    format!("aucune règle précédente n'a tranché : {verdict}"),
                ),
            });
        }
        if facts.subject.opaque != Opaque::None {
            let kind = facts.subject.opaque;
            let stricter = decision.rule == octroi_abi::rules::RULE_OPAQUE;
            let verdict = self.opaque_verdict(kind).name();
            let (relation, relation_fr) = if stricter {
                ("stricter", "ce qui est plus strict")
            } else {
                ("not stricter", "ce qui n'est pas plus strict")
            };
            steps.push(RuleStep {
                rule: "opaque".to_owned(),
                title: self.title(octroi_abi::rules::RULE_OPAQUE),
                matched: stricter,
                reason: Text::new(
                    format!(
                        "for {} the policy says {verdict}, which is {relation}",
                        kind.name()
                    ),
                    format!(
                        "pour {} la politique dit {verdict}, {relation_fr}",
                        kind.name()
                    ),
                ),
            });
        }
        steps
    }
}

/// The CNAME target that showed the service of a subject; `None` when the name itself did.
fn service_alias(subject: &Subject<'_>) -> Option<String> {
    let name = subject.name?;
    let (service, by) = service_behind(subject.catalogue, name, subject.chain)?;
    (by != name && subject.profile.service.as_deref() == Some(&*service.id)).then(|| by.to_owned())
}

fn law_lines(profile: &Profile, catalogue: &Catalogue) -> Vec<LawLine> {
    let laws = profile.control.laws.iter();
    laws.filter_map(|id| catalogue.law(id))
        .map(|law| LawLine {
            id: law.id.to_string(),
            name: law.name.clone(),
            sentence: law.sentence.clone(),
        })
        .collect()
}

fn basis_lines(rule: &Rule, catalogue: &Catalogue) -> Vec<BasisLine> {
    let texts = rule.basis.iter().filter_map(|id| catalogue.basis(id));
    texts
        .map(|basis| BasisLine {
            id: basis.id.to_string(),
            title: basis.title.clone(),
            date: Some(basis.date),
        })
        .collect()
}

/// What the catalogue offers instead of the service, sovereign ones first.
fn alternatives(facts: &Facts<'_>) -> Vec<Alternative> {
    let Some(service) = facts.service() else {
        return Vec::new();
    };
    let catalogue = facts.subject.catalogue;
    let offered = service
        .alternatives
        .iter()
        .filter_map(|id| catalogue.service(id));
    let mut offered: Vec<Alternative> = offered
        .map(|offer| Alternative {
            service: offer.id.to_string(),
            name: offer.name.clone(),
            sovereign: offer.sovereign,
        })
        .collect();
    offered.sort_by_key(|offer| !offer.sovereign);
    offered
}
