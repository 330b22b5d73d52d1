//! No text makes the parser panic, and whatever it accepts can be shown and compiled.
#![allow(
    clippy::unwrap_used,
    clippy::format_collect,
    reason = "a panic is how a test fails, and its texts need not be built fast"
)]

mod common;

use common::{AT, SmallAtlas};
use octroi_geo_db::Catalogue;
use octroi_policy::Policy;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// Pieces that parsers trip over.
const PIECES: [&str; 22] = [
    "\"",
    "'''",
    "\"\"\"",
    "[",
    "]",
    "[[",
    "]]",
    "{",
    "}",
    "=",
    "\n",
    "#",
    ",",
    "!",
    "*.",
    "\u{0}",
    "é",
    "\u{feff}",
    "0x7fffffffffffffffff",
    "1e999",
    "[[rule]]\n",
    "\\u0000",
];

fn survives(text: &str) {
    let catalogue = Catalogue::embedded().unwrap();
    match Policy::parse(text, "garbage.toml", &catalogue) {
        Ok(policy) => {
            assert!(!policy.render().is_empty());
            // A policy that is too large for the kernel is an error, never a panic.
            let _ = policy.compile(&SmallAtlas::new(Vec::new()), AT);
        }
        Err(errors) => {
            assert!(!errors.is_empty());
            for error in &errors {
                assert!(error.line >= 1 && error.column >= 1 && !error.what.is_empty());
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn any_text_is_survived(text in "\\PC*") {
        survives(&text);
    }

    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        survives(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn mutated_presets_are_survived(
        preset in select(&Policy::PRESETS[..]),
        edits in proptest::collection::vec((any::<Index>(), any::<Index>(), select(&PIECES[..])), 1..6),
    ) {
        let mut characters: Vec<char> = Policy::preset(preset).unwrap().chars().collect();
        for (at, length, piece) in edits {
            let start = at.index(characters.len());
            let end = (start + length.index(40)).min(characters.len());
            characters.splice(start..end, piece.chars());
        }
        survives(&characters.into_iter().collect::<String>());
    }

    #[test]
    fn mutated_words_are_survived(
        preset in select(&Policy::PRESETS[..]),
        word in any::<Index>(),
        other in any::<Index>(),
    ) {
        let text = Policy::preset(preset).unwrap();
        let words: Vec<&str> = text.split(' ').collect();
        let mut changed = words.clone();
        changed[word.index(words.len())] = words[other.index(words.len())];
        survives(&changed.join(" "));
    }
}

/// Whatever fills a file of the largest size: refused, with a bounded number of short messages.
#[test]
fn large_garbage_is_refused_in_few_words() {
    let head =
        "[policy]\nname = \"p\"\nmode = \"enforce\"\ndefault = \"block\"\n[[rule]]\nid = \"r\"\n";
    let room = octroi_policy::MAX_FILE_BYTES - head.len() - 100;
    let filled = |piece: &str| piece.repeat(room / piece.len());
    let cases = [
        filled("["),
        filled("a"),
        filled("\"\n"),
        filled("a = 1\n"),
        format!("{head}{} = 1\n", filled("k")),
        format!("{head}verdict = \"{}\"\n", filled("k")),
        format!("{head}asn = [{}]\n", filled("7, ")),
        format!("{head}ports = [{}]\n", filled("80,")),
        format!("{head}service = [{}]\n", filled("\"x\",")),
        format!(
            "{head}operator = [{}]\n",
            (0..90_000)
                .map(|n| format!("\"x{n}\","))
                .collect::<String>()
        ),
        format!(
            "{head}{}",
            (0..60_000)
                .map(|n| format!("x{n} = 1\n"))
                .collect::<String>()
        ),
        format!("{head}{}", filled("[[rule]]\n")),
    ];
    let catalogue = Catalogue::embedded().unwrap();
    for text in cases {
        let errors = Policy::parse(&text, "large.toml", &catalogue).unwrap_err();
        assert!(
            !errors.is_empty() && errors.0.len() <= 201,
            "{}",
            errors.0.len()
        );
        assert!(
            errors
                .iter()
                .all(|error| error.to_string().chars().count() < 1_000)
        );
    }
}
