//! The `residency` object: everything that a decision rested on, as one value.
//!
//! It is the same in every format and in the dashboard. Facts that are absent are absent: no field
//! is filled with a default that could be mistaken for knowledge.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use jiff::civil::Date;
use octroi_abi::verdict::Verdict;
use octroi_geo_db::profile::{ControlBasis, CountryCode, HostingConfidence, Qualification, Reach};
use octroi_policy::{EchSeen, Mode, Naming};
use serde::{Deserialize, Serialize};

use crate::class::ResidencyClass;
use crate::model::NameSource;
use crate::words;

/// One statement of a source that the decision rests on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Evidence {
    /// Which axis it speaks of: `hosting`, `control`, `qualification`, `service`.
    pub axis: Arc<str>,
    /// What it says (`FR`, `microsoft`...).
    pub value: Arc<str>,
    /// Id of the source.
    pub src: Arc<str>,
    /// Where in the source: prefix, region tag, AS number.
    #[serde(rename = "ref")]
    pub reference: Arc<str>,
    /// Date of the source.
    pub ver: Date,
    /// Whether it was followed. A statement that was not may still agree.
    #[serde(default)]
    pub won: bool,
    /// Why it won or lost, or what else should be known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Arc<str>>,
    /// Newer than the day of the evaluation: nobody could have known it then.
    #[serde(default, skip_serializing_if = "is_false")]
    pub newer: bool,
}

/// How far one axis can be trusted. Policies decide on the values, never on this.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AxisTrust {
    /// `high`, `medium`, `low`, `none`.
    pub level: octroi_geo_db::atlas::Level,
    /// Why.
    pub reason: Arc<str>,
}

/// How far each axis can be trusted, by the rule of `docs/atlas.md`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Trust {
    /// Where it stands.
    pub hosting: AxisTrust,
    /// Whose law reaches it.
    pub control: AxisTrust,
    /// What it is qualified for.
    pub qualification: AxisTrust,
}

/// Whether a flag is clear: clear flags are left out.
#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands the field over by reference"
)]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// Whether nothing is known of how the name was learned: left out.
#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands the field over by reference"
)]
fn is_pending(naming: &Naming) -> bool {
    *naming == Naming::Pending
}

/// The IPv4 address inside a transition address (NAT64, 6to4, Teredo, IPv4-mapped), and what is
/// known of it: that is where the packet really goes, and what judges it when it is global.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Embedded {
    /// The address inside.
    pub address: IpAddr,
    /// How it is embedded (`NAT64`, `6to4`...), when the packet is judged by it: the axes of the whole
    /// object are then its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judged_via: Option<Arc<str>>,
    /// Teredo: the server that the address names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<IpAddr>,
    /// One word for it.
    pub class: ResidencyClass,
    /// Where it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_country: Option<CountryCode>,
    /// How sure the place is.
    pub confidence: HostingConfidence,
    /// Name of the operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<Arc<str>>,
    /// Its id in the catalogue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator_id: Option<Arc<str>>,
    /// Country of the ultimate parent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control_country: Option<CountryCode>,
    /// How far foreign law reaches.
    pub reach: Reach,
    /// What the control axis rests on.
    pub control_basis: ControlBasis,
    /// Ids of the laws that reach it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub legal_regimes: Vec<Arc<str>>,
    /// Special use of the address inside, when it is no place on the Internet either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub special: Option<Arc<str>>,
}

/// A law that reaches the operator, in one sentence.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LawLine {
    /// Id in the catalogue.
    pub id: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// What it can force.
    pub sentence: Arc<str>,
}

/// A legal reference of the rule that decided.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct BasisLine {
    /// Id in the catalogue.
    pub id: Arc<str>,
    /// Its title.
    pub title: Arc<str>,
    /// Its date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<Date>,
}

/// A change that would have led to another verdict.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Counterfactual {
    /// The change, in words.
    #[serde(rename = "if")]
    pub change: Arc<str>,
    /// The verdict then.
    #[serde(rename = "action", with = "words::verdict")]
    pub verdict: Verdict,
    /// How many facts of the flow are changed; fewer do not turn the verdict round. Absent: another
    /// service is used, or the policy is changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facts: Option<u8>,
}

/// A sovereign service that could be used instead.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Alternative {
    /// Id in the catalogue.
    pub service: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
}

/// One rule on the way to the decision.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RuleStep {
    /// Id of the rule.
    pub rule: Arc<str>,
    /// Whether it matched.
    pub matched: bool,
    /// Why, or why not.
    pub reason: Arc<str>,
}

/// What a `shadow` rule would have decided.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Shadow {
    /// Id of the rule.
    pub rule: Arc<str>,
    /// Its verdict.
    #[serde(with = "words::verdict")]
    pub verdict: Verdict,
}

