//! How a flow is named: what its name rests on, what the client speaks, how it hides its name.
//!
//! These are the words of the language for facts that somebody else observes; this crate reads no
//! packets.

use octroi_geo_db::catalogue::{Catalogue, Service};
use serde::{Deserialize, Serialize};

/// What the name of a flow rests on.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Naming {
    /// A name may still come: nothing is known, and no condition on names holds.
    #[default]
    Pending,
    /// The client's words carry no name, and no DNS answer gave the address one.
    Nameless,
    /// A DNS answer gave this client this address under this name; the client itself said none, or
    /// has not spoken yet.
    Dns,
    /// The client said the name, and a DNS answer gave it this address under this name.
    Confirmed,
    /// The client said the name; no DNS answer gave it this address.
    Unasked,
    /// The client said the name; DNS gave it this address under other names only.
    Contradicted,
}

impl Naming {
    /// What a policy can ask for; `Pending` satisfies nothing.
    pub const ASKED: [Self; 5] = [
        Self::Nameless,
        Self::Dns,
        Self::Confirmed,
        Self::Unasked,
        Self::Contradicted,
    ];

    /// The word used in policies, events and messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Nameless => "nameless",
            Self::Dns => "dns",
            Self::Confirmed => "confirmed",
            Self::Unasked => "unasked",
            Self::Contradicted => "contradicted",
        }
    }
}

/// Whether the client hid its name behind another one (Encrypted Client Hello, RFC 9849).
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum EchSeen {
    /// No such extension.
    #[default]
    None,
    /// A placeholder that hides nothing.
    Grease,
    /// The extension is there; whether it hides anything cannot be told.
    Possible,
    /// The name that is seen is not the one that is meant.
    Real,
}

impl EchSeen {
    /// All of them, the least hidden first.
    pub const ALL: [Self; 4] = [Self::None, Self::Grease, Self::Possible, Self::Real];

    /// The word used in policies, events and messages.
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

/// When names are enforced.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NamesMode {
    /// A handshake passes while it is decided; a flow that must not be is cut then.
    #[default]
    Observe,
    /// Where a name could stop what the address lets pass, the handshake waits until it is decided.
    Strict,
}

impl NamesMode {
    /// The word used in policies and messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Strict => "strict",
        }
    }
}

/// The word for a conversation that is none of the others.
pub const UNKNOWN_SPEECH: &str = "unknown";

/// What a client can be heard to speak, as policies write it.
pub const SPEECH: [&str; 32] = [
    UNKNOWN_SPEECH,
    "dns",
    "mdns",
    "llmnr",
    "dot",
    "doh",
    "doq",
    "tls",
    "dtls",
    "quic",
    "http",
    "http2",
    "ssh",
    "smtp",
    "imap",
    "pop3",
    "ftp",
    "xmpp",
    "nntp",
    "managesieve",
    "ldap",
    "postgresql",
    "mysql",
    "tds",
    "rdp",
    "stun",
    "turn",
    "rtp",
    "wireguard",
    "openvpn",
    "ike",
    "tor",
];

/// The service that a name stands for, and the name that showed it: the name itself, or else the
/// first target of its CNAME chain that belongs to a service.
#[must_use]
pub fn service_behind<'c, 'n>(
    catalogue: &'c Catalogue,
    name: &'n str,
    chain: &'n [String],
) -> Option<(&'c Service, &'n str)> {
    let names = std::iter::once(name).chain(chain.iter().map(String::as_str));
    { names }.find_map(|name| Some((catalogue.service_of_domain(name)?, name)))
}
