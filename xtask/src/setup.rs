//! `cargo xtask setup`: installs what is missing, says what it does, does nothing twice.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::process::{self, cargo, find_program, is_root, output, succeeds};

/// Programs that building, the lab and the tests run, and the Debian package of each.
const PROGRAMS: [(&str, &str); 11] = [
    ("cc", "build-essential"),
    // The fuzzer's own code is C++.
    ("c++", "build-essential"),
    ("ip", "iproute2"),
    ("curl", "curl"),
    ("openssl", "openssl"),
    ("nsenter", "util-linux"),
    ("setpriv", "util-linux"),
    ("mount", "mount"),
    ("ps", "procps"),
    // A capture beside the gate, to compare accounts with.
    ("tcpdump", "tcpdump"),
    ("ethtool", "ethtool"),
];

/// Debian packages of the kernel object's toolchain.
const KERNEL_TOOLCHAIN: [&str; 6] = [
    "rustc-web",
    "rust-web-src",
    "llvm-22-dev",
    "libpolly-22-dev",
    "zlib1g-dev",
    "libzstd-dev",
];

/// The linker must match the LLVM of the compiler that builds the kernel object (22).
const BPF_LINKER: &str = "0.13.0";
const LLVM_PREFIX: &str = "/usr/lib/llvm-22";

/// Attempts at what goes over the network.
const ATTEMPTS: u32 = 3;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Also install what rebuilds the kernel object: rustc-web, LLVM 22, bpf-linker
    #[arg(long)]
    kernel_toolchain: bool,
}

pub(crate) fn install_needs() -> Result<()> {
    install_packages(&missing_programs())
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let mut missing = missing_programs();
    if arguments.kernel_toolchain {
        missing.extend(
            KERNEL_TOOLCHAIN
                .into_iter()
                .filter(|package| !is_installed(package)),
        );
    }
    let nothing = missing.is_empty();
    install_packages(&missing)?;
    let linker = arguments.kernel_toolchain && install_bpf_linker()?;
    if nothing && !linker {
        println!("xtask: everything is here, nothing to install");
    }
    Ok(())
}

fn missing_programs() -> Vec<&'static str> {
    let mut packages: Vec<&str> = PROGRAMS
        .iter()
        .filter(|(program, _)| find_program(program).is_none())
        .map(|(_, package)| *package)
        .collect();
    packages.dedup();
    packages
}

fn is_installed(package: &str) -> bool {
    output(Command::new("dpkg-query").args(["--show", "--showformat=${db:Status-Status}", package]))
        .is_some_and(|status| status == "installed")
}

pub(crate) fn install_packages(packages: &[&str]) -> Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    let list = packages.join(" ");
    println!("xtask: missing packages: {list}");
    if find_program("apt-get").is_none() {
        bail!(
            "apt-get is not here: install what the Debian packages {list} hold with this system's own tool"
        );
    }
    if !is_root() {
        bail!("installing needs root: run this as root, or run `apt-get install {list}` as root");
    }
    // A list that is stale or partly unreachable is no reason to stop: the installation tells.
    if let Err(error) = retry(|| process::run(apt_get().arg("update"))) {
        println!("xtask: {error}; going on with the package lists that are here");
    }
    retry(|| {
        process::run(
            apt_get()
                .args(["install", "--yes", "--no-install-recommends"])
                .args(packages),
        )
    })
}

/// Installs a package from the backports of this Debian release: from the mirror that the release
/// itself comes from, for this one installation, without a change of the system's list of sources. A
/// service that the package brings is not started.
pub(crate) fn install_from_backports(package: &str) -> Result<()> {
    if find_program("apt-get").is_none() || !is_root() {
        bail!("installing needs apt-get and root: install `{package}` by hand");
    }
    let targets = output(Command::new("apt-get").args([
        "indextargets",
        "--format",
        "$(REPO_URI) $(CODENAME)",
        "Created-By: Packages",
        "Component: main",
    ]));
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let (source, suite) = backports_source(&targets.unwrap_or_default(), &release).with_context(|| {
        format!(
            "no package source of this Debian release is known to apt: install `{package}` by hand"
        )
    })?;
    let directory = std::env::temp_dir().join(format!("xtask-backports-{}", std::process::id()));
    std::fs::create_dir_all(&directory)
        .with_context(|| format!("cannot make {}", directory.display()))?;
    println!("xtask: installing {package} from backports ({source})");
    let list = directory.join("backports.list");
    let installed = std::fs::write(&list, format!("{source}\n"))
        .with_context(|| format!("cannot write {}", list.display()))
        .and_then(|()| with_no_services(|| add_from(package, &list, &suite)));
    // Nothing else is in it.
    let _ = std::fs::remove_dir_all(&directory);
    installed
}

