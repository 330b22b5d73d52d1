//! Names that are hidden, shown by others, or told by the server.

use super::*;
use crate::testing::{certificate, ech_config_list, server_messages, tor_certificate};

const ECH: u16 = 5;
const HINT: u16 = 4;

/// Asks for an HTTPS record of `name`, and answers it.
fn ask(namer: &mut Namer, name: &str, records: &[Vec<u8>]) {
    let asked = key(protocol::UDP, 5000, 53);
    let answers: Vec<_> = records
        .iter()
        .map(|data| (dns_name(name), 65, 300, data.clone()))
        .collect();
    for response in [false, true] {
        let message = dns(
            5,
            response,
            (name, 65),
            if response { &answers } else { &[] },
        );
        let sample = Sample {
            outbound: !response,
            ..sample(asked, 0, &message)
        };
        namer.observe(&sample, &mut Vec::new());
    }
}

fn record(target: &str, parameters: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let mut out = vec![0, 1];
    out.extend(dns_name(target));
    for (kind, value) in parameters {
        out.extend(kind.to_be_bytes());
        out.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
        out.extend(value);
    }
    out
}

fn said(namer: &mut Namer, port: u16, name: &str, ech: bool) -> NameEvent {
    let bytes = records(&hello_message(Some(name), &["h2"], ech, 0), 16_384);
    let mut events = Vec::new();
    namer.observe(
        &sample(key(protocol::TCP, port, 443), 0, &bytes),
        &mut events,
    );
    events.pop().unwrap()
}

#[test]
fn an_encrypted_hello_is_told_from_a_placeholder() {
    let mut namer = Namer::new(NamerLimits::default());
    let keys = ech_config_list(&[(7, "public.example")]);
    let server = vec![203, 0, 113, 9];
    ask(
        &mut namer,
        "secret.example",
        &[record("", &[(HINT, server), (ECH, keys)])],
    );
    ask(
        &mut namer,
        "plain.example",
        &[record("", &[(1, b"\x02h2".to_vec())])],
    );
    ask(&mut namer, "nothing.example", &[]);
    let real = said(&mut namer, 1, "public.example", true);
    assert_eq!((real.ech, real.evidence), (Ech::Real, Evidence::Confirmed));
    assert_eq!(said(&mut namer, 2, "plain.example", true).ech, Ech::Grease);
    assert_eq!(
        said(&mut namer, 3, "nothing.example", true).ech,
        Ech::Grease
    );
    assert_eq!(
        said(&mut namer, 4, "other.example", true).ech,
        Ech::Possible
    );
    assert_eq!(said(&mut namer, 5, "public.example", false).ech, Ech::None);
}

#[test]
fn an_answer_that_is_cut_proves_no_placeholder() {
    let mut namer = Namer::new(NamerLimits::default());
    let asked = key(protocol::UDP, 5000, 53);
    let query = dns(5, false, ("cut.example", 65), &[]);
    // A record is missing; or the server says that it left some out.
    for (at, bit) in [(7, 1), (2, 2)] {
        let mut answer = dns(5, true, ("cut.example", 65), &[]);
        answer[at] |= bit;
        let reply = Sample {
            outbound: false,
            ..sample(asked, 0, &answer)
        };
        namer.observe(&sample(asked, 0, &query), &mut Vec::new());
        namer.observe(&reply, &mut Vec::new());
        let event = said(&mut namer, u16::from(bit), "cut.example", true);
        assert_eq!(event.ech, Ech::Possible);
    }
}

#[test]
fn hints_and_targets_bind_addresses() {
    let mut namer = Namer::new(NamerLimits::default());
    let hint = (HINT, vec![203, 0, 113, 9]);
    ask(
        &mut namer,
        "shop.example",
        &[record("pool.cdn.example", &[hint])],
    );
    let event = said(&mut namer, 1, "shop.example", false);
    assert_eq!(event.evidence, Evidence::Confirmed);
    assert_eq!(event.chain, ["pool.cdn.example"]);
    // Without hints the client asks for the addresses of the target.
    let mut namer = Namer::new(NamerLimits::default());
    ask(
        &mut namer,
        "shop.example",
        &[record("pool.cdn.example", &[])],
    );
    namer.bindings_for_tests().bind(
        address(CLIENT),
        address(SERVER),
        "pool.cdn.example",
        &Arc::from(["edge.cdn.example".into()]),
        300,
        SECOND,
    );
    let event = said(&mut namer, 1, "shop.example", false);
    assert_eq!(event.evidence, Evidence::Confirmed);
    assert_eq!(event.chain, ["pool.cdn.example", "edge.cdn.example"]);
    let event = said(&mut namer, 2, "front.example", false);
    assert_eq!(event.evidence, Evidence::Contradicted);
}

