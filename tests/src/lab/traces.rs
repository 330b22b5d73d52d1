//! What a lab leaves on a machine while it lives, how all of it is removed, and how to see that
//! nothing is left.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, Once, PoisonError};

use tokio::signal::unix::{SignalKind, signal};

use super::error::{LabError, Result};
use super::namespace::NAMESPACES;
use super::topology::Namespaces;

/// Where the kernel's BPF file system is mounted; pins live there.
pub const BPF_FILE_SYSTEM: &str = "/sys/fs/bpf";

/// Every place a lab of one id touches outside its own temporary directory.
#[derive(Clone, Debug)]
pub struct Traces {
    id: String,
}

impl Traces {
    /// The traces of the lab of that id.
    #[must_use]
    pub fn of(id: impl Into<String>) -> Self {
        Self { id: id.into() }
    }

    /// Pins of the daemon.
    #[must_use]
    pub fn pin_root(&self) -> PathBuf {
        Path::new(BPF_FILE_SYSTEM).join(format!("octroi-lab-{}", self.id))
    }

    /// Configuration, logs, certificates, sockets.
    #[must_use]
    pub fn directory(&self) -> PathBuf {
        Path::new("/run").join(format!("octroi-lab-{}", self.id))
    }

    /// Resolver configuration of the zones (iproute2's per-namespace `/etc`).
    pub fn resolver_directories(&self) -> impl Iterator<Item = PathBuf> {
        Namespaces::of(&self.id)
            .zones
            .into_iter()
            .map(|zone| Path::new("/etc/netns").join(zone.name()))
    }

    /// Removes everything: processes and namespaces first, then files and pins.
    ///
    /// # Errors
    /// The first step that failed; the others have been tried all the same.
    pub fn remove(&self) -> Result<()> {
        let mut result = Namespaces::of(&self.id).remove();
        for path in self
            .resolver_directories()
            .chain([self.pin_root(), self.directory()])
        {
            if let Err(error) = remove_tree(&path) {
                result = result.and(Err(error));
            }
        }
        // Ours only when empty: somebody else may use per-namespace configuration.
        let _ = fs::remove_dir("/etc/netns");
        result
    }

    /// What is still there, in words; empty when nothing is.
    ///
    /// # Errors
    /// `/proc` cannot be read.
    pub fn residue(&self) -> Result<Vec<String>> {
        let mut left: Vec<String> = Namespaces::of(&self.id)
            .all()
            .filter(|namespace| namespace.exists())
            .map(|namespace| format!("namespace {}", namespace.name()))
            .collect();
        left.extend(
            self.resolver_directories()
                .chain([self.pin_root(), self.directory()])
                .filter(|path| path.exists())
                .map(|path| format!("files {}", path.display())),
        );
        left.extend(processes_naming(&format!("octroi-lab-{}/", self.id))?);
        left.extend(processes_naming(&format!("octroi-{}-", self.id))?);
        Ok(left)
    }
}

/// Removes the empty directories that iproute2 makes on the BPF file system when it loads a
/// program, and leaves there. Not done at the end of each lab: another one may be loading.
pub fn remove_loader_directories() {
    let root = Path::new("/sys/fs/bpf");
    // Only what is empty goes; what is not belongs to somebody.
    for directory in ["tc/globals", "tc"] {
        let _ = fs::remove_dir(root.join(directory));
    }
    for link in ["ip", "xdp"].map(|name| root.join(name)) {
        if link.is_symlink() && !link.exists() {
            let _ = fs::remove_file(link);
        }
    }
}

/// Processes other than this one whose command line holds a text.
fn processes_naming(text: &str) -> Result<Vec<String>> {
    let ours = std::process::id().to_string();
    let entries = fs::read_dir("/proc").map_err(LabError::io("list", "/proc"))?;
    Ok(entries
        .filter_map(io::Result::ok)
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|pid| pid.bytes().all(|byte| byte.is_ascii_digit()) && *pid != ours)
        .filter_map(|pid| {
            // Gone meanwhile: not left over.
            let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            line.contains(text)
                .then(|| format!("process {pid}: {line}"))
        })
        .collect())
}

fn remove_tree(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(LabError::Io {
            operation: "remove",
            object: path.display().to_string(),
            source: error,
        }),
        _ => Ok(()),
    }
}

/// Labs of this process that a signal must not leave behind.
static LIVE: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
static WATCHER: Once = Once::new();

/// Has SIGINT, SIGTERM and SIGHUP remove the lab before they end this process.
pub(super) fn register(id: &str) {
    live().insert(id.to_owned());
    WATCHER.call_once(|| {
        // Without the thread the lab still works; the next lab's sweep removes what a signal left.
        let _ = std::thread::Builder::new()
            .name("lab-signals".to_owned())
            .spawn(watch_signals);
    });
}

/// The lab removes itself from here on.
pub(super) fn forget(id: &str) {
    live().remove(id);
}

fn live() -> std::sync::MutexGuard<'static, BTreeSet<String>> {
    LIVE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn watch_signals() {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
    else {
        return;
    };
    let code = runtime.block_on(async {
        let (Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)) = (
            signal(SignalKind::interrupt()),
            signal(SignalKind::terminate()),
            signal(SignalKind::hangup()),
        ) else {
            return None;
        };
        // 128 + number of the signal: what a shell reports for a process a signal ended.
        Some(tokio::select! {
            _ = interrupt.recv() => 130,
            _ = terminate.recv() => 143,
            _ = hangup.recv() => 129,
        })
    });
    if let Some(code) = code {
        for id in live().iter() {
            if let Err(error) = Traces::of(id).remove() {
                eprintln!("lab {id}: {error}");
            }
        }
        std::process::exit(code);
    }
}

/// Removes the labs whose process is gone: a SIGKILL leaves no other chance. Returns their ids.
///
/// # Errors
/// A stale lab cannot be removed.
pub fn sweep() -> Result<Vec<String>> {
    let mut stale = BTreeSet::new();
    for (directory, prefix) in [
        (NAMESPACES, "octroi-"),
        (BPF_FILE_SYSTEM, "octroi-lab-"),
        ("/run", "octroi-lab-"),
    ] {
        let Ok(entries) = fs::read_dir(directory) else {
            continue;
        };
        for entry in entries.filter_map(io::Result::ok) {
            let name = entry.file_name().to_string_lossy().into_owned();
            let id = name
                .strip_prefix(prefix)
                .and_then(|rest| rest.split('-').next());
            if let Some((id, pid)) = id.and_then(|id| Some((id, pid_of(id)?)))
                && !Path::new("/proc").join(pid.to_string()).exists()
            {
                stale.insert(id.to_owned());
            }
        }
    }
    for id in &stale {
        Traces::of(id).remove()?;
    }
    Ok(stale.into_iter().collect())
}

/// The id of this process's lab number `number`.
pub(super) fn id_of(number: u32) -> String {
    format!("{}x{number}", std::process::id())
}

fn pid_of(id: &str) -> Option<u32> {
    let (pid, number) = id.split_once('x')?;
    number.parse::<u32>().ok()?;
    pid.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_name_their_process_and_foreign_names_do_not() {
        assert_eq!(pid_of(&id_of(3)), Some(std::process::id()));
        for foreign in ["lab", "12", "x1", "12x", "axb", ""] {
            assert_eq!(pid_of(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn a_lab_that_never_was_leaves_nothing() {
        assert_eq!(Traces::of("0x0").residue().unwrap(), Vec::<String>::new());
        Traces::of("0x0").remove().unwrap();
    }
}
