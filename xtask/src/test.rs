//! `cargo xtask test`: every test of the workspace, the kernel's and the lab's included.

use std::ffi::OsString;

use anyhow::{Result, bail};

use crate::process::{self, cargo, is_root, succeeds};
use crate::setup;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Handed to the test runner, e.g. `-- -p octroi-policy`
    #[arg(last = true)]
    rest: Vec<OsString>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let skips_kernel = std::env::var_os("OCTROI_SKIP_KERNEL").is_some_and(|value| value == "1");
    if !is_root() && !skips_kernel {
        bail!(
            "the kernel and lab tests need root: run this as root, or leave them out with OCTROI_SKIP_KERNEL=1"
        );
    }
    if !skips_kernel {
        setup::install_needs()?;
    }
    // The lab runs the binary itself, which no test target of its package builds.
    process::run(cargo().args(["build", "--package", "octroi"]))?;
    let has_nextest = succeeds(cargo().args(["nextest", "--version"]));
    let mut tests = if has_nextest {
        // The documentation's examples are no targets of nextest; the runner's summary comes last.
        if arguments.rest.is_empty() {
            process::run(cargo().args(["test", "--workspace", "--doc", "--quiet"]))?;
        }
        let mut command = cargo();
        command.args(["nextest", "run", "--workspace", "--no-fail-fast"]);
        command
    } else {
        println!("xtask: cargo-nextest is not here: running `cargo test`");
        let mut command = cargo();
        command.args(["test", "--workspace", "--no-fail-fast"]);
        command
    };
    process::run(tests.args(&arguments.rest))
}
