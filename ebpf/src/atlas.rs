//! The atlas: destination address to class.

use octroi_abi::atlas::{CHILD, CLASS_MAX, ClassId, NODES, ROOT_BITS, V4_ROOT, V6_ROOT};

use crate::maps::ATLAS;

/// Steps of four bits below the root: 16 bits of IPv4, 112 bits of IPv6.
const V4_DEPTH: u32 = 4;
const V6_DEPTH: u32 = 28;
/// Steps after which the leading 64 bits of an address are used up.
const FIRST_WORD_STEPS: u32 = 12;

/// The class of an address of a flow key; `None`: the tables contradict themselves.
#[inline(always)]
pub fn class_of(half: u8, address: &[u8; 16], family: u8) -> Option<ClassId> {
    let base = half as u32 * NODES;
    if family == 4 {
        let [_, _, _, _, _, _, _, _, _, _, _, _, a, b, c, d] = *address;
        class_of_v4(half, u32::from_be_bytes([a, b, c, d]))
    } else {
        let [high, low] = crate::packet::words(address);
        walk::<V6_DEPTH>(base, base + V6_ROOT, u64::from_be(high), u64::from_be(low))
    }
}

/// The class of an IPv4 address in host byte order.
#[inline(always)]
pub fn class_of_v4(half: u8, address: u32) -> Option<ClassId> {
    let base = half as u32 * NODES;
    walk::<V4_DEPTH>(base, base + V4_ROOT, (address as u64) << 32, 0)
}

/// Follows `bits`, then `rest`, highest first, from the root of a family down.
#[inline(always)]
fn walk<const DEPTH: u32>(base: u32, root: u32, bits: u64, rest: u64) -> Option<ClassId> {
    let mut bits = bits;
    let top = (bits >> (64 - ROOT_BITS)) as u32;
    let mut slot = ATLAS.get(root + (top >> 4))?[(top & 15) as usize];
    bits <<= ROOT_BITS;
    for step in 0..DEPTH {
        if slot & CHILD == 0 {
            break;
        }
        let node = slot & !CHILD;
        if node >= NODES {
            return None;
        }
        slot = ATLAS.get(base + node)?[(bits >> 60) as usize];
        bits = if step == FIRST_WORD_STEPS - 1 { rest } else { bits << 4 };
    }
    (slot <= CLASS_MAX as u32).then_some(slot as ClassId)
}
