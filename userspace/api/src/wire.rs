//! Requests, responses and updates. Protocol version [`PROTOCOL`].
//!
//! A client says [`Request::Hello`] first. Every request has one response, in order. After
//! [`Request::Watch`] the server also sends [`Response::Update`] frames until the client says
//! [`Request::Unwatch`] or leaves; responses to other requests come between them.

use std::net::IpAddr;

use jiff::Timestamp;
use octroi_events::residency::Residency;
use octroi_events::{EchSeen, Naming};
use serde::{Deserialize, Serialize};

use crate::refusal::ApiError;
use crate::rows::{AlertsPage, FlowDetail, FlowsPage, JurisdictionsPage, PastFlow};
use crate::status::{PolicyCheck, PolicyView, StatusReport};
use crate::watched::{CallsPage, FindingsPage};

/// Version of the protocol. The server refuses another one.
pub const PROTOCOL: u32 = 1;

/// Most flow rows in one answer or update.
pub const MAX_FLOW_ROWS: u32 = 2_000;
/// Most alert rows in one answer or update (each carries its whole reason).
pub const MAX_ALERT_ROWS: u32 = 500;
/// Most rows of calls, and of findings, in one answer or update.
pub const MAX_WATCHED_ROWS: u32 = 1_000;
/// Least time between updates, milliseconds.
pub const MIN_INTERVAL_MS: u32 = 100;

/// What a client asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case")]
pub enum Request {
    /// First word. Answer: [`Response::Hello`].
    Hello {
        /// [`PROTOCOL`] of the client.
        protocol: u32,
        /// Name and version of the client, for the daemon's log.
        client: String,
    },
    /// How the gateway is. Answer: [`Response::Status`].
    Status,
    /// Live flows. Answer: [`Response::Flows`].
    Flows {
        /// Filter language ([`crate::filter`]); `None` or empty: all.
        #[serde(default)]
        filter: Option<String>,
        /// Order.
        #[serde(default)]
        sort: Sort,
        /// Most rows wanted; the server returns at most [`MAX_FLOW_ROWS`].
        limit: u32,
    },
    /// One flow with its reason. Answer: [`Response::Flow`].
    Flow {
        /// [`crate::FlowRow::id`].
        id: u64,
    },
    /// A flow that lives or was alerted of, with its reason as it was told. Answer:
    /// [`Response::Past`].
    Past {
        /// Flow id, Community ID or id of an event (`host/boot/sequence`).
        id: String,
    },
    /// Latest alerts, newest first. Answer: [`Response::Alerts`].
    Alerts {
        /// Filter language; `None` or empty: all.
        #[serde(default)]
        filter: Option<String>,
        /// Most rows wanted; the server returns at most [`MAX_ALERT_ROWS`].
        limit: u32,
        /// Only alerts with a greater [`crate::AlertRow::id`] (for following).
        #[serde(default)]
        after: Option<u64>,
    },
    /// Calls that run, and the latest that are over. Answer: [`Response::Calls`].
    Calls {
        /// Filter language; `None` or empty: all.
        #[serde(default)]
        filter: Option<String>,
        /// Most rows wanted; the server returns at most [`MAX_WATCHED_ROWS`].
        limit: u32,
        /// Of those that are over, only such with a greater [`crate::CallRow::event`] (for
        /// following).
        #[serde(default)]
        after: Option<u64>,
    },
    /// Open findings, and the latest that are closed. Answer: [`Response::Findings`].
    Findings {
        /// Filter language; `None` or empty: all.
        #[serde(default)]
        filter: Option<String>,
        /// Most rows wanted; the server returns at most [`MAX_WATCHED_ROWS`].
        limit: u32,
        /// Only such with a greater [`crate::FindingRow::event`] (for following).
        #[serde(default)]
        after: Option<u64>,
    },
    /// Notes that somebody looks into an open finding; enforcement does not change. Operators only.
    /// Answer: [`Response::Done`].
    Acknowledge {
        /// [`octroi_events::Finding::id`].
        id: u64,
    },
    /// Traffic by (hosting, control). Answer: [`Response::Jurisdictions`].
    Jurisdictions {
        /// Filter language over flows; `None` or empty: all.
        #[serde(default)]
        filter: Option<String>,
    },
    /// Sends updates from now on. Answer: [`Response::Watching`].
    Watch(WatchRequest),
    /// No more updates. Answer: [`Response::Done`].
    Unwatch,
    /// What would be decided. Answer: [`Response::Explained`].
    Explain(ExplainRequest),
    /// The policy in force. Answer: [`Response::Policy`].
    PolicyShow,
    /// Whether a policy is valid, without applying it. Answer: [`Response::PolicyChecked`].
    PolicyCheck {
        /// The policy's text.
        text: String,
        /// Its name in messages.
        file: String,
    },
    /// Puts a policy in force. Operators only. Answer: [`Response::PolicyChecked`].
    PolicyApply {
        /// The policy's text.
        text: String,
        /// Its name in messages.
        file: String,
    },
    /// Reads configuration, policy and atlas again, reopens files. Operators only. Answer:
    /// [`Response::Done`].
    Reload,
    /// Removes enforcement and ends the daemon. Operators only. Answer: [`Response::Done`].
    Detach,
}

