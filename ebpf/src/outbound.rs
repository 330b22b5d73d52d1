//! The way out: an outbound packet on the inside interface (XDP), or of this host itself (TCX
//! egress).

use aya_ebpf::helpers::generated::bpf_ktime_get_coarse_ns;
use octroi_abi::control::{Active, Control};
use octroi_abi::event::kind;
use octroi_abi::flow::AWAITS_NAME;
use octroi_abi::opaque::Opaque;
use octroi_abi::outcome::{Direction, Loss, Outcome};
use octroi_abi::table::{Account, Decided};
use octroi_abi::verdict::Verdict;

use crate::event::{self, Sight, Told};
use crate::frame::{Frame, SkbFrame, XdpFrame};
use crate::judge;
use crate::link::Link;
use crate::maps::{CONTROL, SCRATCH, Sample, Scratch};
use crate::packet::{Packet, words};
use crate::table::{self, Found};
use crate::{account, control, count, hold, link, local, reject, sample};

const DIRECTION: Direction = Direction::Outbound;

/// A frame on its way out, by the role of its interface.
pub trait Outbound: Frame {
    /// Whether this host is a gateway between the two ends, whose own traffic passes.
    const GATEWAY: bool;
    /// Turns the frame into an answer to a rejected packet. `false`: it must not be answered, or
    /// cannot be.
    fn answer(&self, packet: &Packet, now_ns: u64) -> bool;
}

impl Outbound for XdpFrame {
    const GATEWAY: bool = true;

    #[inline(always)]
    fn answer(&self, packet: &Packet, now_ns: u64) -> bool {
        reject::answer(self, packet, now_ns)
    }
}

impl Outbound for SkbFrame {
    const GATEWAY: bool = false;

    #[inline(always)]
    fn answer(&self, packet: &Packet, now_ns: u64) -> bool {
        local::answer(self, packet, now_ns)
    }
}

/// One packet, from its first byte to exactly one outcome, which is counted. `RELEASED`: userspace
/// held it, and lets it go on although its flow awaits its name.
#[inline(always)]
pub fn run<F: Outbound, const RELEASED: bool>(frame: &F, link: Link) -> Outcome {
    count::seen(DIRECTION);
    let outcome = match SCRATCH.get_ptr_mut(DIRECTION as u32) {
        Some(scratch) => {
            // SAFETY: this CPU's and this direction's own slot.
            let scratch = unsafe { &mut *scratch };
            scratch.packet.reset();
            link::parse(frame, link, DIRECTION, &mut scratch.packet);
            decide::<F, RELEASED>(frame, scratch)
        }
        None => Outcome::InternalDrop,
    };
    count::outcome(DIRECTION, outcome);
    outcome
}

#[inline(always)]
fn decide<F: Outbound, const RELEASED: bool>(frame: &F, scratch: &mut Scratch) -> Outcome {
    let packet = &scratch.packet;
    count::opaque(packet.opaque);
    if packet.link_control != 0 {
        return Outcome::Control;
    }
    let Some(control) = control() else {
        return Outcome::InternalDrop;
    };
    let active = active(control);
    // SAFETY: a helper without arguments.
    let now_ns = unsafe { bpf_ktime_get_coarse_ns() };
    if !packet.has_flow() {
        return without_flow(frame, scratch, active, now_ns);
    }
    if control::is_beyond_key(packet) && is_link(packet) {
        return Outcome::Control;
    }
    let found = table::find(control, &scratch.packet.key, &mut scratch.search);
    let packet = &scratch.packet;
    // Apart, and defined in both cases: the compiler would spill what an absent `Found` holds, and
    // the verifier refuses to spill what was never written.
    let (account, decided) = match found {
        Some(Found { account, decided }) => (account, decided),
        None => (core::ptr::null_mut(), 0),
    };
    if !account.is_null() && is_current(account, decided, packet, active) {
        // SAFETY: the kernel's pointer. A flow that leaves its slot meanwhile loses this packet to
        // the next one there: a matter of nanoseconds, accepted. Its verdict is never taken over:
        // `decided` was read while the slot was this flow's.
        let account = unsafe { &mut *account };
        if !RELEASED && awaits_name(decided) && hold::is_due::<F>(packet, control) {
            return hold::take(&hold::Sight::of(frame, now_ns), frame, packet, account);
        }
        return known(frame, &scratch.packet, &mut scratch.sample, account, decided, now_ns);
    }
    match resolve(frame, scratch, control, active, now_ns, (account, decided)) {
        Next::Outcome(outcome) => outcome,
        Next::Alone => {
            if !RELEASED
                && scratch.decision.flags & AWAITS_NAME != 0
                && hold::is_due::<F>(&scratch.packet, control)
            {
                // Nothing that userspace could decide by.
                count::loss(Loss::Hold);
                return Outcome::Held;
            }
            alone(frame, scratch, now_ns)
        }
        Next::Known(account, told) => {
            // SAFETY: as above.
            let account = unsafe { &mut *account };
            if !RELEASED
                && awaits_name(scratch.decided)
                && hold::is_due::<F>(&scratch.packet, control)
            {
                return held(frame, scratch, account, told, now_ns);
            }
            judged(frame, scratch, account, told, now_ns)
        }
    }
}

