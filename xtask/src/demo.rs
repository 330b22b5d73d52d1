//! `cargo xtask demo`: the lab's demonstration, live in this terminal or as a checked table.

use anyhow::{Result, bail};

use crate::process::{self, cargo, is_root};
use crate::setup;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// No dashboard: print the table of destinations and exit non-zero on any mismatch
    #[arg(long)]
    headless: bool,
    /// Scenario to play, a file of tests/scenarios without its extension
    #[arg(long, default_value = "demo")]
    scenario: String,
    /// End the live demonstration after so many seconds
    #[arg(long, conflicts_with = "headless")]
    seconds: Option<u32>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if !is_root() {
        bail!("the demonstration makes network namespaces and loads XDP programs: run it as root");
    }
    setup::install_needs()?;
    process::run(cargo().args([
        "build",
        "--quiet",
        "--package",
        "octroi",
        "--package",
        "octroi-tests",
        "--bins",
    ]))?;
    let mut demo = cargo();
    demo.args([
        "run",
        "--quiet",
        "--package",
        "octroi-tests",
        "--bin",
        "octroi-lab",
        "--",
        "demo",
    ]);
    demo.args(["--scenario", &arguments.scenario]);
    if arguments.headless {
        demo.arg("--headless");
    }
    if let Some(seconds) = arguments.seconds {
        demo.args(["--seconds", &seconds.to_string()]);
    }
    process::run(&mut demo)
}
