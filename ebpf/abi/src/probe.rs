//! Shapes of what only benches use.

/// Room in each of the two tries that the atlas is compared with, prefixes. They take memory entry by
/// entry.
pub const TRIE_ENTRIES: u32 = 1 << 21;
