//! Naming flows from what they say: DNS, TLS, QUIC and HTTP.
//!
//! A [`Namer`] takes payloads in the order they were seen and yields names. What was observed is
//! told; nothing is guessed: a name that is no host name, a hello that was lost in part, an
//! address that two names share give no name, and a counter of [`NamerStats`] says so. All that
//! is kept is bounded by [`NamerLimits`].

mod assembler;
mod binding;
mod dns;
mod dtls;
mod hostname;
mod http;
mod limits;
mod memo;
mod namer;
mod quic;
mod tls;

use octroi_abi::flow::FlowKey;

pub use binding::{Bindings, MAX_TTL_NS, MIN_TTL_NS};
pub use dns::{DnsError, Message, Question, Record, RecordData};
pub use hostname::{hostname, is_hostname};
pub use http::{Head, begins_request, request_head};
pub use limits::{NamerLimits, NamerStats};
pub use namer::Namer;
pub use tls::{ClientHello, Progress, client_hello};

/// Some payload of a flow.
#[derive(Clone, Copy, Debug)]
pub struct Sample<'a> {
    /// The flow.
    pub key: FlowKey,
    /// When it began: tells two flows with one key apart.
    pub first_ns: u64,
    /// When the payload was seen, same clock.
    pub time_ns: u64,
    /// From inside to outside.
    pub outbound: bool,
    /// TCP sequence number of the first payload byte; 0 otherwise.
    pub sequence: u32,
    /// TCP flags of the packet; 0 otherwise.
    pub tcp_flags: u8,
    /// Bytes behind the transport header.
    pub payload: &'a [u8],
    /// The packet had more payload than is here.
    pub cut: bool,
}

/// A name was observed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NameEvent {
    /// The flow it was observed in.
    pub key: FlowKey,
    /// When that flow began.
    pub first_ns: u64,
    /// When the name was observed.
    pub time_ns: u64,
    /// Lower case, no trailing dot, no port. A host name, except for [`NameSource::Query`]
    /// (whatever printable name was asked) and [`NameSource::Host`] (may be an IP address).
    pub name: String,
    /// How it was observed.
    pub source: NameSource,
    /// What the flow speaks.
    pub protocol: AppProtocol,
    /// Application protocols the client offered (ALPN), in its order.
    pub alpn: Vec<String>,
    /// The hello carries an encrypted hello (or a placeholder for one, which looks the same): the
    /// name may stand for another one.
    pub ech: bool,
}

/// How a name was observed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NameSource {
    /// The name was asked in this flow (DNS and its relatives). It names what the client is about
    /// to reach, not the destination of this flow: see [`NameSource::names_destination`].
    Query,
    /// The client was given the destination address as answer for this name.
    Dns,
    /// HTTP/1 `Host`, absolute request target or `CONNECT` authority.
    Host,
    /// Server name of a QUIC hello.
    Quic,
    /// Server name of a TLS or DTLS hello.
    Sni,
}

impl NameSource {
    /// Whether the name is the name of the flow's destination.
    #[must_use]
    pub const fn names_destination(self) -> bool {
        !matches!(self, Self::Query)
    }

    /// The word used in messages and alerts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Dns => "dns",
            Self::Host => "host",
            Self::Quic => "quic",
            Self::Sni => "sni",
        }
    }
}

/// What a flow was seen to speak.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AppProtocol {
    /// Not observed.
    Unknown,
    /// DNS over UDP or TCP.
    Dns,
    /// Multicast DNS (RFC 6762).
    Mdns,
    /// Link-local multicast name resolution (RFC 4795).
    Llmnr,
    /// TLS over TCP.
    Tls,
    /// DTLS (RFC 6347, RFC 9147).
    Dtls,
    /// QUIC, Google's own versions included.
    Quic,
    /// HTTP/1.
    Http,
}

impl AppProtocol {
    /// The word used in messages and alerts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Dns => "dns",
            Self::Mdns => "mdns",
            Self::Llmnr => "llmnr",
            Self::Tls => "tls",
            Self::Dtls => "dtls",
            Self::Quic => "quic",
            Self::Http => "http",
        }
    }
}

#[cfg(test)]
mod tests;
