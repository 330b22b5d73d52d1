//! Flows: the key that both directions share, and what is kept of each.

/// A flow, seen from the inside: `inside` is the source of its outbound packets.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
// Aligned to 8 so that both compilers copy and compare it in words, not in bytes.
#[repr(C, align(8))]
pub struct FlowKey {
    /// Address in the zone, network byte order; IPv4 as `::ffff:a.b.c.d`.
    pub inside: [u8; 16],
    /// Destination address, same form.
    pub outside: [u8; 16],
    /// Source port of outbound packets, host byte order. ICMP echo: the identifier.
    pub inside_port: u16,
    /// Destination port of outbound packets, host byte order. ICMP: 0.
    pub outside_port: u16,
    /// IP protocol number (the last one of an IPv6 header chain).
    pub protocol: u8,
    /// 4 or 6: a mapped address is not an IPv4 packet.
    pub family: u8,
    /// Zero.
    pub reserved: [u8; 2],
}

/// The account of a flow as people read it; the kernel keeps it in [`crate::table::Account`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FlowState {
    /// First packet, `CLOCK_MONOTONIC` nanoseconds, in steps of [`crate::table::TIME_SHIFT`]. With
    /// the key it names the flow.
    pub first_ns: u64,
    /// Last packet, either direction.
    pub last_ns: u64,
    /// Outbound packets, stopped ones included.
    pub outbound_packets: u64,
    /// Their bytes, from the IP header on (IP total length).
    pub outbound_bytes: u64,
    /// Reply packets (segments: what the kernel has not split yet counts as what it becomes).
    pub reply_packets: u64,
    /// Their bytes, from the IP header on, as on the wire.
    pub reply_bytes: u64,
    /// Outbound packets stopped.
    pub stopped_packets: u64,
    /// Generation the verdict was computed under.
    pub generation: u32,
    /// Rule that decided: a number of the policy or `RULE_*`.
    pub rule: u16,
    /// Class of the destination.
    pub class: u16,
    /// Verdict code of the deciding rule.
    pub verdict: u8,
    /// [`ENFORCED`], [`NAMED`], [`NAMES_MATTER`], [`AWAITS_NAME`].
    pub flags: u8,
    /// Zone number of the source.
    pub zone: u8,
    /// [`crate::opaque::Opaque`] code.
    pub opaque: u8,
    /// Union of TCP flags seen outbound.
    pub outbound_tcp_flags: u8,
    /// Union of TCP flags seen in replies.
    pub reply_tcp_flags: u8,
}

/// The verdict is enforced; clear: recorded only (monitor mode), packets pass.
pub const ENFORCED: u8 = 1;
/// Userspace decided this flow by its name. When the generation changes, the kernel keeps the
/// stricter of that verdict and the new one until userspace has decided again.
pub const NAMED: u8 = 2;
/// A name can change the verdict (see `rules::NAMES_MATTER`).
pub const NAMES_MATTER: u8 = 4;
/// What the client says is held until userspace has read the name (see `rules::NAMES_STRICT`).
/// Never together with [`NAMED`].
pub const AWAITS_NAME: u8 = 8;
