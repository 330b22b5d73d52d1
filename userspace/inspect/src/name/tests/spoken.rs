//! What flows without a server name speak, and HTTP/2.

use super::*;
use crate::testing::{dtls_fragments, dtls_hello_body};

/// Observes payloads of one flow, one after another; what was told, and heard behind the last.
fn told(
    flow: FlowKey,
    payloads: &[(bool, &[u8])],
) -> (Vec<(String, NameSource, AppProtocol)>, Heard) {
    let mut namer = Namer::new(NamerLimits::default());
    let mut events = Vec::new();
    let mut heard = Heard::Talk;
    let mut at = [0_u32; 2];
    for (outbound, payload) in payloads {
        let at = &mut at[usize::from(*outbound)];
        let sample = Sample {
            outbound: *outbound,
            ..sample(flow, *at, payload)
        };
        *at += u32::try_from(payload.len()).unwrap();
        heard = namer.observe(&sample, &mut events);
    }
    assert_eq!(namer.stats().held_bytes, 0);
    let told = events
        .into_iter()
        .map(|event| (event.name, event.source, event.protocol))
        .collect();
    (told, heard)
}

fn nameless(protocols: &[AppProtocol]) -> Vec<(String, NameSource, AppProtocol)> {
    protocols
        .iter()
        .map(|protocol| (String::new(), NameSource::Nameless, *protocol))
        .collect()
}

#[test]
fn http2_names_its_host() {
    let mut stream = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    stream.extend([0, 0, 20, 1, 5, 0, 0, 0, 1, 0x82, 0x86, 0x84, 0x41, 15]);
    stream.extend(b"www.example.com");
    let flow = key(protocol::TCP, 5000, 8080);
    for at in 1..stream.len() {
        let (told, heard) = told(flow, &[(true, &stream[..at]), (true, &stream[at..])]);
        let expected = (
            "www.example.com".to_owned(),
            NameSource::Host,
            AppProtocol::Http2,
        );
        assert_eq!((told, heard), (vec![expected], Heard::Settled), "{at}");
    }
}

#[test]
fn requests_show_what_is_inside() {
    let flow = key(protocol::TCP, 5000, 80);
    for (request, expected) in [
        (
            "GET /dns-query?dns=AAAB HTTP/1.1\r\nHost: dns.example\r\n\r\n",
            AppProtocol::Doh,
        ),
        (
            "POST /x HTTP/1.1\r\nContent-Type: application/dns-message\r\nHost: dns.example\r\n\r\n",
            AppProtocol::Doh,
        ),
        (
            "GET /tor/status-vote/current/consensus.z HTTP/1.0\r\nHost: 192.0.2.1\r\n\r\n",
            AppProtocol::Tor,
        ),
        (
            "GET /tor/ HTTP/1.1\r\nHost: www.example.org\r\n\r\n",
            AppProtocol::Http,
        ),
    ] {
        let (told, _) = told(flow, &[(true, request.as_bytes())]);
        assert_eq!(told[0].2, expected, "{request}");
        assert_eq!(told[0].1, NameSource::Host);
    }
}

#[test]
fn other_protocols_on_the_port_of_dns_are_read() {
    let flow = key(protocol::TCP, 5000, 53);
    let tls = hello("hidden.example");
    let (found, heard) = told(flow, &[(true, &tls)]);
    let expected = (
        "hidden.example".to_owned(),
        NameSource::Sni,
        AppProtocol::Tls,
    );
    assert_eq!((found, heard), (vec![expected], Heard::Settled));
    let (found, _) = told(
        flow,
        &[(true, b"GET / HTTP/1.1\r\nHost: web.example\r\n\r\n")],
    );
    assert_eq!(found[0].0, "web.example");
}

#[test]
fn an_address_as_host_contradicts_no_answer() {
    let mut namer = Namer::new(NamerLimits::default());
    let (client, server) = (address(CLIENT), address(SERVER));
    let bindings = namer.bindings_for_tests();
    bindings.bind(
        client,
        server,
        "asked.example",
        &Arc::default(),
        300,
        SECOND,
    );
    let mut at = 0;
    for (host, expected) in [
        (SERVER, Evidence::Unasked),
        ("192.0.2.77", Evidence::Contradicted),
        ("asked.example", Evidence::Confirmed),
    ] {
        let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let mut events = Vec::new();
        let flow = key(protocol::TCP, 5000, 80);
        namer.observe(&sample(flow, at, request.as_bytes()), &mut events);
        at += u32::try_from(request.len()).unwrap();
        assert_eq!(events.last().unwrap().evidence, expected, "{host}");
    }
}

