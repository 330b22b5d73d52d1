//! What a client says is held until its name is decided: in the programs, and on a wire.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd as _;
use std::process::Command;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, poll};
use octroi_abi::event::{HeldHeader, kind};
use octroi_abi::flow::{AWAITS_NAME, NAMED};
use octroi_abi::outcome::{Direction, Loss, Outcome};
use octroi_abi::table::long_time;
use octroi_abi::verdict::Verdict;
use octroi_datapath::{
    Datapath, HeldRing, LoadOptions, Program, Release, Rewritten, VerdictChange, XdpMode,
};

use crate::common::frames::{ACK, PSH, SYN, TCP, UDP, V4, key, tcp, to, udp};
use crate::common::netns::{GATE, Pair};
use crate::common::{self, PinRoot, Rig, tables};

/// Of the class that a name can stop.
const HELD: &str = "198.18.6.200";
const PATIENCE: Duration = Duration::from_secs(3);

fn strict() -> (Rig, HeldRing) {
    let mut rig = Rig::new();
    rig.datapath
        .apply_atlas_and_policy(&tables::atlas(), &tables::strict(true))
        .unwrap();
    let ring = rig.datapath.take_held().unwrap();
    (rig, ring)
}

fn decide(datapath: &Datapath, header: &HeldHeader, verdict: Verdict) -> Rewritten {
    let state = datapath.flow(&header.key).unwrap();
    let change = VerdictChange {
        generation: state.generation,
        class: state.class,
        verdict,
        rule: 7,
        enforced: true,
        names_matter: true,
    };
    datapath.rewrite_verdict(
        &header.key,
        long_time(header.first, header.time_ns),
        &change,
    )
}

fn lost(rig: &Rig) -> u64 {
    rig.datapath.counters().unwrap().loss(Loss::Hold)
}

#[test]
fn what_a_client_says_waits_for_the_decision() {
    if common::skipped() {
        return;
    }
    let (mut rig, mut ring) = strict();
    rig.told();
    let hello = to(HELD, UDP, udp(9, 443, b"hello"));
    assert_eq!(rig.outcome(Direction::Outbound, &hello).0, Outcome::Held);
    let flow = key(HELD, 9, 443, UDP);
    let state = rig.flow(&flow).unwrap();
    assert_ne!(state.flags & AWAITS_NAME, 0);
    assert_eq!(state.outbound_packets, 0, "it has not gone yet");
    let told = rig.told();
    assert_eq!(told.len(), 1);
    assert_eq!(
        (told[0].kind, told[0].outcome),
        (kind::NEW, Outcome::Held as u8)
    );
    let header = {
        let held = ring.next().expect("the frame");
        assert_eq!(held.frame(), hello);
        assert_eq!(held.payload(), b"hello");
        assert!(!held.is_cut());
        assert_eq!(held.header.key, flow);
        held.header
    };
    assert_eq!(rig.outcome(Direction::Outbound, &hello).0, Outcome::Held);

    // Userspace lets a frame go on without deciding the flow.
    rig.datapath.load_program(Program::Release).unwrap();
    let (outcome, _) = rig.outcome_of(Program::Release, Direction::Outbound, &hello);
    assert_eq!(outcome, Outcome::Allowed);
    assert_eq!(rig.outcome(Direction::Outbound, &hello).0, Outcome::Held);

    assert_eq!(
        decide(&rig.datapath, &header, Verdict::Allow),
        Rewritten::Done
    );
    assert_eq!(rig.outcome(Direction::Outbound, &hello).0, Outcome::Allowed);
    let state = rig.flow(&flow).unwrap();
    assert_eq!(state.flags & (AWAITS_NAME | NAMED), NAMED);
    assert_eq!(state.outbound_packets, 2);
    assert_eq!(
        decide(&rig.datapath, &header, Verdict::Block),
        Rewritten::Done
    );
    for program in [Program::Outbound, Program::Release] {
        let (outcome, _) = rig.outcome_of(program, Direction::Outbound, &hello);
        assert_eq!(outcome, Outcome::Blocked, "{program:?}");
    }
    // Another generation of the same policy: what a name decided is not asked again.
    rig.datapath.apply_policy(&tables::strict(true)).unwrap();
    assert_eq!(rig.outcome(Direction::Outbound, &hello).0, Outcome::Blocked);
    assert_eq!(lost(&rig), 0);
}

