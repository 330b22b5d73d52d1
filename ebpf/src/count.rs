//! Counters: "seen" first, then exactly one outcome for each packet.

use octroi_abi::opaque::Opaque;
use octroi_abi::outcome::{self, Direction, Loss, Outcome};

use crate::maps::COUNTERS;

#[inline(always)]
fn add(index: u32) {
    if let Some(counter) = COUNTERS.get_ptr_mut(index) {
        // SAFETY: this CPU's own slot; programs of one CPU do not interrupt each other here.
        unsafe { *counter += 1 };
    }
}

/// A packet came.
#[inline(always)]
pub fn seen(direction: Direction) {
    add(outcome::seen_index(direction));
}

/// It ended so.
#[inline(always)]
pub fn outcome(direction: Direction, outcome: Outcome) {
    add(outcome::outcome_index(direction, outcome));
}

/// It was opaque in this way (a code, checked by the array's bound).
#[inline(always)]
pub fn opaque(code: u8) {
    if code != 0 && (code as u32) < Opaque::COUNT {
        add(outcome::opaque_index(Opaque::None) + code as u32);
    }
}

/// Something did not reach userspace.
#[inline(always)]
pub fn loss(loss: Loss) {
    add(outcome::loss_index(loss));
}
