//! The atlas: destination address to class.

use octroi_abi::atlas::{
    CLASS_MAX, ClassId, V4_OVERFLOW, V4_OVERFLOW_BLOCKS, V4_ROWS, V6_CHILD, V6_NODES,
};

use crate::maps::{ATLAS_V4, ATLAS_V4_OVERFLOW, ATLAS_V6};

/// Bytes of an IPv6 address behind the root's two.
const V6_DEPTH: usize = 14;

/// The class of an address of a flow key; `None`: the tables contradict themselves.
#[inline(always)]
pub fn class_of(half: u8, address: &[u8; 16], family: u8) -> Option<ClassId> {
    if family == 4 {
        class_of_v4(half, address)
    } else {
        class_of_v6(half, address)
    }
}

#[inline(always)]
fn class_of_v4(half: u8, address: &[u8; 16]) -> Option<ClassId> {
    let top = (address[12] as u32) << 8 | address[13] as u32;
    let row = ATLAS_V4.get(half as u32 * V4_ROWS + top)?;
    let slot = row[address[14] as usize];
    if slot & V4_OVERFLOW == 0 {
        return Some(slot);
    }
    let block = (slot & !V4_OVERFLOW) as u32;
    let row = ATLAS_V4_OVERFLOW.get(half as u32 * V4_OVERFLOW_BLOCKS + block)?;
    let class = row[address[15] as usize];
    (class <= CLASS_MAX).then_some(class)
}

#[inline(always)]
fn class_of_v6(half: u8, address: &[u8; 16]) -> Option<ClassId> {
    let base = half as u32 * V6_NODES;
    let mut node = address[0] as u32;
    let mut slot = ATLAS_V6.get(base + node)?[address[1] as usize];
    for byte in 0..V6_DEPTH {
        if slot & V6_CHILD == 0 {
            break;
        }
        node = slot & !V6_CHILD;
        if node >= V6_NODES {
            return None;
        }
        slot = ATLAS_V6.get(base + node)?[address[2 + byte] as usize];
    }
    (slot <= CLASS_MAX as u32).then_some(slot as ClassId)
}
