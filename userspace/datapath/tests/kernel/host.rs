//! A host that guards itself: what it sends meets the policy at TCX egress, what it gets comes by
//! XDP. The client's namespace is the host here, the gate's is the world.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::time::{Duration, Instant};

use octroi_abi::flow::FlowState;
use octroi_abi::outcome::{Direction, Outcome};
use octroi_datapath::{Attachment, Datapath, LoadOptions, Program, Role, XdpMode};

use crate::common::checksum;
use crate::common::frames::{ACK, PSH, RST, SYN, TCP, UDP, from, tcp, to, udp};
use crate::common::netns::{CLIENT, GATE, Pair};
use crate::common::{self, PinRoot, TCX_NEXT, XDP_PASS, tables};

const PATIENCE: Duration = Duration::from_millis(400);
/// `TCX_REDIRECT`.
const TCX_REDIRECT: u32 = 7;
const BULK: usize = 1 << 20;

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// The world: one byte to everybody on port 80, and on port 81 everything is read.
fn serve(pair: &Pair) {
    let (greeter, reader) = pair.in_gate(|| {
        (
            TcpListener::bind("[::]:80").unwrap(),
            TcpListener::bind("[::]:81").unwrap(),
        )
    });
    std::thread::spawn(move || {
        for mut stream in greeter.incoming().flatten() {
            let _ = stream.write_all(b"!");
        }
    });
    std::thread::spawn(move || {
        for mut stream in reader.incoming().flatten() {
            let read = std::io::copy(&mut stream, &mut std::io::sink());
            let _ = stream.write_all(&read.unwrap_or(0).to_be_bytes());
        }
    });
}

/// What a program of the host sees.
fn connect(pair: &Pair, to: &str) -> Result<(), ErrorKind> {
    let to = address(to);
    pair.in_lan(|| {
        let mut stream = TcpStream::connect_timeout(&to, PATIENCE).map_err(|error| error.kind())?;
        stream.set_read_timeout(Some(PATIENCE * 5)).unwrap();
        stream.read_exact(&mut [0]).map_err(|error| error.kind())
    })
}

fn ask(pair: &Pair, to: &str) -> ErrorKind {
    let any = if to.starts_with('[') {
        "[::]:0"
    } else {
        "0.0.0.0:0"
    };
    pair.in_lan(|| {
        let socket = UdpSocket::bind(any).unwrap();
        socket.connect(address(to)).unwrap();
        socket.set_read_timeout(Some(PATIENCE * 5)).unwrap();
        socket.send(b"a question").unwrap();
        socket.recv(&mut [0; 8]).unwrap_err().kind()
    })
}

/// What a program of the world sees that connects to the host from one of its addresses.
fn connect_in(pair: &Pair, source: &str) -> Result<(), ErrorKind> {
    pair.in_gate(|| {
        let route = format!("route replace 10.1.0.2/32 dev {GATE} src {source}");
        let done = Command::new("ip").args(route.split(' ')).status();
        assert!(done.unwrap().success(), "ip {route}");
        let to = address("10.1.0.2:8080");
        let mut stream = TcpStream::connect_timeout(&to, PATIENCE).map_err(|error| error.kind())?;
        assert_eq!(stream.local_addr().unwrap().ip().to_string(), source);
        stream.set_read_timeout(Some(PATIENCE * 5)).unwrap();
        stream.read_exact(&mut [0]).map_err(|error| error.kind())
    })
}

fn load(root: &PinRoot) -> Datapath {
    let mut datapath = Datapath::load(&LoadOptions::new(root.path())).unwrap();
    datapath
        .apply_atlas_and_policy(&tables::atlas(), &tables::policy(true))
        .unwrap();
    datapath
}

fn flow_to(datapath: &Datapath, port: u16) -> FlowState {
    let mut found = None;
    datapath.flows(&mut |key, state| {
        if key.outside_port == port {
            found = Some(state);
        }
    });
    found.unwrap()
}

