//! What is legal but looks like a mistake: the warnings of a policy.

mod cover;

use octroi_geo_db::catalogue::Catalogue;
use octroi_geo_db::profile::{ControlBasis, Reach};

use crate::condition::{Condition, Scope};
use crate::diagnostic::{Offset, Reporter};
use crate::model::{Policy, Rule};
use crate::naming::Naming;

/// Rules above which pairs are not compared: it would take longer than anybody waits.
const COMPARED: usize = 2_000;

/// Where things stand in the text that the policy itself does not keep.
pub(crate) struct Places {
    /// By zone, in order.
    pub(crate) zones: Vec<Offset>,
    /// By rule, in order.
    pub(crate) rules: Vec<Offset>,
    /// Zones that a rule names, one bit each.
    pub(crate) named_zones: u64,
}

/// Adds the warnings of a policy that has no errors.
pub(crate) fn check(
    policy: &Policy,
    catalogue: &Catalogue,
    places: &Places,
    reporter: &mut Reporter<'_>,
) {
    nested_zones(policy, places, reporter);
    unused_zones(policy, places, reporter);
    let last_pass = last_pass(policy);
    for (index, rule) in policy.rules.iter().enumerate() {
        let at = places.rules.get(index).copied().unwrap_or(0);
        ended_basis(rule, catalogue, at, reporter);
        forgeable(policy, rule, at, reporter);
        if last_pass > index {
            unpresumed(rule, at, reporter);
        }
    }
    if policy.rules.len() <= COMPARED {
        for (later, earlier) in cover::unreachable(policy, catalogue) {
            let at = places.rules.get(later).copied().unwrap_or(0);
            let (Some(rule), Some(by)) = (policy.rules.get(later), policy.rules.get(earlier))
            else {
                continue;
            };
            reporter.warning(
                at,
                format!(
                    "rule \"{}\" can never decide: rule \"{}\" on line {} matches all that it does",
                    rule.id, by.id, by.line
                ),
                "move it up, narrow the earlier rule, or remove it",
            );
        }
    }
}

fn nested_zones(policy: &Policy, places: &Places, reporter: &mut Reporter<'_>) {
    for (index, zone) in policy.zones.iter().enumerate() {
        for prefix in &zone.prefixes {
            let others = policy.zones.iter().filter(|other| other.name != zone.name);
            let around = others
                .flat_map(|other| other.prefixes.iter().map(move |outer| (other, outer)))
                .filter(|(_, outer)| outer.contains(prefix))
                .max_by_key(|(_, outer)| outer.prefix_len());
            if let Some((other, outer)) = around {
                let at = places.zones.get(index).copied().unwrap_or(0);
                reporter.warning(
                    at,
                    format!(
                        "{prefix} of zone \"{}\" lies in {outer} of zone \"{}\"",
                        zone.name, other.name
                    ),
                    format!(
                        "the longest prefix decides: it belongs to \"{}\"",
                        zone.name
                    ),
                );
            }
        }
    }
}

fn unused_zones(policy: &Policy, places: &Places, reporter: &mut Reporter<'_>) {
    if places.named_zones == 0 {
        return;
    }
    for (index, zone) in policy.zones.iter().enumerate() {
        if places.named_zones >> (index + 1) & 1 == 0 {
            let at = places.zones.get(index).copied().unwrap_or(0);
            reporter.warning(
                at,
                format!("no rule names zone \"{}\"", zone.name),
                "it is treated as sources in no zone are: name it in a rule, or remove it",
            );
        }
    }
}

fn ended_basis(rule: &Rule, catalogue: &Catalogue, at: Offset, reporter: &mut Reporter<'_>) {
    for basis in rule.basis.iter().filter_map(|id| catalogue.basis(id)) {
        if let Some(until) = basis.until.filter(|&until| until < catalogue.as_of()) {
            reporter.warning(
                at,
                format!(
                    "rule \"{}\" rests on \"{}\", which ended on {until}",
                    rule.id, basis.id
                ),
                "name the text that replaced it",
            );
        }
    }
}

