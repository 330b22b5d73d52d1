//! octroi-fuzz-targets: one body for each reader of bytes from outside.
//!
//! Owns what is asked of a reader whatever the bytes are: no panic, no run-away, and what it
//! returns keeps its promises. Depends on the crates whose readers it calls. Refuses to depend on
//! a fuzzer: `fuzz/` wraps each body in a libFuzzer program, and the test of this crate runs every
//! body over its seeds and thousands of fixed mutations on plain stable Rust.
//!
//! A new target is a function here, a row in [`TARGETS`], a program in `fuzz/bins` and seeds in
//! `fuzz/corpus/<name>`; the test refuses a target that lacks one of them.

pub mod mutate;
mod products;
mod sources;

pub use self::products::{atlas, catalogue, declaration};
pub use self::sources::{
    aws, azure, cloudip, container, geofeed, google, m365, mmdb, oracle, overrides, prefix_list,
    range_csv,
};

/// A body and its name.
pub struct Target {
    /// Name of the program and of the directory of seeds.
    pub name: &'static str,
    /// The body: panics when a promise is broken.
    pub run: fn(&[u8]),
}

/// All of them.
pub const TARGETS: [Target; 15] = [
    target("mmdb", mmdb),
    target("range_csv", range_csv),
    target("geofeed", geofeed),
    target("cloudip", cloudip),
    target("aws", aws),
    target("azure", azure),
    target("google", google),
    target("oracle", oracle),
    target("m365", m365),
    target("prefix_list", prefix_list),
    target("overrides", overrides),
    target("container", container),
    target("declaration", declaration),
    target("catalogue", catalogue),
    target("atlas", atlas),
];

const fn target(name: &'static str, run: fn(&[u8])) -> Target {
    Target { name, run }
}
