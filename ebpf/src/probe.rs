//! Programs that only benches and tests run: the floor, parsing alone, a look-up alone, the same
//! look-up in the kernel's own trie, and a shuffle that gives each run of one frame other addresses
//! before it goes on to one of the others. Their maps are never pinned and stay empty in a gate.

use aya_ebpf::bindings::xdp_action::{XDP_DROP, XDP_PASS};
use aya_ebpf::helpers::generated::bpf_get_prandom_u32;
use aya_ebpf::btf_maps::lpm_trie::Key;
use aya_ebpf::btf_maps::{LpmTrie, ProgramArray};
use aya_ebpf::macros::{btf_map, xdp};
use aya_ebpf::programs::XdpContext;
use octroi_abi::control::Active;
use octroi_abi::outcome::Direction;
use octroi_abi::probe::TRIE_ENTRIES;

use crate::atlas;
use crate::frame::{Frame as _, XdpFrame, header};
use crate::link::{self, Link};
use crate::maps::SCRATCH;
use crate::outbound::{active, control};
use crate::packet::mapped;

/// Does nothing: what a packet costs before Octroi begins.
#[xdp(frags)]
pub fn octroi_noop(_context: XdpContext) -> u32 {
    XDP_PASS
}

/// Looks up the destination of an untagged packet. Answers with `0x10000 | class`.
#[xdp(frags)]
pub fn octroi_lookup(context: XdpContext) -> u32 {
    let frame = XdpFrame::new(&context);
    let Some(control) = control() else {
        return XDP_DROP;
    };
    let half = Active::unpack(active(control)).atlas_half;
    let class = if header::<_, u16>(&frame, 12) == Some(0x0800_u16.to_be()) {
        let Some(address) = header::<_, u32>(&frame, 30) else {
            return XDP_DROP;
        };
        let words = mapped(address);
        // SAFETY: two words are sixteen bytes.
        let bytes: [u8; 16] = unsafe { core::mem::transmute(words) };
        atlas::class_of(half, &bytes, 4)
    } else {
        let Some(bytes) = header::<_, [u8; 16]>(&frame, 38) else {
            return XDP_DROP;
        };
        atlas::class_of(half, &bytes, 6)
    };
    match class {
        Some(class) => 0x1_0000 | class as u32,
        None => XDP_DROP,
    }
}

/// Parses a packet and judges nothing. Answers with `0x10000 | opaque`.
#[xdp(frags)]
pub fn octroi_parse(context: XdpContext) -> u32 {
    let frame = XdpFrame::new(&context);
    let Some(scratch) = SCRATCH.get_ptr_mut(Direction::Outbound as u32) else {
        return XDP_DROP;
    };
    // SAFETY: this CPU's and this direction's own slot.
    let scratch = unsafe { &mut *scratch };
    scratch.packet.reset();
    link::parse(&frame, Link::Ethernet, Direction::Outbound, &mut scratch.packet);
    0x1_0000 | scratch.packet.opaque as u32
}

/// A prefix of each family to a class: what the atlas would be without a shape of its own. Memory
/// is taken entry by entry, so that empty ones cost nothing.
#[btf_map]
static TRIE_V4: LpmTrie<[u8; 4], u32, { TRIE_ENTRIES as usize }> = LpmTrie::new();
#[btf_map]
static TRIE_V6: LpmTrie<[u8; 16], u32, { TRIE_ENTRIES as usize }> = LpmTrie::new();

/// [`octroi_lookup`] with `BPF_MAP_TYPE_LPM_TRIE`.
#[xdp(frags)]
pub fn octroi_trie(context: XdpContext) -> u32 {
    let frame = XdpFrame::new(&context);
    let class = if header::<_, u16>(&frame, 12) == Some(0x0800_u16.to_be()) {
        let Some(address) = header::<_, [u8; 4]>(&frame, 30) else {
            return XDP_DROP;
        };
        TRIE_V4.get(&Key::new(32, address))
    } else {
        let Some(address) = header::<_, [u8; 16]>(&frame, 38) else {
            return XDP_DROP;
        };
        TRIE_V6.get(&Key::new(128, address))
    };
    // SAFETY: nothing writes to the tries while they are walked.
    class.map_or(XDP_DROP, |class| 0x1_0000 | *class)
}

/// Where [`octroi_shuffle`] goes on.
#[btf_map]
static PROBES: ProgramArray<8> = ProgramArray::new();

/// Where an untagged IPv4 frame has its addresses, and an IPv6 one the words that are shuffled.
const V4_WORDS: [u32; 2] = [26, 30];
const V6_WORDS: [u32; 2] = [34, 40];
/// Where the shuffle's parameters stand: two masks, and the slot of [`PROBES`].
const V4_MASKS: u32 = 14 + 20 + 8;
const V6_MASKS: u32 = 14 + 40 + 8;

/// Replaces the masked bits of source and destination of an untagged UDP packet by random ones,
/// then runs another program on it. The masks and the program stand in the payload.
#[xdp(frags)]
pub fn octroi_shuffle(context: XdpContext) -> u32 {
    let frame = XdpFrame::new(&context);
    let v4 = header::<_, u16>(&frame, 12) == Some(0x0800_u16.to_be());
    let (words, masks) = if v4 { (V4_WORDS, V4_MASKS) } else { (V6_WORDS, V6_MASKS) };
    let Some(parameters) = header::<_, [u32; 3]>(&frame, masks) else {
        return XDP_DROP;
    };
    for (word, mask) in [(words[0], parameters[0]), (words[1], parameters[1])] {
        let at = frame.start() + word as usize;
        if at + 4 > frame.end() {
            return XDP_DROP;
        }
        let at = at as *mut u32;
        // SAFETY: inside the frame, see the check; a helper without arguments.
        unsafe { *at = *at & !mask | bpf_get_prandom_u32() & mask };
    }
    // SAFETY: a slot of the array or nothing.
    let _ = unsafe { PROBES.tail_call(&context, parameters[2]) };
    XDP_DROP
}