/// A name is what the client says it is: it must not be the only reason to let something pass.
fn forgeable(policy: &Policy, rule: &Rule, at: Offset, reporter: &mut Reporter<'_>) {
    let passes = !rule.verdict.stops() && !rule.shadow;
    let named = rule.conditions.iter().any(is_told_by_name);
    if passes && policy.default.stops() && named && !rule.conditions.iter().any(binds) {
        reporter.warning(
            at,
            format!(
                "rule \"{}\" lets pass by name alone, and a client can forge a name",
                rule.id
            ),
            "ask that DNS bears the name out, naming = [\"confirmed\"], or where it goes: hosting, \
             reach, asn or prefix",
        );
    }
}

/// A name can make the condition hold, whatever the address: the service that it stands for brings
/// its operator along.
const fn is_told_by_name(condition: &Condition) -> bool {
    matches!(
        condition,
        Condition::Name(_)
            | Condition::TrackingLink(_)
            | Condition::Service(_)
            | Condition::Category(_)
            | Condition::Sovereign(_)
            | Condition::Qualification(_)
            | Condition::Operator(_)
            | Condition::Control(_)
    )
}

/// The condition holds for some addresses only, or for names only that DNS bears out.
fn binds(condition: &Condition) -> bool {
    match condition {
        Condition::Naming(wanted) => !wanted
            .iter()
            .any(|naming| matches!(naming, Naming::Unasked | Naming::Contradicted)),
        // A name never lowers the reach of the address, nor takes a law away.
        Condition::Reach(wanted) => !wanted.contains(&Reach::Controlled),
        Condition::Laws(words) => !words.unwanted.is_empty(),
        Condition::ControlBasis(wanted) => !wanted.contains(&ControlBasis::Service),
        _ => matches!(condition.scope(), Scope::Class | Scope::Address),
    }
}

/// Index of the last rule that lets destinations pass by their place alone; past the rules when the
/// default passes, 0 when nothing does.
fn last_pass(policy: &Policy) -> usize {
    if !policy.default.stops() {
        return policy.rules.len();
    }
    let passes = |rule: &Rule| !rule.verdict.stops() && !rule.shadow && is_about_place(rule);
    policy.rules.iter().rposition(passes).unwrap_or(0)
}

/// A rule that stops by control, without a word on operators that are only presumed, while
/// something after it lets them pass.
fn unpresumed(rule: &Rule, at: Offset, reporter: &mut Reporter<'_>) {
    let implied = [
        ControlBasis::Service,
        ControlBasis::Operator,
        ControlBasis::None,
    ];
    let silent = rule.conditions.iter().any(
        |condition| matches!(condition, Condition::ControlBasis(basis) if basis[..] == implied),
    );
    if silent && rule.verdict.stops() {
        reporter.warning(
            at,
            format!(
                "rule \"{}\" does not stop operators that are only presumed from their AS, and \
                 they pass further down",
                rule.id
            ),
            "add control_basis = [\"service\", \"operator\", \"as_country\"] to stop them too, or \
             [\"service\", \"operator\"] to say that they are meant to pass",
        );
    }
}

/// Whether a rule looks at the place of Internet destinations and not at their control.
fn is_about_place(rule: &Rule) -> bool {
    !rule.conditions.iter().any(|condition| {
        matches!(
            condition,
            Condition::Special(_)
                | Condition::Prefix(_)
                | Condition::ControlBasis(_)
                | Condition::To(_)
                | Condition::Asn(_)
                | Condition::Operator(_)
                | Condition::Name(_)
                | Condition::TrackingLink(_)
                | Condition::Naming(_)
                | Condition::Speaks(_)
                | Condition::Ech(_)
                | Condition::Service(_)
                | Condition::Category(_)
                | Condition::Sovereign(_)
                | Condition::Qualification(_)
        )
    })
}
