//! What was seen lately, bounded: queries that wait for their answer, flows that were told.

use std::collections::{HashSet, VecDeque};
use std::hash::Hash;

use foldhash::fast::RandomState;

/// Things that were seen. Bounded: the oldest are forgotten.
pub(super) struct Recent<K> {
    seen: HashSet<K, RandomState>,
    order: VecDeque<K>,
    limit: usize,
    /// Things forgotten to make room.
    pub(super) evicted: u64,
}

impl<K: Copy + Eq + Hash> Recent<K> {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            seen: HashSet::default(),
            order: VecDeque::new(),
            limit: limit.max(1),
            evicted: 0,
        }
    }

    pub(super) fn contains(&self, thing: &K) -> bool {
        self.seen.contains(thing)
    }

    /// False when it was seen already.
    pub(super) fn insert(&mut self, thing: K) -> bool {
        if !self.seen.insert(thing) {
            return false;
        }
        if self.order.len() >= self.limit
            && let Some(oldest) = self.order.pop_front()
        {
            self.seen.remove(&oldest);
            self.evicted += 1;
        }
        self.order.push_back(thing);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_are_forgotten() {
        let mut recent = Recent::new(2);
        assert!(recent.insert(1) && recent.insert(2));
        assert!(!recent.insert(1));
        assert!(recent.insert(3));
        assert_eq!(recent.evicted, 1);
        assert!(!recent.contains(&1) && recent.contains(&2) && recent.contains(&3));
    }
}
