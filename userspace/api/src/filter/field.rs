//! Fields of the filter language, and the rows they are looked up in.

use std::borrow::Cow;
use std::net::IpAddr;

/// What values a field has.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    /// One of a closed list of words.
    Word(&'static [&'static str]),
    /// Any text.
    Text,
    /// A host name: `:` holds for subdomains.
    Host,
    /// An ISO 3166-1 code.
    Country,
    /// An address; prefixes can be given.
    Address,
    /// An IP protocol: a name or a number.
    Protocol,
    /// A port.
    Port,
    /// An AS number, with or without `AS`.
    Asn,
    /// A count, with `k M G T`.
    Count,
    /// Bytes, with units.
    Bytes,
    /// Bytes per second, with units.
    Rate,
    /// A duration, with `s m h d`.
    Duration,
}

impl Kind {
    /// Whether its values have an order.
    #[must_use]
    pub const fn is_number(self) -> bool {
        matches!(
            self,
            Self::Port | Self::Asn | Self::Count | Self::Bytes | Self::Rate | Self::Duration
        )
    }
}

macro_rules! fields {
    ($($(#[doc = $doc:literal])+ $variant:ident $word:literal $kind:expr;)+) => {
        /// A field of a row.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Field {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Field {
            /// Every field.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Its word in the language.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }

            /// What values it has.
            #[must_use]
            pub const fn kind(self) -> Kind {
                match self {
                    $(Self::$variant => $kind,)+
                }
            }

            /// What it is, for help pages.
            #[must_use]
            pub fn help(self) -> &'static str {
                match self {
                    $(Self::$variant => concat!($($doc),+).trim(),)+
                }
            }
        }
    };
}

fields! {
    /// Verdict that was decided.
    Verdict "verdict" Kind::Word(&["allow", "flag", "reject", "block"]);
    /// Zone of the source.
    Zone "zone" Kind::Text;
    /// Inside address.
    Source "src" Kind::Address;
    /// Outside address.
    Destination "dst" Kind::Address;
    /// Inside port.
    SourcePort "sport" Kind::Port;
    /// Outside port.
    DestinationPort "dport" Kind::Port;
    /// IP protocol.
    Protocol "proto" Kind::Protocol;
    /// Country in which the destination stands.
    Hosting "hosting" Kind::Country;
    /// Country of the ultimate parent of its operator.
    Control "control" Kind::Country;
    /// How sure the hosting country is.
    Confidence "conf" Kind::Word(&["located", "contested", "anycast", "unknown"]);
    /// How far foreign law reaches the operator.
    Reach "reach" Kind::Word(&["none_known", "unknown", "presence", "controlled"]);
    /// Operator, by its id.
    Operator "operator" Kind::Text;
    /// Service, by its id.
    Service "service" Kind::Text;
    /// Name of the destination.
    Name "name" Kind::Host;
    /// What the name rests on.
    Naming "naming" Kind::Word(&[
        "pending",
        "nameless",
        "dns",
        "confirmed",
        "unasked",
        "contradicted",
    ]);
    /// Whether the client hid its name.
    Ech "ech" Kind::Word(&["none", "grease", "possible", "real"]);
    /// AS that announces the destination.
    Asn "asn" Kind::Asn;
    /// Rule that decided, by its id.
    Rule "rule" Kind::Text;
    /// Residency class.
    Class "class" Kind::Word(&[
        "fr",
        "eu",
        "fr_hosted_noneu_control",
        "eu_hosted_noneu_control",
        "adequate",
        "third_country",
        "contested",
        "anycast",
        "unknown",
        "internal",
    ]);
    /// Bytes, both ways.
    Bytes "bytes" Kind::Bytes;
    /// Outbound bytes.
    Up "up" Kind::Bytes;
    /// Reply bytes.
    Down "down" Kind::Bytes;
    /// Packets, both ways.
    Packets "packets" Kind::Count;
    /// Bytes per second, both ways.
    Rate "rate" Kind::Rate;
    /// Time since the first packet (of an alert or a finding: since it was raised).
    Age "age" Kind::Duration;
    /// Application protocol.
    App "app" Kind::Text;
    /// Where the conversation, the call or the finding stands.
    State "state" Kind::Word(&[
        "new",
        "established",
        "closed",
        "stopped",
        "running",
        "over",
        "open",
        "acknowledged",
    ]);
    /// Severity of an alert, a call or a finding.
    Severity "sev" Kind::Word(&["low", "medium", "high"]);
    /// How long a call lasted.
    Lasted "lasted" Kind::Duration;
    /// Site behind a finding.
    Family "family" Kind::Text;
    /// Kind of a finding.
    Finding "finding" Kind::Word(&["ip_logger", "look_alike"]);
}

impl Field {
    /// The field of a word, without regard to case.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|field| field.name().eq_ignore_ascii_case(word))
    }
}

/// A value of a row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value<'a> {
    /// A word, name or id.
    Text(Cow<'a, str>),
    /// An address.
    Address(IpAddr),
    /// A number; durations in seconds.
    Number(u64),
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

/// A row that filters look into.
pub trait Record {
    /// The value of a field; `None`: not known, or the row has no such field.
    fn value(&self, field: Field) -> Option<Value<'_>>;

    /// The values of a field after the first one, from 0: a row of several conversations has several
    /// addresses and names. A comparison holds when it does for one of them.
    fn further(&self, _field: Field, _index: usize) -> Option<Value<'_>> {
        None
    }
}
