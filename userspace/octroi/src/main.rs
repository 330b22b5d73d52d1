//! octroi: the daemon and the command line of the Octroi data-residency firewall.
//!
//! Owns: the composition of all other crates, the command line, the configuration. Depends on all
//! of them. Refuses to hold any logic that another room owns: parsing, evaluating, rendering and
//! talking to the kernel are done there.

mod analyze;
mod cli;
mod config;
mod daemon;
mod judge;
mod logging;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let arguments = cli::Arguments::parse();
    logging::start(arguments.verbose);
    match cli::dispatch(arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("octroi: {error:#}");
            ExitCode::FAILURE
        }
    }
}
