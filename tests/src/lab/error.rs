//! What can go wrong in the lab: always the operation, the object and, where there is one, the remedy.

use std::path::PathBuf;

/// Result of lab operations.
pub type Result<T> = std::result::Result<T, LabError>;

/// A lab operation that failed.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// The process may not make network namespaces.
    #[error(
        "the lab makes network namespaces and loads XDP programs: run it as root (or leave its tests out with OCTROI_SKIP_KERNEL=1)"
    )]
    NotRoot,
    /// A program of the system is missing or cannot start.
    #[error("cannot start `{program}`: {source} (`cargo xtask setup` installs what the lab needs)")]
    Start {
        /// The program.
        program: String,
        /// Why.
        source: std::io::Error,
    },
    /// A program ended without success.
    #[error("`{command}` ended with {status}: {output}")]
    Failed {
        /// The command line.
        command: String,
        /// Exit status or signal.
        status: String,
        /// What it wrote on its standard error.
        output: String,
    },
    /// A binary of this workspace has not been built.
    #[error("{path} is not there: build it with `cargo build --package {package} --bins`", path = .path.display())]
    NotBuilt {
        /// Where it should be.
        path: PathBuf,
        /// The package that builds it.
        package: &'static str,
    },
    /// A file or socket operation.
    #[error("cannot {operation} {object}: {source}")]
    Io {
        /// A verb.
        operation: &'static str,
        /// What it was done to.
        object: String,
        /// Why not.
        source: std::io::Error,
    },
    /// A network namespace could not be entered.
    #[error("cannot enter the network namespace {namespace}: {source}")]
    Enter {
        /// Its name.
        namespace: String,
        /// Why not.
        source: nix::Error,
    },
    /// Something that should have happened did not in time.
    #[error("{what} after {seconds} s{detail}")]
    TooLate {
        /// What is missing.
        what: String,
        /// How long it was waited for.
        seconds: u64,
        /// The end of a log, or nothing.
        detail: String,
    },
    /// Data of the lab (world, scenario) that does not hold together.
    #[error("{file}: {problem}")]
    Data {
        /// Which file.
        file: String,
        /// What is wrong.
        problem: String,
    },
}

impl LabError {
    /// An [`LabError::Io`] from its parts, for `map_err`.
    pub fn io(
        operation: &'static str,
        object: impl Into<String>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let object = object.into();
        move |source| Self::Io {
            operation,
            object,
            source,
        }
    }
}
