//! Addresses as integers, IPv4 and IPv6 by the same code, and the networks around them.

use std::fmt::Debug;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// One family's addresses as integers.
pub trait Address: Copy + Ord + Debug + Send + Sync + 'static {
    /// The leading bits of an address, at most 64: what an index compares first.
    type Key: Copy + Ord + Send + Sync + 'static;
    /// Bits of an address.
    const BITS: u32;
    /// The first address.
    const MIN: Self;
    /// The last address.
    const MAX: Self;

    /// The address after this one; `None` after the last.
    fn next(self) -> Option<Self>;
    /// The address before this one; `None` before the first.
    fn previous(self) -> Option<Self>;
    /// As a number.
    fn to_u128(self) -> u128;
    /// From a number; `None` when it is not of this family.
    fn from_u128(value: u128) -> Option<Self>;
    /// As an address.
    fn to_ip(self) -> IpAddr;
    /// From an address; `None` when it is of the other family.
    fn from_ip(address: IpAddr) -> Option<Self>;
    /// The leading bits.
    fn key(self) -> Self::Key;
    /// `count` bits (at most 24) that follow the first `skip` bits, as a number.
    fn bits(self, skip: u32, count: u32) -> usize;
}

impl Address for u32 {
    type Key = u32;
    const BITS: u32 = 32;
    const MIN: Self = 0;
    const MAX: Self = u32::MAX;

    fn next(self) -> Option<Self> {
        self.checked_add(1)
    }
    fn previous(self) -> Option<Self> {
        self.checked_sub(1)
    }
    fn to_u128(self) -> u128 {
        u128::from(self)
    }
    fn from_u128(value: u128) -> Option<Self> {
        value.try_into().ok()
    }
    fn to_ip(self) -> IpAddr {
        IpAddr::V4(Ipv4Addr::from(self))
    }
    fn from_ip(address: IpAddr) -> Option<Self> {
        match address {
            IpAddr::V4(address) => Some(address.into()),
            IpAddr::V6(_) => None,
        }
    }
    fn key(self) -> u32 {
        self
    }
    fn bits(self, skip: u32, count: u32) -> usize {
        // Two shifts, because a shift by the whole width is not defined (count = 0).
        (((self << skip) >> 1) >> (31 - count)) as usize
    }
}

impl Address for u128 {
    type Key = u64;
    const BITS: u32 = 128;
    const MIN: Self = 0;
    const MAX: Self = u128::MAX;

    fn next(self) -> Option<Self> {
        self.checked_add(1)
    }
    fn previous(self) -> Option<Self> {
        self.checked_sub(1)
    }
    fn to_u128(self) -> u128 {
        self
    }
    fn from_u128(value: u128) -> Option<Self> {
        Some(value)
    }
    fn to_ip(self) -> IpAddr {
        IpAddr::V6(Ipv6Addr::from(self))
    }
    fn from_ip(address: IpAddr) -> Option<Self> {
        match address {
            IpAddr::V6(address) => Some(address.into()),
            IpAddr::V4(_) => None,
        }
    }
    fn key(self) -> u64 {
        (self >> 64) as u64
    }
    fn bits(self, skip: u32, count: u32) -> usize {
        (((self << skip) >> 1) >> (127 - count)) as usize
    }
}

/// The network of `bits` leading bits around `address`.
pub fn network<A: Address>(address: A, bits: u32) -> Option<IpNet> {
    let bits = u8::try_from(bits).ok()?;
    match address.to_ip() {
        IpAddr::V4(address) => Ipv4Net::new(address, bits)
            .ok()
            .map(|net| net.trunc().into()),
        IpAddr::V6(address) => Ipv6Net::new(address, bits)
            .ok()
            .map(|net| net.trunc().into()),
    }
}

/// First and last address of the network of `bits` leading bits around `address`.
pub fn bounds<A: Address>(address: A, bits: u32) -> (A, A) {
    let host = host_mask::<A>(bits);
    let value = address.to_u128();
    (
        A::from_u128(value & !host).unwrap_or(A::MIN),
        A::from_u128(value | host).unwrap_or(A::MAX),
    )
}

fn host_mask<A: Address>(bits: u32) -> u128 {
    let host_bits = A::BITS.saturating_sub(bits);
    if host_bits >= 128 {
        u128::MAX
    } else {
        (1 << host_bits) - 1
    }
}

/// The largest network that holds `address` and lies within `first..=last`.
pub fn network_within<A: Address>(address: A, first: A, last: A) -> Option<IpNet> {
    (0..=A::BITS)
        .find(|bits| {
            let (low, high) = bounds(address, *bits);
            low >= first && high <= last
        })
        .and_then(|bits| network(address, bits))
}

/// The fewest networks that make up `first..=last`, in order.
pub fn networks_of<A: Address>(first: A, last: A, out: &mut Vec<IpNet>) {
    let mut at = first;
    while at <= last {
        let aligned = at.to_u128().trailing_zeros().min(A::BITS);
        let mut bits = A::BITS - aligned;
        while bounds(at, bits).1 > last {
            bits += 1;
        }
        out.extend(network(at, bits));
        match bounds(at, bits).1.next() {
            Some(next) => at = next,
            None => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bits_are_taken_from_the_front() {
        assert_eq!(0xabcd_1234_u32.bits(0, 16), 0xabcd);
        assert_eq!(0xabcd_1234_u32.bits(16, 8), 0x12);
        assert_eq!(0xabcd_1234_u32.bits(16, 0), 0);
        assert_eq!((0xabcd_1234_u128 << 96).bits(16, 16), 0x1234);
    }

    #[test]
    fn a_range_becomes_the_fewest_networks() {
        let mut out = Vec::new();
        networks_of(0x0a00_0001_u32, 0x0a00_0006, &mut out);
        let text: Vec<_> = out.iter().map(ToString::to_string).collect();
        assert_eq!(
            text,
            ["10.0.0.1/32", "10.0.0.2/31", "10.0.0.4/31", "10.0.0.6/32"]
        );
        out.clear();
        networks_of(u128::MIN, u128::MAX, &mut out);
        assert_eq!(out[0].to_string(), "::/0");
    }

    proptest! {
        #[test]
        fn the_network_within_holds_the_address(first in any::<u32>(), width in any::<u32>(), at in any::<u32>()) {
            let last = first.saturating_add(width);
            let address = first + at % (last - first).max(1);
            let net = network_within(address, first, last).expect("a /32 always fits");
            prop_assert!(net.contains(&address.to_ip()));
            let low = u32::from_ip(net.network()).expect("same family");
            let high = u32::from_ip(net.broadcast()).expect("same family");
            prop_assert!(low >= first && high <= last);
        }
    }
}
