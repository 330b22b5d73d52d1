//! octroi-fuzz-targets: one body for each reader of bytes from outside.
//!
//! Owns what is asked of a reader whatever the bytes are: no panic, no run-away, and what it
//! returns keeps its promises. Depends on the crates whose readers it calls. Refuses to depend on
//! a fuzzer: `fuzz/` wraps each body in a libFuzzer program, and the test of this crate runs every
//! body over its seeds and thousands of fixed mutations on plain stable Rust.
//!
//! A new target is a function here, a row in [`TARGETS`], a program in `fuzz/bins` and seeds in
//! `fuzz/corpus/<name>`; the test refuses a target that lacks one of them.

mod captures;
mod frames;
pub mod mutate;
mod names;
mod packets;
mod products;
mod sources;
mod streams;

pub use self::captures::capture;
pub use self::frames::{answer, sound};
pub use self::names::{certificate, dns, http1, http2, tls};
pub use self::packets::{fragment, packet, tunnel};
pub use self::products::{atlas, catalogue, declaration};
pub use self::sources::{
    aws, azure, cloudip, container, geofeed, google, m365, mmdb, oracle, overrides, prefix_list,
    range_csv,
};
pub use self::streams::{namer, quic, starttls};

/// A body and its name.
pub struct Target {
    /// Name of the program and of the directory of seeds.
    pub name: &'static str,
    /// The body: panics when a promise is broken.
    pub run: fn(&[u8]),
}

/// All of them.
pub const TARGETS: [Target; 29] = [
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
    target("capture", capture),
    target("packet", packet),
    target("tunnel", tunnel),
    target("fragment", fragment),
    target("dns", dns),
    target("tls", tls),
    target("certificate", certificate),
    target("http1", http1),
    target("http2", http2),
    target("quic", quic),
    target("starttls", starttls),
    target("namer", namer),
    target("sound", sound),
    target("answer", answer),
];

const fn target(name: &'static str, run: fn(&[u8])) -> Target {
    Target { name, run }
}
