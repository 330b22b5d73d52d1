mod answers;
mod flooded;
mod given_up;
mod heard;
mod hidden;
mod scattered;
mod seeds;
mod spoken;

use std::net::IpAddr;
use std::sync::Arc;

use octroi_abi::flow::FlowKey;
use proptest::prelude::*;

use super::*;
use crate::flow;
use crate::packet::protocol;
use crate::testing::{dns, dns_name, hello, hello_message, records};

const CLIENT: &str = "10.0.0.1";
const SERVER: &str = "203.0.113.9";
const SECOND: u64 = 1_000_000_000;

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn key(protocol: u8, inside_port: u16, outside_port: u16) -> FlowKey {
    flow::key(
        address(CLIENT),
        address(SERVER),
        protocol,
        inside_port,
        outside_port,
    )
}

fn sample(key: FlowKey, sequence: u32, payload: &[u8]) -> Sample<'_> {
    Sample {
        key,
        first_ns: 1,
        time_ns: SECOND,
        outbound: true,
        sequence,
        tcp_flags: 0,
        payload,
        cut: false,
    }
}

fn names(samples: &[Sample<'_>]) -> Vec<String> {
    let mut namer = Namer::new(NamerLimits::default());
    let mut events = Vec::new();
    for sample in samples {
        namer.observe(sample, &mut events);
    }
    let told = events.into_iter().map(|event| event.name);
    told.filter(|name| !name.is_empty()).collect()
}

#[test]
fn a_hello_names_its_flow_once() {
    let tls = key(protocol::TCP, 5000, 443);
    let bytes = records(
        &hello_message(Some("WWW.Example.org"), &["h2"], true, 0),
        16_384,
    );
    let mut namer = Namer::new(NamerLimits::default());
    let mut events = Vec::new();
    namer.observe(&sample(tls, 7, &bytes), &mut events);
    namer.observe(&sample(tls, 7, &bytes), &mut events);
    let [event] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(event.name, "www.example.org");
    assert_eq!(
        (event.source, event.protocol),
        (NameSource::Sni, AppProtocol::Tls)
    );
    assert_eq!(event.alpn, ["h2"]);
    assert!(event.ech == Ech::Possible && event.source.names_destination());
    assert_eq!(namer.stats().hellos, 1);
    assert_eq!(namer.stats().held_bytes, 0);
}

#[test]
fn a_hello_split_at_every_position_gives_the_same_name() {
    let message = hello_message(Some("split.example.org"), &["h2"], false, 60);
    for stream in [records(&message, 16_384), records(&message, 50)] {
        let tls = key(protocol::TCP, 5000, 443);
        // Close to the end of the sequence space: it wraps.
        let start = u32::MAX - 60;
        for at in 1..stream.len() {
            let (head, tail) = stream.split_at(at);
            let first = sample(tls, start, head);
            let second = sample(tls, start.wrapping_add(u32::try_from(at).unwrap()), tail);
            assert_eq!(
                names(&[first, second]),
                ["split.example.org"],
                "in order, {at}"
            );
            // A tail that looks like a record or a start of its own cannot be told from one.
            if !tls::is_record(tail) && !tls::may_begin(tail) {
                assert_eq!(
                    names(&[second, first]),
                    ["split.example.org"],
                    "overtaken, {at}"
                );
            }
            assert_eq!(
                names(&[first, first, second, second]),
                ["split.example.org"]
            );
        }
    }
}

#[test]
fn a_hello_in_many_disordered_segments() {
    let stream = records(
        &hello_message(Some("many.example.org"), &[], false, 2000),
        700,
    );
    let tls = key(protocol::TCP, 5000, 443);
    let mut samples: Vec<Sample<'_>> = stream
        .chunks(400)
        .zip((0_u32..).step_by(400))
        .map(|(chunk, at)| sample(tls, at, chunk))
        .collect();
    samples[1..].reverse();
    assert_eq!(names(&samples), ["many.example.org"]);
}

#[test]
fn what_is_missing_is_not_guessed() {
    let tls = key(protocol::TCP, 5000, 443);
    let message = hello_message(Some("early.example.org"), &[], false, 0);
    let mut padded = message.clone();
    // Name first, then an extension of which the end never comes.
    let more = 600_u16;
    padded.extend([0, 21]);
    padded.extend(more.to_be_bytes());
    padded.extend(vec![0; usize::from(more)]);
    let grow = u32::from(more) + 4;
    let length = u32::try_from(padded.len() - 4).unwrap();
    padded[1..4].copy_from_slice(&length.to_be_bytes()[1..]);
    let at = 4 + 2 + 32 + 33 + 6 + 2;
    let extensions = u32::from(u16::from_be_bytes([padded[at], padded[at + 1]])) + grow;
    padded[at..at + 2].copy_from_slice(&u16::try_from(extensions).unwrap().to_be_bytes());
    let stream = records(&padded, 16_384);
    let head = &stream[..stream.len() - 100];
    assert!(names(&[sample(tls, 0, head)]).is_empty(), "more may come");
    let cut = Sample {
        cut: true,
        ..sample(tls, 0, head)
    };
    assert_eq!(names(&[cut]), ["early.example.org"], "no more will come");
    let answer = Sample {
        outbound: false,
        ..sample(tls, 0, &[22, 3, 3, 0, 9, 2])
    };
    assert_eq!(
        names(&[sample(tls, 0, head), answer]),
        ["early.example.org"]
    );
    // The name itself is cut: there is none.
    let short = Sample {
        cut: true,
        ..sample(tls, 0, &stream[..100])
    };
    assert!(names(&[short, answer]).is_empty());
}

#[test]
fn names_that_are_no_host_names_are_counted() {
    let tls = key(protocol::TCP, 5000, 443);
    for bad in [
        "a b.example",
        "",
        "\u{e9}.example",
        "evil.example\n.org",
        "192.0.2.1:443",
    ] {
        let bytes = hello(bad);
        let mut namer = Namer::new(NamerLimits::default());
        let mut events = Vec::new();
        namer.observe(&sample(tls, 0, &bytes), &mut events);
        assert!(
            events
                .iter()
                .all(|event| event.source == NameSource::Nameless)
        );
        assert_eq!(events.len(), 1, "{bad:?}");
        assert_eq!(namer.stats().hellos_without_name, 1);
    }
}

#[test]
fn requests_name_their_hosts() {
    let web = key(protocol::TCP, 5000, 80);
    let cases: [(&str, &[&str]); 9] = [
        (
            "GET / HTTP/1.1\r\nAccept: */*\r\nHOST:  Example.org:8080 \r\n\r\n",
            &["example.org"],
        ),
        (
            "GET http://other.example/x HTTP/1.1\r\nHost: example.org\r\n\r\n",
            &["other.example"],
        ),
        (
            "CONNECT tunnel.example:443 HTTP/1.1\r\n\r\n",
            &["tunnel.example"],
        ),
        (
            "GET / HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n",
            &["2001:db8::1"],
        ),
        (
            "GET / HTTP/1.0\r\nAccept: */*\r\n\r\nHost: body.example\r\n",
            &[],
        ),
        ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", &[]),
        ("GET / HTTP/1.1\r\nHost: unfinished.exa", &[]),
        ("GET /\r\nHost: old.example\r\n\r\n", &[]),
        ("GETTING STARTED\r\nHost: x.example\r\n\r\n", &[]),
    ];
    for (request, expected) in cases {
        assert_eq!(
            names(&[sample(web, 0, request.as_bytes())]),
            expected,
            "{request:?}"
        );
    }
    let request = b"POST /path HTTP/1.1\r\nUser-Agent: x\r\nHost: split.example\r\n\r\n";
    for at in 1..request.len() {
        let (head, tail) = request.split_at(at);
        let second = sample(web, u32::try_from(at).unwrap(), tail);
        assert_eq!(
            names(&[sample(web, 0, head), second]),
            ["split.example"],
            "{at}"
        );
    }
    // Several hosts in one connection, then TLS through a proxy.
    let one = b"GET / HTTP/1.1\r\nHost: one.example\r\n\r\n";
    let two = b"CONNECT two.example:443 HTTP/1.1\r\n\r\n";
    let tls = hello("three.example");
    let samples = [
        sample(web, 0, one),
        sample(web, 100, two),
        sample(web, 200, &tls),
    ];
    assert_eq!(
        names(&samples),
        ["one.example", "two.example", "three.example"]
    );
}

#[test]
fn all_that_is_kept_is_bounded() {
    let limits = NamerLimits {
        flows: 10,
        stream_bytes: 300,
        total_bytes: 1_000,
        ..NamerLimits::default()
    };
    let mut namer = Namer::new(limits);
    let mut events = Vec::new();
    let stream = records(
        &hello_message(Some("big.example"), &[], false, 5000),
        16_384,
    );
    for port in 1000..1100 {
        let tls = key(protocol::TCP, port, 443);
        for (chunk, at) in stream.chunks(100).zip((0_u32..).step_by(100)) {
            namer.observe(&sample(tls, at, chunk), &mut events);
            assert!(namer.stats().held_bytes <= 1_000);
        }
        // One that never goes on.
        namer.observe(
            &sample(key(protocol::TCP, port, 444), 0, &stream[..90]),
            &mut events,
        );
        assert!(namer.stats().flows <= 10);
    }
    assert!(events.iter().all(|event| event.name.is_empty()));
    let stats = namer.stats();
    assert!(stats.streams_too_long >= 100);
    assert!(stats.flows_evicted > 0 && stats.incomplete > 0);
    namer.expire(u64::MAX);
    assert_eq!((namer.stats().flows, namer.stats().held_bytes), (0, 0));
}

proptest! {
    #[test]
    fn dns_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
        let _ = Message::read(&bytes);
    }

    #[test]
    fn a_damaged_answer_never_panics(
        flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let answers = [
            (vec![0xc0, 12], 5, 60, dns_name("alias.example")),
            (dns_name("alias.example"), 1, 60, vec![1, 2, 3, 4]),
        ];
        let mut message = dns(1, true, ("service.example", 1), &answers);
        for (at, value) in flips {
            let at = at.index(message.len());
            message[at] = value;
        }
        for length in 0..=message.len() {
            if let Ok(read) = Message::read(&message[..length]) {
                prop_assert!(read.resolution().addresses.len() <= 2);
            }
        }
    }

    #[test]
    fn a_hello_never_panics_and_a_prefix_has_no_other_name(
        flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        size in 20_usize..400,
    ) {
        let mut stream = records(&hello_message(Some("some.example"), &["h2"], true, 30), size);
        let intact = flips.is_empty();
        for (at, value) in flips {
            let at = at.index(stream.len());
            stream[at] = value;
        }
        for length in 0..=stream.len() {
            if let Progress::Whole(hello) | Progress::More(hello) = client_hello(&stream[..length])
                && intact && let Some(name) = hello.name
            {
                prop_assert_eq!(name, "some.example");
            }
        }
    }

    #[test]
    fn the_namer_never_panics(
        payloads in proptest::collection::vec(
            (proptest::collection::vec(any::<u8>(), 0..80), 0_usize..6, any::<u32>(), any::<bool>(), any::<bool>()),
            0..30,
        ),
    ) {
        let starts: [&[u8]; 6] = [&[], &[22, 3, 1, 1, 0, 1], b"GET / HTTP/1.1\r\nHost:", &[0xc0, 0, 0, 0, 1, 8], &[22, 0xfe, 0xfd], &[0, 30, 0, 1, 1, 0, 0, 1]];
        let keys = [
            key(protocol::TCP, 1, 443), key(protocol::TCP, 1, 53), key(protocol::UDP, 1, 53),
            key(protocol::UDP, 1, 443),
        ];
        let mut namer = Namer::new(NamerLimits { total_bytes: 400, ..NamerLimits::default() });
        let mut events = Vec::new();
        for (index, (bytes, start, sequence, outbound, cut)) in payloads.iter().enumerate() {
            let payload = [starts[*start], bytes].concat();
            let sample = Sample {
                outbound: *outbound,
                cut: *cut,
                ..sample(keys[index % 4], *sequence % 300, &payload)
            };
            namer.observe(&sample, &mut events);
            prop_assert!(namer.stats().held_bytes <= 400);
        }
        namer.expire(u64::MAX);
        prop_assert_eq!(namer.stats().held_bytes, 0);
    }
}
