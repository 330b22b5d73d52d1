//! Events: one for a decision, into the ring.

use aya_ebpf::bindings::{BPF_RB_AVAIL_DATA, BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP};
use aya_ebpf::helpers::generated::bpf_ringbuf_query;
use octroi_abi::event::{EVENTS_RING_BYTES, FlowEvent, kind};
use octroi_abi::flow::FlowKey;
use octroi_abi::opaque::Opaque;
use octroi_abi::outcome::{Direction, Loss, Outcome};
use octroi_abi::rules::RULE_NONE;
use octroi_abi::table::Account;

use crate::count;
use crate::maps::{EVENTS, LIMITS};
use crate::packet::Packet;

/// Bytes that wait in the ring before userspace is woken for them.
const WAKE_AT_BYTES: u64 = EVENTS_RING_BYTES as u64 / 16;

/// Several CPUs may step over the very mark.
const WAKE_WINDOW_BYTES: u64 = 4_096;

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

/// What a packet came to.
#[derive(Clone, Copy)]
pub struct Told {
    /// [`kind`].
    pub kind: u8,
    /// Its outcome.
    pub outcome: Outcome,
    /// Shadow rule, or `RULE_NONE`.
    pub shadow_rule: u16,
    /// Code of its verdict.
    pub shadow_verdict: u8,
    /// [`octroi_abi::event::end`], or 0.
    pub reason: u8,
}

impl Told {
    /// Without a shadow rule.
    #[inline(always)]
    pub fn plain(kind: u8, outcome: Outcome) -> Self {
        Self { kind, outcome, shadow_rule: RULE_NONE, shadow_verdict: 0, reason: 0 }
    }
}

/// Tells userspace. Nobody is woken for it: userspace looks every few milliseconds and takes what
/// is there, so that a flood of flows costs no wake-ups. A ring that fills wakes it at once.
#[inline(always)]
pub fn emit(told: Told, sight: &Sight, key: &FlowKey, account: &Account) {
    let Some(mut entry) = EVENTS.reserve_untyped::<FlowEvent>(0) else {
        return count::loss(Loss::Event);
    };
    let event = entry.as_mut_ptr();
    // SAFETY: the entry is this program's until it is submitted. Field by field: a whole event would
    // be put together on the stack first.
    unsafe {
        (*event).time_ns = sight.now_ns;
        (*event).key = *key;
        (*event).account = *account;
        (*event).ifindex = sight.ifindex;
        (*event).wire_bytes = sight.wire_bytes;
        (*event).shadow_rule = told.shadow_rule;
        (*event).shadow_verdict = told.shadow_verdict;
        (*event).kind = told.kind;
        (*event).direction = sight.direction as u8;
        (*event).outcome = told.outcome as u8;
        (*event).reason = told.reason;
        (*event).reserved = 0;
    }
    // SAFETY: a helper on the program's own ring.
    let waiting = unsafe {
        bpf_ringbuf_query(
            core::ptr::from_ref(&EVENTS).cast_mut().cast(),
            BPF_RB_AVAIL_DATA as u64,
        )
    };
    // Once, as the mark is passed: a reader that is behind is awake already.
    let passes = waiting > WAKE_AT_BYTES && waiting < WAKE_AT_BYTES + WAKE_WINDOW_BYTES;
    entry.submit(if passes { BPF_RB_FORCE_WAKEUP } else { BPF_RB_NO_WAKEUP } as u64);
}

/// Tells userspace the account of a flow that left the table.
#[inline(never)]
pub fn emit_ended(sight: &Sight, reason: u8, key: &FlowKey, account: &Account) {
    let told = Told { reason, ..Told::plain(kind::ENDED, Outcome::Control) };
    emit(told, sight, key, account);
}

/// Tells userspace of an opaque packet without a flow, at most once a second for each kind and CPU.
#[inline(always)]
pub fn opaque(sight: &Sight, outcome: Outcome, packet: &Packet, account: &Account) {
    let Some(limits) = LIMITS.get_ptr_mut(0) else {
        return;
    };
    let code = packet.opaque as usize;
    if code >= Opaque::COUNT as usize {
        return;
    }
    // SAFETY: this CPU's own slot, index checked.
    let last = unsafe { &mut (*limits).opaque_event_ns[code] };
    if *last != 0 && sight.now_ns.wrapping_sub(*last) < OPAQUE_EVENT_NS {
        return;
    }
    *last = sight.now_ns;
    emit(Told::plain(kind::OPAQUE, outcome), sight, &packet.key, account);
}
