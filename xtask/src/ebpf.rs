//! The kernel object: built, committed, and compared with what is committed.
//!
//! Stable Rust builds the product from the committed object. This task makes that object, with a
//! compiler that can build `core` for the BPF target: Debian's `rustc-web` (with `rust-web-src`),
//! or a nightly that has `rust-src`.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process;

const TARGET: &str = "bpfel-unknown-none";
const LINKER: &str = "bpf-linker";
const LLVM: &str = "/usr/lib/llvm-22";
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
/// Sources of the standard library that Debian's `rust-web-src` installs.
const DEBIAN_SOURCES: &str = "/usr/lib/rustlib/src/rust/library/core";

/// Arguments of the task.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Rebuild and compare with the committed object instead of replacing it
    #[arg(long)]
    verify: bool,
}

/// What builds the object, as recorded beside it.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Toolchain {
    rustc: PathBuf,
    /// Cargo's own arguments before `build` (a rustup toolchain).
    channel: Option<String>,
    version: String,
    linker: String,
}

/// Builds the kernel object; with `--verify`, compares instead of replacing.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let toolchain = Toolchain::find()?;
    let built = build(&toolchain)?;
    let prebuilt = process::root().join("ebpf/prebuilt");
    let (object, versions) = (prebuilt.join("octroi.o"), prebuilt.join("octroi.versions"));
    if arguments.verify {
        return verify(&built, &toolchain.record(), &object, &versions);
    }
    fs::create_dir_all(&prebuilt).with_context(|| format!("cannot make {}", prebuilt.display()))?;
    write(&object, &built)?;
    write(&versions, toolchain.record().as_bytes())?;
    println!("xtask: wrote {} ({} bytes)", object.display(), built.len());
    Ok(())
}

fn verify(built: &[u8], record: &str, object: &Path, versions: &Path) -> Result<()> {
    let committed = read(object)?;
    let recorded = String::from_utf8_lossy(&read(versions)?).into_owned();
    if built == committed {
        println!("xtask: the committed kernel object is what its sources build to");
        return Ok(());
    }
    if record != recorded {
        println!(
            "xtask: the kernel object cannot be compared byte by byte: another compiler or linker \
             builds it here.\n--- committed with\n{recorded}--- built now with\n{record}"
        );
        return Ok(());
    }
    bail!(
        "the committed kernel object is not what its sources build to ({} bytes committed, {} \
         built by the same compiler): run `cargo xtask ebpf` and commit {}",
        committed.len(),
        built.len(),
        object.display()
    )
}

impl Toolchain {
    fn find() -> Result<Self> {
        let linker = process::output(Command::new(linker()?).arg("--version"))
            .with_context(|| format!("`{LINKER} --version` does not run"))?;
        let linker = linker.trim().to_owned();
        if Path::new(DEBIAN_RUSTC).is_file() && Path::new(DEBIAN_SOURCES).is_dir() {
            let rustc = PathBuf::from(DEBIAN_RUSTC);
            let version = process::output(Command::new(&rustc).arg("--version"))
                .with_context(|| format!("{DEBIAN_RUSTC} does not run"))?;
            return Ok(Self {
                rustc,
                channel: None,
                version: version.trim().to_owned(),
                linker,
            });
        }
        let nightly = process::output(Command::new("rustup").args(["+nightly", "which", "rustc"]))
            .or_else(|| {
                process::output(Command::new("rustup").args([
                    "which",
                    "rustc",
                    "--toolchain",
                    "nightly",
                ]))
            });
        let Some(rustc) = nightly.map(|path| PathBuf::from(path.trim())) else {
            bail!(
                "no compiler here can build `core` for {TARGET}: install Debian's rustc-web and \
                 rust-web-src, or a nightly with its sources (rustup toolchain install nightly \
                 --component rust-src)"
            );
        };
        let version = process::output(Command::new(&rustc).arg("--version"))
            .with_context(|| format!("{} does not run", rustc.display()))?;
        let channel = Some("+nightly".to_owned());
        Ok(Self {
            rustc,
            channel,
            version: version.trim().to_owned(),
            linker,
        })
    }

    fn record(&self) -> String {
        format!("{}\n{}\n", self.version, self.linker)
    }
}

