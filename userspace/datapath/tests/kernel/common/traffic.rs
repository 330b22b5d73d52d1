//! Steady traffic through a gate: what is sent, and what arrives, stream by stream.
//!
//! Every stream sends a datagram each tick to a server behind the gate. Some go on in one flow, some
//! begin a new one each time. The server counts what arrives; what the policy forbids must never
//! arrive, and what it allows must arrive to the last datagram.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::socket::{setsockopt, sockopt};

use super::netns::Pair;

/// Port that streams send to when nothing else is said.
const PORT: u16 = 9_000;
/// Room for what arrives while the server is not running: this machine may be busy.
const ROOM_BYTES: usize = 32 << 20;
/// How long the server waits for a datagram at a time.
const LOOK: Duration = Duration::from_millis(50);
/// Looks of the server after which nothing is on its way any more.
const LOOKS: u64 = 6;

/// One stream.
#[derive(Clone, Copy, Debug)]
pub struct Stream {
    /// Its destination.
    pub to: &'static str,
    /// Whether the policy lets it pass.
    pub passes: bool,
    /// Whether each datagram begins a flow of its own.
    pub fresh: bool,
}

const fn stream(to: &'static str, passes: bool, fresh: bool) -> Stream {
    Stream { to, passes, fresh }
}

/// What the little world allows and forbids, both families, flows old and new.
pub const STREAMS: [Stream; 8] = [
    stream("198.18.1.1", true, false),
    stream("198.18.1.1", true, true),
    stream("2001:db8:1::1", true, false),
    stream("2001:db8:1::1", true, true),
    stream("198.18.2.1", false, false),
    stream("198.18.2.1", false, true),
    stream("198.18.3.1", false, true),
    stream("2001:db8:3::1", false, true),
];

/// Datagrams of one stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Count {
    pub sent: u64,
    pub arrived: u64,
}

/// How far both ends have come.
#[derive(Debug, Default)]
struct Marks {
    /// Nothing more is to be sent.
    stop: AtomicBool,
    /// Nothing more is sent: the server may end.
    last: AtomicBool,
    /// Rounds that the sender began: each sends a datagram of every stream, which tells its round.
    round: AtomicU64,
    /// The latest round that the server has seen.
    seen: AtomicU64,
    /// How often the server found its socket empty for a whole look.
    idle: AtomicU64,
}

/// Traffic that goes on until it is stopped.
pub struct Traffic {
    marks: Arc<Marks>,
    arrived: Arc<[AtomicU64]>,
    sender: JoinHandle<Vec<u64>>,
    server: JoinHandle<()>,
    streams: Vec<Stream>,
    ports: Vec<u16>,
}

impl Traffic {
    /// Starts the streams, one datagram each every `tick`.
    pub fn start(pair: &Pair, streams: &[Stream], tick: Duration) -> Self {
        Self::start_to(pair, streams, tick, PORT)
    }

    /// Starts more streams while others go on: `port` is the server's.
    pub fn start_to(pair: &Pair, streams: &[Stream], tick: Duration, port: u16) -> Self {
        let marks = Arc::new(Marks::default());
        let arrived: Arc<[AtomicU64]> = streams.iter().map(|_| AtomicU64::new(0)).collect();
        let server = pair.in_gate(|| UdpSocket::bind((Ipv6Addr::UNSPECIFIED, port)).unwrap());
        setsockopt(&server, sockopt::RcvBufForce, &ROOM_BYTES).unwrap();
        server.set_read_timeout(Some(LOOK)).unwrap();
        let server = {
            let (marks, arrived) = (Arc::clone(&marks), Arc::clone(&arrived));
            std::thread::spawn(move || receive(&server, &marks, &arrived))
        };
        let lasting: Vec<UdpSocket> =
            pair.in_lan(|| streams.iter().map(|stream| bound(stream.to)).collect());
        let ports = lasting
            .iter()
            .map(|socket| socket.local_addr().unwrap().port())
            .collect();
        let sender = {
            let (marks, streams) = (Arc::clone(&marks), streams.to_vec());
            // Sockets belong to the namespace they are made in.
            let enter = pair.lan_handle();
            std::thread::spawn(move || {
                enter();
                send(&lasting, &streams, port, tick, &marks)
            })
        };
        Self {
            marks,
            arrived,
            sender,
            server,
            streams: streams.to_vec(),
            ports,
        }
    }

    /// Source port of a lasting stream.
    pub fn port(&self, stream: usize) -> u16 {
        self.ports[stream]
    }

    /// Datagrams of a stream that arrived so far.
    pub fn arrived(&self, stream: usize) -> u64 {
        self.arrived[stream].load(Ordering::Relaxed)
    }

