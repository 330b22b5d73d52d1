//! The gateway translates addresses (nftables masquerade): what the inside interface sees, both
//! ways, is what the clients see, so that accounts and verdicts are theirs.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::net::SocketAddr;

use octroi_tests::client::Seen;
use octroi_tests::client::socket::{tcp_echo, udp_echo};
use octroi_tests::lab::daemon::Daemon;
use octroi_tests::lab::{Lab, wanted};
use octroi_tests::scenario::policy_text;

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

#[test]
fn replies_belong_to_the_flows_of_the_clients() {
    if !wanted() {
        return;
    }
    let lab = Lab::create().unwrap();
    lab.masquerade().unwrap();
    let (cabinet, guest) = (lab.zone("cabinet").unwrap(), lab.zone("guest").unwrap());
    let daemon = Daemon::start(&lab, &policy_text("lab").unwrap()).unwrap();
    // The Internet knows no way to the zones: what is answered was translated.
    for (zone, to) in [
        (cabinet, "51.210.0.1:7"),
        (cabinet, "[2001:41d0:303::1]:7"),
        (guest, "51.210.0.1:7"),
    ] {
        let seen = tcp_echo(zone, address(to)).unwrap().seen;
        assert_eq!(seen, Seen::Answered, "{} to {to}", zone.name());
    }
    let datagram = udp_echo(cabinet, address("78.46.10.10:7")).unwrap();
    assert_eq!(datagram.seen, Seen::Answered);
    assert_eq!(
        tcp_echo(cabinet, address("20.74.0.1:7")).unwrap().seen,
        Seen::Timeout
    );
    assert_eq!(
        tcp_echo(cabinet, address("170.114.10.10:22")).unwrap().seen,
        Seen::Refused
    );

    let rows = daemon.ask_json(&["flows", "--limit", "1000"]).unwrap();
    let rows = rows.as_array().unwrap();
    let translated = lab.outside_addresses();
    let of = |source: &str, destination: &str| {
        let found = rows
            .iter()
            .find(|row| row["source"] == source && row["destination"] == destination);
        found.cloned().unwrap_or_default()
    };
    for (source, destination, zone) in [
        ("10.10.0.10", "51.210.0.1", "cabinet"),
        ("10.20.0.10", "51.210.0.1", "guest"),
        ("10.10.0.10", "78.46.10.10", "cabinet"),
    ] {
        let flow = of(source, destination);
        assert_eq!(flow["zone"], zone, "{source} {destination}: {rows:#?}");
        let (out, back) = (&flow["outbound_packets"], &flow["reply_packets"]);
        assert!(
            out.as_u64() > Some(0) && back.as_u64() > Some(0),
            "{flow:#}"
        );
    }
    for row in rows {
        let source = row["source"].as_str().unwrap();
        assert!(
            !translated.contains(&source),
            "a translated source: {row:#}"
        );
    }
    let status = daemon.ask_json(&["status"]).unwrap();
    let unsolicited = status["counters"]["reply"]["outcomes"].as_array().unwrap();
    let unsolicited = unsolicited.iter().find(|row| row["name"] == "unsolicited");
    let strays = unsolicited.and_then(|row| row["value"].as_u64());
    assert_eq!(strays.unwrap_or(0), 0, "every reply found its flow");
}
