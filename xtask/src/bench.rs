//! `cargo xtask bench`: the gate beside its peers, in one table of ratios; and the benchmarks of pure
//! code.

use std::ffi::OsString;

use anyhow::{Result, bail};

use crate::process::{self, cargo, find_program, is_root};
use crate::setup;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Parts to run alone; without any, all but `pure` and `analyze` run and docs/bench.md and its
    /// plot are written
    parts: Vec<Part>,
    /// Only see that everything works: the numbers say nothing, nothing is written
    #[arg(long)]
    short: bool,
    /// Handed to the benchmarks of `pure`, e.g. `-- --quick` or a part of a name
    #[arg(last = true)]
    rest: Vec<OsString>,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// A packet in the kernel, swaps, memory
    Kernel,
    /// The kernel's LPM trie; loading nftables and ipset
    Peers,
    /// Packets a second through a gateway, each contestant in turn
    Forward,
    /// New flows a second, each accounted
    Flows,
    /// Handshakes and DNS queries that wait for their names under `names = "strict"`
    Held,
    /// `octroi analyze` beside other analyzers, on the captures that `OCTROI_CAPTURES` names (a file
    /// or a folder); only when named
    Analyze,
    /// Look-ups and parsers in userspace (criterion)
    Pure,
}

impl Part {
    const fn name(self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::Peers => "peers",
            Self::Forward => "forward",
            Self::Flows => "flows",
            Self::Held => "held",
            Self::Analyze => "analyze",
            Self::Pure => "pure",
        }
    }
}

/// Programs of the peers, and the Debian package of each.
const PEERS: [(&str, &str); 4] = [
    ("nft", "nftables"),
    ("ipset", "ipset"),
    ("iptables", "iptables"),
    ("bpftool", "bpftool"),
];

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let has = |part| arguments.parts.contains(&part);
    if has(Part::Pure) {
        // By name, so that the test harness of libraries and binaries stays out of it.
        process::run(
            cargo()
                .args(["bench", "--workspace", "--bench", "*", "--"])
                .args(&arguments.rest),
        )?;
        if arguments.parts.len() == 1 {
            return Ok(());
        }
    }
    let only_analyze = !arguments.parts.is_empty()
        && arguments
            .parts
            .iter()
            .all(|part| matches!(part, Part::Analyze | Part::Pure));
    if !is_root() && !only_analyze {
        bail!("the benches load XDP programs and make network namespaces: run them as root");
    }
    let all = arguments.parts.is_empty();
    if !only_analyze {
        setup::install_needs()?;
    }
    if all || has(Part::Peers) || has(Part::Forward) {
        install_peers(all || has(Part::Forward));
    }
    process::run(cargo().args([
        "build",
        "--quiet",
        "--release",
        "--package",
        "octroi",
        "--package",
        "octroi-tests",
        "--package",
        "octroi-bench",
        "--bins",
    ]))?;
    let mut bench = cargo();
    bench.args([
        "run",
        "--quiet",
        "--release",
        "--package",
        "octroi-bench",
        "--",
    ]);
    let parts = arguments.parts.iter().filter(|part| **part != Part::Pure);
    bench.args(parts.map(|part| part.name()));
    if arguments.short {
        bench.arg("--short");
    } else if all {
        bench.arg("--write").arg(process::root().join("docs"));
    }
    process::run(&mut bench)
}

/// Installs what the gate is measured beside. What cannot be had costs its row, which says so, and
/// not the others.
fn install_peers(suricata: bool) {
    let missing: Vec<&str> = PEERS
        .into_iter()
        .filter(|(program, _)| find_program(program).is_none())
        .map(|(_, package)| package)
        .collect();
    if let Err(error) = setup::install_packages(&missing) {
        println!(
            "xtask: {error}; the rows of {} will say so",
            missing.join(", ")
        );
    }
    if suricata
        && find_program("suricata").is_none()
        && let Err(error) = setup::install_from_backports("suricata")
    {
        println!("xtask: suricata could not be installed: {error}; its row will say so");
    }
}
