//! Shapes of the atlas in the kernel: prefix to class, IPv4 and IPv6, double-buffered.
//!
//! Both families are tries of one shape in one array of nodes. A node has 16 slots. The root of a
//! family is a run of [`ROOT_NODES`] nodes, read as one row of 65,536 slots: the first 16 bits of the
//! address select one. Below, each node takes the next four bits. A slot is a class, or [`CHILD`]
//! with the number of the node for the next four bits. Equal nodes are stored once, whatever they
//! stand under.
//!
//! A node is one cache line: memory, not instructions, is what a look-up costs (`docs/datapath.md`).
//!
//! Half `h` of the double buffer starts at node `h * NODES`.

/// A class: one distinct profile of a destination. 15 bits; 0 is always "unknown".
pub type ClassId = u16;

/// Highest class.
pub const CLASS_MAX: ClassId = 0x7fff;
/// The class of what nothing is known of.
pub const CLASS_UNKNOWN: ClassId = 0;

/// Slots of a node.
pub const NODE_SLOTS: usize = 16;
/// Bits of an address that select a slot of a node.
pub const NODE_BITS: u32 = 4;
/// Bits of an address that select a slot of a root.
pub const ROOT_BITS: u32 = 16;
/// Nodes of one family's root.
pub const ROOT_NODES: u32 = 4_096;
/// First node of the IPv4 root.
pub const V4_ROOT: u32 = 0;
/// First node of the IPv6 root.
pub const V6_ROOT: u32 = ROOT_NODES;
/// Nodes of one half, roots included: 32 MiB.
pub const NODES: u32 = 524_288;
/// Flag of a slot that names a node (low 31 bits).
pub const CHILD: u32 = 0x8000_0000;

/// One node.
pub type Node = [u32; NODE_SLOTS];
