//! The lab's wires: five namespaces, what connects them, who has which address.
//!
//! ```text
//! cabinet eth0 10.10.0.10 ──┐
//!         fd00:10::10       │   lan (a switch)          gw                        internet
//!                           ├── br0 ── uplink ══ inside0    outside0 ══ uplink ── lo: every real
//! guest   eth0 10.20.0.10 ──┘                10.10.0.1                              address
//!         fd00:20::10                        10.20.0.1
//! ```

use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::Path;

use super::command;
use super::error::Result;
use super::namespace::{Namespace, sysctl};
use super::pass;
use super::world::World;

/// The gateway's interface towards the zones: Octroi attaches here.
pub const INSIDE: &str = "inside0";
/// The gateway's interface towards the Internet.
pub const OUTSIDE: &str = "outside0";

/// A zone: a host of a ministry's network and the prefixes it stands for.
#[derive(Clone, Copy, Debug)]
pub struct Zone {
    /// Its name, in policies and in the names of namespaces.
    pub name: &'static str,
    /// IPv4 prefix length is 16: the client's address, and the gateway's.
    pub v4: (&'static str, &'static str),
    /// IPv6 prefix length is 64: the client's address, and the gateway's.
    pub v6: (&'static str, &'static str),
}

/// The two zones of the lab.
pub const ZONES: [Zone; 2] = [
    Zone {
        name: "cabinet",
        v4: ("10.10.0.10", "10.10.0.1"),
        v6: ("fd00:10::10", "fd00:10::1"),
    },
    Zone {
        name: "guest",
        v4: ("10.20.0.10", "10.20.0.1"),
        v6: ("fd00:20::10", "fd00:20::1"),
    },
];

/// The link between gateway and Internet (RFC 2544 and RFC 4193 addresses): gateway, Internet.
pub(super) const TRANSIT_V4: (&str, &str) = ("198.18.0.1", "198.18.0.2");
pub(super) const TRANSIT_V6: (&str, &str) = ("fd00:ffff::1", "fd00:ffff::2");

/// The names of a lab's namespaces, all beginning with `octroi-<id>-`.
#[derive(Clone, Debug)]
pub struct Namespaces {
    /// One client host for each of [`ZONES`], in their order.
    pub zones: Vec<Namespace>,
    /// The switch that the zones share.
    pub lan: Namespace,
    /// The gateway, where the daemon runs.
    pub gateway: Namespace,
    /// Owner of every real-world address.
    pub internet: Namespace,
}

impl Namespaces {
    /// The namespaces of a lab, existing or not.
    #[must_use]
    pub fn of(id: &str) -> Self {
        let named = |part: &str| Namespace::named(format!("octroi-{id}-{part}"));
        Self {
            zones: ZONES.iter().map(|zone| named(zone.name)).collect(),
            lan: named("lan"),
            gateway: named("gw"),
            internet: named("internet"),
        }
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Namespace> {
        self.zones
            .iter()
            .chain([&self.lan, &self.gateway, &self.internet])
    }

    /// Makes the namespaces and their wires; `directory` is for files of the lab.
    ///
    /// # Errors
    /// Not root, or `ip` refuses a step.
    pub fn build(&self, world: &World, directory: &Path) -> Result<()> {
        for namespace in self.all() {
            Namespace::create(namespace.name())?;
        }
        self.wire_lan()?;
        // What XDP sends back out of inside0 must arrive here.
        pass::attach(&self.lan, "uplink", directory)?;
        self.wire_gateway()?;
        self.wire_internet(world)
    }

    fn wire_lan(&self) -> Result<()> {
        let mut batch = String::from("link add br0 type bridge forward_delay 0\nlink set br0 up\n");
        for (zone, namespace) in ZONES.iter().zip(&self.zones) {
            let port = format!("to-{}", zone.name);
            let _ = writeln!(
                batch,
                "link add {port} type veth peer name eth0 netns {}\nlink set {port} master br0 up",
                namespace.name()
            );
        }
        let _ = writeln!(
            batch,
            "link add uplink type veth peer name {INSIDE} netns {}\nlink set uplink master br0 up",
            self.gateway.name()
        );
        self.lan.ip(&batch)?;
        for (zone, namespace) in ZONES.iter().zip(&self.zones) {
            namespace.ip(&format!(
                "link set eth0 up\n\
                 addr add {}/16 dev eth0\naddr add {}/64 dev eth0 nodad\n\
                 route add default via {}\nroute add default via {}\n",
                zone.v4.0, zone.v6.0, zone.v4.1, zone.v6.1
            ))?;
        }
        Ok(())
    }

    fn wire_gateway(&self) -> Result<()> {
        self.gateway.ip(&format!(
            "link add {OUTSIDE} type veth peer name uplink netns {}\n\
             link set {INSIDE} up\nlink set {OUTSIDE} up\n",
            self.internet.name()
        ))?;
        self.internet.ip("link set uplink up\n")?;
        let mut batch = String::new();
        for zone in ZONES {
            let _ = writeln!(
                batch,
                "addr add {}/16 dev {INSIDE}\naddr add {}/64 dev {INSIDE} nodad",
                zone.v4.1, zone.v6.1
            );
        }
        let _ = writeln!(
            batch,
            "addr add {}/30 dev {OUTSIDE}\naddr add {}/64 dev {OUTSIDE} nodad\n\
             route add default via {}\nroute add default via {}",
            TRANSIT_V4.0, TRANSIT_V6.0, TRANSIT_V4.1, TRANSIT_V6.1
        );
        self.gateway.within(|| {
            sysctl("ipv4/ip_forward", "1")?;
            sysctl("ipv6/conf/all/forwarding", "1")?;
            // Both zones share one interface: the kernel must not advise clients to go direct.
            sysctl("ipv4/conf/all/send_redirects", "0")
        })??;
        self.gateway.ip(&batch)
    }

    fn wire_internet(&self, world: &World) -> Result<()> {
        let mut batch = format!(
            "addr add {}/30 dev uplink\naddr add {}/64 dev uplink nodad\n",
            TRANSIT_V4.1, TRANSIT_V6.1
        );
        for zone in ZONES {
            let _ = writeln!(
                batch,
                "route add {}/32 via {}\nroute add {}/128 via {}",
                zone.v4.0, TRANSIT_V4.0, zone.v6.0, TRANSIT_V6.0
            );
        }
        for address in world.addresses() {
            let _ = match address {
                IpAddr::V4(address) => writeln!(batch, "addr add {address}/32 dev lo"),
                IpAddr::V6(address) => writeln!(batch, "addr add {address}/128 dev lo nodad"),
            };
        }
        self.internet.ip(&batch)
    }

    /// Removes the namespaces, and the processes that live in them.
    ///
    /// # Errors
    /// The first step that failed; the others have been tried all the same.
    pub fn remove(&self) -> Result<()> {
        let mut first_error = None;
        for namespace in self.all().filter(|namespace| namespace.exists()) {
            let removed = namespace.processes().and_then(|processes| {
                for process in processes {
                    // Ended meanwhile: fine.
                    let _ = nix::sys::signal::kill(
                        nix::unistd::Pid::from_raw(process),
                        nix::sys::signal::Signal::SIGKILL,
                    );
                }
                command::run("ip", ["netns", "delete", namespace.name()]).map(drop)
            });
            // Two sweeps may meet: what is gone is what was wanted.
            if let Err(error) = removed
                && namespace.exists()
            {
                first_error.get_or_insert(error);
            }
        }
        first_error.map_or(Ok(()), Err)
    }
}
