//! The shape of every map, and the comparison with what is pinned.
//!
//! aya 0.14 takes the descriptor of an existing pin and never compares it with the object: a map
//! of another shape would be read and written out of bounds. So nothing is adopted unseen.

use std::path::Path;

use aya::maps::{MapInfo, MapType};
use octroi_abi::control::{
    Control, GATEWAY_ADDRESSES_ENTRIES, MARKS_ENTRIES, PrefixKey, ZONES_ENTRIES,
};
use octroi_abi::event::{EVENTS_RING_BYTES, HELD_RING_BYTES, SAMPLES_RING_BYTES};
use octroi_abi::fragment::{FRAGMENTS_ENTRIES, FragmentKey, FragmentState};
use octroi_abi::opaque::Opaque;
use octroi_abi::rules::{RULE_SETS, RuleEntry, RuleSet, VERDICT_ROWS, VERDICT_SLOTS};
use octroi_abi::table::{BucketV4, BucketV6, MAX_SLOTS, MIN_SLOTS, SLOTS_PER_BUCKET};
use octroi_abi::transition::{Marks, NAT64_ENTRIES};
use octroi_abi::{atlas, name, outcome};

use crate::error::{DatapathError, io_error};

/// `BPF_F_NO_PREALLOC`, which the kernel wants on tries.
const NO_PREALLOC: u32 = 1;
/// `BPF_F_MMAPABLE`: shared with this process's memory, and on page boundaries.
const MMAPABLE: u32 = 1 << 10;
/// Room that is chosen when the map is made: any power of two within the bounds of the flow table.
const CHOSEN: u32 = 0;
/// Prefix length that LPM keys begin with.
const PREFIX_LENGTH_BYTES: usize = 4;
const ROW_BYTES: usize = VERDICT_SLOTS * 2;

/// What the kernel knows of a map.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    kind: MapType,
    key_bytes: usize,
    value_bytes: usize,
    entries: u32,
    flags: u32,
}

const fn shape(
    name: &'static str,
    kind: MapType,
    key_bytes: usize,
    value_bytes: usize,
    entries: u32,
) -> Shape {
    let flags = if matches!(kind, MapType::LpmTrie) {
        NO_PREALLOC
    } else {
        0
    };
    Shape {
        name,
        kind,
        key_bytes,
        value_bytes,
        entries,
        flags,
    }
}

const fn shared(name: &'static str, value_bytes: usize, entries: u32) -> Shape {
    Shape {
        flags: MMAPABLE,
        ..shape(name, MapType::Array, 4, value_bytes, entries)
    }
}

const PREFIX_KEY_BYTES: usize = PREFIX_LENGTH_BYTES + size_of::<PrefixKey>();

/// Every pinned map.
#[rustfmt::skip]
pub(crate) const PINNED: [Shape; 16] = [
    shape(name::CONTROL, MapType::Array, 4, size_of::<Control>(), 1),
    shared(name::ATLAS, size_of::<atlas::Node>(), 2 * atlas::NODES),
    shape(name::ZONES, MapType::LpmTrie, PREFIX_KEY_BYTES, 4, ZONES_ENTRIES),
    shape(name::MARKS, MapType::LpmTrie, PREFIX_KEY_BYTES, size_of::<Marks>(), MARKS_ENTRIES),
    shape(name::NAT64, MapType::LpmTrie, PREFIX_KEY_BYTES, 4, NAT64_ENTRIES),
    shape(name::VERDICTS, MapType::Array, 4, ROW_BYTES, 2 * VERDICT_ROWS),
    shape(name::RULE_SETS, MapType::Array, 4, size_of::<RuleSet>(), 2 * RULE_SETS),
    shape(name::OPAQUE, MapType::Array, 4, size_of::<RuleEntry>(), 2 * Opaque::COUNT),
    shape(name::GATEWAY_ADDRESSES, MapType::Hash, 16, 4, GATEWAY_ADDRESSES_ENTRIES),
    shared(name::FLOWS_V4, size_of::<BucketV4>(), CHOSEN),
    shared(name::FLOWS_V6, size_of::<BucketV6>(), CHOSEN),
    shape(name::FRAGMENTS, MapType::LruHash, size_of::<FragmentKey>(), size_of::<FragmentState>(), FRAGMENTS_ENTRIES),
    shape(name::EVENTS, MapType::RingBuf, 0, 0, EVENTS_RING_BYTES),
    shape(name::SAMPLES, MapType::RingBuf, 0, 0, SAMPLES_RING_BYTES),
    shape(name::HELD, MapType::RingBuf, 0, 0, HELD_RING_BYTES),
    shape(name::COUNTERS, MapType::PerCpuArray, 4, 8, outcome::COUNTERS),
];

impl Shape {
    /// The room it must have, when it has `found`.
    fn room(&self, found: u32) -> u32 {
        let buckets = |slots: u32| slots / SLOTS_PER_BUCKET;
        if self.entries != CHOSEN {
            return self.entries;
        }
        found
            .next_power_of_two()
            .clamp(buckets(MIN_SLOTS), buckets(MAX_SLOTS))
    }

    /// What an existing map has that this shape has not; `None`: nothing.
    fn difference(&self, found: &MapInfo) -> Option<String> {
        let kind = found.map_type().ok();
        if kind != Some(self.kind) {
            let kind =
                kind.map_or_else(|| "an unknown type".to_owned(), |kind| format!("{kind:?}"));
            return Some(format!("type {kind}, but this build has {:?}", self.kind));
        }
        let numbers = [
            (
                "key size",
                u64::from(found.key_size()),
                self.key_bytes as u64,
            ),
            (
                "value size",
                u64::from(found.value_size()),
                self.value_bytes as u64,
            ),
            (
                "room for entries",
                u64::from(found.max_entries()),
                u64::from(self.room(found.max_entries())),
            ),
            ("flags", u64::from(found.map_flags()), u64::from(self.flags)),
        ];
        let (what, found, wanted) = numbers
            .into_iter()
            .find(|(_, found, wanted)| found != wanted)?;
        Some(format!("{what} {found}, but this build has {wanted}"))
    }
}

/// Memory that all maps take, MiB, headers of entries not counted.
pub(crate) fn all_mib() -> u64 {
    let bytes = |shape: &Shape| match shape.kind {
        MapType::RingBuf => u64::from(shape.entries),
        _ => (shape.key_bytes + shape.value_bytes) as u64 * u64::from(shape.entries),
    };
    PINNED.iter().map(bytes).sum::<u64>() >> 20
}

/// Compares every map that is pinned under `maps` with its shape.
///
/// # Errors
/// The first pin of another shape, or one that cannot be read.
pub(crate) fn verify_pins(maps: &Path) -> Result<usize, DatapathError> {
    let mut adopted = 0;
    for shape in &PINNED {
        let path = maps.join(shape.name);
        if !path.exists() {
            continue;
        }
        let info = MapInfo::from_pin(&path).map_err(|error| DatapathError::File {
            operation: "open the pinned map",
            path: path.clone(),
            source: io_error(error),
        })?;
        if let Some(difference) = shape.difference(&info) {
            return Err(DatapathError::PinnedShape { path, difference });
        }
        adopted += 1;
    }
    Ok(adopted)
}