#[test]
fn greetings_tell_what_the_client_does_not() {
    let cases: [(&str, &str, AppProtocol); 5] = [
        ("220 ready\r\n", "USER anonymous\r\n", AppProtocol::Ftp),
        ("220 ready\r\n", "what\r\n", AppProtocol::Unknown),
        ("+OK ready\r\n", "USER me\r\n", AppProtocol::Pop3),
        ("* OK ready\r\n", "x IDLE\r\n", AppProtocol::Imap),
        ("SSH-2.0-x\r\n", "SSH-2.0-y\r\n", AppProtocol::Ssh),
    ];
    for (greeting, words, expected) in cases {
        let flow = key(protocol::TCP, 5000, 9999);
        let payloads = [(false, greeting.as_bytes()), (true, words.as_bytes())];
        let mut namer = Namer::new(NamerLimits::default());
        let mut events = Vec::new();
        let mut heard = Vec::new();
        for (outbound, payload) in payloads {
            let sample = Sample {
                outbound,
                ..sample(flow, 0, payload)
            };
            heard.push(namer.observe(&sample, &mut events));
        }
        assert_eq!(heard, [Heard::Talk, Heard::Settled]);
        assert_eq!(
            (events.len(), events[0].protocol),
            (1, expected),
            "{greeting}{words}"
        );
    }
}

#[test]
fn datagrams_without_names() {
    let rtp = |number: u8| {
        let mut out = vec![0x80, 111, 0, number, 0, 200, 0, 1, 0, 0, 0, 9];
        out.extend([5; 160]);
        out
    };
    let initiation = [&[1, 0, 0, 0][..], &[7; 144]].concat();
    let udp = |port| key(protocol::UDP, 40_000, port);
    let (found, heard) = told(udp(51_820), &[(true, &initiation), (true, &[4; 40])]);
    assert_eq!(
        (found, heard),
        (nameless(&[AppProtocol::Wireguard]), Heard::Settled)
    );
    // On a port of DNS too.
    let (found, _) = told(udp(53), &[(true, &initiation)]);
    assert_eq!(found, nameless(&[AppProtocol::Wireguard]));
    let (found, _) = told(
        udp(9_000),
        &[(true, &rtp(1)), (true, &rtp(2)), (true, &rtp(3))],
    );
    assert_eq!(found, nameless(&[AppProtocol::Unknown, AppProtocol::Rtp]));
    let (found, _) = told(udp(9_000), &[(true, &rtp(1)), (false, &rtp(2))]);
    assert_eq!(found, nameless(&[AppProtocol::Unknown]));
}

#[test]
fn a_hello_of_dtls_in_fragments_is_pending() {
    let body = dtls_hello_body("call.example", 1_400);
    let datagrams = dtls_fragments(&body, 1_000);
    let flow = key(protocol::UDP, 5000, 4433);
    let mut namer = Namer::new(NamerLimits::default());
    let mut events = Vec::new();
    let first = namer.observe(&sample(flow, 0, &datagrams[0]), &mut events);
    assert_eq!((first, events.len()), (Heard::Pending, 0));
    let second = namer.observe(&sample(flow, 0, &datagrams[1]), &mut events);
    assert_eq!((second, events.len()), (Heard::Settled, 1));
    assert_eq!(&*events[0].name, "call.example");
    assert!(
        events[0]
            .ja4
            .as_deref()
            .is_some_and(|ja4| ja4.starts_with("dd2d"))
    );
    assert_eq!(namer.stats().held_bytes, 0);
}

#[test]
fn every_protocol_has_a_word_of_its_own() {
    let mut words: Vec<&str> = AppProtocol::ALL
        .iter()
        .map(|protocol| protocol.name())
        .collect();
    for (protocol, word) in AppProtocol::ALL.iter().zip(&words) {
        let json = serde_json::to_string(protocol).unwrap();
        assert_eq!(json, format!("\"{word}\""));
    }
    words.sort_unstable();
    words.dedup();
    assert_eq!(words.len(), AppProtocol::ALL.len());
}
