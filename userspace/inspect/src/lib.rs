//! octroi-inspect: bytes to flows and names.
//!
//! Owns: reading captures ([`capture`]), reading packets ([`packet`]), grouping them into flows
//! ([`flow`]), naming flows from what they say ([`name`]: DNS, TLS, QUIC, HTTP), and the
//! Community ID of a flow ([`community_id`]); [`survey`] is all of these in a row. The same [`name::Namer`] works live, on samples from
//! the kernel, and offline, on captures.
//!
//! Refuses to depend on anything of Octroi but `octroi-abi`, and does no I/O of its own: it takes
//! byte slices (and, for captures, any [`std::io::Read`]) and returns values. No input makes it
//! panic, and everything it keeps is bounded and counted when it is given up.

pub mod capture;
mod community;
pub mod flow;
pub mod name;
pub mod packet;
pub mod survey;
#[cfg(test)]
mod testing;

pub use community::{community_id, community_id_of};
