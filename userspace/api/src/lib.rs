//! octroi-api: what the daemon and its clients say to each other.
//!
//! Owns: the wire types ([`wire`], [`rows`], [`status`]), their framing ([`frame`]), the client
//! ([`client`]) and server ([`server`]) ends of the Unix socket, and the filter language
//! ([`filter`]) that the daemon, the command line and the dashboard share.
//! Depends on `octroi-events` for the words of a decision. Refuses to know the kernel, the daemon's
//! state and the terminal: a request is a value, a handler answers it.

pub mod rows;
pub mod status;
pub mod wire;

pub use rows::{
    AlertRow, AlertsPage, FlowDetail, FlowRow, FlowsPage, JurisdictionRow, JurisdictionsPage,
    VerdictCounts,
};
pub use status::{
    AtlasStatus, Health, InterfaceStatus, PolicyCheck, PolicyStatus, PolicyView, RuleView,
    SourceStatus, StatusReport, ZoneView,
};
pub use wire::{
    ApiError, ErrorCode, ExplainRequest, Explained, HelloReply, PROTOCOL, Request, Response, Role,
    Sort, SortKey, Topic, Update, WatchRequest,
};

pub use octroi_events as events;
