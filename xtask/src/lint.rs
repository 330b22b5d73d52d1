//! `cargo xtask lint`: format, the catalogue's facts, and clippy, whose warnings are errors.

use anyhow::Result;

use crate::catalogue;
use crate::process::{self, cargo};

pub(crate) fn run() -> Result<()> {
    process::run(cargo().args(["fmt", "--all", "--check"]))?;
    catalogue::check()?;
    process::run(cargo().args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]))
}
