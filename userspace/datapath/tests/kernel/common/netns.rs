//! Two network namespaces joined by a veth pair: `lan` with a client, `gw` with the gate and every
//! address of the little world. Removed at the end, whatever happens.

use std::fs::File;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sched::{CloneFlags, setns};

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// The pair. The gate's interface is [`GATE`], the client's is [`CLIENT`].
pub struct Pair {
    lan: String,
    gw: String,
}

pub const GATE: &str = "inside0";
pub const CLIENT: &str = "lan0";
/// Addresses that the gate's namespace answers for.
const WORLD: [&str; 5] = [
    "198.18.1.1/32",
    "198.18.2.1/32",
    "198.18.3.1/32",
    "2001:db8:1::1/128",
    "2001:db8:3::1/128",
];

impl Pair {
    pub fn new() -> Self {
        let id = format!(
            "{}-{}",
            std::process::id(),
            NUMBER.fetch_add(1, Ordering::Relaxed)
        );
        let pair = Self {
            lan: format!("octroi-lan-{id}"),
            gw: format!("octroi-gw-{id}"),
        };
        for name in [&pair.lan, &pair.gw] {
            ip(&["netns", "add", name]);
            ip(&["-n", name, "link", "set", "lo", "up"]);
        }
        for address in WORLD {
            ip(&["-n", &pair.gw, "address", "add", address, "dev", "lo"]);
        }
        pair.plug();
        pair
    }

    /// Makes the veth pair (again).
    pub fn plug(&self) {
        let Self { lan, gw } = self;
        ip(&[
            "-n", gw, "link", "add", GATE, "type", "veth", "peer", "name", CLIENT, "netns", lan,
        ]);
        ip(&["-n", gw, "address", "add", "10.1.0.1/24", "dev", GATE]);
        ip(&[
            "-n",
            gw,
            "address",
            "add",
            "fd00:1::1/64",
            "dev",
            GATE,
            "nodad",
        ]);
        ip(&["-n", lan, "address", "add", "10.1.0.2/24", "dev", CLIENT]);
        ip(&[
            "-n",
            lan,
            "address",
            "add",
            "fd00:1::2/64",
            "dev",
            CLIENT,
            "nodad",
        ]);
        ip(&["-n", gw, "link", "set", GATE, "up"]);
        ip(&["-n", lan, "link", "set", CLIENT, "up"]);
        ip(&["-n", lan, "route", "add", "default", "via", "10.1.0.1"]);
        ip(&[
            "-n",
            lan,
            "-6",
            "route",
            "add",
            "default",
            "via",
            "fd00:1::1",
        ]);
    }

    /// Deletes the veth pair.
    pub fn unplug(&self) {
        ip(&["-n", &self.gw, "link", "delete", GATE]);
    }

    /// Runs something in the gate's namespace, on a thread of its own.
    pub fn in_gate<T: Send>(&self, run: impl FnOnce() -> T + Send) -> T {
        inside(&self.gw, run)
    }

    /// What moves the calling thread into the client's namespace, for good.
    pub fn lan_handle(&self) -> impl FnOnce() + Send + use<> {
        let file = namespace(&self.lan);
        move || setns(file, CloneFlags::CLONE_NEWNET).unwrap()
    }

    /// Name of the gate's namespace.
    pub fn gate_name(&self) -> &str {
        &self.gw
    }

    /// Runs something in the client's namespace, on a thread of its own.
    pub fn in_lan<T: Send>(&self, run: impl FnOnce() -> T + Send) -> T {
        inside(&self.lan, run)
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        for name in [&self.lan, &self.gw] {
            let _ = Command::new("ip").args(["netns", "delete", name]).status();
        }
    }
}

fn inside<T: Send>(name: &str, run: impl FnOnce() -> T + Send) -> T {
    let file = namespace(name);
    std::thread::scope(|scope| {
        scope
            .spawn(move || {
                setns(file, CloneFlags::CLONE_NEWNET).unwrap();
                run()
            })
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn namespace(name: &str) -> File {
    File::open(format!("/var/run/netns/{name}")).unwrap()
}

fn ip(arguments: &[&str]) {
    let output = Command::new("ip")
        .args(arguments)
        .output()
        .expect("ip (iproute2) must be there");
    assert!(
        output.status.success(),
        "ip {}: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
}
