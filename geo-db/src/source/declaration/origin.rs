//! Where a source comes from, and the check that a package is the pinned one.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256, Sha512};

use crate::source::SourceError;

/// Where a source comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A file; relative to the directory of the declaration.
    Path(PathBuf),
    /// An address (`https` or `http`) from which `update` fetches into a cache.
    Url(String),
    /// A pinned package.
    Package(Package),
}

/// A package of a registry, pinned to its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// By which client it is fetched.
    pub registry: Registry,
    /// Its name there.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Name of its file.
    pub file: String,
    /// `sha512-` or `sha256-` and the digest in hexadecimal.
    pub integrity: String,
}

/// A registry of packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registry {
    /// npm: gzipped tar archives.
    Npm,
    /// The Python package index: wheels (zip archives).
    Pypi,
}

impl Registry {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Npm, Self::Pypi];

    /// The word in a declaration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Npm => "npm",
            Self::Pypi => "pypi",
        }
    }
}

impl Package {
    /// Checks the bytes of the package, which came from `path`, against its pinned digest.
    ///
    /// # Errors
    /// When it is another one.
    pub fn verify(&self, path: &Path, bytes: &[u8]) -> Result<(), SourceError> {
        let found = if self.integrity.starts_with("sha256-") {
            format!("sha256-{}", hexadecimal(&Sha256::digest(bytes)))
        } else {
            format!("sha512-{}", hexadecimal(&Sha512::digest(bytes)))
        };
        if found == self.integrity {
            return Ok(());
        }
        Err(SourceError::Package {
            file: path.display().to_string(),
            what: format!(
                "is not the pinned package: {found}, pinned is {} (fetch it again, or pin the new version)",
                self.integrity
            ),
        })
    }

    /// Whether a text is a digest in the form of [`Self::integrity`].
    pub(super) fn is_integrity(text: &str) -> bool {
        let (digest, length) = match text.split_once('-') {
            Some(("sha256", digest)) => (digest, 64),
            Some(("sha512", digest)) => (digest, 128),
            _ => return false,
        };
        digest.len() == length
            && digest
                .bytes()
                .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    }
}

/// Bytes as lower-case hexadecimal digits.
#[must_use]
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}
