//! What a gate that holds handshakes is told behind each sample.

use super::*;
use crate::testing::{
    certificate, connection_request, in_prelogin, mysql_request, prelogin, server_messages,
    start_tls,
};

/// A namer, and what it told.
pub(super) struct Ear {
    pub(super) namer: Namer,
    pub(super) events: Vec<NameEvent>,
}

impl Ear {
    pub(super) fn new() -> Self {
        Self {
            namer: Namer::new(NamerLimits::default()),
            events: Vec::new(),
        }
    }

    pub(super) fn hear(&mut self, sample: &Sample<'_>) -> Heard {
        self.namer.observe(sample, &mut self.events)
    }

    /// Names and sources told since the last call.
    pub(super) fn told(&mut self) -> Vec<(String, NameSource, AppProtocol)> {
        let events = self.events.drain(..);
        events
            .map(|event| (event.name, event.source, event.protocol))
            .collect()
    }
}

pub(super) fn syn(key: FlowKey, sequence: u32) -> Sample<'static> {
    Sample {
        tcp_flags: 2,
        ..sample(key, sequence, &[])
    }
}

pub(super) fn nameless(protocol: AppProtocol) -> Vec<(String, NameSource, AppProtocol)> {
    vec![(String::new(), NameSource::Nameless, protocol)]
}

pub(super) fn sni(name: &str, protocol: AppProtocol) -> Vec<(String, NameSource, AppProtocol)> {
    vec![(name.to_owned(), NameSource::Sni, protocol)]
}

#[test]
fn a_hello_is_pending_until_it_is_whole() {
    let tls = key(protocol::TCP, 5000, 443);
    let message = hello_message(Some("held.example"), &["h2"], false, 1_700);
    for stream in [records(&message, 16_384), records(&message, 600)] {
        for at in (1..stream.len()).step_by(37) {
            let (head, tail) = stream.split_at(at);
            let at = u32::try_from(at).unwrap();
            let mut ear = Ear::new();
            assert_eq!(ear.hear(&syn(tls, 99)), Heard::Talk);
            assert_eq!(ear.hear(&sample(tls, 100, head)), Heard::Pending, "{at}");
            assert!(ear.told().is_empty());
            assert_eq!(ear.hear(&sample(tls, 100 + at, tail)), Heard::Settled);
            assert_eq!(ear.told(), sni("held.example", AppProtocol::Tls));
            assert_eq!(ear.hear(&sample(tls, 100 + at, tail)), Heard::Settled);
            assert!(ear.told().is_empty(), "told once");
        }
    }
}

#[test]
fn a_segment_that_overtook_the_start_decides_nothing() {
    let tls = key(protocol::TCP, 5000, 443);
    let stream = records(&hello_message(Some("late.example"), &[], false, 900), 400);
    for at in 1..stream.len() {
        let (head, tail) = stream.split_at(at);
        let mut ear = Ear::new();
        ear.hear(&syn(tls, u32::MAX));
        let second = sample(tls, u32::try_from(at).unwrap(), tail);
        assert_eq!(ear.hear(&second), Heard::Pending, "{at}");
        assert!(ear.told().is_empty());
        assert_eq!(ear.hear(&sample(tls, 0, head)), Heard::Settled);
        assert_eq!(ear.told(), sni("late.example", AppProtocol::Tls));
    }
    // Bytes before the first one (a probe) are no part of the stream.
    let mut ear = Ear::new();
    ear.hear(&syn(tls, 99));
    assert_eq!(ear.hear(&sample(tls, 99, b"x")), Heard::Talk);
    let with_probe = [b"x", &stream[..]].concat();
    assert_eq!(ear.hear(&sample(tls, 99, &with_probe)), Heard::Settled);
    assert_eq!(ear.told(), sni("late.example", AppProtocol::Tls));
}

