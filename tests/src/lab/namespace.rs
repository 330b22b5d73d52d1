//! One network namespace: made, entered, configured, removed.

use std::fs::File;
use std::path::PathBuf;
use std::process::Command;

use nix::sched::{CloneFlags, setns};

use super::command;
use super::error::{LabError, Result};

/// Where iproute2 keeps named namespaces.
pub const NAMESPACES: &str = "/run/netns";

/// A named network namespace of the lab. It does not remove itself: the lab does, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// Makes the namespace, with its loopback up and duplicate address detection off (RFC 4862
    /// section 5.4 would delay every IPv6 address by a second, and nobody else is on these links).
    ///
    /// # Errors
    /// Not root, or the name is taken.
    pub fn create(name: impl Into<String>) -> Result<Self> {
        let name = name.into();
        command::run("ip", ["netns", "add", &name])?;
        let namespace = Self { name };
        namespace.within(|| {
            for family in ["ipv6/conf/all/accept_dad", "ipv6/conf/default/accept_dad"] {
                sysctl(family, "0")?;
            }
            Ok(())
        })??;
        namespace.ip("link set lo up\n")?;
        Ok(namespace)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file that holds it.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        PathBuf::from(NAMESPACES).join(&self.name)
    }

    /// Runs `ip` commands inside, one a line.
    ///
    /// # Errors
    /// The first line that fails ends the batch.
    pub fn ip(&self, batch: &str) -> Result<()> {
        let mut ip = Command::new("ip");
        ip.args(["-netns", &self.name, "-batch", "-"]);
        command::feed(&mut ip, batch).map(drop)
    }

    /// A command line that runs a program inside. Unlike `ip netns exec` it keeps the mount
    /// namespace, so that `/sys/fs/bpf` stays what it is. The program dies with this process.
    #[must_use]
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = command::bound_to_us("KILL", "nsenter");
        command
            .arg(format!("--net={}", self.path().display()))
            .arg("--")
            .arg(program);
        command
    }

    /// A command line that runs a program inside with the lab's own `/etc/resolv.conf`
    /// (`ip netns exec` mounts `/etc/netns/<name>` over `/etc`).
    #[must_use]
    pub fn command_with_names(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = command::bound_to_us("KILL", "ip");
        command.args(["netns", "exec", &self.name]).arg(program);
        command
    }

    /// Runs a function on a thread of its own that has entered the namespace; sockets made there
    /// stay there.
    ///
    /// # Errors
    /// The namespace cannot be entered.
    pub fn within<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        let file = File::open(self.path())
            .map_err(LabError::io("open", self.path().display().to_string()))?;
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                setns(&file, CloneFlags::CLONE_NEWNET).map_err(|source| LabError::Enter {
                    namespace: self.name.clone(),
                    source,
                })?;
                Ok(work())
            });
            match thread.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }

    /// The processes that live inside.
    ///
    /// # Errors
    /// The namespace is gone.
    pub fn processes(&self) -> Result<Vec<i32>> {
        let text = command::run("ip", ["netns", "pids", &self.name])?;
        Ok(text
            .lines()
            .filter_map(|line| line.trim().parse().ok())
            .collect())
    }

    /// Whether the namespace exists.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.path().exists()
    }

    /// The namespace of that name, made earlier.
    #[must_use]
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into() }
    }
}

/// Writes a network setting of the namespace the calling thread is in.
///
/// # Errors
/// No such setting.
pub fn sysctl(name: &str, value: &str) -> Result<()> {
    let path = format!("/proc/sys/net/{name}");
    std::fs::write(&path, value).map_err(LabError::io("write", path.clone()))
}
