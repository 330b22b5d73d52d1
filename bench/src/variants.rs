//! Who stands in the way: each contestant put into the gateway and taken out again.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use octroi_datapath::Datapath;
use octroi_tests::lab::daemon::{Daemon, Files};
use octroi_tests::lab::{INSIDE, Lab, Owned, command};

use crate::peers::{NFT_TABLE, nft_map, nft_set};
use crate::rig::POLICY;
use crate::world::{self, Span};

/// A contestant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// Plain forwarding.
    Nothing,
    /// An XDP program that does nothing: what native XDP costs on this wire.
    Noop,
    /// The gate.
    Octroi,
    /// nftables with the EU as an interval set.
    NftSet,
    /// nftables with the world as a map to verdicts.
    NftMap,
    /// iptables with the EU as an ipset.
    Ipset,
    /// Suricata inline over NFQUEUE.
    Suricata,
}

impl Variant {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 7] = [
        Self::Nothing,
        Self::Noop,
        Self::Octroi,
        Self::NftSet,
        Self::NftMap,
        Self::Ipset,
        Self::Suricata,
    ];

    /// In words.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nothing => "no filter",
            Self::Noop => "a no-op XDP program",
            Self::Octroi => "Octroi, the world, every flow accounted",
            Self::NftSet => "nftables interval set, EU",
            Self::NftMap => "nftables map, the world",
            Self::Ipset => "ipset hash:net, EU",
            Self::Suricata => "Suricata inline (NFQUEUE), EU",
        }
    }

    /// Programs it is made of.
    #[must_use]
    pub const fn programs(self) -> &'static [&'static str] {
        match self {
            Self::Nothing | Self::Octroi => &[],
            Self::Noop => &["bpftool"],
            Self::NftSet | Self::NftMap => &["nft"],
            Self::Ipset => &["ipset", "iptables"],
            Self::Suricata => &["suricata", "iptables"],
        }
    }
}

/// What is in the gateway while it lives.
pub enum Standing {
    /// Taken out by this command.
    Rules(Command),
    /// A daemon and its pins.
    Gate(Daemon, PathBuf),
    /// A program in userspace, and the rule that leads to it.
    Inline(Owned, Command),
    /// Nothing.
    Nothing,
}

/// The gateway's tables of addresses, loaded once and asked only while their variant stands.
pub struct Sets {
    directory: PathBuf,
}

impl Sets {
    /// Loads the tables of those of some variants that can be had. Returns what could not be loaded, and
    /// why.
    ///
    /// # Errors
    /// The lab's directory cannot be written to.
    pub fn load(
        lab: &Lab,
        variants: &[Variant],
        union: &[Span],
        world: &[Span],
    ) -> Result<(Self, Vec<(Variant, String)>)> {
        let gateway = &lab.namespaces().gateway;
        let mut missing: Vec<(Variant, String)> = variants
            .iter()
            .filter_map(|variant| Some((*variant, not_here(variant.programs())?)))
            .collect();
        let networks = world::networks(union);
        let directory = lab.directory();
        let prefixes: Vec<String> = networks.iter().map(ToString::to_string).collect();
        // One rule asks for the destination alone: Suricata answers it from a radix tree.
        let rule = format!(
            "pass ip any any -> [{}] any (msg:\"EU\"; sid:1; rev:1;)\n",
            prefixes.join(",")
        );
        std::fs::write(directory.join("eu.rules"), rule)
            .and_then(|()| std::fs::write(directory.join("suricata.yaml"), suricata(&directory)))
            .with_context(|| format!("cannot write to {}", directory.display()))?;
        let loads: [(Variant, &str, &[&str], String); 3] = [
            (Variant::NftSet, "nft", &["-f", "-"], nft_set(union)),
            (Variant::NftMap, "nft", &["-f", "-"], nft_map(world)),
            (
                Variant::Ipset,
                "ipset",
                &["restore"],
                world::ipset_restore("eu", &networks),
            ),
        ];
        for (variant, program, arguments, text) in loads {
            if !variants.contains(&variant) || missing.iter().any(|(other, _)| *other == variant) {
                continue;
            }
            let mut tool = gateway.command(program);
            tool.args(arguments);
            if let Err(error) = command::feed(&mut tool, &text) {
                missing.push((variant, error.to_string()));
            }
        }
        Ok((Self { directory }, missing))
    }

