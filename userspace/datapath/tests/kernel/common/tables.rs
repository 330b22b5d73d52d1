//! Small tables: an atlas, and policies over a handful of classes.

use ipnet::IpNet;
use octroi_abi::opaque::Opaque;
use octroi_abi::rules::{
    ENFORCED, MARKS_MATTER, NAMES_MATTER, NAMES_STRICT, PORTS, PROTOCOL, RULE_DEFAULT, RULE_OPAQUE,
    RULES_PER_SET, RuleEntry, RuleSet, SHADOW,
};
use octroi_abi::transition::Marks;
use octroi_abi::verdict::Verdict;
use octroi_geo_db::KernelTables;
use octroi_policy::Tables;

/// Classes of the little world.
pub const UNKNOWN: u16 = 0;
pub const ALLOWED: u16 = 1;
pub const BLOCKED: u16 = 2;
pub const REJECTED: u16 = 3;
pub const FLAGGED: u16 = 4;
/// Blocked on port 25 only.
pub const PORTED: u16 = 5;
/// Allowed, but a shadow rule would block.
pub const SHADOWED: u16 = 6;
/// Allowed until a name says otherwise; its number needs a second verdict row.
pub const NAMED: u16 = 300;

/// Rule numbers are class numbers plus this.
pub const RULE: u16 = 100;
/// The mark of `198.18.7.0/24` and `2001:db8:7::/48`.
pub const MARK: u64 = 1 << 5;

/// Prefix to class, longest prefix first found.
pub const WORLD: [(&str, u16); 12] = [
    ("198.18.1.0/24", ALLOWED),
    ("198.18.2.0/24", BLOCKED),
    ("198.18.3.0/24", REJECTED),
    ("198.18.4.0/24", FLAGGED),
    ("198.18.5.0/24", PORTED),
    ("198.18.6.0/25", SHADOWED),
    ("198.18.6.128/25", NAMED),
    ("198.18.1.77/32", BLOCKED),
    ("2001:db8:1::/48", ALLOWED),
    ("2001:db8:2::/48", BLOCKED),
    ("2001:db8:3::/48", REJECTED),
    ("2001:db8:1::77/128", BLOCKED),
];

/// An atlas of the little world.
pub fn atlas() -> KernelTables {
    let prefixes: Vec<_> = WORLD
        .iter()
        .map(|(prefix, class)| (prefix.parse().unwrap(), *class))
        .collect();
    atlas_of(&prefixes)
}

/// An atlas of any prefixes; the longest decides.
pub fn atlas_of(prefixes: &[(IpNet, u16)]) -> KernelTables {
    KernelTables::of_prefixes(prefixes).expect("within bounds")
}

/// A rule without conditions.
pub fn rule(number: u16, verdict: Verdict, enforced: bool) -> RuleEntry {
    RuleEntry {
        rule: number,
        verdict: verdict.code(),
        flags: if enforced { ENFORCED } else { 0 },
        ..RuleEntry::default()
    }
}

/// Marks of wanted prefixes.
pub fn marks(prefix: u64) -> Marks {
    Marks {
        holds: prefix,
        asn: u64::MAX,
        prefix,
        to: u64::MAX,
        vetoes: 0,
        plain: u64::MAX,
    }
}

/// A rule set.
pub fn set(entries: &[RuleEntry], flags: u32) -> RuleSet {
    let mut all = [RuleEntry::default(); RULES_PER_SET];
    all[..entries.len()].copy_from_slice(entries);
    let marks_matter = entries.iter().any(|entry| entry.marks != 0);
    RuleSet {
        len: u32::try_from(entries.len()).unwrap(),
        flags: flags | if marks_matter { MARKS_MATTER } else { 0 },
        entries: all,
    }
}

/// The policy of the little world. Sources in `10.0.0.0/8` and `fd00::/8` are zone 1; others 0,
/// which blocks everything. Marked destinations are allowed on port 8443 whatever their class.
pub fn policy(enforced: bool) -> Tables {
    let default = rule(RULE_DEFAULT, Verdict::Block, enforced);
    let marked = RuleEntry {
        marks: MARK,
        port_low: 8443,
        port_high: 8443,
        protocol: 6,
        flags: PORTS | PROTOCOL | if enforced { ENFORCED } else { 0 },
        ..rule(RULE + 50, Verdict::Allow, enforced)
    };
    let of = |class: u16, verdict| rule(RULE + class, verdict, enforced);
    let mail = RuleEntry {
        port_low: 25,
        port_high: 25,
        flags: PORTS | if enforced { ENFORCED } else { 0 },
        ..of(PORTED, Verdict::Block)
    };
    let shadow = RuleEntry {
        flags: SHADOW | ENFORCED,
        ..of(SHADOWED, Verdict::Block)
    };
    let sets = vec![
        set(&[marked, default], 0),
        set(&[of(ALLOWED, Verdict::Allow)], 0),
        set(&[marked, of(BLOCKED, Verdict::Block)], 0),
        set(&[of(REJECTED, Verdict::Reject)], 0),
        set(&[of(FLAGGED, Verdict::Flag)], 0),
        set(&[mail, of(PORTED, Verdict::Allow)], 0),
        set(&[shadow, of(SHADOWED, Verdict::Allow)], 0),
        set(&[of(NAMED, Verdict::Allow)], NAMES_MATTER),
    ];
    let mut classes = vec![0; usize::from(NAMED) + 1];
    for class in 0..=SHADOWED {
        classes[usize::from(class)] = class;
    }
    classes[usize::from(NAMED)] = 7;
    Tables {
        zones: vec![
            ("10.0.0.0/8".parse().unwrap(), 1),
            ("fd00::/8".parse().unwrap(), 1),
        ],
        marks: vec![
            ("198.18.7.0/24".parse().unwrap(), marks(MARK)),
            ("2001:db8:7::/48".parse().unwrap(), marks(MARK)),
        ],
        nat64: Vec::new(),
        rule_sets: sets,
        verdicts: vec![vec![0], classes],
        opaque: opaque_all(Verdict::Block, enforced),
        policy_name: "little world".to_owned(),
        policy_sha256: String::new(),
    }
}

/// The same policy, strict about names: [`NAMED`] awaits them.
pub fn strict(enforced: bool) -> Tables {
    let mut tables = policy(enforced);
    for set in &mut tables.rule_sets {
        if set.flags & NAMES_MATTER != 0 {
            set.flags |= NAMES_STRICT;
        }
    }
    tables
}

/// One verdict for every kind of opacity.
pub fn opaque_all(verdict: Verdict, enforced: bool) -> [RuleEntry; Opaque::COUNT as usize] {
    [rule(RULE_OPAQUE, verdict, enforced); Opaque::COUNT as usize]
}
