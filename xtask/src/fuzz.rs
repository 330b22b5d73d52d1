//! `cargo xtask fuzz`: the fuzz targets under libFuzzer, on stable Rust.
//!
//! The coverage counters that libFuzzer steers by come from the compiler's own pass; no sanitizer
//! is needed (there is no unsafe code in the readers), so no nightly compiler either.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::process::{self, cargo, root};
use crate::setup;

/// Compiler flags that put in the counters: edges, as inline 8-bit counters, with their places.
const COVERAGE_FLAGS: [&str; 7] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Clink-dead-code",
    "-Ccodegen-units=1",
    "--cfg=fuzzing",
];

/// Memory above this, or one input slower than this, is a finding.
const MEMORY_LIMIT_MIB: u32 = 2048;
const SLOWEST_INPUT_S: u32 = 10;

/// Inputs are not grown beyond this.
const LONGEST_INPUT_BYTES: u32 = 65_536;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// One target of `fuzz/bins`; all of them, one after another, when it is left out
    target: Option<String>,
    /// How long each target runs
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    seconds: u32,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let root = root();
    let known = targets(&root)?;
    let chosen: Vec<String> = match &arguments.target {
        None => known,
        Some(name) if known.contains(name) => vec![name.clone()],
        Some(name) => bail!(
            "there is no fuzz target \"{name}\": expected one of {}",
            known.join(", ")
        ),
    };
    setup::install_needs()?;
    let host = host()?;
    let target_directory = root.join("target/fuzz");
    let mut build = cargo();
    build
        .args(["build", "--release", "--manifest-path", "fuzz/Cargo.toml"])
        // With a target named, build scripts are spared the flags.
        .args(["--target", &host, "--target-dir"])
        .arg(&target_directory)
        .env("CARGO_ENCODED_RUSTFLAGS", COVERAGE_FLAGS.join("\u{1f}"));
    for name in &chosen {
        build.args(["--bin", name]);
    }
    process::run(&mut build)?;
    for name in &chosen {
        let program = target_directory.join(&host).join("release").join(name);
        fuzz(&root, &target_directory, &program, name, arguments.seconds)?;
    }
    Ok(())
}

/// Runs one program. What it finds new is kept in the target directory, what breaks it in
/// `fuzz/artifacts`; the committed seeds are only read.
fn fuzz(root: &Path, scratch: &Path, program: &Path, name: &str, seconds: u32) -> Result<()> {
    let found = scratch.join("corpus").join(name);
    let artifacts = root.join("fuzz/artifacts").join(name);
    for directory in [&found, &artifacts] {
        std::fs::create_dir_all(directory)
            .with_context(|| format!("cannot make {}", directory.display()))?;
    }
    let mut command = Command::new(program);
    command
        .current_dir(root)
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-rss_limit_mb={MEMORY_LIMIT_MIB}"))
        .arg(format!("-timeout={SLOWEST_INPUT_S}"))
        .arg(format!("-max_len={LONGEST_INPUT_BYTES}"))
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        .args(["-print_final_stats=1", "-verbosity=0"])
        .arg(&found)
        .arg(root.join("fuzz/corpus").join(name));
    process::run(&mut command).with_context(|| {
        format!(
            "{name} broke a promise: the input is in {}; put it into fuzz/corpus/{name} with the repair",
            artifacts.display()
        )
    })
}

/// Names of the programs, sorted.
fn targets(root: &Path) -> Result<Vec<String>> {
    let directory = root.join("fuzz/bins");
    let entries = std::fs::read_dir(&directory)
        .with_context(|| format!("cannot read {}", directory.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        let path: PathBuf = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            names.extend(
                path.file_stem()
                    .map(|stem| stem.to_string_lossy().into_owned()),
            );
        }
    }
    names.sort();
    Ok(names)
}

/// The triple of this machine's compiler.
fn host() -> Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    process::output(Command::new(rustc).arg("-vV").current_dir(root()))
        .as_deref()
        .and_then(|text| text.lines().find_map(|line| line.strip_prefix("host: ")))
        .map(str::to_owned)
        .context("`rustc -vV` does not tell its host: is rustc installed?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_is_a_target_with_seeds() {
        let root = root();
        let names = targets(&root).expect("programs");
        assert!(names.len() >= 15, "{names:?}");
        for name in names {
            assert!(root.join("fuzz/corpus").join(&name).is_dir(), "{name}");
        }
    }

    #[test]
    fn the_compiler_tells_its_host() {
        assert!(host().expect("a triple").contains('-'));
    }
}
