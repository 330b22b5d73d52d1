//! `octroi explain`: under whose law an address stands, what the policy does with it, and why.

use std::process::ExitCode;

use anyhow::{Result, bail};
use octroi_policy::{Opaque, protocol};

use super::ExplainArguments;
use crate::judge::{self, Judge, Question};

/// Explains each address.
pub(super) fn run(arguments: &ExplainArguments) -> Result<ExitCode> {
    let atlas = judge::open_atlas(arguments.atlas.as_deref())?;
    let policy = judge::read_policy(&arguments.policy, atlas.catalogue())?;
    let zone = match &arguments.zone {
        Some(name) => judge::zone_number(&policy, name)?,
        None => u8::from(!policy.zones.is_empty()),
    };
    let protocol = protocol_number(&arguments.protocol)?;
    let judge = Judge {
        atlas,
        policy: policy.into(),
    };
    let explanations: Vec<_> = arguments
        .addresses
        .iter()
        .map(|&destination| {
            judge.explain(&Question {
                zone,
                destination,
                protocol,
                port: arguments.port,
                name: arguments.name.as_deref(),
                opaque: Opaque::None,
                at: arguments.at.unwrap_or_else(judge::today),
            })
        })
        .collect();
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&explanations)?);
        return Ok(ExitCode::SUCCESS);
    }
    for (number, explanation) in explanations.iter().enumerate() {
        if number > 0 {
            println!();
        }
        println!("{explanation}");
    }
    Ok(ExitCode::SUCCESS)
}

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
}
