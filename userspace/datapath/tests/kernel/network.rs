//! Real sockets through real interfaces: verdicts, answers, restart, upgrade, interfaces that go.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::time::{Duration, Instant};

use octroi_abi::name;
use octroi_abi::outcome::{Direction, Outcome};
use octroi_datapath::{Attachment, Datapath, DatapathError, LoadOptions, XdpMode};

use crate::common::netns::{CLIENT, GATE, Pair};
use crate::common::{self, PinRoot, tables};

const PATIENCE: Duration = Duration::from_millis(400);

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// Serves one byte to everybody on every address of the gate's namespace.
fn serve(pair: &Pair) {
    let listener = pair.in_gate(|| TcpListener::bind("[::]:80").unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = stream;
            let _ = stream.write_all(b"!");
        }
    });
}

/// What a client sees.
fn connect(pair: &Pair, to: &str) -> Result<(), ErrorKind> {
    let to = address(to);
    pair.in_lan(|| {
        let mut stream = TcpStream::connect_timeout(&to, PATIENCE).map_err(|error| error.kind())?;
        stream.set_read_timeout(Some(PATIENCE * 5)).unwrap();
        let mut byte = [0];
        stream.read_exact(&mut byte).map_err(|error| error.kind())
    })
}

fn load(root: &PinRoot) -> Datapath {
    let mut datapath = Datapath::load(&LoadOptions::new(root.path())).unwrap();
    datapath
        .apply_atlas_and_policy(&tables::atlas(), &tables::policy(true))
        .unwrap();
    datapath
}

/// Lets a veth deliver what the other end sends by `XDP_TX`: in the driver of Linux 6.18 that wakes
/// an end with an XDP program only (`veth_xdp_flush`). A real network card needs nothing.
fn wake_client(pair: &Pair, root: &PinRoot) {
    let version = format!("v{}", octroi_abi::ABI_VERSION);
    let program = root
        .path()
        .join(version)
        .join("programs")
        .join(name::PROGRAM_NOOP);
    let attached = pair.in_lan(|| {
        Command::new("bpftool")
            .args(["net", "attach", "xdpdrv", "pinned"])
            .arg(&program)
            .args(["dev", CLIENT])
            .status()
            .expect("bpftool must be there")
    });
    assert!(attached.success());
}

