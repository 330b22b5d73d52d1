//! The lab: a gateway between two zones and an Internet of its own, in network namespaces.
//!
//! Everything a lab makes carries its id and is removed when it is dropped, when a test panics,
//! and on SIGINT, SIGTERM and SIGHUP; what a SIGKILL leaves, the next lab sweeps.

pub mod command;
pub mod daemon;
pub mod error;
pub mod namespace;
mod pass;
pub mod places;
pub mod topology;
pub mod traces;
pub mod world;

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};

pub use command::Owned;
pub use error::{LabError, Result};
pub use namespace::Namespace;
pub use topology::{INSIDE, Namespaces, OUTSIDE, ZONES};
pub use traces::{Traces, remove_loader_directories, sweep};
pub use world::{Host, World};

/// Whether kernel and lab tests are wanted; says on standard error when they are not.
#[must_use]
pub fn wanted() -> bool {
    let skipped = std::env::var_os("OCTROI_SKIP_KERNEL").is_some_and(|value| value == "1");
    if skipped {
        eprintln!("skipped: OCTROI_SKIP_KERNEL=1 leaves out what needs root and XDP");
    }
    !skipped
}

/// A running lab.
#[derive(Debug)]
pub struct Lab {
    id: String,
    world: World,
    namespaces: Namespaces,
    traces: Traces,
    internet: Option<Owned>,
}

impl Lab {
    /// Builds a lab: namespaces, wires, addresses, resolver configuration, and real servers.
    ///
    /// # Errors
    /// Not root, a program of the system is missing, a step is refused. What was built until then
    /// is removed.
    pub fn create() -> Result<Self> {
        Self::with_world(World::embedded()?)
    }

    /// Builds a lab around another Internet.
    ///
    /// # Errors
    /// See [`Lab::create`].
    pub fn with_world(world: World) -> Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        if !nix::unistd::geteuid().is_root() {
            return Err(LabError::NotRoot);
        }
        sweep()?;
        let id = traces::id_of(NUMBER.fetch_add(1, Ordering::Relaxed));
        let traces = Traces::of(&id);
        traces::register(&id);
        // From here on the value's drop removes what the steps made.
        let mut lab = Self {
            namespaces: Namespaces::of(&id),
            id,
            world,
            traces,
            internet: None,
        };
        mount_bpf_file_system()?;
        lab.write_files()?;
        lab.namespaces.build(&lab.world, &lab.directory())?;
        lab.internet = Some(lab.start_internet()?);
        Ok(lab)
    }

    /// The id that all names of this lab carry.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The Internet of this lab.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.world
    }

    /// The namespaces.
    #[must_use]
    pub fn namespaces(&self) -> &Namespaces {
        &self.namespaces
    }

    /// The client host of a zone.
    ///
    /// # Errors
    /// No such zone.
    pub fn zone(&self, name: &str) -> Result<&Namespace> {
        ZONES
            .iter()
            .position(|zone| zone.name == name)
            .and_then(|index| self.namespaces.zones.get(index))
            .ok_or_else(|| LabError::Data {
                file: "lab".to_owned(),
                problem: format!("zone \"{name}\" does not exist (cabinet and guest do)"),
            })
    }

    /// Where this lab keeps its files.
    #[must_use]
    pub fn directory(&self) -> PathBuf {
        self.traces.directory()
    }

    /// The certificate of the authority that signed the lab's servers (PEM).
    #[must_use]
    pub fn authority(&self) -> PathBuf {
        self.directory().join("authority.pem")
    }

    /// What this lab touches on the machine.
    #[must_use]
    pub fn traces(&self) -> &Traces {
        &self.traces
    }

    fn write_files(&self) -> Result<()> {
        create_directory(&self.directory())?;
        write(
            &self.directory().join("world.toml"),
            &world_text(&self.world)?,
        )?;
        let mut text = String::from("options timeout:1 attempts:2\n");
        for resolver in &self.world.resolvers {
            let _ = writeln!(text, "nameserver {resolver}");
        }
        for directory in self.traces.resolver_directories() {
            create_directory(&directory)?;
            write(&directory.join("resolv.conf"), &text)?;
        }
        Ok(())
    }

    fn start_internet(&self) -> Result<Owned> {
        let mut command = self
            .namespaces
            .internet
            .command(binary("octroi-lab-internet")?);
        command
            .arg("--world")
            .arg(self.directory().join("world.toml"))
            .arg("--authority")
            .arg(self.authority())
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let mut servers = Owned::spawn("the lab's internet", &mut command)?;
        let mut line = String::new();
        if let Some(output) = servers.child().stdout.take() {
            BufReader::new(output)
                .read_line(&mut line)
                .map_err(LabError::io("read", "the lab's internet"))?;
        }
        if line.trim() != "ready" {
            return Err(LabError::Failed {
                command: "octroi-lab-internet".to_owned(),
                status: "no \"ready\"".to_owned(),
                output: line,
            });
        }
        Ok(servers)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        drop(self.internet.take());
        if let Err(error) = self.traces.remove() {
            eprintln!("lab {}: {error}", self.id);
        }
        traces::forget(&self.id);
    }
}

/// A binary of this workspace: beside the running one (`target/<profile>/`), or where the
/// environment says (`OCTROI_BIN_DIR`).
///
/// # Errors
/// It has not been built.
pub fn binary(name: &'static str) -> Result<PathBuf> {
    let directory = if let Some(directory) = std::env::var_os("OCTROI_BIN_DIR") {
        PathBuf::from(directory)
    } else {
        let mut path =
            std::env::current_exe().map_err(LabError::io("find", "the running program"))?;
        path.pop();
        // Test programs stand one level deeper.
        if path.ends_with("deps") {
            path.pop();
        }
        path
    };
    let path = directory.join(name);
    if path.is_file() {
        return Ok(path);
    }
    let package = if name == "octroi" {
        "octroi"
    } else {
        "octroi-tests"
    };
    Err(LabError::NotBuilt { path, package })
}

/// The directory of this crate: scenarios, policies.
#[must_use]
pub fn data_directory() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn world_text(world: &World) -> Result<String> {
    toml::to_string(world).map_err(|error| LabError::Data {
        file: "world.toml".to_owned(),
        problem: error.to_string(),
    })
}

fn mount_bpf_file_system() -> Result<()> {
    let mounts = fs::read_to_string("/proc/self/mounts")
        .map_err(LabError::io("read", "/proc/self/mounts"))?;
    let mounted = mounts.lines().any(|line| {
        let mut words = line.split(' ').skip(1);
        words.next() == Some(traces::BPF_FILE_SYSTEM) && words.next() == Some("bpf")
    });
    if !mounted {
        // As systemd does on every machine; it stays, like there.
        command::run("mount", ["-t", "bpf", "bpf", traces::BPF_FILE_SYSTEM])?;
    }
    Ok(())
}

fn create_directory(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(LabError::io("create", path.display().to_string()))
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).map_err(LabError::io("write", path.display().to_string()))
}