/// A packet judged without a flow entry, although its shape is known.
#[inline(never)]
fn alone<F: Outbound>(frame: &F, scratch: &Scratch, now_ns: u64) -> Outcome {
    let verdict = scratch.decision.verdict;
    if scratch.decision.stops() {
        stop(frame, &scratch.packet, verdict, now_ns)
    } else {
        passed(verdict)
    }
}

/// Whether a flow's client is not heard before its name was read.
#[inline(always)]
fn awaits_name(decided: u64) -> bool {
    Decided::unpack(decided).flags & AWAITS_NAME != 0
}

/// A packet whose flow was judged for it, and whose name is awaited.
#[inline(never)]
fn held<F: Outbound>(
    frame: &F,
    scratch: &mut Scratch,
    account: &mut Account,
    told: u8,
    now_ns: u64,
) -> Outcome {
    let Scratch { packet, decision, .. } = scratch;
    if told != 0 {
        // Before the frame: userspace knows the flow when it reads it.
        let told = Told {
            shadow_rule: decision.shadow_rule,
            shadow_verdict: decision.shadow_verdict,
            ..Told::plain(told, Outcome::Held)
        };
        event::emit(told, &sight(frame, now_ns), &packet.key, account);
    }
    hold::take(&hold::Sight::of(frame, now_ns), frame, packet, account)
}

/// Whether a packet's flow has a verdict of this generation that holds for the packet as it is.
#[inline(always)]
fn is_current(account: *const Account, decided: u64, packet: &Packet, active: u64) -> bool {
    let decided = Decided::unpack(decided);
    decided.generation == active as u32
        && decided.opaque == packet.opaque
        && !account::reopens(account, packet)
}

/// What packets see now.
#[inline(always)]
pub fn control() -> Option<&'static Control> {
    CONTROL.get(0)
}

/// The live word of the tables.
#[inline(always)]
pub fn active(control: &Control) -> u64 {
    // SAFETY: one aligned word, read once so that generation and halves belong together.
    unsafe { core::ptr::read_volatile(&raw const control.active) }
}

#[inline(always)]
fn is_link(packet: &Packet) -> bool {
    goes_where_it_says(packet)
        && control::is_link(words(&packet.key.inside), words(&packet.key.outside), packet)
}

#[inline(always)]
fn is_gateway(packet: &Packet) -> bool {
    goes_where_it_says(packet) && control::is_gateway(&packet.key.outside)
}

/// A packet that is sent on from where its header says ends neither on this link nor at the gateway:
/// the gateway would be the first to send it on.
#[inline(always)]
fn goes_where_it_says(packet: &Packet) -> bool {
    packet.opaque != Opaque::SourceRouted.code()
}

#[inline(always)]
fn sight<F: Outbound>(frame: &F, now_ns: u64) -> Sight {
    Sight {
        now_ns,
        ifindex: frame.ifindex(),
        wire_bytes: frame.length(),
        direction: DIRECTION,
    }
}

/// A packet of a flow whose verdict is current: count it, apply the verdict.
#[inline(always)]
fn known<F: Outbound>(
    frame: &F,
    packet: &Packet,
    scratch: &mut Sample,
    account: &mut Account,
    decided: u64,
    now_ns: u64,
) -> Outcome {
    let Decided { verdict, flags, .. } = Decided::unpack(decided);
    let stopped = judge::stops(verdict, flags);
    let closed = account::packet(DIRECTION, account, packet, stopped, now_ns);
    if sample::is_wanted(DIRECTION, packet, account) {
        sample::take(frame, &sight(frame, now_ns), packet, scratch, account);
    }
    if !closed && !stopped {
        return passed(verdict);
    }
    // Seen before the frame is rewritten into an answer.
    let seen = sight(frame, now_ns);
    let outcome = if stopped {
        stop(frame, packet, verdict, now_ns)
    } else {
        passed(verdict)
    };
    if closed {
        event::emit(Told::plain(kind::CLOSED, outcome), &seen, &packet.key, account);
    }
    outcome
}

