//! The flow table: finding a flow, putting one in, making room.
//!
//! The shapes and the protocol between those who share the table are in `octroi_abi::table`.

use core::ptr::{read_volatile, write_volatile};

use octroi_abi::control::Control;
use octroi_abi::event::end;
use octroi_abi::flow::FlowKey;
use octroi_abi::outcome::Loss;
use octroi_abi::table::{
    self, Account, BUCKET_SLOTS, HEAD_MASK, HELD, LIVE, SPILL_AT, SPILLED, STATE_SHIFT, SlotV4,
    SlotV6, TAKEN,
};

use crate::event::{self, Sight};
use crate::maps::{FLOWS_V4, FLOWS_V6};
use crate::packet::words;
use crate::{atomic, count};

/// What a search comes to. It stands in a map: the verifier takes what it reads there as unknown,
/// so that the sixteen places where a flow can be found are one to it.
#[repr(C)]
pub struct Search {
    /// Bucket times [`BUCKET_SLOTS`] plus slot, or [`NOWHERE`].
    index: u32,
    /// Used slots of the bucket.
    used: u32,
    /// The slot that a flow would get, in the low three bits, under how long its flow was quiet.
    best: u64,
    /// The decision of the flow that was found.
    decided: u64,
}

/// A flow was not found.
const NOWHERE: u32 = u32::MAX;
/// Bits of a number of a slot in its bucket.
const SLOT_BITS: u32 = BUCKET_SLOTS.trailing_zeros();
/// Longer than any flow can be quiet: an empty slot.
const FOREVER: u64 = 1 << 32;

/// A flow that was found.
pub struct Found {
    /// Where it is kept.
    pub account: *mut Account,
    /// Its decision ([`table::Decided`]), read while the slot surely was this flow's.
    pub decided: u64,
}

/// What both families' slots offer.
trait Slot: Copy {
    /// What of a key stands in front of the account.
    type Addresses: Copy;
    /// Of a key.
    fn addresses(key: &FlowKey) -> Self::Addresses;
    /// Whether a slot has these.
    fn is_at(slot: *mut Self, addresses: Self::Addresses) -> bool;
    /// Writes them.
    fn put(slot: *mut Self, addresses: Self::Addresses);
    /// The account of a slot.
    fn account(slot: *mut Self) -> *mut Account;
    /// The key of a slot.
    fn key(slot: *mut Self) -> FlowKey;
}

impl Slot for SlotV4 {
    type Addresses = u64;

    #[inline(always)]
    fn addresses(key: &FlowKey) -> u64 {
        words(&key.inside)[1] >> 32 | words(&key.outside)[1] & 0xffff_ffff_0000_0000
    }

    #[inline(always)]
    fn is_at(slot: *mut Self, addresses: u64) -> bool {
        // SAFETY: a slot of the table.
        unsafe { read_volatile(&raw const (*slot).addresses[0]) == addresses }
    }

    #[inline(always)]
    fn put(slot: *mut Self, addresses: u64) {
        // SAFETY: a slot of the table that this CPU has taken.
        unsafe { write_volatile(&raw mut (*slot).addresses[0], addresses) };
    }

    #[inline(always)]
    fn account(slot: *mut Self) -> *mut Account {
        // SAFETY: a slot of the table.
        unsafe { &raw mut (*slot).account }
    }

    #[inline(always)]
    fn key(slot: *mut Self) -> FlowKey {
        // SAFETY: a slot of the table that this CPU has taken.
        let slot = unsafe { &*slot };
        table::key_v4(slot.addresses[0], &slot.account)
    }
}

impl Slot for SlotV6 {
    type Addresses = [u64; 4];

    #[inline(always)]
    fn addresses(key: &FlowKey) -> [u64; 4] {
        let [a, b] = words(&key.inside);
        let [c, d] = words(&key.outside);
        [a, b, c, d]
    }

    #[inline(always)]
    fn is_at(slot: *mut Self, addresses: [u64; 4]) -> bool {
        // SAFETY: a slot of the table.
        unsafe {
            let at = &raw const (*slot).addresses;
            read_volatile(&raw const (*at)[3]) == addresses[3]
                && read_volatile(&raw const (*at)[1]) == addresses[1]
                && read_volatile(&raw const (*at)[2]) == addresses[2]
                && read_volatile(&raw const (*at)[0]) == addresses[0]
        }
    }

