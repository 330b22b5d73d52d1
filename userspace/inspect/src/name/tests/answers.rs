//! DNS: what an answer names, for whom and for how long.

use super::*;

fn a_record(owner: &str, address: [u8; 4], ttl: u32) -> (Vec<u8>, u16, u32, Vec<u8>) {
    (dns_name(owner), 1, ttl, address.to_vec())
}

/// Asks and answers, and gives back the namer and its events.
fn resolve(answers: &[(Vec<u8>, u16, u32, Vec<u8>)], answer_id: u16) -> (Namer, Vec<NameEvent>) {
    let asked = key(protocol::UDP, 5353 + 1, 53);
    let query = dns(9, false, ("Service.Example", 1), &[]);
    let answer = dns(answer_id, true, ("service.example", 1), answers);
    let mut namer = Namer::new(NamerLimits::default());
    let mut events = Vec::new();
    namer.observe(&sample(asked, 0, &query), &mut events);
    let reply = Sample {
        outbound: false,
        ..sample(asked, 0, &answer)
    };
    namer.observe(&reply, &mut events);
    (namer, events)
}

#[test]
fn an_answer_names_the_flow_that_follows() {
    let alias = |owner: &str, target: &str| (dns_name(owner), 5, 20, dns_name(target));
    let answers = [
        a_record("edge.cdn.example", [203, 0, 113, 9], 300),
        alias("cdn.example", "edge.cdn.example"),
        alias("service.example", "cdn.example"),
        a_record("stranger.example", [203, 0, 113, 77], 300),
    ];
    let (mut namer, mut events) = resolve(&answers, 9);
    assert_eq!(events.len(), 2);
    assert_eq!(events[0].name, "service.example");
    assert_eq!(events[0].source, NameSource::Query);
    assert_eq!(events[1].source, NameSource::Nameless, "of the flow itself");
    assert!(!events[0].source.names_destination());
    let (client, server) = (address(CLIENT), address(SERVER));
    assert_eq!(namer.name_of(client, server), Some("service.example"));
    assert_eq!(
        namer.name_of(address("10.0.0.2"), server),
        None,
        "another client"
    );
    assert_eq!(
        namer.name_of(client, address("203.0.113.77")),
        None,
        "not in the chain"
    );
    let flow = key(protocol::TCP, 5000, 9999);
    assert_eq!(namer.dns_name_for(&flow), Some("service.example"));
    events.clear();
    namer.observe(&sample(flow, 0, b"unknown protocol"), &mut events);
    namer.observe(&sample(flow, 16, b"more of it"), &mut events);
    assert_eq!(events.len(), 2);
    assert_eq!(
        (&*events[0].name, events[0].source, events[0].evidence),
        ("service.example", NameSource::Dns, Evidence::Dns)
    );
    assert_eq!(events[0].chain, ["cdn.example", "edge.cdn.example"]);
    assert_eq!(
        (&*events[1].name, events[1].source, events[1].evidence),
        ("", NameSource::Nameless, Evidence::Dns)
    );
    // The least TTL of the chain is 20 s, held for a minute at least.
    namer.expire(SECOND + MIN_TTL_NS - 1);
    assert!(namer.name_of(client, server).is_some());
    namer.expire(SECOND + MIN_TTL_NS);
    assert_eq!(namer.name_of(client, server), None);
    assert_eq!(namer.stats().bindings, 0);
}

#[test]
fn answers_that_were_not_asked_bind_nothing() {
    let (namer, _) = resolve(&[a_record("service.example", [203, 0, 113, 9], 300)], 10);
    assert_eq!(namer.name_of(address(CLIENT), address(SERVER)), None);
    assert_eq!(namer.stats().dns_unasked, 1);
    let mut trusting = Namer::new(NamerLimits {
        answers_need_queries: false,
        ..NamerLimits::default()
    });
    let answer = dns(
        1,
        true,
        ("x.example", 1),
        &[a_record("x.example", [203, 0, 113, 9], 300)],
    );
    let asked = key(protocol::UDP, 4000, 53);
    let reply = Sample {
        outbound: false,
        ..sample(asked, 0, &answer)
    };
    trusting.observe(&reply, &mut Vec::new());
    assert_eq!(
        trusting.name_of(address(CLIENT), address(SERVER)),
        Some("x.example")
    );
}

#[test]
fn an_address_with_two_names_has_none() {
    let mut bindings = Bindings::new(10, 1 << 20);
    let (client, server) = (address(CLIENT), address(SERVER));
    bindings.bind(client, server, "one.example", &Arc::default(), 300, 0);
    bindings.bind(client, server, "one.example", &Arc::default(), 300, 5);
    let only = |bindings: &Bindings, now_ns| {
        let binding = bindings.only(client, server, now_ns);
        binding.map(|binding| binding.name.to_string())
    };
    assert_eq!(only(&bindings, 10).as_deref(), Some("one.example"));
    bindings.bind(client, server, "two.example", &Arc::default(), 900, 10);
    assert_eq!(only(&bindings, 11), None);
    assert_eq!(bindings.all(client, server, 11).count(), 2);
    assert_eq!(
        only(&bindings, 400 * SECOND).as_deref(),
        Some("two.example")
    );
    for last in 0..20 {
        bindings.bind(
            client,
            address(&format!("192.0.2.{last}")),
            "x.example",
            &Arc::default(),
            300,
            0,
        );
    }
    assert_eq!((bindings.len(), bindings.evicted()), (10, 11));
}

