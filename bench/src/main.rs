//! `octroi-bench`: what `cargo xtask bench` runs.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::Parser;
use octroi_bench::{Effort, Part, page, rig, table};

/// Measures the gate beside its peers and prints one table of ratios.
#[derive(Parser)]
struct Arguments {
    /// Parts to run; all of them when none is named
    parts: Vec<Part>,
    /// Only see that everything works: the numbers say nothing
    #[arg(long)]
    short: bool,
    /// Also write bench.md and bench.svg into this directory
    #[arg(long)]
    write: Option<PathBuf>,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let needs_root =
        arguments.parts.iter().any(|part| *part != Part::Analyze) || arguments.parts.is_empty();
    if needs_root && !nix::unistd::geteuid().is_root() {
        bail!("the benches load XDP programs and make network namespaces: run them as root");
    }
    if needs_root {
        rig::sweep();
    }
    let effort = if arguments.short {
        Effort::SHORT
    } else {
        Effort::FULL
    };
    let parts = if arguments.parts.is_empty() {
        Part::ALL.to_vec()
    } else {
        arguments.parts
    };
    let mut rows = Vec::new();
    let mut failed = false;
    for part in parts {
        match part.run(effort) {
            Ok(more) => rows.extend(more),
            // The other parts are still worth their numbers.
            Err(error) => {
                eprintln!("bench: {part:?} failed: {error:#}");
                failed = true;
            }
        }
    }
    let machine = page::machine();
    println!("{machine}\n\n{}", table::plain(&rows));
    if let Some(directory) = arguments.write.filter(|_| !failed) {
        for (name, text) in [
            ("bench.md", page::page(&rows, &machine)),
            ("bench.svg", page::drawing(&rows)),
        ] {
            let path = directory.join(name);
            std::fs::write(&path, text)
                .with_context(|| format!("cannot write {}", path.display()))?;
            println!("wrote {}", path.display());
        }
    }
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}