#[test]
#[expect(
    clippy::too_many_lines,
    reason = "one story, in the order in which it happens"
)]
fn the_gate_stands_between_real_sockets_and_survives_its_daemon() {
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
    wake_client(&pair, &root);
    let report = pair
        .in_gate(|| datapath.attach(GATE, XdpMode::Native))
        .unwrap();
    assert_eq!(report.mode, XdpMode::Native);
    assert_eq!(
        (report.outbound, report.reply),
        (Attachment::New, Attachment::New)
    );

    assert_eq!(connect(&pair, "198.18.1.1:80"), Ok(()));
    assert_eq!(connect(&pair, "[2001:db8:1::1]:80"), Ok(()));
    assert_eq!(
        connect(&pair, "198.18.2.1:80"),
        Err(ErrorKind::TimedOut),
        "blocked"
    );
    let started = Instant::now();
    let refused = connect(&pair, "198.18.3.1:80");
    assert_eq!(
        refused,
        Err(ErrorKind::ConnectionRefused),
        "{:?}",
        datapath.counters()
    );
    assert_eq!(
        connect(&pair, "[2001:db8:3::1]:80"),
        Err(ErrorKind::ConnectionRefused)
    );
    assert!(
        started.elapsed() < PATIENCE,
        "a rejected client learns it at once"
    );
    let told = pair.in_lan(|| {
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        socket.connect("198.18.3.1:53").unwrap();
        socket.set_read_timeout(Some(PATIENCE * 5)).unwrap();
        socket.send(b"?").unwrap();
        socket.recv(&mut [0; 8]).unwrap_err().kind()
    });
    assert_eq!(
        told,
        ErrorKind::HostUnreachable,
        "ICMP: administratively prohibited"
    );

    let counters = datapath.counters().unwrap();
    assert!(
        counters.outcome(Direction::Reply, Outcome::Allowed) > 0,
        "replies are accounted"
    );
    assert!(counters.outcome(Direction::Outbound, Outcome::Rejected) >= 3);
    for direction in [Direction::Outbound, Direction::Reply] {
        assert_eq!(counters.outcomes(direction), counters.seen(direction));
    }
    let mut answered = 0;
    datapath.flows(&mut |_, state| answered += usize::from(state.reply_packets > 0));
    assert!(answered >= 2, "{answered} flows with replies");

    // The daemon is gone: nothing changes. The next one replaces the programs in place.
    drop(datapath);
    assert_eq!(
        connect(&pair, "198.18.2.1:80"),
        Err(ErrorKind::TimedOut),
        "without a daemon"
    );
    assert_eq!(connect(&pair, "198.18.1.1:80"), Ok(()));
    let mut next = Datapath::load(&LoadOptions::new(root.path())).unwrap();
    for _ in 0..2 {
        let report = pair.in_gate(|| next.attach(GATE, XdpMode::Native)).unwrap();
        assert_eq!(
            (report.outbound, report.reply),
            (Attachment::Replaced, Attachment::Replaced)
        );
    }
    assert_eq!(
        connect(&pair, "198.18.3.1:80"),
        Err(ErrorKind::ConnectionRefused)
    );

    // The interface is deleted and comes back under its name.
    pair.unplug();
    let missing = pair
        .in_gate(|| next.attach(GATE, XdpMode::Native))
        .unwrap_err();
    assert!(
        matches!(missing, DatapathError::NoSuchInterface { .. }),
        "{missing}"
    );
    pair.plug();
    wake_client(&pair, &root);
    let report = pair.in_gate(|| next.attach(GATE, XdpMode::Native)).unwrap();
    assert_eq!(
        (report.outbound, report.reply),
        (Attachment::Renewed, Attachment::Renewed)
    );
    assert_eq!(
        connect(&pair, "198.18.2.1:80"),
        Err(ErrorKind::TimedOut),
        "on the new interface"
    );

    // Somebody else's gate on the same interface.
    let other_root = PinRoot::new();
    let mut other = Datapath::load(&LoadOptions::new(other_root.path())).unwrap();
    let error = pair
        .in_gate(|| other.attach(GATE, XdpMode::Native))
        .unwrap_err();
    assert!(matches!(error, DatapathError::ForeignXdp { .. }), "{error}");
    assert!(
        error.to_string().contains("\"octroi_outbound\" (id "),
        "{error}"
    );

    // Detached while a daemon still holds the links.
    let report = Datapath::detach(root.path()).unwrap();
    assert_eq!(
        (report.interfaces.as_slice(), report.links),
        (&[GATE.to_owned()][..], 2)
    );
    assert_eq!(connect(&pair, "198.18.2.1:80"), Ok(()), "the gate is open");
}

#[test]
fn generic_xdp_works_where_it_is_asked_for_and_says_so() {
    if common::skipped() {
        return;
    }
    let pair = Pair::new();
    let root = PinRoot::new();
    serve(&pair);
    let mut datapath = load(&root);
    let report = pair
        .in_gate(|| datapath.attach(GATE, XdpMode::Generic))
        .unwrap();
    assert_eq!(report.mode, XdpMode::Generic);
    assert!(
        report.to_string().contains("XDP (generic) attached"),
        "{report}"
    );
    assert_eq!(connect(&pair, "198.18.1.1:80"), Ok(()));
    assert_eq!(connect(&pair, "198.18.2.1:80"), Err(ErrorKind::TimedOut));
    assert_eq!(
        connect(&pair, "198.18.3.1:80"),
        Err(ErrorKind::ConnectionRefused)
    );
    // Another mode is another link.
    let report = pair
        .in_gate(|| datapath.attach(GATE, XdpMode::Native))
        .unwrap();
    assert_eq!(
        (report.mode, report.outbound),
        (XdpMode::Native, Attachment::Renewed)
    );
    assert_eq!(connect(&pair, "198.18.2.1:80"), Err(ErrorKind::TimedOut));
}
