//! The verdict of a flow: zone, class, marks, rule set, opacity.

use octroi_abi::control::{Active, MAX_ZONES};
use octroi_abi::flow::{self, FlowKey, FlowState};
use octroi_abi::opaque::Opaque;
use octroi_abi::rules::{
    self, RULE_NONE, RULE_SETS as RULE_SET_ROWS, RULES_PER_SET, RuleEntry,
    VERDICT_ROWS, VERDICT_SLOTS,
};
use octroi_abi::verdict::Verdict;

use crate::atlas;
use crate::maps::{MARKS, OPAQUE, RULE_SETS, VERDICTS, ZONES, prefix_key};

/// Rows of `VERDICTS` of one zone.
const ROWS_PER_ZONE: u32 = VERDICT_ROWS / MAX_ZONES;

/// The tables could not answer.
pub struct Broken;

/// What decides a flow.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Decision {
    /// Marks of the destination.
    pub marks: u64,
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
    /// Flags of a [`FlowState`], without `NAMED`.
    pub flags: u8,
    /// Zone of the source.
    pub zone: u8,
}

impl Decision {
    /// Before anything is known: never a pass.
    #[inline(always)]
    pub fn reset(&mut self) {
        self.marks = 0;
        self.rule = RULE_NONE;
        self.class = 0;
        self.shadow_rule = RULE_NONE;
        self.shadow_verdict = 0;
        self.verdict = Verdict::Block.code();
        self.flags = flow::ENFORCED;
        self.zone = 0;
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
    let class = atlas::class_of(active.atlas_half, &key.outside, key.family).ok_or(Broken)?;
    let marks = MARKS.get(&prefix_key(half, key.outside)).copied().unwrap_or(0);
    decision.zone = zone as u8;
    decision.class = class;
    decision.marks = marks;

    let row = half as u32 * VERDICT_ROWS + zone * ROWS_PER_ZONE + (class as u32 >> 8);
    let number = VERDICTS.get(row).ok_or(Broken)?[class as usize & (VERDICT_SLOTS - 1)] as u32;
    if number >= RULE_SET_ROWS {
        return Err(Broken);
    }
    walk(key, half as u32 * RULE_SET_ROWS + number, marks, decision)?;
    if opaque == Opaque::None.code() {
        return Ok(());
    }
    stricter(half, opaque, decision)
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
fn walk(key: &FlowKey, index: u32, marks: u64, decision: &mut Decision) -> Result<(), Broken> {
    let set = RULE_SETS.get(index).ok_or(Broken)?;
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
        decision.flags = flags_of(entry, set.flags);
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
        decision.flags = flags_of(entry, 0) | decision.flags & flow::NAMES_MATTER;
    }
    Ok(())
}

/// Writes a decision into a flow that was judged before. Returns whether userspace should know.
///
/// A flow that userspace decided by name keeps that verdict when it is stricter, until userspace
/// has decided again.
#[inline(always)]
pub fn renew(state: &mut FlowState, decision: &Decision, generation: u32, opaque: u8) -> bool {
    let named = state.flags & flow::NAMED != 0;
    let before = (state.verdict, state.rule, state.flags);
    if !(named && state.verdict > decision.verdict) {
        state.rule = decision.rule;
        state.verdict = decision.verdict;
    }
    state.flags = decision.flags | state.flags & flow::NAMED;
    state.shadow_rule = decision.shadow_rule;
    state.shadow_verdict = decision.shadow_verdict;
    state.marks = decision.marks;
    state.class = decision.class;
    state.zone = decision.zone;
    state.opaque = opaque;
    state.generation = generation;
    named || before != (state.verdict, state.rule, state.flags)
}
