//! octroi-tui: the dashboard.
//!
//! Owns: the screens, in four parts. [`model`] is pure data; [`update::update`] applies one
//! message to it and answers effects; [`view::draw`] is a pure function of it that also answers
//! what a click hits; the runtime reads keys and the socket, draws what changed and restores the
//! terminal whatever happens. `adapter` is the one place that knows the wire types.
//! Depends on `octroi-api` alone for everything the daemon says. Refuses to know the kernel, the
//! policy's evaluation and the atlas: what is shown is what the daemon told, with the server's
//! clock. No key changes what the gateway enforces.

pub mod adapter;
pub mod layout;
pub mod message;
pub mod model;
pub mod plain;
mod runtime;
pub mod update;
pub mod view;

use std::io;
use std::path::PathBuf;

/// How to run the dashboard.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one switch of the command line"
)]
pub struct Options {
    /// The daemon's socket.
    pub socket: PathBuf,
    /// One line for each event instead of a screen: for pipes, screen readers and serial lines.
    /// Chosen by itself when the output is not a terminal.
    pub plain: bool,
    /// Only ASCII characters. Chosen by itself on terminals that know no others.
    pub ascii: bool,
    /// No colours. Chosen by itself when `NO_COLOR` is set (<https://no-color.org>).
    pub no_color: bool,
    /// The filter at the start.
    pub filter: Option<String>,
    /// Lets the terminal keep its own mouse selection.
    pub no_mouse: bool,
}

impl Options {
    /// Everything found out by itself, no filter.
    #[must_use]
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        Self {
            socket: socket.into(),
            plain: false,
            ascii: false,
            no_color: false,
            filter: None,
            no_mouse: false,
        }
    }
}

/// Why the dashboard could not go on.
#[derive(Debug, thiserror::Error)]
pub enum TuiError {
    /// The terminal refused.
    #[error("{operation}: {source} (is this a terminal? `--plain` writes lines instead)")]
    Terminal {
        /// What was done.
        operation: &'static str,
        /// How it failed.
        source: io::Error,
    },
    /// A line could not be written.
    #[error("write to standard output: {source}")]
    Output {
        /// How it failed.
        source: io::Error,
    },
    /// Signals could not be received.
    #[error("wait for signals: {source}")]
    Signals {
        /// How it failed.
        source: io::Error,
    },
    /// The filter of the options does not parse.
    #[error("filter \"{text}\", column {column}: {message}")]
    Filter {
        /// The filter.
        text: String,
        /// What is wrong, and the remedy.
        message: String,
        /// Where, from 1.
        column: usize,
    },
}

/// Runs the dashboard until the user quits or a signal ends it. The daemon need not run: the
/// dashboard says so and connects when it can.
///
/// # Errors
/// The terminal or the output fails, or the filter of the options does not parse.
pub async fn run(options: Options) -> Result<(), TuiError> {
    runtime::run(options).await
}
