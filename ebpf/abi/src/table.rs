//! The flow table: what is kept of a flow in the kernel, and where.
//!
//! Memory is what a packet costs (`docs/datapath.md`), so all that a packet of an IPv4 flow needs
//! stands in one cache line, the key included. A table is an array of buckets of [`BUCKET_SLOTS`]
//! slots. A flow stands in the bucket that its hash names or, when that one is nearly full, in a
//! second one; the first slot of a bucket that sent a flow there is marked [`SPILLED`]. When both
//! are full, the flow that was quiet for the longest time makes room, and userspace is told.
//!
//! Kernel programs and the daemon (which maps the tables into its memory) follow one protocol.
//! The last word of a slot holds its state; it changes by compare-and-swap or by atomic "or" and
//! "and" only:
//!
//! - empty -> [`TAKEN`]: its fields are being written; nobody else touches it.
//! - [`TAKEN`] -> [`LIVE`]: it can be found. Whoever read a decision reads the key once more.
//! - [`LIVE`] -> [`LIVE`] with [`HELD`]: userspace changes it; it can be found but not taken.
//! - [`LIVE`] -> [`TAKEN`] -> empty, or another flow: it ended.

use crate::flow::{AWAITS_NAME, FlowKey, FlowState};

/// Slots of a bucket.
pub const BUCKET_SLOTS: usize = 8;
/// The same number, for sizes of maps.
pub const SLOTS_PER_BUCKET: u32 = 8;
const _: () = assert!(SLOTS_PER_BUCKET as usize == BUCKET_SLOTS);
/// Used slots from which on a flow goes to its second bucket, if that one is emptier.
pub const SPILL_AT: u32 = 6;

/// IPv4 slots of a table, unless the gateway is configured otherwise: 128 MiB.
pub const V4_SLOTS: u32 = 1 << 21;
/// IPv6 slots of a table, unless the gateway is configured otherwise: 64 MiB.
pub const V6_SLOTS: u32 = 1 << 19;
/// Fewest slots of a table.
pub const MIN_SLOTS: u32 = 1 << 10;
/// Most slots of a table.
pub const MAX_SLOTS: u32 = 1 << 24;

/// State bits, in [`Account::state`].
pub const TAKEN: u8 = 0x01;
/// The slot holds a flow that can be found.
pub const LIVE: u8 = 0x02;
/// Userspace changes the flow in place.
pub const HELD: u8 = 0x04;
/// First slot of a bucket: a flow of this bucket may stand in its second one.
pub const SPILLED: u8 = 0x80;
/// Bits by which [`Account::state`] is shifted in the last word of a slot, read as `u32`.
pub const STATE_SHIFT: u32 = 24;

/// Bits by which nanoseconds are shifted to the unit of [`Account::first`]: 4.19 ms, which is the
/// tick of the coarse clock at 250 Hz. It wraps after 208 days.
pub const TIME_SHIFT: u32 = 22;

/// What is kept of a flow. 56 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(C, align(8))]
pub struct Account {
    /// See [`FlowKey::inside_port`].
    pub inside_port: u16,
    /// See [`FlowKey::outside_port`].
    pub outside_port: u16,
    /// IP protocol number.
    pub protocol: u8,
    /// Union of TCP flags seen outbound.
    pub outbound_tcp_flags: u8,
    /// Union of TCP flags seen in replies.
    pub reply_tcp_flags: u8,
    /// Payloads copied to userspace so far: outbound in the low four bits, replies in the high ones.
    pub samples: u8,
    /// See [`Decided`]: one word, so that nobody ever sees half a decision.
    pub decided: u64,
    /// Outbound bytes, from the IP header on (IP total length).
    pub outbound_bytes: u64,
    /// Reply bytes, from the IP header on, as on the wire.
    pub reply_bytes: u64,
    /// Outbound packets, stopped ones included; [`Account::carry`] counts on.
    pub outbound_packets: u32,
    /// Reply packets (segments: what the kernel has not split yet counts as what it becomes).
    pub reply_packets: u32,
    /// First packet, in units of [`TIME_SHIFT`].
    pub first: u32,
    /// Last packet, either direction.
    pub last: u32,
    /// Outbound packets stopped, at most `u32::MAX`.
    pub stopped: u32,
    /// Class of the destination.
    pub class: u16,
    /// How often the packets of each direction passed `u32::MAX`: outbound in the low four bits.
    pub carry: u8,
    /// [`TAKEN`], [`LIVE`], [`HELD`], [`SPILLED`].
    pub state: u8,
}