#[test]
fn a_host_guards_itself_and_its_programs_learn_of_it() {
    if common::skipped() {
        return;
    }
    let pair = Pair::new();
    let root = PinRoot::new();
    serve(&pair);
    assert_eq!(
        connect(&pair, "198.18.2.1:80"),
        Ok(()),
        "before the gate stands"
    );
    let mut datapath = load(&root);
    // Its own addresses are no way around the policy here.
    datapath
        .set_gateway_addresses(&["10.1.0.2".parse().unwrap(), "fd00:1::2".parse().unwrap()])
        .unwrap();
    for (mode, attachment) in [
        (XdpMode::Native, Attachment::New),
        (XdpMode::Generic, Attachment::Renewed),
    ] {
        let report = pair
            .in_lan(|| datapath.attach_as(CLIENT, Role::Host, mode))
            .unwrap();
        assert_eq!((report.role, report.mode), (Role::Host, mode));
        assert_eq!(report.reply, attachment, "{report}");
        assert!(
            report.to_string().starts_with("lan0 (host, Ethernet): XDP"),
            "{report}"
        );
        assert_eq!(connect(&pair, "198.18.1.1:80"), Ok(()));
        assert_eq!(connect(&pair, "[2001:db8:1::1]:80"), Ok(()));
        assert_eq!(
            connect(&pair, "198.18.2.1:80"),
            Err(ErrorKind::TimedOut),
            "blocked"
        );
        let began = Instant::now();
        for rejected in ["198.18.3.1:80", "[2001:db8:3::1]:80"] {
            assert_eq!(connect(&pair, rejected), Err(ErrorKind::ConnectionRefused));
        }
        // ICMP and ICMPv6: administratively prohibited.
        assert_eq!(ask(&pair, "198.18.3.1:53"), ErrorKind::HostUnreachable);
        assert_eq!(
            ask(&pair, "[2001:db8:3::1]:53"),
            ErrorKind::PermissionDenied
        );
        let took = began.elapsed();
        assert!(
            took < PATIENCE,
            "{mode:?}: a local program learns it at once: {took:?}"
        );
        println!("{mode:?}: four rejected attempts took {took:?}");
    }
    let counters = datapath.counters().unwrap();
    for direction in [Direction::Outbound, Direction::Reply] {
        assert_eq!(counters.outcomes(direction), counters.seen(direction));
    }
    assert_eq!(counters.outcome(Direction::Outbound, Outcome::Rejected), 8);
    assert_eq!(counters.outcome(Direction::Outbound, Outcome::Gateway), 0);
    assert!(
        counters.outcome(Direction::Reply, Outcome::Allowed) > 0,
        "replies are accounted"
    );
    Datapath::detach(root.path()).unwrap();
    assert_eq!(connect(&pair, "198.18.2.1:80"), Ok(()), "the gate is open");
}

#[test]
fn answers_to_the_world_are_judged_like_questions() {
    if common::skipped() {
        return;
    }
    let pair = Pair::new();
    let root = PinRoot::new();
    let listener = pair.in_lan(|| TcpListener::bind("10.1.0.2:8080").unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.write_all(b"!");
        }
    });
    let mut datapath = load(&root);
    pair.in_lan(|| datapath.attach_as(CLIENT, Role::Host, XdpMode::Native))
        .unwrap();
    assert_eq!(connect_in(&pair, "198.18.1.1"), Ok(()), "an allowed client");
    let counters = datapath.counters().unwrap();
    assert!(counters.outcome(Direction::Reply, Outcome::Unsolicited) > 0);
    assert_eq!(
        connect_in(&pair, "198.18.2.1"),
        Err(ErrorKind::TimedOut),
        "what would leave for a blocked place does not"
    );
    let counters = datapath.counters().unwrap();
    assert!(counters.outcome(Direction::Outbound, Outcome::Blocked) > 0);
}

