//! Where every packet ends: one counter each, and the sum is the packets seen.
//!
//! Layout of the `COUNTERS` map (per-CPU `u64`): for each direction, [`SEEN`] then one counter for
//! each [`Outcome`]; then one counter for each kind of opacity; then one for each kind of loss.

use crate::opaque::Opaque;

/// Which way a packet crosses the gate.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Direction {
    /// From a zone to a destination.
    Outbound = 0,
    /// The way back.
    Reply = 1,
}

/// What became of one packet.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Outcome {
    /// Passed by a verdict `allow`.
    Allowed = 0,
    /// Passed by a verdict `flag`.
    Flagged = 1,
    /// Dropped by a verdict `block`.
    Blocked = 2,
    /// Dropped by a verdict `reject`, and the sender was told. A reply: it went on as a RST, so that
    /// the inside is told as well.
    Rejected = 3,
    /// Dropped by a verdict `reject` without an answer: rate limit, or a packet that must never be
    /// answered (an ICMP error, a RST, a later fragment).
    RejectedSilently = 4,
    /// Passed although the policy says stop: the policy is in `monitor` mode.
    Monitored = 5,
    /// Passed: the link's own traffic (ARP, neighbour discovery, DHCP, link-local, IGMP/MLD, PPPoE
    /// discovery and PPP negotiation, frames to the groups that no bridge forwards).
    Control = 6,
    /// Passed: to or from the gateway's own addresses.
    Gateway = 7,
    /// Reply direction only: passed, no outbound flow is known for it (inbound-initiated traffic;
    /// its answers are judged as outbound).
    Unsolicited = 8,
    /// Opaque, without a flow of its own ([`Opaque::has_flow`]): passed by the policy's word for
    /// that kind and, where the destination can be read, for the destination. Replies of these
    /// kinds always pass: the policy is about what leaves.
    OpaquePassed = 9,
    /// As above, dropped.
    OpaqueDropped = 10,
    /// Dropped because the tables could not answer (an index out of its array: a defect).
    InternalDrop = 11,
    /// Dropped because no policy was ever loaded ([`crate::control::Active::generation`] is 0).
    NoPolicy = 12,
    /// Outbound only: held until its name is decided; when userspace lets it go on it is seen, and
    /// counted, once more. It is in no account before.
    Held = 13,
}

impl Outcome {
    /// Every outcome, by code.
    pub const ALL: [Self; 14] = [
        Self::Allowed,
        Self::Flagged,
        Self::Blocked,
        Self::Rejected,
        Self::RejectedSilently,
        Self::Monitored,
        Self::Control,
        Self::Gateway,
        Self::Unsolicited,
        Self::OpaquePassed,
        Self::OpaqueDropped,
        Self::InternalDrop,
        Self::NoPolicy,
        Self::Held,
    ];

    /// Whether a packet with this outcome went on.
    #[must_use]
    pub const fn passes(self) -> bool {
        !matches!(
            self,
            Self::Blocked
                | Self::Rejected
                | Self::RejectedSilently
                | Self::OpaqueDropped
                | Self::InternalDrop
                | Self::NoPolicy
                | Self::Held
        )
    }

    /// The word used in `status`, statistics and alerts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Flagged => "flagged",
            Self::Blocked => "blocked",
            Self::Rejected => "rejected",
            Self::RejectedSilently => "rejected_silently",
            Self::Monitored => "monitored",
            Self::Control => "control",
            Self::Gateway => "gateway",
            Self::Unsolicited => "unsolicited",
            Self::OpaquePassed => "opaque_passed",
            Self::OpaqueDropped => "opaque_dropped",
            Self::InternalDrop => "internal_drop",
            Self::NoPolicy => "no_policy",
            Self::Held => "held",
        }
    }
}

/// What was lost on the way to userspace, counted by the kernel side.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Loss {
    /// The event ring was full: the flow table still has the flow.
    Event = 0,
    /// The sample ring was full: a name may be missing.
    Sample = 1,
    /// The flow table refused an entry: the verdict is computed again for each packet.
    FlowInsert = 2,
    /// The fragment table refused an entry: later fragments count as opaque.
    FragmentInsert = 3,
    /// A `reject` whose answer could not be built (no room in the frame, or behind MPLS labels, whose
    /// way back is not known): dropped in silence.
    RejectAnswer = 4,
    /// A flow had to leave the table to make room (its account was told, or counts as an event
    /// that was lost).
    FlowEvicted = 5,
    /// A held packet that userspace was not given: the ring was full, or it was a fragment, or judged
    /// without an account. It does not go on; its sender sends again.
    Hold = 6,
}

impl Loss {
    /// Every kind of loss, by code.
    pub const ALL: [Self; 7] = [
        Self::Event,
        Self::Sample,
        Self::FlowInsert,
        Self::FragmentInsert,
        Self::RejectAnswer,
        Self::FlowEvicted,
        Self::Hold,
    ];

    /// The word used in `status` and statistics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Event => "event_ring_full",
            Self::Sample => "sample_ring_full",
            Self::FlowInsert => "flow_table_refused",
            Self::FragmentInsert => "fragment_table_refused",
            Self::RejectAnswer => "reject_answer_failed",
            Self::FlowEvicted => "flow_evicted",
            Self::Hold => "held_packet_lost",
        }
    }
}

/// Counters of one direction: packets seen, then the outcomes.
pub const PER_DIRECTION: u32 = 1 + Outcome::ALL.len() as u32;

/// Index of "packets seen" of a direction.
#[must_use]
pub const fn seen_index(direction: Direction) -> u32 {
    direction as u32 * PER_DIRECTION
}

/// Index of an outcome of a direction.
#[must_use]
pub const fn outcome_index(direction: Direction, outcome: Outcome) -> u32 {
    seen_index(direction) + 1 + outcome as u32
}

/// Index of a kind of opacity (packets of both directions).
#[must_use]
pub const fn opaque_index(opaque: Opaque) -> u32 {
    2 * PER_DIRECTION + opaque as u32
}

/// Index of a kind of loss.
#[must_use]
pub const fn loss_index(loss: Loss) -> u32 {
    2 * PER_DIRECTION + Opaque::COUNT + loss as u32
}

/// Entries of the `COUNTERS` map.
pub const COUNTERS: u32 = 2 * PER_DIRECTION + Opaque::COUNT + Loss::ALL.len() as u32;

/// Answers to rejected packets that one CPU may send each second, and at once after a quiet time.
pub const REJECTS_PER_SECOND: u64 = 5_000;
/// See [`REJECTS_PER_SECOND`].
pub const REJECTS_BURST: u64 = 1_000;
