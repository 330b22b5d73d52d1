//! Clients by how much they hold: in ranks, each for twice the weight of the one below.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::{Client, NONE};

/// One for each power of two.
const RANKS: usize = 64;

/// One client: its things from the oldest to the newest, and its neighbours in its rank.
#[derive(Clone, Copy)]
struct Owner {
    client: Client,
    weight: u64,
    oldest: u32,
    newest: u32,
    rank: Option<u8>,
    ahead: u32,
    behind: u32,
}

/// Owners in a row.
#[derive(Clone, Copy)]
struct Row {
    first: u32,
    last: u32,
}

const EMPTY: Row = Row {
    first: NONE,
    last: NONE,
};

/// The clients that hold anything.
pub(super) struct Owners {
    numbers: HashMap<Client, u32, RandomState>,
    all: Vec<Owner>,
    free: Vec<u32>,
    /// The next one that loses something is the first in its row.
    ranks: [Row; RANKS],
    /// A bit for each rank that is not empty.
    occupied: u64,
}

impl Default for Owners {
    fn default() -> Self {
        Self {
            numbers: HashMap::default(),
            all: Vec::new(),
            free: Vec::new(),
            ranks: [EMPTY; RANKS],
            occupied: 0,
        }
    }
}

impl Owners {
    /// The number of a client; one that holds nothing yet must gain something next.
    pub(super) fn of(&mut self, client: &Client) -> u32 {
        if let Some(number) = self.numbers.get(client) {
            return *number;
        }
        let owner = Owner {
            client: *client,
            weight: 0,
            oldest: NONE,
            newest: NONE,
            rank: None,
            ahead: NONE,
            behind: NONE,
        };
        let number = if let Some(number) = self.free.pop() {
            self.all[number as usize] = owner;
            number
        } else {
            self.all.push(owner);
            // One for each thing at most.
            u32::try_from(self.all.len() - 1).unwrap_or(NONE)
        };
        self.numbers.insert(*client, number);
        number
    }

    /// The newest thing of an owner.
    pub(super) fn newest(&self, number: u32) -> u32 {
        self.all[number as usize].newest
    }

    /// A thing was added to an owner's.
    pub(super) fn gain(&mut self, number: u32, thing: u32, weight: u32) {
        let owner = &mut self.all[number as usize];
        if owner.oldest == NONE {
            owner.oldest = thing;
        }
        owner.newest = thing;
        self.reweigh(number, 0, weight);
    }

    /// A thing was taken from an owner's; it stood between two others, or at an end.
    pub(super) fn lose(&mut self, number: u32, weight: u32, older: u32, newer: u32) {
        let owner = &mut self.all[number as usize];
        if older == NONE {
            owner.oldest = newer;
        }
        if newer == NONE {
            owner.newest = older;
        }
        if owner.oldest == NONE {
            let client = owner.client;
            self.leave(number);
            self.numbers.remove(&client);
            self.free.push(number);
        } else {
            self.reweigh(number, weight, 0);
        }
    }

    /// A thing of an owner weighs something else now.
    pub(super) fn reweigh(&mut self, number: u32, before: u32, now: u32) {
        let owner = &mut self.all[number as usize];
        owner.weight = (owner.weight + u64::from(now)).saturating_sub(u64::from(before));
        // Fewer than 64.
        let rank = u8::try_from(owner.weight.max(1).ilog2()).unwrap_or(0);
        if owner.rank != Some(rank) {
            self.leave(number);
            self.enter(number, rank);
        }
    }

    /// The oldest thing of an owner in the highest rank; of several there, they take turns.
    pub(super) fn oldest_of_heaviest(&mut self) -> Option<u32> {
        let rank = u8::try_from(self.occupied.checked_ilog2()?).ok()?;
        let number = self.ranks[usize::from(rank)].first;
        let oldest = self.all.get(number as usize)?.oldest;
        self.leave(number);
        self.enter(number, rank);
        Some(oldest)
    }

    fn enter(&mut self, number: u32, rank: u8) {
        let row = &mut self.ranks[usize::from(rank)];
        let ahead = std::mem::replace(&mut row.last, number);
        match self.all.get_mut(ahead as usize) {
            Some(owner) => owner.behind = number,
            None => row.first = number,
        }
        let owner = &mut self.all[number as usize];
        (owner.rank, owner.ahead, owner.behind) = (Some(rank), ahead, NONE);
        self.occupied |= 1 << rank;
    }

    fn leave(&mut self, number: u32) {
        let owner = &mut self.all[number as usize];
        let (ahead, behind) = (owner.ahead, owner.behind);
        let Some(rank) = owner.rank.take() else {
            return;
        };
        let row = &mut self.ranks[usize::from(rank)];
        match self.all.get_mut(ahead as usize) {
            Some(owner) => owner.behind = behind,
            None => row.first = behind,
        }
        match self.all.get_mut(behind as usize) {
            Some(owner) => owner.ahead = ahead,
            None => row.last = ahead,
        }
        if row.first == NONE {
            self.occupied &= !(1 << rank);
        }
    }
}
