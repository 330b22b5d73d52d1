//! What can go wrong with an atlas.

use std::io;

use crate::source::SourceError;

/// An atlas that cannot be opened, built or compiled.
#[derive(Debug, thiserror::Error)]
pub enum AtlasError {
    /// The file cannot be read or written.
    #[error("atlas {file}: {operation}: {source}")]
    Io {
        /// The file.
        file: String,
        /// What was tried.
        operation: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// Another kind of file.
    #[error(
        "atlas {file}: not an Octroi atlas (it does not begin with \"OCTROIAT\"); build one with `cargo xtask atlas`"
    )]
    NotAnAtlas {
        /// The file.
        file: String,
    },
    /// Written by a program of another version.
    #[error(
        "atlas {file}: format {found}, this program reads format {expected}; rebuild it with `cargo xtask atlas`"
    )]
    Format {
        /// The file.
        file: String,
        /// Format of the file.
        found: u16,
        /// Format of this program.
        expected: u16,
    },
    /// Shorter than it says, or with other bytes than were written.
    #[error("atlas {file}: damaged: {what}; fetch or build it again")]
    Damaged {
        /// The file.
        file: String,
        /// What does not fit.
        what: String,
    },
    /// The evidence of an atlas that answers otherwise cannot be read.
    #[error("the evidence of atlas {file} cannot be used: {what}")]
    Evidence {
        /// The file.
        file: String,
        /// What is wrong with it.
        what: String,
    },
    /// A source cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A list of what to build from, or a table beside it, cannot be understood.
    #[error("{file}: {what}")]
    Table {
        /// The file, with the line where it is known.
        file: String,
        /// What is wrong and what was expected.
        what: String,
    },
    /// The catalogue cannot be read.
    #[error(transparent)]
    Catalogue(#[from] crate::catalogue::CatalogueError),
    /// More than the kernel's tables hold.
    #[error("the atlas needs {needed} {what}, the kernel tables hold {limit}: {remedy}")]
    Bound {
        /// What there is too much of.
        what: &'static str,
        /// How many are needed.
        needed: usize,
        /// How many there is room for.
        limit: usize,
        /// What to do.
        remedy: &'static str,
    },
}
