//! The containers in which sources are published: gzip, zip and gzipped tar; and plain files.
//! Nothing is unpacked beyond its bound.

use std::io::{Cursor, Read};

use flate2::read::MultiGzDecoder;

use super::SourceError;
use super::kind::SourceKind;

/// Members that one archive may hold, read or not.
const MAX_MEMBERS: usize = 100_000;

/// Members that are read of one archive.
const MAX_READ_MEMBERS: usize = 16;

/// A file that was found, by the name it has in messages.
pub(super) type Found = (String, Vec<u8>);

/// What to find in a container.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) kind: SourceKind,
    /// Whole names, or the ends of paths; none: by the extensions of the kind.
    pub(super) members: &'a [String],
    /// Bound on each unpacked file, and on all together.
    pub(super) max_bytes: u64,
}

/// The files of a source in `bytes`: itself, or what its container holds.
pub(super) fn open(
    file: &str,
    bytes: Vec<u8>,
    wanted: Wanted<'_>,
) -> Result<Vec<Found>, SourceError> {
    if bytes.is_empty() {
        return Err(SourceError::Empty {
            file: file.to_owned(),
        });
    }
    if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06") {
        return unzip(file, bytes, wanted);
    }
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        if bytes.len() as u64 > wanted.max_bytes {
            return Err(too_large(file, wanted.max_bytes));
        }
        return Ok(vec![(file.to_owned(), bytes)]);
    }
    if is_tar(&bytes) {
        return untar(file, &bytes, wanted);
    }
    let plain = read_bounded(MultiGzDecoder::new(&bytes[..]), file, wanted.max_bytes)?;
    open_inner(file, plain)
}

/// A gzipped file must hold something.
fn open_inner(file: &str, plain: Vec<u8>) -> Result<Vec<Found>, SourceError> {
    if plain.is_empty() {
        return Err(SourceError::Empty {
            file: file.to_owned(),
        });
    }
    Ok(vec![(file.to_owned(), plain)])
}

/// Whether gzipped data begins with the header of a tar archive (POSIX ustar, at byte 257).
fn is_tar(bytes: &[u8]) -> bool {
    let mut header = [0; 512];
    let mut decoder = MultiGzDecoder::new(bytes);
    decoder.read_exact(&mut header).is_ok() && &header[257..262] == b"ustar"
}

fn untar(file: &str, bytes: &[u8], wanted: Wanted<'_>) -> Result<Vec<Found>, SourceError> {
    let damaged = |error: std::io::Error| damaged(file, &error);
    // Members that are skipped are unpacked too: bound the whole.
    let bound = wanted.max_bytes.saturating_mul(4).saturating_add(64 << 20);
    let mut archive = tar::Archive::new(MultiGzDecoder::new(bytes).take(bound));
    let mut found = Pick::new(file, wanted);
    for (count, entry) in archive.entries().map_err(damaged)?.enumerate() {
        let entry = entry.map_err(damaged)?;
        found.count(count)?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        if entry.header().entry_type().is_file() && found.wants(&name) {
            found.read(&name, entry)?;
        }
    }
    // The checksum stands at the very end: a download cut off behind the last member shows there.
    let mut rest = archive.into_inner();
    std::io::copy(&mut rest, &mut std::io::sink()).map_err(damaged)?;
    found.finish()
}

fn unzip(file: &str, bytes: Vec<u8>, wanted: Wanted<'_>) -> Result<Vec<Found>, SourceError> {
    let damaged =
        |error: zip::result::ZipError| damaged(file, &std::io::Error::other(error.to_string()));
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(damaged)?;
    let mut found = Pick::new(file, wanted);
    for index in 0..archive.len() {
        found.count(index)?;
        let member = archive.by_index(index).map_err(damaged)?;
        let name = member.name().map_err(damaged)?.into_owned();
        if member.is_file() && found.wants(&name) {
            found.read(&name, member)?;
        }
    }
    found.finish()
}

/// The wanted members of an archive, in the order in which they were asked for.
struct Pick<'a> {
    file: &'a str,
    wanted: Wanted<'a>,
    left_bytes: u64,
    found: Vec<(usize, Found)>,
}

