//! The atlas in the shape that the kernel programs walk ([`octroi_abi::atlas`]).

use std::collections::HashMap;

use ipnet::IpNet;
use octroi_abi::atlas::{
    CHILD, ClassId, NODE_BITS, NODE_SLOTS, NODES, Node, ROOT_BITS, ROOT_NODES, V4_ROOT, V6_ROOT,
};

use super::error::AtlasError;
use super::prefix::split;
use super::range::{Address, Partition, Range, bounds};

/// One half of the kernel's nodes, see [`octroi_abi::atlas`]: both roots, then what they lead to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelTables {
    /// The nodes, at most [`NODES`].
    pub nodes: Vec<Node>,
}

impl KernelTables {
    /// From both families' pieces.
    ///
    /// # Errors
    /// When they need more nodes than the kernel has room for.
    pub(crate) fn new(
        v4: &Partition<u32, ClassId>,
        v6: &Partition<u128, ClassId>,
    ) -> Result<Self, AtlasError> {
        let mut trie = Trie {
            nodes: vec![[0; NODE_SLOTS]; 2 * ROOT_NODES as usize],
            numbers: HashMap::default(),
        };
        trie.root(V4_ROOT, v4)?;
        trie.root(V6_ROOT, v6)?;
        Ok(Self { nodes: trie.nodes })
    }

    /// From prefixes with their classes; where they nest the narrowest speaks, elsewhere class 0.
    ///
    /// # Errors
    /// When they need more nodes than the kernel has room for.
    pub fn of_prefixes(prefixes: &[(IpNet, ClassId)]) -> Result<Self, AtlasError> {
        fn partition<A: Address>(prefixes: &[(IpNet, ClassId)]) -> Partition<A, ClassId> {
            let ranges = prefixes.iter().filter_map(|(net, value)| {
                let (address, bits) = split::<A>(net)?;
                let (first, last) = bounds(address, u32::from(bits));
                let value = *value;
                Some(Range { first, last, value })
            });
            Partition::from_ranges(ranges.collect())
        }
        Self::new(&partition(prefixes), &partition(prefixes))
    }

    /// The class of an IPv4 address, read the way the kernel reads it. `None` when the tables are
    /// not whole.
    #[must_use]
    pub fn class_v4(&self, address: u32) -> Option<ClassId> {
        self.walk(V4_ROOT, address)
    }

    /// The class of an IPv6 address, read the way the kernel reads it. `None` when the tables are
    /// not whole.
    #[must_use]
    pub fn class_v6(&self, address: u128) -> Option<ClassId> {
        self.walk(V6_ROOT, address)
    }

    fn walk<A: Address>(&self, root: u32, address: A) -> Option<ClassId> {
        let top = address.bits(0, ROOT_BITS);
        let node = root as usize + top / NODE_SLOTS;
        let mut slot = self.nodes.get(node)?[top % NODE_SLOTS];
        let mut skip = ROOT_BITS;
        while slot & CHILD != 0 && skip < A::BITS {
            let node = self.nodes.get((slot & !CHILD) as usize)?;
            slot = node[address.bits(skip, NODE_BITS)];
            skip += NODE_BITS;
        }
        ClassId::try_from(slot).ok()
    }
}

/// The nodes while they are put together, each once.
struct Trie {
    nodes: Vec<Node>,
    numbers: HashMap<Node, u32, foldhash::fast::RandomState>,
}

/// Part of an address space: `1 << bits` addresses from `first` on, and the pieces that lie in it
/// (the first of them may begin before it).
#[derive(Clone, Copy)]
struct Span {
    first: u128,
    bits: u32,
    low: usize,
    high: usize,
}

impl Span {
    /// The span that slot `number` of `1 << bits` equal ones stands for. `low` is where the search
    /// begins: the first piece of the slot before.
    fn slot<A: Address>(self, number: u128, bits: u32, low: usize, starts: &[A]) -> Self {
        let below = self.bits - bits;
        let first = self.first | (number << below);
        // Its own width, and not the end, which may be past the last address.
        let within = |start: &A| (start.to_u128() - first) >> below == 0;
        let begun = |start: &A| start.to_u128() <= first;
        let mut low = low;
        while low + 1 < self.high && begun(&starts[low + 1]) {
            low += 1;
        }
        let mut high = low + 1;
        while high < self.high && within(&starts[high]) {
            high += 1;
        }
        Self {
            first,
            bits: below,
            low,
            high,
        }
    }
}

