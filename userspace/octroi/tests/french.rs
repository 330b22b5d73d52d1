//! The pages of a prefix and of a name in French: as they were, and no English left in them.
//!
//! `OCTROI_BLESS=1 cargo test -p octroi --test french` writes them anew.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::path::Path;
use std::process::Command;

/// What is asked, and the file with the page in French.
const ASKED: [(&str, &str); 2] = [
    ("20.74.0.0/16", "prefix-fr.txt"),
    ("discord.com", "name-fr.txt"),
];

/// More questions whose pages hold no English: a contested and an anycast prefix, a name of no
/// service, one of tracking links, one that looks like another.
const ALSO_ASKED: [&str; 6] = [
    "0.0.0.0/0",
    "8.8.8.0/24",
    "10.0.0.0/8",
    "example.org",
    "grabify.link",
    "visio.numerique-gouv.fr",
];

fn explain(what: &str, language: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_octroi"))
        .args(["explain", "--at", "2026-11-22", "--lang", language, what])
        .env_remove("OCTROI_LOG")
        .output()
        .unwrap();
    assert!(output.status.success(), "{what}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn pages_are_as_they_were() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    for (what, file) in ASKED {
        let page = explain(what, "fr");
        let path = directory.join(file);
        if std::env::var_os("OCTROI_BLESS").is_some() {
            std::fs::create_dir_all(&directory).unwrap();
            std::fs::write(&path, &page).unwrap();
        }
        assert_eq!(page, std::fs::read_to_string(&path).unwrap(), "{file}");
    }
}

#[test]
fn no_english_is_left_in_french() {
    // Words that a French page never needs; ids and names of networks have none of them.
    let words = [
        "the",
        "is",
        "by",
        "from",
        "not",
        "asks",
        "and",
        "were",
        "with",
        "of",
        "anybody",
        "rule",
        "known",
        "until",
        "such",
        "shares",
        "more",
        "addresses",
        "special",
    ];
    let questions = ASKED.iter().map(|(what, _)| *what).chain(ALSO_ASKED);
    for what in questions {
        let (french, english) = (explain(what, "fr"), explain(what, "en"));
        let mut telling = 0;
        for (page, expected) in [(&french, false), (&english, true)] {
            for line in page.lines() {
                // Evidence quotes names of networks and registries as they are, and the title of a
                // rule is the policy's own.
                if line.contains("AS") || line.contains("RFC") || line.starts_with("par la règle")
                {
                    continue;
                }
                let found = line
                    .split(|c: char| !c.is_alphanumeric() && !"-_.'".contains(c))
                    .find(|word| words.contains(word));
                if expected {
                    telling += usize::from(found.is_some());
                } else {
                    assert_eq!(found, None, "{what}: {line}\n{page}");
                }
            }
        }
        // The words are well chosen: they are in the English page.
        assert!(telling > 0, "{what}:\n{english}");
    }
}
