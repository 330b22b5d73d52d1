//! Nested prefixes: which ones hold an address, from the narrowest out.

use std::net::IpAddr;

use ipnet::IpNet;

use super::range::{Address, Partition, Range, bounds, network};

/// A prefix with its item; `parent` is the index of the narrowest prefix around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Nested<A, T> {
    /// First address.
    pub first: A,
    /// Leading bits.
    pub bits: u8,
    /// What the prefix carries.
    pub item: T,
    parent: Option<u32>,
}

impl<A: Address, T> Nested<A, T> {
    /// Index of the prefix around it.
    pub(crate) fn parent(&self) -> Option<usize> {
        self.parent.map(|index| index as usize)
    }

    /// The prefix itself.
    #[must_use]
    pub(crate) fn network(&self) -> Option<IpNet> {
        network(self.first, u32::from(self.bits))
    }
}

/// Prefixes that may lie in one another. Equal prefixes do too: the later one is the inner one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PrefixSet<A, T> {
    entries: Vec<Nested<A, T>>,
    /// Index of the narrowest entry plus one, 0 for none.
    narrowest: Partition<A, u32>,
}

impl<A: Address, T> PrefixSet<A, T> {
    /// From prefixes in any order. Of equal prefixes the later one counts as the narrower.
    #[must_use]
    pub(crate) fn new(prefixes: Vec<(A, u8, T)>) -> Self {
        let mut prefixes = prefixes;
        prefixes.sort_by_key(|(first, bits, _)| (*first, *bits));
        let mut entries: Vec<Nested<A, T>> = Vec::with_capacity(prefixes.len());
        let mut open: Vec<u32> = Vec::new();
        let mut ranges = Vec::with_capacity(prefixes.len());
        for (number, (first, bits, item)) in (0_u32..).zip(prefixes) {
            let last = bounds(first, u32::from(bits)).1;
            while open.last().is_some_and(|index| {
                let outer = &entries[*index as usize];
                bounds(outer.first, u32::from(outer.bits)).1 < first
            }) {
                open.pop();
            }
            ranges.push(Range {
                first,
                last,
                value: number + 1,
            });
            entries.push(Nested {
                first,
                bits,
                item,
                parent: open.last().copied(),
            });
            open.push(number);
        }
        Self {
            entries,
            narrowest: Partition::from_nested(ranges.into_iter()),
        }
    }

    /// The prefixes, by first address, wider before narrower.
    #[must_use]
    pub(crate) fn entries(&self) -> &[Nested<A, T>] {
        &self.entries
    }

    /// The item of the entry at an index plus one.
    pub(crate) fn item(&self, position: u32) -> Option<&T> {
        let index = position.checked_sub(1)?;
        self.entries.get(index as usize).map(|entry| &entry.item)
    }

    /// Index of the narrowest prefix plus one, piece by piece.
    pub(crate) fn narrowest(&self) -> &Partition<A, u32> {
        &self.narrowest
    }

    /// The prefixes that hold `address`, from the narrowest out, with their index.
    pub(crate) fn around(&self, address: A) -> impl Iterator<Item = (usize, &Nested<A, T>)> {
        self.chain(self.narrowest.get(address).checked_sub(1))
    }

    /// The prefix `index` and those around it, from the narrowest out.
    pub(crate) fn chain(&self, index: Option<u32>) -> impl Iterator<Item = (usize, &Nested<A, T>)> {
        let step = |index: u32| self.entries.get(index as usize).map(|entry| (index, entry));
        std::iter::successors(index.and_then(step), move |(_, entry)| {
            entry.parent.and_then(step)
        })
        .map(|(index, entry)| (index as usize, entry))
    }
}

/// First address and length of `net` when it is of the family `A`.
pub(crate) fn split<A: Address>(net: &IpNet) -> Option<(A, u8)> {
    let address: IpAddr = net.network();
    Some((A::from_ip(address)?, net.prefix_len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefixes_around_an_address_come_narrowest_first() {
        let parse = |text: &str, item: char| {
            let net: IpNet = text.parse().expect("a prefix");
            let (first, bits) = split::<u32>(&net).expect("IPv4");
            (first, bits, item)
        };
        let set = PrefixSet::new(vec![
            parse("10.1.2.0/24", 'c'),
            parse("10.0.0.0/8", 'a'),
            parse("10.1.0.0/16", 'b'),
            parse("10.2.0.0/16", 'd'),
            parse("10.1.2.0/24", 'x'),
        ]);
        let around = |text: &str| -> String {
            let address = u32::from_ip(text.parse().expect("an address")).expect("IPv4");
            set.around(address).map(|(_, entry)| entry.item).collect()
        };
        assert_eq!(around("10.1.2.3"), "xcba");
        assert_eq!(around("10.1.3.3"), "ba");
        assert_eq!(around("10.2.0.0"), "da");
        assert_eq!(around("11.0.0.0"), "");
        assert_eq!(set.entries().len(), 5);
    }
}
