//! The cache of fetched sources: the last good file of each, with its digest, and a staging place
//! in which new ones wait until the atlas that they make is accepted.
//!
//! For a source `ID`: `ID.data` is the file, `ID.day` the day that the server told, `ID.json` what
//! is remembered of the download. `staging/` has the same names.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::http::{self, Answer, FetchError, Patience, Validators};
use crate::geo_db::files::{Lock, sync_directory, write_whole};

const STAGING: &str = "staging";
/// The files of a source, by extension.
const DATA: &str = "data";
const DAY: &str = "day";
const REMEMBERED: &str = "json";

/// A cache that this process alone may change.
#[derive(Debug)]
pub(in crate::geo_db) struct Cache {
    directory: PathBuf,
    staging: PathBuf,
    _lock: Lock,
}

/// What is remembered of a download.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::geo_db) struct Remembered {
    /// Where it came from.
    pub(in crate::geo_db) url: String,
    /// `ETag`.
    pub(in crate::geo_db) etag: Option<String>,
    /// `Last-Modified`.
    pub(in crate::geo_db) last_modified: Option<String>,
    /// Digest of the file, hexadecimal.
    pub(in crate::geo_db) sha256: String,
    /// Bytes of the file.
    pub(in crate::geo_db) bytes: u64,
    /// When it was fetched.
    pub(in crate::geo_db) fetched: Timestamp,
}

/// What lies in the staging place for a source.
#[derive(Debug)]
pub(in crate::geo_db) enum Staged {
    /// The file that was good is still right.
    Unchanged,
    /// Another file.
    New(Fetched),
    /// Nothing: why, and the last good file when there is one.
    Failed(FetchError),
}

/// A file that was fetched.
#[derive(Debug)]
pub(in crate::geo_db) struct Fetched {
    /// Bytes of the file.
    pub(in crate::geo_db) bytes: u64,
}