#[test]
fn a_handshake_waits_only_where_it_can_be_let_go() {
    if common::skipped() {
        return;
    }
    let (mut rig, mut ring) = strict();
    let segment = |flags, payload: &[u8]| to(HELD, TCP, tcp(9, 443, flags, payload));
    let outcome = |rig: &Rig, frame: &[u8]| rig.outcome(Direction::Outbound, frame).0;
    assert_eq!(outcome(&rig, &segment(SYN, b"")), Outcome::Allowed);
    assert_eq!(outcome(&rig, &segment(ACK, b"")), Outcome::Allowed);
    assert_eq!(outcome(&rig, &segment(ACK | PSH, b"hello")), Outcome::Held);
    assert_eq!(ring.next().expect("the hello").payload(), b"hello");
    rig.datapath.set_releases(true).unwrap();
    assert_eq!(outcome(&rig, &segment(SYN, b"")), Outcome::Held);
    assert_eq!(ring.next().expect("the opening").header.tcp_flags, SYN);
    assert_eq!(outcome(&rig, &segment(ACK, b"")), Outcome::Allowed);
    // Fast open: the hello comes with the first packet.
    rig.datapath.set_releases(false).unwrap();
    assert_eq!(outcome(&rig, &segment(SYN, b"early")), Outcome::Held);
    assert_eq!(ring.next().expect("the opening").payload(), b"early");
    // What carries no name by its protocol does not wait.
    let ping = to(HELD, 1, common::frames::icmp(8, 0, 3));
    assert_eq!(outcome(&rig, &ping), Outcome::Allowed);
    assert!(ring.next().is_none());
}

#[test]
fn a_piece_of_a_hello_never_slips_through() {
    if common::skipped() {
        return;
    }
    let (rig, mut ring) = strict();
    let datagram = udp(9, 443, &[7; 40]);
    let mut first = V4::new("10.1.2.3", HELD, UDP, datagram[..24].to_vec());
    first.more = true;
    let mut second = V4::new("10.1.2.3", HELD, UDP, datagram[24..].to_vec());
    second.offset = 24;
    for piece in [first, second] {
        let (outcome, _) = rig.outcome(Direction::Outbound, &piece.frame());
        assert_eq!(outcome, Outcome::Held);
    }
    assert_eq!(lost(&rig), 2, "nothing that userspace could read a name in");
    assert!(ring.next().is_none());
    // Longer than a held frame can be: its beginning is there, and it says so.
    let long = to(HELD, UDP, udp(10, 443, &[7; 4_090]));
    assert_eq!(rig.outcome(Direction::Outbound, &long).0, Outcome::Held);
    assert!(ring.next().is_some_and(|held| held.is_cut()));
    // The ring is full: what cannot be given to userspace does not go on.
    let frame = to(HELD, UDP, udp(11, 443, &[7; 3_000]));
    rig.datapath.run(Program::Outbound, &frame, 4_000).unwrap();
    let before = rig.datapath.counters().unwrap();
    assert_eq!(rig.outcome(Direction::Outbound, &frame).0, Outcome::Held);
    let after = rig.datapath.counters().unwrap();
    assert_eq!(after.loss(Loss::Hold), before.loss(Loss::Hold) + 1);
}

#[test]
fn questions_are_held_whoever_they_are_for_and_others_are_not() {
    if common::skipped() {
        return;
    }
    let (mut rig, mut ring) = strict();
    let outcome = |rig: &Rig, frame: &[u8]| rig.outcome(Direction::Outbound, frame).0;
    let question = to("198.18.1.1", UDP, udp(9, 53, b"who?"));
    let other = to("198.18.1.1", UDP, udp(9, 54, b"who?"));
    assert_eq!(outcome(&rig, &question), Outcome::Held);
    assert_eq!(outcome(&rig, &other), Outcome::Allowed);
    // What the address alone stops needs no name.
    let stopped = to("198.18.2.1", UDP, udp(9, 53, b"who?"));
    assert_eq!(outcome(&rig, &stopped), Outcome::Blocked);
    assert!(ring.next().is_some() && ring.next().is_none());

    // Not strict, or not enforced: nothing waits, and what waited goes on.
    rig.datapath.apply_policy(&tables::policy(true)).unwrap();
    let held = to(HELD, UDP, udp(9, 443, b"hello"));
    assert_eq!(outcome(&rig, &question), Outcome::Allowed);
    assert_eq!(outcome(&rig, &held), Outcome::Allowed);
    rig.datapath.apply_policy(&tables::strict(false)).unwrap();
    assert_eq!(outcome(&rig, &question), Outcome::Allowed);
    // And strict once more: a flow that goes on without a name waits from here on.
    rig.datapath.apply_policy(&tables::strict(true)).unwrap();
    assert_eq!(outcome(&rig, &held), Outcome::Held);
}

