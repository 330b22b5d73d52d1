//! The way out: an outbound packet on the inside interface (XDP).

use aya_ebpf::bindings::xdp_action::{XDP_DROP, XDP_PASS, XDP_TX};
use aya_ebpf::helpers::generated::bpf_ktime_get_coarse_ns;
use octroi_abi::control::Active;
use octroi_abi::event::kind;
use octroi_abi::flow::FlowState;
use octroi_abi::opaque::Opaque;
use octroi_abi::outcome::{Direction, Loss, Outcome};
use octroi_abi::verdict::Verdict;

use crate::event::{self, Sight};
use crate::frame::{Frame as _, XdpFrame};
use crate::judge;
use crate::link::Link;
use crate::maps::{CONTROL, FLOWS, SCRATCH, Sample, Scratch};
use crate::packet::{Packet, words};
use crate::{account, control, count, link, reject, sample};

const DIRECTION: Direction = Direction::Outbound;

/// One packet, from its first byte to exactly one outcome.
#[inline(always)]
pub fn run(frame: &XdpFrame, link: Link) -> u32 {
    count::seen(DIRECTION);
    let outcome = match SCRATCH.get_ptr_mut(DIRECTION as u32) {
        Some(scratch) => {
            // SAFETY: this CPU's and this direction's own slot.
            let scratch = unsafe { &mut *scratch };
            scratch.packet.reset();
            link::parse(frame, link, DIRECTION, &mut scratch.packet);
            decide(frame, scratch)
        }
        None => Outcome::InternalDrop,
    };
    count::outcome(DIRECTION, outcome);
    match outcome {
        Outcome::Rejected => XDP_TX,
        other if other.passes() => XDP_PASS,
        _ => XDP_DROP,
    }
}

#[inline(always)]
fn decide(frame: &XdpFrame, scratch: &mut Scratch) -> Outcome {
    let packet = &scratch.packet;
    count::opaque(packet.opaque);
    if packet.link_control != 0 {
        return Outcome::Control;
    }
    let Some(active) = active() else {
        return Outcome::InternalDrop;
    };
    // SAFETY: a helper without arguments.
    let now_ns = unsafe { bpf_ktime_get_coarse_ns() };
    if !packet.has_flow() {
        return without_flow(frame, scratch, active, now_ns);
    }
    if control::is_beyond_key(packet) && is_link(packet) {
        return Outcome::Control;
    }
    let mut found = FLOWS.get_ptr_mut(&packet.key);
    let mut told = 0;
    if !is_current(found, packet, active) {
        match resolve(scratch, active, now_ns) {
            Next::Outcome(outcome) => return outcome,
            Next::Alone => return alone(frame, scratch, now_ns),
            Next::Known(kind) => told = kind,
        }
        found = FLOWS.get_ptr_mut(&scratch.packet.key);
    }
    let Some(state) = found else {
        // Just judged and evicted again by another CPU.
        return alone(frame, scratch, now_ns);
    };
    // SAFETY: the kernel's pointer. An entry that is evicted meanwhile stays memory of this map,
    // and another flow's account may gain a packet: LRU reuse, accepted.
    known(frame, &scratch.packet, &mut scratch.sample, unsafe { &mut *state }, now_ns, told)
}

/// A packet judged without a flow entry, although its shape is known.
#[inline(never)]
fn alone(frame: &XdpFrame, scratch: &Scratch, now_ns: u64) -> Outcome {
    let verdict = scratch.decision.verdict;
    if scratch.decision.stops() {
        stop(frame, &scratch.packet, verdict, now_ns)
    } else {
        passed(verdict)
    }
}

/// Whether a packet's flow has a verdict of this generation that holds for the packet as it is.
#[inline(always)]
fn is_current(found: Option<*mut FlowState>, packet: &Packet, active: u64) -> bool {
    let Some(state) = found else {
        return false;
    };
    // SAFETY: as in `decide`.
    let state = unsafe { &*state };
    state.generation == active as u32
        && state.opaque == packet.opaque
        && !account::reopens(state, packet)
}

/// The live word of the tables.
#[inline(always)]
pub fn active() -> Option<u64> {
    let control = CONTROL.get_ptr(0)?;
    // SAFETY: one aligned word, read once so that generation and halves belong together.
    Some(unsafe { core::ptr::read_volatile(&raw const (*control).active) })
}

#[inline(always)]
fn is_link(packet: &Packet) -> bool {
    control::is_link(words(&packet.key.inside), words(&packet.key.outside), packet)
}

#[inline(always)]
fn sight(frame: &XdpFrame, now_ns: u64) -> Sight {
    Sight {
        now_ns,
        ifindex: frame.ifindex(),
        wire_bytes: frame.length(),
        direction: DIRECTION,
    }
}

