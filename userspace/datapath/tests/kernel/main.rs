//! The kernel programs, run by the kernel: `BPF_PROG_TEST_RUN` for single packets, network
//! namespaces for attaching. One program, so that the tables are loaded few times. Needs root.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod adoption;
mod calendar;
mod common;
mod equivalence;
mod evaluator;
mod evasion;
mod faults;
mod fragments;
mod fuzz;
mod hold;
mod host;
/// Random policies in the policy language, and a small atlas.
#[path = "../../../policy/tests/common/mod.rs"]
mod language;
mod links;
mod neighbours;
mod network;
mod obstacles;
mod rejects;
mod release;
mod replies;
mod residue;
mod rewrite;
mod shapes;
mod swap;
mod transition;
mod tun;
mod upgrade;
mod verdicts;