/// A server that tells what it was sent, and a gate before it.
struct Wire {
    pair: Pair,
    /// The pins go when it does.
    _root: PinRoot,
    datapath: Datapath,
    ring: HeldRing,
    heard: mpsc::Receiver<Vec<u8>>,
}

impl Wire {
    fn new(mode: XdpMode) -> Self {
        let pair = Pair::new();
        let add = ["-n", pair.gate_name(), "address", "add", HELD, "dev", "lo"];
        assert!(Command::new("ip").args(add).status().unwrap().success());
        let listener = pair.in_gate(|| TcpListener::bind((HELD, 443)).unwrap());
        let (tell, heard) = mpsc::channel();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut bytes = Vec::new();
                let _ = stream.read_to_end(&mut bytes);
                if tell.send(bytes).is_err() {
                    return;
                }
            }
        });
        let root = PinRoot::new();
        let mut datapath = Datapath::load(&LoadOptions::new(root.path())).unwrap();
        datapath
            .apply_atlas_and_policy(&tables::atlas(), &tables::strict(true))
            .unwrap();
        let report = pair.in_gate(|| datapath.attach(GATE, mode)).unwrap();
        assert_eq!(report.can_release(), mode == XdpMode::Native);
        datapath.set_releases(report.can_release()).unwrap();
        let ring = datapath.take_held().unwrap();
        Self {
            pair,
            _root: root,
            datapath,
            ring,
            heard,
        }
    }

    /// The next frame that waits.
    fn held(&mut self) -> (HeldHeader, Vec<u8>, bool) {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if let Some(held) = self.ring.next() {
                return (
                    held.header,
                    held.frame().to_vec(),
                    held.payload().is_empty(),
                );
            }
            let mut fds = [PollFd::new(self.ring.as_fd(), PollFlags::POLLIN)];
            poll(&mut fds, 20_u8).unwrap();
        }
        panic!("nothing was held");
    }

    fn release(&self, header: &HeldHeader, frame: &mut [u8], how: Release) {
        let datapath = &self.datapath;
        self.pair
            .in_gate(|| datapath.release(header, frame, how))
            .unwrap();
    }
}

#[test]
fn a_held_conversation_goes_on_where_it_was_stopped() {
    if common::skipped() {
        return;
    }
    let mut wire = Wire::new(XdpMode::Native);
    let to: SocketAddr = (HELD.parse::<std::net::IpAddr>().unwrap(), 443).into();
    // More than one segment; the sender leaves the checksum to its card.
    let hello: Vec<u8> = (0..1_800_u32)
        .flat_map(u32::to_be_bytes)
        .take(1_800)
        .collect();
    let said = hello.clone();
    let client = wire.pair.lan_handle();
    let (done, took) = mpsc::channel();
    std::thread::spawn(move || {
        client();
        let began = Instant::now();
        let mut stream = TcpStream::connect_timeout(&to, PATIENCE).unwrap();
        let connected = began.elapsed();
        stream.write_all(&said).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let _ = stream.read(&mut [0]);
        done.send((connected, began.elapsed())).unwrap();
    });
    let (header, mut frame, is_opening) = wire.held();
    assert!(is_opening && header.tcp_flags & SYN != 0);
    wire.release(&header, &mut frame, Release::Undecided);
    let mut waiting = vec![wire.held()];
    while waiting
        .iter()
        .map(|(header, ..)| header.payload_bytes)
        .sum::<u32>()
        < 1_800
    {
        waiting.push(wire.held());
    }
    assert!(
        wire.heard.recv_timeout(Duration::from_millis(100)).is_err(),
        "not one byte"
    );
    let decided = decide(&wire.datapath, &waiting[0].0, Verdict::Allow);
    assert_eq!(decided, Rewritten::Done);
    for (header, frame, _) in &mut waiting {
        wire.release(header, frame, Release::Decided);
    }
    let heard = wire.heard.recv_timeout(PATIENCE).unwrap();
    assert_eq!(heard, hello);
    let (connected, whole) = took.recv_timeout(PATIENCE).unwrap();
    println!("connected after {connected:?}, done after {whole:?} (100 ms of it waited)");
    assert!(
        whole < Duration::from_millis(190),
        "no retransmission was needed: {whole:?}"
    );
}

