//! The atlas into one half of its maps.

use std::os::fd::AsFd as _;

use octroi_abi::atlas::{V4_OVERFLOW_BLOCKS, V4_ROWS, V6_NODES, V6_ROOT_NODES};
use octroi_abi::name;
use octroi_geo_db::KernelTables;

use crate::error::DatapathError;
use crate::load::Datapath;
use crate::sys;

impl Datapath {
    pub(crate) fn fill_atlas(
        &mut self,
        half: u8,
        tables: &KernelTables,
    ) -> Result<(), DatapathError> {
        if let Some(reason) = problem(tables) {
            return Err(DatapathError::Tables {
                what: "atlas",
                reason,
            });
        }
        let base = u32::from(half);
        let writes = [
            (
                name::ATLAS_V4,
                sys::update_array(self.atlas_v4.fd().as_fd(), base * V4_ROWS, &tables.v4_rows),
            ),
            (
                name::ATLAS_V4_OVERFLOW,
                sys::update_array(
                    self.atlas_v4_overflow.fd().as_fd(),
                    base * V4_OVERFLOW_BLOCKS,
                    &tables.v4_overflow,
                ),
            ),
            (
                name::ATLAS_V6,
                sys::update_array(
                    self.atlas_v6.fd().as_fd(),
                    base * V6_NODES,
                    &tables.v6_nodes,
                ),
            ),
        ];
        for (map, result) in writes {
            result.map_err(|source| DatapathError::Map {
                operation: "fill",
                map,
                source,
            })?;
        }
        Ok(())
    }
}

/// Whether everything fits, before anything is written.
fn problem(tables: &KernelTables) -> Option<String> {
    let (rows, blocks, nodes) = (
        tables.v4_rows.len(),
        tables.v4_overflow.len(),
        tables.v6_nodes.len(),
    );
    if rows as u64 != u64::from(V4_ROWS) {
        return Some(format!("{rows} IPv4 rows, {V4_ROWS} are expected"));
    }
    if blocks as u64 > u64::from(V4_OVERFLOW_BLOCKS) {
        return Some(format!(
            "{blocks} IPv4 overflow blocks, room for {V4_OVERFLOW_BLOCKS}"
        ));
    }
    if (nodes as u64) < u64::from(V6_ROOT_NODES) || nodes as u64 > u64::from(V6_NODES) {
        return Some(format!(
            "{nodes} IPv6 nodes, {V6_ROOT_NODES} to {V6_NODES} are expected"
        ));
    }
    None
}
