//! Rules that can never decide, because one earlier rule matches all that they match.
//!
//! The comparison is by condition and errs on the side of silence: that several earlier rules
//! together leave nothing over is not seen.

use octroi_geo_db::catalogue::Catalogue;

use crate::condition::Condition;
use crate::model::{Policy, Rule};
use crate::sets::{NamePattern, Names, Places, Prefixes, Words};

/// Pairs of (later rule, the earlier rule that covers it), by index.
pub(super) fn unreachable(policy: &Policy, catalogue: &Catalogue) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    for (later, rule) in policy.rules.iter().enumerate() {
        let mut earlier = policy.rules.iter().take(later);
        if let Some(by) = earlier.position(|by| !by.shadow && covers(by, rule, catalogue)) {
            found.push((later, by));
        }
    }
    found
}

/// Whether all that `rule` matches, `by` matches.
fn covers(by: &Rule, rule: &Rule, catalogue: &Catalogue) -> bool {
    by.conditions.iter().all(|outer| {
        let mut same = rule.conditions.iter();
        same.any(|inner| within(inner, outer, catalogue))
    })
}

/// Whether whatever satisfies `inner` satisfies `outer`.
fn within(inner: &Condition, outer: &Condition, catalogue: &Catalogue) -> bool {
    match (inner, outer) {
        (Condition::From(a), Condition::From(b)) => a.0 & !b.0 == 0,
        // A set that takes in the rest of the world asks for both addresses of a transition address.
        (Condition::To(a), Condition::To(b)) => {
            a.0 & !b.0 == 0 && (a.contains(0) || !b.contains(0))
        }
        (Condition::Protocol(a), Condition::Protocol(b)) => subset(a, b),
        (Condition::Ports(a), Condition::Ports(b)) => a
            .iter()
            .all(|(low, high)| b.iter().any(|(from, to)| from <= low && high <= to)),
        (Condition::Special(a), Condition::Special(b)) => subset(a, b),
        (Condition::Confidence(a), Condition::Confidence(b)) => subset(a, b),
        (Condition::ControlBasis(a), Condition::ControlBasis(b)) => subset(a, b),
        (Condition::Reach(a), Condition::Reach(b)) => subset(a, b),
        (Condition::Hosting(a), Condition::Hosting(b))
        | (Condition::Control(a), Condition::Control(b)) => places(a, b, catalogue),
        (Condition::Operator(a), Condition::Operator(b))
        | (Condition::Service(a), Condition::Service(b))
        | (Condition::Category(a), Condition::Category(b))
        | (Condition::Speaks(a), Condition::Speaks(b)) => words(a, b, true),
        (Condition::Laws(a), Condition::Laws(b))
        | (Condition::Qualification(a), Condition::Qualification(b)) => words(a, b, false),
        (Condition::Sovereign(a), Condition::Sovereign(b)) => a == b,
        (Condition::Asn(a), Condition::Asn(b)) => subset(a, b),
        (Condition::Prefix(a), Condition::Prefix(b)) => prefixes(a, b),
        (Condition::Name(a), Condition::Name(b)) => names(a, b),
        (Condition::TrackingLink(a), Condition::TrackingLink(b)) => subset(a, b),
        (Condition::Naming(a), Condition::Naming(b)) => subset(a, b),
        (Condition::Ech(a), Condition::Ech(b)) => subset(a, b),
        _ => false,
    }
}

fn subset<T: PartialEq>(inner: &[T], outer: &[T]) -> bool {
    inner.iter().all(|item| outer.contains(item))
}

/// Country by country, on the day of the catalogue.
fn places(inner: &Places, outer: &Places, catalogue: &Catalogue) -> bool {
    let at = catalogue.as_of();
    catalogue.countries().all(|country| {
        let in_group = |group| catalogue.group_contains(group, country.code, at);
        !inner.contains(country.code, in_group) || outer.contains(country.code, in_group)
    })
}

/// `single`: the fact is one word, so a wanted word that is not unwanted stays so.
fn words(inner: &Words, outer: &Words, single: bool) -> bool {
    let apart = single
        && !inner.wanted.is_empty()
        && !inner
            .wanted
            .iter()
            .any(|word| outer.unwanted.contains(word));
    (apart || subset(&outer.unwanted, &inner.unwanted))
        && (outer.wanted.is_empty()
            || (!inner.wanted.is_empty() && subset(&inner.wanted, &outer.wanted)))
}

