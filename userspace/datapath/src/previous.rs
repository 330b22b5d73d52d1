//! What older gates kept of a flow: read once, when their gate is taken over.
//!
//! Frozen: these shapes are the past's, and change with nothing. ABI 1 and 2 had a hash of the shapes
//! below (`ebpf/abi/src/flow.rs` as it was from the first gate to the last of ABI 2). ABI 3 had today's
//! tables; a change of those must leave a copy here.

use std::os::fd::AsFd as _;

use aya::maps::{Array, Map, MapData, MapInfo, MapType};
use octroi_abi::flow::{self, ENFORCED, NAMED};
use octroi_abi::name;
use octroi_abi::table::{BucketV4, BucketV6, TIME_SHIFT};
use octroi_abi::verdict::Verdict;

use crate::bpffs::Pins;
use crate::error::{DatapathError, io_error};
use crate::load::Datapath;
use crate::table::{Family, FlowTable};
use crate::{sys, tables};

/// Versions whose flow table is a hash.
const WITH_HASH: std::ops::RangeInclusive<u32> = 1..=2;
/// The version that had today's tables first.
const WITH_TABLES: u32 = 3;
/// Words of its `CONTROL`: active, ABI version, seed, and the masks of both tables.
const CONTROL_WORDS: usize = 4;
/// The word that holds the seed.
const SEED: usize = 2;
/// Name of the flow table's pin: `LruHash<FlowKey, FlowState>`.
const FLOWS: &str = "FLOWS";

/// Both ends of a flow.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(8))]
pub(crate) struct FlowKey {
    inside: [u8; 16],
    outside: [u8; 16],
    inside_port: u16,
    outside_port: u16,
    protocol: u8,
    family: u8,
    reserved: [u8; 2],
}

/// The account of a flow and its verdict.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct FlowState {
    first_ns: u64,
    last_ns: u64,
    outbound_packets: u64,
    outbound_bytes: u64,
    reply_packets: u64,
    reply_bytes: u64,
    stopped_packets: u64,
    marks: u64,
    generation: u32,
    rule: u16,
    class: u16,
    shadow_rule: u16,
    shadow_verdict: u8,
    verdict: u8,
    flags: u8,
    zone: u8,
    opaque: u8,
    outbound_tcp_flags: u8,
    reply_tcp_flags: u8,
    outbound_samples: u8,
    reply_samples: u8,
    reserved: [u8; 5],
}

impl FlowKey {
    /// In today's shape.
    fn today(self) -> flow::FlowKey {
        flow::FlowKey {
            inside: self.inside,
            outside: self.outside,
            inside_port: self.inside_port,
            outside_port: self.outside_port,
            protocol: self.protocol,
            family: self.family,
            reserved: self.reserved,
        }
    }
}

impl FlowState {
    /// In today's shape.
    fn today(self) -> flow::FlowState {
        flow::FlowState {
            // The steps of today's times: a flow that goes on keeps its id.
            first_ns: self.first_ns >> TIME_SHIFT << TIME_SHIFT,
            last_ns: self.last_ns,
            outbound_packets: self.outbound_packets,
            outbound_bytes: self.outbound_bytes,
            reply_packets: self.reply_packets,
            reply_bytes: self.reply_bytes,
            stopped_packets: self.stopped_packets,
            generation: self.generation,
            rule: self.rule,
            class: self.class,
            verdict: self.verdict,
            flags: self.flags,
            zone: self.zone,
            opaque: self.opaque,
            outbound_tcp_flags: self.outbound_tcp_flags,
            reply_tcp_flags: self.reply_tcp_flags,
        }
    }
}

/// Whether forgetting a flow could let something out: its verdict came from a name that its client
/// will not say again.
pub(crate) fn must_stay(state: &flow::FlowState) -> bool {
    state.flags & NAMED != 0
}

/// Whether forgetting a flow could let something in: it is stopped, and its replies would begin anew
/// as nobody's, until the inside says something.
pub(crate) fn should_stay(state: &flow::FlowState) -> bool {
    state.verdict > Verdict::Flag.code() && state.flags & ENFORCED != 0
}