#[test]
fn segments_are_counted_as_they_will_be_on_the_wire() {
    if common::skipped() {
        return;
    }
    let pair = Pair::new();
    let root = PinRoot::new();
    serve(&pair);
    let mut datapath = load(&root);
    pair.in_lan(|| datapath.attach_as(CLIENT, Role::Host, XdpMode::Native))
        .unwrap();
    pair.in_lan(|| {
        let mut stream = TcpStream::connect_timeout(&address("198.18.1.1:81"), PATIENCE).unwrap();
        stream.write_all(&vec![7; BULK]).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut told = [0; 8];
        stream.read_exact(&mut told).unwrap();
        assert_eq!(u64::from_be_bytes(told), BULK as u64);
    });
    let flow = flow_to(&datapath, 81);
    // Each segment at most 1,500 bytes: 20 of IPv4, 32 of TCP with time stamps, 1,448 of payload.
    let least = (BULK as u64).div_ceil(1_448);
    let seen = datapath.counters().unwrap().seen(Direction::Outbound);
    assert!(flow.outbound_packets >= least, "{flow:?}");
    assert!(
        seen < flow.outbound_packets,
        "buffers of many segments: {seen}"
    );
    // The opening segment has 40 bytes of TCP header.
    let headers = 60 + (flow.outbound_packets - 1) * 52;
    let payload = flow.outbound_bytes - headers;
    assert!(
        (BULK as u64..BULK as u64 + 200_000).contains(&payload),
        "{payload} bytes of payload: {flow:?}"
    );
}

#[test]
fn an_interface_changes_its_role_in_place() {
    if common::skipped() {
        return;
    }
    let pair = Pair::new();
    let root = PinRoot::new();
    serve(&pair);
    let mut datapath = load(&root);
    let mut attach = |role| {
        pair.in_lan(|| datapath.attach_as(CLIENT, role, XdpMode::Native))
            .unwrap()
    };
    assert_eq!(attach(Role::Inside).outbound, Attachment::New);
    for role in [Role::Host, Role::Inside, Role::Host] {
        let report = attach(role);
        assert_eq!(
            (report.outbound, report.reply),
            (Attachment::Replaced, Attachment::Replaced),
            "{report}"
        );
        assert_eq!(
            report.neighbours.before.len() + report.neighbours.after.len(),
            0
        );
    }
    assert_eq!(
        connect(&pair, "198.18.3.1:80"),
        Err(ErrorKind::ConnectionRefused)
    );
    assert_eq!(Datapath::detach(root.path()).unwrap().links, 2);
}

#[test]
fn answers_turn_round_and_cut_replies_are_sound() {
    if common::skipped() {
        return;
    }
    let mut rig = common::rig();
    for program in [Program::HostOutbound, Program::HostReply] {
        rig.datapath.load_program(program).unwrap();
    }
    for (rejected, header) in [("198.18.3.1", 20), ("2001:db8:3::1", 40)] {
        for (protocol, payload) in [
            (TCP, tcp(9, 443, SYN, b"early data")),
            (UDP, udp(9, 443, b"a question")),
        ] {
            let frame = to(rejected, protocol, payload);
            let (outcome, report) =
                rig.outcome_of(Program::HostOutbound, Direction::Outbound, &frame);
            assert_eq!((outcome, report.action), (Outcome::Rejected, TCX_REDIRECT));
            assert_eq!(report.frame[0..6], frame[6..12], "to this station");
            let (ip, rest) = report.frame[14..].split_at(header);
            if protocol == TCP {
                assert_eq!((rest.len(), rest[13]), (20, RST | ACK));
                assert!(checksum::transport_holds(ip, TCP, rest));
            } else if header == 20 {
                assert_eq!(rest[0..2], [3, 13]);
                assert!(checksum::holds(rest) && checksum::holds(ip));
            } else {
                assert_eq!(rest[0..2], [1, 1]);
                assert!(checksum::transport_holds(ip, 58, rest));
            }
        }
        // A reply to what is rejected reaches the stack as a reset.
        for text in [&b"a server's hello"[..], b"odd", b""] {
            let mut reply = from(rejected, TCP, tcp(443, 9, PSH | ACK, text));
            let (ip, segment) = reply[14..].split_at_mut(header);
            checksum::seal_tcp(ip, segment);
            let (outcome, report) = rig.outcome_of(Program::HostReply, Direction::Reply, &reply);
            assert_eq!((outcome, report.action), (Outcome::Rejected, XDP_PASS));
            let (ip, reset) = report.frame[14..].split_at(header);
            assert_eq!(reset[13], RST | ACK);
            assert!(checksum::transport_holds(ip, TCP, reset), "{rejected}");
        }
    }
    let allowed = to("198.18.1.1", TCP, tcp(10, 443, SYN, b""));
    let (outcome, report) = rig.outcome_of(Program::HostOutbound, Direction::Outbound, &allowed);
    assert_eq!((outcome, report.action), (Outcome::Allowed, TCX_NEXT));
}
