//! A gate of ABI 2, raised from that version's own kernel object and pinned as it pinned: what an
//! upgrade finds. Every shape here is frozen with it.

use std::fs;
use std::path::{Path, PathBuf};

use aya::maps::lpm_trie::{Key, LpmTrie};
use aya::maps::{Array, HashMap, MapData};
use aya::programs::links::FdLink;
use aya::programs::tc::TcAttachOptions;
use aya::programs::{LinkOrder, SchedClassifier, TcAttachType, Xdp, XdpMode};
use aya::{Ebpf, EbpfLoader};
use octroi_abi::rules::{RuleEntry, RuleSet};

use super::tables;

const MAPS: [&str; 13] = [
    "CONTROL",
    "ATLAS",
    "ZONES",
    "MARKS",
    "VERDICTS",
    "RULE_SETS",
    "OPAQUE",
    "GATEWAY_ADDRESSES",
    "FLOWS",
    "FRAGMENTS",
    "EVENTS",
    "SAMPLES",
    "COUNTERS",
];
const XDP: [&str; 2] = ["octroi_outbound", "octroi_noop"];
const REPLY: &str = "octroi_reply";

/// Rows of `VERDICTS` of one zone.
const ROWS_PER_ZONE: u32 = 128;
const RULE_SET_BYTES: usize = 776;
const RULE_BYTES: usize = 24;
/// Places in the 88 bytes of a flow's state.
const VERDICT: usize = 75;
const FLAGS: usize = 76;
const OUTBOUND_PACKETS: usize = 16;
const BLOCK: u8 = 3;
const ENFORCED_BY_NAME: u8 = 1 | 2;
/// Place of the inside port in the 40 bytes of a flow's key.
const INSIDE_PORT: usize = 32;

/// The gate: it stands as long as its pins do.
pub struct Abi2 {
    version: PathBuf,
    flows: HashMap<MapData, [u8; 40], [u8; 88]>,
}

