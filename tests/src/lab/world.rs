//! The lab's Internet as data: which real addresses it owns, who they are, what they are called.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::error::{LabError, Result};

/// The world of `tests/world.toml`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct World {
    /// The addresses of name servers the lab's clients are configured with.
    pub resolvers: Vec<IpAddr>,
    /// The hosts.
    #[serde(rename = "host")]
    pub hosts: Vec<Host>,
    /// Names that are other names (CNAME, RFC 1035 section 3.3.1).
    #[serde(rename = "alias", default)]
    pub aliases: Vec<Alias>,
}

/// A host of the lab's Internet.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Host {
    /// Short name used by scenarios.
    pub id: String,
    /// What stands there in the real world.
    pub about: String,
    /// Real addresses, owned by the lab's internet namespace.
    pub addresses: Vec<IpAddr>,
    /// Names that the lab's DNS resolves to these addresses and its TLS has certificates for.
    #[serde(default)]
    pub names: Vec<String>,
    /// Whether it answers DNS.
    #[serde(default)]
    pub resolver: bool,
}

/// A name that is another name.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Alias {
    /// The alias.
    pub name: String,
    /// The name it stands for.
    pub target: String,
}

/// The world that ships with the lab.
pub const WORLD: &str = include_str!("../../world.toml");

impl World {
    /// The world that ships with the lab.
    ///
    /// # Errors
    /// The data does not hold together.
    pub fn embedded() -> Result<Self> {
        Self::parse(WORLD, "tests/world.toml")
    }

    /// Reads a world.
    ///
    /// # Errors
    /// Syntax, a host named twice, an alias to nowhere, a resolver nobody owns.
    pub fn parse(text: &str, file: &str) -> Result<Self> {
        let problem = |problem: String| LabError::Data {
            file: file.to_owned(),
            problem,
        };
        let world: Self = toml::from_str(text).map_err(|error| problem(error.to_string()))?;
        let mut seen = std::collections::BTreeSet::new();
        for host in &world.hosts {
            if !seen.insert(&host.id) {
                return Err(problem(format!("host \"{}\" is there twice", host.id)));
            }
            if host.addresses.is_empty() {
                return Err(problem(format!("host \"{}\" has no address", host.id)));
            }
        }
        for resolver in &world.resolvers {
            if !world
                .hosts
                .iter()
                .any(|host| host.resolver && host.addresses.contains(resolver))
            {
                return Err(problem(format!(
                    "no host with `resolver = true` owns {resolver}"
                )));
            }
        }
        let names = world.names();
        for alias in &world.aliases {
            if !names.contains_key(alias.target.as_str()) {
                return Err(problem(format!(
                    "alias \"{}\" points to \"{}\", which is no host's name",
                    alias.name, alias.target
                )));
            }
        }
        Ok(world)
    }

    /// The host of that id.
    #[must_use]
    pub fn host(&self, id: &str) -> Option<&Host> {
        self.hosts.iter().find(|host| host.id == id)
    }

    /// Every name with its addresses; a name may stand on several hosts.
    #[must_use]
    pub fn names(&self) -> BTreeMap<&str, Vec<IpAddr>> {
        let mut names: BTreeMap<&str, Vec<IpAddr>> = BTreeMap::new();
        for host in &self.hosts {
            for name in &host.names {
                names.entry(name).or_default().extend(&host.addresses);
            }
        }
        names
    }

    /// Every address once, in order.
    #[must_use]
    pub fn addresses(&self) -> Vec<IpAddr> {
        let mut addresses: Vec<IpAddr> = self
            .hosts
            .iter()
            .flat_map(|host| host.addresses.iter().copied())
            .collect();
        addresses.sort_unstable();
        addresses.dedup();
        addresses
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_world_holds_together() {
        let world = World::embedded().unwrap();
        assert!(world.hosts.len() >= 16, "{} hosts", world.hosts.len());
        assert!(world.addresses().iter().any(IpAddr::is_ipv6));
    }

    #[test]
    fn a_world_that_does_not_hold_together_says_where() {
        let host = "[[host]]\nid = \"a\"\nabout = \"x\"\naddresses = [\"192.0.2.1\"]\n";
        for (text, says) in [
            (
                format!("resolvers = [\"192.0.2.1\"]\n{host}"),
                "no host with `resolver = true`",
            ),
            (format!("resolvers = []\n{host}{host}"), "is there twice"),
            (
                format!("resolvers = []\n{host}[[alias]]\nname = \"b\"\ntarget = \"c\"\n"),
                "is no host's name",
            ),
            (
                format!("resolvers = []\n{host}colour = 1\n"),
                "unknown field",
            ),
        ] {
            let error = World::parse(&text, "w.toml").unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
