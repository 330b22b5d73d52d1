use super::*;
use crate::model::Severity;

const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 1, 0, 5));

fn service(id: &str) -> ServiceOf {
    ServiceOf {
        id: id.into(),
        name: id.to_uppercase().into(),
        operator: "someone".into(),
    }
}

/// A call of people: 50 packets a second each way, for so many seconds.
fn leg(first_s: u64, seconds: u64) -> Leg {
    Leg {
        flow_id: first_s + 1,
        client: CLIENT,
        zone: Some("cabinet".into()),
        destination: "52.112.0.9".parse().unwrap(),
        protocol: 17,
        speaks: None,
        service: Some(service("ms-teams")),
        first_ns: first_s * SECOND_NS,
        last_ns: (first_s + seconds) * SECOND_NS,
        outbound: (50 * seconds, 50 * seconds * 200),
        reply: (50 * seconds, 50 * seconds * 900),
        verdict: Verdict::Flag,
        enforced: true,
    }
}

fn elsewhere(first_s: u64, seconds: u64) -> Leg {
    Leg {
        service: None,
        speaks: Some("stun".into()),
        destination: "198.51.100.7".parse().unwrap(),
        ..leg(first_s, seconds)
    }
}

fn found(legs: impl IntoIterator<Item = Leg>) -> Vec<Call> {
    let mut calls = Calls::default();
    for leg in legs {
        calls.ended(leg);
    }
    calls.flush().into_iter().map(|(_, call)| call).collect()
}

#[test]
fn a_call_is_one_record_whatever_the_order_of_its_flows() {
    let mut video = leg(105, 60);
    video.verdict = Verdict::Reject;
    for legs in [[leg(100, 40), video.clone()], [video, leg(100, 40)]] {
        let calls = found(legs);
        assert_eq!(calls.len(), 1);
        let call = &calls[0];
        assert_eq!(
            (&*call.service, call.seconds, call.flows),
            ("ms-teams", 65, 2)
        );
        assert_eq!(call.outbound_packets, 50 * 100);
        assert_eq!(call.reply_bytes, 50 * 100 * 900);
        assert_eq!(call.verdict, Verdict::Reject);
        assert_eq!(call.severity(), Some(Severity::High));
        assert_eq!(call.certainty, Certainty::Medium);
    }
}

#[test]
fn calls_that_are_apart_are_two() {
    assert_eq!(found([leg(0, 40), leg(40 + GAP_S, 40)]).len(), 1);
    assert_eq!(found([leg(0, 40), leg(41 + GAP_S, 40)]).len(), 2);
    let mut zoom = leg(0, 40);
    zoom.service = Some(service("zoom"));
    assert_eq!(found([leg(0, 40), zoom]).len(), 2);
}

#[test]
fn what_has_not_the_shape_of_media_is_no_call() {
    let odd = |change: fn(&mut Leg)| {
        let mut leg = leg(0, 40);
        change(&mut leg);
        found([leg])
    };
    assert_eq!(odd(|_| {}).len(), 1);
    assert!(odd(|leg| leg.protocol = 6).is_empty());
    assert!(
        odd(|leg| leg.last_ns = 19 * SECOND_NS).is_empty(),
        "too short"
    );
    assert!(odd(|leg| leg.reply = (0, 0)).is_empty(), "one way");
    let slow = |leg: &mut Leg| (leg.outbound, leg.reply) = ((400, 80_000), (700, 80_000));
    assert!(odd(slow).is_empty());
    assert!(
        odd(|leg| leg.reply.1 = leg.reply.0 * 1_400).is_empty(),
        "a download"
    );
    // A moment's flow divides by nothing.
    assert!(odd(|leg| leg.last_ns = leg.first_ns).is_empty());
}