/// 64-bit words of an [`Account`].
pub const ACCOUNT_WORDS: usize = size_of::<Account>() / 8;
/// The bits of an account's first word that belong to the key: ports and protocol.
pub const HEAD_MASK: u64 = 0xff_ffff_ffff;

/// A slot of the IPv4 table: one cache line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C, align(64))]
pub struct SlotV4 {
    /// Both addresses, network byte order: inside, then outside.
    pub addresses: [u64; 1],
    /// The rest.
    pub account: Account,
}

/// A slot of the IPv6 table: two cache lines.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C, align(64))]
pub struct SlotV6 {
    /// Both addresses, network byte order: inside, then outside.
    pub addresses: [u64; 4],
    /// The rest.
    pub account: Account,
    /// Zero.
    pub reserved: [u64; 5],
}

/// A bucket of the IPv4 table.
pub type BucketV4 = [SlotV4; BUCKET_SLOTS];
/// A bucket of the IPv6 table.
pub type BucketV6 = [SlotV6; BUCKET_SLOTS];

const _: () = assert!(size_of::<SlotV4>() == 64 && size_of::<SlotV6>() == 128);

/// Generations are kept in so many bits.
pub const GENERATION_MASK: u32 = 0x7fff_ffff;
const AWAITS_NAME_BIT: u32 = 31;

/// The unpacked form of [`Account::decided`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Decided {
    /// Generation the verdict was computed under ([`GENERATION_MASK`]).
    pub generation: u32,
    /// Rule that decided: a number of the policy or `RULE_*`.
    pub rule: u16,
    /// Verdict code of the deciding rule (two bits).
    pub verdict: u8,
    /// [`crate::flow::ENFORCED`], `NAMED`, `NAMES_MATTER` (three bits), and `AWAITS_NAME` in the
    /// bit that generations leave (ABI 3 had none there).
    pub flags: u8,
    /// [`crate::opaque::Opaque`] code (five bits).
    pub opaque: u8,
    /// Zone number of the source (six bits).
    pub zone: u8,
}

const _: () = assert!(crate::opaque::Opaque::COUNT <= 32 && crate::control::MAX_ZONES <= 64);

impl Decided {
    /// Into one word.
    #[must_use]
    pub const fn pack(self) -> u64 {
        (self.generation & GENERATION_MASK) as u64
            | ((self.flags >> 3 & 1) as u64) << AWAITS_NAME_BIT
            | (self.rule as u64) << 32
            | ((self.verdict & 3) as u64) << 48
            | ((self.flags & 7) as u64) << 50
            | ((self.opaque & 31) as u64) << 53
            | ((self.zone & 63) as u64) << 58
    }

    /// Out of one word.
    #[must_use]
    pub const fn unpack(word: u64) -> Self {
        Self {
            generation: word as u32 & GENERATION_MASK,
            rule: (word >> 32) as u16,
            verdict: (word >> 48 & 3) as u8,
            flags: (word >> 50 & 7) as u8 | ((word >> AWAITS_NAME_BIT & 1) as u8 * AWAITS_NAME),
            opaque: (word >> 53 & 31) as u8,
            zone: (word >> 58) as u8,
        }
    }
}

impl Account {
    /// From the words of a slot, as they stand in memory (little-endian).
    #[must_use]
    pub const fn from_words(words: [u64; ACCOUNT_WORDS]) -> Self {
        Self {
            inside_port: words[0] as u16,
            outside_port: (words[0] >> 16) as u16,
            protocol: (words[0] >> 32) as u8,
            outbound_tcp_flags: (words[0] >> 40) as u8,
            reply_tcp_flags: (words[0] >> 48) as u8,
            samples: (words[0] >> 56) as u8,
            decided: words[1],
            outbound_bytes: words[2],
            reply_bytes: words[3],
            outbound_packets: words[4] as u32,
            reply_packets: (words[4] >> 32) as u32,
            first: words[5] as u32,
            last: (words[5] >> 32) as u32,
            stopped: words[6] as u32,
            class: (words[6] >> 32) as u16,
            carry: (words[6] >> 48) as u8,
            state: (words[6] >> 56) as u8,
        }
    }

    /// The words of a slot.
    #[must_use]
    pub const fn words(&self) -> [u64; ACCOUNT_WORDS] {
        [
            head(self.inside_port, self.outside_port, self.protocol)
                | (self.outbound_tcp_flags as u64) << 40
                | (self.reply_tcp_flags as u64) << 48
                | (self.samples as u64) << 56,
            self.decided,
            self.outbound_bytes,
            self.reply_bytes,
            self.outbound_packets as u64 | (self.reply_packets as u64) << 32,
            self.first as u64 | (self.last as u64) << 32,
            self.stopped as u64
                | (self.class as u64) << 32
                | (self.carry as u64) << 48
                | (self.state as u64) << 56,
        ]
    }