impl Cache {
    /// Opens a cache, makes it when it is not there, and empties its staging place.
    ///
    /// # Errors
    /// It cannot be made or written, or another updater works in it.
    pub(in crate::geo_db) fn open(directory: &Path) -> Result<Self> {
        let made = |path: &Path| format!("cannot make the cache {}", path.display());
        fs::create_dir_all(directory).with_context(|| made(directory))?;
        let lock = Lock::take(directory)?;
        let staging = directory.join(STAGING);
        match fs::remove_dir_all(&staging) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error)
                    .with_context(|| format!("cannot empty the cache {}", staging.display()));
            }
            _ => {}
        }
        fs::create_dir(&staging).with_context(|| made(&staging))?;
        Ok(Self {
            directory: directory.to_owned(),
            staging,
            _lock: lock,
        })
    }

    /// Where staged files lie.
    pub(in crate::geo_db) fn staging(&self) -> &Path {
        &self.staging
    }

    /// Fetches a source into the staging place, or puts the last good file there when the server
    /// says that it is still right.
    ///
    /// # Errors
    /// The cache itself cannot be read or written.
    pub(in crate::geo_db) fn stage(
        &self,
        id: &str,
        url: &str,
        limit: u64,
        patience: Patience,
    ) -> Result<Staged> {
        let good = self.good(id, url);
        let known = good
            .as_ref()
            .map_or_else(Validators::default, |good| Validators {
                etag: good.etag.clone(),
                last_modified: good.last_modified.clone(),
            });
        let path = self.staged(id, DATA);
        let file = File::create(&path)
            .with_context(|| format!("cannot write to the cache {}", path.display()))?;
        let mut out = Hashed {
            inner: BufWriter::new(file),
            digest: Sha256::new(),
        };
        let answer = http::get(url, &known, limit, patience, &mut out);
        let answer = answer.and_then(|answer| {
            out.finish()
                .map(|sha256| (answer, sha256))
                .map_err(|source| FetchError::Write {
                    url: url.to_owned(),
                    source,
                })
        });
        let (bytes, validators, sha256) = match answer {
            Ok((Answer::Written { bytes, validators }, sha256)) => (bytes, validators, sha256),
            Ok((Answer::NotModified, _)) => {
                self.link_good(id)?;
                return Ok(Staged::Unchanged);
            }
            Err(error) => {
                remove(&path)?;
                return Ok(Staged::Failed(error));
            }
        };
        let same = good.as_ref().is_some_and(|good| good.sha256 == sha256);
        let remembered = Remembered {
            url: url.to_owned(),
            etag: validators.etag,
            last_modified: validators.last_modified,
            sha256,
            bytes,
            fetched: Timestamp::now(),
        };
        self.remember(id, &remembered)?;
        Ok(if same {
            Staged::Unchanged
        } else {
            Staged::New(Fetched { bytes })
        })
    }

    /// Puts the last good file of a source into the staging place, in the place of what is there.
    /// Returns when that file was fetched; `None`: there is none.
    ///
    /// # Errors
    /// The cache cannot be read or written.
    pub(in crate::geo_db) fn fall_back(&self, id: &str, url: &str) -> Result<Option<Timestamp>> {
        let Some(good) = self.good(id, url) else {
            for extension in [DATA, DAY, REMEMBERED] {
                remove(&self.staged(id, extension))?;
            }
            return Ok(None);
        };
        self.link_good(id)?;
        Ok(Some(good.fetched))
    }

    /// Makes the staged files of these sources the last good ones.
    ///
    /// # Errors
    /// The cache cannot be written.
    pub(in crate::geo_db) fn promote<'a>(&self, ids: impl Iterator<Item = &'a str>) -> Result<()> {
        for id in ids {
            // The memory last: without it, or with another digest, a file counts as none.
            for extension in [DATA, DAY, REMEMBERED] {
                let (from, to) = (self.staged(id, extension), self.kept(id, extension));
                match fs::rename(&from, &to) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => remove(&to)?,
                    other => {
                        other.with_context(|| format!("cannot keep the file {}", to.display()))?;
                    }
                }
            }
        }
        sync_directory(&self.kept("x", DATA)).context("cannot write the cache to the disk")
    }

    /// The memory of the last good file of a source, when it is from that address and whole.
    fn good(&self, id: &str, url: &str) -> Option<Remembered> {
        let text = fs::read(self.kept(id, REMEMBERED)).ok()?;
        let remembered: Remembered = serde_json::from_slice(&text).ok()?;
        let digest = digest_of(&self.kept(id, DATA)).ok()?;
        (remembered.url == url && remembered.sha256 == digest).then_some(remembered)
    }

    fn link_good(&self, id: &str) -> Result<()> {
        for extension in [DATA, DAY, REMEMBERED] {
            let (from, to) = (self.kept(id, extension), self.staged(id, extension));
            remove(&to)?;
            match fs::hard_link(&from, &to) {
                Err(error) if error.kind() == io::ErrorKind::NotFound && extension == DAY => {}
                other => other.with_context(|| format!("cannot use {}", from.display()))?,
            }
        }
        Ok(())
    }

    fn remember(&self, id: &str, remembered: &Remembered) -> Result<()> {
        let path = self.staged(id, REMEMBERED);
        let failed = || format!("cannot write to the cache {}", path.display());
        let text = serde_json::to_vec_pretty(remembered).with_context(failed)?;
        write_whole(&path, &text).with_context(failed)?;
        if let Some(day) = remembered.last_modified.as_deref().and_then(day_of) {
            write_whole(&self.staged(id, DAY), day.as_bytes()).with_context(failed)?;
        }
        Ok(())
    }

    fn kept(&self, id: &str, extension: &str) -> PathBuf {
        self.directory.join(format!("{id}.{extension}"))
    }

    fn staged(&self, id: &str, extension: &str) -> PathBuf {
        self.staging.join(format!("{id}.{extension}"))
    }
}

/// The day of an HTTP date (RFC 9110 section 5.6.7), as `2026-06-01`.
fn day_of(date: &str) -> Option<String> {
    let parser = jiff::fmt::rfc2822::DateTimeParser::new();
    let zoned = parser.parse_zoned(date).ok()?;
    Some(zoned.date().to_string())
}

fn digest_of(path: &Path) -> io::Result<String> {
    let mut digest = Hashed {
        inner: io::sink(),
        digest: Sha256::new(),
    };
    io::copy(&mut File::open(path)?, &mut digest)?;
    digest.finish()
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Takes the digest of what is written.
struct Hashed<W> {
    inner: W,
    digest: Sha256,
}

impl<W: Write> Hashed<W> {
    fn finish(mut self) -> io::Result<String> {
        self.inner.flush()?;
        Ok(hexadecimal(&self.digest.finalize()))
    }
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.digest.update(bytes.get(..written).unwrap_or_default());
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Bytes as hexadecimal digits.
fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut out, byte| {
        // Writing to a String cannot fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_of_an_http_date_is_read() {
        let day = day_of("Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(day.as_deref(), Some("1994-11-06"));
        assert_eq!(day_of("yesterday"), None);
    }
}
