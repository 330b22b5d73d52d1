//! The flow tables, shared with the kernel programs: the protocol of `octroi_abi::table` from
//! userspace's side.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use octroi_abi::flow::FlowKey;
use octroi_abi::table::{
    ACCOUNT_WORDS, Account, BUCKET_SLOTS, Decided, HEAD_MASK, HELD, LIVE, SPILLED, SlotV4, SlotV6,
    TAKEN, addresses_v4, buckets, hash_v4, hash_v6, head, key_v4,
};

use crate::mapping::Mapping;

/// Bits by which the state is shifted in the last word of an account.
const STATE: u32 = 56;
/// Looks at a slot that changes under the reader before it is passed over.
const LOOKS: usize = 8;
/// Tries to hold a slot that somebody else holds: it is held for well under a microsecond.
const TRIES: usize = 10_000;

/// No kernel program writes a slot for so long: it writes sixty bytes.
const LONGEST_WRITE: Duration = Duration::from_millis(20);

/// A family of flows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Family {
    V4,
    V6,
}

impl Family {
    pub(crate) const fn slot_bytes(self) -> usize {
        match self {
            Self::V4 => size_of::<SlotV4>(),
            Self::V6 => size_of::<SlotV6>(),
        }
    }

    /// Words of addresses in front of the account.
    const fn address_words(self) -> usize {
        match self {
            Self::V4 => 1,
            Self::V6 => 4,
        }
    }
}

/// One family's table.
#[derive(Debug)]
pub(crate) struct FlowTable {
    family: Family,
    seed: u64,
    mask: u32,
    mapping: Mapping,
}

/// The words of a slot.
struct Slot<'a> {
    family: Family,
    words: &'a [AtomicU64],
}

impl FlowTable {
    /// Over a mapping of `mask + 1` buckets.
    pub(crate) fn new(family: Family, seed: u64, mask: u32, mapping: Mapping) -> Self {
        Self {
            family,
            seed,
            mask,
            mapping,
        }
    }

    /// Flows that there is room for.
    pub(crate) fn capacity(&self) -> usize {
        (self.mask as usize + 1) * BUCKET_SLOTS
    }

