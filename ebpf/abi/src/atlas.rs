//! Shapes of the atlas in the kernel: prefix to class, IPv4 and IPv6, double-buffered.
//!
//! IPv4 is a direct table: row = first 16 bits, slot = third byte. A slot is a class, or
//! [`V4_OVERFLOW`] with the number of an overflow block, whose slot is the fourth byte.
//!
//! IPv6 is a trie of nodes of 256 slots. Nodes 0 to 255 are the root: node = first byte, slot =
//! second byte. A slot is a class, or [`V6_CHILD`] with the number of the node for the next byte.
//!
//! Half `h` of the double buffer starts at row `h * <ROWS>`.

/// A class: one distinct profile of a destination. 15 bits; 0 is always "unknown".
pub type ClassId = u16;

/// Highest class.
pub const CLASS_MAX: ClassId = 0x7fff;
/// The class of what nothing is known of.
pub const CLASS_UNKNOWN: ClassId = 0;

/// Slots of a row, block or node.
pub const SLOTS: usize = 256;

/// Rows of the IPv4 table, one half.
pub const V4_ROWS: u32 = 65_536;
/// Flag of a slot that names an overflow block (low 15 bits).
pub const V4_OVERFLOW: u16 = 0x8000;
/// Overflow blocks, one half.
pub const V4_OVERFLOW_BLOCKS: u32 = 32_768;

/// Root nodes of the IPv6 trie.
pub const V6_ROOT_NODES: u32 = 256;
/// Flag of a slot that names a child node (low 31 bits).
pub const V6_CHILD: u32 = 0x8000_0000;
/// Nodes of the IPv6 trie, one half.
pub const V6_NODES: u32 = 65_536;