fn prefixes(inner: &Prefixes, outer: &Prefixes) -> bool {
    let wanted = outer.wanted.is_empty()
        || (!inner.wanted.is_empty()
            && inner
                .wanted
                .iter()
                .all(|prefix| outer.wanted.iter().any(|around| around.contains(prefix))));
    let is_v4 = |prefix: &ipnet::IpNet| matches!(prefix, ipnet::IpNet::V4(_));
    let unwanted = outer.unwanted.iter().all(|out| {
        // Of one family: a transition address can be wanted in one and unwanted in the other.
        let apart = !inner.wanted.is_empty()
            && inner.wanted.iter().all(|prefix| {
                is_v4(prefix) == is_v4(out) && !prefix.contains(out) && !out.contains(prefix)
            });
        apart || inner.unwanted.iter().any(|around| around.contains(out))
    });
    wanted && unwanted
}

fn names(inner: &Names, outer: &Names) -> bool {
    let wanted = outer.wanted.is_empty()
        || (!inner.wanted.is_empty()
            && inner
                .wanted
                .iter()
                .all(|name| outer.wanted.iter().any(|around| pattern(name, around))));
    wanted && subset(&outer.unwanted, &inner.unwanted)
}

/// Whether all names of one pattern are names of the other.
fn pattern(inner: &NamePattern, outer: &NamePattern) -> bool {
    inner == outer || (outer.below && outer.matches(&inner.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words_of(wanted: &[&str], unwanted: &[&str]) -> Words {
        Words {
            wanted: wanted.iter().map(|&word| word.into()).collect(),
            unwanted: unwanted.iter().map(|&word| word.into()).collect(),
        }
    }

    #[test]
    fn words_lie_within_words() {
        assert!(words(
            &words_of(&["a"], &[]),
            &words_of(&["a", "b"], &[]),
            true
        ));
        assert!(!words(
            &words_of(&["a", "c"], &[]),
            &words_of(&["a", "b"], &[]),
            true
        ));
        assert!(words(&words_of(&["a"], &[]), &words_of(&[], &["b"]), true));
        assert!(!words(
            &words_of(&["a"], &[]),
            &words_of(&[], &["b"]),
            false
        ));
        assert!(!words(&words_of(&[], &["a"]), &words_of(&["b"], &[]), true));
    }

    #[test]
    fn names_lie_below_names() {
        let pattern_of = |text: &str| match text.strip_prefix("*.") {
            Some(name) => NamePattern {
                name: name.to_owned(),
                below: true,
            },
            None => NamePattern {
                name: text.to_owned(),
                below: false,
            },
        };
        let holds = |inner, outer| pattern(&pattern_of(inner), &pattern_of(outer));
        assert!(holds("a.zoom.us", "*.zoom.us"));
        assert!(holds("*.a.zoom.us", "*.zoom.us"));
        assert!(holds("*.zoom.us", "*.zoom.us"));
        assert!(!holds("zoom.us", "*.zoom.us"));
        assert!(!holds("*.us", "*.zoom.us"));
    }

    #[test]
    fn prefixes_lie_within_prefixes() {
        let of = |wanted: &[&str], unwanted: &[&str]| Prefixes {
            wanted: wanted.iter().map(|text| text.parse().unwrap()).collect(),
            unwanted: unwanted.iter().map(|text| text.parse().unwrap()).collect(),
        };
        assert!(prefixes(
            &of(&["10.1.0.0/16"], &[]),
            &of(&["10.0.0.0/8"], &[])
        ));
        assert!(!prefixes(
            &of(&["10.1.0.0/16"], &[]),
            &of(&["10.0.0.0/8"], &["10.1.2.0/24"])
        ));
        assert!(prefixes(
            &of(&["10.1.0.0/16"], &[]),
            &of(&["10.0.0.0/8"], &["10.2.0.0/16"])
        ));
        assert!(!prefixes(
            &of(&[], &["10.1.0.0/16"]),
            &of(&["10.0.0.0/8"], &[])
        ));
    }
}