    fn slots(&self, places: Range<usize>) -> impl Iterator<Item = Slot<'_>> {
        let words = self.family.slot_bytes() / 8;
        let family = self.family;
        let all = self.mapping.words();
        let end = places.end.saturating_mul(words).min(all.len());
        let start = places.start.saturating_mul(words).min(end);
        all[start..end]
            .chunks_exact(words)
            .map(move |words| Slot { family, words })
    }

    fn bucket(&self, number: u32) -> impl Iterator<Item = Slot<'_>> {
        let first = number as usize * BUCKET_SLOTS;
        self.slots(first..first + BUCKET_SLOTS)
    }

    fn places(&self, key: &FlowKey) -> [u32; 2] {
        let head = head(key.inside_port, key.outside_port, key.protocol);
        let hash = match self.family {
            Family::V4 => hash_v4(self.seed, addresses_v4(key), head),
            Family::V6 => hash_v6(self.seed, addresses_v6(key), head),
        };
        buckets(hash, self.mask)
    }

    /// Visits the flows in some places (of [`FlowTable::capacity`]). Flows that come or go meanwhile
    /// may be missed; none changes its place.
    pub(crate) fn visit(
        &self,
        places: Range<usize>,
        visit: &mut dyn FnMut(FlowKey, &Account),
    ) -> usize {
        let mut visited = 0;
        for slot in self.slots(places) {
            if let Some((key, account)) = slot.read() {
                visit(key, &account);
                visited += 1;
            }
        }
        visited
    }

    fn find(&self, key: &FlowKey) -> Option<(Slot<'_>, Account)> {
        let [first, second] = self.places(key);
        self.bucket(first)
            .chain(self.bucket(second))
            .find_map(|slot| {
                let (found, account) = slot.read()?;
                (found == *key).then_some((slot, account))
            })
    }

    /// The account of a flow.
    pub(crate) fn get(&self, key: &FlowKey) -> Option<Account> {
        self.find(key).map(|(_, account)| account)
    }

    /// Removes a flow, if it is the one that is meant. Returns its last account: not a byte is
    /// counted after it.
    pub(crate) fn remove(
        &self,
        key: &FlowKey,
        is_meant: impl FnOnce(&Account) -> bool,
    ) -> Option<Account> {
        let (slot, _) = self.find(key)?;
        slot.hold(key)?;
        if !is_meant(&slot.account()) {
            slot.change_state(HELD, 0);
            return None;
        }
        slot.change_state(LIVE | HELD, TAKEN);
        let account = slot.account();
        slot.change_state(TAKEN, 0);
        Some(account)
    }

    /// Changes the decision of a flow in place. `change` gives the new decision and class, or says
    /// why not. `false`: the kernel judged the flow at this very moment, and that stands. `None`:
    /// there is no such flow.
    pub(crate) fn decide<E>(
        &self,
        key: &FlowKey,
        change: impl FnOnce(&Account) -> Result<(Decided, u16), E>,
    ) -> Option<Result<bool, E>> {
        let (slot, _) = self.find(key)?;
        slot.hold(key)?;
        let account = slot.account();
        let changed = change(&account).map(|(decided, class)| {
            let done = slot.set_decided(account.decided, decided.pack());
            if done {
                slot.set_class(class);
            }
            done
        });
        slot.change_state(HELD, 0);
        Some(changed)
    }

    /// Puts a flow in, as it was kept elsewhere. `false`: it is there already, or both its buckets
    /// are full.
    pub(crate) fn insert(&self, key: &FlowKey, account: &Account) -> bool {
        if self.find(key).is_some() {
            return false;
        }
        let [first, second] = self.places(key);
        if self.bucket(first).any(|slot| slot.put(key, account)) {
            return true;
        }
        if let Some(mark) = self.bucket(first).next() {
            mark.change_state(0, SPILLED);
        }
        self.bucket(second).any(|slot| slot.put(key, account))
    }

    /// Frees what a process left behind that died in the middle of a change: slots that are held,
    /// and slots that are still being written after a time in which no kernel program is.
    pub(crate) fn recover(&self) -> usize {
        let held = self
            .slots(0..self.capacity())
            .filter(|slot| slot.state() & HELD != 0);
        let mut freed = held.map(|slot| slot.change_state(HELD, 0)).count();
        let is_taken = |slot: &Slot<'_>| slot.state() & TAKEN != 0;
        let taken: Vec<_> = self
            .slots(0..self.capacity())
            .filter(is_taken)
            .map(|slot| (slot.account(), slot))
            .collect();
        if !taken.is_empty() {
            std::thread::sleep(LONGEST_WRITE);
        }
        for (before, slot) in taken {
            if is_taken(&slot) && slot.account() == before {
                slot.change_state(TAKEN | LIVE, 0);
                freed += 1;
            }
        }
        freed
    }
}

