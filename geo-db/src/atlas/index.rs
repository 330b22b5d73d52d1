//! Finding the piece around an address in a few dependent loads and a short search.
//!
//! The first 16 bits select a slot. A slot with many pieces is cut again by the bits that follow,
//! as many as it needs, and so on: routed IPv6 space lies within few /16, and some /32 are cut
//! finer than others.

use super::range::{Address, Partition};

const TOP_BITS: u32 = 16;
/// A slot with more pieces than this is cut again.
const SEARCHED_PIECES: usize = 8;
const MAX_CUT_BITS: u32 = 16;
/// Bits of [`Slot::cut`] that hold the width of the cut.
const WIDTH_BITS: u32 = 5;
const WIDTH_MASK: u32 = (1 << WIDTH_BITS) - 1;

/// Part of the address space.
#[derive(Clone, Copy, Default)]
struct Slot {
    /// The first piece that starts in it or later.
    first: u32,
    /// Zero: not cut. Else the number of bits that cut it and, above them, its first sub-slot.
    cut: u32,
}

/// An index over the starts of one partition.
pub(crate) struct Index<A: Address> {
    /// The leading bits of each start: half the memory of the starts, so that twice as many are
    /// in the cache.
    keys: Vec<A::Key>,
    /// Every cut has a slot past its end, which says where its last slot ends.
    slots: Vec<Slot>,
}

impl<A: Address> Index<A> {
    pub(crate) fn new<V: Copy + Eq + Default>(partition: &Partition<A, V>) -> Self {
        let mut index = Self {
            keys: partition.starts().iter().map(|start| start.key()).collect(),
            slots: Vec::new(),
        };
        index.cut(partition.starts(), 0, partition.len(), 0, TOP_BITS);
        index
    }

    /// Cuts the space of the pieces `low..high`, which agree on the first `skip` bits, by the next
    /// `width` bits. Returns the position of the first slot.
    fn cut(&mut self, starts: &[A], low: usize, high: usize, skip: u32, width: u32) -> usize {
        let count = 1_usize << width;
        let base = self.slots.len();
        self.slots.resize(base + count + 1, Slot::default());
        let mut at = low;
        for number in 0..count {
            let first = at;
            while at < high && starts[at].bits(skip, width) == number {
                at += 1;
            }
            self.slots[base + number].first = position(first);
            let pieces = at - first;
            let left = A::BITS - skip - width;
            if pieces <= SEARCHED_PIECES || left == 0 {
                continue;
            }
            // About two pieces to a slot when they are spread evenly.
            let sub_width = (pieces.ilog2() - 1).clamp(1, MAX_CUT_BITS.min(left));
            let sub_base = self.cut(starts, first, at, skip + width, sub_width);
            self.slots[base + number].cut = (position(sub_base) << WIDTH_BITS) | sub_width;
        }
        self.slots[base + count].first = position(high);
        base
    }

    /// The position in `starts` of the piece around `address`.
    #[inline]
    pub(crate) fn find(&self, starts: &[A], address: A) -> usize {
        let mut skip = TOP_BITS;
        let mut at = address.bits(0, TOP_BITS);
        let mut slot = self.slots[at];
        while slot.cut != 0 {
            let width = slot.cut & WIDTH_MASK;
            at = (slot.cut >> WIDTH_BITS) as usize + address.bits(skip, width);
            slot = self.slots[at];
            skip += width;
        }
        let low = slot.first as usize;
        let high = self.slots[at + 1].first as usize;
        let key = address.key();
        let keys = &self.keys[low..high];
        let mut before = keys.iter().filter(|other| **other <= key).count();
        // Where leading bits are equal the others decide.
        while before > 0 && keys[before - 1] == key && starts[low + before - 1] > address {
            before -= 1;
        }
        // The piece around the address may start before the slot.
        (low + before).saturating_sub(1)
    }
}

/// Fits: there are fewer than 2^27 slots and pieces, a file of that many is refused when it is
/// read.
fn position(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::atlas::range::Range;
    use proptest::prelude::*;

    fn check<A: Address>(ranges: Vec<Range<A, u16>>, probes: &[A]) {
        let partition = Partition::from_ranges(ranges);
        let index = Index::new(&partition);
        let borders = partition.starts().iter().copied();
        let before = partition
            .starts()
            .iter()
            .filter_map(|start| start.previous());
        for probe in borders.chain(before).chain(probes.iter().copied()) {
            let found = index.find(partition.starts(), probe);
            assert_eq!(partition.value(found), partition.get(probe), "{probe:?}");
        }
    }

    proptest! {
        #[test]
        fn the_index_finds_what_a_search_finds(
            ranges in proptest::collection::vec((any::<u32>(), 0_u32..5000, 1_u16..5), 0..300),
            crowded in proptest::collection::vec((0_u32..0x2_0000, 0_u32..50, 1_u16..5), 0..300),
            probes in proptest::collection::vec(any::<u32>(), 50),
        ) {
            let range = |(first, width, value): (u32, u32, u16)| Range {
                first,
                last: first.saturating_add(width),
                value,
            };
            let ranges: Vec<_> = ranges.into_iter().chain(crowded).map(range).collect();
            let wide = |value: u32| (u128::from(value) << 80) | (0x2a << 120);
            let ranges_v6 = ranges
                .iter()
                .map(|range| Range { first: wide(range.first), last: wide(range.last), value: range.value })
                .collect();
            let probes_v6: Vec<u128> = probes.iter().map(|probe| wide(*probe)).collect();
            check(ranges, &probes);
            check::<u128>(ranges_v6, &probes_v6);
        }
    }
}
