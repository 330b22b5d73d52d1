//! `octroi geo-db`: build, look into, compare and update the atlas.
//!
//! What an atlas is and what moved in it is decided in `octroi-geo-db`; here are files, the
//! network and tables for people.

mod arguments;
mod audit;
mod build;
mod diff;
mod fetch;
mod files;
mod info;
mod lookup;
pub(crate) mod signature;
pub(crate) mod update;
mod verify;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use jiff::civil::Date;
use minisign_verify::PublicKey;
use octroi_geo_db::Atlas;

pub(crate) use self::arguments::GeoDbCommand;
pub(crate) use self::diff::standing as standing_in_words;
use crate::judge::day_of_law;

/// Does it.
///
/// # Errors
/// Whatever went wrong, with the operation, the object and the remedy.
pub(crate) fn run(command: &GeoDbCommand) -> Result<ExitCode> {
    match command {
        GeoDbCommand::Build(build) => build::run(build),
        GeoDbCommand::Info(info) => info::run(info),
        GeoDbCommand::Verify(verify) => verify::run(verify),
        GeoDbCommand::Lookup(lookup) => lookup::run(lookup),
        GeoDbCommand::Diff(diff) => diff::run(diff),
        GeoDbCommand::Update(update) => update::run(update),
        GeoDbCommand::Audit(audit) => audit::run(audit),
    }
}

/// Opens the atlas file at `path`, or the one inside the binary when there is none or its word is
/// `embedded`.
fn open(path: Option<&Path>) -> Result<Atlas> {
    match path {
        Some(path) if path.as_os_str() != arguments::EMBEDDED => {
            Ok(Atlas::open_at(path, day_of_law())?)
        }
        _ => {
            Atlas::embedded_at(day_of_law()).context("the atlas inside the binary cannot be opened")
        }
    }
}

/// What is known of the signature of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Opened {
    /// Bytes of the file.
    pub(crate) bytes: u64,
    /// The trusted comment, when a signature was verified.
    pub(crate) signed: Option<String>,
}

/// Reads the atlas file at `path` once, verifies the signature over exactly what was read, and
/// opens it.
///
/// # Errors
/// It cannot be read, the signature is missing or does not hold, it is no atlas or damaged.
pub(crate) fn open_signed(
    path: &Path,
    key: Option<&PublicKey>,
    day: Date,
) -> Result<(Atlas, Opened)> {
    let bytes =
        std::fs::read(path).with_context(|| format!("cannot read the atlas {}", path.display()))?;
    let signed = key
        .map(|key| signature::verify(path, &bytes, key))
        .transpose()?;
    let opened = Opened {
        bytes: bytes.len() as u64,
        signed,
    };
    let atlas = Atlas::from_bytes_at(&path.display().to_string(), bytes, day)?;
    Ok((atlas, opened))
}