#[test]
fn a_forbidden_conversation_says_nothing() {
    if common::skipped() {
        return;
    }
    let mut wire = Wire::new(XdpMode::Native);
    let to: SocketAddr = (HELD.parse::<std::net::IpAddr>().unwrap(), 443).into();
    let client = wire.pair.lan_handle();
    let (done, ended) = mpsc::channel();
    std::thread::spawn(move || {
        client();
        let mut stream = TcpStream::connect_timeout(&to, PATIENCE).unwrap();
        stream.write_all(b"forbidden").unwrap();
        stream
            .set_read_timeout(Some(Duration::from_millis(500)))
            .unwrap();
        done.send(stream.read(&mut [0])).unwrap();
    });
    let (header, mut frame, _) = wire.held();
    wire.release(&header, &mut frame, Release::Undecided);
    let (header, mut frame, _) = wire.held();
    assert_eq!(
        decide(&wire.datapath, &header, Verdict::Block),
        Rewritten::Done
    );
    wire.release(&header, &mut frame, Release::Decided);
    let state = wire.datapath.flow(&header.key).unwrap();
    assert!(state.stopped_packets >= 1, "{state:?}");
    let ended = ended.recv_timeout(PATIENCE).unwrap();
    assert!(
        ended.is_err_and(|error| error.kind() == ErrorKind::WouldBlock),
        "blocked in silence"
    );
    match wire.heard.recv_timeout(Duration::from_millis(100)) {
        Ok(heard) => assert!(heard.is_empty(), "{heard:?}"),
        Err(error) => assert_eq!(error, mpsc::RecvTimeoutError::Timeout),
    }
}

/// Where a frame cannot be put back, its sender sends it again.
#[test]
fn without_native_xdp_a_hello_passes_when_it_is_sent_again() {
    if common::skipped() {
        return;
    }
    let mut wire = Wire::new(XdpMode::Generic);
    let to: SocketAddr = (HELD.parse::<std::net::IpAddr>().unwrap(), 443).into();
    let client = wire.pair.lan_handle();
    std::thread::spawn(move || {
        client();
        let mut stream = TcpStream::connect_timeout(&to, PATIENCE).unwrap();
        stream.write_all(b"hello").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let _ = stream.read(&mut [0]);
    });
    let (header, _, is_opening) = wire.held();
    assert!(!is_opening, "an opening is not held here");
    assert_eq!(
        decide(&wire.datapath, &header, Verdict::Allow),
        Rewritten::Done
    );
    assert_eq!(wire.heard.recv_timeout(PATIENCE).unwrap(), b"hello");
}

/// How long a datagram waits: held, decided, let go.
#[test]
fn holding_takes_well_under_two_milliseconds() {
    if common::skipped() {
        return;
    }
    let mut wire = Wire::new(XdpMode::Native);
    let server = wire
        .pair
        .in_gate(|| UdpSocket::bind((HELD, 9_443)).unwrap());
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut took = Vec::new();
    let mut clients = Vec::new();
    for _ in 0..50 {
        // A port of its own, and none that was used: a flow of its own.
        let client = wire.pair.in_lan(|| UdpSocket::bind("0.0.0.0:0").unwrap());
        let began = Instant::now();
        client.send_to(b"hello", (HELD, 9_443)).unwrap();
        let (header, mut frame, _) = wire.held();
        assert_eq!(
            decide(&wire.datapath, &header, Verdict::Allow),
            Rewritten::Done
        );
        wire.release(&header, &mut frame, Release::Decided);
        let mut bytes = [0; 16];
        let (length, _) = server.recv_from(&mut bytes).unwrap();
        assert_eq!(&bytes[..length], b"hello");
        took.push(began.elapsed());
        clients.push(client);
    }
    took.sort_unstable();
    println!(
        "held, decided, let go: median {:?}, longest {:?}",
        took[25], took[49]
    );
    assert!(took[25] < Duration::from_millis(20), "{took:?}");
}