/// A packet whose flow was judged for it: as [`known`], and userspace is told (`told`: the kind of
/// event, or 0).
#[inline(never)]
fn judged<F: Outbound>(
    frame: &F,
    scratch: &mut Scratch,
    account: &mut Account,
    told: u8,
    now_ns: u64,
) -> Outcome {
    let Scratch { packet, decision, sample, .. } = scratch;
    let Decided { verdict, flags, .. } = Decided::unpack(scratch.decided);
    let stopped = judge::stops(verdict, flags);
    let closed = account::packet(DIRECTION, account, packet, stopped, now_ns);
    let seen = sight(frame, now_ns);
    if sample::is_wanted(DIRECTION, packet, account) {
        sample::take(frame, &seen, packet, sample, account);
    }
    let outcome = if stopped {
        stop(frame, packet, verdict, now_ns)
    } else {
        passed(verdict)
    };
    let kind = if told == 0 && closed { kind::CLOSED } else { told };
    if kind != 0 {
        let told = Told {
            shadow_rule: decision.shadow_rule,
            shadow_verdict: decision.shadow_verdict,
            ..Told::plain(kind, outcome)
        };
        event::emit(told, &seen, &packet.key, account);
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
fn stop<F: Outbound>(frame: &F, packet: &Packet, verdict: u8, now_ns: u64) -> Outcome {
    if verdict == Verdict::Reject.code() {
        if frame.answer(packet, now_ns) {
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
    /// Its flow has a verdict now (`Scratch::decided`); a kind of event to tell, or 0.
    Known(*mut Account, u8),
}

/// The first packet of a flow, or the first one under another generation or shape. `found`: the account
/// of its flow, or null, and its decision.
#[inline(always)]
fn resolve<F: Outbound>(
    frame: &F,
    scratch: &mut Scratch,
    control: &Control,
    active: u64,
    now_ns: u64,
    (found, before): (*mut Account, u64),
) -> Next {
    let Scratch {
        packet,
        decision,
        account: opened,
        decided,
        search,
        ..
    } = scratch;
    if is_link(packet) {
        return Next::Outcome(Outcome::Control);
    }
    if F::GATEWAY && is_gateway(packet) {
        return Next::Outcome(Outcome::Gateway);
    }
    let generation = Active::unpack(active).generation;
    if generation == 0 {
        return Next::Outcome(Outcome::NoPolicy);
    }
    if judge::flow(&packet.key, packet.opaque, active, decision).is_err() {
        return Next::Outcome(Outcome::InternalDrop);
    }
    if !found.is_null() && !account::reopens(found, packet) {
        if Decided::unpack(before).opaque != packet.opaque && packet.opaque != Opaque::None.code() {
            // An odd packet in a usual flow: judged alone, the flow stays what it is.
            return Next::Alone;
        }
        let Some((after, told)) =
            judge::renew(found, before, decision, generation, packet.opaque)
        else {
            return Next::Alone;
        };
        *decided = after;
        return Next::Known(found, if told { kind::REJUDGED } else { 0 });
    }
    account::open(opened, &packet.key, decision, generation, packet.opaque, now_ns);
    *decided = opened.decided;
    let seen = sight(frame, now_ns);
    let inserted = if found.is_null() {
        table::insert(control, &packet.key, opened, &seen, search)
    } else {
        table::reopen(found, &packet.key, opened, &seen)
    };
    match inserted {
        Some(Found { account, .. }) => Next::Known(account, kind::NEW),
        None => {
            // The verdict stands without its entry; it is computed again for the next packet.
            count::loss(Loss::FlowInsert);
            Next::Alone
        }
    }
}

/// A packet that cannot have a flow: unparseable, not IP, an odd fragment.
#[inline(never)]
fn without_flow<F: Outbound>(frame: &F, scratch: &mut Scratch, active: u64, now_ns: u64) -> Outcome {
    let Scratch {
        packet,
        decision,
        account,
        ..
    } = scratch;
    // No exception for the link or the gateway here: what cannot be parsed to its end may hide a
    // source route, and who it is addressed to would send it on.
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
    account::open(account, &packet.key, decision, generation, packet.opaque, now_ns);
    account.outbound_packets = 1;
    account.outbound_bytes = packet.ip_bytes;
    account.stopped = u32::from(decision.stops());
    event::opaque(&sight(frame, now_ns), outcome, packet, account);
    outcome
}
