//! The BPF file system under the pin root, and the names of pins.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount};
use nix::sys::statfs::{BPF_FS_MAGIC, statfs};
use nix::sys::statvfs::{FsFlags, statvfs};
use octroi_abi::ABI_VERSION;

use crate::error::DatapathError;

/// Where a BPF file system stands on every distribution.
const USUAL_MOUNT_POINT: &str = "/sys/fs/bpf";

/// The directories of one ABI version under a pin root.
#[derive(Clone, Debug)]
pub(crate) struct Pins {
    root: PathBuf,
    abi: u32,
}

impl Pins {
    /// Of this build's ABI.
    pub(crate) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            abi: ABI_VERSION,
        }
    }

    /// Of another ABI under the same root.
    pub(crate) fn of(&self, abi: u32) -> Self {
        Self {
            root: self.root.clone(),
            abi,
        }
    }

    /// Of this ABI version.
    pub(crate) fn version(&self) -> PathBuf {
        self.root.join(format!("v{}", self.abi))
    }

    /// Every ABI version that has a directory, ascending.
    pub(crate) fn versions(&self) -> Result<Vec<u32>, DatapathError> {
        let mut versions: Vec<u32> = entries(&self.root)?
            .iter()
            .filter_map(|path| version_of(path))
            .collect();
        versions.sort_unstable();
        Ok(versions)
    }

    /// Every pinned link: the interface's name, and the pin.
    pub(crate) fn pinned_links(&self) -> Result<Vec<(String, PathBuf)>, DatapathError> {
        let mut links = Vec::new();
        for interface in entries(&self.version().join("links"))? {
            for pin in entries(&interface)? {
                links.push((unescaped(&file_name(&interface)), pin));
            }
        }
        // The way out before the way back, whatever the order of the directory.
        links.sort();
        Ok(links)
    }

    pub(crate) fn maps(&self) -> PathBuf {
        self.version().join("maps")
    }

    pub(crate) fn programs(&self) -> PathBuf {
        self.version().join("programs")
    }

    /// The pins of the links of one interface.
    pub(crate) fn links(&self, interface: &str) -> PathBuf {
        self.version().join("links").join(escaped(interface))
    }

    /// Makes the directories; mounts a BPF file system when there is none. Returns where it was
    /// mounted.
    pub(crate) fn prepare(&self) -> Result<Option<PathBuf>, DatapathError> {
        let mounted = self.ensure_bpffs()?;
        for directory in [self.maps(), self.programs(), self.version().join("links")] {
            create(&directory)?;
        }
        Ok(mounted)
    }

    fn ensure_bpffs(&self) -> Result<Option<PathBuf>, DatapathError> {
        if is_bpffs(&self.root) {
            return writable(&self.root).map(|()| None);
        }
        let usual = Path::new(USUAL_MOUNT_POINT);
        let mount_point = if self.root.starts_with(usual) {
            usual.to_owned()
        } else {
            create(&self.root)?;
            self.root.clone()
        };
        mount(
            Some("bpf"),
            &mount_point,
            Some("bpf"),
            MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC,
            Some("mode=0700"),
        )
        .map_err(|error| DatapathError::NoBpffs {
            path: self.root.clone(),
            mount_point: mount_point.clone(),
            source: io::Error::from(error),
        })?;
        Ok(Some(mount_point))
    }
}

/// The ABI version that a directory is named for.
pub(crate) fn version_of(path: &Path) -> Option<u32> {
    file_name(path).strip_prefix('v')?.parse().ok()
}

pub(crate) fn file_name(path: &Path) -> String {
    path.file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

/// The entries of a directory; none when it is not there.
pub(crate) fn entries(directory: &Path) -> Result<Vec<PathBuf>, DatapathError> {
    let failed = |source| DatapathError::File {
        operation: "list",
        path: directory.to_owned(),
        source,
    };
    let listed = match fs::read_dir(directory) {
        Ok(listed) => listed,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(failed(source)),
    };
    listed
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()
        .map_err(failed)
}

/// Removes an empty directory; that it is not there is fine.
pub(crate) fn remove_directory(directory: &Path) -> Result<(), DatapathError> {
    match fs::remove_dir(directory) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(DatapathError::File {
            operation: "remove",
            path: directory.to_owned(),
            source,
        }),
    }
}

/// Refuses a BPF file system that is mounted read-only.
pub(crate) fn writable(path: &Path) -> Result<(), DatapathError> {
    let read_only = path
        .ancestors()
        .find_map(|directory| statvfs(directory).ok())
        .is_some_and(|found| found.flags().contains(FsFlags::ST_RDONLY));
    if read_only {
        return Err(DatapathError::ReadOnlyBpffs {
            path: path.to_owned(),
        });
    }
    Ok(())
}

/// Whether a path, or the nearest directory above it that exists, is on a BPF file system.
pub(crate) fn is_bpffs(path: &Path) -> bool {
    path.ancestors()
        .find_map(|directory| statfs(directory).ok())
        .is_some_and(|found| found.filesystem_type() == BPF_FS_MAGIC)
}

pub(crate) fn create(directory: &Path) -> Result<(), DatapathError> {
    fs::create_dir_all(directory).map_err(|source| DatapathError::File {
        operation: "create the directory",
        path: directory.to_owned(),
        source,
    })
}

/// An interface name as a file name. A BPF file system refuses names with a dot, which VLAN
/// interfaces have.
pub(crate) fn escaped(interface: &str) -> String {
    let mut name = String::new();
    for byte in interface.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_' {
            name.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(name, "%{byte:02x}");
        }
    }
    name
}

/// The interface name of a file name.
pub(crate) fn unescaped(name: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = name.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let code = tail
            .get(..2)
            .filter(|_| first == b'%')
            .and_then(|code| std::str::from_utf8(code).ok())
            .and_then(|code| u8::from_str_radix(code, 16).ok());
        if let Some(code) = code {
            bytes.push(code);
            rest = tail.get(2..).unwrap_or_default();
        } else {
            bytes.push(first);
            rest = tail;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interface_names_survive_as_file_names() {
        for name in ["eth0", "eth0.10", "br-a_b", "v%41", "a:b", "wan.é"] {
            assert!(!escaped(name).contains('.'), "{name}");
            assert_eq!(unescaped(&escaped(name)), name);
        }
    }

    #[test]
    fn pins_carry_the_abi_version() {
        let pins = Pins::new(Path::new("/sys/fs/bpf/octroi"));
        let expected = format!("/sys/fs/bpf/octroi/v{ABI_VERSION}/links/eth0%2e7");
        assert_eq!(pins.links("eth0.7"), PathBuf::from(expected));
    }
}