impl Slot<'_> {
    fn word(&self, number: usize) -> &AtomicU64 {
        &self.words[number]
    }

    /// The word that holds the state.
    fn last(&self) -> &AtomicU64 {
        self.word(self.family.address_words() + ACCOUNT_WORDS - 1)
    }

    fn state(&self) -> u8 {
        (self.last().load(Ordering::Acquire) >> STATE) as u8
    }

    /// Clears and sets bits of the state.
    fn change_state(&self, clear: u8, set: u8) {
        let change = |word: u64| word & !(u64::from(clear) << STATE) | u64::from(set) << STATE;
        self.last()
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| {
                Some(change(word))
            })
            .ok();
    }

    fn addresses(&self) -> [u64; 4] {
        let mut addresses = [0; 4];
        for (word, slot) in addresses
            .iter_mut()
            .zip(self.words.iter().take(self.family.address_words()))
        {
            *word = slot.load(Ordering::Acquire);
        }
        addresses
    }

    fn account(&self) -> Account {
        let first = self.family.address_words();
        Account::from_words(std::array::from_fn(|number| {
            self.word(first + number).load(Ordering::Acquire)
        }))
    }

    fn key(&self, addresses: [u64; 4], account: &Account) -> FlowKey {
        match self.family {
            Family::V4 => key_v4(addresses[0], account),
            Family::V6 => FlowKey {
                inside: bytes([addresses[0], addresses[1]]),
                outside: bytes([addresses[2], addresses[3]]),
                inside_port: account.inside_port,
                outside_port: account.outside_port,
                protocol: account.protocol,
                family: 6,
                reserved: [0; 2],
            },
        }
    }

    /// The flow of a slot, if there is one; key and account belong together.
    fn read(&self) -> Option<(FlowKey, Account)> {
        for _ in 0..LOOKS {
            if self.state() & LIVE == 0 {
                return None;
            }
            let addresses = self.addresses();
            let account = self.account();
            let again = self.account();
            let same = account.first == again.first
                && account.words()[0] & HEAD_MASK == again.words()[0] & HEAD_MASK
                && self.addresses() == addresses;
            if account.state & LIVE != 0 && again.state & LIVE != 0 && same {
                return Some((self.key(addresses, &account), account));
            }
        }
        None
    }

    /// Holds a slot as long as it is this flow's: nobody takes it until it is let go.
    fn hold(&self, key: &FlowKey) -> Option<()> {
        let held = |word: u64| {
            let state = (word >> STATE) as u8;
            (state & (LIVE | HELD) == LIVE).then_some(word | u64::from(HELD) << STATE)
        };
        let mut tries = 0;
        while self
            .last()
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, held)
            .is_err()
        {
            tries += 1;
            if self.state() & LIVE == 0 || tries > TRIES {
                return None;
            }
            std::hint::spin_loop();
        }
        if self.key(self.addresses(), &self.account()) == *key {
            return Some(());
        }
        self.change_state(HELD, 0);
        None
    }

    /// Writes a decision; a slot that is held may still be judged by the kernel, whose event is
    /// then on its way.
    fn set_decided(&self, before: u64, after: u64) -> bool {
        self.word(self.family.address_words() + 1)
            .compare_exchange(before, after, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    fn set_class(&self, class: u16) {
        let change = |word: u64| word & !(0xffff << 32) | u64::from(class) << 32;
        self.last()
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| {
                Some(change(word))
            })
            .ok();
    }

    /// Takes an empty slot and writes a flow into it.
    fn put(&self, key: &FlowKey, account: &Account) -> bool {
        let taken = |word: u64| {
            let state = (word >> STATE) as u8;
            (state & (LIVE | TAKEN | HELD) == 0).then_some(word | u64::from(TAKEN) << STATE)
        };
        let Ok(before) = self
            .last()
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, taken)
        else {
            return false;
        };
        let addresses = match self.family {
            Family::V4 => [addresses_v4(key), 0, 0, 0],
            Family::V6 => addresses_v6(key),
        };
        for (slot, word) in self
            .words
            .iter()
            .take(self.family.address_words())
            .zip(addresses)
        {
            slot.store(word, Ordering::Release);
        }
        let first = self.family.address_words();
        let words = Account {
            state: (before >> STATE) as u8 & SPILLED,
            ..*account
        }
        .words();
        for (number, word) in words.iter().enumerate().take(ACCOUNT_WORDS - 1) {
            self.word(first + number).store(*word, Ordering::Release);
        }
        let low = words[ACCOUNT_WORDS - 1] & !(0xff << STATE);
        let publish =
            |word: u64| (word & u64::from(SPILLED) << STATE) | u64::from(LIVE) << STATE | low;
        self.last()
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| {
                Some(publish(word))
            })
            .is_ok()
    }
}

fn addresses_v6(key: &FlowKey) -> [u64; 4] {
    let [a, b] = halves(key.inside);
    let [c, d] = halves(key.outside);
    [a, b, c, d]
}

fn halves(address: [u8; 16]) -> [u64; 2] {
    let all = u128::from_le_bytes(address);
    #[expect(clippy::cast_possible_truncation, reason = "each half is one word")]
    let halves = [all as u64, (all >> 64) as u64];
    halves
}

fn bytes(words: [u64; 2]) -> [u8; 16] {
    let mut bytes = [0; 16];
    for (part, word) in bytes.chunks_exact_mut(8).zip(words) {
        part.copy_from_slice(&word.to_le_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests;
