//! Address ranges, IPv4 and IPv6 by the same code: an address space cut into pieces, each with
//! one value.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
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

/// A range of addresses, both ends included, with what a source says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range<A, V> {
    /// First address.
    pub first: A,
    /// Last address.
    pub last: A,
    /// What is said.
    pub value: V,
}

/// A whole address space cut into pieces: piece `i` goes from `starts[i]` to before
/// `starts[i + 1]`. Neighbours differ in value; `V::default()` means that nothing is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition<A, V> {
    starts: Vec<A>,
    values: Vec<V>,
}

impl<A: Address, V: Copy + Eq + Default> Partition<A, V> {
    /// A space of which nothing is said.
    #[must_use]
    pub fn silent() -> Self {
        Self {
            starts: vec![A::MIN],
            values: vec![V::default()],
        }
    }

    /// From ranges in any order. Where ranges overlap, the narrowest one speaks; of two equally
    /// narrow ones, the one that comes later.
    #[must_use]
    pub fn from_ranges(mut ranges: Vec<Range<A, V>>) -> Self {
        ranges.sort_by_key(|range| range.first);
        let mut out = Self::with_capacity(ranges.len() * 2 + 1);
        // Of the ranges that hold the current address, the narrowest (then latest) is on top.
        let mut active: BinaryHeap<(Reverse<u128>, usize)> = BinaryHeap::new();
        let mut upcoming = 0;
        let mut at = A::MIN;
        loop {
            while let Some(range) = ranges.get(upcoming).filter(|range| range.first <= at) {
                let width = range.last.to_u128().saturating_sub(range.first.to_u128());
                active.push((Reverse(width), upcoming));
                upcoming += 1;
            }
            while active
                .peek()
                .is_some_and(|(_, index)| ranges[*index].last < at)
            {
                active.pop();
            }
            let speaking = active.peek().map(|(_, index)| ranges[*index]);
            out.push(at, speaking.map_or_else(V::default, |range| range.value));
            let next_start = ranges.get(upcoming).map(|range| range.first);
            let after = speaking.and_then(|range| range.last.next());
            at = match (next_start, after) {
                (Some(start), Some(after)) => start.min(after),
                (Some(next), None) | (None, Some(next)) => next,
                (None, None) => {
                    out.starts.shrink_to_fit();
                    out.values.shrink_to_fit();
                    return out;
                }
            };
        }
    }

    /// An empty one to be filled by [`Self::push`], which must begin at the first address.
    pub(crate) fn with_capacity(pieces: usize) -> Self {
        Self {
            starts: Vec::with_capacity(pieces),
            values: Vec::with_capacity(pieces),
        }
    }

    /// Says that from `start` on the value is `value`. Starts must ascend.
    pub(crate) fn push(&mut self, start: A, value: V) {
        if self.values.last() != Some(&value) {
            self.starts.push(start);
            self.values.push(value);
        }
    }

    /// From columns as read from a file: `None` unless they are a partition.
    pub(crate) fn from_columns(starts: Vec<A>, values: Vec<V>) -> Option<Self> {
        let ascending = starts.is_sorted_by(|a, b| a < b);
        (starts.len() == values.len() && starts.first() == Some(&A::MIN) && ascending)
            .then_some(Self { starts, values })
    }

    /// Number of pieces, silent ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    /// Never: the space has at least one piece.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// Number of pieces of which something is said.
    #[must_use]
    pub fn spoken(&self) -> usize {
        let silent = V::default();
        self.values.iter().filter(|value| **value != silent).count()
    }

    /// Starts of the pieces, ascending.
    #[must_use]
    pub fn starts(&self) -> &[A] {
        &self.starts
    }

    /// Values of the pieces.
    #[must_use]
    pub fn values(&self) -> &[V] {
        &self.values
    }

    /// The piece around `address`.
    #[must_use]
    pub fn find(&self, address: A) -> Range<A, V> {
        let after = self.starts.partition_point(|start| *start <= address);
        self.piece(after.saturating_sub(1))
    }

