//! The atlas in the shapes that the kernel programs walk ([`octroi_abi::atlas`]).

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash};

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
    let mut blocks = Blocks::default();
    let slots = rows.as_flattened_mut();
    for piece in pieces.pieces() {
        let (first, last) = ((piece.first >> 8) as usize, (piece.last >> 8) as usize);
        let (low, high) = ((piece.first & 0xff) as usize, (piece.last & 0xff) as usize);
        let mut whole = first..last + 1;
        if first == last && (low != 0 || high != 0xff) {
            blocks.of_slot(first)[low..=high].fill(piece.value);
            continue;
        }
        if low != 0 {
            blocks.of_slot(first)[low..].fill(piece.value);
            whole.start += 1;
        }
        if high != 0xff {
            blocks.of_slot(last)[..=high].fill(piece.value);
            whole.end -= 1;
        }
        slots[whole].fill(piece.value);
    }
    let (shared, needed) = share(&blocks.blocks);
    if needed > V4_OVERFLOW_BLOCKS as usize {
        return Err(AtlasError::Bound {
            what: "distinct IPv4 blocks for prefixes longer than /24",
            needed,
            limit: V4_OVERFLOW_BLOCKS as usize,
            remedy: "leave out sources with very long prefixes",
        });
    }
    let mut overflow = Vec::with_capacity(needed);
    for ((slot, block), number) in blocks.slots.iter().zip(&blocks.blocks).zip(&shared) {
        if *number == overflow.len() {
            overflow.push(*block);
        }
        // Within the bound, which leaves the flag's bit free.
        slots[*slot] = V4_OVERFLOW | u16::try_from(*number).unwrap_or(0);
    }
    Ok((rows, overflow))
}

/// Overflow blocks while the table is filled, each with the slot that it stands for. Pieces come
/// in order, so the block of a slot is the last one or a new one.
#[derive(Default)]
struct Blocks {
    slots: Vec<usize>,
    blocks: Rows,
}

impl Blocks {
    /// The block of a slot. The pieces cover every address, so each entry is filled in the end.
    fn of_slot(&mut self, slot: usize) -> &mut [u16; SLOTS] {
        if self.slots.last() != Some(&slot) {
            self.slots.push(slot);
            self.blocks.push([0; SLOTS]);
        }
        let last = self.blocks.len() - 1;
        &mut self.blocks[last]
    }
}

/// Numbers equal blocks alike, in the order in which they first come up. Returns the number of
/// each block, and how many numbers there are.
fn share<T: Hash + Eq>(blocks: &[T]) -> (Vec<usize>, usize) {
    let mut numbers: HashMap<&T, usize, foldhash::fast::RandomState> = HashMap::default();
    let of_each = blocks
        .iter()
        .map(|block| {
            let next = numbers.len();
            *numbers.entry(block).or_insert(next)
        })
        .collect();
    (of_each, numbers.len())
}

type Nodes = Vec<[u32; SLOTS]>;

fn trie(pieces: &Partition<u128, ClassId>) -> Result<Nodes, AtlasError> {
    let mut nodes = vec![[0; SLOTS]; V6_ROOT_NODES as usize];
    for piece in pieces.pieces() {
        // The root spans the first two bytes: it is one level of 65,536 slots.
        let class = u32::from(piece.value);
        fill(&mut nodes, Span::root(piece.first, piece.last), class)?;
    }
    let nodes = share_nodes(nodes);
    if nodes.len() > V6_NODES as usize {
        return Err(too_many_nodes(nodes.len()));
    }
    Ok(nodes)
}

fn too_many_nodes(needed: usize) -> AtlasError {
    AtlasError::Bound {
        what: "IPv6 nodes",
        needed,
        limit: V6_NODES as usize,
        remedy: "leave out sources with very long prefixes",
    }
}

/// Part of what one level of the trie stands for.
#[derive(Clone, Copy)]
struct Span {
    /// Position of the level's first slot, counted over all nodes.
    base: usize,
    /// Bits of the address below a slot of the level.
    shift: u32,
    /// First address, without the bits above the level.
    low: u128,
    /// Last address, without the bits above the level.
    high: u128,
}

impl Span {
    const fn root(low: u128, high: u128) -> Self {
        Self {
            base: 0,
            shift: 112,
            low,
            high,
        }
    }
}

/// Fills a span with a class, one level down where it ends within a slot.
fn fill(nodes: &mut Nodes, span: Span, class: u32) -> Result<(), AtlasError> {
    let rest = (1_u128 << span.shift) - 1;
    let slot = |address: u128| span.base + (address >> span.shift) as usize;
    let (first, last) = (slot(span.low), slot(span.high));
    let (low, high) = (span.low & rest, span.high & rest);
    let mut whole = first..last + 1;
    if first == last && (low != 0 || high != rest) {
        return fill_below(nodes, first, span.shift, (low, high), class);
    }
    if low != 0 {
        fill_below(nodes, first, span.shift, (low, rest), class)?;
        whole.start += 1;
    }
    if high != rest {
        fill_below(nodes, last, span.shift, (0, high), class)?;
        whole.end -= 1;
    }
    nodes.as_flattened_mut()[whole].fill(class);
    Ok(())
}

