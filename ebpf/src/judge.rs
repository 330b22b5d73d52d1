//! The verdict of a flow: zone, class, marks, rule set, opacity.

use octroi_abi::control::{Active, MAX_ZONES};
use octroi_abi::flow::{self, FlowKey};
use octroi_abi::opaque::Opaque;
use octroi_abi::rules::{
    self, RULE_NONE, RULE_SETS as RULE_SET_ROWS, RULES_PER_SET, RuleEntry, RuleSet,
    VERDICT_ROWS, VERDICT_SLOTS,
};
use octroi_abi::transition::{self, Transition};
use octroi_abi::verdict::Verdict;

use octroi_abi::table::{Account, Decided};

use crate::{account, atlas, table};
use crate::maps::{MARKS, NAT64, OPAQUE, RULE_SETS, VERDICTS, ZONES, prefix_key};
use crate::packet::{mapped, octets, protocol, words};

/// Rows of `VERDICTS` of one zone.
const ROWS_PER_ZONE: u32 = VERDICT_ROWS / MAX_ZONES;

const DNS: u16 = 53;

/// The tables could not answer.
pub struct Broken;

/// What decides a flow.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Decision {
    /// Rule that decided.
    pub rule: u16,
    /// Class of the destination.
    pub class: u16,
    /// Shadow rule, or `RULE_NONE`.
    pub shadow_rule: u16,
    /// Code of its verdict.
    pub shadow_verdict: u8,
    /// Verdict code: a valid one.
    pub verdict: u8,
    /// Flags of a flow, without `NAMED`.
    pub flags: u8,
    /// Zone of the source.
    pub zone: u8,
}

impl Decision {
    /// Before anything is known: never a pass.
    #[inline(always)]
    pub fn reset(&mut self) {
        self.rule = RULE_NONE;
        self.class = 0;
        self.shadow_rule = RULE_NONE;
        self.shadow_verdict = 0;
        self.verdict = Verdict::Block.code();
        self.flags = flow::ENFORCED;
        self.zone = 0;
    }

    /// Forgets the shadow rule of the packet before.
    #[inline(always)]
    pub fn forget_shadow(&mut self) {
        self.shadow_rule = RULE_NONE;
        self.shadow_verdict = 0;
    }

    /// Whether packets are stopped.
    #[inline(always)]
    pub fn stops(&self) -> bool {
        stops(self.verdict, self.flags)
    }
}

/// Whether a verdict and flags of a flow stop its packets. A code that does not exist stops.
#[inline(always)]
pub fn stops(verdict: u8, flags: u8) -> bool {
    verdict > Verdict::Flag.code() && flags & flow::ENFORCED != 0
}

/// Judges a flow whose addresses are known.
#[inline(never)]
pub fn flow(key: &FlowKey, opaque: u8, active: u64, decision: &mut Decision) -> Result<(), Broken> {
    decision.reset();
    let active = Active::unpack(active);
    let half = active.policy_half;
    let zone = ZONES.get(&prefix_key(half, key.inside)).copied().unwrap_or(0);
    if zone >= MAX_ZONES {
        return Err(Broken);
    }
    let inner = embedded(key, half);
    let class = match inner {
        Some((address, _)) => atlas::class_of_v4(active.atlas_half, address),
        None => atlas::class_of(active.atlas_half, &key.outside, key.family),
    };
    let class = class.ok_or(Broken)?;
    decision.zone = zone as u8;
    decision.class = class;

    let row = half as u32 * VERDICT_ROWS + zone * ROWS_PER_ZONE + (class as u32 >> 8);
    let number = VERDICTS.get(row).ok_or(Broken)?[class as usize & (VERDICT_SLOTS - 1)] as u32;
    if number >= RULE_SET_ROWS {
        return Err(Broken);
    }
    let set = RULE_SETS.get(half as u32 * RULE_SET_ROWS + number).ok_or(Broken)?;
    let marks = if set.flags & rules::MARKS_MATTER != 0 {
        marks_of(key, half, inner)
    } else {
        0
    };
    walk(key, set, marks, active.strict, decision)?;
    if opaque == Opaque::None.code() {
        return Ok(());
    }
    stricter(half, opaque, decision)
}

/// The IPv4 address that a destination is judged by, when it is a transition address
/// (`octroi_abi::transition`).
#[inline(always)]
fn embedded(key: &FlowKey, half: u8) -> Option<(u32, Transition)> {
    if key.family != 6 {
        return None;
    }
    let [high, low] = words(&key.outside);
    let configured = NAT64.get(&prefix_key(half, key.outside)).copied().unwrap_or(0);
    transition::judged_by(u64::from_be(high), u64::from_be(low), configured)
}

/// Which conditions on the address hold for a destination.
#[inline(always)]
fn marks_of(key: &FlowKey, half: u8, inner: Option<(u32, Transition)>) -> u64 {
    let Some(outer) = MARKS.get(&prefix_key(half, key.outside)) else {
        return 0;
    };
    let Some((address, via)) = inner else {
        return outer.holds;
    };
    match MARKS.get(&prefix_key(half, octets(mapped(address.to_be())))) {
        Some(inner) => outer.through(inner, via),
        None => 0,
    }
}

