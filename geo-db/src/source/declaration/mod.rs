//! The declaration of sources: which data is taken, from where, how far it is trusted, under which
//! licence. The embedded `geo-db/data/sources.toml` and an administrator's file have one form.

mod origin;
mod parse;
mod read;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use jiff::civil::Date;

pub use self::origin::{Origin, Package, Registry, hexadecimal};
pub use self::read::load;

use super::SourceError;
use super::kind::{Says, SourceKind};

/// Which sources there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declaration {
    /// Name of the file it was read from.
    pub file: String,
    /// In the order of the file.
    pub sources: Vec<DeclaredSource>,
}

/// One declared source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeclaredSource {
    /// Short name, used in claims. Lower-case letters, digits, `.`, `_` and `-`.
    pub id: String,
    /// In which form it publishes.
    pub kind: SourceKind,
    /// Where it comes from.
    pub origin: Origin,
    /// What of it is taken; empty: what its kind and its fields say by themselves.
    pub says: Vec<Says>,
    /// Higher is more trusted.
    pub priority: u16,
    /// Licence of the data; empty for local overrides.
    pub licence: String,
    /// The attribution that the licence asks for; may be empty.
    pub attribution: String,
    /// Day of the data when the data does not say it.
    pub date: Option<Date>,
    /// Whose prefixes they are, as in `geo-db/data/cloud_regions.csv` (geofeed, `prefix_list`).
    pub provider: Option<String>,
    /// Id of the service in the catalogue that the prefixes carry alone (`prefix_list`).
    pub service: Option<String>,
    /// Service area -> id of the service in the catalogue (m365).
    pub services: BTreeMap<String, String>,
    /// Members of an archive, by name or by the end of their path; of a package, all that are read.
    pub members: Vec<String>,
    /// Bound on the unpacked bytes.
    pub max_bytes: u64,
}

/// Directories in which the files of sources lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// That of the declaration: where relative paths begin.
    pub declaration: PathBuf,
    /// That of the packages.
    pub packages: PathBuf,
    /// That into which `update` fetches.
    pub cache: PathBuf,
}

impl Places {
    /// All in one directory.
    #[must_use]
    pub fn all_in(directory: &Path) -> Self {
        Self {
            declaration: directory.to_owned(),
            packages: directory.to_owned(),
            cache: directory.to_owned(),
        }
    }
}

impl Declaration {
    /// Reads the TOML text of `file`.
    ///
    /// # Errors
    /// All that is wrong with it, each with line, column and remedy.
    pub fn parse(file: &str, text: &str) -> Result<Self, SourceError> {
        parse::parse(file, text)
    }

    /// The attributions of all sources, as the text of a NOTICE file.
    #[must_use]
    pub fn notice(&self) -> String {
        let mut out = String::from(
            "The embedded atlas (atlas.bin) is derived from these data sets. Their licences ask for\n\
             the attributions below wherever results of the data are shown.\n",
        );
        for source in &self.sources {
            let name = match &source.origin {
                Origin::Package(package) => format!(
                    "{} ({} {}",
                    package.name,
                    package.registry.name(),
                    package.version
                ),
                Origin::Path(path) => format!("{} ({}", source.id, path.display()),
                Origin::Url(url) => format!("{} ({url}", source.id),
            };
            let day = source
                .date
                .map(|date| format!(", data of {date}"))
                .unwrap_or_default();
            // Writing to a String cannot fail.
            let _ = write!(
                out,
                "\n{name}{day})\n  Licence: {}\n  {}\n",
                source.licence,
                source.attribution.trim().replace('\n', "\n  "),
            );
        }
        out
    }
}

impl DeclaredSource {
    /// The file that is read: the declared one, the package, or the one that `update` fetched.
    #[must_use]
    pub fn file(&self, places: &Places) -> PathBuf {
        match &self.origin {
            Origin::Path(path) => places.declaration.join(path),
            Origin::Package(package) => places.packages.join(&package.file),
            Origin::Url(_) => places.cache.join(format!("{}.data", self.id)),
        }
    }

    /// The file beside a fetched one in which `update` writes the day of the data as the server
    /// tells it (`Last-Modified`), `2026-06-01`; read when the data does not say its day.
    #[must_use]
    pub fn day_file(&self, places: &Places) -> PathBuf {
        places.cache.join(format!("{}.day", self.id))
    }
}