    /// The value at `address`.
    #[must_use]
    pub fn get(&self, address: A) -> V {
        let after = self.starts.partition_point(|start| *start <= address);
        self.value(after.saturating_sub(1))
    }

    /// All pieces, in order.
    pub fn pieces(&self) -> impl Iterator<Item = Range<A, V>> + '_ {
        (0..self.starts.len()).map(|index| self.piece(index))
    }

    pub(crate) fn value(&self, index: usize) -> V {
        self.values.get(index).copied().unwrap_or_default()
    }

    pub(crate) fn piece(&self, index: usize) -> Range<A, V> {
        Range {
            first: self.starts.get(index).copied().unwrap_or(A::MIN),
            last: self
                .starts
                .get(index + 1)
                .and_then(|start| start.previous())
                .unwrap_or(A::MAX),
            value: self.value(index),
        }
    }
}

/// Walks a partition forwards, once.
pub(crate) struct Cursor<'a, A, V> {
    partition: &'a Partition<A, V>,
    index: usize,
}

impl<'a, A: Address, V: Copy + Eq + Default> Cursor<'a, A, V> {
    pub(crate) fn new(partition: &'a Partition<A, V>) -> Self {
        Self {
            partition,
            index: 0,
        }
    }

    /// The value of the piece the cursor stands on.
    #[inline]
    pub(crate) fn value(&self) -> V {
        self.partition.values[self.index]
    }

    /// Where the next piece starts.
    #[inline]
    pub(crate) fn next_start(&self) -> Option<A> {
        self.partition.starts.get(self.index + 1).copied()
    }

    /// Steps on when the next piece starts at `at`.
    #[inline]
    pub(crate) fn advance_to(&mut self, at: A) {
        if self.next_start().is_some_and(|start| start <= at) {
            self.index += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn range(first: u32, last: u32, value: u16) -> Range<u32, u16> {
        Range { first, last, value }
    }

    #[test]
    fn the_narrowest_range_speaks() {
        let partition = Partition::from_ranges(vec![
            range(10, 99, 1),
            range(20, 29, 2),
            range(90, 120, 3),
            range(20, 29, 4),
        ]);
        let pieces: Vec<_> = partition.pieces().collect();
        assert_eq!(
            pieces,
            [
                range(0, 9, 0),
                range(10, 19, 1),
                range(20, 29, 4),
                range(30, 89, 1),
                range(90, 120, 3),
                range(121, u32::MAX, 0),
            ]
        );
        assert_eq!(partition.spoken(), 4);
    }

    #[test]
    fn the_ends_of_the_space_belong_to_it() {
        let partition = Partition::from_ranges(vec![Range {
            first: u128::MAX,
            last: u128::MAX,
            value: 7_u16,
        }]);
        assert_eq!(partition.get(u128::MAX), 7);
        assert_eq!(partition.get(u128::MAX - 1), 0);
        let everything = Partition::from_ranges(vec![range(0, u32::MAX, 5)]);
        assert_eq!(everything.len(), 1);
    }

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
        fn a_partition_says_what_the_narrowest_range_says(
            ranges in proptest::collection::vec((0_u32..600, 0_u32..80, 1_u16..9), 0..40),
            probe in 0_u32..800,
        ) {
            let ranges: Vec<_> = ranges
                .into_iter()
                .map(|(first, width, value)| range(first, first + width, value))
                .collect();
            // `sort_by_key` is stable: "later" means later among those with the same start.
            let mut sorted = ranges.clone();
            sorted.sort_by_key(|range| range.first);
            let expected = sorted
                .iter()
                .enumerate()
                .filter(|(_, range)| (range.first..=range.last).contains(&probe))
                .min_by_key(|(index, range)| (range.last - range.first, Reverse(*index)))
                .map_or(0, |(_, range)| range.value);
            prop_assert_eq!(Partition::from_ranges(ranges).get(probe), expected);
        }

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
