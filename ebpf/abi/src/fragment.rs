//! Fragments: what is kept of a datagram until all of it has passed.
//!
//! Every byte of a datagram passes once. A bitmap says which units of eight bytes came already; the
//! kernel sets bits and reads them in one step, so that two fragments on two CPUs cannot both be the
//! first. A fragment that brings only bytes that came already (a duplicate of the network, RFC 8200
//! section 4.5) is not passed on and spoils nothing; one that overlaps in part, ends behind the
//! datagram's end or contradicts it spoils the datagram: no fragment of it passes any more
//! (RFC 5722). All of them count as `fragment_overlapping`.

/// Key of the fragment table: what fragments of one datagram share (RFC 791, RFC 8200 4.5).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(C, align(8))]
pub struct FragmentKey {
    /// Source address, as in [`crate::flow::FlowKey`].
    pub source: [u8; 16],
    /// Destination address.
    pub destination: [u8; 16],
    /// IPv4 identification (16 bits) or IPv6 fragment identification, host byte order.
    pub identification: u32,
    /// Protocol in the header (IPv4) or fragment header (IPv6).
    pub protocol: u8,
    /// 4 or 6.
    pub family: u8,
    /// [`crate::outcome::Direction`] code.
    pub direction: u8,
    /// Zero.
    pub reserved: u8,
}

/// Bytes of a unit: fragments begin at multiples of it.
pub const UNIT_BYTES: u32 = 8;
/// Words of the bitmap: a datagram has at most 65,535 bytes.
pub const UNIT_WORDS: usize = 128;
/// Time after which a datagram is forgotten: a new one may have its number (RFC 8200 section 4.5).
pub const FORGOTTEN_AFTER_NS: u64 = 60_000_000_000;

/// What the fragment table keeps of a datagram.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct FragmentState {
    /// When its first fragment came, `CLOCK_MONOTONIC` nanoseconds.
    pub first_ns: u64,
    /// Units that came.
    pub units: u64,
    /// Units of the whole datagram; 0: the last fragment has not come.
    pub end: u32,
    /// Unit behind the highest one that came.
    pub highest: u32,
    /// [`crate::flow::FlowKey::inside_port`] of its flow.
    pub inside_port: u16,
    /// [`crate::flow::FlowKey::outside_port`] of its flow.
    pub outside_port: u16,
    /// [`crate::flow::FlowKey::protocol`] of its flow.
    pub protocol: u8,
    /// [`crate::opaque::Opaque`] code of its flow.
    pub opaque: u8,
    /// 1: fragments overlapped; none passes any more.
    pub spoiled: u8,
    /// Zero.
    pub reserved: u8,
    /// One bit for each unit that came.
    pub bitmap: [u64; UNIT_WORDS],
}

impl FragmentState {
    /// Whether all of the datagram came.
    #[must_use]
    #[inline(always)]
    pub const fn is_complete(&self) -> bool {
        self.end != 0 && self.units >= self.end as u64
    }
}

/// Datagrams in fragments kept.
pub const FRAGMENTS_ENTRIES: u32 = 16_384;
