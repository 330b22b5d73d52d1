//! From a declared source to its statements: the file, its container, its format.

use std::fs::File;
use std::io;
use std::path::Path;

use jiff::civil::Date;

use super::{Declaration, DeclaredSource, Origin, Places};
use crate::source::draft::Input;
use crate::source::kind::{Says, SourceKind};
use crate::source::statements::{Spoken, Statements};
use crate::source::{
    SourceError, Spot, aws, azure, cloudip, container, geofeed, google, m365, mmdb, oracle,
    overrides, prefix_list, range_csv, sniff,
};

/// Reads all sources of a declaration, in its order. Several are read at once.
///
/// # Errors
/// Those of the first source, in the order of the declaration, that cannot be read.
pub fn load(
    declaration: &Declaration,
    places: &Places,
) -> Result<Vec<(DeclaredSource, Statements)>, SourceError> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut out = Vec::with_capacity(declaration.sources.len());
    for group in declaration.sources.chunks(threads.max(1)) {
        let read: Vec<_> = std::thread::scope(|scope| {
            let running: Vec<_> = group
                .iter()
                .map(|source| scope.spawn(|| source.read(places)))
                .collect();
            running
                .into_iter()
                .map(|thread| {
                    thread
                        .join()
                        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
                })
                .collect()
        });
        for (source, statements) in group.iter().zip(read) {
            out.push((source.clone(), statements?));
        }
    }
    Ok(out)
}

impl DeclaredSource {
    /// Reads the file of this source. A package is checked against its pinned digest first. The
    /// date of the statements is that of the data, else the day beside a fetched file
    /// ([`Self::day_file`]), else the declared one; only overrides may have none.
    ///
    /// # Errors
    /// When the file is not there, is not the pinned package, is larger than its bound, or cannot
    /// be read as what it is declared to be.
    pub fn read(&self, places: &Places) -> Result<Statements, SourceError> {
        let path = self.file(places);
        let bytes = self.bytes(&path)?;
        if let Origin::Package(package) = &self.origin {
            package.verify(&path, &bytes)?;
        }
        let mut said = self.read_bytes(&path.display().to_string(), bytes)?;
        if said.date.is_none() {
            said.date = self.fetched_day(places)?.or(self.date);
        }
        if said.date.is_none() && self.kind != SourceKind::Overrides {
            return Err(SourceError::Package {
                file: path.display().to_string(),
                what: format!(
                    "source \"{}\": the data does not say its day (add date = \"YYYY-MM-DD\" to its declaration)",
                    self.id
                ),
            });
        }
        Ok(said)
    }

    /// Reads the bytes of `file`: this source, or a container around it. The date is that of the
    /// data, when the data says it.
    ///
    /// # Errors
    /// When they cannot be read as what the source is declared to be.
    pub fn read_bytes(&self, file: &str, bytes: Vec<u8>) -> Result<Statements, SourceError> {
        let wanted = container::Wanted {
            kind: self.kind,
            members: &self.members,
            max_bytes: self.max_bytes,
        };
        let mut said: Option<Statements> = None;
        for (name, bytes) in container::open(file, bytes, wanted)? {
            let read = self.read_plain(&name, &bytes)?;
            said = Some(match said {
                Some(before) => joined(before, read),
                None => read,
            });
        }
        let said = said.ok_or_else(|| SourceError::Empty {
            file: file.to_owned(),
        })?;
        self.says_what_it_should(file, &said)?;
        Ok(said)
    }

