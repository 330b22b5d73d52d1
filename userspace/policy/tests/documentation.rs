//! The examples of the language reference are policies.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod common;

use common::parse;

const REFERENCE: &str = include_str!("../../../docs/policy.md");
/// What an example of rules alone stands in.
const AROUND: &str = "[policy]\nname = \"p\"\nmode = \"enforce\"\ndefault = \"block\"\n\
                      [[zone]]\nname = \"cabinet\"\nprefixes = [\"10.10.0.0/16\"]\n";

#[test]
fn examples_are_accepted_without_warnings() {
    let mut seen = 0;
    for block in REFERENCE.split("```toml\n").skip(1) {
        let text = block.split("```").next().unwrap();
        let whole = text.contains("[policy]");
        let policy = parse(&if whole {
            text.to_owned()
        } else {
            format!("{AROUND}{text}")
        });
        assert!(policy.warnings.is_empty(), "{}\n{text}", policy.warnings);
        seen += 1;
    }
    assert!(seen >= 4, "{seen} examples");
}

#[test]
fn every_condition_kind_and_group_is_documented() {
    for key in octroi_policy::CONDITION_KEYS {
        assert!(REFERENCE.contains(&format!("\n| `{key}` |")), "{key}");
    }
    for kind in octroi_policy::Opaque::ALL.into_iter().skip(1) {
        assert!(
            REFERENCE.contains(&format!("`{}`", kind.name())),
            "{}",
            kind.name()
        );
    }
    for group in octroi_geo_db::Group::ALL {
        assert!(
            REFERENCE.contains(&format!("`{}`", group.name())),
            "{}",
            group.name()
        );
    }
}
