//! The crate from outside: what is rendered, and what reaches the sinks.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod eve;
mod page;
mod reason;
mod samples;
mod sinks;