impl<'a> Pick<'a> {
    fn new(file: &'a str, wanted: Wanted<'a>) -> Self {
        Self {
            file,
            wanted,
            left_bytes: wanted.max_bytes,
            found: Vec::new(),
        }
    }

    fn count(&self, members: usize) -> Result<(), SourceError> {
        if members < MAX_MEMBERS && self.found.len() <= MAX_READ_MEMBERS {
            return Ok(());
        }
        Err(SourceError::TooLarge {
            file: self.file.to_owned(),
            unit: "members",
            limit: if members < MAX_MEMBERS {
                MAX_READ_MEMBERS as u64
            } else {
                MAX_MEMBERS as u64
            },
            remedy: "name the members that are to be read: members = [\"...\"]",
        })
    }

    fn position(&self, name: &str) -> Option<usize> {
        if self.wanted.members.is_empty() {
            let hidden = name
                .rsplit('/')
                .next()
                .is_some_and(|last| last.starts_with('.'));
            let fits = |end: &&str| {
                name.strip_suffix(*end)
                    .is_some_and(|rest| rest.ends_with('.'))
            };
            return (!hidden && self.wanted.kind.extensions().iter().any(fits))
                .then_some(self.found.len());
        }
        self.wanted.members.iter().position(|wanted| {
            name.strip_suffix(wanted.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
        })
    }

    fn wants(&self, name: &str) -> bool {
        self.position(name)
            .is_some_and(|place| self.found.iter().all(|(taken, _)| *taken != place))
    }

    fn read(&mut self, name: &str, member: impl Read) -> Result<(), SourceError> {
        let place = self.position(name).unwrap_or_default();
        let shown = format!("{}:{name}", self.file);
        let mut bytes = read_bounded(member, &shown, self.left_bytes)?;
        self.left_bytes = self.left_bytes.saturating_sub(bytes.len() as u64);
        if bytes.starts_with(&[0x1f, 0x8b]) {
            bytes = read_bounded(
                MultiGzDecoder::new(&bytes[..]),
                &shown,
                self.wanted.max_bytes,
            )?;
        }
        self.found.push((place, (shown, bytes)));
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<Found>, SourceError> {
        let missing = self
            .wanted
            .members
            .iter()
            .enumerate()
            .find(|(place, _)| self.found.iter().all(|(taken, _)| taken != place));
        if let Some((_, member)) = missing {
            return Err(SourceError::Package {
                file: self.file.to_owned(),
                what: format!("has no member \"{member}\" (is it another version of the package?)"),
            });
        }
        if self.found.is_empty() {
            return Err(SourceError::Package {
                file: self.file.to_owned(),
                what: format!(
                    "holds no .{} file (name the member that is to be read: members = [\"...\"])",
                    self.wanted.kind.extensions().join(" or .")
                ),
            });
        }
        self.found.sort_by_key(|(place, _)| *place);
        Ok(self.found.into_iter().map(|(_, found)| found).collect())
    }
}

/// All that `reader` gives, at most `max_bytes`.
pub(super) fn read_bounded(
    reader: impl Read,
    file: &str,
    max_bytes: u64,
) -> Result<Vec<u8>, SourceError> {
    let mut bytes = Vec::new();
    reader
        .take(max_bytes.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| damaged(file, &error))?;
    if bytes.len() as u64 > max_bytes {
        return Err(too_large(file, max_bytes));
    }
    Ok(bytes)
}

fn too_large(file: &str, max_bytes: u64) -> SourceError {
    SourceError::TooLarge {
        file: file.to_owned(),
        unit: "bytes",
        limit: max_bytes,
        remedy: "is it the right file? if it is, raise max_bytes in the declaration",
    }
}

fn damaged(file: &str, error: &std::io::Error) -> SourceError {
    SourceError::Package {
        file: file.to_owned(),
        what: format!(
            "cannot be unpacked: {error} (fetch it again; a truncated download looks like this)"
        ),
    }
}