#[test]
fn data_on_a_syn_is_the_start() {
    let tls = key(protocol::TCP, 5000, 443);
    let stream = hello("fast.example");
    let (head, tail) = stream.split_at(60);
    let mut ear = Ear::new();
    let first = Sample {
        tcp_flags: 2,
        ..sample(tls, 7, head)
    };
    assert_eq!(ear.hear(&first), Heard::Pending);
    assert_eq!(ear.hear(&sample(tls, 68, tail)), Heard::Settled);
    assert_eq!(ear.told(), sni("fast.example", AppProtocol::Tls));
}

#[test]
fn words_without_a_name_settle_at_once_and_are_told_once() {
    let cases: [(u16, &[u8], AppProtocol); 5] = [
        (443, b"\x05\x01\x00", AppProtocol::Unknown),
        (22, b"SSH-2.0-OpenSSH_9.9\r\n", AppProtocol::Ssh),
        (80, b"GET / HTTP/1.0\r\n\r\n", AppProtocol::Http),
        (25, b"EHLO me\r\nMAIL FROM:<>\r\n", AppProtocol::Smtp),
        (110, b"\x17\x03\x03\x00\x20abcd", AppProtocol::Tls),
    ];
    for (port, bytes, protocol) in cases {
        for with_syn in [false, true] {
            let flow = key(protocol::TCP, 5000, port);
            let mut ear = Ear::new();
            if with_syn {
                ear.hear(&syn(flow, 9));
            }
            assert_eq!(ear.hear(&sample(flow, 10, bytes)), Heard::Settled);
            assert_eq!(ear.told(), nameless(protocol), "{port}");
            let next = 10 + u32::try_from(bytes.len()).unwrap();
            assert_eq!(ear.hear(&sample(flow, next, b"more")), Heard::Settled);
            assert!(ear.told().is_empty(), "{port}");
            assert_eq!(ear.namer.stats().nameless, 1);
        }
    }
    let tls = key(protocol::TCP, 5001, 443);
    let hello = records(&hello_message(None, &[], false, 0), 16_384);
    let mut ear = Ear::new();
    assert_eq!(ear.hear(&sample(tls, 10, &hello)), Heard::Settled);
    assert_eq!(ear.told(), nameless(AppProtocol::Tls));
    let udp = key(protocol::UDP, 5000, 9999);
    assert_eq!(ear.hear(&sample(udp, 0, b"what is this")), Heard::Settled);
    assert_eq!(ear.told(), nameless(AppProtocol::Unknown));
}

#[test]
fn first_bytes_that_may_become_a_start_are_pending() {
    for (bytes, rest) in [
        (&b"\x16"[..], &b"\x03\x09"[..]),
        (b"GE", b"M/1\n"),
        (b"SS", b"X"),
        (b"EHL", b"A\r\n"),
    ] {
        let flow = key(protocol::TCP, 5000, 443);
        let mut ear = Ear::new();
        ear.hear(&syn(flow, 9));
        assert_eq!(ear.hear(&sample(flow, 10, bytes)), Heard::Pending);
        let next = 10 + u32::try_from(bytes.len()).unwrap();
        assert_eq!(ear.hear(&sample(flow, next, rest)), Heard::Settled);
        assert_eq!(ear.told(), nameless(AppProtocol::Unknown));
    }
}

#[test]
fn a_request_is_pending_until_its_host() {
    let web = key(protocol::TCP, 5000, 80);
    let request = b"GET / HTTP/1.1\r\nAccept: */*\r\nHost: held.example\r\n\r\n";
    let whole_host = request.len() - 2;
    for at in 1..request.len() {
        let mut ear = Ear::new();
        let heard = ear.hear(&sample(web, 0, &request[..at]));
        if at < whole_host {
            assert_eq!(heard, Heard::Pending, "{at}");
            assert!(ear.told().is_empty());
        }
        let second = sample(web, u32::try_from(at).unwrap(), &request[at..]);
        assert_eq!(ear.hear(&second), Heard::Settled);
        assert_eq!(ear.told()[0].0, "held.example");
    }
}

