//! The maps, with the names and shapes of `octroi_abi`.

use aya_ebpf::btf_maps::lpm_trie::Key;
use aya_ebpf::btf_maps::{Array, HashMap, LpmTrie, LruHashMap, PerCpuArray, RingBuf};
use aya_ebpf::macros::btf_map;
use octroi_abi::atlas::{NODES, Node};
use octroi_abi::control::{
    Control, GATEWAY_ADDRESSES_ENTRIES, MARKS_ENTRIES, PREFIX_KEY_HEAD_BITS, PrefixKey,
    ZONES_ENTRIES,
};
use octroi_abi::event::{
    EVENTS_RING_BYTES, HELD_BYTES, HELD_RING_BYTES, HeldHeader, SAMPLE_BYTES, SAMPLES_RING_BYTES,
    SampleHeader,
};
use octroi_abi::fragment::{FRAGMENTS_ENTRIES, FragmentKey, FragmentState};
use octroi_abi::opaque::Opaque;
use octroi_abi::outcome;
use octroi_abi::rules::{
    RULE_SETS as RULE_SETS_ROWS, RuleEntry, RuleSet, VERDICT_ROWS, VERDICT_SLOTS,
};
use octroi_abi::transition::{Marks, NAT64_ENTRIES};

use octroi_abi::table::{Account, BUCKET_SLOTS, BucketV4, BucketV6, V4_SLOTS, V6_SLOTS};

use crate::judge::Decision;
use crate::packet::Packet;
use crate::table::Search;

/// `BPF_F_MMAPABLE` (Linux 5.5). Userspace shares these tables; and their values begin on a page,
/// so that what is meant to be one cache line is one.
const MMAPABLE: usize = 1 << 10;

/// A row of the verdict table.
pub type Row = [u16; VERDICT_SLOTS];

#[btf_map]
pub static CONTROL: Array<Control, 1> = Array::new();

#[btf_map]
pub static ATLAS: Array<Node, { 2 * NODES as usize }, MMAPABLE> = Array::new();

#[btf_map]
pub static ZONES: LpmTrie<PrefixKey, u32, { ZONES_ENTRIES as usize }> = LpmTrie::new();
#[btf_map]
pub static MARKS: LpmTrie<PrefixKey, Marks, { MARKS_ENTRIES as usize }> = LpmTrie::new();
#[btf_map]
pub static VERDICTS: Array<Row, { 2 * VERDICT_ROWS as usize }> = Array::new();
#[btf_map]
pub static RULE_SETS: Array<RuleSet, { 2 * RULE_SETS_ROWS as usize }> = Array::new();
#[btf_map]
pub static OPAQUE: Array<RuleEntry, { 2 * Opaque::COUNT as usize }> = Array::new();
#[btf_map]
pub static GATEWAY_ADDRESSES: HashMap<[u64; 2], u32, { GATEWAY_ADDRESSES_ENTRIES as usize }> =
    HashMap::new();

#[btf_map]
pub static NAT64: LpmTrie<PrefixKey, u32, { NAT64_ENTRIES as usize }> = LpmTrie::new();

#[btf_map]
pub static FLOWS_V4: Array<BucketV4, { V4_SLOTS as usize / BUCKET_SLOTS }, MMAPABLE> =
    Array::new();
#[btf_map]
pub static FLOWS_V6: Array<BucketV6, { V6_SLOTS as usize / BUCKET_SLOTS }, MMAPABLE> =
    Array::new();
#[btf_map]
pub static FRAGMENTS: LruHashMap<FragmentKey, FragmentState, { FRAGMENTS_ENTRIES as usize }> =
    LruHashMap::new();

#[btf_map]
pub static EVENTS: RingBuf<(), { EVENTS_RING_BYTES as usize }> = RingBuf::new();
#[btf_map]
pub static SAMPLES: RingBuf<(), { SAMPLES_RING_BYTES as usize }> = RingBuf::new();
#[btf_map]
pub static HELD: RingBuf<(), { HELD_RING_BYTES as usize }> = RingBuf::new();
#[btf_map]
pub static COUNTERS: PerCpuArray<u64, { outcome::COUNTERS as usize }> = PerCpuArray::new();

/// One for each direction: an egress program and an ingress program never share one.
#[btf_map]
pub static SCRATCH: PerCpuArray<Scratch, 2> = PerCpuArray::new();
/// Where a held frame is put together: outbound only.
#[btf_map]
pub static HOLD: PerCpuArray<Held, 1> = PerCpuArray::new();
#[btf_map]
pub static LIMITS: PerCpuArray<Limits, 1> = PerCpuArray::new();

/// What is known of the packet at hand. In a map and not on the stack, for two reasons: the stack
/// is 512 bytes, and the verifier follows every value on it. What it reads from a map it takes as
/// unknown, so that all the ways through the parser meet again behind it.
#[repr(C)]
pub struct Scratch {
    /// The packet.
    pub packet: Packet,
    /// Its verdict, when it has to be found.
    pub decision: Decision,
    /// The account of a flow that begins.
    pub account: Account,
    /// The decision that holds for the packet, as in [`Account::decided`].
    pub decided: u64,
    /// Where its flow is kept.
    pub search: Search,
    /// The datagram that begins with it, when it is a first fragment. The bitmap stays empty.
    pub datagram: FragmentState,
    /// Its payload, when it is copied out.
    pub sample: Sample,
}

/// A sample while it is put together.
#[repr(C)]
pub struct Sample {
    /// Its head.
    pub header: SampleHeader,
    /// Room for the payload.
    pub payload: [u8; SAMPLE_BYTES],
}

/// A held frame while it is put together.
#[repr(C)]
pub struct Held {
    /// Its head.
    pub header: HeldHeader,
    /// Room for the frame.
    pub frame: [u8; HELD_BYTES],
}

/// What one CPU may still do.
#[repr(C)]
pub struct Limits {
    /// Credit for answers to rejected packets, nanoseconds of quiet time.
    pub answer_credit_ns: u64,
    /// When the credit was last counted.
    pub answer_time_ns: u64,
    /// When userspace was woken last.
    pub wake_ns: u64,
    /// Last event of each kind of opacity.
    pub opaque_event_ns: [u64; Opaque::COUNT as usize],
}

/// The key that finds the longest prefix of `address` in half `half` of `ZONES` or `MARKS`.
#[inline(always)]
pub fn prefix_key(half: u8, address: [u8; 16]) -> Key<PrefixKey> {
    Key::new(
        PREFIX_KEY_HEAD_BITS + 128,
        PrefixKey {
            half,
            reserved: [0; 7],
            address,
        },
    )
}
