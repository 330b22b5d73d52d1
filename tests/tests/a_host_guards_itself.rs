//! The daemon on a server: the role `host` on the interface towards the Internet.

use octroi_tests::client::Seen;
use octroi_tests::client::socket::{tcp_echo, udp_echo};
use octroi_tests::lab::daemon::Daemon;
use octroi_tests::lab::{Lab, OUTSIDE, wanted};
use octroi_tests::scenario::policy_text;

#[test]
fn what_a_server_sends_meets_the_policy() {
    if !wanted() {
        return;
    }
    let lab = Lab::create().unwrap();
    // The lab's policy, with the server's own addresses for the cabinet's.
    let policy = policy_text("lab").unwrap().replace(
        "[\"10.10.0.0/16\", \"fd00:10::/64\"]",
        "[\"198.18.0.0/30\", \"fd00:ffff::/64\"]",
    );
    assert!(policy.contains("198.18.0.0/30"));
    let interfaces = format!("[{{ name = \"{OUTSIDE}\", role = \"host\" }}]");
    let daemon = Daemon::start_on(&lab, &policy, &interfaces).unwrap();
    let server = &lab.namespaces().gateway;
    let sees = |to: &str| tcp_echo(server, to.parse().unwrap()).unwrap().seen;
    assert_eq!(sees("51.210.0.1:7"), Seen::Answered, "allowed");
    assert_eq!(
        sees("[2001:41d0:303::1]:7"),
        Seen::Answered,
        "allowed, IPv6"
    );
    assert_eq!(sees("20.74.0.1:7"), Seen::Timeout, "blocked");
    assert_eq!(sees("170.114.10.10:22"), Seen::Refused, "rejected");
    let asked = udp_echo(server, "170.114.10.10:3478".parse().unwrap()).unwrap();
    assert_eq!(asked.seen, Seen::Prohibited, "rejected over UDP");

    let status = daemon.ask_json(&["status"]).unwrap();
    let interface = &status["interfaces"][0];
    assert_eq!(interface["role"], "host", "{interface:#}");
    assert_eq!(interface["mode"], "native", "{interface:#}");
    let text = daemon.ask(&["status"]).unwrap();
    assert!(
        text.contains("guarded (host), XDP native, Ethernet"),
        "{text}"
    );
    let rows = daemon
        .ask_json(&["flows", "--filter", "51.210.0.1"])
        .unwrap();
    assert_eq!(rows[0]["source"], "198.18.0.1", "{rows:#}");
    assert_eq!(rows[0]["zone"], "cabinet", "{rows:#}");
    assert!(rows[0]["reply_packets"].as_u64() > Some(1), "{rows:#}");
}
