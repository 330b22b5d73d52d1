//! Opening the flow tables: what the kernel programs must know of them, and where userspace sees
//! them.

use std::hash::{BuildHasher as _, RandomState};
use std::os::fd::AsFd as _;

use aya::maps::{Array, MapData};
use octroi_abi::ABI_VERSION;
use octroi_abi::control::Control;
use octroi_abi::name;
use octroi_abi::table::BUCKET_SLOTS;

use crate::error::DatapathError;
use crate::mapping::Mapping;
use crate::table::{Family, FlowTable};
use crate::wire::Wire;

/// Writes the size of the tables and the seed of their hash into `CONTROL`, when nobody has.
/// Returns what is there then.
pub(crate) fn prepare(
    control: &mut Array<MapData, Wire<Control>>,
    v4: &MapData,
    v6: &MapData,
) -> Result<Control, DatapathError> {
    let failed = |operation, error| DatapathError::map(operation, name::CONTROL, error);
    let Wire(found) = control.get(&0, 0).map_err(|error| failed("read", error))?;
    let masks = [mask(name::FLOWS_V4, v4)?, mask(name::FLOWS_V6, v6)?];
    if found.seed != 0 && [found.v4_mask, found.v6_mask] == masks {
        return Ok(found);
    }
    let wanted = Control {
        abi_version: u64::from(ABI_VERSION),
        // The keys of `RandomState` come from the system's random numbers. Never zero.
        seed: RandomState::new().hash_one(found.active) | 1,
        v4_mask: masks[0],
        v6_mask: masks[1],
        ..found
    };
    control
        .set(0, Wire(wanted), 0)
        .map_err(|error| failed("write", error))?;
    Ok(wanted)
}

/// Maps a table into memory.
pub(crate) fn open(
    family: Family,
    name: &'static str,
    map: &MapData,
    seed: u64,
    mask: u32,
) -> Result<FlowTable, DatapathError> {
    let bytes = (mask as usize + 1) * BUCKET_SLOTS * family.slot_bytes();
    let mapping = Mapping::new(map.fd().as_fd(), bytes).map_err(|source| DatapathError::Map {
        operation: "map into memory",
        map: name,
        source,
    })?;
    let table = FlowTable::new(family, seed, mask, mapping);
    table.recover();
    Ok(table)
}

/// Buckets of a table, less one.
pub(crate) fn mask(name: &'static str, map: &MapData) -> Result<u32, DatapathError> {
    let info = map
        .info()
        .map_err(|error| DatapathError::map("ask about", name, error))?;
    Ok(info.max_entries().saturating_sub(1))
}