impl Request {
    /// Whether it changes something: only an operator may ask.
    #[must_use]
    pub const fn needs_operator(&self) -> bool {
        matches!(
            self,
            Self::PolicyApply { .. } | Self::Acknowledge { .. } | Self::Reload | Self::Detach
        )
    }

    /// The word used in logs and errors.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Hello { .. } => "hello",
            Self::Status => "status",
            Self::Flows { .. } => "flows",
            Self::Flow { .. } => "flow",
            Self::Past { .. } => "past",
            Self::Alerts { .. } => "alerts",
            Self::Calls { .. } => "calls",
            Self::Findings { .. } => "findings",
            Self::Acknowledge { .. } => "acknowledge",
            Self::Jurisdictions { .. } => "jurisdictions",
            Self::Watch(_) => "watch",
            Self::Unwatch => "unwatch",
            Self::Explain(_) => "explain",
            Self::PolicyShow => "policy_show",
            Self::PolicyCheck { .. } => "policy_check",
            Self::PolicyApply { .. } => "policy_apply",
            Self::Reload => "reload",
            Self::Detach => "detach",
        }
    }
}

/// What is watched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WatchRequest {
    /// What updates carry.
    pub topics: Vec<Topic>,
    /// Filter of the flows (and of the jurisdictions made of them); `None` or empty: all.
    #[serde(default)]
    pub filter: Option<String>,
    /// Filter of the alerts; `None` or empty: all.
    #[serde(default)]
    pub alert_filter: Option<String>,
    /// Filter of the calls; `None` or empty: all.
    #[serde(default)]
    pub call_filter: Option<String>,
    /// Filter of the findings; `None` or empty: all.
    #[serde(default)]
    pub finding_filter: Option<String>,
    /// Order of the flows.
    #[serde(default)]
    pub sort: Sort,
    /// Most flow rows in an update; the server sends at most [`MAX_FLOW_ROWS`].
    pub limit: u32,
    /// Milliseconds between updates; the server's least is [`MIN_INTERVAL_MS`].
    pub interval_ms: u32,
}

/// A part of an update.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    /// [`Update::status`].
    Status,
    /// [`Update::flows`].
    Flows,
    /// [`Update::jurisdictions`].
    Jurisdictions,
    /// [`Update::alerts`].
    Alerts,
    /// [`Update::calls`].
    Calls,
    /// [`Update::findings`].
    Findings,
    /// [`Update::policy`], sent when it changed.
    Policy,
}

/// Order of flow rows. Ties are broken by first packet, then id: the order is total and stable.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Sort {
    /// Key.
    #[serde(default)]
    pub key: SortKey,
    /// Smallest first (default: greatest first).
    #[serde(default)]
    pub ascending: bool,
}

/// Key of the order of flow rows.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SortKey {
    /// Bytes per second, both ways.
    #[default]
    Rate,
    /// Bytes, both ways.
    Bytes,
    /// Outbound bytes.
    Up,
    /// Reply bytes.
    Down,
    /// Last packet.
    Last,
    /// First packet.
    Age,
    /// Strictness of the verdict.
    Verdict,
    /// Name, else destination address.
    Destination,
    /// Source address.
    Source,
    /// Hosting country.
    Hosting,
    /// Control country.
    Control,
    /// Operator.
    Operator,
    /// Rule.
    Rule,
}

impl SortKey {
    /// Every key, in the order in which a dashboard cycles through them.
    pub const ALL: [Self; 13] = [
        Self::Rate,
        Self::Bytes,
        Self::Up,
        Self::Down,
        Self::Last,
        Self::Age,
        Self::Verdict,
        Self::Destination,
        Self::Source,
        Self::Hosting,
        Self::Control,
        Self::Operator,
        Self::Rule,
    ];

    /// The word used on command lines and in headers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rate => "rate",
            Self::Bytes => "bytes",
            Self::Up => "up",
            Self::Down => "down",
            Self::Last => "last",
            Self::Age => "age",
            Self::Verdict => "verdict",
            Self::Destination => "destination",
            Self::Source => "source",
            Self::Hosting => "hosting",
            Self::Control => "control",
            Self::Operator => "operator",
            Self::Rule => "rule",
        }
    }

    /// The key of a word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.name() == word)
    }
}

