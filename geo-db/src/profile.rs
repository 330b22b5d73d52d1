//! Profile: all that is known of a destination, three axes that are never merged.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// An ISO 3166-1 alpha-2 code, upper case.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CountryCode([u8; 2]);

impl CountryCode {
    /// France.
    pub const FR: Self = Self(*b"FR");
    /// United States of America.
    pub const US: Self = Self(*b"US");

    /// The code as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("??")
    }
}

/// Not two ASCII letters.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("\"{0}\" is not a country code: two letters A-Z are expected (ISO 3166-1 alpha-2)")]
pub struct CountryCodeError(pub String);

impl FromStr for CountryCode {
    type Err = CountryCodeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.as_bytes() {
            [a, b] if a.is_ascii_alphabetic() && b.is_ascii_alphabetic() => {
                Ok(Self([a.to_ascii_uppercase(), b.to_ascii_uppercase()]))
            }
            _ => Err(CountryCodeError(text.to_owned())),
        }
    }
}

impl fmt::Display for CountryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for CountryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for CountryCode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for CountryCode {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// How sure the hosting country is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostingConfidence {
    /// The sources that speak agree, or the vendor's own region list says so.
    Located,
    /// Sources disagree; the country is the most trusted one's.
    Contested,
    /// The address is announced from many places: it has no country.
    Anycast,
    /// No source speaks, or the space is not announced.
    Unknown,
}

impl HostingConfidence {
    /// Is there a country with it?
    #[must_use]
    pub const fn has_country(self) -> bool {
        matches!(self, Self::Located | Self::Contested)
    }

    /// The word used in policies, messages and alerts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Located => "located",
            Self::Contested => "contested",
            Self::Anycast => "anycast",
            Self::Unknown => "unknown",
        }
    }
}

/// First axis: in which country the destination stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Hosting {
    /// `None` for `anycast` and `unknown`.
    pub country: Option<CountryCode>,
    /// How sure that is.
    pub confidence: HostingConfidence,
}

/// How far a foreign law reaches an operator. The order is the order of reach.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// No extraterritorial law is known to reach it.
    NoneKnown,
    /// Nobody can say who the operator is.
    Unknown,
    /// A group from elsewhere with a subsidiary, listing or data centre under such a law.
    Presence,
    /// Headquarters or parent under such a law.
    Controlled,
}

impl Reach {
    /// The word used in policies, messages and alerts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoneKnown => "none_known",
            Self::Unknown => "unknown",
            Self::Presence => "presence",
            Self::Controlled => "controlled",
        }
    }
}

/// What the control axis rests on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ControlBasis {
    /// A service of the catalogue owns the prefix or the name.
    Service,
    /// An operator of the catalogue announces the prefix.
    Operator,
    /// Only the country in which the announcing AS is registered: presumed, low confidence.
    AsCountry,
    /// Nothing.
    None,
}

impl ControlBasis {
    /// The word used in messages and alerts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Operator => "operator",
            Self::AsCountry => "as_country",
            Self::None => "none",
        }
    }
}

/// Second axis: whose law reaches the operator.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Control {
    /// Id of the operator in the catalogue.
    pub operator: Option<Arc<str>>,
    /// Country of the ultimate parent (or, presumed, of the announcing AS).
    pub country: Option<CountryCode>,
    /// How far extraterritorial law reaches.
    pub reach: Reach,
    /// Ids of the laws in the catalogue, sorted.
    pub laws: Vec<Arc<str>>,
    /// What all this rests on.
    pub basis: ControlBasis,
}

/// Third axis: one qualification of one service, dated.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Qualification {
    /// `secnumcloud`, `hds`, `c5`, `ens`...
    pub scheme: Arc<str>,
    /// First day it held, when known.
    pub from: Option<Date>,
    /// Last day it holds, when known.
    pub until: Option<Date>,
    /// Where the fact comes from; `None` for a supposition ("if it were qualified").
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Arc<str>>,
    /// Day on which the fact was last checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<Date>,
}

impl Qualification {
    /// Does it hold on a day? A day that nobody knows does not limit it.
    #[must_use]
    pub fn holds_on(&self, day: Date) -> bool {
        self.from.is_none_or(|from| from <= day) && self.until.is_none_or(|until| day <= until)
    }
}

/// Addresses that are no place on the Internet (IANA special-purpose registries, RFC 6890).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpecialUse {
    /// RFC 1918, RFC 4193, RFC 6598: networks of one's own.
    Private,
    /// 127.0.0.0/8, `::1`.
    Loopback,
    /// RFC 3927, RFC 4291 2.5.6.
    LinkLocal,
    /// RFC 5771, RFC 4291 2.7, and the limited broadcast address.
    Multicast,
    /// RFC 5737, RFC 3849, RFC 9637.
    Documentation,
    /// Transition prefixes whose destination is what they embed (6to4, Teredo, NAT64).
    Transition,
    /// Everything else that is not globally reachable.
    Reserved,
}

impl SpecialUse {
    /// The word used in policies, messages and alerts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::Loopback => "loopback",
            Self::LinkLocal => "link_local",
            Self::Multicast => "multicast",
            Self::Documentation => "documentation",
            Self::Transition => "transition",
            Self::Reserved => "reserved",
        }
    }
}

/// All that is known of a destination. One distinct profile is one class.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Profile {
    /// Where it stands.
    pub hosting: Hosting,
    /// Whose law reaches it.
    pub control: Control,
    /// Qualifications of the service, not filtered by date.
    pub qualifications: Vec<Qualification>,
    /// Id of the service in the catalogue.
    pub service: Option<Arc<str>>,
    /// Not a place on the Internet.
    pub special: Option<SpecialUse>,
}

impl Profile {
    /// The profile of class 0: nothing is known.
    #[must_use]
    pub fn unknown() -> Self {
        Self {
            hosting: Hosting {
                country: None,
                confidence: HostingConfidence::Unknown,
            },
            control: Control {
                operator: None,
                country: None,
                reach: Reach::Unknown,
                laws: Vec::new(),
                basis: ControlBasis::None,
            },
            qualifications: Vec::new(),
            service: None,
            special: None,
        }
    }
}
