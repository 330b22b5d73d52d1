//! Address ranges: an address space cut into pieces, each with one value.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

pub use super::address::{Address, bounds, network, network_within, networks_of};

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

    /// At each address the value of the narrowest of ranges that lie apart or within one another: by
    /// first address, outer before inner. Of equal ones the last counts as the inner one.
    pub(crate) fn from_nested(ranges: impl ExactSizeIterator<Item = Range<A, V>>) -> Self {
        let mut out = Self::with_capacity(ranges.len() * 2 + 1);
        out.push(A::MIN, V::default());
        let mut open: Vec<Range<A, V>> = Vec::new();
        for range in ranges {
            out.close(&mut open, Some(range.first));
            out.put(range.first, range.value);
            open.push(range);
        }
        out.close(&mut open, None);
        out.starts.shrink_to_fit();
        out.values.shrink_to_fit();
        out
    }

    /// Ends the ranges that end before an address, or all: behind each the one around it speaks on.
    fn close(&mut self, open: &mut Vec<Range<A, V>>, before: Option<A>) {
        let is_over = |range: &mut Range<A, V>| before.is_none_or(|before| range.last < before);
        while let Some(ended) = open.pop_if(is_over) {
            if let Some(next) = ended.last.next() {
                let around = open.last().map_or_else(V::default, |range| range.value);
                self.put(next, around);
            }
        }
    }

    /// As [`Self::push`], but `start` may be that of the last piece: then it takes its place.
    fn put(&mut self, start: A, value: V) {
        if self.starts.last() == Some(&start) {
            self.starts.pop();
            self.values.pop();
        }
        self.push(start, value);
    }

    /// The same pieces with other values; neighbours that become equal are one.
    pub(crate) fn map<W: Copy + Eq + Default>(self, of: impl Fn(V) -> W) -> Partition<A, W> {
        let mut starts = self.starts;
        let mut values: Vec<W> = Vec::with_capacity(self.values.len());
        for (index, value) in self.values.into_iter().enumerate() {
            let value = of(value);
            if values.last() != Some(&value) {
                starts[values.len()] = starts[index];
                values.push(value);
            }
        }
        starts.truncate(values.len());
        Partition { starts, values }
    }

    /// At each address what the first of `layers` says that speaks there.
    pub(crate) fn first_of(layers: &[&Self]) -> Self {
        let mut cursors: Vec<_> = layers.iter().map(|layer| Cursor::new(layer)).collect();
        let mut out = Self::with_capacity(layers.iter().map(|layer| layer.len()).sum());
        let mut at = A::MIN;
        loop {
            let silent = V::default();
            let said = cursors.iter().map(Cursor::value).find(|v| *v != silent);
            out.push(at, said.unwrap_or(silent));
            let Some(next) = cursors.iter().filter_map(Cursor::next_start).min() else {
                return out;
            };
            at = next;
            for cursor in &mut cursors {
                cursor.advance_to(at);
            }
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

    proptest! {
        #[test]
        fn nested_ranges_need_no_search_for_the_narrowest(
            prefixes in proptest::collection::vec((any::<u32>(), 0_u32..=32, 1_u16..4), 0..60),
            crowded in proptest::collection::vec((0_u32..64, 24_u32..=32, 1_u16..4), 0..60),
        ) {
            let prefixes = prefixes.into_iter().chain(crowded);
            let ranges = prefixes.map(|(address, bits, value)| {
                let (first, last) = bounds(address, bits);
                Range { first, last, value }
            });
            let mut ranges: Vec<_> = ranges.collect();
            ranges.sort_by_key(|range| (range.first, Reverse(range.last)));
            let nested = Partition::from_nested(ranges.iter().copied());
            prop_assert_eq!(nested, Partition::from_ranges(ranges));
        }

        #[test]
        fn mapped_pieces_say_what_they_said(
            ranges in proptest::collection::vec((0_u32..600, 0_u32..80, 1_u16..9), 0..40),
        ) {
            let ranges = ranges.into_iter().map(|(first, width, value)| range(first, first + width, value));
            let before = Partition::from_ranges(ranges.collect());
            let after = before.clone().map(|value| value / 3);
            for at in 0..800 {
                prop_assert_eq!(after.get(at), before.get(at) / 3);
            }
            prop_assert!(after.values().windows(2).all(|pair| pair[0] != pair[1]));
        }

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
    }
}
