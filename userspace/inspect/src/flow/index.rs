//! From a hash to slot numbers: open addressing in eight bytes a cell, because the table keeps the
//! keys already.

/// No slot.
const EMPTY: u32 = u32::MAX;
const FIRST_CELLS: usize = 64;

#[derive(Clone, Copy)]
struct Cell {
    /// Low half of the hash: enough to find the cell's place again when the index grows.
    tag: u32,
    slot: u32,
}

const FREE: Cell = Cell {
    tag: 0,
    slot: EMPTY,
};

/// Slot numbers by hash. Linear probing; a removal moves the cells behind it back.
pub(crate) struct Index {
    /// A power of two of them, at most three quarters in use.
    cells: Vec<Cell>,
    used: usize,
}

impl Index {
    pub(crate) fn new() -> Self {
        Self {
            cells: Vec::new(),
            used: 0,
        }
    }

    /// The slot of this hash for which `is_it` holds.
    pub(crate) fn find(&self, hash: u64, is_it: impl Fn(usize) -> bool) -> Option<usize> {
        let tag = tag(hash);
        let mask = self.cells.len().checked_sub(1)?;
        let mut at = tag as usize & mask;
        loop {
            let cell = self.cells[at];
            if cell.slot == EMPTY {
                return None;
            }
            if cell.tag == tag && is_it(cell.slot as usize) {
                return Some(cell.slot as usize);
            }
            at = (at + 1) & mask;
        }
    }

    /// Adds a slot that is not there.
    pub(crate) fn insert(&mut self, hash: u64, slot: usize) {
        if (self.used + 1) * 4 > self.cells.len() * 3 {
            self.grow();
        }
        self.used += 1;
        self.place(Cell {
            tag: tag(hash),
            slot: u32::try_from(slot).unwrap_or(EMPTY - 1),
        });
    }

    /// Removes a slot.
    pub(crate) fn remove(&mut self, hash: u64, slot: usize) {
        let Some(mask) = self.cells.len().checked_sub(1) else {
            return;
        };
        let mut at = tag(hash) as usize & mask;
        while self.cells[at].slot as usize != slot {
            if self.cells[at].slot == EMPTY {
                return;
            }
            at = (at + 1) & mask;
        }
        // Cells behind the gap move into it unless they would come to lie before their place.
        let mut next = (at + 1) & mask;
        while self.cells[next].slot != EMPTY {
            let home = self.cells[next].tag as usize & mask;
            if (next.wrapping_sub(home) & mask) >= (next.wrapping_sub(at) & mask) {
                self.cells[at] = self.cells[next];
                at = next;
            }
            next = (next + 1) & mask;
        }
        self.cells[at] = FREE;
        self.used -= 1;
    }

    /// Removes every slot.
    pub(crate) fn clear(&mut self) {
        self.cells.fill(FREE);
        self.used = 0;
    }

    fn grow(&mut self) {
        let cells = (self.cells.len() * 2).max(FIRST_CELLS);
        let old = std::mem::replace(&mut self.cells, vec![FREE; cells]);
        for cell in old {
            if cell.slot != EMPTY {
                self.place(cell);
            }
        }
    }

    fn place(&mut self, cell: Cell) {
        let mask = self.cells.len() - 1;
        let mut at = cell.tag as usize & mask;
        while self.cells[at].slot != EMPTY {
            at = (at + 1) & mask;
        }
        self.cells[at] = cell;
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the low half is what is kept"
)]
const fn tag(hash: u64) -> u32 {
    hash as u32
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Few different hashes, so that they collide.
        #[test]
        fn it_holds_what_a_map_holds(
            steps in proptest::collection::vec((0_u64..40, any::<bool>()), 0..400)
        ) {
            let mut index = Index::new();
            let mut keys: Vec<u64> = Vec::new();
            let mut held: HashMap<u64, usize> = HashMap::new();
            for (key, insert) in steps {
                let hash = key % 7 + (key % 3) * 64;
                let found = index.find(hash, |slot| keys[slot] == key);
                prop_assert_eq!(found, held.get(&key).copied());
                match (found, insert) {
                    (None, true) => {
                        keys.push(key);
                        index.insert(hash, keys.len() - 1);
                        held.insert(key, keys.len() - 1);
                    }
                    (Some(slot), false) => {
                        index.remove(hash, slot);
                        held.remove(&key);
                    }
                    _ => {}
                }
            }
            for (key, slot) in held {
                let hash = key % 7 + (key % 3) * 64;
                prop_assert_eq!(index.find(hash, |slot| keys[slot] == key), Some(slot));
            }
        }
    }
}
