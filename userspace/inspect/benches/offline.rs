//! Packets, hellos and whole captures per second, single-threaded.
//!
//! `cargo bench -p octroi-inspect` takes a few seconds. The budget is one million small packets a
//! second for the whole way from the capture to named flows (`survey`).

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use octroi_inspect::capture::{Capture, LinkType};
use octroi_inspect::flow::{self, Flow};
use octroi_inspect::name::{NameEvent, NamerLimits, client_hello};
use octroi_inspect::packet::{self, Unparsed};
use octroi_inspect::survey::{Naming, Sink, Survey};

const FLOWS: u32 = 10_000;
const PACKETS: u32 = 200_000;

/// An Ethernet frame of 60 bytes (64 with its check sequence): TCP, flow `number` of many.
fn frame(number: u32, reply: bool) -> Vec<u8> {
    let [.., high, low] = number.to_be_bytes();
    let inside = [10, 0, high, low];
    let outside = [203, 0, 113, low];
    let port = 20_000 + u16::from_be_bytes([high, low]) % 40_000;
    let (source, destination, from, to) = if reply {
        (outside, inside, 443, port)
    } else {
        (inside, outside, port, 443)
    };
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0];
    frame.extend([0x45, 0, 0, 46, 0, 1, 0, 0, 64, 6, 0, 0]);
    frame.extend(source);
    frame.extend(destination);
    frame.extend(from.to_be_bytes());
    frame.extend(to.to_be_bytes());
    frame.extend([0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x18, 4, 0, 0, 0, 0, 0]);
    frame.extend(*b"abcdef");
    frame
}

/// A pcap of small packets of many flows, both directions, in memory.
fn capture() -> Vec<u8> {
    let mut file = Vec::new();
    file.extend(0xa1b2_3c4d_u32.to_le_bytes());
    file.extend([2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0]);
    for index in 0..PACKETS {
        // A stride that is prime to the number of flows visits them all, never in order.
        let data = frame(index.wrapping_mul(7_919) % FLOWS, index % 5 < 2);
        file.extend((index / 1_000_000).to_le_bytes());
        file.extend(index.to_le_bytes());
        let length = u32::try_from(data.len()).unwrap_or(0);
        file.extend(length.to_le_bytes());
        file.extend(length.to_le_bytes());
        file.extend(data);
    }
    file
}

/// A `ClientHello` in one record, name last.
fn hello() -> Vec<u8> {
    let name = b"www.example.org";
    let mut extensions = vec![0, 21, 0, 200];
    extensions.extend([0; 200]);
    extensions.extend([0, 0, 0, 20, 0, 18, 0, 0, 15]);
    extensions.extend(name);
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.extend([0, 0, 4, 0x13, 1, 0x13, 2, 1, 0]);
    body.extend(u16::try_from(extensions.len()).unwrap_or(0).to_be_bytes());
    body.extend(extensions);
    let mut message = vec![1, 0];
    message.extend(u16::try_from(body.len()).unwrap_or(0).to_be_bytes());
    message.extend(body);
    let mut record = vec![22, 3, 1];
    record.extend(u16::try_from(message.len()).unwrap_or(0).to_be_bytes());
    record.extend(message);
    record
}

struct Count(u64);

impl Sink for Count {
    fn flow(&mut self, flow: Flow<Naming>) {
        self.0 += flow.outbound_packets + flow.reply_packets;
    }

    fn name(&mut self, _event: &NameEvent, _inside_tunnel: bool) {}

    fn without_flow(&mut self, _time_ns: u64, _wire_bytes: u32, _unparsed: &Unparsed) {}
}

fn survey(file: &[u8]) -> u64 {
    let mut survey = Survey::new(flow::Limits::default(), NamerLimits::default());
    let mut count = Count(0);
    if let Ok(mut capture) = Capture::open(file) {
        while let Ok(Some(packet)) = capture.next() {
            survey.packet(&packet, &mut count);
        }
    }
    survey.finish(&mut count);
    count.0
}

fn benches(criterion: &mut Criterion) {
    let frames: Vec<Vec<u8>> = (0..1_000).map(|number| frame(number, false)).collect();
    let mut group = criterion.benchmark_group("offline");
    group.throughput(Throughput::Elements(frames.len() as u64));
    group.bench_function("packet::parse, 60-byte frames", |bencher| {
        bencher.iter(|| {
            for frame in &frames {
                let _ = black_box(packet::parse(LinkType::ETHERNET, black_box(frame)));
            }
        });
    });
    let hello = hello();
    group.throughput(Throughput::Elements(1));
    group.bench_function("client_hello, one record", |bencher| {
        bencher.iter(|| black_box(client_hello(black_box(&hello))));
    });
    let file = capture();
    assert_eq!(survey(&file), u64::from(PACKETS));
    group.throughput(Throughput::Elements(u64::from(PACKETS)));
    group.sample_size(10);
    group.bench_function("survey, 60-byte frames of 10,000 flows", |bencher| {
        bencher.iter_batched(|| &file[..], survey, BatchSize::SmallInput);
    });
    group.finish();
}

criterion_group! {
    name = offline;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    targets = benches
}
criterion_main!(offline);
