//! Scenarios: tables of destinations and of what must happen to a client who wants to go there.
//!
//! A scenario is data (`tests/scenarios/*.toml`, its policy beside it in `tests/policies`). Playing
//! it makes each row's connection for real and compares three things with the table: what the
//! atlas said of the destination, what the gate decided and by which rule, what the client saw.

mod play;
mod report;
pub mod traffic;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use serde::Deserialize;
use serde::de::Error as _;

use crate::client::Seen;
use crate::internet::{HTTP, TLS};
use crate::lab::{self, LabError, Result, World, ZONES};

pub use play::{Outcome, attempt, play, play_without_gate};
pub use report::Report;

/// A scenario.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// One line above the table.
    pub title: String,
    /// The policy: a file of `tests/policies`, without its extension.
    pub policy: String,
    /// Play it in monitor mode, whatever the policy's file says.
    #[serde(default)]
    pub monitor: bool,
    /// The rows.
    #[serde(rename = "row")]
    pub rows: Vec<Row>,
}

/// One connection, and what must come of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Who goes there: a zone of the lab.
    pub zone: String,
    /// Id of a host of the world.
    pub to: String,
    /// The name the client uses; the host's first one by default, `""` for none.
    pub name: Option<String>,
    /// The address; the host's first one by default.
    pub address: Option<IpAddr>,
    /// Whether the client resolves the name through the lab's DNS (else it knows the address
    /// already, as after a lookup elsewhere).
    #[serde(default = "yes")]
    pub resolve: bool,
    /// How it goes there.
    pub via: Via,
    /// What must come of it.
    pub expect: Expect,
}

/// What must come of a connection, in the words of `octroi flows`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// Country and confidence: `FR located`, `anycast`, `unknown`.
    pub hosting: String,
    /// Country and reach: `US controlled`, `none_known`.
    pub control: String,
    /// Id of the service, when one must be recognised.
    pub service: Option<String>,
    /// `allow`, `flag`, `reject`, `block`.
    pub verdict: String,
    /// Id of the rule.
    pub rule: String,
    /// What the client may see: usually one thing; two where a race is part of the matter.
    pub sees: Vec<Seen>,
    /// The client must know within this many milliseconds.
    pub within_ms: Option<u64>,
}

/// The line of a policy that monitor mode replaces.
const ENFORCE: &str = "mode = \"enforce\"";

/// How a client goes to a destination.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Via {
    /// curl, plain.
    Http,
    /// curl, over TLS.
    Https,
    /// A TCP socket.
    Tcp(u16),
    /// A UDP socket.
    Udp(u16),
}

impl Via {
    /// IP protocol number.
    #[must_use]
    pub const fn protocol(self) -> u8 {
        match self {
            Self::Http | Self::Https | Self::Tcp(_) => 6,
            Self::Udp(_) => 17,
        }
    }

    /// Destination port.
    #[must_use]
    pub const fn port(self) -> u16 {
        match self {
            Self::Http => HTTP,
            Self::Https => TLS,
            Self::Tcp(port) | Self::Udp(port) => port,
        }
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http => f.write_str("http"),
            Self::Https => f.write_str("https"),
            Self::Tcp(port) => write!(f, "tcp/{port}"),
            Self::Udp(port) => write!(f, "udp/{port}"),
        }
    }
}

impl<'de> Deserialize<'de> for Via {
    fn deserialize<D: serde::Deserializer<'de>>(
        deserializer: D,
    ) -> std::result::Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let port = |digits: &str| {
            digits
                .parse()
                .map_err(|_| D::Error::custom(format!("\"{digits}\" is no port")))
        };
        match text.split_once('/') {
            None if text == "http" => Ok(Self::Http),
            None if text == "https" => Ok(Self::Https),
            Some(("tcp", digits)) => Ok(Self::Tcp(port(digits)?)),
            Some(("udp", digits)) => Ok(Self::Udp(port(digits)?)),
            _ => Err(D::Error::custom(format!(
                "\"{text}\" is no way to go: http, https, tcp/<port>, udp/<port>"
            ))),
        }
    }
}

/// A row with its references resolved.
#[derive(Clone, Debug)]
pub struct Trip {
    /// Where the row stands in the table.
    pub row: Row,
    /// The client's address.
    pub source: IpAddr,
    /// The destination.
    pub target: SocketAddr,
    /// The name used, if any.
    pub name: Option<String>,
    /// What stands there.
    pub about: String,
}

impl Scenario {
    /// Reads a scenario of `tests/scenarios`.
    ///
    /// # Errors
    /// No such file, or it does not hold together.
    pub fn load(id: &str) -> Result<Self> {
        Self::parse(
            &read(&scenario_path(id))?,
            &format!("tests/scenarios/{id}.toml"),
        )
    }

    fn parse(text: &str, file: &str) -> Result<Self> {
        toml::from_str(text).map_err(|error| LabError::Data {
            file: file.to_owned(),
            problem: error.to_string(),
        })
    }

