//! octroi-events: what a SOC and an auditor see.
//!
//! Owns: the one event model ([`Event`]: alert, flow record, call, finding, statistics, notice), the `residency`
//! object that every decision carries, its renderings (EVE JSON, see [`eve`]; for people, see
//! [`page`]), the folding of
//! repeated alerts ([`fold`]) and the sinks with their bounded queue ([`sink`]).
//! Depends on `octroi-policy` for explanations and on `octroi-geo-db` for the words of the three
//! axes. Refuses to depend on the kernel, on an async runtime and on any network: an event is a
//! value, a format is a pure function of it, a sink is a file.
//!
//! An external schema is never the internal model: fields here have this project's names, and each
//! renderer says what it could not express.

pub mod call;
pub mod class;
pub mod eve;
pub mod finding;
pub mod fold;
pub mod identity;
pub mod model;
pub mod notice;
pub mod page;
mod reason;
pub mod residency;
pub mod sink;
pub mod stats;
pub mod words;

pub use call::{Call, CallRecord, Calls};
pub use class::{CatalogueOn, Regions, ResidencyClass};
pub use finding::{Finding, Findings};
pub use identity::{Origin, flow_id};
pub use model::{
    Alert, Conversation, EndReason, Event, EventKind, FlowRecord, FlowStage, Name, NameSource,
    SCHEMA, Severity, TcpFlags, Traffic,
};
pub use notice::{Level, Notice, NoticeKind};
pub use residency::{
    Alternative, AxisTrust, BasisLine, Counterfactual, Embedded, Evidence, LawLine, Residency,
    RuleStep, Shadow, Trust,
};
pub use stats::{Counters, DirectionCounters, Named, SinkStatus, Stats};

pub use octroi_abi::opaque::Opaque;
pub use octroi_abi::verdict::Verdict;
pub use octroi_geo_db::profile::{
    ControlBasis, CountryCode, HostingConfidence, Qualification, Reach,
};
pub use octroi_policy::{EchSeen, Mode, Naming};