    /// Puts a variant into the gateway.
    ///
    /// # Errors
    /// It cannot be put there; what was put until then is taken out.
    pub fn put(&self, lab: &Lab, variant: Variant) -> Result<Standing> {
        let gateway = &lab.namespaces().gateway;
        let nft = |rule: &str| {
            let mut put = gateway.command("nft");
            put.args(["-f", "-"]);
            let chain = format!("{NFT_TABLE} bench");
            let text = format!(
                "add chain ip {chain} {{ type filter hook forward priority 0; policy accept; }}\n\
                 add rule ip {chain} {rule}\n"
            );
            command::feed(&mut put, &text)?;
            let mut take = gateway.command("nft");
            take.args(["delete", "chain", "ip", NFT_TABLE, "bench"]);
            anyhow::Ok(Standing::Rules(take))
        };
        match variant {
            Variant::Nothing => Ok(Standing::Nothing),
            Variant::Noop => {
                // A name on a BPF file system holds no dot.
                let mut pins = lab.traces().pin_root().into_os_string();
                pins.push("-noop");
                let pins = PathBuf::from(pins);
                let datapath = Datapath::load(&octroi_datapath::LoadOptions::new(&pins))?;
                drop(datapath);
                let attached = pinned_noop(&pins).and_then(|program| {
                    let mut put = gateway.command("bpftool");
                    put.args(["net", "attach", "xdpdrv", "pinned"]).arg(program);
                    put.args(["dev", INSIDE]);
                    Ok(command::finish(&mut put)?)
                });
                Datapath::detach(&pins)?;
                let _ = std::fs::remove_dir(&pins);
                attached?;
                let mut take = gateway.command("ip");
                take.args(["link", "set", "dev", INSIDE, "xdp", "off"]);
                Ok(Standing::Rules(take))
            }
            Variant::Octroi => {
                let daemon = Daemon::start(lab, POLICY)?;
                Ok(Standing::Gate(daemon, Files::of(lab).pin_root))
            }
            Variant::NftSet => nft("ip daddr @eu counter accept"),
            Variant::NftMap => nft("ip daddr vmap @world"),
            Variant::Ipset => {
                let rule = [
                    "FORWARD",
                    "-m",
                    "set",
                    "--match-set",
                    "eu",
                    "dst",
                    "-j",
                    "ACCEPT",
                ];
                let mut put = gateway.command("iptables");
                command::finish(put.arg("-A").args(rule))?;
                let mut take = gateway.command("iptables");
                take.arg("-D").args(rule);
                Ok(Standing::Rules(take))
            }
            Variant::Suricata => self.suricata(lab),
        }
    }

    fn suricata(&self, lab: &Lab) -> Result<Standing> {
        let gateway = &lab.namespaces().gateway;
        let mut run = gateway.command("suricata");
        run.arg("-c").arg(self.directory.join("suricata.yaml"));
        run.args(["-q", "0", "-l"]).arg(&self.directory);
        run.stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut process = Owned::spawn("suricata", &mut run)?;
        let output = process
            .child()
            .stdout
            .take()
            .context("suricata has no output")?;
        let (tell, told) = std::sync::mpsc::channel();
        // Its output must have a reader until its end.
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let _ = tell.send(line);
            }
        });
        let deadline = Instant::now() + Duration::from_secs(30);
        let mut last = String::new();
        loop {
            match told.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) if line.contains("Engine started") => break,
                Ok(line) => last = line,
                Err(_) => bail!("suricata did not start; its last word: {last}"),
            }
        }
        let rule = ["FORWARD", "-j", "NFQUEUE", "--queue-num", "0"];
        let mut put = gateway.command("iptables");
        command::finish(put.arg("-A").args(rule))?;
        let mut take = gateway.command("iptables");
        take.arg("-D").args(rule);
        Ok(Standing::Inline(process, take))
    }
}

impl Standing {
    /// Takes it out again.
    ///
    /// # Errors
    /// It stays.
    pub fn take_out(self) -> Result<()> {
        match self {
            Self::Nothing => {}
            Self::Rules(mut take) => {
                command::finish(&mut take)?;
            }
            Self::Gate(daemon, pins) => {
                // It would close the account of every flow first.
                daemon.kill()?;
                Datapath::detach(&pins)?;
            }
            Self::Inline(process, mut take) => {
                command::finish(&mut take)?;
                process.kill()?;
            }
        }
        Ok(())
    }
}

fn pinned_noop(pins: &std::path::Path) -> Result<PathBuf> {
    let versions =
        std::fs::read_dir(pins).with_context(|| format!("cannot list {}", pins.display()))?;
    versions
        .filter_map(Result::ok)
        .map(|entry| entry.path().join("programs/octroi_noop"))
        .find(|path| path.exists())
        .context("the no-op program is not pinned")
}

/// Why a variant cannot be had; `None`: all its programs are here.
fn not_here(programs: &[&str]) -> Option<String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories: Vec<PathBuf> = std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
        .collect();
    let missing = programs
        .iter()
        .find(|program| !directories.iter().any(|at| at.join(program).is_file()))?;
    Some(format!(
        "{missing} is not installed, see what `cargo xtask bench` said of it"
    ))
}

/// The least that Suricata asks of a configuration: no log, one rule, verdicts as accept.
fn suricata(directory: &std::path::Path) -> String {
    format!(
        "%YAML 1.1\n---\n\
         vars:\n  address-groups:\n    HOME_NET: \"[10.0.0.0/8]\"\n    EXTERNAL_NET: \"!$HOME_NET\"\n\
         default-log-dir: {0}\n\
         outputs: []\n\
         stats:\n  enabled: no\n\
         logging:\n  default-log-level: notice\n  outputs:\n  - console:\n      enabled: yes\n\
         nfq:\n  mode: accept\n  batchcount: 20\n\
         host-mode: router\n\
         flow:\n  memcap: 512mb\n  hash-size: 262144\n  prealloc: 131072\n\
         default-rule-path: {0}\n\
         rule-files:\n- eu.rules\n",
        directory.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_not_here_is_named() {
        assert_eq!(not_here(&["sh"]), None);
        let why = not_here(&["sh", "no-such-program"]).unwrap();
        assert!(why.contains("no-such-program"), "{why}");
    }

    #[test]
    fn every_variant_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<_> = Variant::ALL.map(Variant::name).into();
        assert_eq!(names.len(), Variant::ALL.len());
    }
}