/// Fills part of what the slot at `position` stands for, in its child node, made when there is
/// none yet.
fn fill_below(
    nodes: &mut Nodes,
    position: usize,
    shift: u32,
    (low, high): (u128, u128),
    class: u32,
) -> Result<(), AtlasError> {
    /// Before equal nodes are shared; more would be gigabytes.
    const UNSHARED_LIMIT: usize = 4 * V6_NODES as usize;
    let slot = nodes.as_flattened_mut()[position];
    let node = if slot & V6_CHILD == 0 {
        let node = nodes.len();
        let number = u32::try_from(node).unwrap_or(u32::MAX);
        if node >= UNSHARED_LIMIT {
            return Err(too_many_nodes(node + 1));
        }
        nodes.as_flattened_mut()[position] = V6_CHILD | number;
        nodes.push([0; SLOTS]);
        node
    } else {
        (slot & !V6_CHILD) as usize
    };
    let span = Span {
        base: node * SLOTS,
        shift: shift - 8,
        low,
        high,
    };
    fill(nodes, span, class)
}

/// Makes equal nodes one: whole subtrees repeat, such as the customers of one network. A child
/// comes after its parent, so that from the end on children are shared before parents are
/// compared.
fn share_nodes(mut nodes: Nodes) -> Nodes {
    let root = V6_ROOT_NODES as usize;
    let state = foldhash::fast::RandomState::default();
    let mut by_hash: HashMap<u64, usize, foldhash::fast::RandomState> = HashMap::default();
    // The node that stands for each node.
    let mut same: Vec<usize> = (0..nodes.len()).collect();
    for index in (root..nodes.len()).rev() {
        redirect(&mut nodes[index], &same);
        let known = *by_hash.entry(state.hash_one(nodes[index])).or_insert(index);
        // Two nodes of one hash that differ both stay: rare and harmless.
        if nodes[known] == nodes[index] {
            same[index] = known;
        }
    }
    for node in &mut nodes[..root] {
        redirect(node, &same);
    }
    let mut numbers = vec![0; nodes.len()];
    let mut kept = Vec::with_capacity(by_hash.len() + root);
    for (index, node) in nodes.into_iter().enumerate() {
        if same[index] == index {
            numbers[index] = kept.len();
            kept.push(node);
        }
    }
    for node in &mut kept {
        redirect(node, &numbers);
    }
    kept
}

/// Renumbers the children of a node.
fn redirect(node: &mut [u32; SLOTS], numbers: &[usize]) {
    for slot in node.iter_mut().filter(|slot| **slot & V6_CHILD != 0) {
        let number = numbers.get((*slot & !V6_CHILD) as usize).copied();
        *slot = V6_CHILD
            | number
                .and_then(|number| u32::try_from(number).ok())
                .unwrap_or(0);
    }
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
        // Classes spell the slot's number, so that no two blocks are equal.
        let spelled = |number: u32, place: u32| u16::try_from((number >> (8 * place)) & 0xff);
        let blocks: Vec<_> = (0..32_769_u32)
            .flat_map(|number| {
                (0..2).map(move |place| {
                    let address = (number << 8) | (2 * place);
                    (
                        address,
                        address,
                        1 + spelled(number, place).expect("a byte"),
                    )
                })
            })
            .collect();
        let error = KernelTables::new(&partition(&blocks), &Partition::silent())
            .expect_err("one block too many");
        assert!(
            error.to_string().contains("needs 32769 distinct"),
            "{error}"
        );
        let nodes: Vec<_> = (0..65_281_u128)
            .flat_map(|number| {
                (0..2_u32).map(move |place| {
                    let address = (number << 104) | (u128::from(2 * place) << 96);
                    let class = u16::try_from((number >> (8 * place)) & 0xff).expect("a byte");
                    (address, address, 1 + class)
                })
            })
            .collect();
        let error = KernelTables::new(&Partition::silent(), &partition(&nodes))
            .expect_err("too many nodes");
        assert!(error.to_string().contains("IPv6 nodes"), "{error}");
    }

    #[test]
    fn equal_blocks_and_subtrees_are_stored_once() {
        let v4: Vec<_> = (0..1000_u32)
            .map(|number| (number << 8, number << 8, 1))
            .collect();
        let v6: Vec<_> = (0..1000_u128)
            .map(|number| (number << 96, number << 96, 1))
            .collect();
        let (v4, v6) = (partition(&v4), partition(&v6));
        let tables = KernelTables::new(&v4, &v6).expect("within bounds");
        assert_eq!(tables.v4_overflow.len(), 1);
        // Four nodes for 32 bits, of which the last but one repeats; then one for each byte below.
        assert!(
            tables.v6_nodes.len() < 256 + 30,
            "{}",
            tables.v6_nodes.len()
        );
        agree(&v4, &v6, &[]);
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
