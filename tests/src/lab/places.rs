//! Other places to stand: a lab wired anew, so that the gateway has a second inside interface, is a
//! bridge, or translates addresses. Done before its daemon starts.

use std::fmt::Write as _;

use super::command;
use super::error::Result;
use super::topology::{TRANSIT_V4, TRANSIT_V6, ZONES, Zone};
use super::{INSIDE, Lab, OUTSIDE, pass};

/// The gateway's second inside interface, of the guests alone.
pub const SECOND_INSIDE: &str = "inside1";
/// The bridge of a gateway that is one.
pub const BRIDGE: &str = "br0";

const GUEST: usize = 1;

impl Lab {
    /// Takes the guests off the shared switch: they are to come in by [`SECOND_INSIDE`], which is
    /// not there yet.
    ///
    /// # Errors
    /// `ip` refuses a step.
    pub fn free_the_guests(&self) -> Result<()> {
        let Zone { v4, v6, .. } = ZONES[GUEST];
        self.namespaces.zones[GUEST].ip("link del eth0\n")?;
        self.namespaces.gateway.ip(&format!(
            "addr del {}/16 dev {INSIDE}\naddr del {}/64 dev {INSIDE}\n",
            v4.1, v6.1
        ))
    }

    /// Makes the second inside interface, with the guests at its other end.
    ///
    /// # Errors
    /// It is there already.
    pub fn plug_the_guests(&self) -> Result<()> {
        let Zone { v4, v6, .. } = ZONES[GUEST];
        let guest = &self.namespaces.zones[GUEST];
        self.namespaces.gateway.ip(&format!(
            "link add {SECOND_INSIDE} type veth peer name eth0 netns {}\n\
             addr add {}/16 dev {SECOND_INSIDE}\naddr add {}/64 dev {SECOND_INSIDE} nodad\n\
             link set {SECOND_INSIDE} up\n",
            guest.name(),
            v4.1,
            v6.1
        ))?;
        guest.ip(&format!(
            "link set eth0 up\naddr add {}/16 dev eth0\naddr add {}/64 dev eth0 nodad\n\
             route add default via {}\nroute add default via {}\n",
            v4.0, v6.0, v4.1, v6.1
        ))?;
        pass::attach(guest, "eth0", &self.directory())
    }

    /// Deletes the second inside interface.
    ///
    /// # Errors
    /// It is not there.
    pub fn unplug_the_guests(&self) -> Result<()> {
        let gateway = &self.namespaces.gateway;
        gateway.ip(&format!("link del {SECOND_INSIDE}\n"))
    }

    /// Makes the gateway a bridge without an address: the Internet's router is on the zones' own
    /// link. Both bridges speak the spanning tree protocol, and that of the zones is
    /// the root.
    ///
    /// # Errors
    /// `ip` refuses a step.
    pub fn bridge_the_gateway(&self) -> Result<()> {
        const QUICK: &str = "type bridge forward_delay 200 hello_time 100 max_age 600";
        self.namespaces.lan.ip(&format!(
            "link set br0 {QUICK}\nlink set br0 type bridge priority 4096 stp_state 1\n"
        ))?;
        self.namespaces.gateway.ip(&format!(
            "link add {BRIDGE} {QUICK}\nlink set {BRIDGE} type bridge stp_state 1\n\
             addr flush dev {INSIDE}\naddr flush dev {OUTSIDE}\n\
             link set {INSIDE} master {BRIDGE}\nlink set {OUTSIDE} master {BRIDGE}\n\
             link set {BRIDGE} up\n"
        ))?;
        let mut batch = String::new();
        for Zone { v4, v6, .. } in ZONES {
            let _ = writeln!(
                batch,
                "route del {}/32\nroute del {}/128\n\
                 addr add {}/16 dev uplink\naddr add {}/64 dev uplink nodad",
                v4.0, v6.0, v4.1, v6.1
            );
        }
        self.namespaces.internet.ip(&batch)
    }

    /// Has the gateway translate the zones' addresses to its own on the way out, and the Internet
    /// forget where the zones are.
    ///
    /// # Errors
    /// `nft` is missing or refuses the rules.
    pub fn masquerade(&self) -> Result<()> {
        let mut nft = self.namespaces.gateway.command("nft");
        nft.args(["-f", "-"]);
        command::feed(
            &mut nft,
            &format!(
                "table inet octroi-lab {{\n chain out {{\n  type nat hook postrouting priority srcnat;\n\
                 \n  oifname \"{OUTSIDE}\" masquerade\n }}\n}}\n"
            ),
        )?;
        let mut batch = String::new();
        for Zone { v4, v6, .. } in ZONES {
            let _ = writeln!(batch, "route del {}/32\nroute del {}/128", v4.0, v6.0);
        }
        self.namespaces.internet.ip(&batch)
    }

    /// The gateway's address towards the Internet, IPv4 and IPv6.
    #[must_use]
    pub const fn outside_addresses(&self) -> [&'static str; 2] {
        [TRANSIT_V4.0, TRANSIT_V6.0]
    }
}