    /// The account as people read it. `now_ns` (monotonic) tells which round of the short times is
    /// meant: a flow is younger than 208 days.
    #[must_use]
    pub const fn state(&self, now_ns: u64) -> FlowState {
        let decided = Decided::unpack(self.decided);
        FlowState {
            first_ns: long_time(self.first, now_ns),
            last_ns: long_time(self.last, now_ns),
            outbound_packets: self.outbound_packets as u64 | ((self.carry & 15) as u64) << 32,
            outbound_bytes: self.outbound_bytes,
            reply_packets: self.reply_packets as u64 | ((self.carry >> 4) as u64) << 32,
            reply_bytes: self.reply_bytes,
            stopped_packets: self.stopped as u64,
            generation: decided.generation,
            rule: decided.rule,
            class: self.class,
            verdict: decided.verdict,
            flags: decided.flags,
            zone: decided.zone,
            opaque: decided.opaque,
            outbound_tcp_flags: self.outbound_tcp_flags,
            reply_tcp_flags: self.reply_tcp_flags,
        }
    }
}

/// A time in the unit of [`Account::first`].
#[must_use]
pub const fn short_time(ns: u64) -> u32 {
    (ns >> TIME_SHIFT) as u32
}

/// The latest time with this short form that is not much later than `now_ns`.
#[must_use]
pub const fn long_time(short: u32, now_ns: u64) -> u64 {
    let now = now_ns >> TIME_SHIFT;
    // Another CPU's clock may be a little ahead of the reader's.
    let age = (now as u32).wrapping_sub(short) as i32;
    let age = if age < 0 && age > -1024 {
        age as i64
    } else {
        age as u32 as i64
    };
    now.saturating_add_signed(-age) << TIME_SHIFT
}

/// Ports and protocol of a key, as they stand in the first word of an [`Account`].
#[must_use]
pub const fn head(inside_port: u16, outside_port: u16, protocol: u8) -> u64 {
    inside_port as u64 | (outside_port as u64) << 16 | (protocol as u64) << 32
}

/// Odd numbers with as many ones as zeros and no pattern (fractions of the square roots of 2, 3).
const FACTORS: [u64; 2] = [0x6a09_e667_f3bc_c909, 0xbb67_ae85_84ca_a73b];

/// Mixes a word into a hash.
#[inline(always)]
const fn mix(hash: u64, word: u64, factor: u64) -> u64 {
    let product = (hash ^ word).wrapping_mul(factor);
    product ^ product >> 32
}

/// Hash of an IPv4 flow.
#[inline(always)]
#[must_use]
pub const fn hash_v4(seed: u64, addresses: u64, head: u64) -> u64 {
    let hash = mix(seed, addresses, FACTORS[0]);
    let hash = mix(hash, head, FACTORS[1]);
    mix(hash, 0, FACTORS[0])
}

/// Hash of an IPv6 flow.
#[inline(always)]
#[must_use]
pub const fn hash_v6(seed: u64, addresses: [u64; 4], head: u64) -> u64 {
    let hash = mix(seed, addresses[0], FACTORS[0]);
    let hash = mix(hash, addresses[1], FACTORS[1]);
    let hash = mix(hash, addresses[2], FACTORS[0]);
    let hash = mix(hash, addresses[3], FACTORS[1]);
    let hash = mix(hash, head, FACTORS[0]);
    mix(hash, 0, FACTORS[1])
}

/// The two buckets of a hash, in a table of `mask + 1` buckets.
#[inline(always)]
#[must_use]
pub const fn buckets(hash: u64, mask: u32) -> [u32; 2] {
    let first = hash as u32 & mask;
    let second = (hash >> 32) as u32 & mask;
    [first, if second == first { first ^ 1 } else { second }]
}

/// The IPv4 addresses of a key, as one word of a [`SlotV4`]; meaningful for family 4.
#[must_use]
pub const fn addresses_v4(key: &FlowKey) -> u64 {
    let [.., a, b, c, d] = key.inside;
    let [.., e, f, g, h] = key.outside;
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

/// The key of an IPv4 slot.
#[must_use]
pub const fn key_v4(addresses: u64, account: &Account) -> FlowKey {
    let [a, b, c, d, e, f, g, h] = addresses.to_le_bytes();
    FlowKey {
        inside: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d],
        outside: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, e, f, g, h],
        inside_port: account.inside_port,
        outside_port: account.outside_port,
        protocol: account.protocol,
        family: 4,
        reserved: [0; 2],
    }
}
