//! xtask: what a developer or a build machine does with the repository, as one command each.
//!
//! Owns the order of the steps and nothing of the product: each step runs cargo, apt-get or a
//! program of the workspace. Refuses to depend on anything that needs a C compiler, because
//! `cargo xtask setup` is what installs one.

mod atlas;
mod bench;
mod catalogue;
mod demo;
mod ebpf;
mod fuzz;
mod lint;
mod process;
mod setup;
mod test;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Tasks of the Octroi repository.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install what is missing on this machine to build, test and demonstrate Octroi
    Setup(setup::Arguments),
    /// Build the kernel object that is committed, or compare with it
    Ebpf(ebpf::Arguments),
    /// Run the gate between real clients and real servers, in network namespaces
    Demo(demo::Arguments),
    /// Run every test: pure crates, kernel programs, the lab (root)
    Test(test::Arguments),
    /// Check format, the catalogue and lints
    Lint,
    /// Rebuild the embedded atlas from its pinned packages
    Atlas(atlas::Arguments),
    /// Check the catalogue and list what to look at again
    Catalogue(catalogue::Arguments),
    /// Run the fuzz targets under libFuzzer
    Fuzz(fuzz::Arguments),
    /// Measure the gate beside its peers: one table of ratios, docs/bench.md and a plot (root)
    Bench(bench::Arguments),
}

fn main() -> Result<()> {
    match Arguments::parse().task {
        Task::Setup(arguments) => setup::run(&arguments),
        Task::Ebpf(arguments) => ebpf::run(&arguments),
        Task::Demo(arguments) => demo::run(&arguments),
        Task::Test(arguments) => test::run(&arguments),
        Task::Lint => lint::run(),
        Task::Atlas(arguments) => atlas::run(&arguments),
        Task::Catalogue(arguments) => catalogue::run(&arguments),
        Task::Fuzz(arguments) => fuzz::run(&arguments),
        Task::Bench(arguments) => bench::run(&arguments),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_holds_together() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_headless_demonstration_has_no_time_limit() {
        let words = ["xtask", "demo", "--headless", "--seconds", "5"];
        assert!(Arguments::try_parse_from(words).is_err());
    }

    #[test]
    fn what_follows_two_dashes_is_the_runner_s() {
        let words = ["xtask", "test", "--", "-p", "octroi-policy"];
        assert!(Arguments::try_parse_from(words).is_ok());
    }
}