#[test]
fn dns_over_tcp_split_anywhere() {
    let asked = key(protocol::TCP, 4000, 53);
    let mut stream = Vec::new();
    for name in ["one.example", "two.example"] {
        let message = dns(1, false, (name, 28), &[]);
        stream.extend(u16::try_from(message.len()).unwrap().to_be_bytes());
        stream.extend(message);
    }
    for at in 1..stream.len() {
        let (head, tail) = stream.split_at(at);
        let second = sample(asked, 50 + u32::try_from(at).unwrap(), tail);
        assert_eq!(
            names(&[sample(asked, 50, head), second]),
            ["one.example", "two.example"]
        );
    }
}

#[test]
fn multicast_names_are_told_apart() {
    for (port, protocol) in [(5353, AppProtocol::Mdns), (5355, AppProtocol::Llmnr)] {
        let asked = key(protocol::UDP, port, port);
        let query = dns(0, false, ("printer.local", 1), &[]);
        let mut events = Vec::new();
        let mut namer = Namer::new(NamerLimits::default());
        namer.observe(&sample(asked, 0, &query), &mut events);
        assert_eq!(events[0].protocol, protocol);
    }
}

#[test]
fn compression_loops_are_refused() {
    let head = [0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    let cases: [(&[u8], DnsError); 7] = [
        (&[0xc0, 0, 0, 1, 0, 1], DnsError::Name),
        (&[0xc0, 12, 0, 1, 0, 1], DnsError::Name),
        (&[1, b'a', 0xc0, 12, 0, 1, 0, 1], DnsError::Name),
        (&[0xc0, 14, 0xc0, 12, 0, 1, 0, 1], DnsError::Name),
        (&[0x41, b'a', 0, 0, 1, 0, 1], DnsError::Name),
        (&[5, b'a'], DnsError::CutShort),
        (&[0, 0], DnsError::CutShort),
    ];
    for (question, expected) in cases {
        let message = [&head, question].concat();
        assert_eq!(Message::read(&message), Err(expected), "{question:?}");
    }
    let long: Vec<u8> = [&head[..], &[63; 64].repeat(4)[..], &[0, 0, 1, 0, 1]].concat();
    assert_eq!(Message::read(&long), Err(DnsError::Name));
    let loud = [&head[..], &[3, b'a', 0, b'b', 0, 0, 1, 0, 1]].concat();
    assert_eq!(Message::read(&loud).unwrap().questions[0].name, None);
}

#[test]
fn aliases_that_never_end_lead_nowhere() {
    let link = |from: usize, to: usize| {
        let (from, to) = (format!("n{from}.example"), format!("n{to}.example"));
        (dns_name(&from), 5, 60, dns_name(&to))
    };
    let start = (dns_name("service.example"), 5, 60, dns_name("n0.example"));
    let with_address = |mut answers: Vec<_>, owner: &str| {
        answers.push(a_record(owner, [203, 0, 113, 9], 60));
        answers
    };
    let mut chain = vec![start.clone()];
    chain.extend((0..MAX_CHAIN - 1).map(|index| link(index, index + 1)));
    let last = format!("n{}.example", MAX_CHAIN - 1);
    let (namer, _) = resolve(&with_address(chain.clone(), &last), 9);
    assert_eq!(
        namer.name_of(address(CLIENT), address(SERVER)),
        Some("service.example")
    );
    assert_eq!(namer.stats().dns_endless, 0);
    let mut long = chain;
    long.push(link(MAX_CHAIN - 1, MAX_CHAIN));
    let back = (dns_name("n1.example"), 5, 60, dns_name("service.example"));
    for (answers, owner) in [
        (long, format!("n{MAX_CHAIN}.example")),
        (
            vec![start.clone(), link(0, 1), link(1, 0)],
            "n0.example".to_owned(),
        ),
        (vec![start, link(0, 1), back], "service.example".to_owned()),
        (
            vec![(
                dns_name("service.example"),
                5,
                60,
                dns_name("service.example"),
            )],
            "service.example".to_owned(),
        ),
    ] {
        let (namer, _) = resolve(&with_address(answers, &owner), 9);
        assert_eq!(
            namer.name_of(address(CLIENT), address(SERVER)),
            None,
            "{owner}"
        );
        assert_eq!(namer.stats().dns_endless, 1);
    }
}

#[test]
fn an_address_with_too_many_names_contradicts_nothing() {
    let mut namer = Namer::new(NamerLimits::default());
    let (client, server) = (address(CLIENT), address(SERVER));
    for number in 0..20 {
        let name = format!("n{number}.example");
        let bindings = namer.bindings_for_tests();
        bindings.bind(client, server, &name, &Arc::default(), 300, SECOND);
    }
    assert_eq!(namer.stats().names_forgotten, 4);
    let mut events = Vec::new();
    let flow = key(protocol::TCP, 5000, 443);
    namer.observe(&sample(flow, 0, &hello("n0.example")), &mut events);
    assert_eq!(
        events.last().unwrap().evidence,
        Evidence::Unasked,
        "it may have been bound"
    );
}
