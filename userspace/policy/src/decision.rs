//! The answer: what was decided.

use octroi_abi::verdict::Verdict;

/// What was decided.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Decision {
    /// What is to be done.
    pub verdict: Verdict,
    /// Number of the rule that decided, or a `RULE_*` of `octroi_abi::rules`.
    pub rule: u16,
    /// Clear in `monitor` mode: recorded, and packets pass.
    pub enforced: bool,
    /// The first `shadow` rule that matched before the decision, and its verdict.
    pub shadow: Option<(u16, Verdict)>,
    /// A name that is not known yet could change the decision for this zone and destination (on
    /// some port at least: the port of the subject is not looked at).
    pub names_matter: bool,
}