#[test]
fn queries_settle_their_flow() {
    let mut ear = Ear::new();
    let query = dns(9, false, ("asked.example", 1), &[]);
    let asked = key(protocol::UDP, 5000, 53);
    assert_eq!(ear.hear(&sample(asked, 0, &query)), Heard::Settled);
    let mut expected = vec![(
        "asked.example".to_owned(),
        NameSource::Query,
        AppProtocol::Dns,
    )];
    expected.extend(nameless(AppProtocol::Dns));
    assert_eq!(ear.told(), expected);
    let asked = key(protocol::TCP, 5000, 53);
    let mut stream = u16::try_from(query.len()).unwrap().to_be_bytes().to_vec();
    stream.extend(&query);
    let (head, tail) = stream.split_at(20);
    assert_eq!(ear.hear(&sample(asked, 0, head)), Heard::Pending);
    assert_eq!(ear.hear(&sample(asked, 20, tail)), Heard::Settled);
    assert_eq!(ear.told(), expected);
    // A second query of the same stream, in two parts.
    let next = u32::try_from(stream.len()).unwrap();
    assert_eq!(ear.hear(&sample(asked, next, head)), Heard::Pending);
    assert_eq!(ear.hear(&sample(asked, next + 20, tail)), Heard::Settled);
    assert_eq!(
        ear.told().len(),
        1,
        "the query, and not again that it is nameless"
    );
}

#[test]
fn a_conversation_is_talk_until_its_handshake() {
    let root = b"\x30\x10\x02\x01\x01\x63\x0b\x04\0\x0a\x01\0\x0a\x01\0\x02\x01\0";
    let cases: [(u16, &[&[u8]], AppProtocol); 12] = [
        (587, &[b"EHLO me\r\n", b"STARTTLS\r\n"], AppProtocol::Smtp),
        (
            143,
            &[b"a1 CAPABILITY\r\n", b"a2 STARTTLS\r\n"],
            AppProtocol::Imap,
        ),
        (110, &[b"CAPA\r\n", b"STLS\r\n"], AppProtocol::Pop3),
        (21, &[b"AUTH TLS\r\n"], AppProtocol::Ftp),
        (
            5222,
            &[
                b"<?xml version='1.0'?><stream:stream to='x.example' xmlns:stream='http://etherx.jabber.org/streams'>",
                b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
            ],
            AppProtocol::Xmpp,
        ),
        (
            119,
            &[b"CAPABILITIES\r\n", b"STARTTLS\r\n"],
            AppProtocol::Nntp,
        ),
        (389, &[root, &start_tls(true)], AppProtocol::Ldap),
        (389, &[&start_tls(false)], AppProtocol::Ldap),
        (
            5432,
            &[b"\0\0\0\x08\x04\xd2\x16\x30", b"\0\0\0\x08\x04\xd2\x16\x2f"],
            AppProtocol::Postgresql,
        ),
        (3306, &[&mysql_request()], AppProtocol::Mysql),
        (1433, &[&prelogin()], AppProtocol::Tds),
        (
            3389,
            &[&connection_request(b"Cookie: mstshash=me\r\n", true)],
            AppProtocol::Rdp,
        ),
    ];
    for (port, lines, protocol) in cases {
        let flow = key(protocol::TCP, 5000, port);
        let mut ear = Ear::new();
        ear.hear(&syn(flow, 9));
        let mut at = 10;
        for line in lines {
            let (start, rest) = line.split_at(3);
            assert_eq!(
                ear.hear(&sample(flow, at, start)),
                Heard::Pending,
                "{protocol:?}"
            );
            assert_eq!(
                ear.hear(&sample(flow, at + 3, rest)),
                Heard::Talk,
                "{protocol:?}"
            );
            at += u32::try_from(line.len()).unwrap();
            let reply = Sample {
                outbound: false,
                ..sample(flow, 0, b"250 go ahead\r\n")
            };
            assert_eq!(ear.hear(&reply), Heard::Talk);
        }
        assert!(ear.told().is_empty());
        let mut stream = hello("mail.example");
        if protocol == AppProtocol::Tds {
            stream = in_prelogin(&stream);
        }
        let (head, tail) = stream.split_at(40);
        assert_eq!(ear.hear(&sample(flow, at, head)), Heard::Pending);
        assert_eq!(ear.hear(&sample(flow, at + 40, tail)), Heard::Settled);
        assert_eq!(ear.told(), sni("mail.example", protocol));
    }
}