/// A packet of a flow whose state is current: count it, apply the verdict. `told` is the kind of
/// event that the decision calls for, or 0.
#[inline(always)]
fn known(
    frame: &XdpFrame,
    packet: &Packet,
    scratch: &mut Sample,
    state: &mut FlowState,
    now_ns: u64,
    told: u8,
) -> Outcome {
    let stopped = judge::stops(state.verdict, state.flags);
    let closed = account::packet(DIRECTION, state, packet, stopped, now_ns);
    let wanted = sample::is_wanted(DIRECTION, packet, state);
    if wanted {
        sample::take(frame, &sight(frame, now_ns), packet, scratch, state);
    }
    // Seen before the frame is rewritten into an answer.
    let told = if told == 0 && closed { kind::CLOSED } else { told };
    if told == 0 && !stopped {
        return passed(state.verdict);
    }
    let seen = sight(frame, now_ns);
    let outcome = if stopped {
        stop(frame, packet, state.verdict, now_ns)
    } else {
        passed(state.verdict)
    };
    if told != 0 {
        event::emit(told, &seen, outcome, &packet.key, state);
    }
    outcome
}

/// The outcome of a packet that is not stopped.
#[inline(always)]
fn passed(verdict: u8) -> Outcome {
    if verdict == Verdict::Allow.code() {
        Outcome::Allowed
    } else if verdict == Verdict::Flag.code() {
        Outcome::Flagged
    } else {
        Outcome::Monitored
    }
}

/// Stops a packet, in silence or with an answer.
#[inline(always)]
fn stop(frame: &XdpFrame, packet: &Packet, verdict: u8, now_ns: u64) -> Outcome {
    if verdict == Verdict::Reject.code() {
        if reject::answer(frame, packet, now_ns) {
            Outcome::Rejected
        } else {
            Outcome::RejectedSilently
        }
    } else if verdict == Verdict::Block.code() {
        Outcome::Blocked
    } else {
        Outcome::InternalDrop
    }
}

/// How a packet goes on whose flow has no verdict that holds for it.
enum Next {
    /// It ends here.
    Outcome(Outcome),
    /// It ends by `Scratch::decision`, without a flow entry.
    Alone,
    /// Its flow has a verdict now; a kind of event to tell, or 0.
    Known(u8),
}

/// The first packet of a flow, or the first one under another generation or shape.
#[inline(never)]
fn resolve(scratch: &mut Scratch, active: u64, now_ns: u64) -> Next {
    let Scratch {
        packet,
        decision,
        state: opened,
        ..
    } = scratch;
    if is_link(packet) {
        return Next::Outcome(Outcome::Control);
    }
    if control::is_gateway(&packet.key.outside) {
        return Next::Outcome(Outcome::Gateway);
    }
    let generation = Active::unpack(active).generation;
    if generation == 0 {
        return Next::Outcome(Outcome::NoPolicy);
    }
    if judge::flow(&packet.key, packet.opaque, active, decision).is_err() {
        return Next::Outcome(Outcome::InternalDrop);
    }
    if let Some(state) = FLOWS.get_ptr_mut(&packet.key) {
        // SAFETY: as in `decide`.
        let state = unsafe { &mut *state };
        if !account::reopens(state, packet) {
            if state.opaque != packet.opaque && packet.opaque != Opaque::None.code() {
                // An odd packet in a usual flow: judged alone, the flow stays what it is.
                return Next::Alone;
            }
            let changed = judge::renew(state, decision, generation, packet.opaque);
            return Next::Known(if changed { kind::REJUDGED } else { 0 });
        }
    }
    account::open(opened, decision, generation, packet.opaque, now_ns);
    if FLOWS.insert(&packet.key, &*opened, 0).is_err() {
        // The verdict stands without its entry; it is computed again for the next packet.
        count::loss(Loss::FlowInsert);
        return Next::Alone;
    }
    Next::Known(kind::NEW)
}

/// A packet that cannot have a flow: unparseable, not IP, an odd fragment.
#[inline(never)]
fn without_flow(frame: &XdpFrame, scratch: &mut Scratch, active: u64, now_ns: u64) -> Outcome {
    let Scratch {
        packet,
        decision,
        state,
        ..
    } = scratch;
    if packet.addressed != 0 {
        if is_link(packet) {
            return Outcome::Control;
        }
        if control::is_gateway(&packet.key.outside) {
            return Outcome::Gateway;
        }
    }
    let generation = Active::unpack(active).generation;
    if generation == 0 {
        return Outcome::NoPolicy;
    }
    let judged = if packet.addressed != 0 {
        judge::flow(&packet.key, packet.opaque, active, decision)
    } else {
        judge::blind(packet.opaque, active, decision)
    };
    if judged.is_err() {
        return Outcome::InternalDrop;
    }
    let outcome = if decision.stops() {
        Outcome::OpaqueDropped
    } else {
        Outcome::OpaquePassed
    };
    account::open(state, decision, generation, packet.opaque, now_ns);
    state.outbound_packets = 1;
    state.outbound_bytes = packet.ip_bytes;
    state.stopped_packets = u64::from(decision.stops());
    event::opaque(&sight(frame, now_ns), outcome, &packet.key, state);
    outcome
}
