//! Destinations that stand for an IPv4 address: NAT64, 6to4, Teredo, IPv4-mapped and -compatible.
//!
//! The one place where userspace unwraps them; the rule is the kernel's own
//! (`octroi_abi::transition`). Whoever looks a destination up in an atlas for the evaluator asks
//! [`Policy::looked_up`] first.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::Ipv6Net;
use octroi_abi::transition::{Transition, is_nat64_length, judged_by};

use crate::model::Policy;

/// Most NAT64 prefixes of a policy: half of the kernel's trie, which is double-buffered.
pub const MAX_NAT64: usize = octroi_abi::transition::NAT64_ENTRIES as usize / 2;

/// The IPv4 address that a destination is judged by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Embedded {
    /// The address inside.
    pub address: Ipv4Addr,
    /// How it is embedded.
    pub via: Transition,
    /// Teredo: the server that the address names (RFC 4380 section 4).
    pub server: Option<Ipv4Addr>,
}

/// The two halves of an address, host byte order.
fn words(address: Ipv6Addr) -> (u64, u64) {
    let bits = u128::from(address);
    let half = |bits: u128| u64::try_from(bits & u128::from(u64::MAX)).unwrap_or_default();
    (half(bits >> 64), half(bits))
}

/// Whether a prefix can be a NAT64 prefix (RFC 6052 section 2.2): its length, and zeros in the bits
/// 64 to 71.
pub(crate) fn is_nat64_prefix(prefix: Ipv6Net) -> bool {
    is_nat64_length(prefix.prefix_len()) && words(prefix.network()).1 >> 56 == 0
}

/// The address that a destination is judged by, under NAT64 prefixes of one's own; `None`: by
/// itself.
#[must_use]
pub fn embedded(nat64: &[Ipv6Net], destination: IpAddr) -> Option<Embedded> {
    let IpAddr::V6(destination) = destination else {
        return None;
    };
    let around = nat64.iter().filter(|prefix| prefix.contains(&destination));
    let configured = around.map(Ipv6Net::prefix_len).max().unwrap_or(0);
    let (high, low) = words(destination);
    let (address, via) = judged_by(high, low, u32::from(configured))?;
    let server = (via == Transition::Teredo).then(|| {
        let [.., a, b, c, d] = high.to_be_bytes();
        Ipv4Addr::from([a, b, c, d])
    });
    Some(Embedded {
        address: address.into(),
        via,
        server,
    })
}

impl Policy {
    /// The IPv4 address that a destination is judged by; `None`: by itself.
    #[must_use]
    pub fn embedded(&self, destination: IpAddr) -> Option<Embedded> {
        embedded(&self.nat64, destination)
    }

    /// The address whose class and AS judge a destination: what it embeds, or itself.
    #[must_use]
    pub fn looked_up(&self, destination: IpAddr) -> IpAddr {
        self.embedded(destination)
            .map_or(destination, |embedded| embedded.address.into())
    }
}
