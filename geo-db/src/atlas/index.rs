//! Finding the piece around an address in three dependent loads and a short search.
//!
//! The first 16 bits select a bucket. A bucket with many pieces is cut again by the bits that
//! follow, as many as it needs: routed IPv6 space lies within few buckets.

use super::range::{Address, Partition};

const TOP_BITS: u32 = 16;
/// A bucket with more pieces than this is cut again.
const SEARCHED_PIECES: usize = 8;
const MAX_SUB_BITS: u32 = 16;

#[derive(Clone, Copy, Default)]
struct Bucket {
    /// First piece that starts in the bucket, or, with `sub_bits`, its first slot in `slots`.
    first: u32,
    /// Bits that cut the bucket again; 0: not cut.
    sub_bits: u32,
}

/// An index over the starts of one partition.
pub(crate) struct Index {
    /// One for each value of the first 16 bits, and one past the end.
    buckets: Vec<Bucket>,
    /// For each slot of a cut bucket the first piece that starts in it, and one past the end.
    slots: Vec<u32>,
}

impl Index {
    pub(crate) fn new<A: Address, V: Copy + Eq + Default>(partition: &Partition<A, V>) -> Self {
        let starts = partition.starts();
        let count = 1_usize << TOP_BITS;
        let mut buckets = Vec::with_capacity(count + 1);
        let mut slots = Vec::new();
        let mut at = 0;
        for bucket in 0..count {
            let first = at;
            while starts
                .get(at)
                .is_some_and(|start| start.bits(0, TOP_BITS) == bucket)
            {
                at += 1;
            }
            let pieces = starts.get(first..at).unwrap_or_default();
            if pieces.len() <= SEARCHED_PIECES {
                buckets.push(Bucket {
                    first: number(first),
                    sub_bits: 0,
                });
                continue;
            }
            // About two pieces to a slot when they are spread evenly.
            let sub_bits = (pieces.len() / 2)
                .ilog2()
                .clamp(1, MAX_SUB_BITS.min(A::BITS - TOP_BITS));
            buckets.push(Bucket {
                first: number(slots.len()),
                sub_bits,
            });
            let mut piece = 0;
            for slot in 0..=(1_usize << sub_bits) {
                while pieces
                    .get(piece)
                    .is_some_and(|start| start.bits(TOP_BITS, sub_bits) < slot)
                {
                    piece += 1;
                }
                slots.push(number(first + piece));
            }
        }
        buckets.push(Bucket {
            first: number(at),
            sub_bits: 0,
        });
        Self { buckets, slots }
    }

    /// The position in `starts` of the piece around `address`.
    #[inline]
    pub(crate) fn find<A: Address>(&self, starts: &[A], address: A) -> usize {
        let top = address.bits(0, TOP_BITS);
        let bucket = self.buckets[top];
        let (low, high) = if bucket.sub_bits == 0 {
            (bucket.first as usize, self.end(top))
        } else {
            let slot = bucket.first as usize + address.bits(TOP_BITS, bucket.sub_bits);
            (self.slots[slot] as usize, self.slots[slot + 1] as usize)
        };
        // Pieces before `low` start before the address; the one around it may be among them.
        let within = &starts[low..high];
        (low + within.partition_point(|start| *start <= address)).saturating_sub(1)
    }

    /// First piece after the bucket `top`, which is not cut.
    #[inline]
    fn end(&self, top: usize) -> usize {
        let next = self.buckets[top + 1];
        if next.sub_bits == 0 {
            next.first as usize
        } else {
            self.slots[next.first as usize] as usize
        }
    }
}

/// Partitions have fewer than 2^32 pieces: a file of that many is refused when it is read.
fn number(value: usize) -> u32 {
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
