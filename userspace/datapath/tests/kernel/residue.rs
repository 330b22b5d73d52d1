//! After `detach` nothing is left in the kernel: no pin, program, map, link, queueing discipline.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use aya::maps::{MapInfo, loaded_maps};
use aya::programs::{ProgramInfo, loaded_links, loaded_programs};
use octroi_datapath::{Datapath, LoadOptions, XdpMode};

use crate::common::abi2::Abi2;
use crate::common::netns::{GATE, Pair};
use crate::common::{self, PinRoot, tables};

/// The kernel frees what nobody holds a moment later.
const MOMENT: Duration = Duration::from_secs(10);

/// What the kernel holds of the gates under a pin root, by id: what is pinned, every program that
/// uses one of the pinned maps, every map that one of these programs uses, every link to them.
#[derive(Default, Debug)]
struct Held {
    programs: BTreeSet<u32>,
    maps: BTreeSet<u32>,
    links: BTreeSet<u32>,
}

impl Held {
    fn under(root: &Path) -> Self {
        let mut held = Self::default();
        for version in fs::read_dir(root).unwrap().flatten() {
            for pin in files(&version.path().join("maps")) {
                held.maps.insert(MapInfo::from_pin(pin).unwrap().id());
            }
            for pin in files(&version.path().join("programs")) {
                held.programs
                    .insert(ProgramInfo::from_pin(pin).unwrap().id());
            }
        }
        let pinned = held.maps.clone();
        for program in loaded_programs().filter_map(Result::ok) {
            let used: BTreeSet<u32> = program.map_ids().unwrap().unwrap().into_iter().collect();
            if !used.is_disjoint(&pinned) {
                held.programs.insert(program.id());
                held.maps.extend(used);
            }
        }
        for link in loaded_links().filter_map(Result::ok) {
            if held.programs.contains(&link.program_id()) {
                held.links.insert(link.id());
            }
        }
        held
    }

    /// What of it the kernel still holds.
    fn left(&self) -> Vec<String> {
        let programs = loaded_programs().filter_map(Result::ok);
        let maps = loaded_maps().filter_map(Result::ok);
        let links = loaded_links().filter_map(Result::ok);
        let programs = programs
            .filter(|program| self.programs.contains(&program.id()))
            .map(|program| format!("program {} {:?}", program.id(), program.name_as_str()));
        let maps = maps
            .filter(|map| self.maps.contains(&map.id()))
            .map(|map| format!("map {} {:?}", map.id(), map.name_as_str()));
        let links = links
            .filter(|link| self.links.contains(&link.id()))
            .map(|link| format!("link {}", link.id()));
        programs.chain(maps).chain(links).collect()
    }

    fn assert_gone(&self) {
        let deadline = Instant::now() + MOMENT;
        while !self.left().is_empty() {
            assert!(Instant::now() < deadline, "still there: {:#?}", self.left());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn files(directory: &Path) -> Vec<std::path::PathBuf> {
    let listed = fs::read_dir(directory).unwrap();
    listed.map(|entry| entry.unwrap().path()).collect()
}

/// What an operator sees of the gate's interface.
fn interface(pair: &Pair) -> String {
    pair.in_gate(|| {
        let ask = |program: &str, arguments: &[&str]| {
            let output = Command::new(program).args(arguments).output().unwrap();
            assert!(output.status.success(), "{program}: {output:?}");
            String::from_utf8(output.stdout).unwrap()
        };
        let mut text = ask("tc", &["qdisc", "show", "dev", GATE]);
        text.push_str(&ask("ip", &["link", "show", "dev", GATE]));
        text.push_str(&ask("bpftool", &["net", "show", "dev", GATE]));
        text
    })
}

fn raise(root: &PinRoot, pair: &Pair) -> Datapath {
    let mut datapath = Datapath::load(&LoadOptions::new(root.path())).unwrap();
    datapath
        .apply_atlas_and_policy(&tables::atlas(), &tables::policy(true))
        .unwrap();
    datapath.take_over().unwrap();
    pair.in_gate(|| datapath.attach(GATE, XdpMode::Native))
        .unwrap();
    datapath
}

#[test]
fn after_detach_the_kernel_holds_nothing() {
    if common::skipped() {
        return;
    }
    let pair = Pair::new();
    let root = PinRoot::new();
    let before = interface(&pair);
    // A gate of the older ABI, taken over; a restart; an interface that went and came back.
    let older = pair.in_gate(|| Abi2::raise(root.path(), GATE));
    let of_older = Held::under(root.path());
    assert_eq!(of_older.links.len(), 2);
    drop(raise(&root, &pair));
    drop(older);
    let datapath = raise(&root, &pair);
    let held = Held::under(root.path());
    assert!(held.programs.len() >= 3 && held.maps.len() > 13, "{held:?}");
    assert_eq!(held.links, of_older.links, "the links are the same ones");
    assert_ne!(interface(&pair), before, "the gate can be seen");
    // Nothing of the older gate but its links.
    let gone = Held {
        links: BTreeSet::new(),
        ..of_older
    };
    gone.assert_gone();

    Datapath::detach(root.path()).unwrap();
    assert_eq!(interface(&pair), before, "at once, while a daemon lives");
    drop(datapath);
    held.assert_gone();
    assert!(!root.path().exists());
}
