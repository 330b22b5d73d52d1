//! Readers of the data that others publish: bytes in, [`Statements`](statements::Statements) out,
//! errors with file, place and remedy.
//!
//! A source is never trusted to be well formed: every reader is bounded, returns an error that
//! names the file and the place, none panics, and none decides anything. What wins over what is
//! decided where statements are put together ([`crate::build`]) and joined ([`crate::atlas`]).
//! `docs/sources.md` is the page for people.

pub mod aws;
pub mod azure;
pub mod cloudip;
mod container;
pub mod declaration;
mod draft;
mod error;
pub mod geofeed;
pub mod google;
mod json;
pub mod kind;
mod lines;
pub mod m365;
pub mod mmdb;
pub mod oracle;
pub mod overrides;
pub mod prefix_list;
pub mod range_csv;
mod sniff;
pub mod statements;
mod toml_fields;

pub use self::declaration::{Declaration, DeclaredSource, Origin, Places, load};
pub use self::draft::{Input, MAX_BAD_ROWS, MAX_TEXT_BYTES};
pub use self::error::{SourceError, Spot};
pub use self::kind::{Says, SourceKind};
