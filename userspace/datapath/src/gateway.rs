//! The gateway's own addresses: traffic to and from them always passes.

use std::collections::HashSet;
use std::net::IpAddr;

use aya::maps::MapError;
use octroi_abi::control::GATEWAY_ADDRESSES_ENTRIES;
use octroi_abi::name;

use crate::error::DatapathError;
use crate::fault::{self, FaultPoint};
use crate::load::Datapath;

impl Datapath {
    /// Makes these the gateway's own addresses, and has every flow judged again if that changes
    /// anything. Returns whether it did.
    ///
    /// # Errors
    /// When there are too many, or the map cannot be written.
    pub fn set_gateway_addresses(&mut self, addresses: &[IpAddr]) -> Result<bool, DatapathError> {
        let wanted: HashSet<[u8; 16]> = addresses.iter().map(|address| mapped(*address)).collect();
        if wanted.len() as u64 > u64::from(GATEWAY_ADDRESSES_ENTRIES) {
            return Err(DatapathError::Tables {
                what: "gateway addresses",
                reason: format!(
                    "{} of them, room for {GATEWAY_ADDRESSES_ENTRIES}",
                    wanted.len()
                ),
            });
        }
        let failed =
            |operation, error| DatapathError::map(operation, name::GATEWAY_ADDRESSES, error);
        let present = self
            .gateway_addresses
            .keys()
            .collect::<Result<HashSet<_>, _>>()
            .map_err(|error| failed("read", error))?;
        // Out with the old first: both may not fit.
        for address in present.difference(&wanted) {
            match self.gateway_addresses.remove(address) {
                Ok(()) | Err(MapError::KeyNotFound) => {}
                Err(error) => return Err(failed("clear", error)),
            }
        }
        fault::at(FaultPoint::GatewayCleared)?;
        for address in wanted.difference(&present) {
            self.gateway_addresses
                .insert(address, 1, 0)
                .map_err(|error| failed("fill", error))?;
        }
        fault::at(FaultPoint::GatewayFilled)?;
        let changed = wanted != present;
        if changed {
            self.bump()?;
        }
        Ok(changed)
    }
}

fn mapped(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}