/// Judges a packet of which not even the addresses are known.
#[inline(never)]
pub fn blind(opaque: u8, active: u64, decision: &mut Decision) -> Result<(), Broken> {
    decision.reset();
    let entry = opaque_entry(Active::unpack(active).policy_half, opaque)?;
    decision.rule = entry.rule;
    decision.verdict = entry.verdict;
    decision.flags = flags_of(entry, 0);
    Ok(())
}

/// The first entry of a rule set whose conditions hold.
#[inline(always)]
fn walk(
    key: &FlowKey,
    set: &RuleSet,
    marks: u64,
    strict: bool,
    decision: &mut Decision,
) -> Result<(), Broken> {
    for number in 0..RULES_PER_SET {
        if number as u32 >= set.len {
            break;
        }
        let entry = &set.entries[number];
        if !holds(entry, key, marks) {
            continue;
        }
        if entry.flags & rules::SHADOW != 0 {
            if decision.shadow_rule == RULE_NONE {
                decision.shadow_rule = entry.rule;
                decision.shadow_verdict = entry.verdict;
            }
            continue;
        }
        if Verdict::from_code(entry.verdict).is_none() {
            return Err(Broken);
        }
        decision.rule = entry.rule;
        decision.verdict = entry.verdict;
        decision.flags = flags_of(entry, set.flags) | awaits_name(key, entry, set.flags, strict);
        return Ok(());
    }
    Err(Broken)
}

#[inline(always)]
fn holds(entry: &RuleEntry, key: &FlowKey, marks: u64) -> bool {
    if entry.marks != 0 && entry.marks & marks == 0 {
        return false;
    }
    if entry.flags & rules::PROTOCOL != 0 && entry.protocol != key.protocol {
        return false;
    }
    let port = key.outside_port;
    entry.flags & rules::PORTS == 0 || (entry.port_low <= port && port <= entry.port_high)
}

#[inline(always)]
fn flags_of(entry: &RuleEntry, set_flags: u32) -> u8 {
    let mut flags = 0;
    if entry.flags & rules::ENFORCED != 0 {
        flags |= flow::ENFORCED;
    }
    if set_flags & rules::NAMES_MATTER != 0 {
        flags |= flow::NAMES_MATTER;
    }
    flags
}

/// [`flow::AWAITS_NAME`] for what passes, but not before its name was read.
#[inline(always)]
fn awaits_name(key: &FlowKey, entry: &RuleEntry, set_flags: u32, strict: bool) -> u8 {
    let asks = set_flags & rules::NAMES_STRICT != 0 || strict && key.outside_port == DNS;
    let speaks = key.protocol == protocol::TCP || key.protocol == protocol::UDP;
    let passes = entry.verdict <= Verdict::Flag.code();
    if asks && speaks && passes && entry.flags & rules::ENFORCED != 0 {
        flow::AWAITS_NAME
    } else {
        0
    }
}

#[inline(always)]
fn opaque_entry(half: u8, opaque: u8) -> Result<&'static RuleEntry, Broken> {
    if opaque as u32 >= Opaque::COUNT {
        return Err(Broken);
    }
    let entry = OPAQUE.get(half as u32 * Opaque::COUNT + opaque as u32).ok_or(Broken)?;
    if Verdict::from_code(entry.verdict).is_none() {
        return Err(Broken);
    }
    Ok(entry)
}

/// The stricter of the destination's verdict and the policy's word for this kind of opacity.
#[inline(always)]
fn stricter(half: u8, opaque: u8, decision: &mut Decision) -> Result<(), Broken> {
    let entry = opaque_entry(half, opaque)?;
    if entry.verdict > decision.verdict {
        decision.rule = entry.rule;
        decision.verdict = entry.verdict;
        let kept = if entry.verdict > Verdict::Flag.code() {
            flow::NAMES_MATTER
        } else {
            flow::NAMES_MATTER | flow::AWAITS_NAME
        };
        decision.flags = flags_of(entry, 0) | decision.flags & kept;
    }
    Ok(())
}

/// A flow that userspace decided by name keeps that verdict when it is stricter, until userspace has
/// decided again: lays the verdict of `before` over a decision that does not know the name.
#[inline(always)]
fn keep_named(before: &Decided, decision: &mut Decision) {
    if before.flags & flow::NAMED == 0 {
        return;
    }
    decision.flags &= !flow::AWAITS_NAME;
    if before.verdict > decision.verdict {
        decision.rule = before.rule;
        decision.verdict = before.verdict;
    }
}

/// Writes a decision into a flow that was judged before (its decision was `before`). Returns the
/// decision that holds now, and whether userspace should know; `None`: the flow left its slot, or
/// another CPU judged it at this very moment. `decision` then holds for the packet at hand: it is
/// never looser than what a name had decided.
#[inline(always)]
pub fn renew(
    account: *mut Account,
    before: u64,
    decision: &mut Decision,
    generation: u32,
    opaque: u8,
) -> Option<(u64, bool)> {
    let old = Decided::unpack(before);
    keep_named(&old, decision);
    let named = old.flags & flow::NAMED;
    let after = account::decided(decision, generation, opaque, decision.flags | named);
    let new = Decided::unpack(after);
    if !table::redecide(account, before, after) {
        return None;
    }
    // SAFETY: an account of the table.
    unsafe { (*account).class = decision.class };
    let told = named != 0
        || old.verdict != new.verdict
        || old.rule != new.rule
        || old.flags != new.flags;
    Some((after, told))
}
