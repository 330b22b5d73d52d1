//! Services: what people use, by which names, prefixes and ports it is known.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use ipnet::IpNet;
use jiff::civil::Date;

use super::words::words;
use crate::profile::Qualification;

words! {
    /// What a service is used for.
    Category, "category of service" {
        /// Assistants and models.
        Ai = "ai",
        /// Content delivery.
        Cdn = "cdn",
        /// Messages.
        Chat = "chat",
        /// Infrastructure and platforms.
        Cloud = "cloud",
        /// Code, packages and images.
        Development = "development",
        /// Name resolution.
        Dns = "dns",
        /// Signing in.
        Identity = "identity",
        /// Devices that call home.
        Iot = "iot",
        /// Electronic mail.
        Mail = "mail",
        /// Videos and broadcasts.
        Media = "media",
        /// Watching systems.
        Monitoring = "monitoring",
        /// Documents and team work.
        Office = "office",
        /// Operating systems and their updates.
        Os = "os",
        /// Certificates.
        Pki = "pki",
        /// Remote control of machines.
        Remote = "remote",
        /// Shops.
        Retail = "retail",
        /// Business applications.
        Saas = "saas",
        /// Web search.
        Search = "search",
        /// Security products.
        Security = "security",
        /// Signing documents.
        Signature = "signature",
        /// Social networks.
        Social = "social",
        /// Files.
        Storage = "storage",
        /// Networks.
        Telecom = "telecom",
        /// Audience measurement and advertising.
        Tracker = "tracker",
        /// Meetings by video and voice.
        Video = "video",
        /// Tunnels that hide where one goes.
        Vpn = "vpn",
    }
}

/// Ports of one transport protocol, both ends included. Written `tcp/443` or `udp/3478-3481`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortRange {
    /// IANA protocol number: 6 is TCP, 17 is UDP.
    pub protocol: u8,
    /// First port.
    pub first: u16,
    /// Last port.
    pub last: u16,
}

/// Not a range of ports.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a range of ports: tcp/443 or udp/3478-3481 is expected")]
pub struct PortRangeError(pub String);

impl FromStr for PortRange {
    type Err = PortRangeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (protocol, ports) = text.split_once('/')?;
            let protocol = match protocol {
                "tcp" => 6,
                "udp" => 17,
                _ => return None,
            };
            let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
            let range = Self {
                protocol,
                first: first.parse().ok()?,
                last: last.parse().ok()?,
            };
            (range.first > 0 && range.first <= range.last).then_some(range)
        };
        parse().ok_or_else(|| PortRangeError(text.to_owned()))
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol = if self.protocol == 6 { "tcp" } else { "udp" };
        write!(f, "{protocol}/{}", self.first)?;
        if self.last != self.first {
            write!(f, "-{}", self.last)?;
        }
        Ok(())
    }
}

/// Something people use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Id, such as `ms-teams`.
    pub id: Arc<str>,
    /// Its name.
    pub name: String,
    /// What it is used for.
    pub category: Category,
    /// Id of whoever runs it.
    pub operator: Arc<str>,
    /// Domain suffixes, lower case, without a leading or trailing dot. A service without domains
    /// and prefixes cannot be told from its operator's other traffic.
    pub domains: Vec<Arc<str>>,
    /// Prefixes that carry this service alone.
    pub prefixes: Vec<IpNet>,
    /// Ports it uses, for whoever writes rules.
    pub ports: Vec<PortRange>,
    /// Its prefixes are announced from many places: they have no country.
    pub anycast: bool,
    /// Qualifications of this very service, dated.
    pub qualifications: Vec<Qualification>,
    /// Run by or for the French State, or itself qualified SecNumCloud.
    pub sovereign: bool,
    /// Ids of services to use in its place, best first.
    pub alternatives: Vec<Arc<str>>,
    /// Where the facts come from.
    pub source: String,
    /// Day on which the facts were last checked.
    pub as_of: Date,
    /// Remark for whoever reviews.
    pub note: Option<String>,
}

/// A host whose links exist to record who opens them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IpLogger {
    /// Host or domain suffix, in the form seen on the wire (punycode).
    pub host: Arc<str>,
    /// The site behind it: `grabify`, `iplogger.org` or `other`.
    pub family: String,
    /// The distinctive word of its name: other names made of it, or near it, are suspected.
    pub word: Option<Arc<str>>,
    /// Ordinary names that are near the word and not suspected.
    pub unlike: Vec<Arc<str>>,
    /// Has lawful uses as well (analytics, deception): flag rather than stop.
    pub dual_use: bool,
    /// Where the fact comes from.
    pub source: String,
    /// Day on which the fact was last checked.
    pub as_of: Date,
    /// Remark for whoever reviews.
    pub note: Option<String>,
}
