//! Names per second by protocol, single-threaded, through the whole [`Namer`]: each sample belongs to
//! a new flow, as the first bytes of a conversation do.
//!
//! `cargo bench -p octroi-inspect --bench names` takes a few seconds. What is asked is 50,000 DNS
//! messages a second on one core. The payloads are the seeds of the fuzz targets.

use std::hint::black_box;
use std::net::Ipv4Addr;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use octroi_inspect::flow;
use octroi_inspect::name::{Heard, NameEvent, Namer, NamerLimits, Sample};

const QUERY: &[u8] = include_bytes!("../../../fuzz/corpus/dns/query-with-edns");
const ANSWER: &[u8] = include_bytes!("../../../fuzz/corpus/dns/chain");
const HELLO: &[u8] = include_bytes!("../../../fuzz/corpus/tls/one-record");
/// As long as a hello with a post-quantum key share.
const LONG_HELLO: &[u8] = include_bytes!("../../../fuzz/corpus/tls/long");
const QUIC: &[u8] = include_bytes!("../../../fuzz/corpus/quic/two-packets");
const REQUEST: &[u8] = include_bytes!("../../../fuzz/corpus/http1/get");
const HTTP2: &[u8] = include_bytes!("../../../fuzz/corpus/http2/coded");
/// Bytes of a first segment.
const SEGMENT: usize = 1_388;
const TCP: u8 = 6;
const UDP: u8 = 17;

/// Its name, messages, IP protocol, port, and payloads: from outside or not, and bytes.
type Case<'a> = (&'static str, u64, u8, u16, Vec<(bool, &'a [u8])>);

/// A namer, and a new flow for each conversation.
struct Ear {
    namer: Namer,
    events: Vec<NameEvent>,
    flows: u32,
}

impl Ear {
    fn new() -> Self {
        Self {
            namer: Namer::new(NamerLimits::default()),
            events: Vec::new(),
            flows: 0,
        }
    }

    /// The payloads of one flow: from outside or not, and bytes. How many names were told.
    fn conversation(&mut self, protocol: u8, port: u16, payloads: &[(bool, &[u8])]) -> usize {
        self.flows = self.flows.wrapping_add(1);
        let [a, b, c, d] = self.flows.to_be_bytes();
        let key = flow::key(
            Ipv4Addr::new(10, a, b, c).into(),
            Ipv4Addr::new(203, 0, 113, d).into(),
            protocol,
            40_000 + u16::from(d),
            port,
        );
        self.events.clear();
        let mut sequence = 1;
        let mut heard = Heard::Talk;
        for (reply, payload) in payloads {
            let sample = Sample {
                key,
                first_ns: u64::from(self.flows) * 1_000,
                time_ns: u64::from(self.flows) * 1_000,
                outbound: !reply,
                sequence,
                tcp_flags: 0,
                payload: black_box(payload),
                cut: false,
            };
            heard = self.namer.observe(&sample, &mut self.events);
            sequence += u32::try_from(payload.len()).unwrap_or(0);
        }
        assert_eq!(heard, Heard::Settled);
        self.events.len()
    }
}

/// The pieces of a seed behind their 16-bit lengths.
fn pieces(mut seed: &[u8]) -> Vec<(bool, &[u8])> {
    let mut out = Vec::new();
    while let Some((length, rest)) = seed.split_first_chunk::<2>() {
        let (piece, rest) = rest.split_at(usize::from(u16::from_be_bytes(*length)));
        out.push((false, piece));
        seed = rest;
    }
    out
}

fn benches(criterion: &mut Criterion) {
    let mut answer = ANSWER.to_vec();
    let mut query = QUERY[..QUERY.len() - 11].to_vec();
    // One question of both, under one identifier.
    query.truncate(12);
    query[11] = 0;
    query.extend(&answer[12..12 + 17]);
    answer[..2].copy_from_slice(&query[..2]);
    let (head, tail) = LONG_HELLO.split_at(SEGMENT);
    let quic = pieces(QUIC);
    let cases: [Case<'_>; 6] = [
        (
            "dns: query and answer",
            2,
            UDP,
            53,
            vec![(false, &query[..]), (true, &answer[..])],
        ),
        (
            "tls: hello in one segment",
            1,
            TCP,
            443,
            vec![(false, HELLO)],
        ),
        (
            "tls: post-quantum hello in two segments",
            1,
            TCP,
            443,
            vec![(false, head), (false, tail)],
        ),
        ("quic: hello in two initials", 2, UDP, 443, quic),
        ("http/1: head", 1, TCP, 80, vec![(false, REQUEST)]),
        ("http/2: first request", 1, TCP, 80, vec![(false, HTTP2)]),
    ];
    let mut group = criterion.benchmark_group("names");
    for (name, messages, protocol, port, payloads) in &cases {
        let mut ear = Ear::new();
        assert!(ear.conversation(*protocol, *port, payloads) > 0, "{name}");
        group.throughput(Throughput::Elements(*messages));
        group.bench_function(*name, |bencher| {
            bencher.iter(|| ear.conversation(*protocol, *port, payloads));
        });
    }
    group.finish();
}

criterion_group! {
    name = names;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    targets = benches
}
criterion_main!(names);
