//! The events: an alert, a flow record, and the conversation both speak of.

use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use octroi_abi::verdict::Verdict;
use serde::{Deserialize, Serialize};

use crate::call::CallRecord;
use crate::finding::Finding;
use crate::notice::Notice;
use crate::residency::Residency;
use crate::stats::Stats;

/// Version of the model and of the `residency` object. Fields are added freely; a field that
/// changes its meaning raises the number.
pub const SCHEMA: u32 = 1;

/// Anything the gateway tells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// One decision a SOC should see.
    Alert(Alert),
    /// The account of one conversation.
    Flow(FlowRecord),
    /// One conversation of people.
    Call(CallRecord),
    /// A word on something to look into.
    Finding(Finding),
    /// Counters, every 30 seconds.
    Stats(Stats),
    /// The life of the gateway itself.
    Notice(Notice),
}

/// The kinds of event, in the order in which a full queue gives them up: flows first, alerts last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// [`Event::Flow`].
    Flow,
    /// [`Event::Stats`].
    Stats,
    /// [`Event::Call`].
    Call,
    /// [`Event::Notice`].
    Notice,
    /// [`Event::Finding`].
    Finding,
    /// [`Event::Alert`].
    Alert,
}

impl EventKind {
    /// Every kind, in the order in which a full queue gives them up.
    pub const ALL: [Self; 6] = [
        Self::Flow,
        Self::Stats,
        Self::Call,
        Self::Notice,
        Self::Finding,
        Self::Alert,
    ];

    /// The word used in statistics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Flow => "flow",
            Self::Stats => "stats",
            Self::Call => "call",
            Self::Notice => "notice",
            Self::Finding => "finding",
            Self::Alert => "alert",
        }
    }
}

impl Event {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> EventKind {
        match self {
            Self::Alert(_) => EventKind::Alert,
            Self::Flow(_) => EventKind::Flow,
            Self::Stats(_) => EventKind::Stats,
            Self::Call(_) => EventKind::Call,
            Self::Finding(_) => EventKind::Finding,
            Self::Notice(_) => EventKind::Notice,
        }
    }

    /// When it happened.
    #[must_use]
    pub const fn time(&self) -> Timestamp {
        match self {
            Self::Alert(alert) => alert.time,
            Self::Flow(flow) => flow.time,
            Self::Stats(stats) => stats.time,
            Self::Call(call) => call.time,
            Self::Finding(finding) => finding.time,
            Self::Notice(notice) => notice.time,
        }
    }
}

/// How a flow got its name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NameSource {
    /// A DNS answer to this client that held the destination address.
    Dns,
    /// The server name of a TLS `ClientHello` over TCP (RFC 6066).
    Sni,
    /// The server name in a QUIC Initial (RFC 9001).
    Quic,
    /// The Host field of an HTTP request.
    Host,
    /// The certificate that the server showed, when the client said no name.
    Certificate,
}

impl NameSource {
    /// The word used in alerts and filters.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Sni => "sni",
            Self::Quic => "quic",
            Self::Host => "host",
            Self::Certificate => "certificate",
        }
    }
}

/// The name of a destination, and who said it.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Name {
    /// Host name, lower case, without trailing dot.
    pub text: Arc<str>,
    /// Where it was read.
    pub source: NameSource,
}

/// What both directions carried. Bytes are counted from the IP header on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Traffic {
    /// Outbound packets, stopped ones included.
    pub outbound_packets: u64,
    /// Their bytes.
    pub outbound_bytes: u64,
    /// Reply packets.
    pub reply_packets: u64,
    /// Their bytes.
    pub reply_bytes: u64,
    /// Outbound packets that were stopped.
    pub stopped_packets: u64,
}

/// TCP flags seen in each direction (RFC 9293 section 3.1: FIN 1, SYN 2, RST 4, PSH 8, ACK 16...).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct TcpFlags {
    /// Union over the outbound packets.
    pub outbound: u8,
    /// Union over the replies.
    pub reply: u8,
}

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;

impl TcpFlags {
    /// Whether a RST was seen.
    #[must_use]
    pub const fn is_reset(self) -> bool {
        (self.outbound | self.reply) & RST != 0
    }

    /// Where the connection stands, as the two unions tell it: the client's state in RFC 9293
    /// section 3.3.2, in EVE's words.
    #[must_use]
    pub const fn state(self) -> &'static str {
        let fin = (self.outbound & FIN != 0, self.reply & FIN != 0);
        match fin {
            _ if self.is_reset() => "closed",
            (true, true) => "closed",
            (true, false) => "fin_wait1",
            (false, true) => "close_wait",
            (false, false) if self.reply & ACK == 0 => "syn_sent",
            (false, false) if self.outbound & SYN != 0 && self.outbound & ACK == 0 => "syn_recv",
            (false, false) => "established",
        }
    }
}

