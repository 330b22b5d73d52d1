//! `octroi policy check|show|apply`.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use octroi_geo_db::Catalogue;
use octroi_policy::Policy;

use super::{ClientArguments, PolicyCommand, client};
use crate::judge;

/// Does what the subcommand says.
pub(super) fn run(command: PolicyCommand) -> Result<ExitCode> {
    match command {
        PolicyCommand::Check { policy, atlas } => check(&policy, atlas.as_deref()),
        PolicyCommand::Show {
            policy: Some(policy),
            source,
            ..
        } => show(&policy, source),
        PolicyCommand::Show {
            policy: None,
            source,
            client,
        } => show_running(&client, source),
        PolicyCommand::Apply { policy, client } => apply(&policy, &client),
    }
}

fn check(name_or_path: &str, atlas: Option<&Path>) -> Result<ExitCode> {
    let atlas = judge::open_atlas(atlas, judge::day_of_law())?;
    let policy = judge::read_policy(name_or_path, atlas.catalogue())?;
    let tables = policy.compile(atlas.as_ref(), atlas.catalogue().day())?;
    for warning in &policy.warnings {
        eprintln!("warning: {warning}");
    }
    println!(
        "{name_or_path}: valid. {} rules, {} zones, {} mode, default {}; {} rule sets, {} marks for \
         the kernel; sha256 {}",
        policy.rules.len(),
        policy.zones.len(),
        policy.mode.name(),
        policy.default.name(),
        tables.rule_sets.len(),
        tables.marks.len(),
        policy.sha256
    );
    Ok(ExitCode::SUCCESS)
}

fn show(name_or_path: &str, source: bool) -> Result<ExitCode> {
    if source {
        print!("{}", judge::policy_text(name_or_path)?.0);
    } else {
        let catalogue = Catalogue::embedded()?;
        print!("{}", judge::read_policy(name_or_path, &catalogue)?.render());
    }
    Ok(ExitCode::SUCCESS)
}

fn show_running(arguments: &ClientArguments, source: bool) -> Result<ExitCode> {
    let view = client::converse(&arguments.socket, async |daemon| {
        Ok(daemon.policy().await?)
    })?;
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&view)?);
    } else if source {
        print!("{}", view.text);
    } else {
        let catalogue = Catalogue::embedded()?;
        let policy = Policy::parse(&view.text, &view.status.file, &catalogue)
            .context("the daemon's policy does not parse here: another version?")?;
        print!("{}", policy.render());
        println!(
            "in force since {} as generation {}",
            view.status.applied, view.status.generation
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn apply(name_or_path: &str, arguments: &ClientArguments) -> Result<ExitCode> {
    let (text, file) = judge::policy_text(name_or_path)?;
    let file = full_name(file);
    let outcome = client::converse(&arguments.socket, async |daemon| {
        Ok(daemon.policy_check(text, file, true).await?)
    })?;
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&outcome)?);
    } else {
        for line in &outcome.diagnostics {
            eprintln!("{line}");
        }
        println!("{}", outcome.message);
    }
    Ok(if outcome.valid {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// A file's full path: the daemon has another working directory. A preset's name as it is.
fn full_name(file: String) -> String {
    if file.starts_with("preset:") {
        return file;
    }
    std::path::absolute(&file).map_or(file, |path| path.to_string_lossy().into_owned())
}
