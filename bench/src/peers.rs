//! What else looks destinations up, given the same ones: the kernel's own trie under
//! `BPF_PROG_TEST_RUN`, and how long nftables and ipset take to be loaded.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result};
use octroi_datapath::Program;
use octroi_tests::lab::{Namespace, command};

use crate::kernel::above_floor;
use crate::rig::{Rig, World, pin_to};
use crate::row::{Budget, Row, number};
use crate::{Effort, progress, world};

const LOOKUPS: &str = "The same look-up in the kernel's LPM trie";
const LOADING: &str = "Loading the map";

/// Runs the part.
///
/// # Errors
/// Not root, the kernel refuses something, or a namespace cannot be made.
pub fn run(effort: Effort) -> Result<Vec<Row>> {
    let world = World::open()?;
    let mut rig = Rig::new(&world)?;
    let prefixes = world::prefixes(&world.atlas);
    progress(&format!(
        "peers: {} prefixes into the LPM trie",
        prefixes.len()
    ));
    let count = prefixes.len();
    let began = Instant::now();
    rig.datapath.fill_trie(prefixes)?;
    let trie_took = began.elapsed().as_secs_f64() * 1e3;
    let _ = pin_to(0);
    let mut rows = lookups(&rig, effort)?;
    let ours = rig.filled_in.as_secs_f64() * 1e3;
    rows.push(
        Row::new(LOADING, "Octroi: the world, both families", ours, "ms")
            .times(1.0, "of Octroi")
            .note(format!(
                "atlas and policy; compiling the atlas before that takes {:.0} ms",
                world.compiled_in.as_secs_f64() * 1e3
            )),
    );
    rows.push(
        Row::new(
            LOADING,
            "LPM trie: the world, both families",
            trie_took,
            "ms",
        )
        .times(trie_took / ours, "of Octroi")
        .note(format!("{count} prefixes, one call each")),
    );
    rows.extend(tools(&world, ours, effort)?);
    Ok(rows)
}

const UNIFORM: [u32; 2] = [0, u32::MAX];

fn lookups(rig: &Rig, effort: Effort) -> Result<Vec<Row>> {
    let v4 = ("10.1.2.3", "51.210.0.1");
    let v6 = ("fd00::1", "2a01:e0a::1");
    let mut rows = Vec::new();
    for (what, addresses, masks, budget) in [
        ("IPv4, popular", v4, None, None),
        ("IPv4, uniform over 2^32", v4, Some(UNIFORM), Some(20.0)),
        ("IPv6, popular", v6, None, None),
        ("IPv6, uniform in 2a01::/16", v6, Some(UNIFORM), None),
    ] {
        progress(&format!("peers: look-up {what}"));
        // In turns: what disturbs one disturbs the other.
        let ours = above_floor(rig, Program::Lookup, addresses, masks, effort, effort.runs)?;
        let trie = above_floor(
            rig,
            Program::Trie,
            addresses,
            masks,
            effort,
            effort.runs / 4,
        )?;
        let ours_ns = ours.median.max(0.1);
        let mut row = Row::new(LOOKUPS, format!("LPM trie {what}"), trie.median, "ns")
            .times(trie.median / ours_ns, "the atlas")
            .note(format!("the atlas in the same run: {:.1} ns", ours.median));
        if let Some(budget) = budget {
            row = row.budget(Budget::RatioAtLeast(budget));
        }
        rows.push(row);
    }
    Ok(rows)
}

/// A namespace that goes with its value.
pub(crate) struct OwnNamespace(pub(crate) Namespace);

impl OwnNamespace {
    pub(crate) fn new(part: &str) -> Result<Self> {
        let name = format!("octroi-bench-{}-{part}", std::process::id());
        Ok(Self(Namespace::create(name)?))
    }
}

impl Drop for OwnNamespace {
    fn drop(&mut self) {
        if let Err(error) = command::run("ip", ["netns", "delete", self.0.name()]) {
            eprintln!("{error}");
        }
    }
}

/// Loads nftables and ipset in a namespace without any interface.
fn tools(world: &World, ours: f64, effort: Effort) -> Result<Vec<Row>> {
    let namespace = OwnNamespace::new("peers")?;
    let union = world::union_space(&world.atlas);
    let pieces = world::pieces(&world.atlas, effort);
    let networks = world::networks(&union);
    let mut rows = Vec::new();
    let tasks: [(&str, &str, usize, &str, String); 3] = [
        (
            "nftables map: the world, IPv4",
            "nft",
            pieces.len(),
            "ranges",
            nft_map(&pieces),
        ),
        (
            "nftables interval set: the EU, IPv4",
            "nft",
            union.len(),
            "ranges",
            nft_set(&union),
        ),
        (
            "ipset hash:net: the EU, IPv4",
            "ipset",
            networks.len(),
            "networks",
            world::ipset_restore("eu", &networks),
        ),
    ];
    for (what, program, count, unit, text) in tasks {
        progress(&format!("peers: {what}"));
        let mut tool = namespace.0.command(program);
        if program == "nft" {
            tool.args(["-f", "-"]);
        } else {
            tool.arg("restore");
        }
        rows.push(match timed(&mut tool, &text) {
            Ok(milliseconds) => Row::new(LOADING, what, milliseconds, "ms")
                .times(milliseconds / ours, "of Octroi")
                .note(format!("{} {unit}", number(count as u64))),
            Err(error) => Row::missing(LOADING, what, format!("{error:#}")),
        });
    }
    Ok(rows)
}

fn timed(tool: &mut Command, text: &str) -> Result<f64> {
    let began = Instant::now();
    command::feed(tool, text).context("cannot be loaded")?;
    Ok(began.elapsed().as_secs_f64() * 1e3)
}

/// The table that the forwarding part switches chains in.
pub(crate) const NFT_TABLE: &str = "octroi_peers";

/// The EU as an interval set, without a chain that asks it.
pub(crate) fn nft_set(union: &[world::Span]) -> String {
    format!(
        "table ip {NFT_TABLE} {{\nset eu {{\ntype ipv4_addr; flags interval;\nelements = {{ {} }}\n}}\n}}\n",
        world::nft_elements(union, "")
    )
}

/// The world as a map from address to verdict, without a chain that asks it.
pub(crate) fn nft_map(pieces: &[world::Span]) -> String {
    format!(
        "table ip {NFT_TABLE} {{\nmap world {{\ntype ipv4_addr : verdict; flags interval;\nelements = {{ {} }}\n}}\n}}\n",
        world::nft_elements(pieces, " : accept")
    )
}
