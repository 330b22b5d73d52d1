//! The accounts of conversations are those of a capture taken beside the gate, to the packet and to
//! the byte: bulk transfers that the kernel merges and splits, datagrams in fragments, what was
//! stopped, both families.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod capture;

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use capture::{Capture, Sum, Way};
use octroi_tests::client::socket::tcp_echo;
use octroi_tests::lab::daemon::{Daemon, wait_until};
use octroi_tests::lab::{Lab, wanted};
use octroi_tests::scenario::policy_text;
use serde_json::Value;

const SOON: Duration = Duration::from_secs(30);
const PATIENCE: Duration = Duration::from_secs(20);
/// Bytes of the bulk transfer, each way.
const BULK: usize = 4 << 20;
/// Datagrams that fit a frame.
const SMALL: usize = 100;
/// Larger than a frame: three fragments out, two back (the server cuts at 2,048).
const LARGE: usize = 4_000;
const LARGE_COUNT: usize = 20;

/// Sends and takes back a stream at full speed.
fn bulk(to: SocketAddr) -> u16 {
    let stream = TcpStream::connect_timeout(&to, PATIENCE).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let port = stream.local_addr().unwrap().port();
    let mut writer = stream.try_clone().unwrap();
    let sender = std::thread::spawn(move || {
        writer.write_all(&vec![0x5a; BULK]).unwrap();
    });
    let mut reader = stream;
    let mut back = vec![0; BULK];
    reader.read_exact(&mut back).unwrap();
    sender.join().unwrap();
    port
}

/// Sends datagrams and takes back what comes.
fn datagrams(to: SocketAddr, length: usize, count: usize) -> u16 {
    let any: SocketAddr = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" }
        .parse()
        .unwrap();
    let socket = UdpSocket::bind(any).unwrap();
    socket.connect(to).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut back = vec![0; length];
    for _ in 0..count {
        socket.send(&vec![0x33; length]).unwrap();
        socket.recv(&mut back).unwrap();
    }
    socket.local_addr().unwrap().port()
}

/// The flow record of a client's port.
fn record(events: &[Value], protocol: &str, port: u16) -> Option<Value> {
    let found = events.iter().find(|event| {
        event["event_type"] == "flow" && event["proto"] == protocol && event["src_port"] == port
    });
    found.cloned()
}

fn told(record: &Value, direction: &str) -> Sum {
    let number = |what: &str| {
        record["flow"][format!("{what}_{direction}")]
            .as_u64()
            .unwrap()
    };
    Sum {
        packets: number("pkts"),
        bytes: number("bytes"),
    }
}

fn address(record: &Value, key: &str) -> IpAddr {
    record[key].as_str().unwrap().parse().unwrap()
}

fn seen(wire: &HashMap<Way, Sum>, record: &Value, protocol: u8) -> (Sum, Sum) {
    let (source, destination) = (address(record, "src_ip"), address(record, "dest_ip"));
    let port = |key: &str| u16::try_from(record[key].as_u64().unwrap()).unwrap();
    let (from, to) = (port("src_port"), port("dest_port"));
    let sum = |way| wire.get(&way).copied().unwrap_or_default();
    (
        sum((source, destination, protocol, from, to)),
        sum((destination, source, protocol, to, from)),
    )
}

#[test]
fn accounts_equal_a_capture_to_the_byte() {
    if !wanted() {
        return;
    }
    let lab = Lab::create().unwrap();
    let limits = "[flows]\ntcp_opening_s = 4\ntcp_half_closed_s = 3\ntcp_closed_s = 2\nudp_s = 4\n";
    let daemon = Daemon::start_with(&lab, &policy_text("lab").unwrap(), limits).unwrap();
    let capture = Capture::start(&lab).unwrap();
    let cabinet = lab.zone("cabinet").unwrap();
    let v4: SocketAddr = "51.210.0.1:7".parse().unwrap();
    let host = lab.world().host("ovh-v6").unwrap();
    let v6 = SocketAddr::new(host.addresses[0], 7);

    let mut flows = Vec::new();
    for to in [v4, v6] {
        let ports = cabinet.within(|| {
            [
                ("TCP", 6, bulk(to)),
                ("UDP", 17, datagrams(to, 1_000, SMALL)),
                ("UDP", 17, datagrams(to, LARGE, LARGE_COUNT)),
            ]
        });
        flows.extend(ports.unwrap());
    }
    // Stopped: what the client sent counts, and nothing came back.
    let blocked = tcp_echo(cabinet, "20.74.0.1:22".parse().unwrap()).unwrap();

    let mut records = Vec::new();
    wait_until("every flow record", SOON, || {
        let events = daemon.events()?;
        records = flows
            .iter()
            .filter_map(|(name, number, port)| Some((*number, record(&events, name, *port)?)))
            .collect();
        let stopped = events
            .iter()
            .find(|event| event["event_type"] == "flow" && event["dest_ip"] == "20.74.0.1");
        records.extend(stopped.map(|record| (6, record.clone())));
        Ok(records.len() == flows.len() + 1)
    })
    .unwrap();
    let wire = capture.stop().unwrap();
    println!(
        "{:<5} {:>9} {:>11} {:>9} {:>11}",
        "", "packets>", "bytes>", "<packets", "<bytes"
    );
    for (protocol, record) in &records {
        let (out, back) = (told(record, "toserver"), told(record, "toclient"));
        println!(
            "{:<5} {:>9} {:>11} {:>9} {:>11}  {} {}",
            record["proto"].as_str().unwrap(),
            out.packets,
            out.bytes,
            back.packets,
            back.bytes,
            record["dest_ip"].as_str().unwrap(),
            record["tcp"]["state"].as_str().unwrap_or("-"),
        );
        assert_eq!((out, back), seen(&wire, record, *protocol), "{record:#}");
    }
    let (_, tcp) = &records[0];
    assert!(told(tcp, "toserver").bytes > BULK as u64, "{tcp:#}");
    assert_eq!(tcp["tcp"]["state"], "closed", "{tcp:#}");
    let (_, large) = &records[2];
    assert_eq!(told(large, "toserver").packets, 3 * LARGE_COUNT as u64);
    let (_, stopped) = records.last().unwrap();
    assert_eq!(told(stopped, "toclient"), Sum::default());
    assert!(told(stopped, "toserver").packets > 0, "{blocked:?}");
}