    /// The text of its policy.
    ///
    /// # Errors
    /// No such file, or monitor mode is asked of a policy that does not enforce.
    pub fn policy_text(&self) -> Result<String> {
        let text = policy_text(&self.policy)?;
        if !self.monitor {
            return Ok(text);
        }
        let monitoring = text.replacen(ENFORCE, "mode = \"monitor\"", 1);
        if monitoring == text {
            return Err(LabError::Data {
                file: format!("tests/policies/{}.toml", self.policy),
                problem: format!("no line `{ENFORCE}` to put into monitor mode"),
            });
        }
        Ok(monitoring)
    }

    /// The rows with their references resolved in a world.
    ///
    /// # Errors
    /// A row names a zone, host, name or address that does not exist.
    pub fn trips(&self, world: &World) -> Result<Vec<Trip>> {
        self.rows
            .iter()
            .enumerate()
            .map(|(index, row)| {
                row.trip(world).map_err(|problem| LabError::Data {
                    file: format!("scenario \"{}\", row {}", self.title, index + 1),
                    problem,
                })
            })
            .collect()
    }
}

impl Row {
    fn trip(&self, world: &World) -> std::result::Result<Trip, String> {
        let zone = ZONES
            .iter()
            .find(|zone| zone.name == self.zone)
            .ok_or_else(|| format!("zone \"{}\" does not exist", self.zone))?;
        let host = world
            .host(&self.to)
            .ok_or_else(|| format!("host \"{}\" does not exist", self.to))?;
        let address = match self.address {
            Some(address) if !host.addresses.contains(&address) => {
                return Err(format!("{address} is no address of {}", host.id));
            }
            Some(address) => address,
            None => *host.addresses.first().ok_or("no address")?,
        };
        let name = match self.name.as_deref() {
            Some("") => None,
            Some(name)
                if host.names.iter().any(|known| known == name)
                    || world.aliases.iter().any(|alias| alias.name == name) =>
            {
                Some(name.to_owned())
            }
            Some(name) => return Err(format!("{name} is no name of {}", host.id)),
            // Bare sockets have no use for a name.
            None if matches!(self.via, Via::Tcp(_) | Via::Udp(_)) => None,
            None => host.names.first().cloned(),
        };
        let source = match address {
            IpAddr::V4(_) => zone.v4.0,
            IpAddr::V6(_) => zone.v6.0,
        };
        Ok(Trip {
            row: self.clone(),
            source: source
                .parse()
                .map_err(|error| format!("{source}: {error}"))?,
            target: SocketAddr::new(address, self.via.port()),
            name,
            about: host.about.clone(),
        })
    }
}

/// The text of a policy of `tests/policies`.
///
/// # Errors
/// No such file.
pub fn policy_text(id: &str) -> Result<String> {
    read(
        &lab::data_directory()
            .join("policies")
            .join(format!("{id}.toml")),
    )
}

fn scenario_path(id: &str) -> PathBuf {
    lab::data_directory()
        .join("scenarios")
        .join(format!("{id}.toml"))
}

fn read(path: &std::path::Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(LabError::io("read", path.display().to_string()))
}

const fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_scenario_holds_together() {
        let world = World::embedded().unwrap();
        let mut scenarios = 0;
        for entry in std::fs::read_dir(lab::data_directory().join("scenarios")).unwrap() {
            let path = entry.unwrap().path();
            let scenario = Scenario::load(path.file_stem().unwrap().to_str().unwrap()).unwrap();
            assert!(!scenario.trips(&world).unwrap().is_empty());
            assert!(!scenario.policy_text().unwrap().is_empty());
            scenarios += 1;
        }
        assert!(scenarios > 0);
    }

    #[test]
    fn rows_that_lead_nowhere_say_so() {
        let world = World::embedded().unwrap();
        let expect = "[row.expect]\nhosting=\"x\"\ncontrol=\"x\"\nverdict=\"x\"\nrule=\"x\"\nsees=[\"answered\"]\n";
        for (row, says) in [
            (
                "zone=\"moon\"\nto=\"ovh\"\nvia=\"http\"",
                "zone \"moon\" does not exist",
            ),
            (
                "zone=\"guest\"\nto=\"moon\"\nvia=\"http\"",
                "host \"moon\" does not exist",
            ),
            (
                "zone=\"guest\"\nto=\"ovh\"\nname=\"zoom.us\"\nvia=\"http\"",
                "is no name of ovh",
            ),
            (
                "zone=\"guest\"\nto=\"ovh\"\naddress=\"::1\"\nvia=\"http\"",
                "is no address of ovh",
            ),
            (
                "zone=\"guest\"\nto=\"ovh\"\nvia=\"pigeon\"",
                "is no way to go",
            ),
            ("zone=\"guest\"\nto=\"ovh\"\nvia=\"tcp/x\"", "is no port"),
        ] {
            let text = format!("title=\"t\"\npolicy=\"p\"\n[[row]]\n{row}\n{expect}");
            let error = Scenario::parse(&text, "s.toml")
                .and_then(|scenario| scenario.trips(&world))
                .unwrap_err()
                .to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
