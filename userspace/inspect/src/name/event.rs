//! What a [`super::Namer`] tells: samples in, names and how sure they are out.

use octroi_abi::flow::FlowKey;

use super::AppProtocol;

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
    /// TCP sequence number of the packet (of the SYN itself when that flag is set); 0 otherwise.
    pub sequence: u32,
    /// TCP flags of the packet; 0 otherwise.
    pub tcp_flags: u8,
    /// Bytes behind the transport header. A client's SYN is worth observing without any: then
    /// the namer knows where the stream begins, and segments cannot be overtaken unnoticed.
    pub payload: &'a [u8],
    /// The packet had more payload than is here.
    pub cut: bool,
}

/// What is known of a flow's name behind a sample.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Heard {
    /// A name may still come in the client's next bytes: an incomplete hello or request head, or
    /// first bytes that may become one.
    Pending,
    /// Nothing here decides, and a name may still come: whole lines of a conversation before its
    /// handshake (SMTP before STARTTLS), replies of a server, packets without payload.
    Talk,
    /// The name was told, now or before, or it is sure that the client's words carry none: then
    /// one event of [`NameSource::Nameless`] was told. A flow that was given up is settled too.
    Settled,
}

/// A name was observed, or that there is none.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NameEvent {
    /// The flow it was observed in.
    pub key: FlowKey,
    /// When that flow began.
    pub first_ns: u64,
    /// When the name was observed.
    pub time_ns: u64,
    /// Lower case, no trailing dot, no port. A host name, except for [`NameSource::Query`]
    /// (whatever printable name was asked), [`NameSource::Host`] (may be an IP address) and
    /// [`NameSource::Nameless`] (empty).
    pub name: String,
    /// How it was observed.
    pub source: NameSource,
    /// What the flow speaks.
    pub protocol: AppProtocol,
    /// Application protocols the client offered (ALPN), in its order.
    pub alpn: Vec<String>,
    /// Whether the name may stand for another one, encrypted beside it.
    pub ech: Ech,
    /// Aliases (CNAME targets) through which the DNS answer for this name led to the
    /// destination, in order.
    pub chain: Vec<String>,
    /// What DNS says of name and destination.
    pub evidence: Evidence,
    /// JA4 fingerprint of the client's hello.
    pub ja4: Option<Box<str>>,
}

/// How a name was observed, in order of trust.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NameSource {
    /// The name was asked in this flow (DNS and its relatives). It names what the client is about
    /// to reach, not the destination of this flow: see [`NameSource::names_destination`].
    Query,
    /// It became sure that the client names no destination in this flow.
    Nameless,
    /// The client was given the destination address as answer for this name.
    Dns,
    /// Name in the certificate that the server showed; the client said none.
    Certificate,
    /// HTTP `Host`, `:authority`, absolute request target or `CONNECT` authority.
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
        !matches!(self, Self::Query | Self::Nameless)
    }

    /// The word used in messages and alerts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Nameless => "nameless",
            Self::Dns => "dns",
            Self::Certificate => "certificate",
            Self::Host => "host",
            Self::Quic => "quic",
            Self::Sni => "sni",
        }
    }
}

/// What is known of an encrypted hello (RFC 9849) beside the one in the clear.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ech {
    /// There is none.
    #[default]
    None,
    /// A placeholder ("GREASE"): DNS answered this client for this name without ECH keys.
    Grease,
    /// There is one, or a placeholder that looks the same.
    Possible,
    /// There is one: it fits ECH keys that DNS gave this client, or the name is one that a
    /// provider shows in place of its customers' names.
    Real,
}

impl Ech {
    /// The word used in messages and alerts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Grease => "grease",
            Self::Possible => "possible",
            Self::Real => "real",
        }
    }
}

/// What the DNS answers this client got say of name and destination.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// The name is known from DNS only.
    Dns,
    /// The client said the name, and DNS gave it this address under this name.
    Confirmed,
    /// No DNS answer gave this address to this client.
    #[default]
    Unasked,
    /// DNS gave this address to this client under other names only.
    Contradicted,
}

impl Evidence {
    /// The word used in messages and alerts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Confirmed => "confirmed",
            Self::Unasked => "unasked",
            Self::Contradicted => "contradicted",
        }
    }
}