#[test]
fn a_request_for_tls_without_a_tag_is_what_the_server_speaks() {
    let greeted: [(&[u8], AppProtocol); 3] = [
        (
            b"\"IMPLEMENTATION\" \"x\"\r\nOK\r\n",
            AppProtocol::Managesieve,
        ),
        (b"what is this\r\n", AppProtocol::Tls),
        (b"", AppProtocol::Tls),
    ];
    for (greeting, protocol) in greeted {
        let flow = key(protocol::TCP, 5000, 4190);
        let mut ear = Ear::new();
        ear.hear(&syn(flow, 9));
        let greeting = Sample {
            outbound: false,
            ..sample(flow, 0, greeting)
        };
        assert_eq!(ear.hear(&greeting), Heard::Talk);
        assert_eq!(ear.hear(&sample(flow, 10, b"STARTTLS\r\n")), Heard::Talk);
        assert_eq!(
            ear.hear(&sample(flow, 20, &hello("sieve.example"))),
            Heard::Settled
        );
        assert_eq!(ear.told(), sni("sieve.example", protocol));
    }
}

#[test]
fn a_certificate_behind_a_word_of_the_server_names_the_flow() {
    let flow = key(protocol::TCP, 5000, 5432);
    let mut ear = Ear::new();
    let reply = |sequence, payload| Sample {
        outbound: false,
        ..sample(flow, sequence, payload)
    };
    ear.hear(&sample(flow, 0, &[0, 0, 0, 8, 4, 210, 22, 47]));
    ear.hear(&reply(0, b"S"));
    let nothing = records(&hello_message(None, &[], false, 0), 16_384);
    assert_eq!(ear.hear(&sample(flow, 8, &nothing)), Heard::Settled);
    assert_eq!(ear.told(), nameless(AppProtocol::Postgresql));
    let shown = records(
        &server_messages(&certificate(&["db.example"]), false),
        16_384,
    );
    ear.hear(&reply(1, &shown));
    let expected = (
        "db.example".to_owned(),
        NameSource::Certificate,
        AppProtocol::Postgresql,
    );
    assert_eq!(ear.told(), [expected]);
}

#[test]
fn dns_and_what_the_client_says_are_compared() {
    let mut ear = Ear::new();
    let asked = key(protocol::UDP, 5000, 53);
    let answers = [
        (
            dns_name("shop.example"),
            5,
            60,
            dns_name("edge.cdn.example"),
        ),
        (dns_name("edge.cdn.example"), 1, 60, vec![203, 0, 113, 9]),
    ];
    for response in [false, true] {
        let message = dns(
            3,
            response,
            ("shop.example", 1),
            if response { &answers } else { &[] },
        );
        let sample = Sample {
            outbound: !response,
            ..sample(asked, 0, &message)
        };
        ear.hear(&sample);
    }
    ear.told();
    for (port, name, evidence) in [
        (1, "shop.example", Evidence::Confirmed),
        (2, "edge.cdn.example", Evidence::Confirmed),
        (3, "front.example", Evidence::Contradicted),
    ] {
        ear.hear(&sample(key(protocol::TCP, port, 443), 0, &hello(name)));
        let [by_dns, said] = &ear.events[..] else {
            panic!("{:?}", ear.events)
        };
        assert_eq!(
            (by_dns.source, by_dns.evidence),
            (NameSource::Dns, Evidence::Dns)
        );
        assert_eq!(by_dns.chain, ["edge.cdn.example"]);
        assert_eq!((&*said.name, said.evidence), (name, evidence));
        assert_eq!(said.chain.is_empty(), evidence == Evidence::Contradicted);
        ear.events.clear();
    }
    let elsewhere = flow::key(
        address(CLIENT),
        address("198.51.100.1"),
        protocol::TCP,
        4,
        443,
    );
    ear.hear(&sample(elsewhere, 0, &hello("shop.example")));
    assert_eq!(ear.events[0].evidence, Evidence::Unasked);
}
