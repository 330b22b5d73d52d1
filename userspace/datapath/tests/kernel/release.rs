//! Held conversations on a wire: they go on where they were stopped, or say nothing.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd as _;
use std::process::Command;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, poll};
use octroi_abi::event::HeldHeader;
use octroi_abi::verdict::Verdict;
use octroi_datapath::{Datapath, HeldRing, LoadOptions, Release, Rewritten, XdpMode};

use crate::common::frames::SYN;
use crate::common::netns::{GATE, Pair};
use crate::common::{self, PinRoot, tables};
use crate::hold::{HELD, decide};

const PATIENCE: Duration = Duration::from_secs(3);

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