fn linker() -> Result<PathBuf> {
    let home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo")));
    process::find_program(LINKER)
        .or_else(|| {
            home.map(|home| home.join("bin").join(LINKER))
                .filter(|path| path.is_file())
        })
        .with_context(|| {
            format!(
                "{LINKER} is not installed: LLVM_PREFIX={LLVM} cargo install bpf-linker --version \
                 0.13.0 --no-default-features --features llvm-22 (needs llvm-22-dev, \
                 libpolly-22-dev, zlib1g-dev, libzstd-dev), or cargo xtask setup"
            )
        })
}

/// Compiler flags. Debug information must come from here and not from the profile: without it in
/// `core`, the verifier refuses the object (function info is missing).
fn flags(sources: &Path) -> Result<String> {
    let home = std::env::var("HOME").unwrap_or_default();
    let cargo_home = std::env::var("CARGO_HOME").unwrap_or_else(|_| format!("{home}/.cargo"));
    let registry = registry_sources(Path::new(&cargo_home))?;
    let mut flags = vec![
        "--cfg=bpf_target_arch=\"x86_64\"".to_owned(),
        // Jumps and arithmetic on 32 bits; every kernel that has TCX has them.
        "-Ctarget-cpu=v3".to_owned(),
        "-Cdebuginfo=2".to_owned(),
        "-Clink-arg=--btf".to_owned(),
        format!("--remap-path-prefix={}=/octroi", sources.display()),
    ];
    for directory in registry {
        flags.push(format!(
            "--remap-path-prefix={}=/registry",
            directory.display()
        ));
    }
    // Symbol names depend on the identity of crates, which depends on nothing of this machine.
    let mut joined = String::new();
    for (number, flag) in flags.iter().enumerate() {
        let separator = if number == 0 { "" } else { "\u{1f}" };
        let _ = write!(joined, "{separator}{flag}");
    }
    Ok(joined)
}

/// Where cargo unpacks crates: one directory for each registry.
fn registry_sources(cargo_home: &Path) -> Result<Vec<PathBuf>> {
    let parent = cargo_home.join("registry/src");
    if !parent.is_dir() {
        return Ok(Vec::new());
    }
    let listed =
        fs::read_dir(&parent).with_context(|| format!("cannot list {}", parent.display()))?;
    let mut found: Vec<_> = listed
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    found.sort();
    Ok(found)
}

fn build(toolchain: &Toolchain) -> Result<Vec<u8>> {
    let sources = process::root().join("ebpf");
    let target = sources.join("target");
    let mut path = OsString::new();
    if let Some(directory) = linker()?.parent() {
        path.push(directory);
        path.push(":");
    }
    path.push(std::env::var_os("PATH").unwrap_or_default());

    // Crates must be unpacked before their directories can be named in the flags.
    let mut fetch = Command::new("cargo");
    fetch.args(toolchain.channel.as_deref());
    fetch.args(["fetch", "--locked"]).current_dir(&sources);
    process::run(fetch.env("RUSTC", &toolchain.rustc))?;

    let mut cargo = Command::new("cargo");
    cargo.args(toolchain.channel.as_deref());
    cargo
        .args([
            "build",
            "--release",
            "--locked",
            "--target",
            TARGET,
            "-Z",
            "build-std=core",
        ])
        .current_dir(&sources)
        .env("RUSTC", &toolchain.rustc)
        // `-Z build-std` and the features of the kernel crate.
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_TARGET_DIR", &target)
        .env("CARGO_ENCODED_RUSTFLAGS", flags(&sources)?)
        .env("PATH", path)
        .env_remove("RUSTFLAGS")
        .env_remove("RUSTC_WRAPPER")
        .env_remove("RUSTC_WORKSPACE_WRAPPER");
    process::run(&mut cargo)?;

    // DWARF is of no use to the kernel; BTF and function info stay.
    let built = target.join(TARGET).join("release/octroi-ebpf");
    let stripped = target.join("octroi.o");
    let mut strip = Command::new(strip()?);
    strip
        .arg("--strip-debug")
        .arg("-o")
        .args([&stripped, &built]);
    process::run(&mut strip)?;
    read(&stripped)
}

fn strip() -> Result<PathBuf> {
    let ours = Path::new(LLVM).join("bin/llvm-strip");
    if ours.is_file() {
        return Ok(ours);
    }
    ["llvm-strip-22", "llvm-strip"]
        .into_iter()
        .find_map(process::find_program)
        .context("llvm-strip is not installed: apt-get install llvm-22 (or cargo xtask setup)")
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}