/// Who talks with whom. What is not known is `None`, never guessed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Conversation {
    /// See [`crate::flow_id`].
    pub flow_id: u64,
    /// Inside address.
    pub source: IpAddr,
    /// Outside address.
    pub destination: IpAddr,
    /// `None` when the protocol has no ports.
    pub source_port: Option<u16>,
    /// `None` when the protocol has no ports.
    pub destination_port: Option<u16>,
    /// IP protocol number.
    pub protocol: u8,
    /// Inside interface.
    pub interface: Option<Arc<str>>,
    /// VLAN tags, outer first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vlan: Vec<u16>,
    /// Community ID v1, seed 0.
    pub community_id: Option<Arc<str>>,
    /// `tls`, `quic`, `http`, `dns`...: what the payload showed.
    pub app_protocol: Option<Arc<str>>,
    /// Name of the destination.
    pub name: Option<Name>,
    /// Negotiated TLS version as a word (`TLS 1.3`), when seen.
    pub tls_version: Option<Arc<str>>,
    /// First packet.
    pub start: Timestamp,
    /// What was carried so far.
    pub traffic: Traffic,
    /// Flags of a TCP conversation.
    pub tcp: Option<TcpFlags>,
}

/// How urgent an alert is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Passed, and a `shadow` rule would have said otherwise.
    Low,
    /// Passed: `flag`, or a stop that `monitor` mode only records.
    Medium,
    /// Stopped.
    High,
}

impl Severity {
    /// The severity of a decision.
    #[must_use]
    pub const fn of(verdict: Verdict, enforced: bool) -> Self {
        match (verdict, enforced) {
            (Verdict::Allow, _) => Self::Low,
            (Verdict::Flag, _) | (_, false) => Self::Medium,
            (Verdict::Reject | Verdict::Block, true) => Self::High,
        }
    }

    /// The word used in filters and on the dashboard.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// One decision a SOC should see.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// When it was decided.
    pub time: Timestamp,
    /// The flow, as it was at that moment.
    pub conversation: Conversation,
    /// The whole reason. Shared: many flows to one place have one reason.
    pub residency: Arc<Residency>,
    /// How urgent.
    pub severity: Severity,
    /// Alerts told by this one, itself included (see [`crate::fold`]); at least 1.
    pub count: u64,
    /// Last of them; equal to `time` when `count` is 1.
    pub last: Timestamp,
}

impl Alert {
    /// An alert for one decision.
    #[must_use]
    pub fn new(time: Timestamp, conversation: Conversation, residency: Arc<Residency>) -> Self {
        let severity = Severity::of(residency.verdict, residency.enforced);
        Self {
            time,
            conversation,
            residency,
            severity,
            count: 1,
            last: time,
        }
    }

    /// One line that says what happened: the signature of the alert.
    #[must_use]
    pub fn signature(&self) -> String {
        self.residency.signature()
    }
}

/// Where a conversation stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlowStage {
    /// Packets went one way only.
    New,
    /// Packets went both ways.
    Established,
    /// It ended.
    Closed,
    /// Its packets are stopped.
    Stopped,
}

impl FlowStage {
    /// The word used in filters and on the dashboard.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Established => "established",
            Self::Closed => "closed",
            Self::Stopped => "stopped",
        }
    }
}

/// Why an account was closed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// TCP FIN both ways.
    Closed,
    /// TCP RST.
    Reset,
    /// Silence.
    Timeout,
    /// The table needed the room, or an operator removed it.
    Forced,
    /// The daemon (or the capture) ended.
    Shutdown,
    /// A newer version's gate took over; if the flow went on, it has a new account.
    Upgrade,
}

impl EndReason {
    /// The word used in flow records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Reset => "reset",
            Self::Timeout => "timeout",
            Self::Forced => "forced",
            Self::Shutdown => "shutdown",
            Self::Upgrade => "upgrade",
        }
    }
}

/// The account of one conversation, told when it ends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FlowRecord {
    /// When the record was written.
    pub time: Timestamp,
    /// Who, with whom, how much.
    pub conversation: Conversation,
    /// Last packet.
    pub end: Timestamp,
    /// Where it stood.
    pub stage: FlowStage,
    /// Why the account was closed.
    pub reason: EndReason,
    /// Whether an alert told of it.
    pub alerted: bool,
    /// The reason of its verdict, as it was last.
    pub residency: Arc<Residency>,
}
