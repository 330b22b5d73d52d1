//! A bounded table of what clients own: when it is full, the heaviest client makes room.
//!
//! One that floods loses its own oldest things first, and one that holds less than half of what
//! the heaviest holds loses nothing. With one client alone the oldest are forgotten.

mod owners;

use std::hash::{BuildHasher as _, Hash};

use foldhash::fast::RandomState;

use self::owners::Owners;
use crate::flow::Index;

/// A client, as a flow's key has it.
pub(super) type Client = [u8; 16];

/// No slot.
const NONE: u32 = u32::MAX;

/// A thing, and its place among those of its owner.
struct Slot<K, V> {
    key: K,
    value: V,
    owner: u32,
    /// 0: the slot is free.
    weight: u32,
    older: u32,
    newer: u32,
}

/// How much a table holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Bound {
    /// Things.
    pub(super) things: usize,
    /// The sum of their weights.
    pub(super) weight: usize,
}

/// Things of clients by key; see the module.
pub(super) struct Fair<K, V> {
    index: Index,
    hasher: RandomState,
    slots: Vec<Slot<K, V>>,
    free: Vec<u32>,
    owners: Owners,
    bound: Bound,
    weight: usize,
    /// Things forgotten to make room.
    pub(super) evicted: u64,
}

impl<K: Copy + Eq + Hash, V: Default> Fair<K, V> {
    pub(super) fn new(bound: Bound) -> Self {
        Self {
            index: Index::new(),
            hasher: RandomState::default(),
            slots: Vec::new(),
            free: Vec::new(),
            owners: Owners::default(),
            bound: Bound {
                things: bound.things.clamp(1, NONE as usize - 1),
                ..bound
            },
            weight: 0,
            evicted: 0,
        }
    }

    /// A table of things that all weigh the same.
    pub(super) fn of_things(things: usize) -> Self {
        Self::new(Bound {
            things,
            weight: usize::MAX,
        })
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// The sum of the weights.
    pub(super) fn weight(&self) -> usize {
        self.weight
    }

    pub(super) fn contains(&self, key: &K) -> bool {
        self.find(key).is_some()
    }

    pub(super) fn get(&self, key: &K) -> Option<&V> {
        let at = self.find(key)?;
        Some(&self.slots[at].value)
    }

    pub(super) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let at = self.find(key)?;
        Some(&mut self.slots[at].value)
    }

    /// Adds a thing of `owner` that is not there yet; what made room for it, when something had to.
    pub(super) fn insert(&mut self, owner: &Client, key: K, value: V) -> Option<(K, V)> {
        let is_full = self.len() >= self.bound.things || self.weight >= self.bound.weight;
        let evicted = if is_full { self.evict() } else { None };
        let owner = self.owners.of(owner);
        let older = self.owners.newest(owner);
        let slot = Slot {
            key,
            value,
            owner,
            weight: 1,
            older,
            newer: NONE,
        };
        let at = if let Some(at) = self.free.pop() {
            self.slots[at as usize] = slot;
            at
        } else {
            self.slots.push(slot);
            // Fewer than `NONE` of them.
            u32::try_from(self.slots.len() - 1).unwrap_or(NONE)
        };
        if let Some(older) = self.slots.get_mut(older as usize) {
            older.newer = at;
        }
        self.index.insert(self.hasher.hash_one(key), at as usize);
        self.owners.gain(owner, at, 1);
        self.weight += 1;
        evicted
    }

    /// A thing weighs this much now; others, or this one itself, are forgotten when that is too
    /// much.
    pub(super) fn weigh(&mut self, key: &K, weight: usize) {
        let Some(at) = self.find(key) else {
            return;
        };
        let weight = u32::try_from(weight.max(1)).unwrap_or(u32::MAX);
        let slot = &mut self.slots[at];
        let before = std::mem::replace(&mut slot.weight, weight);
        self.owners.reweigh(slot.owner, before, weight);
        self.weight = self.weight - before as usize + weight as usize;
        while self.weight > self.bound.weight && self.evict().is_some() {}
    }

    /// Forgets the things for which `keep` does not hold.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&K, &mut V) -> bool) {
        for at in 0..self.slots.len() {
            let slot = &mut self.slots[at];
            if slot.weight > 0 && !keep(&slot.key, &mut slot.value) {
                self.remove(at);
            }
        }
    }

    /// Forgets the oldest thing of about the heaviest owner.
    fn evict(&mut self) -> Option<(K, V)> {
        let at = self.owners.oldest_of_heaviest()?;
        self.evicted += 1;
        Some(self.remove(at as usize))
    }

    fn remove(&mut self, at: usize) -> (K, V) {
        let slot = &mut self.slots[at];
        let value = std::mem::take(&mut slot.value);
        let weight = std::mem::take(&mut slot.weight);
        let (key, owner, older, newer) = (slot.key, slot.owner, slot.older, slot.newer);
        if let Some(slot) = self.slots.get_mut(older as usize) {
            slot.newer = newer;
        }
        if let Some(slot) = self.slots.get_mut(newer as usize) {
            slot.older = older;
        }
        self.owners.lose(owner, weight, older, newer);
        self.index.remove(self.hasher.hash_one(key), at);
        self.weight -= weight as usize;
        self.free.push(u32::try_from(at).unwrap_or(NONE));
        (key, value)
    }

    fn find(&self, key: &K) -> Option<usize> {
        let slots = &self.slots;
        self.index.find(self.hasher.hash_one(key), |at| {
            slots
                .get(at)
                .is_some_and(|slot| slot.weight > 0 && slot.key == *key)
        })
    }
}

#[cfg(test)]
mod tests;