impl Trie {
    fn root<A: Address>(
        &mut self,
        root: u32,
        pieces: &Partition<A, ClassId>,
    ) -> Result<(), AtlasError> {
        let space = Span {
            first: 0,
            bits: A::BITS,
            low: 0,
            high: pieces.len(),
        };
        let mut low = 0;
        for number in 0..1_usize << ROOT_BITS {
            let span = space.slot(number as u128, ROOT_BITS, low, pieces.starts());
            low = span.high - 1;
            let slot = self.slot(span, pieces)?;
            let node = root as usize + number / NODE_SLOTS;
            self.nodes[node][number % NODE_SLOTS] = slot;
        }
        Ok(())
    }

    /// The class of a span, or the node that cuts it.
    fn slot<A: Address>(
        &mut self,
        span: Span,
        pieces: &Partition<A, ClassId>,
    ) -> Result<u32, AtlasError> {
        // A span of one address holds one piece: starts are distinct.
        if span.low + 1 >= span.high {
            return Ok(u32::from(pieces.value(span.low)));
        }
        let mut node = [0; NODE_SLOTS];
        let mut low = span.low;
        for (number, slot) in (0..).zip(&mut node) {
            let part = span.slot(number, NODE_BITS, low, pieces.starts());
            low = part.high - 1;
            *slot = self.slot(part, pieces)?;
        }
        self.number(node)
    }

    /// The slot that leads to a node equal to this one.
    fn number(&mut self, node: Node) -> Result<u32, AtlasError> {
        if let Some(number) = self.numbers.get(&node) {
            return Ok(CHILD | number);
        }
        let number = u32::try_from(self.nodes.len())
            .ok()
            .filter(|number| *number < NODES)
            .ok_or(AtlasError::Bound {
                what: "nodes",
                needed: self.nodes.len() + 1,
                limit: NODES as usize,
                remedy: "leave out sources with very long prefixes",
            })?;
        self.nodes.push(node);
        self.numbers.insert(node, number);
        Ok(CHILD | number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
    fn more_nodes_than_there_are_is_an_error() {
        // Classes spell the number, so that no two nodes are equal.
        let ranges: Vec<_> = (0..600_000_u32)
            .flat_map(|number| {
                let class = |shift: u32| u16::try_from((number >> shift) & 0x3ff).expect("10 bits");
                let address = number << 4;
                [
                    (address, address, 1 + class(0)),
                    (address + 2, address + 2, 1 + class(10)),
                ]
            })
            .collect();
        let error = KernelTables::new(&partition(&ranges), &Partition::silent())
            .expect_err("too many nodes");
        assert!(error.to_string().contains("needs 524289 nodes"), "{error}");
    }

    #[test]
    fn equal_subtrees_are_stored_once() {
        let v4: Vec<_> = (0..1000_u32)
            .map(|number| (number << 8, number << 8, 1))
            .collect();
        let v6: Vec<_> = (0..1000_u128)
            .map(|number| (number << 96, number << 96, 1))
            .collect();
        let (v4, v6) = (partition(&v4), partition(&v6));
        let tables = KernelTables::new(&v4, &v6).expect("within bounds");
        let below = tables.nodes.len() - 2 * ROOT_NODES as usize;
        // A chain for one address in each family, and a few above for where the repetition ends.
        assert!(below < 50, "{below}");
        agree(&v4, &v6, &[]);
    }

    #[test]
    fn a_silent_atlas_is_its_roots() {
        let tables = KernelTables::new(&Partition::silent(), &Partition::silent()).expect("builds");
        assert_eq!(tables.nodes.len(), 2 * ROOT_NODES as usize);
        assert_eq!(tables.class_v6(1 << 120), Some(0));
    }

    #[test]
    fn the_narrowest_prefix_speaks() {
        let prefixes = [
            ("0.0.0.0/0", 1),
            ("10.0.0.0/8", 2),
            ("10.1.1.1/32", 3),
            ("2001:db8::/33", 4),
        ];
        let prefixes = prefixes.map(|(net, class)| (net.parse().expect("a prefix"), class));
        let tables = KernelTables::of_prefixes(&prefixes).expect("within bounds");
        let v4 = [0x0a01_0101, 0x0a01_0102, 0x0b00_0000].map(|address| tables.class_v4(address));
        assert_eq!(v4, [Some(3), Some(2), Some(1)]);
        let v6 = [0x2001_0db8_0000, 0x2001_0db8_8000].map(|top| tables.class_v6(top << 80));
        assert_eq!(v6, [Some(4), Some(0)]);
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