/// The reason of one decision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Residency {
    /// [`crate::SCHEMA`].
    pub schema: u32,
    /// One word for the destination.
    pub class: ResidencyClass,
    /// What was decided.
    #[serde(with = "words::verdict")]
    pub verdict: Verdict,
    /// Whether it is done (`false` in `monitor` mode).
    pub enforced: bool,
    /// Mode of the policy.
    pub mode: Mode,
    /// Zone of the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<Arc<str>>,
    /// Day for which laws, parents, adequacy and qualifications were read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Date>,
    /// The largest prefix around the destination of which the three axes hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<IpNet>,

    /// Where it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_country: Option<CountryCode>,
    /// Id of the source that said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_country_src: Option<Arc<str>>,
    /// How sure the place is.
    pub confidence: HostingConfidence,
    /// Announced from many places.
    pub anycast: bool,
    /// Country in which the announcing AS is registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registered_country: Option<CountryCode>,
    /// Number of the announcing AS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asn: Option<u32>,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_name: Option<Arc<str>>,

    /// Name of the operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<Arc<str>>,
    /// Its id in the catalogue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator_id: Option<Arc<str>>,
    /// Country of the ultimate parent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control_country: Option<CountryCode>,
    /// From the operator to the ultimate parent, names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub control_chain: Vec<Arc<str>>,
    /// How far foreign law reaches.
    pub reach: Reach,
    /// What the control axis rests on.
    pub control_basis: ControlBasis,
    /// Ids of the laws that reach it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub legal_regimes: Vec<Arc<str>>,
    /// The same, in sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub laws: Vec<LawLine>,

    /// Qualifications of the service.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub qualification: Vec<Qualification>,
    /// Id of the service in the catalogue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<Arc<str>>,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_name: Option<Arc<str>>,
    /// Special use of the address (`private`, `multicast`...), when it is no place on the Internet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub special: Option<Arc<str>>,
    /// The address inside a transition address, with its own profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub embedded: Option<Box<Embedded>>,
    /// Why the traffic is opaque, when it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opaque: Option<Arc<str>>,

    /// How far each axis of the address can be trusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust: Option<Box<Trust>>,
    /// Statements that agree with the profile.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Evidence>,
    /// Statements that contradict it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conflicts: Vec<Evidence>,

    /// The name that was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Arc<str>>,
    /// Who said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_src: Option<NameSource>,
    /// Whether a DNS answer binds that name to that address for that client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_dns_bound: Option<bool>,
    /// Whether the client hid the name, or perhaps did (Encrypted Client Hello).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ech: Option<bool>,
    /// The same, told apart: `none`, `grease`, `possible`, `real`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ech_seen: Option<EchSeen>,
    /// What the name rests on, or that there is none.
    #[serde(default, skip_serializing_if = "is_pending")]
    pub naming: Naming,
    /// What the client speaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speaks: Option<Arc<str>>,
    /// CNAME targets through which the DNS answer for the name led, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub name_chain: Vec<Arc<str>>,

    /// A name that is not known yet could change the decision.
    #[serde(default, skip_serializing_if = "is_false")]
    pub name_could_change: bool,

    /// Id of the rule that decided.
    pub rule: Arc<str>,
    /// Its title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule_title: Option<Arc<str>>,
    /// The rules in order, up to the one that decided.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rule_path: Vec<RuleStep>,
    /// What a shadow rule would have decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shadow: Option<Shadow>,
    /// Id of the exemption that was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exemption: Option<Arc<str>>,
    /// Legal references of the rule.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub basis: Vec<BasisLine>,
    /// The smallest changes that would have turned the verdict round.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub counterfactual: Vec<Counterfactual>,
    /// Sovereign services that do the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alternatives: Vec<Alternative>,

    /// Name of the policy.
    pub policy: Arc<str>,
    /// Its version, when it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_ver: Option<Arc<str>>,
    /// Its digest.
    pub policy_sha256: Arc<str>,
    /// Version of the atlas.
    pub db_ver: Arc<str>,
}

impl Residency {
    /// The packets were seen: who said the name, and with it whether DNS bore it out and whether the
    /// client hid it. A question that nobody's packets asked leaves them absent.
    pub fn observed(&mut self, source: Option<NameSource>) {
        self.name_src = source;
        self.name_dns_bound = match self.naming {
            Naming::Pending | Naming::Nameless => None,
            Naming::Dns | Naming::Confirmed => Some(true),
            Naming::Unasked | Naming::Contradicted => Some(false),
        };
        self.ech = self
            .ech_seen
            .map(|ech| matches!(ech, EchSeen::Possible | EchSeen::Real));
    }

    /// One line: what happened to traffic of which kind, and why.
    #[must_use]
    pub fn signature(&self) -> String {
        let what = match (self.verdict, self.enforced) {
            (Verdict::Allow, _) => "allowed",
            (Verdict::Flag, _) => "flagged",
            (Verdict::Reject, true) => "rejected",
            (Verdict::Block, true) => "blocked",
            (Verdict::Reject, false) => "would be rejected",
            (Verdict::Block, false) => "would be blocked",
        };
        let mut line = format!("RESIDENCY {what}: destination ");
        match &self.opaque {
            Some(kind) => {
                line.push_str("hidden by opaque traffic (");
                line.push_str(kind);
                line.push(')');
            }
            None => line.push_str(self.class.title()),
        }
        let operator = self.operator.as_deref().or(self.operator_id.as_deref());
        let mut facts = Vec::new();
        if let Some(country) = self.host_country {
            facts.push(format!("host {country}"));
        }
        if let Some(country) = self.control_country {
            facts.push(match operator {
                Some(operator) => format!("control {country}, {operator}"),
                None => format!("control {country}, presumed"),
            });
        }
        if !facts.is_empty() {
            line.push_str(" (");
            line.push_str(&facts.join("; "));
            line.push(')');
        }
        if let Some(shadow) = &self.shadow {
            line.push_str("; shadow rule ");
            line.push_str(&shadow.rule);
            line.push_str(" says ");
            line.push_str(shadow.verdict.name());
        }
        line
    }
}
