//! Events: one for a decision, into the ring.

use aya_ebpf::bindings::{BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP};
use octroi_abi::event::{FlowEvent, kind};
use octroi_abi::flow::FlowKey;
use octroi_abi::opaque::Opaque;
use octroi_abi::outcome::{Direction, Loss, Outcome};
use octroi_abi::rules::RULE_NONE;
use octroi_abi::table::Account;

use crate::count;
use crate::maps::{EVENTS, LIMITS};
use crate::packet::Packet;

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

/// Whether a record wakes userspace: the first one of each tick of the coarse clock and CPU. A wake-up
/// costs more than the record, so that a flood must not bring one for each; userspace looks now and
/// then by itself.
#[inline(always)]
pub fn wake(now_ns: u64) -> u64 {
    let Some(limits) = LIMITS.get_ptr_mut(0) else {
        return BPF_RB_FORCE_WAKEUP as u64;
    };
    // SAFETY: this CPU's own slot.
    let last = unsafe { &mut (*limits).wake_ns };
    if *last == now_ns {
        return BPF_RB_NO_WAKEUP as u64;
    }
    *last = now_ns;
    BPF_RB_FORCE_WAKEUP as u64
}

/// Tells userspace.
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
    entry.submit(wake(sight.now_ns));
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
