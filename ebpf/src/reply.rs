//! The way back: a reply on the inside interface (TCX egress), after un-NAT and before
//! segmentation; or to this host itself (XDP).

use aya_ebpf::helpers::generated::bpf_ktime_get_coarse_ns;
use octroi_abi::control::Active;
use octroi_abi::event::kind;
use octroi_abi::flow;
use octroi_abi::opaque::Opaque;
use octroi_abi::outcome::{Direction, Outcome};
use octroi_abi::table::Decided;
use octroi_abi::verdict::Verdict;

use crate::event::{self, Sight, Told};
use crate::frame::{Frame, SkbFrame, XdpFrame};
use crate::judge;
use crate::link::Link;
use crate::maps::{SCRATCH, Scratch};
use crate::outbound::{active, control};
use crate::packet::{Packet, words};
use crate::table::{self, Found};
use crate::{account, control, count, cut, link, sample};

const DIRECTION: Direction = Direction::Reply;

/// A frame on its way back, by the role of its interface.
pub trait Reply: Frame {
    /// Whether this host is a gateway between the two ends, whose own traffic passes.
    const GATEWAY: bool;
    /// Turns the frame into a RST, or leaves one that is. `false`: it cannot be.
    fn cut(&self, packet: &Packet) -> bool;
}

impl Reply for SkbFrame {
    const GATEWAY: bool = true;

    #[inline(always)]
    fn cut(&self, packet: &Packet) -> bool {
        cut::reset(self, packet)
    }
}

impl Reply for XdpFrame {
    const GATEWAY: bool = false;

    #[inline(always)]
    fn cut(&self, packet: &Packet) -> bool {
        cut::reset_xdp(self, packet)
    }
}

/// Whether a reply goes on: a rejected one does, as the RST that it has become.
#[inline(always)]
pub fn goes_on(outcome: Outcome) -> bool {
    outcome.passes() || outcome as u8 == Outcome::Rejected as u8
}

/// One packet, from its first byte to exactly one outcome, which is counted.
#[inline(always)]
pub fn run<F: Reply>(frame: &F, link: Link) -> Outcome {
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
    outcome
}

#[inline(always)]
fn decide<F: Reply>(frame: &F, scratch: &mut Scratch) -> Outcome {
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
    if packet.has_flow() {
        if control::is_beyond_key(packet) && is_link(packet) {
            return Outcome::Control;
        }
        if let Some(found) = table::find(control, &scratch.packet.key, &mut scratch.search) {
            return known(frame, scratch, found, active, now_ns);
        }
    }
    unknown(frame, scratch, active, now_ns)
}

#[inline(always)]
fn is_link(packet: &Packet) -> bool {
    control::is_link(words(&packet.key.outside), words(&packet.key.inside), packet)
}

#[inline(always)]
fn sight<F: Reply>(frame: &F, now_ns: u64) -> Sight {
    Sight {
        now_ns,
        ifindex: frame.ifindex(),
        wire_bytes: frame.length(),
        direction: DIRECTION,
    }
}

/// A reply of a flow: count it; a stopped flow is stopped both ways.
#[inline(always)]
fn known<F: Reply>(
    frame: &F,
    scratch: &mut Scratch,
    found: Found,
    active: u64,
    now_ns: u64,
) -> Outcome {
    let Scratch {
        packet,
        decision,
        sample,
        ..
    } = scratch;
    let Found { account, mut decided } = found;
    let generation = Active::unpack(active).generation;
    let before = Decided::unpack(decided);
    let mut told = 0;
    decision.forget_shadow();
    if before.generation != generation && generation != 0 {
        // A stream that only comes in must feel a new policy too.
        if judge::flow(&packet.key, before.opaque, active, decision).is_err() {
            return Outcome::InternalDrop;
        }
        match judge::renew(account, decided, decision, generation, before.opaque) {
            Some((after, changed)) => {
                decided = after;
                told = if changed { kind::REJUDGED } else { 0 };
            }
            // The flow left its slot, or another CPU judged it: this packet by what was found.
            None => {
                let flags = decision.flags | before.flags & flow::NAMED;
                decided = account::decided(decision, generation, before.opaque, flags);
            }
        }
    }
    // SAFETY: as in the outbound program.
    let account = unsafe { &mut *account };
    let closed = account::packet(DIRECTION, account, packet, false, now_ns);
    if sample::is_wanted(DIRECTION, packet, account) {
        sample::take(frame, &sight(frame, now_ns), packet, sample, account);
    }
    let outcome = match outcome_of(decided) {
        Outcome::RejectedSilently if frame.cut(packet) => Outcome::Rejected,
        outcome => outcome,
    };
    if told == 0 && closed {
        told = kind::CLOSED;
    }
    if told != 0 {
        let told = Told {
            shadow_rule: decision.shadow_rule,
            shadow_verdict: decision.shadow_verdict,
            ..Told::plain(told, outcome)
        };
        event::emit(told, &sight(frame, now_ns), &packet.key, account);
    }
    outcome
}

#[inline(always)]
fn outcome_of(decided: u64) -> Outcome {
    let Decided { verdict, flags, .. } = Decided::unpack(decided);
    if verdict == Verdict::Allow.code() {
        Outcome::Allowed
    } else if verdict == Verdict::Flag.code() {
        Outcome::Flagged
    } else if !judge::stops(verdict, flags) {
        Outcome::Monitored
    } else if verdict == Verdict::Reject.code() {
        Outcome::RejectedSilently
    } else if verdict == Verdict::Block.code() {
        Outcome::Blocked
    } else {
        Outcome::InternalDrop
    }
}

/// A packet towards the inside that no flow is known for.
#[inline(never)]
fn unknown<F: Reply>(frame: &F, scratch: &mut Scratch, active: u64, now_ns: u64) -> Outcome {
    let Scratch {
        packet,
        decision,
        account,
        ..
    } = scratch;
    if packet.addressed != 0 {
        if is_link(packet) {
            return Outcome::Control;
        }
        if F::GATEWAY && control::is_gateway(&packet.key.outside) {
            return Outcome::Gateway;
        }
    }
    let generation = Active::unpack(active).generation;
    if generation == 0 {
        return Outcome::NoPolicy;
    }
    if packet.has_flow() {
        return Outcome::Unsolicited;
    }
    // The policy is about what leaves: what comes back in a strange shape passes, counted and told.
    decision.reset();
    decision.verdict = Verdict::Allow.code();
    account::open(account, &packet.key, decision, generation, packet.opaque, now_ns);
    account.reply_packets = 1;
    account.reply_bytes = packet.ip_bytes;
    if packet.opaque != Opaque::None.code() {
        event::opaque(&sight(frame, now_ns), Outcome::OpaquePassed, packet, account);
    }
    Outcome::OpaquePassed
}
