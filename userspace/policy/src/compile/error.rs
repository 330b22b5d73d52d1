//! Why a policy does not fit the kernel: which rule, which bound, what to do.

/// The policy is right but does not fit the tables of the kernel.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// More distinct combinations of `asn`, `prefix` and `to` than a mark has bits.
    #[error(
        "compile rule \"{rule}\" (line {line}): it needs one more than {most} different lists of \
         asn, prefix and to (give rules with like lists the same list, or merge them)"
    )]
    TooManyMarks {
        /// Id of the rule that is one too many.
        rule: String,
        /// Its line.
        line: usize,
        /// The bound.
        most: usize,
    },
    /// More prefixes than the trie has room for.
    #[error(
        "compile rule \"{rule}\" (line {line}): with it the policy names {prefixes} prefixes, \
         {most} fit (name the operator or the service instead of its ASNs)"
    )]
    TooManyPrefixes {
        /// Id of the rule that names most.
        rule: String,
        /// Its line.
        line: usize,
        /// Prefixes of all rules.
        prefixes: usize,
        /// The bound.
        most: usize,
    },
    /// The rules that stand for one zone and class are more than a rule set holds.
    #[error(
        "compile rule \"{rule}\" (line {line}): from zone {zone} to destinations like class \
         {class}, {entries} combinations of protocol and ports come before the decision, {most} \
         fit (merge rules with the same verdict, name fewer port ranges, or put a rule without \
         protocol and ports earlier)"
    )]
    RuleSetTooLong {
        /// Id of the rule at which the set is full.
        rule: String,
        /// Its line.
        line: usize,
        /// Name of the zone.
        zone: String,
        /// The class.
        class: usize,
        /// Entries needed.
        entries: usize,
        /// The bound.
        most: usize,
    },
    /// More different cells than there are rule sets.
    #[error(
        "compile the policy: zones and classes need more than {most} different lists of rules \
         (merge zones that are treated alike; rule \"{rule}\", line {line}, was the last to differ)"
    )]
    TooManyRuleSets {
        /// Id of the last rule of the list that did not fit.
        rule: String,
        /// Its line.
        line: usize,
        /// The bound.
        most: usize,
    },
    /// The atlas has more classes than 15 bits number.
    #[error(
        "compile the policy: the atlas has {classes} classes, {most} fit (build it from fewer \
         distinct profiles)"
    )]
    TooManyClasses {
        /// Classes of the atlas.
        classes: usize,
        /// The bound.
        most: usize,
    },
}
