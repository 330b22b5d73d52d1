//! Files that are whole or not there: atomic writes, and the lock against a second updater.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nix::fcntl::{Flock, FlockArg};

/// Writes `bytes` to `path` so that a reader sees the old file or the new one, never a part: to a
/// file beside it, to the disk, then renamed.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let temporary = PathBuf::from(name);
    let written = write_and_sync(&temporary, bytes).and_then(|()| fs::rename(&temporary, path));
    if let Err(error) = written {
        // The old file stays; what was half written is of no use.
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    sync_directory(path)
}

fn write_and_sync(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes the names in the directory of `path` last.
pub(super) fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(directory)?.sync_all()
}

/// The right to change a cache, held until dropped; the kernel takes it back when the process ends.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "held, never read")] Flock<File>);

impl Lock {
    /// Takes the lock of a directory.
    ///
    /// # Errors
    /// Another updater holds it.
    pub(super) fn take(directory: &Path) -> Result<Self> {
        let path = directory.join("lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .with_context(|| format!("cannot open the lock {}", path.display()))?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => Ok(Self(lock)),
            Err((_, nix::errno::Errno::EWOULDBLOCK)) => bail!(
                "another update works in {}: wait until it has ended",
                directory.display()
            ),
            Err((_, error)) => {
                Err(error).with_context(|| format!("cannot take the lock {}", path.display()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_stays_beside_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        write_whole(&path, b"one").unwrap();
        write_whole(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        let nowhere = directory.path().join("no/where");
        assert!(write_whole(&nowhere, b"x").is_err());
    }

    #[test]
    fn only_one_holds_the_lock() {
        let directory = tempfile::tempdir().unwrap();
        let held = Lock::take(directory.path()).unwrap();
        let error = Lock::take(directory.path()).unwrap_err().to_string();
        assert!(error.contains("another update"), "{error}");
        drop(held);
        Lock::take(directory.path()).unwrap();
    }
}