fn add_from(package: &str, list: &Path, suite: &str) -> Result<()> {
    let with_list = || {
        let mut command = apt_get();
        command.arg("-o");
        command.arg(format!("Dir::Etc::sourcelist={}", list.display()));
        command.args(["-o", "APT::Get::List-Cleanup=0"]);
        command
    };
    retry(|| process::run(with_list().arg("update")))?;
    retry(|| {
        // What it needs may be newer there as well.
        process::run(with_list().args([
            "install",
            "--yes",
            "--no-install-recommends",
            "--target-release",
            suite,
            package,
        ]))
    })
}

/// Debian's way to say that no service is to be started now (`invoke-rc.d(8)`).
fn with_no_services(install: impl FnOnce() -> Result<()>) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let policy = Path::new("/usr/sbin/policy-rc.d");
    if policy.exists() {
        return install();
    }
    std::fs::write(policy, "#!/bin/sh\nexit 101\n")
        .and_then(|()| std::fs::set_permissions(policy, std::fs::Permissions::from_mode(0o755)))
        .with_context(|| format!("cannot write {}", policy.display()))?;
    let installed = install();
    std::fs::remove_file(policy).with_context(|| format!("cannot remove {}", policy.display()))?;
    installed
}

/// The line of a source of backports and its suite, from apt's list of what it reads (address, code name) and
/// `/etc/os-release`: the mirror of the release itself.
fn backports_source(targets: &str, release: &str) -> Option<(String, String)> {
    let codename = release
        .lines()
        .find_map(|line| line.strip_prefix("VERSION_CODENAME="))?
        .trim_matches('"');
    targets.lines().find_map(|line| {
        let (address, of) = line.split_once(' ')?;
        let suite = format!("{codename}-backports");
        let address = address.trim_end_matches('/');
        (of == codename).then(|| (format!("deb {address} {suite} main"), suite))
    })
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command
        .args([
            "--quiet=2",
            "-o",
            "Acquire::Retries=3",
            "-o",
            "DPkg::Lock::Timeout=300",
        ])
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null());
    command
}

/// Installs the linker unless that very version is here; says whether it did.
fn install_bpf_linker() -> Result<bool> {
    let here = output(Command::new("bpf-linker").arg("--version"))
        .is_some_and(|text| text.split_whitespace().any(|word| word == BPF_LINKER));
    if here {
        return Ok(false);
    }
    println!("xtask: building bpf-linker {BPF_LINKER} against LLVM 22 (one to three minutes)");
    retry(|| {
        process::run(
            cargo()
                .args([
                    "install",
                    "bpf-linker",
                    "--version",
                    BPF_LINKER,
                    "--locked",
                    "--quiet",
                ])
                .args(["--no-default-features", "--features", "llvm-22"])
                .env("LLVM_PREFIX", LLVM_PREFIX)
                .stdin(Stdio::null()),
        )
    })?;
    if !succeeds(Command::new("bpf-linker").arg("--version")) {
        println!(
            "xtask: bpf-linker is built, but its directory is not in PATH: add cargo's bin directory"
        );
    }
    Ok(true)
}

/// Tries a few times, longer apart each time: package mirrors have bad moments.
fn retry(mut attempt: impl FnMut() -> Result<()>) -> Result<()> {
    for number in 1..ATTEMPTS {
        match attempt() {
            Ok(()) => return Ok(()),
            Err(error) => {
                let pause = Duration::from_secs(u64::from(number) * 5);
                println!("xtask: {error}; again in {} s", pause.as_secs());
                std::thread::sleep(pause);
            }
        }
    }
    attempt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backports_come_from_the_mirror_of_the_release() {
        let targets = "http://mirror.example/security/ bookworm-security\n\
                       http://mirror.example/debian/ bookworm\n";
        let release = "NAME=\"Debian\"\nVERSION_CODENAME=bookworm\n";
        let (source, suite) = backports_source(targets, release).unwrap();
        assert_eq!(
            source,
            "deb http://mirror.example/debian bookworm-backports main"
        );
        assert_eq!(suite, "bookworm-backports");
        assert_eq!(backports_source(targets, "ID=other\n"), None);
        assert_eq!(backports_source("", release), None);
    }
}
