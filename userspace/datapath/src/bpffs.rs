//! The BPF file system under the pin root, and the names of pins.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount};
use nix::sys::statfs::{BPF_FS_MAGIC, statfs};
use octroi_abi::ABI_VERSION;

use crate::error::DatapathError;

/// Where a BPF file system stands on every distribution.
const USUAL_MOUNT_POINT: &str = "/sys/fs/bpf";

/// The directories of one pin root.
#[derive(Clone, Debug)]
pub(crate) struct Pins {
    root: PathBuf,
}

impl Pins {
    pub(crate) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    /// Of this ABI version.
    pub(crate) fn version(&self) -> PathBuf {
        self.root.join(format!("v{ABI_VERSION}"))
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
            return Ok(None);
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