    #[inline(always)]
    fn put(slot: *mut Self, addresses: [u64; 4]) {
        // SAFETY: a slot of the table that this CPU has taken.
        unsafe { write_volatile(&raw mut (*slot).addresses, addresses) };
    }

    #[inline(always)]
    fn account(slot: *mut Self) -> *mut Account {
        // SAFETY: a slot of the table.
        unsafe { &raw mut (*slot).account }
    }

    #[inline(always)]
    fn key(slot: *mut Self) -> FlowKey {
        // SAFETY: a slot of the table that this CPU has taken.
        let slot = unsafe { &*slot };
        let [a, b, c, d] = slot.addresses;
        crate::packet::flow_key(
            octroi_abi::outcome::Direction::Outbound,
            [a, b],
            [c, d],
            slot.account.inside_port,
            slot.account.outside_port,
            slot.account.protocol,
            6,
        )
    }
}

/// Ports and protocol of a key.
#[inline(always)]
fn head_of(key: &FlowKey) -> u64 {
    // SAFETY: the last of the five words of a key, which is aligned to 8.
    let last = unsafe { *core::ptr::from_ref(key).cast::<u64>().add(4) };
    last & HEAD_MASK
}

#[inline(always)]
fn state_of(account: *mut Account) -> u8 {
    // SAFETY: an account of the table.
    unsafe { read_volatile(&raw const (*account).state) }
}

/// The word that holds the state of a slot.
#[inline(always)]
fn tail(account: *mut Account) -> *mut u32 {
    // SAFETY: the last four bytes of the account, aligned to 4: class, carry, state.
    unsafe { account.cast::<u32>().add(size_of::<Account>() / 4 - 1) }
}

/// Whether a slot is this flow's, now.
#[inline(always)]
fn is_flow<S: Slot>(slot: *mut S, addresses: S::Addresses, head: u64) -> bool {
    let account = S::account(slot);
    // SAFETY: an account of the table; its first word is ports, protocol and what is masked out.
    S::is_at(slot, addresses)
        && unsafe { read_volatile(account.cast::<u64>()) } & HEAD_MASK == head
        && state_of(account) & LIVE != 0
}

#[inline(always)]
fn slot_of<S: Slot>(bucket: *mut [S; BUCKET_SLOTS], number: u32) -> *mut S {
    // SAFETY: within the bucket.
    unsafe { bucket.cast::<S>().add(number as usize & (BUCKET_SLOTS - 1)) }
}

/// Looks for a flow in bucket number `at`.
#[inline(always)]
fn probe<S: Slot>(
    bucket: *mut [S; BUCKET_SLOTS],
    at: u32,
    addresses: S::Addresses,
    head: u64,
    search: &mut Search,
) {
    for number in 0..BUCKET_SLOTS as u32 {
        let slot = slot_of(bucket, number);
        if is_flow(slot, addresses, head) {
            // SAFETY: an account of the table; and the search of this CPU.
            unsafe {
                let decided = read_volatile(&raw const (*S::account(slot)).decided);
                write_volatile(&raw mut search.decided, decided);
                write_volatile(&raw mut search.index, at << SLOT_BITS | number);
            }
            // Once more: another CPU may have given the slot to another flow in between. Loads are
            // not reordered on x86.
            if is_flow(slot, addresses, head) {
                return;
            }
            // SAFETY: the search of this CPU.
            unsafe { write_volatile(&raw mut search.index, NOWHERE) };
        }
    }
}

#[inline(always)]
fn has_spilled<S: Slot>(bucket: *mut [S; BUCKET_SLOTS]) -> bool {
    state_of(S::account(slot_of(bucket, 0))) & SPILLED != 0
}

