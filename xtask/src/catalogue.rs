//! `cargo xtask catalogue`: the reviewed facts, checked, with what somebody should look at again.

use anyhow::Result;

use crate::process::{self, cargo};

const CATALOGUE: &str = "geo-db/catalogue";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Print the findings and counts as JSON
    #[arg(long)]
    json: bool,
    /// Review as of this day instead of today
    #[arg(long, value_name = "DAY")]
    today: Option<String>,
}

/// Fails when the catalogue holds errors; warnings are only listed.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let mut review = cargo();
    review.args(["run", "--quiet", "--package", "octroi-geo-db"]);
    review.args(["--bin", "octroi-catalogue", "--", CATALOGUE]);
    if arguments.json {
        review.arg("--json");
    }
    if let Some(today) = &arguments.today {
        review.args(["--today", today]);
    }
    process::run(&mut review)
}

/// The review as the lint stage runs it.
pub(crate) fn check() -> Result<()> {
    run(&Arguments {
        json: false,
        today: None,
    })
}
