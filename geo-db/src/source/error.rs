//! What can be wrong with a source, where, and what to do about it.

use std::fmt;
use std::io;

use crate::catalogue::Problem;

/// A place inside a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spot {
    /// No place in particular.
    Whole,
    /// A line, from 1.
    Line(u64),
    /// A line and a column in bytes, both from 1.
    Column(u64, u64),
    /// A path into a JSON text, such as `prefixes[3].ip_prefix`.
    Path(String),
    /// A byte, from 0.
    Byte(usize),
    /// The number of a row in a binary list, from 0.
    Row(usize),
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => Ok(()),
            Self::Line(line) => write!(f, ":{line}"),
            Self::Column(line, column) => write!(f, ":{line}:{column}"),
            Self::Path(path) => write!(f, ": {path}"),
            Self::Byte(byte) => write!(f, ": byte {byte}"),
            Self::Row(row) => write!(f, ": row {row}"),
        }
    }
}

/// A source that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The file cannot be opened or read.
    #[error("cannot read {file}: {source}")]
    Read {
        /// The file.
        file: String,
        /// Why.
        source: io::Error,
    },
    /// The declared file is not there.
    #[error("source \"{id}\": {file} is not there ({remedy})")]
    Missing {
        /// Id of the source.
        id: String,
        /// The file.
        file: String,
        /// What to do.
        remedy: &'static str,
    },
    /// Not an MMDB file, or a damaged one.
    #[error(
        "{file} is not a readable MMDB file: {source} (fetch it again; a truncated download looks like this)"
    )]
    Mmdb {
        /// The file.
        file: String,
        /// What the reader says.
        source: Box<maxminddb::MaxMindDbError>,
    },
    /// An MMDB file whose search tree visits nodes again and again.
    #[error(
        "{file} is not a readable MMDB file: its search tree has more ends than {limit}, so it leads back into itself (fetch it again)"
    )]
    MmdbTree {
        /// The file.
        file: String,
        /// How many ends a tree of its size can have.
        limit: usize,
    },
    /// An MMDB file that says neither countries nor autonomous systems in a known way.
    #[error(
        "{file}: database type \"{database_type}\" has none of the fields that are understood (its records have: {fields}); expected one of: GeoLite2/GeoIP2, DB-IP, IPinfo, ip-location-db"
    )]
    UnknownSchema {
        /// The file.
        file: String,
        /// `database_type` of its metadata.
        database_type: String,
        /// Field names of its first record.
        fields: String,
    },
    /// A place in a file that does not say what it should.
    #[error("{file}{spot}: {what} ({remedy})")]
    At {
        /// The file.
        file: String,
        /// Where in it.
        spot: Spot,
        /// What is wrong.
        what: String,
        /// What to do.
        remedy: String,
    },
    /// Nothing at all.
    #[error("{file} is empty (fetch it again; an interrupted download looks like this)")]
    Empty {
        /// The file.
        file: String,
    },
    /// A server answered a page for people.
    #[error(
        "{file}: the server answered a web page instead of data (expected {expected}; open the address in a browser: a login, a moved file or a proxy answers like this)"
    )]
    WebPage {
        /// The file.
        file: String,
        /// What the declared kind is.
        expected: &'static str,
    },
    /// Another format than the declared one.
    #[error(
        "{file} looks like {found}, not like {expected} (correct \"kind\" in the declaration of the source, or its address)"
    )]
    OtherFormat {
        /// The file.
        file: String,
        /// What it looks like.
        found: &'static str,
        /// What the declared kind is.
        expected: &'static str,
    },
    /// More than a bound allows.
    #[error("{file}: more than {limit} {unit} ({remedy})")]
    TooLarge {
        /// The file.
        file: String,
        /// What is counted.
        unit: &'static str,
        /// The bound.
        limit: u64,
        /// What to do.
        remedy: &'static str,
    },
    /// A declaration of sources, or a file of overrides, that is not right.
    #[error("{}", lines(.0))]
    Problems(
        /// At least one, in the order of the file.
        Vec<Problem>,
    ),
    /// A package without the member that is read from it, or a damaged one.
    #[error("{file}: {what}")]
    Package {
        /// The package.
        file: String,
        /// What is wrong and what was expected.
        what: String,
    },
}

fn lines(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
    lines.join("\n")
}
