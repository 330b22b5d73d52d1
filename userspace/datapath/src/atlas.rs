//! The atlas into one half of its map.

use std::os::fd::AsFd as _;

use octroi_abi::atlas::{NODES, ROOT_NODES};
use octroi_abi::name;
use octroi_geo_db::KernelTables;

use crate::error::DatapathError;
use crate::fault::{self, FaultPoint};
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
        let base = u32::from(half) * NODES;
        sys::update_array(self.atlas.fd().as_fd(), base, &tables.nodes)
            .map_err(|source| DatapathError::map_call("fill", name::ATLAS, source))?;
        fault::at(FaultPoint::AtlasFilled)
    }
}

/// Whether everything fits, before anything is written.
fn problem(tables: &KernelTables) -> Option<String> {
    let (nodes, roots) = (tables.nodes.len() as u64, u64::from(2 * ROOT_NODES));
    (nodes < roots || nodes > u64::from(NODES))
        .then(|| format!("{nodes} nodes, {roots} to {NODES} are expected"))
}
