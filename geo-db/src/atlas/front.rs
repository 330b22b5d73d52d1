//! The class of most IPv4 addresses in one or two loads: the first 16 bits, then the next 8.
//!
//! Three of four /16 hold one class whole, and nearly all others are cut at /24 or before. What is
//! cut finer is left to the [`Index`](super::index::Index). IPv6 has no such regular cut, and its
//! index needs no help (`docs/atlas.md` has the numbers).

use super::range::{Address as _, Partition};
use crate::ClassId;

const TOP_BITS: u32 = 16;
const ROW_BITS: u32 = 8;
const SLOTS: usize = 1 << ROW_BITS;
/// Bits of an address below a slot of a row.
const REST_BITS: u32 = u32::BITS - TOP_BITS - ROW_BITS;
/// In [`Front::roots`]: the low bits are the number of a row, not a class.
const ROW: u32 = 1 << 31;
/// In a row: cut finer than a slot. No class has this number.
const FINER: u16 = u16::MAX;

/// A table over the first 24 bits.
pub(crate) struct Front {
    roots: Vec<u32>,
    rows: Vec<[u16; SLOTS]>,
}

impl Front {
    pub(crate) fn new(pieces: &Partition<u32, ClassId>) -> Self {
        let mut front = Self {
            roots: Vec::with_capacity(1 << TOP_BITS),
            rows: Vec::new(),
        };
        let mut at = 0;
        for number in 0..1_u32 << TOP_BITS {
            let first = number << (u32::BITS - TOP_BITS);
            let last = first | (u32::MAX >> TOP_BITS);
            while pieces.piece(at).last < first {
                at += 1;
            }
            let piece = pieces.piece(at);
            if piece.last >= last {
                front.roots.push(u32::from(piece.value));
                continue;
            }
            let row = u32::try_from(front.rows.len()).unwrap_or(0);
            front.roots.push(ROW | row);
            front.rows.push(row_of(pieces, at, first, last));
        }
        front
    }

    /// The class of an address; `None` where the space is cut finer.
    #[inline]
    pub(crate) fn class_of(&self, address: u32) -> Option<ClassId> {
        let root = *self.roots.get(address.bits(0, TOP_BITS))?;
        if root & ROW == 0 {
            return ClassId::try_from(root).ok();
        }
        let row = self.rows.get((root & !ROW) as usize)?;
        let class = row[address.bits(TOP_BITS, ROW_BITS)];
        (class != FINER).then_some(class)
    }
}

/// The row of the /16 from `first` to `last`; `at` is the piece around its first address.
fn row_of(pieces: &Partition<u32, ClassId>, at: usize, first: u32, last: u32) -> [u16; SLOTS] {
    let mut row = [FINER; SLOTS];
    let slot = |address: u32| ((address >> REST_BITS) as usize) % SLOTS;
    for at in at..pieces.len() {
        let piece = pieces.piece(at);
        if piece.first > last {
            break;
        }
        let (from, to) = (piece.first.max(first), piece.last.min(last));
        let rest = (1 << REST_BITS) - 1;
        // Only the slots that it fills.
        let begin = slot(from) + usize::from(from & rest != 0);
        let end = slot(to) + usize::from(to & rest == rest);
        if let Some(slots) = row.get_mut(begin..end) {
            slots.fill(piece.value);
        }
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::atlas::range::Range;
    use proptest::prelude::*;

    #[test]
    fn what_is_cut_finer_than_24_bits_is_left_to_others() {
        let range = |first, last, value| Range { first, last, value };
        let pieces = Partition::from_ranges(vec![
            range(0x0a00_0000, 0x0aff_ffff, 7),
            range(0x0a01_0203, 0x0a01_0203, 8),
            range(0xffff_ff00, 0xffff_ffff, 9),
        ]);
        let front = Front::new(&pieces);
        let found = [0, 0x0a02_0304, 0x0a01_0103, 0x0a01_0204, 0xffff_ffff]
            .map(|address| front.class_of(address));
        assert_eq!(found, [Some(0), Some(7), Some(7), None, Some(9)]);
        assert_eq!(front.rows.len(), 2);
    }

    proptest! {
        #[test]
        fn what_it_says_is_so(
            ranges in proptest::collection::vec((any::<u32>(), any::<u16>(), 1_u16..5), 0..200),
            crowded in proptest::collection::vec((0_u32..0x4_0000, 0_u32..600, 1_u16..5), 0..200),
            probes in proptest::collection::vec(any::<u32>(), 200),
        ) {
            let wide = ranges.into_iter().map(|(first, width, value)| (first, u32::from(width), value));
            let ranges = wide.chain(crowded).map(|(first, width, value)| Range {
                first,
                last: first.saturating_add(width),
                value,
            });
            let pieces = Partition::from_ranges(ranges.collect());
            let front = Front::new(&pieces);
            let borders = pieces.starts().iter().copied();
            let before = pieces.starts().iter().filter_map(|start| start.previous());
            for probe in borders.chain(before).chain(probes) {
                if let Some(class) = front.class_of(probe) {
                    prop_assert_eq!(class, pieces.get(probe), "{:#x}", probe);
                }
            }
        }
    }
}
