//! The gateway as a transparent bridge: Octroi on the inside port, no address of its own, and the
//! router on the clients' own link.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::io::Read as _;
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use octroi_tests::client::Seen;
use octroi_tests::client::socket::{tcp_echo, udp_echo};
use octroi_tests::lab::daemon::{Daemon, wait_until};
use octroi_tests::lab::places::BRIDGE;
use octroi_tests::lab::{Lab, Namespace, Owned, command, wanted};
use octroi_tests::scenario::policy_text;
use serde_json::Value;

const SOON: Duration = Duration::from_secs(20);

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn link(namespace: &Namespace, interface: &str) -> Value {
    let arguments = [
        "-json",
        "-details",
        "-netns",
        namespace.name(),
        "link",
        "show",
        interface,
    ];
    let text = command::run("ip", arguments).unwrap();
    let list: Value = serde_json::from_str(&text).unwrap();
    list[0].clone()
}

/// Whether the gateway's bridge hears that of the zones, which is the root of the tree.
fn hears_the_root(gateway: &Namespace) -> bool {
    let port = link(gateway, BRIDGE)["linkinfo"]["info_data"]["root_port"].clone();
    port.as_u64().is_some_and(|port| port != 0)
}

/// The first line that tcpdump prints in a namespace while something happens.
fn captured(namespace: &Namespace, filter: &str, happens: impl FnOnce()) -> String {
    let mut tcpdump = namespace.command("tcpdump");
    tcpdump
        .args(["--immediate-mode", "-nelqc", "1", "-i", "eth0", filter])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut running = Owned::spawn("tcpdump", &mut tcpdump).unwrap();
    // It says "listening on" when it does.
    let mut errors = running.child().stderr.take().unwrap();
    let mut said = [0; 64];
    while !String::from_utf8_lossy(&said).contains("listening") {
        let length = errors.read(&mut said).unwrap();
        assert!(length > 0, "tcpdump ended early");
    }
    happens();
    let mut output = running.child().stdout.take().unwrap();
    running.wait(SOON).unwrap();
    let mut text = String::new();
    output.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn on_the_inside_port_of_a_bridge_the_gate_holds() {
    if !wanted() {
        return;
    }
    let lab = Lab::create().unwrap();
    lab.bridge_the_gateway().unwrap();
    let cabinet = lab.zone("cabinet").unwrap();
    let gateway = &lab.namespaces().gateway;
    let sees = |to: &str| tcp_echo(cabinet, address(to)).unwrap().seen;
    wait_until("the bridge forwards", SOON, || {
        Ok(hears_the_root(gateway) && sees("20.74.0.1:7") == Seen::Answered)
    })
    .unwrap();

    let daemon = Daemon::start(&lab, &policy_text("lab").unwrap()).unwrap();
    assert_eq!(sees("51.210.0.1:7"), Seen::Answered, "allowed");
    assert_eq!(
        sees("[2001:41d0:303::1]:7"),
        Seen::Answered,
        "allowed, IPv6"
    );
    assert_eq!(sees("20.74.0.1:7"), Seen::Timeout, "blocked");
    assert_eq!(sees("[2603:1020:805::1]:7"), Seen::Timeout, "blocked, IPv6");
    let udp = udp_echo(cabinet, address("170.114.10.10:3478")).unwrap();
    assert_eq!(udp.seen, Seen::Prohibited, "rejected over UDP");

    // The reset comes back through the bridge of the zones, from the station of the router.
    let router = link(&lab.namespaces().internet, "uplink")["address"].clone();
    let client = link(cabinet, "eth0")["address"].clone();
    let line = captured(cabinet, "tcp[tcpflags] & tcp-rst != 0", || {
        assert_eq!(sees("170.114.10.10:22"), Seen::Refused, "rejected");
    });
    let expected = format!(
        "{} > {}",
        router.as_str().unwrap(),
        client.as_str().unwrap()
    );
    assert!(line.contains(&expected), "{expected} in: {line}");
    assert!(line.contains("170.114.10.10.22 > 10.10.0.10"), "{line}");

    // Replies were accounted at the port.
    let rows = daemon
        .ask_json(&["flows", "--filter", "51.210.0.1"])
        .unwrap();
    assert!(rows[0]["reply_packets"].as_u64() > Some(1), "{rows:#}");

    // Messages of the spanning tree come through the gate: they are good for six seconds.
    std::thread::sleep(Duration::from_secs(8));
    assert!(hears_the_root(gateway), "{:#}", link(gateway, BRIDGE));
    assert_eq!(sees("51.210.0.1:7"), Seen::Answered);

    let status = daemon.ask_json(&["status"]).unwrap();
    for direction in ["outbound", "reply"] {
        let counters = &status["counters"][direction];
        let outcomes = counters["outcomes"].as_array().unwrap();
        let sum: u64 = outcomes
            .iter()
            .filter_map(|row| row["value"].as_u64())
            .sum();
        assert_eq!(Some(sum), counters["seen"].as_u64(), "{counters:#}");
        let of = |name: &str| {
            let found = outcomes.iter().find(|row| row["name"] == name);
            found.and_then(|row| row["value"].as_u64()).unwrap_or(0)
        };
        assert!(of("control") > 0, "ARP and ND: {counters:#}");
        assert_eq!(
            of("opaque_dropped"),
            0,
            "nothing of the link's own: {counters:#}"
        );
    }
}
