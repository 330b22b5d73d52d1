//! docs/evasion.md: tricks, put on a wire as frames between two network namespaces, and what came of
//! them: at a naive five-tuple parser (the one below), and at the gate.
//!
//! `OCTROI_BLESS=1 cargo test -p octroi-datapath --test kernel evasion` writes the table anew.

#![expect(
    unsafe_code,
    reason = "nix has no way to make the address of a packet socket"
)]

use std::fmt::Write as _;
use std::os::fd::AsRawFd as _;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrLike as _, socket,
};
use octroi_abi::opaque::Opaque;
use octroi_abi::outcome::{Direction, Outcome};
use octroi_datapath::{Datapath, LoadOptions, XdpMode};

use crate::common::frames::{
    ACK, SYN, TCP, UDP, V4, between, ethernet, ethernet_tagged, icmp, tcp, udp, v6,
};
use crate::common::netns::{CLIENT, GATE, Pair};
use crate::common::{self, PinRoot, tables};

const LAN_V4: &str = "10.1.0.2";
const LAN_V6: &str = "fd00:1::2";
const ALLOWED: &str = "198.18.1.1";
const BLOCKED: &str = "198.18.2.1";
const ALLOWED_V6: &str = "2001:db8:1::1";
const BLOCKED_V6: &str = "2001:db8:2::1";
const PATIENCE: Duration = Duration::from_secs(5);

/// A firewall that reads fixed offsets, as many do: it allows 198.18.1.0/24, `2001:db8:1::/48` and
/// TCP and UDP to ports 53, 80 and 443 of them, blocks other destinations, and passes what it cannot
/// read.
fn naive(frame: &[u8]) -> &'static str {
    let word = |at: usize| Some(u16::from_be_bytes([*frame.get(at)?, *frame.get(at + 1)?]));
    let (allowed, protocol, port) = match word(12) {
        Some(0x0800) => (
            frame.get(30..33) == Some(&[198, 18, 1]),
            frame.get(23).copied(),
            word(36),
        ),
        Some(0x86dd) => (
            frame.get(38..44) == Some(&[0x20, 1, 0x0d, 0xb8, 0, 1]),
            frame.get(20).copied(),
            word(56),
        ),
        _ => return "passes, not read",
    };
    match (protocol, port) {
        (Some(6 | 17), Some(port)) if allowed && [53, 80, 443].contains(&port) => "passes",
        (Some(6 | 17), Some(_)) => "stops",
        _ => "passes, not read",
    }
}

