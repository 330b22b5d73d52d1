//! The list of pinned packages that an atlas is built from.

use std::fmt::Write as _;
use std::path::Path;

use jiff::civil::Date;
use serde::Deserialize;
use sha2::{Digest, Sha256, Sha512};

use crate::atlas::{AtlasError, SourceRole};
use crate::source::SourceError;

/// What an atlas is built from: the pinned packages.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The sources, most trusted first within a role.
    pub source: Vec<PinnedSource>,
}

/// One pinned package.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinnedSource {
    /// Short name, used in claims.
    pub id: String,
    /// What it says.
    pub role: SourceRole,
    /// `npm` or `pypi`: by which client it is fetched.
    pub registry: String,
    /// Name of the package.
    pub package: String,
    /// Version of the package.
    pub version: String,
    /// Name of the package's file.
    pub file: String,
    /// `sha512-` or `sha256-` and the digest in hexadecimal.
    pub integrity: String,
    /// Day of the data; the package's own date is taken where it has one.
    pub date: Date,
    /// What is read from the package: IPv4 then IPv6, or one file for both.
    pub members: Vec<String>,
    /// Licence of the data.
    pub licence: String,
    /// The attribution that the licence asks for.
    pub attribution: String,
}

impl Manifest {
    /// Reads the TOML text of `file`.
    ///
    /// # Errors
    /// When it is not TOML or not of that form.
    pub fn parse(file: &str, text: &str) -> Result<Self, AtlasError> {
        toml::from_str(text).map_err(|error| AtlasError::Table {
            file: file.to_owned(),
            what: error.to_string(),
        })
    }

    /// The attributions of all sources, as the text of a NOTICE file.
    #[must_use]
    pub fn notice(&self) -> String {
        let mut out = String::from(
            "The embedded atlas (atlas.bin) is derived from these data sets. Their licences ask for\n\
             the attributions below wherever results of the data are shown.\n",
        );
        for source in &self.source {
            // Writing to a String cannot fail.
            let _ = write!(
                out,
                "\n{} ({} {}, data of {})\n  Licence: {}\n  {}\n",
                source.package,
                source.registry,
                source.version,
                source.date,
                source.licence,
                source.attribution.trim().replace('\n', "\n  "),
            );
        }
        out
    }
}

impl PinnedSource {
    /// Checks the package in `directory` against its pinned digest.
    ///
    /// # Errors
    /// When it is not there, cannot be read, or is another one.
    pub fn verify(&self, directory: &Path) -> Result<(), AtlasError> {
        let path = directory.join(&self.file);
        let wrong = |what: String| AtlasError::Table {
            file: path.display().to_string(),
            what,
        };
        let bytes = std::fs::read(&path).map_err(|source| SourceError::Read {
            file: path.display().to_string(),
            source,
        })?;
        let found = match self.integrity.split_once('-') {
            Some(("sha256", _)) => format!("sha256-{}", hexadecimal(&Sha256::digest(&bytes))),
            Some(("sha512", _)) => format!("sha512-{}", hexadecimal(&Sha512::digest(&bytes))),
            _ => {
                let what = format!(
                    "\"{}\": expected sha256- or sha512- and a digest",
                    self.integrity
                );
                return Err(wrong(what));
            }
        };
        if found == self.integrity {
            Ok(())
        } else {
            Err(wrong(format!(
                "is not the pinned package: {found}, pinned is {} (fetch it again, or pin the new version)",
                self.integrity
            )))
        }
    }
}

pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}
