//! docs/explained.md and README.md: every transcript of `octroi explain` is made anew and compared,
//! so that neither page can go stale.
//!
//! `OCTROI_BLESS=1 cargo test -p octroi --test explained` writes the transcripts anew.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::path::{Path, PathBuf};
use std::process::Command;

const REVIEWED: &str = "docs/explained.md";

/// A page, by its path in the repository.
fn page(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}

/// How a command line of these pages begins.
const COMMAND: &str = "$ octroi explain ";

/// What a command line of the page prints, both streams, without blanks at the ends of lines.
fn transcript(command: &str) -> String {
    let arguments: Vec<&str> = command.split_whitespace().skip(1).collect();
    assert!(
        arguments.contains(&"--at"),
        "a transcript without its day: {command}"
    );
    let output = Command::new(env!("CARGO_BIN_EXE_octroi"))
        .args(&arguments)
        .env_remove("OCTROI_LOG")
        .output()
        .unwrap();
    assert!(output.status.success(), "{command}: {output:?}");
    String::from_utf8(output.stdout)
        .unwrap()
        .trim_end()
        .to_owned()
}

/// The page with every transcript made anew.
fn renewed(text: &str) -> (String, Vec<String>) {
    let commands: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with(COMMAND))
        .filter_map(|line| line.strip_prefix("$ "))
        .collect();
    let workers = 4;
    let mut printed: Vec<(usize, String)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..workers)
            .map(|worker| {
                let commands = &commands;
                scope.spawn(move || -> Vec<(usize, String)> {
                    let own = commands.iter().enumerate().skip(worker).step_by(workers);
                    own.map(|(place, command)| (place, transcript(command)))
                        .collect()
                })
            })
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    printed.sort_unstable();
    let mut printed = printed.into_iter().map(|(_, text)| text);
    let mut out = String::new();
    let mut within = false;
    for line in text.lines() {
        if within && line != "```" {
            continue;
        }
        within = false;
        out.push_str(line);
        out.push('\n');
        if line.starts_with(COMMAND) {
            out.push_str(&printed.next().unwrap());
            out.push('\n');
            within = true;
        }
    }
    (out, commands.into_iter().map(str::to_owned).collect())
}

/// Compares the transcripts of a page with what the commands print, or writes them anew.
fn hold(path: &str, at_least: usize) {
    let text = std::fs::read_to_string(page(path)).unwrap();
    let (renewed, commands) = renewed(&text);
    assert!(
        commands.len() >= at_least,
        "{path}: {} transcripts",
        commands.len()
    );
    if std::env::var_os("OCTROI_BLESS").is_some() {
        std::fs::write(page(path), renewed).unwrap();
        return;
    }
    for (number, (was, is)) in text.lines().zip(renewed.lines()).enumerate() {
        assert_eq!(was, is, "{path}:{}", number + 1);
    }
    assert_eq!(text.lines().count(), renewed.lines().count(), "{path}");
}

#[test]
fn every_transcript_is_what_the_command_prints() {
    hold(REVIEWED, 30);
}

#[test]
fn the_transcript_of_the_readme_is_what_the_command_prints() {
    hold("README.md", 1);
}

#[test]
fn every_transcript_has_a_remark() {
    let text = std::fs::read_to_string(page(REVIEWED)).unwrap();
    let sections: Vec<&str> = text.split("\n## ").skip(1).collect();
    for section in sections {
        let title = section.lines().next().unwrap_or_default();
        let remark = section.lines().any(|line| line.starts_with("**Review.**"));
        assert!(remark, "no review under {title}");
    }
}
