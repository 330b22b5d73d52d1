//! Floods: one client fills every table, and the others lose nothing.

use super::heard::Ear;
use super::*;

const FLOOD: u32 = 5_000;

fn limits() -> NamerLimits {
    NamerLimits {
        flows: 400,
        bindings: 400,
        services: 400,
        queries: 400,
        ..NamerLimits::default()
    }
}

fn ear(limits: NamerLimits) -> Ear {
    let mut ear = Ear::new();
    ear.namer = Namer::new(limits);
    ear
}

/// A flow of client number `client` to server number `server`.
fn flow_of(client: u8, server: u32, protocol: u8, inside_port: u16, outside_port: u16) -> FlowKey {
    let [_, b, c, d] = server.to_be_bytes();
    flow::key(
        [10, 0, 0, client].into(),
        [198, b, c, d].into(),
        protocol,
        inside_port,
        outside_port,
    )
}

/// A client asks one resolver for a name.
fn ask(ear: &mut Ear, client: u8, id: u16, name: &str) {
    let resolver = flow_of(client, 1, protocol::UDP, 5_353, 53);
    ear.hear(&sample(resolver, 0, &dns(id, false, (name, 1), &[])));
}

/// And is answered with server number `server`, through an alias.
fn answer(ear: &mut Ear, client: u8, id: u16, name: &str, alias: &str, server: u32) {
    let [_, b, c, d] = server.to_be_bytes();
    let answers = [
        (dns_name(name), 5, 3_600, dns_name(alias)),
        (dns_name(alias), 1, 3_600, vec![198, b, c, d]),
    ];
    let resolver = flow_of(client, 1, protocol::UDP, 5_353, 53);
    let message = dns(id, true, (name, 1), &answers);
    ear.hear(&Sample {
        outbound: false,
        ..sample(resolver, 0, &message)
    });
}

fn is_bound(ear: &Ear, client: u8, server: u32, name: &str) -> bool {
    let flow = flow_of(client, server, protocol::TCP, 1, 443);
    ear.namer.dns_name_for(&flow) == Some(name)
}

#[test]
fn answers_of_one_client_push_out_its_own() {
    let mut ear = ear(limits());
    for client in 1..=20 {
        let name = format!("n{client}.example");
        ask(&mut ear, client, 7, &name);
        answer(&mut ear, client, 7, &name, "edge.example", 9);
    }
    for number in 0..FLOOD {
        let name = format!("f{number}.example");
        let id = u16::try_from(number).unwrap();
        ask(&mut ear, 99, id, &name);
        answer(&mut ear, 99, id, &name, "edge.example", 1_000 + number);
    }
    for client in 1..=20 {
        assert!(is_bound(&ear, client, 9, &format!("n{client}.example")));
    }
    let last = FLOOD - 1;
    assert!(is_bound(
        &ear,
        99,
        1_000 + last,
        &format!("f{last}.example")
    ));
    assert!(!is_bound(&ear, 99, 1_000, "f0.example"));
    let stats = ear.namer.stats();
    assert_eq!(stats.bindings, 400);
    assert_eq!(stats.bindings_evicted, u64::from(FLOOD) + 20 - 400);
}

#[test]
fn names_of_one_client_that_are_long_push_out_its_own() {
    let mut ear = ear(NamerLimits {
        binding_bytes: 100_000,
        ..limits()
    });
    for client in 1..=20 {
        let name = format!("n{client}.example");
        ask(&mut ear, client, 7, &name);
        answer(&mut ear, client, 7, &name, "edge.example", 9);
    }
    let label = "a".repeat(60);
    for number in 0..1_000_u16 {
        let name = format!("f{number}.{label}.{label}.{label}.example");
        ask(&mut ear, 99, number, &name);
        answer(
            &mut ear,
            99,
            number,
            &name,
            &name.replace('f', "g"),
            1_000 + u32::from(number),
        );
        assert!(ear.namer.stats().name_bytes <= 100_000);
    }
    for client in 1..=20 {
        assert!(is_bound(&ear, client, 9, &format!("n{client}.example")));
    }
    assert!(ear.namer.stats().bindings_evicted > 500);
}

#[test]
fn queries_of_one_client_do_not_leave_answers_of_others_unasked() {
    let mut ear = ear(limits());
    for client in 1..=20 {
        ask(&mut ear, client, 7, "slow.example");
    }
    for number in 0..FLOOD {
        ask(
            &mut ear,
            99,
            u16::try_from(number).unwrap(),
            "flood.example",
        );
    }
    for client in 1..=20 {
        answer(&mut ear, client, 7, "slow.example", "edge.example", 9);
        assert!(is_bound(&ear, client, 9, "slow.example"), "{client}");
    }
    let stats = ear.namer.stats();
    assert_eq!(
        (stats.dns_unasked, stats.queries_evicted),
        (0, u64::from(FLOOD) + 20 - 400)
    );
    // One that was never answered does not wait for ever.
    ear.namer.expire(SECOND * 120);
    answer(
        &mut ear,
        99,
        u16::try_from(FLOOD - 1).unwrap(),
        "flood.example",
        "e.example",
        9,
    );
    assert_eq!(ear.namer.stats().dns_unasked, 1);
}

#[test]
fn hellos_of_one_client_that_never_end_leave_those_of_others_whole() {
    let mut ear = ear(limits());
    let bytes = hello("slow.example");
    let (head, tail) = bytes.split_at(60);
    for client in 1..=20 {
        let flow = flow_of(client, 9, protocol::TCP, 1, 443);
        assert_eq!(ear.hear(&sample(flow, 0, head)), Heard::Pending);
    }
    for number in 0..FLOOD {
        let kind = if number % 2 == 0 {
            protocol::TCP
        } else {
            protocol::UDP
        };
        ear.hear(&sample(flow_of(99, number, kind, 1, 443), 0, head));
    }
    ear.events.clear();
    for client in 1..=20 {
        let flow = flow_of(client, 9, protocol::TCP, 1, 443);
        assert_eq!(ear.hear(&sample(flow, 60, tail)), Heard::Settled);
        assert_eq!(ear.events.pop().unwrap().name, "slow.example");
    }
    let stats = ear.namer.stats();
    assert_eq!(stats.flows, 400);
    assert_eq!(stats.flows_evicted, u64::from(FLOOD) + 20 - 400);
}

/// Small pieces far apart take more memory than their bytes.
#[test]
fn pieces_are_counted_with_what_holds_them() {
    let mut ear = ear(NamerLimits {
        client_bytes: 20_000,
        ..limits()
    });
    for port in 1..=300 {
        let flow = key(protocol::TCP, port, 443);
        ear.hear(&sample(flow, 0, &hello("some.example")[..6]));
        for piece in 1..=40 {
            ear.hear(&sample(flow, 50 * piece, b"x"));
        }
        assert!(ear.namer.stats().held_bytes <= 20_000);
    }
    assert!(ear.namer.stats().memory_refused >= 250);
}
