//! The atlas in the shapes that the kernel programs walk ([`octroi_abi::atlas`]).

use octroi_abi::atlas::{
    ClassId, SLOTS, V4_OVERFLOW, V4_OVERFLOW_BLOCKS, V4_ROWS, V6_CHILD, V6_NODES, V6_ROOT_NODES,
};

use super::error::AtlasError;
use super::range::Partition;

/// One half of the kernel's tables, see [`octroi_abi::atlas`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelTables {
    /// Rows of the IPv4 table: always 65,536.
    pub v4_rows: Vec<[u16; SLOTS]>,
    /// Overflow blocks of the IPv4 table.
    pub v4_overflow: Vec<[u16; SLOTS]>,
    /// Nodes of the IPv6 trie; the first 256 are the root.
    pub v6_nodes: Vec<[u32; SLOTS]>,
}

impl KernelTables {
    /// From both families' pieces.
    ///
    /// # Errors
    /// When they need more blocks or nodes than the kernel has room for.
    pub(crate) fn new(
        v4: &Partition<u32, ClassId>,
        v6: &Partition<u128, ClassId>,
    ) -> Result<Self, AtlasError> {
        let (tables, v6_nodes) = std::thread::scope(|scope| {
            let v6 = scope.spawn(|| trie(v6));
            (direct_table(v4), v6.join())
        });
        let (v4_rows, v4_overflow) = tables?;
        let v6_nodes = v6_nodes.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        Ok(Self {
            v4_rows,
            v4_overflow,
            v6_nodes,
        })
    }

    /// The class of an IPv4 address, read the way the kernel reads it. `None` when the tables are
    /// not whole.
    #[must_use]
    pub fn class_v4(&self, address: u32) -> Option<ClassId> {
        let [a, b, c, d] = address.to_be_bytes();
        let row = self.v4_rows.get(usize::from(u16::from_be_bytes([a, b])))?;
        let slot = row[usize::from(c)];
        if slot & V4_OVERFLOW == 0 {
            return Some(slot);
        }
        let block = self.v4_overflow.get(usize::from(slot & !V4_OVERFLOW))?;
        Some(block[usize::from(d)])
    }

    /// The class of an IPv6 address, read the way the kernel reads it. `None` when the tables are
    /// not whole.
    #[must_use]
    pub fn class_v6(&self, address: u128) -> Option<ClassId> {
        let bytes = address.to_be_bytes();
        let mut node = usize::from(bytes[0]);
        for byte in &bytes[1..] {
            let slot = self.v6_nodes.get(node)?[usize::from(*byte)];
            if slot & V6_CHILD == 0 {
                return ClassId::try_from(slot).ok();
            }
            node = (slot & !V6_CHILD) as usize;
        }
        None
    }
}

type Rows = Vec<[u16; SLOTS]>;

fn direct_table(pieces: &Partition<u32, ClassId>) -> Result<(Rows, Rows), AtlasError> {
    let mut rows: Rows = vec![[0; SLOTS]; V4_ROWS as usize];
    let mut blocks: Rows = Vec::new();
    let slots = rows.as_flattened_mut();
    for piece in pieces.pieces() {
        let (first, last) = ((piece.first >> 8) as usize, (piece.last >> 8) as usize);
        let (low, high) = ((piece.first & 0xff) as usize, (piece.last & 0xff) as usize);
        if first == last {
            if low == 0 && high == 0xff {
                slots[first] = piece.value;
            } else {
                overflow(&mut slots[first], &mut blocks)?[low..=high].fill(piece.value);
            }
            continue;
        }
        let mut whole = first..last + 1;
        if low != 0 {
            overflow(&mut slots[first], &mut blocks)?[low..].fill(piece.value);
            whole.start += 1;
        }
        if high != 0xff {
            overflow(&mut slots[last], &mut blocks)?[..=high].fill(piece.value);
            whole.end -= 1;
        }
        slots[whole].fill(piece.value);
    }
    Ok((rows, blocks))
}

/// The overflow block of a slot, made when there is none yet. The pieces cover every address, so
/// each of its entries is filled in the end.
fn overflow<'a>(slot: &mut u16, blocks: &'a mut Rows) -> Result<&'a mut [u16; SLOTS], AtlasError> {
    let number = if *slot & V4_OVERFLOW == 0 {
        let number = blocks.len();
        let fits = u16::try_from(number)
            .ok()
            .filter(|number| *number < V4_OVERFLOW);
        let Some(short) = fits.filter(|_| number < V4_OVERFLOW_BLOCKS as usize) else {
            return Err(AtlasError::Bound {
                what: "IPv4 blocks for prefixes longer than /24",
                needed: number + 1,
                limit: V4_OVERFLOW_BLOCKS as usize,
                remedy: "leave out sources with very long prefixes",
            });
        };
        *slot = V4_OVERFLOW | short;
        blocks.push([0; SLOTS]);
        number
    } else {
        usize::from(*slot & !V4_OVERFLOW)
    };
    Ok(&mut blocks[number])
}

fn trie(pieces: &Partition<u128, ClassId>) -> Result<Vec<[u32; SLOTS]>, AtlasError> {
    let mut nodes = vec![[0; SLOTS]; V6_ROOT_NODES as usize];
    for piece in pieces.pieces() {
        // The root spans the first two bytes: walk it as one level of 65,536 slots.
        let (first, last) = ((piece.first >> 112) as usize, (piece.last >> 112) as usize);
        let rest = u128::MAX >> 16;
        let (low, high) = (piece.first & rest, piece.last & rest);
        let class = u32::from(piece.value);
        if first == last {
            if low == 0 && high == rest {
                nodes.as_flattened_mut()[first] = class;
            } else {
                fill(&mut nodes, first, 2, low, high, class)?;
            }
            continue;
        }
        let mut whole = first..last + 1;
        if low != 0 {
            fill(&mut nodes, first, 2, low, rest, class)?;
            whole.start += 1;
        }
        if high != rest {
            fill(&mut nodes, last, 2, 0, high, class)?;
            whole.end -= 1;
        }
        nodes.as_flattened_mut()[whole].fill(class);
    }
    Ok(nodes)
}