/// Finds where in a bucket a flow would go, and how many slots are used.
#[inline(always)]
fn survey<S: Slot>(bucket: *mut [S; BUCKET_SLOTS], now: u32, search: &mut Search) {
    // SAFETY: the search of this CPU.
    unsafe {
        write_volatile(&raw mut search.best, 0);
        write_volatile(&raw mut search.used, 0);
    }
    for number in 0..BUCKET_SLOTS as u32 {
        let account = S::account(slot_of(bucket, number));
        let state = state_of(account) & (TAKEN | LIVE | HELD);
        // SAFETY: an account of the table; and the search of this CPU.
        unsafe {
            let mut age = FOREVER;
            if state != 0 {
                let used = read_volatile(&raw const search.used);
                write_volatile(&raw mut search.used, used + 1);
                // Who is being written or held is never chosen before others.
                age = if state == LIVE {
                    quiet_for(now, read_volatile(&raw const (*account).last))
                } else {
                    0
                };
            }
            let this = age << SLOT_BITS | number as u64;
            if this >> SLOT_BITS > read_volatile(&raw const search.best) >> SLOT_BITS {
                write_volatile(&raw mut search.best, this);
            }
        }
    }
}

macro_rules! family {
    ($find:ident, $at:ident, $insert:ident, $map:ident, $slot:ty, $hash:path, $mask:ident) => {
        #[inline(never)]
        fn $find(control: &Control, key: &FlowKey, search: &mut Search) {
            search.index = NOWHERE;
            let addresses = <$slot>::addresses(key);
            let head = head_of(key);
            let [first, second] =
                table::buckets($hash(control.seed, addresses, head), control.$mask);
            let Some(bucket) = $map.get_ptr_mut(first) else {
                return;
            };
            probe(bucket, first, addresses, head, search);
            // SAFETY: the search of this CPU.
            let found = unsafe { read_volatile(&raw const search.index) } != NOWHERE;
            if found || !has_spilled(bucket) {
                return;
            }
            if let Some(bucket) = $map.get_ptr_mut(second) {
                probe(bucket, second, addresses, head, search);
            }
        }

        #[inline(always)]
        fn $at(search: &Search) -> Option<Found> {
            // SAFETY: the search of this CPU.
            let index = unsafe { read_volatile(&raw const search.index) };
            if index == NOWHERE {
                return None;
            }
            let bucket = $map.get_ptr_mut(index >> SLOT_BITS)?;
            Some(Found {
                account: <$slot>::account(slot_of(bucket, index)),
                decided: search.decided,
            })
        }

        #[inline(never)]
        fn $insert(
            control: &Control,
            key: &FlowKey,
            new: &Account,
            sight: &Sight,
            search: &mut Search,
        ) {
            search.index = NOWHERE;
            let addresses = <$slot>::addresses(key);
            let [first, second] =
                table::buckets($hash(control.seed, addresses, head_of(key)), control.$mask);
            let Some(bucket) = $map.get_ptr_mut(first) else {
                return;
            };
            survey(bucket, new.last, search);
            // SAFETY: the search of this CPU.
            let (used, best) = unsafe {
                (read_volatile(&raw const search.used), read_volatile(&raw const search.best))
            };
            search.index = first << SLOT_BITS | best as u32 & (BUCKET_SLOTS as u32 - 1);
            if used >= SPILL_AT
                && let Some(other) = $map.get_ptr_mut(second)
            {
                survey(other, new.last, search);
                // SAFETY: the search of this CPU.
                let (used_there, best_there) = unsafe {
                    (read_volatile(&raw const search.used), read_volatile(&raw const search.best))
                };
                if used_there < used
                    || (used_there == used && best_there >> SLOT_BITS > best >> SLOT_BITS)
                {
                    // Before the flow stands there: nobody must look for it in vain.
                    let mark = <$slot>::account(slot_of(bucket, 0));
                    atomic::or(tail(mark), (SPILLED as u32) << STATE_SHIFT);
                    search.index =
                        second << SLOT_BITS | best_there as u32 & (BUCKET_SLOTS as u32 - 1);
                }
            }
            // SAFETY: the search of this CPU.
            let index = unsafe { read_volatile(&raw const search.index) };
            let done = $map
                .get_ptr_mut(index >> SLOT_BITS)
                .is_some_and(|bucket| put(slot_of(bucket, index), addresses, new, sight));
            if !done {
                search.index = NOWHERE;
            }
        }
    };
}

family!(find_v4, at_v4, insert_v4, FLOWS_V4, SlotV4, table::hash_v4, v4_mask);
family!(find_v6, at_v6, insert_v6, FLOWS_V6, SlotV6, table::hash_v6, v6_mask);

