//! The kernel object, embedded.

/// What built the embedded object: compiler and linker versions, as text.
pub const OBJECT_VERSIONS: &str = include_str!("../../../ebpf/prebuilt/octroi.versions");

/// The kernel object, as `cargo xtask ebpf` built it.
#[must_use]
pub fn object() -> &'static [u8] {
    aya::include_bytes_aligned!("../../../ebpf/prebuilt/octroi.o")
}
