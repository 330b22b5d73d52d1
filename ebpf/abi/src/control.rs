//! The one word that switches tables, and the keys of the small tries.

/// The value of the `CONTROL` map.
///
/// `active` packs what a packet must see together, in one aligned word that array updates write
/// whole (`bpf_long_memcpy` in `kernel/bpf/helpers`, since 5.2): the policy generation and which
/// half of each double buffer is live.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(C)]
pub struct Control {
    /// See [`Active`].
    pub active: u64,
    /// ABI version of the daemon that wrote it, for `status` and for the next start.
    pub abi_version: u64,
    /// Secret that the hash of flows begins with: who does not know it cannot crowd a bucket. Drawn
    /// once, when the maps are made.
    pub seed: u64,
    /// Buckets of `FLOWS_V4`, less one.
    pub v4_mask: u32,
    /// Buckets of `FLOWS_V6`, less one.
    pub v6_mask: u32,
    /// [`RELEASES`].
    pub flags: u64,
}

/// Flag of [`Control::flags`]: on every inside interface, userspace can let a held frame go on. Clear:
/// what opens a connection without a word of the client (a SYN) is not held, because its sender would
/// have to send it again.
pub const RELEASES: u64 = 1;

/// The unpacked form of [`Control::active`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Active {
    /// Bumped at each change of policy or atlas; flows of another generation are judged again.
    /// Zero: no policy was ever loaded, everything but control traffic is dropped. At most
    /// [`crate::table::GENERATION_MASK`].
    pub generation: u32,
    /// Live half (0 or 1) of `ZONES`, `MARKS`, `VERDICTS`, `RULE_SETS` and `OPAQUE`.
    pub policy_half: u8,
    /// Live half (0 or 1) of the atlas maps.
    pub atlas_half: u8,
    /// The policy is strict about names: DNS queries are held too, whoever they are for.
    pub strict: bool,
}

impl Active {
    /// Into one word.
    #[must_use]
    pub const fn pack(self) -> u64 {
        self.generation as u64
            | ((self.policy_half & 1) as u64) << 32
            | ((self.atlas_half & 1) as u64) << 33
            | (self.strict as u64) << 34
    }

    /// Out of one word.
    #[must_use]
    pub const fn unpack(word: u64) -> Self {
        Self {
            generation: word as u32,
            policy_half: (word >> 32 & 1) as u8,
            atlas_half: (word >> 33 & 1) as u8,
            strict: word >> 34 & 1 != 0,
        }
    }
}

/// Key data of the `ZONES` and `MARKS` tries, behind the `u32` prefix length that LPM keys begin
/// with. The half comes first, so that one trie holds both halves of the double buffer: the prefix
/// length is [`PREFIX_KEY_HEAD_BITS`] + the prefix length of the address as 16 bytes (IPv4: 96 more).
///
/// 24 bytes, because the kernel stores the value right behind the key data
/// (`kernel/bpf/lpm_trie.c`) and a `u64` must be aligned there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct PrefixKey {
    /// Half of the double buffer (0 or 1).
    pub half: u8,
    /// Zero; part of every prefix.
    pub reserved: [u8; 7],
    /// IPv6 address, or IPv4-mapped IPv6 address (`::ffff:0:0/96`), network byte order.
    pub address: [u8; 16],
}

/// Bits of a [`PrefixKey`] before the address.
pub const PREFIX_KEY_HEAD_BITS: u32 = 64;

/// Most zones a policy can have; number 0 is "no zone".
pub const MAX_ZONES: u32 = 64;
/// Room of the `ZONES` trie, both halves.
pub const ZONES_ENTRIES: u32 = 16_384;
/// Room of the `MARKS` trie, both halves.
pub const MARKS_ENTRIES: u32 = 524_288;
/// Room of the `GATEWAY_ADDRESSES` map.
pub const GATEWAY_ADDRESSES_ENTRIES: u32 = 4_096;
