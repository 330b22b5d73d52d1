//! octroi: the daemon and the command line of the Octroi data-residency firewall.
//!
//! Owns: the composition of all other crates, the command line, the configuration. Depends on all
//! of them. Refuses to hold any logic that another room owns: parsing, evaluating, rendering and
//! talking to the kernel are done there.

mod analyze;
mod cli;
mod config;
mod daemon;
mod geo_db;
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
            eprintln!("octroi: {}", chain(&error));
            ExitCode::FAILURE
        }
    }
}

/// An error and its causes in one line; a cause that the line has named already is not repeated.
fn chain(error: &anyhow::Error) -> String {
    let mut line = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        if !line.contains(&cause) {
            line = format!("{line}: {cause}");
        }
    }
    line
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_cause_is_told_once() {
        let error = anyhow::anyhow!("no such file").context("cannot open: no such file");
        assert_eq!(super::chain(&error), "cannot open: no such file");
        let error = anyhow::anyhow!("no such file").context("cannot open");
        assert_eq!(super::chain(&error), "cannot open: no such file");
    }
}