#[test]
fn media_elsewhere_needs_a_signal_and_a_language() {
    let signalled = |leg: Leg, at_s: u64| {
        let mut calls = Calls::default();
        calls.signalled(
            CLIENT,
            service("visio"),
            "visio.numerique.gouv.fr",
            at_s * SECOND_NS,
        );
        calls.ended(leg);
        let calls = calls.flush().into_iter().map(|(_, call)| call);
        calls.collect::<Vec<_>>()
    };
    assert!(found([elsewhere(1_000, 60)]).is_empty());
    let calls = signalled(elsewhere(1_000, 60), 990);
    assert_eq!(&*calls[0].service, "visio");
    assert_eq!(calls[0].names, ["visio.numerique.gouv.fr".into()]);
    assert_eq!(
        calls[0].evidence,
        [
            CallEvidence::MediaShape,
            CallEvidence::Signalling,
            CallEvidence::Stun
        ]
    );
    assert!(signalled(elsewhere(1_000, 60), 1_000 - SIGNAL_BEFORE_S - 1).is_empty());
    assert!(
        signalled(elsewhere(1_000, 60), 1_061).is_empty(),
        "after it was over"
    );
    let mut game = elsewhere(1_000, 60);
    game.speaks = None;
    assert!(
        signalled(game, 990).is_empty(),
        "a game beside an open window"
    );
    assert_eq!(
        signalled(leg(1_000, 60), 990)[0].certainty,
        Certainty::Medium
    );
}

#[test]
fn the_service_signalled_to_last_is_meant() {
    let mut calls = Calls::default();
    calls.signalled(
        CLIENT,
        service("ms-teams"),
        "teams.microsoft.com",
        900 * SECOND_NS,
    );
    calls.signalled(CLIENT, service("zoom"), "zoom.us", 990 * SECOND_NS);
    calls.ended(elsewhere(1_000, 60));
    assert_eq!(&*calls.flush()[0].1.service, "zoom");
}

#[test]
fn a_call_is_told_once_and_when_it_is_over() {
    let mut calls = Calls::default();
    calls.ended(leg(100, 40));
    assert!(calls.over(160 * SECOND_NS, |_, _| false).is_empty());
    let later = (141 + GAP_S) * SECOND_NS;
    assert!(
        calls
            .over(later, |client, service| client == CLIENT
                && &**service == "ms-teams")
            .is_empty(),
        "another flow of it lives"
    );
    assert!(!calls.is_empty());
    assert_eq!(
        calls.over(later, |_, service| &**service == "zoom").len(),
        1
    );
    assert!(calls.flush().is_empty());
}

#[test]
fn everything_is_bounded_and_what_is_lost_is_counted() {
    let mut calls = Calls::default();
    for number in 0..PER_CLIENT as u64 + 10 {
        calls.ended(leg(number * 1_000, 40));
    }
    assert_eq!(calls.dropped(), 10);
    for number in 0..u32::try_from(CLIENTS).unwrap() + 5 {
        let client = IpAddr::V4(number.into());
        calls.signalled(client, service("zoom"), "zoom.us", 1);
    }
    assert_eq!(calls.clients.len(), CLIENTS);
    assert_eq!(calls.dropped(), 10 + 6);
    assert_eq!(calls.flush().len(), PER_CLIENT);
    assert!(calls.clients.is_empty());
}

#[test]
fn what_runs_is_seen_before_it_is_told_and_keeps_its_first_flow() {
    let mut calls = Calls::default();
    calls.ended(leg(100, 40));
    let live = leg(150, 30);
    let running = calls.running([live.clone(), leg(150, LEAST_SECONDS - 1)]);
    assert_eq!(running.len(), 1);
    let (start_ns, call) = &running[0];
    assert_eq!(
        (*start_ns, call.seconds, call.flows),
        (100 * SECOND_NS, 80, 2)
    );
    // Looking changes nothing: the same call is told when the last of it has ended.
    assert_eq!(calls.running([live.clone()]), running);
    calls.ended(live);
    let told = calls.flush();
    assert_eq!(told[0].1.flow_ids, call.flow_ids);
    assert!(calls.running([]).is_empty());
}

#[test]
fn how_long_a_call_must_last_can_be_chosen() {
    let mut calls = Calls::new(CallOptions {
        least_seconds: 2,
        gap_s: 1,
    });
    assert_eq!(calls.options().least_packets(), 60);
    for (first_s, seconds) in [(0, 2), (4, 3), (20, 1)] {
        calls.ended(leg(first_s, seconds));
    }
    let told: Vec<u64> = calls.flush().iter().map(|(_, call)| call.seconds).collect();
    assert_eq!(told, [2, 3]);
    // Nothing at all is no call, whatever was chosen.
    let mut calls = Calls::new(CallOptions {
        least_seconds: 0,
        gap_s: 0,
    });
    calls.ended(leg(0, 0));
    assert!(calls.flush().is_empty());
}
