//! octroi-abi: everything that Octroi's kernel programs and its userspace both name.
//!
//! Owns: the shapes (`repr(C)`, no implicit padding, every field meaningful as raw bytes) and the
//! codes (verdicts, outcomes, kinds of opacity, kinds of event) that cross the kernel boundary, and
//! the names and sizes of the maps that hold them. Refuses to depend on anything, `std` included:
//! it is compiled for `bpfel-unknown-none` and for the host from the same source.
//!
//! Codes cross the boundary as plain integers and become enums only through a checked
//! conversion: a byte the other side wrote is never transmuted.
#![no_std]

pub mod atlas;
pub mod control;
pub mod event;
pub mod flow;
pub mod fragment;
pub mod opaque;
pub mod outcome;
pub mod probe;
pub mod rules;
pub mod table;
pub mod transition;
pub mod tunnel;
pub mod verdict;

/// Version of every shape in this crate. It names the pin directory
/// (`/sys/fs/bpf/octroi/<version>/`), so that a daemon never adopts the maps of another shape.
pub const ABI_VERSION: u32 = 4;

/// Names of the maps and programs in the kernel object, which are also their file names when
/// pinned.
pub mod name {
    /// XDP program on the inside interface: outbound packets.
    pub const PROGRAM_OUTBOUND: &str = "octroi_outbound";
    /// TCX egress program on the inside interface: replies.
    pub const PROGRAM_REPLY: &str = "octroi_reply";
    /// [`PROGRAM_OUTBOUND`] for frames that userspace held and lets go on before their flow is
    /// decided: never attached, only run (`BPF_PROG_RUN` with live frames, Linux 5.18).
    pub const PROGRAM_RELEASE: &str = "octroi_release";
    /// [`PROGRAM_OUTBOUND`] on an interface without a link header.
    pub const PROGRAM_OUTBOUND_L3: &str = "octroi_outbound_l3";
    /// [`PROGRAM_REPLY`] on an interface without a link header.
    pub const PROGRAM_REPLY_L3: &str = "octroi_reply_l3";
    /// TCX egress program of a host that guards itself: outbound packets.
    pub const PROGRAM_HOST_OUTBOUND: &str = "octroi_host_outbound";
    /// [`PROGRAM_HOST_OUTBOUND`] on an interface without a link header.
    pub const PROGRAM_HOST_OUTBOUND_L3: &str = "octroi_host_outbound_l3";
    /// XDP program of a host that guards itself: replies.
    pub const PROGRAM_HOST_REPLY: &str = "octroi_host_reply";
    /// [`PROGRAM_HOST_REPLY`] on an interface without a link header.
    pub const PROGRAM_HOST_REPLY_L3: &str = "octroi_host_reply_l3";
    /// XDP program that does nothing: the floor of the benches.
    pub const PROGRAM_NOOP: &str = "octroi_noop";
    /// XDP program that only looks a destination up: for the benches.
    pub const PROGRAM_LOOKUP: &str = "octroi_lookup";
    /// XDP program that shuffles addresses, then runs another: for the benches.
    pub const PROGRAM_SHUFFLE: &str = "octroi_shuffle";
    /// XDP program that only parses: for the benches.
    pub const PROGRAM_PARSE: &str = "octroi_parse";
    /// XDP program that looks a destination up in the kernel's own trie: for the benches.
    pub const PROGRAM_TRIE: &str = "octroi_trie";
    /// `ProgramArray`: where the shuffle goes on. Never pinned.
    pub const PROBES: &str = "PROBES";
    /// `LpmTrie<[u8; 4], u32>`: for the benches. Never pinned.
    pub const TRIE_V4: &str = "TRIE_V4";
    /// `LpmTrie<[u8; 16], u32>`: for the benches. Never pinned.
    pub const TRIE_V6: &str = "TRIE_V6";
    /// `Array<Control>`, one entry.
    pub const CONTROL: &str = "CONTROL";
    /// `Array<Node>`: see [`crate::atlas`].
    pub const ATLAS: &str = "ATLAS";
    /// `LpmTrie<PrefixKey, u32>`: source prefix to zone number.
    pub const ZONES: &str = "ZONES";
    /// `LpmTrie<PrefixKey, Marks>`: destination prefix to [`crate::transition::Marks`].
    pub const MARKS: &str = "MARKS";
    /// `Array<[u16; 256]>`: see [`crate::rules`].
    pub const VERDICTS: &str = "VERDICTS";
    /// `Array<RuleSet>`: see [`crate::rules`].
    pub const RULE_SETS: &str = "RULE_SETS";
    /// `Array<RuleEntry>`: verdict for each kind of opaque traffic, see [`crate::rules`].
    pub const OPAQUE: &str = "OPAQUE";
    /// `Hash<[u8; 16], u32>`: addresses of the gateway itself.
    pub const GATEWAY_ADDRESSES: &str = "GATEWAY_ADDRESSES";
    /// `Array<BucketV4>`: IPv4 flows, see [`crate::table`].
    pub const FLOWS_V4: &str = "FLOWS_V4";
    /// `Array<BucketV6>`: IPv6 flows.
    pub const FLOWS_V6: &str = "FLOWS_V6";
    /// `LpmTrie<PrefixKey, u32>`: NAT64 prefixes that the policy names, to their length.
    pub const NAT64: &str = "NAT64";
    /// `LruHash<FragmentKey, FragmentState>`: where the later fragments of a datagram belong.
    pub const FRAGMENTS: &str = "FRAGMENTS";
    /// `RingBuf` of [`crate::event::FlowEvent`].
    pub const EVENTS: &str = "EVENTS";
    /// `RingBuf` of [`crate::event::SampleHeader`] followed by the payload bytes.
    pub const SAMPLES: &str = "SAMPLES";
    /// `RingBuf` of [`crate::event::HeldHeader`] followed by the frame.
    pub const HELD: &str = "HELD";
    /// `PerCpuArray<u64>`: see [`crate::outcome`].
    pub const COUNTERS: &str = "COUNTERS";
    /// `PerCpuArray`: where samples are put together. Never pinned.
    pub const SCRATCH: &str = "SCRATCH";
    /// `PerCpuArray`: rate limits of answers and opaque events. Never pinned.
    pub const LIMITS: &str = "LIMITS";
}