#[test]
fn a_certificate_names_a_flow_whose_client_does_not() {
    let cases: [(&[&str], &[&str], Option<&str>); 7] = [
        (&["only.example"], &[], Some("only.example")),
        (&["one.example", "two.example"], &[], None),
        (
            &["one.example", "two.example"],
            &["two.example"],
            Some("two.example"),
        ),
        (
            &["one.example", "two.example"],
            &["two.example", "one.example"],
            None,
        ),
        (&["*.example"], &[], None),
        (&["*.example"], &["www.example"], Some("www.example")),
        (&[], &["www.example"], None),
    ];
    for (shown, bound, expected) in cases {
        let mut namer = Namer::new(NamerLimits::default());
        for name in bound {
            let (client, server) = (address(CLIENT), address(SERVER));
            let bindings = namer.bindings_for_tests();
            bindings.bind(client, server, name, &Arc::default(), 300, SECOND);
        }
        let flow = key(protocol::TCP, 5000, 443);
        let hello = records(&hello_message(None, &[], false, 0), 16_384);
        let mut events = Vec::new();
        assert_eq!(
            namer.observe(&sample(flow, 0, &hello), &mut events),
            Heard::Settled
        );
        assert_eq!(events.last().unwrap().source, NameSource::Nameless);
        events.clear();
        let reply = records(&server_messages(&certificate(shown), false), 16_384);
        for (chunk, at) in reply.chunks(90).zip((700_u32..).step_by(90)) {
            let part = Sample {
                outbound: false,
                ..sample(flow, at, chunk)
            };
            assert_eq!(namer.observe(&part, &mut events), Heard::Settled);
        }
        let told: Vec<_> = events
            .iter()
            .map(|event| (&*event.name, event.source))
            .collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|name| (*name, NameSource::Certificate))
            .collect();
        assert_eq!(told, expected, "{shown:?} {bound:?}");
        let stats = namer.stats();
        assert_eq!((stats.certificates, stats.held_bytes), (1, 0));
        assert_eq!(
            stats.certificates_without_name,
            u64::from(expected.is_empty())
        );
    }
}

#[test]
fn a_certificate_says_nothing_beside_a_name() {
    let mut namer = Namer::new(NamerLimits::default());
    let flow = key(protocol::TCP, 5000, 443);
    let mut events = Vec::new();
    namer.observe(&sample(flow, 0, &hello("said.example")), &mut events);
    let reply = records(
        &server_messages(&certificate(&["shown.example"]), false),
        16_384,
    );
    let reply = Sample {
        outbound: false,
        ..sample(flow, 0, &reply)
    };
    namer.observe(&reply, &mut events);
    assert_eq!(events.len(), 1);
    assert_eq!(namer.stats().certificates, 0);
}

#[test]
fn a_link_of_tor_is_told_by_its_certificate() {
    let made_up = tor_certificate(
        "www.g6ghvisevf3ibuu5.com",
        "www.xkgk7fdx362yyyxib.net",
        false,
    );
    let real = certificate(&["www.t3i3ru.com"]);
    for (name, shown, is_tor) in [
        ("www.t3i3ru.com", &made_up, true),
        ("www.t3i3ru.com", &real, false),
        ("t3i3ru.com", &made_up, false),
    ] {
        let mut namer = Namer::new(NamerLimits::default());
        let flow = key(protocol::TCP, 5000, 443);
        let mut events = Vec::new();
        namer.observe(&sample(flow, 0, &hello(name)), &mut events);
        let reply = records(&server_messages(shown, false), 16_384);
        let reply = Sample {
            outbound: false,
            ..sample(flow, 0, &reply)
        };
        for _ in 0..2 {
            assert_eq!(namer.observe(&reply, &mut events), Heard::Settled);
        }
        let told: Vec<_> = events
            .iter()
            .map(|event| (&*event.name, event.source, event.protocol))
            .collect();
        let mut expected = vec![(name, NameSource::Sni, AppProtocol::Tls)];
        if is_tor {
            expected.push((name, NameSource::Sni, AppProtocol::Tor));
        }
        assert_eq!(told, expected);
        assert_eq!(
            (namer.stats().certificates, namer.stats().held_bytes),
            (0, 0)
        );
    }
}

#[test]
fn dns_inside_tls_is_told_by_port_or_protocol() {
    for (port, alpn, expected) in [
        (853, &[][..], AppProtocol::Dot),
        (443, &["dot"][..], AppProtocol::Dot),
        (443, &["h2"][..], AppProtocol::Tls),
        (5432, &["postgresql"][..], AppProtocol::Postgresql),
        (1433, &["tds/8.0"][..], AppProtocol::Tds),
    ] {
        let bytes = records(&hello_message(Some("dns.example"), alpn, false, 0), 16_384);
        let mut events = Vec::new();
        let mut namer = Namer::new(NamerLimits::default());
        namer.observe(
            &sample(key(protocol::TCP, 5000, port), 0, &bytes),
            &mut events,
        );
        assert_eq!(events[0].protocol, expected);
        let ja4 = events[0].ja4.as_deref().unwrap();
        assert!(ja4.starts_with("t12d02"), "{ja4}");
    }
}
