//! octroi-policy: the language in which an administrator says what may leave.
//!
//! Owns: the language (parsing with every problem told at its place), the one **evaluator** behind
//! live decisions, `analyze`, `explain` and simulation, the **explanation** of a decision, and the
//! compilation of a policy to the tables of the kernel. Depends on `octroi-geo-db` for what is
//! known of destinations and on `octroi-abi` for the shapes of the tables. Refuses to depend on
//! I/O, clocks and the kernel: the day of an evaluation is an argument, a policy is a text.

pub mod compile;
pub mod condition;
pub mod decision;
pub mod diagnostic;
mod evaluate;
pub mod explain;
pub mod layout;
mod lint;
pub mod model;
pub mod naming;
mod parse;
mod presets;
pub mod protocol;
pub mod query;
mod render;
pub mod sets;
pub mod subject;
pub mod tables;
mod tracking;
pub mod transition;
pub mod words;

pub use compile::{ClassMap, CompileError};
pub use decision::Decision;
pub use diagnostic::{Diagnostic, Diagnostics};
pub use explain::Explanation;
pub use model::{Mode, NO_ZONE, Policy, Rule, Zone};
pub use naming::{EchSeen, NamesMode, Naming, service_behind};
pub use octroi_abi::transition::{Marks, Transition};
pub use octroi_abi::{opaque::Opaque, verdict::Verdict};
pub use parse::{CONDITION_KEYS, MAX_FILE_BYTES};
pub use presets::PRESETS;
pub use query::QueryVerdict;
pub use subject::Subject;
pub use tables::Tables;
pub use tracking::TrackingLink;
pub use transition::Embedded;