/// Of what a reason is wanted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExplainRequest {
    /// The destination.
    pub destination: IpAddr,
    /// A name for it, which may change service and verdict.
    #[serde(default)]
    pub name: Option<String>,
    /// Inside address; `None`: no zone.
    #[serde(default)]
    pub source: Option<IpAddr>,
    /// Name of the zone; wins over `source`.
    #[serde(default)]
    pub zone: Option<String>,
    /// IP protocol number; `None`: TCP (6).
    #[serde(default)]
    pub protocol: Option<u8>,
    /// Destination port; `None`: 443.
    #[serde(default)]
    pub port: Option<u16>,
    /// What the name rests on, or that there is none; `None`: as somebody means it who asks.
    #[serde(default)]
    pub naming: Option<Naming>,
    /// What is spoken; asked with `naming` only.
    #[serde(default)]
    pub speaks: Option<String>,
    /// How the name is hidden; asked with `naming` only.
    #[serde(default)]
    pub ech: Option<EchSeen>,
}

/// What the server answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "response", rename_all = "snake_case")]
pub enum Response {
    /// To [`Request::Hello`].
    Hello(HelloReply),
    /// To [`Request::Status`].
    Status(Box<StatusReport>),
    /// To [`Request::Flows`].
    Flows(FlowsPage),
    /// To [`Request::Flow`].
    Flow(Box<FlowDetail>),
    /// To [`Request::Past`].
    Past(Box<PastFlow>),
    /// To [`Request::Alerts`].
    Alerts(AlertsPage),
    /// To [`Request::Calls`].
    Calls(CallsPage),
    /// To [`Request::Findings`].
    Findings(FindingsPage),
    /// To [`Request::Jurisdictions`].
    Jurisdictions(JurisdictionsPage),
    /// To [`Request::Explain`].
    Explained(Box<Explained>),
    /// To [`Request::PolicyShow`].
    Policy(Box<PolicyView>),
    /// To [`Request::PolicyCheck`] and [`Request::PolicyApply`].
    PolicyChecked(PolicyCheck),
    /// To [`Request::Watch`].
    Watching,
    /// Between responses while watching.
    Update(Box<Update>),
    /// Done as asked.
    Done {
        /// One sentence for people.
        message: String,
    },
    /// Refused or failed.
    Error(ApiError),
}

impl Response {
    /// The word used in errors.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Hello(_) => "hello",
            Self::Status(_) => "status",
            Self::Flows(_) => "flows",
            Self::Flow(_) => "flow",
            Self::Past(_) => "past",
            Self::Alerts(_) => "alerts",
            Self::Calls(_) => "calls",
            Self::Findings(_) => "findings",
            Self::Jurisdictions(_) => "jurisdictions",
            Self::Explained(_) => "explained",
            Self::Policy(_) => "policy",
            Self::PolicyChecked(_) => "policy_checked",
            Self::Watching => "watching",
            Self::Update(_) => "update",
            Self::Done { .. } => "done",
            Self::Error(_) => "error",
        }
    }
}

/// Whom the server takes the client for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// May look.
    Reader,
    /// May change.
    Operator,
}

/// The server's first word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HelloReply {
    /// [`PROTOCOL`] of the server.
    pub protocol: u32,
    /// Version of the daemon.
    pub version: String,
    /// Name of the gateway.
    pub host: String,
    /// Whom the server takes the client for.
    pub role: Role,
}

/// A reason.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explained {
    /// As an object.
    pub residency: Residency,
    /// As a readable block.
    pub text: String,
}

/// What changed, or how it is now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Update {
    /// The server's clock: ages are counted from it, never from the client's.
    pub now: Timestamp,
    /// 1, 2, 3... for this watch.
    pub sequence: u64,
    /// Updates this client was too slow for, since the watch began.
    pub skipped: u64,
    /// Events lost anywhere between the kernel and the sinks, since the daemon started. Not zero:
    /// what is shown is not all there was.
    pub lost: u64,
    /// How the gateway is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Box<StatusReport>>,
    /// The flows of the filter, first `limit` in order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flows: Option<FlowsPage>,
    /// Traffic by (hosting, control).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jurisdictions: Option<JurisdictionsPage>,
    /// Alerts new or changed since the last update (the first update: the latest ones).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alerts: Option<AlertsPage>,
    /// The calls, all that match, when one runs or something changed (and in the first update).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<CallsPage>,
    /// The findings, all that match, when something changed (and in the first update).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub findings: Option<FindingsPage>,
    /// The policy, when it changed (and in the first update).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Box<PolicyView>>,
}