/// Finds a flow.
#[inline(always)]
pub fn find(control: &Control, key: &FlowKey, search: &mut Search) -> Option<Found> {
    if key.family == 4 {
        find_v4(control, key, search);
        at_v4(search)
    } else {
        find_v6(control, key, search);
        at_v6(search)
    }
}

/// Puts a flow in that is not there; `None`: its place was taken at this very moment.
#[inline(always)]
pub fn insert(
    control: &Control,
    key: &FlowKey,
    new: &Account,
    sight: &Sight,
    search: &mut Search,
) -> Option<Found> {
    search.decided = new.decided;
    if key.family == 4 {
        insert_v4(control, key, new, sight, search);
        at_v4(search)
    } else {
        insert_v6(control, key, new, sight, search);
        at_v6(search)
    }
}

/// How long a flow was quiet. Another CPU may have counted a packet a tick ahead.
#[inline(always)]
fn quiet_for(now: u32, last: u32) -> u64 {
    let age = now.wrapping_sub(last);
    if age > u32::MAX - 1024 { 0 } else { age as u64 }
}

/// Takes a slot, tells of the flow that was there, and writes the new one.
#[inline(always)]
fn put<S: Slot>(
    slot: *mut S,
    addresses: S::Addresses,
    new: &Account,
    sight: &Sight,
) -> bool {
    let account = S::account(slot);
    let Some(before) = take(account) else {
        return false;
    };
    if before & LIVE != 0 {
        count::loss(Loss::FlowEvicted);
        ended(slot, sight, end::EVICTED);
    }
    S::put(slot, addresses);
    write(account, new);
    true
}

/// Takes a slot that is empty, or live and not held. Returns its state before.
#[inline(always)]
fn take(account: *mut Account) -> Option<u8> {
    let word = tail(account);
    // SAFETY: an account of the table.
    let before = unsafe { read_volatile(word) };
    let state = (before >> STATE_SHIFT) as u8;
    if state & (TAKEN | HELD) != 0 {
        return None;
    }
    let after = before & !((LIVE as u32) << STATE_SHIFT) | (TAKEN as u32) << STATE_SHIFT;
    (atomic::compare_exchange(word, before, after) == before).then_some(state)
}

/// Writes an account into a slot that this CPU has taken, and makes it findable.
#[inline(always)]
fn write(account: *mut Account, new: &Account) {
    // SAFETY: an account of the table that this CPU has taken. Its state is left alone.
    unsafe {
        let (to, from) = (account.cast::<u64>(), core::ptr::from_ref(new).cast::<u64>());
        for word in 0..table::ACCOUNT_WORDS - 1 {
            write_volatile(to.add(word), *from.add(word));
        }
        write_volatile(&raw mut (*account).stopped, new.stopped);
        write_volatile(&raw mut (*account).class, new.class);
        write_volatile(&raw mut (*account).carry, new.carry);
    }
    // Taken becomes live in one step.
    atomic::xor(tail(account), ((TAKEN | LIVE) as u32) << STATE_SHIFT);
}

/// Begins a flow anew in its own slot: a connection with the ports of one that ended. `None`:
/// somebody else took the slot at this very moment.
#[inline(always)]
pub fn reopen(
    account: *mut Account,
    key: &FlowKey,
    new: &Account,
    sight: &Sight,
) -> Option<Found> {
    take(account)?;
    // SAFETY: an account of the table that this CPU has taken.
    event::emit_ended(sight, end::REOPENED, key, unsafe { &*account });
    write(account, new);
    Some(Found { account, decided: new.decided })
}

#[inline(always)]
fn ended<S: Slot>(slot: *mut S, sight: &Sight, reason: u8) {
    let key = S::key(slot);
    // SAFETY: an account of the table that this CPU has taken.
    event::emit_ended(sight, reason, &key, unsafe { &*S::account(slot) });
}

/// Replaces the decision of a flow, if it still is `before`.
#[inline(always)]
pub fn redecide(account: *mut Account, before: u64, after: u64) -> bool {
    // SAFETY: an account of the table.
    let word = unsafe { &raw mut (*account).decided };
    atomic::compare_exchange_64(word, before, after) == before
}
