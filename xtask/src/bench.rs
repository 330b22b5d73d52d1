//! `cargo xtask bench`: every benchmark of the workspace, optimised, one after the other.

use std::ffi::OsString;

use anyhow::Result;

use crate::process::{self, cargo};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Handed to the benchmarks, e.g. `-- --quick` or a part of a name
    #[arg(last = true)]
    rest: Vec<OsString>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    // By name, so that the test harness of libraries and binaries stays out of it.
    process::run(
        cargo()
            .args(["bench", "--workspace", "--bench", "*", "--"])
            .args(&arguments.rest),
    )
}
