//! A real device without a link header: a tun device, with a station at its other end that writes
//! and reads IP packets.

#![expect(
    unsafe_code,
    reason = "a tun device is asked for by an ioctl on a struct of unions"
)]

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpListener;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::process::Command;
use std::time::{Duration, Instant};

use octroi_abi::outcome::{Direction, Outcome};
use octroi_datapath::{Attachment, Datapath, LinkKind, LoadOptions, XdpMode};

use crate::common::checksum;
use crate::common::frames::{ACK, RST, SYN, TCP, UDP, V4, key_between, tcp, udp, v6};
use crate::common::netns::Pair;
use crate::common::{self, PinRoot, tables};

const DEVICE: &str = "tun9";
const STATION: &str = "10.9.0.2";
const STATION_V6: &str = "fd00:9::2";
const PATIENCE: Duration = Duration::from_millis(400);

/// The far end of a tun device of the gate's namespace.
struct Station(File);

impl Station {
    fn new(pair: &Pair) -> Self {
        let station = Self(pair.in_gate(open));
        pair.in_gate(|| {
            for arguments in [
                "address add 10.9.0.1/24 dev tun9",
                "address add fd00:9::1/64 dev tun9 nodad",
                "link set tun9 up",
            ] {
                let done = Command::new("ip").args(arguments.split(' ')).status();
                assert!(done.unwrap().success(), "ip {arguments}");
            }
        });
        station
    }

    fn send(&self, packet: &[u8]) {
        (&self.0).write_all(packet).unwrap();
    }

    /// The first packet of a protocol from an address.
    fn hears(&self, from: &str, protocol: u8) -> Option<Vec<u8>> {
        let deadline = Instant::now() + PATIENCE;
        let from = common::frames::mapped(from.parse().unwrap());
        let mut buffer = [0; 2048];
        while Instant::now() < deadline {
            match (&self.0).read(&mut buffer) {
                Ok(length) => {
                    let packet = &buffer[..length];
                    let (source, found) = if packet[0] >> 4 == 4 {
                        (&packet[12..16], packet[9])
                    } else {
                        (&packet[8..24], packet[6])
                    };
                    if from.ends_with(source) && found == protocol {
                        return Some(packet.to_vec());
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    std::thread::sleep(Duration::from_millis(2));
                }
                Err(error) => panic!("{error}"),
            }
        }
        None
    }
}

/// A tun device without the packet information header, in the namespace of this thread.
fn open() -> File {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NONBLOCK)
        .open("/dev/net/tun")
        .unwrap();
    // SAFETY: integers and arrays of them: zero is a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (slot, byte) in request.ifr_name.iter_mut().zip(DEVICE.bytes()) {
        *slot = libc::c_char::from_ne_bytes([byte]);
    }
    request.ifr_ifru.ifru_flags = i16::try_from(libc::IFF_TUN | libc::IFF_NO_PI).unwrap();
    // SAFETY: TUNSETIFF reads name and flags of this struct.
    let made = unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF, &raw const request) };
    assert_eq!(made, 0, "{}", std::io::Error::last_os_error());
    file
}

fn syn(to: &str, port: u16) -> Vec<u8> {
    let mut segment = tcp(port, 80, SYN, b"");
    if to.contains(':') {
        let header = v6(STATION_V6, to, TCP, 64, &segment);
        checksum::seal_tcp(&header[..40], &mut segment);
        v6(STATION_V6, to, TCP, 64, &segment)
    } else {
        let header = V4::new(STATION, to, TCP, segment.clone()).bytes();
        checksum::seal_tcp(&header[..20], &mut segment);
        V4::new(STATION, to, TCP, segment).bytes()
    }
}

#[test]
fn a_tun_device_is_guarded_like_any_other() {
    if common::skipped() {
        return;
    }
    let pair = Pair::new();
    let root = PinRoot::new();
    let station = Station::new(&pair);
    let _listener = pair.in_gate(|| TcpListener::bind("[::]:80").unwrap());
    station.send(&syn("198.18.2.1", 999));
    assert!(
        station.hears("198.18.2.1", TCP).is_some(),
        "before the gate stands"
    );

    let mut datapath = Datapath::load(&LoadOptions::new(root.path())).unwrap();
    datapath
        .apply_atlas_and_policy(&tables::atlas(), &tables::policy(true))
        .unwrap();
    let refused = pair.in_gate(|| datapath.attach(DEVICE, XdpMode::Native));
    let refused = refused.unwrap_err().to_string();
    assert!(
        refused.contains("native XDP is not possible on \"tun9\"")
            && refused.contains("xdp_mode = \"generic\""),
        "{refused}"
    );
    for (port, expected) in [(1000, Attachment::New), (1001, Attachment::Replaced)] {
        let report = pair
            .in_gate(|| datapath.attach(DEVICE, XdpMode::Generic))
            .unwrap();
        assert_eq!(
            (report.link, report.mode, report.outbound),
            (LinkKind::Bare, XdpMode::Generic, expected)
        );
        assert!(
            report
                .to_string()
                .starts_with("tun9 (inside, no link header): XDP (generic)"),
            "{report}"
        );
        for (allowed, inside) in [("198.18.1.1", STATION), ("2001:db8:1::1", STATION_V6)] {
            station.send(&syn(allowed, port));
            let heard = station.hears(allowed, TCP).expect("a connection");
            let header = if allowed.contains(':') { 40 } else { 20 };
            assert_eq!(heard[header + 13], SYN | ACK);
            let flow = datapath
                .flow(&key_between(inside, allowed, port, 80, TCP))
                .unwrap();
            assert_eq!((flow.outbound_packets, flow.reply_packets), (1, 1));
        }
        station.send(&syn("198.18.2.1", port));
        assert_eq!(station.hears("198.18.2.1", TCP), None, "blocked");
        for rejected in ["198.18.3.1", "2001:db8:3::1"] {
            station.send(&syn(rejected, port));
            let heard = station.hears(rejected, TCP).expect("a reset");
            let header = if rejected.contains(':') { 40 } else { 20 };
            assert_eq!(heard[header + 13], RST | ACK);
            let (ip, segment) = heard.split_at(header);
            assert!(checksum::transport_holds(ip, TCP, segment));
        }
        let question = V4::new(STATION, "198.18.3.1", UDP, udp(port, 53, b"?")).bytes();
        station.send(&question);
        let heard = station.hears("198.18.3.1", 1).expect("ICMP");
        assert_eq!(heard[20..22], [3, 13]);
        assert!(checksum::holds(&heard[20..]));
        assert_eq!(heard[28..], question[..question.len() & !3]);
    }
    let counters = datapath.counters().unwrap();
    for direction in [Direction::Outbound, Direction::Reply] {
        assert_eq!(counters.outcomes(direction), counters.seen(direction));
    }
    assert_eq!(counters.outcome(Direction::Outbound, Outcome::Rejected), 6);
}