    fn read_plain(&self, file: &str, bytes: &[u8]) -> Result<Statements, SourceError> {
        sniff::check(self.kind, file, bytes)?;
        let input = Input {
            file,
            bytes,
            max_rows: self.kind.max_rows(),
        };
        let provider = self.provider.as_deref();
        match self.kind {
            SourceKind::Mmdb => mmdb::read(input, &self.says),
            SourceKind::RangeCsv => range_csv::read(input, &self.says),
            SourceKind::Geofeed => geofeed::read(input, provider.unwrap_or_default()),
            SourceKind::CloudIp => cloudip::read(input),
            SourceKind::Aws => aws::read(input),
            SourceKind::Azure => azure::read(input),
            SourceKind::Google => google::read(input),
            SourceKind::Oracle => oracle::read(input),
            SourceKind::M365 => m365::read(input, &self.services),
            SourceKind::PrefixList => prefix_list::read(input, provider, self.service.as_deref()),
            SourceKind::Overrides => overrides::read(input),
        }
    }

    /// The file, at most its bound.
    fn bytes(&self, path: &Path) -> Result<Vec<u8>, SourceError> {
        let name = path.display().to_string();
        let file = File::open(path).map_err(|source| {
            if source.kind() == io::ErrorKind::NotFound {
                SourceError::Missing {
                    id: self.id.clone(),
                    file: name.clone(),
                    remedy: match self.origin {
                        Origin::Path(_) => {
                            "correct \"path\"; it begins at the declaration's directory"
                        }
                        Origin::Url(_) => "fetch it first: octroi geo-db update",
                        Origin::Package(_) => "fetch the package, or say in which directory it is",
                    },
                }
            } else {
                SourceError::Read {
                    file: name.clone(),
                    source,
                }
            }
        })?;
        container::read_bounded(file, &name, self.max_bytes)
    }

    /// The day that `update` wrote beside the fetched file.
    fn fetched_day(&self, places: &Places) -> Result<Option<Date>, SourceError> {
        if !matches!(self.origin, Origin::Url(_)) {
            return Ok(None);
        }
        let path = self.day_file(places);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => {
                return Err(SourceError::Read {
                    file: path.display().to_string(),
                    source,
                });
            }
        };
        let day = text.trim().parse().map_err(|_| SourceError::At {
            file: path.display().to_string(),
            spot: Spot::Line(1),
            what: "not a day such as 2026-06-01".to_owned(),
            remedy: "remove the file and fetch again".to_owned(),
        })?;
        Ok(Some(day))
    }

    /// What the declaration says the source says must be there.
    fn says_what_it_should(&self, file: &str, said: &Statements) -> Result<(), SourceError> {
        fn any<A>(says: Says, spoken: &Spoken<A>) -> bool {
            match says {
                Says::Location => !spoken.locations.is_empty(),
                Says::Registration => !spoken.registrations.is_empty(),
                Says::Announcement => !spoken.systems.is_empty(),
                Says::SystemCountry => !spoken.system_countries.is_empty(),
            }
        }
        let speaks = |says: Says| any(says, &said.v4) || any(says, &said.v6);
        let missing = if self.says.is_empty() && self.kind.has_says() {
            (!Says::ALL.into_iter().any(speaks)).then_some("location, registration or announcement")
        } else {
            let missing = self.says.iter().find(|says| !speaks(**says));
            missing.map(|says| says.name())
        };
        match missing {
            None => Ok(()),
            Some(what) => Err(SourceError::Package {
                file: file.to_owned(),
                what: format!(
                    "says nothing of {what} (correct \"says\" in the declaration of \"{}\", or take another file)",
                    self.id
                ),
            }),
        }
    }
}

/// What two members of one source say together.
fn joined(mut first: Statements, second: Statements) -> Statements {
    fn extend<A>(first: &mut Spoken<A>, second: Spoken<A>) {
        first.locations.extend(second.locations);
        first.registrations.extend(second.registrations);
        first.systems.extend(second.systems);
        first.system_countries.extend(second.system_countries);
    }
    extend(&mut first.v4, second.v4);
    extend(&mut first.v6, second.v6);
    for (system, name) in second.names {
        first.names.entry(system).or_insert(name);
    }
    first.listed.extend(second.listed);
    first.services.extend(second.services);
    first.overrides.extend(second.overrides);
    first.warnings.extend(second.warnings);
    first.date = first.date.max(second.date);
    first.version = first.version.or(second.version);
    first
}