/// A loader that pins the maps of a version.
pub(super) fn loader(version: &Path, maps: &[&'static str]) -> EbpfLoader<'static> {
    for directory in ["maps", "programs"] {
        fs::create_dir_all(version.join(directory)).unwrap();
    }
    let mut loader = EbpfLoader::new();
    for map in maps {
        loader.map_pin_path(map, version.join("maps").join(map));
    }
    loader
}

/// Pins the programs of a gate, attaches them and pins the links.
pub(super) fn stand(gate: &mut Ebpf, version: &Path, interface: &str) {
    let links = version.join("links").join(interface);
    fs::create_dir_all(&links).unwrap();
    for name in XDP {
        let program: &mut Xdp = gate.program_mut(name).unwrap().try_into().unwrap();
        program.load().unwrap();
        program.pin(version.join("programs").join(name)).unwrap();
    }
    let program: &mut Xdp = gate.program_mut(XDP[0]).unwrap().try_into().unwrap();
    let id = program.attach(interface, XdpMode::Driver).unwrap();
    let link: FdLink = program.take_link(id).unwrap().try_into().unwrap();
    link.pin(links.join(XDP[0])).unwrap();
    let program: &mut SchedClassifier = gate.program_mut(REPLY).unwrap().try_into().unwrap();
    program.load().unwrap();
    program.pin(version.join("programs").join(REPLY)).unwrap();
    let id = program
        .attach_with_options(
            interface,
            TcAttachType::Egress,
            TcAttachOptions::TcxOrder(LinkOrder::default()),
        )
        .unwrap();
    let link: FdLink = program.take_link(id).unwrap().try_into().unwrap();
    link.pin(links.join(REPLY)).unwrap();
}

impl Abi2 {
    /// Raises it on an interface of this thread's network namespace, under the little world of
    /// [`tables`].
    pub fn raise(root: &Path, interface: &str) -> Self {
        let version = root.join("v2");
        let mut loader = loader(&version, &MAPS);
        let object = aya::include_bytes_aligned!("../../fixtures/octroi-abi2.o");
        let mut gate = loader.load(object).unwrap();
        fill(&mut gate);
        stand(&mut gate, &version, interface);
        let flows = HashMap::try_from(gate.take_map("FLOWS").unwrap()).unwrap();
        Self { version, flows }
    }

    fn key(&self, inside_port: u16) -> Option<[u8; 40]> {
        self.flows
            .keys()
            .filter_map(Result::ok)
            .find(|key| key[INSIDE_PORT..INSIDE_PORT + 2] == inside_port.to_ne_bytes())
    }
}

/// What a test does with a gate of an older version.
pub trait OlderGate {
    /// Its directory.
    fn directory(&self) -> &Path;
    /// Cuts the flow of an inside port, as its daemon did when a flow had said a forbidden name.
    /// Returns whether there was such a flow.
    fn cut_by_name(&mut self, inside_port: u16) -> bool;
    /// Outbound packets of the flow of an inside port.
    fn outbound_packets(&self, inside_port: u16) -> u64;
}

impl OlderGate for Abi2 {
    fn directory(&self) -> &Path {
        &self.version
    }

    fn cut_by_name(&mut self, inside_port: u16) -> bool {
        let Some(key) = self.key(inside_port) else {
            return false;
        };
        let mut state = self.flows.get(&key, 0).unwrap();
        state[VERDICT] = BLOCK;
        state[FLAGS] |= ENFORCED_BY_NAME;
        self.flows.insert(key, state, 0).unwrap();
        true
    }

    fn outbound_packets(&self, inside_port: u16) -> u64 {
        let key = self.key(inside_port).expect("a flow of that port");
        let state = self.flows.get(&key, 0).unwrap();
        let bytes = &state[OUTBOUND_PACKETS..OUTBOUND_PACKETS + 8];
        u64::from_ne_bytes(bytes.try_into().unwrap())
    }
}

fn fill(gate: &mut Ebpf) {
    fill_tables(gate);
    // Generation 1, first halves, ABI 2.
    let mut control: Array<_, [u64; 2]> =
        Array::try_from(gate.map_mut("CONTROL").unwrap()).unwrap();
    control.set(0, [1, 2], 0).unwrap();
}

/// The little world, in the shapes that ABI 2 and 3 had in common.
pub(super) fn fill_tables(gate: &mut Ebpf) {
    let tables = tables::policy(true);
    let mut atlas: Array<_, [u32; 16]> = Array::try_from(gate.map_mut("ATLAS").unwrap()).unwrap();
    for (index, node) in (0..).zip(&tables::atlas().nodes) {
        atlas.set(index, node, 0).unwrap();
    }
    let mut zones: LpmTrie<_, [u8; 24], u32> =
        LpmTrie::try_from(gate.map_mut("ZONES").unwrap()).unwrap();
    for (prefix, zone) in &tables.zones {
        let (address, length) = octroi_policy::tables::mapped(*prefix);
        // Half 0, seven bytes of zero, the address.
        let mut data = [0; 24];
        data[8..].copy_from_slice(&address.octets());
        let key = Key::new(64 + u32::from(length), data);
        zones.insert(&key, u32::from(*zone), 0).unwrap();
    }
    let mut sets: Array<_, [u8; RULE_SET_BYTES]> =
        Array::try_from(gate.map_mut("RULE_SETS").unwrap()).unwrap();
    for (index, set) in (0..).zip(&tables.rule_sets) {
        sets.set(index, rule_set(set), 0).unwrap();
    }
    let mut rows: Array<_, [u16; 256]> =
        Array::try_from(gate.map_mut("VERDICTS").unwrap()).unwrap();
    for (zone, classes) in (0..).zip(&tables.verdicts) {
        for (part, numbers) in (0..).zip(classes.chunks(256)) {
            let mut row = [0; 256];
            row[..numbers.len()].copy_from_slice(numbers);
            rows.set(zone * ROWS_PER_ZONE + part, row, 0).unwrap();
        }
    }
    let mut opaque: Array<_, [u8; RULE_BYTES]> =
        Array::try_from(gate.map_mut("OPAQUE").unwrap()).unwrap();
    for index in 0..opaque.len() {
        opaque.set(index, rule(&tables.opaque[0]), 0).unwrap();
    }
}

fn rule_set(set: &RuleSet) -> [u8; RULE_SET_BYTES] {
    let mut bytes = [0; RULE_SET_BYTES];
    bytes[0..4].copy_from_slice(&set.len.to_ne_bytes());
    bytes[4..8].copy_from_slice(&set.flags.to_ne_bytes());
    for (slot, entry) in bytes[8..].chunks_mut(RULE_BYTES).zip(&set.entries) {
        slot.copy_from_slice(&rule(entry));
    }
    bytes
}

fn rule(entry: &RuleEntry) -> [u8; RULE_BYTES] {
    let mut bytes = [0; RULE_BYTES];
    bytes[0..8].copy_from_slice(&entry.marks.to_ne_bytes());
    bytes[8..10].copy_from_slice(&entry.rule.to_ne_bytes());
    bytes[10..12].copy_from_slice(&entry.port_low.to_ne_bytes());
    bytes[12..14].copy_from_slice(&entry.port_high.to_ne_bytes());
    bytes[14] = entry.protocol;
    bytes[15] = entry.verdict;
    bytes[16] = entry.flags;
    bytes
}
