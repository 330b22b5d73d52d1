//! Why a verdict fell: what the detail screen shows.

use serde::Serialize;

use super::row::{Judgement, Jurisdiction, Verdict};

/// The whole reason of one verdict.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Reason {
    /// What was decided.
    pub judgement: Judgement,
    /// Title of the rule.
    pub rule_title: String,
    /// `monitor` or `enforce`.
    pub mode: String,
    /// Zone of the source, empty when none.
    pub zone: String,
    /// Name, and who said it, when known.
    pub name: Option<String>,
    /// AS number and name.
    pub network: Option<String>,
    /// The three axes.
    pub jurisdiction: Jurisdiction,
    /// From the operator to its ultimate parent.
    pub control_chain: Vec<String>,
    /// What the control axis rests on.
    pub control_basis: String,
    /// Catalogued service, when known.
    pub service: Option<String>,
    /// What hides the destination, when something does.
    pub opaque: Option<String>,
    /// Special use of the address, when it has one.
    pub special: Option<String>,
    /// The exemption used, when one was.
    pub exemption: Option<String>,
    /// What each source says.
    pub evidence: Vec<Evidence>,
    /// The rules, in order.
    pub path: Vec<Step>,
    /// Laws that reach the destination: name, and one sentence.
    pub laws: Vec<(String, String)>,
    /// Texts the rule rests on: title, and date.
    pub basis: Vec<(String, String)>,
    /// What would change the verdict: change, and the verdict then.
    pub counterfactuals: Vec<(String, Verdict)>,
    /// Alternatives to the service.
    pub alternatives: Vec<String>,
    /// Policy, with the start of its digest.
    pub policy: String,
    /// Version of the atlas.
    pub atlas: String,
    /// Interface the flow came in by, when told.
    pub interface: Option<String>,
    /// Community ID of the flow, when told.
    pub community_id: Option<String>,
    /// What must be known before reading it.
    pub note: Option<String>,
}

/// What one source says of one axis.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Evidence {
    /// The axis.
    pub axis: String,
    /// What the source says.
    pub value: String,
    /// The source.
    pub source: String,
    /// Its date.
    pub date: String,
    /// Prefix, region tag, AS...
    pub reference: String,
    /// Whether this claim carried the axis.
    pub won: bool,
    /// A remark.
    pub note: Option<String>,
}

/// One rule, as it was tried.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Step {
    /// Its id.
    pub rule: String,
    /// Whether it matched.
    pub matched: bool,
    /// Why, or why not.
    pub reason: String,
}
