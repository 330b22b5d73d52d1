//! The gateway's own addresses and the interfaces it stands on: they come and go.

use std::collections::BTreeSet;
use std::net::IpAddr;

use anyhow::{Context, Result};
use nix::ifaddrs::getifaddrs;
use nix::net::if_::if_nametoindex;
use nix::sys::socket::SockaddrStorage;

/// Every address of this host, in this network namespace: traffic to and from them is the
/// gateway's own and is never judged.
pub(super) fn own_addresses() -> Result<BTreeSet<IpAddr>> {
    let interfaces =
        getifaddrs().context("cannot list this host's addresses (getifaddrs failed)")?;
    Ok(interfaces
        .filter_map(|interface| interface.address.as_ref().and_then(ip))
        .collect())
}

/// The index of an interface, `None` while there is none of that name.
pub(super) fn index(interface: &str) -> Option<u32> {
    if_nametoindex(interface).ok()
}

fn ip(address: &SockaddrStorage) -> Option<IpAddr> {
    address
        .as_sockaddr_in()
        .map(|v4| IpAddr::V4(v4.ip()))
        .or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_interface_is_there_and_an_absent_one_is_not() {
        assert!(index("lo").is_some());
        assert_eq!(index("octroi-none0"), None);
        let own = own_addresses().unwrap();
        assert!(own.iter().all(|address| !address.is_unspecified()));
    }
}
