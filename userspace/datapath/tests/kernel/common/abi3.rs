//! A gate of ABI 3, raised from that version's own kernel object and pinned as it pinned: what an
//! upgrade finds. Every shape here is frozen with it.

use std::path::{Path, PathBuf};

use aya::maps::{Array, MapData};

use super::abi2::{OlderGate, fill_tables, loader, stand};

const MAPS: [&str; 15] = [
    "CONTROL",
    "ATLAS",
    "ZONES",
    "MARKS",
    "NAT64",
    "VERDICTS",
    "RULE_SETS",
    "OPAQUE",
    "GATEWAY_ADDRESSES",
    "FLOWS_V4",
    "FLOWS_V6",
    "FRAGMENTS",
    "EVENTS",
    "SAMPLES",
    "COUNTERS",
];

/// Buckets of each flow table.
const BUCKETS: u32 = 128;
const SEED: u64 = 0x5eed;
const V4_BUCKET_BYTES: usize = 512;
const SLOT_BYTES: usize = 64;
/// Places in a slot.
const INSIDE_PORT: usize = 8;
const DECIDED: usize = 16;
const OUTBOUND_PACKETS: usize = 40;
const STATE: usize = 63;
const LIVE: u8 = 2;
/// Verdict `block`, enforced, by its name, as they stand in a decision.
const BLOCKED_BY_NAME: u64 = 3 << 48 | 0b11 << 50;

type Bucket = [u8; V4_BUCKET_BYTES];

/// The gate: it stands as long as its pins do.
pub struct Abi3 {
    version: PathBuf,
    flows: Array<MapData, Bucket>,
}

impl Abi3 {
    /// Raises it on an interface of this thread's network namespace, under the little world of
    /// [`super::tables`].
    pub fn raise(root: &Path, interface: &str) -> Self {
        let version = root.join("v3");
        let mut loader = loader(&version, &MAPS);
        for table in ["FLOWS_V4", "FLOWS_V6"] {
            loader.map_max_entries(table, BUCKETS);
        }
        let object = aya::include_bytes_aligned!("../../fixtures/octroi-abi3.o");
        let mut gate = loader.load(object).unwrap();
        fill_tables(&mut gate);
        // Generation 1, first halves; ABI 3; the tables' seed and masks.
        let mut control: Array<_, [u64; 4]> =
            Array::try_from(gate.map_mut("CONTROL").unwrap()).unwrap();
        let mask = u64::from(BUCKETS - 1);
        control.set(0, [1, 3, SEED, mask | mask << 32], 0).unwrap();
        stand(&mut gate, &version, interface);
        let flows = Array::try_from(gate.take_map("FLOWS_V4").unwrap()).unwrap();
        Self { version, flows }
    }

    /// Number of the bucket, its bytes, and the place in it of the flow of an inside port.
    fn find(&self, inside_port: u16) -> Option<(u32, Bucket, usize)> {
        (0..BUCKETS).find_map(|number| {
            let bucket = self.flows.get(&number, 0).unwrap();
            let slot = bucket.chunks(SLOT_BYTES).position(|slot| {
                slot[STATE] & LIVE != 0
                    && slot[INSIDE_PORT..INSIDE_PORT + 2] == inside_port.to_ne_bytes()
            })?;
            Some((number, bucket, slot * SLOT_BYTES))
        })
    }
}

impl OlderGate for Abi3 {
    fn directory(&self) -> &Path {
        &self.version
    }

    fn cut_by_name(&mut self, inside_port: u16) -> bool {
        let Some((number, mut bucket, at)) = self.find(inside_port) else {
            return false;
        };
        let place = at + DECIDED..at + DECIDED + 8;
        let decided = u64::from_ne_bytes(bucket[place.clone()].try_into().unwrap());
        bucket[place].copy_from_slice(&(decided | BLOCKED_BY_NAME).to_ne_bytes());
        self.flows.set(number, bucket, 0).unwrap();
        true
    }

    fn outbound_packets(&self, inside_port: u16) -> u64 {
        let (_, bucket, at) = self.find(inside_port).expect("a flow of that port");
        let place = at + OUTBOUND_PACKETS..at + OUTBOUND_PACKETS + 4;
        u64::from(u32::from_ne_bytes(bucket[place].try_into().unwrap()))
    }
}
