//! What is given up is bounded, counted and told: never silent, never a guess.

use super::heard::{Ear, nameless, syn};
use super::*;

#[test]
fn what_is_given_up_is_told() {
    let tls = key(protocol::TCP, 5000, 443);
    let stream = records(
        &hello_message(Some("big.example"), &[], false, 3_000),
        9_000,
    );
    for limits in [
        NamerLimits {
            stream_bytes: 1_000,
            ..NamerLimits::default()
        },
        NamerLimits {
            total_bytes: 1_000,
            ..NamerLimits::default()
        },
    ] {
        let mut ear = Ear::new();
        ear.namer = Namer::new(limits);
        assert_eq!(ear.hear(&sample(tls, 0, &stream[..900])), Heard::Pending);
        let second = sample(tls, 900, &stream[900..1_800]);
        assert_eq!(ear.hear(&second), Heard::Settled);
        assert_eq!(ear.told()[0].1, NameSource::Nameless);
        assert_eq!(ear.namer.stats().held_bytes, 0);
    }
}

#[test]
fn a_flow_that_is_forgotten_while_it_is_pending_is_told() {
    let mut ear = Ear::new();
    ear.namer = Namer::new(NamerLimits {
        flows: 2,
        ..NamerLimits::default()
    });
    let bytes = hello("some.example");
    for port in [1, 2] {
        let pending = key(protocol::TCP, port, 443);
        let heard = ear.hear(&sample(pending, 0, &bytes[..50]));
        assert_eq!(heard, Heard::Pending);
    }
    ear.hear(&sample(key(protocol::TCP, 3, 443), 0, &bytes));
    let [lost, said] = &ear.events[..] else {
        panic!("{:?}", ear.events)
    };
    assert_eq!(
        (lost.key.inside_port, lost.source),
        (1, NameSource::Nameless)
    );
    assert_eq!((said.key.inside_port, &*said.name), (3, "some.example"));
}

#[test]
fn one_client_cannot_take_the_memory_of_others() {
    let mut ear = Ear::new();
    ear.namer = Namer::new(NamerLimits {
        client_bytes: 2_000,
        ..NamerLimits::default()
    });
    let bytes = records(
        &hello_message(Some("some.example"), &[], false, 1_000),
        9_000,
    );
    let mut refused = 0;
    for port in 0..20 {
        let flood = key(protocol::TCP, 1_000 + port, 443);
        refused += usize::from(ear.hear(&sample(flood, 0, &bytes[..500])) == Heard::Settled);
    }
    assert_eq!(refused, 16, "four of 500 bytes are held");
    assert_eq!(ear.namer.stats().held_bytes, 2_000);
    let other = flow::key(address("10.0.0.2"), address(SERVER), protocol::TCP, 1, 443);
    assert_eq!(ear.hear(&sample(other, 0, &bytes[..500])), Heard::Pending);
    assert_eq!(ear.hear(&sample(other, 500, &bytes[500..])), Heard::Settled);
    assert_eq!(ear.events.last().unwrap().name, "some.example");
}

#[test]
fn a_hello_that_is_sent_twice_with_two_names_has_none() {
    let tls = key(protocol::TCP, 5000, 443);
    let (good, evil) = (hello("good.example"), hello("evil.example"));
    for order in [[&evil, &good], [&good, &evil]] {
        let [first, second] = order;
        let mut ear = Ear::new();
        ear.hear(&syn(tls, u32::MAX));
        let at = u32::try_from(good.len() - 60).unwrap();
        assert_eq!(
            ear.hear(&sample(tls, at, &first[good.len() - 60..])),
            Heard::Pending
        );
        assert_eq!(
            ear.hear(&sample(tls, at - 10, &second[good.len() - 70..])),
            Heard::Settled
        );
        assert_eq!(ear.told(), nameless(AppProtocol::Unknown));
        assert_eq!(ear.namer.stats().streams_contradicted, 1);
    }
}

#[test]
fn two_starts_of_one_stream_are_no_start() {
    let tls = key(protocol::TCP, 5000, 443);
    let bytes = hello("some.example");
    // The server takes the first SYN, or never saw it: the hello lies where either says.
    for (first, second) in [(100, 9_000), (9_000, 100)] {
        let mut ear = Ear::new();
        ear.hear(&syn(tls, first));
        ear.hear(&syn(tls, first));
        ear.hear(&syn(tls, second));
        assert_eq!(ear.hear(&sample(tls, 101, &bytes)), Heard::Settled);
        assert_eq!(ear.told(), nameless(AppProtocol::Unknown));
        assert_eq!(ear.namer.stats().streams_contradicted, 1);
    }
}
