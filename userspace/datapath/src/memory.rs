//! What the maps take of the kernel's memory.

use std::fs;
use std::os::fd::{AsFd as _, AsRawFd as _};

use aya::maps::MapData;

use crate::error::DatapathError;
use crate::load::Datapath;
use crate::shapes;

impl Datapath {
    /// Bytes of kernel memory of every pinned map, as the kernel counts them (`memlock` in
    /// `/proc/self/fdinfo`), by name. The few maps that are not pinned are small, one entry a CPU.
    ///
    /// # Errors
    /// When a pin cannot be opened or the kernel tells no number.
    pub fn memory(&self) -> Result<Vec<(&'static str, u64)>, DatapathError> {
        let maps = self.pins.maps();
        let of = |name: &'static str| {
            let map = MapData::from_pin(maps.join(name))
                .map_err(|error| DatapathError::map("open", name, error))?;
            let path = format!("/proc/self/fdinfo/{}", map.fd().as_fd().as_raw_fd());
            let told = fs::read_to_string(&path).map(|text| memlock(&text));
            match told {
                Ok(Some(bytes)) => Ok((name, bytes)),
                Ok(None) => Err(DatapathError::Map {
                    operation: "read the memory of",
                    map: name,
                    source: std::io::Error::other(format!("{path} has no `memlock` line")),
                }),
                Err(source) => Err(DatapathError::Map {
                    operation: "read the memory of",
                    map: name,
                    source,
                }),
            }
        };
        shapes::PINNED.iter().map(|shape| of(shape.name)).collect()
    }
}

/// The bytes in the text of a map's `fdinfo`.
fn memlock(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("memlock:"));
    line?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_is_a_line_of_fdinfo() {
        let text = "pos:\t0\nmap_type:\t2\nmax_entries:\t1\nmemlock:\t4096\nmap_id:\t7\n";
        assert_eq!(memlock(text), Some(4096));
        assert_eq!(memlock("map_type:\t2\n"), None);
    }
}
