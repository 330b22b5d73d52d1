//! Readers of the data that others publish: bytes in, ranges out, errors with file and place.
//!
//! A source is never trusted to be well formed: every reader returns an error that names the file
//! and the record, none panics, and none decides anything. What wins over what is decided by the
//! join ([`crate::atlas`]).

pub mod asn_csv;
pub mod cloud_list;
pub mod mmdb;
pub mod package;
pub mod statements;

use std::io;

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
    /// A line of a text file.
    #[error("{file}:{line}: {what}")]
    Line {
        /// The file.
        file: String,
        /// Line, from 1.
        line: u64,
        /// What is wrong and what was expected.
        what: String,
    },
    /// A package without the member that is read from it, or a damaged one.
    #[error("{file}: {what}")]
    Package {
        /// The package.
        file: String,
        /// What is wrong and what was expected.
        what: String,
    },
}
