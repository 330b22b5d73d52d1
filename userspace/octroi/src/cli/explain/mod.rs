//! `octroi explain`: under whose law an address, a prefix, a name or a past flow stands, what the
//! policy does with it, and why.

mod answer;
mod compare;
mod eve;
mod name;
mod past;
mod share;
mod what;
mod words;

use std::io::{ErrorKind, Read as _, Write as _};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use jiff::civil::Date;
use octroi_geo_db::catalogue::Language;
use octroi_policy::protocol;

use self::answer::Answer;
use self::what::What;
use super::ExplainArguments;
use crate::judge::{self, Judge};

/// The preset that is asked when no policy is named.
const DEFAULT_POLICY: &str = "cloud-au-centre";

/// Who answers, and the circumstances that hold for everything that is asked.
pub(super) struct Desk {
    judge: Judge,
    zone: u8,
    protocol: u8,
    port: u16,
    name: Option<String>,
    at: Date,
    language: Language,
}

/// Explains each thing asked about. Nothing is printed unless all of it was understood.
pub(super) fn run(arguments: &ExplainArguments) -> Result<ExitCode> {
    let whats = understood(&arguments.what)?;
    let desk = Desk::new(arguments)?;
    let mut answers: Vec<Answer> = whats.iter().map(|what| desk.answer(what)).collect();
    for id in &arguments.flow {
        answers.push(past::answer(&desk, arguments, id)?);
    }
    let text = if arguments.json {
        serde_json::to_string_pretty(&answers)?
    } else {
        let pages: Vec<String> = answers.iter().map(|answer| answer.page(&desk)).collect();
        pages.join("\n\n")
    };
    match writeln!(std::io::stdout(), "{text}") {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        written => {
            written.context("cannot write the explanation to standard output")?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

impl Desk {
    fn new(arguments: &ExplainArguments) -> Result<Self> {
        let at = arguments.at.unwrap_or_else(judge::day_of_law);
        let atlas = judge::open_atlas(arguments.atlas.as_deref(), at)?;
        let policy = arguments.policy.as_deref().unwrap_or(DEFAULT_POLICY);
        let policy = judge::read_policy(policy, atlas.catalogue())?;
        let zone = match &arguments.zone {
            Some(name) => judge::zone_number(&policy, name)?,
            None => u8::from(!policy.zones.is_empty()),
        };
        let protocol = protocol_number(&arguments.protocol)?;
        let has_ports = protocol::has_ports(protocol);
        Ok(Self {
            judge: Judge {
                atlas,
                policy: Arc::new(policy),
            },
            zone,
            protocol,
            port: if has_ports { arguments.port } else { 0 },
            name: arguments.name.clone(),
            at,
            language: arguments.lang.into(),
        })
    }

    fn answer(&self, what: &What) -> Answer {
        match what {
            What::Address(address) => Answer::address(self, *address),
            What::Prefix(prefix) => Answer::Prefix(share::of(self, *prefix)),
            What::Name(name) => Answer::Name(Box::new(name::of(self, name))),
        }
    }
}

/// Reads what is asked about, standard input for `-`. All that was not understood is told at once.
fn understood(arguments: &[String]) -> Result<Vec<What>> {
    let mut words = Vec::new();
    for argument in arguments {
        if argument == "-" {
            let mut input = String::new();
            std::io::stdin()
                .take(MOST_INPUT_BYTES)
                .read_to_string(&mut input)
                .context("cannot read what to explain from standard input")?;
            let lines = input
                .lines()
                .map(|line| line.split('#').next().unwrap_or(""));
            words.extend(lines.flat_map(str::split_whitespace).map(str::to_owned));
        } else {
            words.push(argument.clone());
        }
    }
    let mut whats = Vec::new();
    let mut problems = Vec::new();
    for word in &words {
        match word.parse() {
            Ok(what) => whats.push(what),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() {
        return Ok(whats);
    }
    let problems: Vec<String> = problems
        .iter()
        .map(what::NotUnderstood::to_string)
        .collect();
    bail!("{}", problems.join("\n        "))
}

/// Most that is read from standard input.
const MOST_INPUT_BYTES: u64 = 1 << 20;

/// The number of a protocol by its name in policies (the first one of a name that stands for
/// several), or as it is.
fn protocol_number(text: &str) -> Result<u8> {
    let named = protocol::by_name(&text.to_ascii_lowercase());
    match (named.and_then(|numbers| numbers.first()), text.parse()) {
        (Some(&number), _) | (None, Ok(number)) => Ok(number),
        (None, Err(_)) => {
            let known: Vec<_> = protocol::names().collect();
            bail!(
                "--protocol {text}: give a number from 0 to 255, or {}",
                known.join(", ")
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_have_names_and_numbers() {
        assert_eq!(protocol_number("TCP").unwrap(), 6);
        assert_eq!(protocol_number("47").unwrap(), 47);
        assert!(
            protocol_number("256")
                .unwrap_err()
                .to_string()
                .contains("0 to 255")
        );
    }

    #[test]
    fn everything_that_is_not_understood_is_told_at_once() {
        let asked = ["8.8.8.8", "20.74.0.1/17", "https://zoom.us/j/1"].map(str::to_owned);
        let error = understood(&asked).unwrap_err().to_string();
        assert!(error.contains("20.74.0.0/17"), "{error}");
        assert!(error.contains("zoom.us"), "{error}");
        assert!(!error.contains("8.8.8.8"), "{error}");
    }
}