/// Fills `low..=high`, part of what the slot at `position` (counted over all nodes) stands for.
/// `depth` bytes of the address are spent: `low` and `high` have `16 - depth` bytes.
fn fill(
    nodes: &mut Vec<[u32; SLOTS]>,
    position: usize,
    depth: u32,
    low: u128,
    high: u128,
    class: u32,
) -> Result<(), AtlasError> {
    let slot = nodes.as_flattened_mut()[position];
    let node = if slot & V6_CHILD == 0 {
        let node = nodes.len();
        let Some(short) = u32::try_from(node).ok().filter(|node| *node < V6_NODES) else {
            return Err(AtlasError::Bound {
                what: "IPv6 nodes",
                needed: node + 1,
                limit: V6_NODES as usize,
                remedy: "leave out sources with very long prefixes",
            });
        };
        nodes.as_flattened_mut()[position] = V6_CHILD | short;
        nodes.push([0; SLOTS]);
        node
    } else {
        (slot & !V6_CHILD) as usize
    };
    let base = node * SLOTS;
    let shift = 8 * (15 - depth);
    let rest = (1_u128 << shift) - 1;
    let (first, last) = ((low >> shift) as usize, (high >> shift) as usize);
    let (low_rest, high_rest) = (low & rest, high & rest);
    if first == last && (low_rest != 0 || high_rest != rest) {
        return fill(nodes, base + first, depth + 1, low_rest, high_rest, class);
    }
    let mut whole = first..last + 1;
    if low_rest != 0 {
        fill(nodes, base + first, depth + 1, low_rest, rest, class)?;
        whole.start += 1;
    }
    if high_rest != rest {
        fill(nodes, base + last, depth + 1, 0, high_rest, class)?;
        whole.end -= 1;
    }
    nodes[node][whole].fill(class);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::atlas::range::{Address, Range};
    use proptest::prelude::*;

    fn agree(v4: &Partition<u32, u16>, v6: &Partition<u128, u16>, probes: &[(u32, u128)]) {
        let tables = KernelTables::new(v4, v6).expect("within bounds");
        let borders = v4
            .starts()
            .iter()
            .flat_map(|start| [Some(*start), start.previous()].into_iter().flatten());
        for address in borders.chain(probes.iter().map(|probe| probe.0)) {
            assert_eq!(
                tables.class_v4(address),
                Some(v4.get(address)),
                "{address:#x}"
            );
        }
        let borders = v6
            .starts()
            .iter()
            .flat_map(|start| [Some(*start), start.previous()].into_iter().flatten());
        for address in borders.chain(probes.iter().map(|probe| probe.1)) {
            assert_eq!(
                tables.class_v6(address),
                Some(v6.get(address)),
                "{address:#x}"
            );
        }
    }

    fn partition<A: Address>(ranges: &[(A, A, u16)]) -> Partition<A, u16> {
        let range = |&(a, b, value): &(A, A, u16)| Range {
            first: a.min(b),
            last: a.max(b),
            value,
        };
        Partition::from_ranges(ranges.iter().map(range).collect())
    }

    #[test]
    fn more_blocks_than_there_are_is_an_error() {
        let every_second: Vec<_> = (0..32_769_u32)
            .map(|number| (number << 8, number << 8, 1))
            .collect();
        let error = KernelTables::new(&partition(&every_second), &Partition::silent())
            .expect_err("one block too many");
        assert!(error.to_string().contains("hold 32768"), "{error}");
        let every_node: Vec<_> = (0..65_281_u128)
            .map(|number| (number << 104, number << 104, 1))
            .collect();
        let error = KernelTables::new(&Partition::silent(), &partition(&every_node))
            .expect_err("one node too many");
        assert!(error.to_string().contains("IPv6 nodes"), "{error}");
    }

    #[test]
    fn a_silent_atlas_has_no_block() {
        let tables = KernelTables::new(&Partition::silent(), &Partition::silent()).expect("builds");
        assert_eq!(tables.v4_rows.len(), 65_536);
        assert!(tables.v4_overflow.is_empty());
        assert_eq!(tables.v6_nodes.len(), 256);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn the_kernel_reads_what_the_atlas_says(
            v4 in proptest::collection::vec((any::<u32>(), any::<u32>(), 0_u16..0x7fff), 0..40),
            narrow in proptest::collection::vec((0_u32..0x1_0000, 0_u32..300, 0_u16..9), 0..40),
            v6 in proptest::collection::vec((any::<u128>(), any::<u128>(), 0_u16..0x7fff), 0..20),
            deep in proptest::collection::vec((0_u128..0x1_0000, 0_u128..300, 0_u16..9, 0_u32..112), 0..30),
            probes in proptest::collection::vec((any::<u32>(), any::<u128>()), 200),
        ) {
            let mut v4 = v4;
            v4.extend(narrow.iter().map(|&(first, width, value)| (first, first + width, value)));
            let mut v6 = v6;
            v6.extend(deep.iter().map(|&(first, width, value, shift)| {
                (first << shift, (first + width) << shift, value)
            }));
            agree(&partition(&v4), &partition(&v6), &probes);
        }
    }
}