    /// Datagrams of a stream that nothing lets through any more, once what was on its way has
    /// arrived. However rarely the server runs: it has seen others that were sent after now, or
    /// nothing again and again.
    pub fn arrived_at_rest(&self, stream: usize) -> u64 {
        let (marks, order) = (&self.marks, Ordering::Acquire);
        let rounds = marks.round.load(order) + 2;
        let looks = marks.idle.load(order) + LOOKS;
        while marks.seen.load(order) < rounds && marks.idle.load(order) < looks {
            std::thread::sleep(Duration::from_millis(1));
        }
        self.arrived(stream)
    }

    /// Counts the arrivals of such a stream from zero.
    pub fn begin_again_at_rest(&self, stream: usize) {
        self.arrived_at_rest(stream);
        self.arrived[stream].store(0, Ordering::Relaxed);
    }

    /// Waits until some more datagrams of each stream that passes have arrived.
    pub fn flows(&self) {
        let before: Vec<_> = (0..self.streams.len())
            .map(|stream| self.arrived(stream))
            .collect();
        let deadline = Instant::now() + Duration::from_secs(10);
        for (number, stream) in self.streams.iter().enumerate() {
            while stream.passes && self.arrived(number) < before[number] + 3 {
                assert!(Instant::now() < deadline, "{stream:?} does not arrive");
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }

    /// Ends the traffic; what was sent and what arrived, by stream.
    pub fn stop(self) -> Vec<(Stream, Count)> {
        self.marks.stop.store(true, Ordering::Relaxed);
        let sent = self.sender.join().unwrap();
        self.marks.last.store(true, Ordering::Relaxed);
        self.server.join().unwrap();
        let arrived = self.arrived.iter();
        self.streams
            .into_iter()
            .zip(sent)
            .zip(arrived)
            .map(|((stream, sent), arrived)| {
                let arrived = arrived.load(Ordering::Relaxed);
                (stream, Count { sent, arrived })
            })
            .collect()
    }
}

/// Ends the traffic and judges it: nothing forbidden arrived, everything allowed did.
pub fn judge(traffic: Traffic, story: &str) -> BTreeMap<&'static str, Count> {
    let mut sums: BTreeMap<&'static str, Count> = BTreeMap::new();
    for (stream, count) in traffic.stop() {
        let sum = sums
            .entry(if stream.passes {
                "allowed"
            } else {
                "forbidden"
            })
            .or_default();
        sum.sent += count.sent;
        sum.arrived += count.arrived;
        assert!(count.sent > 2, "{story}: {stream:?} {count:?}");
        let right = if stream.passes { count.sent } else { 0 };
        assert_eq!(count.arrived, right, "{story}: {stream:?} {count:?}");
    }
    sums
}

fn bound(to: &str) -> UdpSocket {
    let any: IpAddr = if to.contains(':') {
        "::".parse().unwrap()
    } else {
        "0.0.0.0".parse().unwrap()
    };
    UdpSocket::bind((any, 0)).unwrap()
}

fn send(
    lasting: &[UdpSocket],
    streams: &[Stream],
    port: u16,
    tick: Duration,
    marks: &Marks,
) -> Vec<u64> {
    let mut sent = vec![0; streams.len()];
    while !marks.stop.load(Ordering::Relaxed) {
        let round = marks.round.fetch_add(1, Ordering::Release) + 1;
        for (number, stream) in streams.iter().enumerate() {
            let to = SocketAddr::new(stream.to.parse().unwrap(), port);
            let payload = [&[u8::try_from(number).unwrap()], &round.to_be_bytes()[..]].concat();
            let passage = if stream.fresh {
                bound(stream.to).send_to(&payload, to)
            } else {
                lasting[number].send_to(&payload, to)
            };
            // A refused flow may have told its socket: then nothing was sent.
            sent[number] += u64::from(passage.is_ok());
        }
        std::thread::sleep(tick);
    }
    sent
}

/// Counts what arrives, until nothing has for a while after the last was sent.
fn receive(server: &UdpSocket, marks: &Marks, arrived: &[AtomicU64]) {
    let mut buffer = [0; 16];
    let mut looks = 0;
    while looks < LOOKS {
        let ending = marks.last.load(Ordering::Relaxed);
        if let Ok((9, _)) = server.recv_from(&mut buffer) {
            arrived[usize::from(buffer[0])].fetch_add(1, Ordering::Relaxed);
            let round = u64::from_be_bytes(buffer[1..9].try_into().unwrap());
            marks.seen.fetch_max(round, Ordering::Release);
            looks = 0;
        } else {
            marks.idle.fetch_add(1, Ordering::Release);
            looks += u64::from(ending);
        }
    }
}