/// A trick: its name, and the frames that make it, in order. The last one is what is told.
type Trick = (&'static str, Vec<Vec<u8>>);

fn v4_options(destination: &str, options: &[u8]) -> Vec<u8> {
    let mut packet = V4::new(LAN_V4, destination, TCP, tcp(9, 443, SYN, b""));
    packet.options = options.to_vec();
    packet.frame()
}

fn v4_piece(destination: &str, number: u16, offset: u16, more: bool, payload: &[u8]) -> Vec<u8> {
    let mut packet = V4::new(LAN_V4, destination, TCP, payload.to_vec());
    (packet.identification, packet.offset, packet.more) = (number, offset, more);
    packet.frame()
}

fn v6_chain(kinds: &[u8], head: [u8; 4]) -> Vec<u8> {
    let mut payload = Vec::new();
    for next in kinds.iter().skip(1).chain(&[TCP]) {
        payload.extend_from_slice(&[*next, 0, head[2], head[3], 0, 0, 0, 0]);
    }
    payload.extend(tcp(9, 443, SYN, b""));
    ethernet(&v6(LAN_V6, ALLOWED_V6, kinds[0], 64, &payload))
}

fn v6_piece(next: u8, number: u8, offset: u16, more: bool, payload: &[u8]) -> Vec<u8> {
    let word = (offset | u16::from(more)).to_be_bytes();
    let head = [next, 0, word[0], word[1], 0, 0, 0, number];
    let payload = [&head[..], payload].concat();
    ethernet(&v6(LAN_V6, ALLOWED_V6, 44, 64, &payload))
}

fn send(destination: &str, protocol: u8, payload: Vec<u8>) -> Vec<u8> {
    let six = destination.contains(':');
    let source = if six { LAN_V6 } else { LAN_V4 };
    between(source, destination, protocol, payload)
}

fn bent(mut frame: Vec<u8>, at: usize, bytes: &[u8]) -> Vec<u8> {
    frame[at..at + bytes.len()].copy_from_slice(bytes);
    frame
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn ipv4_tricks() -> Vec<Trick> {
    let segment = || tcp(9, 443, SYN, b"");
    let plain = || send(ALLOWED, TCP, segment());
    let tagged = |tags: &[(u16, u16)], to: &str| {
        let packet = V4::new(LAN_V4, to, TCP, segment()).bytes();
        ethernet_tagged(tags, 0x0800, &packet)
    };
    let long = tcp(9, 443, SYN, &[0; 12]);
    vec![
        ("plain TCP to an allowed destination", vec![plain()]),
        (
            "plain TCP to a blocked destination",
            vec![send(BLOCKED, TCP, segment())],
        ),
        (
            "blocked, behind IPv4 options (ports are elsewhere)",
            vec![v4_options(BLOCKED, &[1; 8])],
        ),
        (
            "loose source route through an allowed address",
            vec![v4_options(ALLOWED, &[131, 7, 4, 198, 18, 2, 1, 0])],
        ),
        (
            "options that cannot be walked",
            vec![v4_options(ALLOWED, &[148, 200, 0, 0])],
        ),
        (
            "tiny first fragment (RFC 1858)",
            vec![v4_piece(ALLOWED, 1, 0, true, &long[..16])],
        ),
        (
            "later fragment without its first",
            vec![v4_piece(ALLOWED, 2, 64, false, &[0; 32])],
        ),
        (
            "later fragment of a blocked first one",
            vec![
                v4_piece(BLOCKED, 3, 0, true, &long),
                v4_piece(BLOCKED, 3, 32, false, &long),
            ],
        ),
        (
            "fragment over the TCP header (RFC 3128)",
            vec![
                v4_piece(ALLOWED, 4, 0, true, &long),
                v4_piece(ALLOWED, 4, 8, false, &[0; 24]),
            ],
        ),
        (
            "fragment over payload that came (RFC 5722)",
            vec![
                v4_piece(ALLOWED, 5, 0, true, &long),
                v4_piece(ALLOWED, 5, 64, true, &[0; 64]),
                v4_piece(ALLOWED, 5, 56, true, &[0; 16]),
            ],
        ),
        (
            "total length shorter than the headers",
            vec![bent(plain(), 16, &[0, 19])],
        ),
        (
            "total length longer than the frame",
            vec![bent(plain(), 16, &[1, 0])],
        ),
        (
            "header length of 16 bytes",
            vec![bent(plain(), 14, &[0x44])],
        ),
        (
            "bytes behind the packet",
            vec![[plain(), vec![0xff; 40]].concat()],
        ),
        (
            "blocked, behind two VLAN tags",
            vec![tagged(&[(0x88a8, 5), (0x8100, 6)], BLOCKED)],
        ),
        (
            "three VLAN tags",
            vec![tagged(&[(0x88a8, 5), (0x8100, 6), (0x8100, 7)], ALLOWED)],
        ),
        (
            "blocked, to the broadcast station",
            vec![bent(send(BLOCKED, TCP, segment()), 0, &[0xff; 6])],
        ),
        (
            "blocked, TCP without SYN",
            vec![send(BLOCKED, TCP, tcp(9, 443, ACK, b"data"))],
        ),
        (
            "blocked, port 0",
            vec![send(BLOCKED, UDP, udp(9, 0, b"data"))],
        ),
        (
            "blocked, SCTP to port 443",
            vec![send(BLOCKED, 132, segment())],
        ),
        ("blocked, UDP-Lite", vec![send(BLOCKED, 136, segment())]),
        ("blocked, DCCP", vec![send(BLOCKED, 33, segment())]),
        (
            "blocked, DNS over TCP on port 5353",
            vec![send(BLOCKED, TCP, tcp(9, 5_353, SYN, b""))],
        ),
        (
            "blocked, data in an ICMP error",
            vec![send(BLOCKED, 1, icmp(3, 13, 0))],
        ),
        (
            "blocked, unspecified source",
            vec![between("0.0.0.0", BLOCKED, TCP, segment())],
        ),
        (
            "blocked, link-local source",
            vec![between("169.254.1.1", BLOCKED, TCP, segment())],
        ),
        (
            "6in4 to an allowed address",
            vec![send(ALLOWED, 41, vec![0x60; 40])],
        ),
        (
            "GRE to an allowed address",
            vec![send(ALLOWED, 47, vec![0; 40])],
        ),
        (
            "ESP to an allowed address",
            vec![send(ALLOWED, 50, vec![0; 40])],
        ),
        (
            "VXLAN to an allowed address",
            vec![send(ALLOWED, UDP, udp(9, 4_789, &[8, 0, 0, 0, 0, 0, 1, 0]))],
        ),
    ]
}

fn ipv6_tricks() -> Vec<Trick> {
    let segment = || tcp(9, 443, SYN, b"");
    let quiet = [0, 0, 1, 4];
    let long = tcp(9, 443, SYN, &[0; 12]);
    let solicitation = |hops| {
        let mut message = vec![135, 0, 0, 0, 0, 0, 0, 0];
        message.extend_from_slice(&[0xaa; 32]);
        ethernet(&v6(LAN_V6, BLOCKED_V6, 58, hops, &message))
    };
    vec![
        (
            "plain TCP to an allowed destination (IPv6)",
            vec![send(ALLOWED_V6, TCP, segment())],
        ),
        (
            "plain TCP to a blocked destination (IPv6)",
            vec![send(BLOCKED_V6, TCP, segment())],
        ),
        (
            "two extension headers, allowed",
            vec![v6_chain(&[0, 60], quiet)],
        ),
        ("nine extension headers", vec![v6_chain(&[60; 9], quiet)]),
        ("routing header type 0", vec![v6_chain(&[43], [0, 0, 0, 1])]),
        (
            "atomic fragment, allowed (RFC 6946)",
            vec![v6_piece(TCP, 1, 0, false, &segment())],
        ),
        (
            "second fragment header",
            vec![v6_piece(
                44,
                2,
                0,
                false,
                &[&[TCP, 0, 0, 0, 0, 0, 0, 1][..], &segment()].concat(),
            )],
        ),
        (
            "overlapping IPv6 fragments (RFC 5722)",
            vec![
                v6_piece(TCP, 3, 0, true, &long),
                v6_piece(TCP, 3, 24, false, &[0; 16]),
            ],
        ),
        (
            "headers that continue in the second fragment (RFC 7112)",
            vec![v6_piece(60, 4, 0, true, &[TCP, 1, 0, 0, 0, 0, 0, 0])],
        ),
        (
            "neighbour solicitation to a far address, as data",
            vec![solicitation(255)],
        ),
        (
            "NAT64 of a blocked address",
            vec![send("64:ff9b::20.74.0.1", TCP, segment())],
        ),
        (
            "6to4 of a blocked address",
            vec![send("2002:144a:1::1", TCP, segment())],
        ),
        (
            "Teredo of a blocked address",
            vec![send("2001:0:3333:3333:0:0:ebb5:fffe", TCP, segment())],
        ),
        (
            "IPv4-mapped of a blocked address",
            vec![send("::ffff:20.74.0.1", TCP, segment())],
        ),
        (
            "NAT64 of a private address",
            vec![send("64:ff9b::10.9.9.9", TCP, segment())],
        ),
        (
            "payload length longer than the frame",
            vec![bent(send(ALLOWED_V6, TCP, segment()), 18, &[1, 0])],
        ),
    ]
}

/// Sends a frame as it is, out of the client's interface.
fn put(pair: &Pair, frame: &[u8]) {
    pair.in_lan(|| {
        let descriptor = socket(
            AddressFamily::Packet,
            SockType::Raw,
            SockFlag::empty(),
            SockProtocol::EthAll,
        )
        .unwrap();
        let index = nix::net::if_::if_nametoindex(CLIENT).unwrap();
        // SAFETY: a `sockaddr_ll` is plain integers.
        let mut to: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        to.sll_family = u16::try_from(libc::AF_PACKET).unwrap();
        to.sll_ifindex = i32::try_from(index).unwrap();
        to.sll_halen = 6;
        to.sll_addr[..6].copy_from_slice(&frame[..6]);
        let length = u32::try_from(size_of_val(&to)).unwrap();
        // SAFETY: a whole `sockaddr_ll` of that length.
        let to = unsafe {
            nix::sys::socket::SockaddrStorage::from_raw((&raw const to).cast(), Some(length))
        };
        nix::sys::socket::sendto(
            descriptor.as_raw_fd(),
            frame,
            &to.unwrap(),
            MsgFlags::empty(),
        )
        .unwrap();
    });
}

/// What the gate counts for a frame on the wire. The interface has other packets now and then: the
/// outcome that is told is that of a run with exactly one.
fn seen(pair: &Pair, datapath: &Datapath, frame: &[u8]) -> (Outcome, Opaque) {
    let started = Instant::now();
    loop {
        assert!(started.elapsed() < PATIENCE, "the wire is never quiet");
        let before = datapath.counters().unwrap();
        put(pair, frame);
        let since = Instant::now();
        let direction = Direction::Outbound;
        let after = loop {
            let after = datapath.counters().unwrap();
            let count = after.outcomes(direction) - before.outcomes(direction);
            if count >= 1 || since.elapsed() > Duration::from_millis(500) {
                break after;
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        if after.seen(direction) - before.seen(direction) != 1 {
            continue;
        }
        let outcome = common::counted(direction, &before, &after);
        let kind = Opaque::ALL
            .into_iter()
            .find(|kind| after.opaque(*kind) != before.opaque(*kind));
        return (outcome, kind.unwrap_or(Opaque::None));
    }
}

fn told((outcome, kind): (Outcome, Opaque)) -> String {
    let verb = if outcome.passes() { "passes" } else { "stops" };
    match kind {
        Opaque::None => format!("{verb}: `{}`", outcome.name()),
        kind => format!("{verb}: `{}`, opaque `{}`", outcome.name(), kind.name()),
    }
}

#[test]
fn every_trick_ends_as_the_page_says() {
    if common::skipped() {
        return;
    }
    let pair = Pair::new();
    let root = PinRoot::new();
    let mut datapath = Datapath::load(&LoadOptions::new(root.path())).unwrap();
    let mut world: Vec<_> = tables::WORLD
        .iter()
        .map(|&(prefix, class)| (prefix.parse().unwrap(), class))
        .collect();
    world.push(("20.74.0.0/16".parse().unwrap(), tables::BLOCKED));
    datapath
        .apply_atlas_and_policy(&tables::atlas_of(&world), &tables::policy(true))
        .unwrap();
    pair.in_gate(|| datapath.attach(GATE, XdpMode::Native))
        .unwrap();
    let mut page = String::from(
        "# Tricks, and what came of them\n\n\
         Frames put on a wire between two network namespaces, with the gate on one end: allowed are\n\
         `198.18.1.0/24` and `2001:db8:1::/48`, every other destination and every kind of opacity is\n\
         blocked. The naive firewall reads five fields at fixed offsets, allows the same destinations\n\
         on the ports 53, 80 and 443 and passes what it cannot read. Both columns are made by\n\
         `OCTROI_BLESS=1 cargo test -p octroi-datapath --test kernel evasion`; a run without the\n\
         variable compares.\n\n\
         | trick | naive five-tuple parser | Octroi |\n|---|---|---|\n",
    );
    for (trick, frames) in ipv4_tricks().into_iter().chain(ipv6_tricks()) {
        let (last, before) = frames.split_last().unwrap();
        for frame in before {
            seen(&pair, &datapath, frame);
        }
        let found = seen(&pair, &datapath, last);
        writeln!(page, "| {trick} | {} | {} |", naive(last), told(found)).unwrap();
        let meant = trick.contains("allowed") && !trick.contains("to an allowed address")
            || trick == "bytes behind the packet";
        let harmless = meant && !trick.contains("source route");
        assert_eq!(found.0.passes(), harmless, "{trick}: {found:?}");
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/evasion.md");
    if std::env::var_os("OCTROI_BLESS").is_some() {
        std::fs::write(&path, &page).unwrap();
        return;
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), page);
}
