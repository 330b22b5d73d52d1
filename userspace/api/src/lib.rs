//! octroi-api: what the daemon and its clients say to each other.
//!
//! Owns: the wire types ([`wire`], [`refusal`], [`rows`], [`watched`], [`status`]), their framing
//! ([`frame`]), the client ([`client`]) and server ([`server`]) ends of the Unix socket, and the
//! filter language ([`filter`]) that the daemon, the command line and the dashboard share.
//! Depends on `octroi-events` for the words of a decision. Refuses to know the kernel, the daemon's
//! state and the terminal: a request is a value, a handler answers it.

pub mod client;
mod connection;
pub mod filter;
pub mod frame;
pub mod peer;
pub mod refusal;
pub mod rows;
pub mod server;
pub mod status;
pub mod watch;
pub mod watched;
pub mod wire;

pub use client::{Client, ClientError, ClientOptions, DEFAULT_SOCKET};
pub use filter::{Filter, FilterError};
pub use frame::{FrameError, MAX_FRAME_BYTES};
pub use peer::Peer;
pub use refusal::{ApiError, ErrorCode};
pub use rows::{
    AlertRow, AlertsPage, FlowDetail, FlowRow, FlowsPage, JurisdictionRow, JurisdictionsPage,
    PastFlow, VerdictCounts,
};
pub use server::{Handler, Server, ServerError, ServerOptions};
pub use status::{
    AtlasStatus, AtlasUpdate, Health, InterfaceStatus, PolicyCheck, PolicyStatus, PolicyView,
    RuleView, SourceStatus, StatusReport, ZoneView,
};
pub use watch::{Watch, WatchEvent, Watcher, retry_delay};
pub use watched::{CallRow, CallsPage, FindingRow, FindingsPage};
pub use wire::{
    ExplainRequest, Explained, HelloReply, MAX_ALERT_ROWS, MAX_FLOW_ROWS, MAX_WATCHED_ROWS,
    MIN_INTERVAL_MS, PROTOCOL, Request, Response, Role, Sort, SortKey, Topic, Update, WatchRequest,
};

pub use octroi_events as events;
