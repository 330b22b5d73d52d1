//! Two tables walked side by side: how much space has which pair of classes, and where.

use std::collections::HashMap;

use ipnet::IpNet;

use super::Space;
use crate::ClassId;
use crate::atlas::range::{Address, Partition, Range, bounds, network};

/// Space that has one pair of classes.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    addresses_v4: u64,
    addresses_v6: u128,
    widest_v4: Option<IpNet>,
    widest_v6: Option<IpNet>,
}

impl Found {
    /// Counts other space as well: whole networks come out of the sum, never of its parts.
    pub(super) fn add(&mut self, other: &Self) {
        self.addresses_v4 = self.addresses_v4.saturating_add(other.addresses_v4);
        self.addresses_v6 = self.addresses_v6.saturating_add(other.addresses_v6);
    }

    pub(super) fn space(&self) -> Space {
        Space {
            v4_addresses: self.addresses_v4,
            v6_networks_64: u64::try_from(self.addresses_v6 >> 64).unwrap_or(u64::MAX),
        }
    }

    pub(super) fn widest(&self) -> impl Iterator<Item = IpNet> + use<> {
        self.widest_v4.into_iter().chain(self.widest_v6)
    }
}

/// By class in the old and class in the new atlas.
#[derive(Default)]
pub(super) struct Pairs {
    found: HashMap<(ClassId, ClassId), Found, foldhash::fast::RandomState>,
}

impl Pairs {
    pub(super) fn v4(&mut self, old: &Partition<u32, ClassId>, new: &Partition<u32, ClassId>) {
        together(old, new, |piece| {
            let found = self.found.entry(piece.value).or_default();
            let size = u64::from(piece.last) - u64::from(piece.first) + 1;
            found.addresses_v4 = found.addresses_v4.saturating_add(size);
            widen(&mut found.widest_v4, piece);
        });
    }

    pub(super) fn v6(&mut self, old: &Partition<u128, ClassId>, new: &Partition<u128, ClassId>) {
        together(old, new, |piece| {
            let found = self.found.entry(piece.value).or_default();
            let size = (piece.last - piece.first).saturating_add(1);
            found.addresses_v6 = found.addresses_v6.saturating_add(size);
            widen(&mut found.widest_v6, piece);
        });
    }

    pub(super) fn into_found(self) -> impl Iterator<Item = ((ClassId, ClassId), Found)> {
        self.found.into_iter()
    }
}

/// Keeps the wider of a network and the widest one at the start of a piece, or that just inside it
/// where its first address is not aligned.
fn widen<A: Address>(widest: &mut Option<IpNet>, piece: &Range<A, (ClassId, ClassId)>) {
    let room = piece.last.to_u128() - piece.first.to_u128();
    // The widest network that may fit: its host bits are those of the room.
    let most = room.checked_add(1).map_or(128, u128::ilog2);
    let least_bits = A::BITS.saturating_sub(most);
    if widest.is_some_and(|kept| u32::from(kept.prefix_len()) <= least_bits) {
        return;
    }
    for bits in least_bits..=A::BITS {
        let (low, high) = bounds(piece.first, bits);
        // The network around the first address, or the one after it.
        let start = if low == piece.first {
            Some(low)
        } else {
            high.next()
        };
        if let Some(start) = start
            && bounds(start, bits).1 <= piece.last
        {
            let found = network(start, bits);
            let wider = |kept: IpNet| found.is_some_and(|f| f.prefix_len() < kept.prefix_len());
            if widest.is_none_or(wider) {
                *widest = found;
            }
            return;
        }
    }
}

fn together<A: Address>(
    old: &Partition<A, ClassId>,
    new: &Partition<A, ClassId>,
    mut each: impl FnMut(&Range<A, (ClassId, ClassId)>),
) {
    let mut olds = old.pieces();
    let mut news = new.pieces();
    let (mut before, mut after) = (olds.next(), news.next());
    let mut first = A::MIN;
    while let (Some(one), Some(other)) = (before, after) {
        let last = one.last.min(other.last);
        each(&Range {
            first,
            last,
            value: (one.value, other.value),
        });
        if one.last == last {
            before = olds.next();
        }
        if other.last == last {
            after = news.next();
        }
        match last.next() {
            Some(next) => first = next,
            None => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn partition(cuts: &[(u32, ClassId)]) -> Partition<u32, ClassId> {
        let ranges = cuts.iter().map(|(first, value)| Range {
            first: *first,
            last: u32::MAX,
            value: *value,
        });
        Partition::from_ranges(ranges.collect())
    }

    proptest! {
        #[test]
        fn every_address_counts_once_with_its_own_pair(
            old in prop::collection::vec((any::<u32>(), 0_u16..5), 0..20),
            new in prop::collection::vec((any::<u32>(), 0_u16..5), 0..20),
            at in any::<u32>(),
        ) {
            let (old, new) = (partition(&old), partition(&new));
            let mut pairs = Pairs::default();
            pairs.v4(&old, &new);
            let all: u64 = pairs.found.values().map(|found| found.addresses_v4).sum();
            prop_assert_eq!(all, 1 << 32);
            prop_assert!(pairs.found.contains_key(&(old.get(at), new.get(at))));
            for (pair, found) in &pairs.found {
                let Some(IpNet::V4(net)) = found.widest_v4 else {
                    return Err(TestCaseError::fail("no example"));
                };
                for end in [net.network(), net.broadcast()] {
                    let end = u32::from(end);
                    prop_assert_eq!((old.get(end), new.get(end)), *pair);
                }
            }
        }
    }

    #[test]
    fn a_whole_ipv6_space_is_counted_without_overflow() {
        let mut pairs = Pairs::default();
        let silent: Partition<u128, ClassId> = Partition::silent();
        pairs.v6(&silent, &silent);
        let found = &pairs.found[&(0, 0)];
        assert_eq!(found.space().v6_networks_64, u64::MAX);
        assert_eq!(
            found.widest_v6.map(|net| net.to_string()).as_deref(),
            Some("::/0")
        );
    }
}
