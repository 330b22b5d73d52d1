//! Shapes of a compiled policy: zone and class to a short list of conditions.
//!
//! `VERDICTS` is an array of rows of 256 `u16`: row `half * VERDICT_ROWS + zone * 128 + class / 256`,
//! slot `class % 256`; the value is the number of a rule set. Rule set `n` stands at
//! `half * RULE_SETS + n`. The rule set is walked in order: the first entry whose conditions hold
//! decides; entries with [`SHADOW`] are recorded and passed over. Every rule set ends with an entry
//! without conditions. `OPAQUE` holds one entry for each kind of opacity at
//! `half * Opaque::COUNT + kind`: its verdict holds when it is stricter.

use crate::control::MAX_ZONES;

/// The condition on ports applies ([`RuleEntry::port_low`] and `port_high`).
pub const PORTS: u8 = 1;
/// Evaluated and recorded, not enforced.
pub const SHADOW: u8 = 2;
/// The verdict is enforced (clear in `monitor` mode: it is recorded, and packets pass).
pub const ENFORCED: u8 = 4;
/// The protocol condition applies ([`RuleEntry::protocol`]).
pub const PROTOCOL: u8 = 8;

/// One rule, as far as the kernel knows it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[repr(C)]
pub struct RuleEntry {
    /// Holds when the destination has one of these marks; 0: no such condition.
    pub marks: u64,
    /// Number of the rule in the policy, or one of the `RULE_*` numbers.
    pub rule: u16,
    /// Lowest destination port, host byte order.
    pub port_low: u16,
    /// Highest destination port, host byte order.
    pub port_high: u16,
    /// IP protocol number.
    pub protocol: u8,
    /// [`crate::verdict::Verdict`] code.
    pub verdict: u8,
    /// [`PORTS`], [`SHADOW`], [`ENFORCED`], [`PROTOCOL`].
    pub flags: u8,
    /// Zero.
    pub reserved: [u8; 7],
}

/// Entries of a rule set.
pub const RULES_PER_SET: usize = 32;

/// An ordered, bounded list of rules, shared by all (zone, class) cells that are equal.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(C)]
pub struct RuleSet {
    /// Entries in use, 1 to [`RULES_PER_SET`].
    pub len: u32,
    /// [`NAMES_MATTER`], [`MARKS_MATTER`], [`NAMES_STRICT`].
    pub flags: u32,
    /// The rules, in order.
    pub entries: [RuleEntry; RULES_PER_SET],
}

/// Flag of a rule set: a name learned later (DNS, SNI, Host) can change the verdict.
pub const NAMES_MATTER: u32 = 1;
/// Flag of a rule set: one of its entries asks for marks. Clear: they are not looked up.
pub const MARKS_MATTER: u32 = 2;
/// Flag of a rule set: a name can stop what passes without one, and the policy is strict about it:
/// nothing that the client says goes on before its name was read.
pub const NAMES_STRICT: u32 = 4;

/// Slots of a row of `VERDICTS`.
pub const VERDICT_SLOTS: usize = 256;
/// Rows of `VERDICTS`, one half.
pub const VERDICT_ROWS: u32 = MAX_ZONES * 128;
/// Rule sets, one half.
pub const RULE_SETS: u32 = 4_096;

/// Most rules a policy can have; numbers above are the ones below.
pub const MAX_RULES: u16 = 0xff00;
/// The policy's default verdict decided.
pub const RULE_DEFAULT: u16 = 0xffff;
/// The policy's verdict for opaque traffic decided.
pub const RULE_OPAQUE: u16 = 0xfffe;
/// The link's own traffic: passes in every mode.
pub const RULE_CONTROL: u16 = 0xfffd;
/// To or from the gateway's own addresses: passes in every mode.
pub const RULE_GATEWAY: u16 = 0xfffc;
/// No rule (an unset `shadow_rule`).
pub const RULE_NONE: u16 = 0xfffb;
