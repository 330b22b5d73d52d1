//! Events: one for a decision, into the ring.

use octroi_abi::event::{FlowEvent, kind};
use octroi_abi::flow::{FlowKey, FlowState};
use octroi_abi::opaque::Opaque;
use octroi_abi::outcome::{Direction, Loss, Outcome};

use crate::count;
use crate::maps::{EVENTS, LIMITS};

/// Least time between two events of one kind of opacity on one CPU.
const OPAQUE_EVENT_NS: u64 = 1_000_000_000;

/// Where and when a packet was seen.
#[derive(Clone, Copy)]
pub struct Sight {
    /// Monotonic nanoseconds, coarse.
    pub now_ns: u64,
    /// Interface index.
    pub ifindex: u32,
    /// Frame bytes.
    pub wire_bytes: u32,
    /// Which way.
    pub direction: Direction,
}

/// Tells userspace.
#[inline(always)]
pub fn emit(kind: u8, sight: &Sight, outcome: Outcome, key: &FlowKey, state: &FlowState) {
    let Some(mut entry) = EVENTS.reserve_untyped::<FlowEvent>(0) else {
        return count::loss(Loss::Event);
    };
    entry.write(FlowEvent {
        time_ns: sight.now_ns,
        key: *key,
        state: *state,
        ifindex: sight.ifindex,
        wire_bytes: sight.wire_bytes,
        kind,
        direction: sight.direction as u8,
        outcome: outcome as u8,
        reserved: [0; 5],
    });
    entry.submit(0);
}

/// Tells userspace of an opaque packet without a flow, at most once a second for each kind and CPU.
#[inline(always)]
pub fn opaque(sight: &Sight, outcome: Outcome, key: &FlowKey, state: &FlowState) {
    let Some(limits) = LIMITS.get_ptr_mut(0) else {
        return;
    };
    let code = state.opaque as usize;
    if code >= Opaque::COUNT as usize {
        return;
    }
    // SAFETY: this CPU's own slot, index checked.
    let last = unsafe { &mut (*limits).opaque_event_ns[code] };
    if *last != 0 && sight.now_ns.wrapping_sub(*last) < OPAQUE_EVENT_NS {
        return;
    }
    *last = sight.now_ns;
    emit(kind::OPAQUE, sight, outcome, key, state);
}