/// The flows that an older gate pinned, open.
#[derive(Debug)]
pub(crate) enum Flows {
    /// Of ABI 1 and 2.
    Hash(MapData),
    /// Of ABI 3, in this process's memory.
    Tables(Box<[(FlowTable, MapData); 2]>),
}

impl Flows {
    /// Opens them; `None`: they are not pinned, or of a version that had none of these shapes.
    pub(crate) fn open(pins: &Pins, abi: u32) -> Result<Option<Self>, DatapathError> {
        if abi == WITH_TABLES {
            return open_tables(pins, abi);
        }
        let path = pins.maps().join(FLOWS);
        if !path.exists() || !WITH_HASH.contains(&abi) {
            return Ok(None);
        }
        let info = MapInfo::from_pin(&path).map_err(|error| DatapathError::File {
            operation: "open the pinned map",
            path: path.clone(),
            source: io_error(error),
        })?;
        let found = (info.key_size() as usize, info.value_size() as usize);
        let wanted = (size_of::<FlowKey>(), size_of::<FlowState>());
        if !matches!(info.map_type(), Ok(MapType::LruHash)) || found != wanted {
            let difference = format!(
                "keys of {} and values of {} bytes, but ABI {abi} had {} and {}",
                found.0, found.1, wanted.0, wanted.1
            );
            return Err(DatapathError::PinnedShape { path, difference });
        }
        let map =
            MapData::from_pin(&path).map_err(|error| DatapathError::map("open", FLOWS, error))?;
        Ok(Some(Self::Hash(map)))
    }

    /// Every flow, in today's shapes.
    pub(crate) fn read(&self) -> Result<Vec<(flow::FlowKey, flow::FlowState)>, DatapathError> {
        let mut flows = Vec::new();
        match self {
            Self::Hash(map) => {
                let mut visit = |key: FlowKey, state: FlowState| {
                    flows.push((key.today(), state.today()));
                };
                sys::visit_hash(map.fd().as_fd(), &mut visit).map_err(|source| {
                    DatapathError::Map {
                        operation: "read the older",
                        map: FLOWS,
                        source,
                    }
                })?;
            }
            Self::Tables(tables) => {
                let now_ns = Datapath::monotonic_now_ns();
                for (table, _) in tables.iter() {
                    table.visit(0..table.capacity(), &mut |key, account| {
                        flows.push((key, account.state(now_ns)));
                    });
                }
            }
        }
        Ok(flows)
    }
}

/// The tables of ABI 3.
fn open_tables(pins: &Pins, abi: u32) -> Result<Option<Flows>, DatapathError> {
    let maps = pins.maps();
    if [name::CONTROL, name::FLOWS_V4, name::FLOWS_V6]
        .iter()
        .any(|name| !maps.join(name).exists())
    {
        return Ok(None);
    }
    let open = |name, value_bytes: usize| {
        let path = maps.join(name);
        let info = MapInfo::from_pin(&path).map_err(|error| DatapathError::File {
            operation: "open the pinned map",
            path: path.clone(),
            source: io_error(error),
        })?;
        if !matches!(info.map_type(), Ok(MapType::Array))
            || info.value_size() as usize != value_bytes
        {
            let difference = format!(
                "values of {} bytes, but ABI {abi} had {value_bytes}",
                info.value_size()
            );
            return Err(DatapathError::PinnedShape { path, difference });
        }
        MapData::from_pin(&path).map_err(|error| DatapathError::map("open", name, error))
    };
    let control = open(name::CONTROL, CONTROL_WORDS * size_of::<u64>())?;
    let failed = |error| DatapathError::map("read the older", name::CONTROL, error);
    let control: Array<_, [u64; CONTROL_WORDS]> =
        Array::try_from(Map::Array(control)).map_err(failed)?;
    let seed = control.get(&0, 0).map_err(failed)?[SEED];
    let table = |family, name, bucket_bytes| {
        let map = open(name, bucket_bytes)?;
        let table = tables::open(family, name, &map, seed, tables::mask(name, &map)?)?;
        Ok::<_, DatapathError>((table, map))
    };
    let tables = [
        table(Family::V4, name::FLOWS_V4, size_of::<BucketV4>())?,
        table(Family::V6, name::FLOWS_V6, size_of::<BucketV6>())?,
    ];
    Ok(Some(Flows::Tables(Box::new(tables))))
}
