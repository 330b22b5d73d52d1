//! What the kernel tells userspace: one event for a decision, and first payload bytes for naming.

use crate::flow::FlowKey;
use crate::table::Account;

/// Kinds of [`FlowEvent`].
pub mod kind {
    /// First packet of a flow: the verdict was computed.
    pub const NEW: u8 = 1;
    /// Another generation: the verdict was computed again and differs, or the flow is `NAMED` and
    /// userspace must decide again.
    pub const REJUDGED: u8 = 2;
    /// A TCP flow saw RST, or FIN both ways.
    pub const CLOSED: u8 = 3;
    /// Opaque traffic that has no flow. `key` holds what was readable. At most one event for each
    /// kind of opacity, CPU and second; the counters have them all.
    pub const OPAQUE: u8 = 4;
    /// The account of a flow that left the table; `reason` says why ([`super::end`]).
    pub const ENDED: u8 = 5;
}

/// Why a flow left the kernel's table ([`FlowEvent::reason`]).
pub mod end {
    /// The table was full where it stood: another flow needed the room.
    pub const EVICTED: u8 = 1;
    /// A TCP connection that had ended was opened again with the same ports.
    pub const REOPENED: u8 = 2;
}

/// One decision.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct FlowEvent {
    /// `CLOCK_MONOTONIC` nanoseconds.
    pub time_ns: u64,
    /// The flow.
    pub key: FlowKey,
    /// Its account right after the decision, this packet included.
    pub account: Account,
    /// Interface the packet was seen on.
    pub ifindex: u32,
    /// Its length on the wire, link header included, bytes.
    pub wire_bytes: u32,
    /// Rule that would have decided if it were not `shadow`, or `RULE_NONE`.
    pub shadow_rule: u16,
    /// Code of its verdict.
    pub shadow_verdict: u8,
    /// See [`kind`].
    pub kind: u8,
    /// [`crate::outcome::Direction`] code.
    pub direction: u8,
    /// [`crate::outcome::Outcome`] code of the packet.
    pub outcome: u8,
    /// See [`end`]; 0 for the other kinds.
    pub reason: u8,
    /// Zero.
    pub reserved: u8,
}

/// Head of an entry of the sample ring; `length` payload bytes follow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct SampleHeader {
    /// `CLOCK_MONOTONIC` nanoseconds.
    pub time_ns: u64,
    /// The flow.
    pub key: FlowKey,
    /// TCP sequence number of the first payload byte, host byte order; 0 for UDP.
    pub sequence: u32,
    /// Payload bytes that follow this header.
    pub length: u16,
    /// Payload bytes of the packet (`length` is smaller when it was cut).
    pub payload_bytes: u16,
    /// [`crate::outcome::Direction`] code.
    pub direction: u8,
    /// TCP flags of the packet; 0 for UDP.
    pub tcp_flags: u8,
    /// Zero.
    pub reserved: [u8; 2],
    /// `Account::first`: tells two flows with one key apart.
    pub first: u32,
}

/// Head of an entry of the ring of held frames; `length` bytes of the frame follow, link header
/// first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct HeldHeader {
    /// `CLOCK_MONOTONIC` nanoseconds.
    pub time_ns: u64,
    /// The flow.
    pub key: FlowKey,
    /// Interface it came in by.
    pub ifindex: u32,
    /// Bytes of the whole frame.
    pub frame_bytes: u32,
    /// Bytes that follow this header: fewer when the frame is longer than [`HELD_BYTES`].
    pub length: u32,
    /// `Account::first`: tells two flows with one key apart.
    pub first: u32,
    /// TCP sequence number of the first payload byte, host byte order; 0 for UDP.
    pub sequence: u32,
    /// Payload bytes of the packet.
    pub payload_bytes: u32,
    /// Where in the frame the payload begins; 0: it has none.
    pub payload: u16,
    /// Where in the frame the TCP header begins; 0 for UDP.
    pub transport: u16,
    /// TCP flags of the packet; 0 for UDP.
    pub tcp_flags: u8,
    /// Zero.
    pub reserved: [u8; 3],
}

/// Most bytes of one held frame.
pub const HELD_BYTES: usize = 4_096;
/// Size of the ring of held frames, bytes.
pub const HELD_RING_BYTES: u32 = 8 << 20;
/// Most payload bytes of one sample.
pub const SAMPLE_BYTES: usize = 2_048;
/// Payload-carrying packets copied from each direction of a flow (DNS over UDP: every one).
pub const SAMPLES_PER_DIRECTION: u8 = 6;
/// Size of the event ring, bytes.
pub const EVENTS_RING_BYTES: u32 = 16 << 20;
/// Size of the sample ring, bytes.
pub const SAMPLES_RING_BYTES: u32 = 16 << 20;
