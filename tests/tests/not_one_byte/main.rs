//! Names before the fact: under `names = "strict"` not one byte of a forbidden name's handshake leaves
//! the gateway, whoever says it and however; what is allowed goes on as if nothing had been.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod wire;

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use hickory_proto::op::{Edns, Message, Query, ResponseCode};
use hickory_proto::rr::rdata::opt::{EdnsCode, EdnsOption};
use hickory_proto::rr::{Name, RecordType};
use octroi_tests::client::curl::Request;
use octroi_tests::client::{Attempt, Seen, hello, openssl, quic};
use octroi_tests::lab::daemon::{Daemon, wait_until};
use octroi_tests::lab::{Lab, wanted};
use octroi_tests::scenario::policy_text;
use serde_json::Value;

use wire::Wire;

/// One address that serves an administration and, by name, a banned tool.
const SHARED: &str = "51.210.0.80";
const ALLOWED: &str = "annuaire.ministere.example";
const FORBIDDEN: &str = "zoom.us";
/// An alias of the banned tool.
const VANITY: &str = "reunion.ministere.example";
const RESOLVER: &str = "80.67.169.12:53";
const SOON: Duration = Duration::from_secs(10);

fn policy(strict: bool) -> String {
    let text = policy_text("lab").unwrap();
    if strict {
        text.replace(
            "mode = \"enforce\"",
            "mode = \"enforce\"\nnames = \"strict\"",
        )
    } else {
        text
    }
}

/// Everybody who can say a name.
const CLIENTS: [&str; 5] = ["curl", "openssl", "quic", "post-quantum", "http"];

fn say(lab: &Lab, client: &str, name: &str) -> Attempt {
    let cabinet = lab.zone("cabinet").unwrap();
    let authority = lab.authority();
    let to: SocketAddr = format!("{SHARED}:443").parse().unwrap();
    let url = |scheme: &str| Request {
        url: format!("{scheme}://{name}/"),
        address: Some(to.ip()),
        authority: &authority,
    };
    match client {
        "curl" => url("https").fetch(cabinet),
        "http" => url("http").fetch(cabinet),
        "openssl" => openssl::fetch(cabinet, to, name, &authority),
        "quic" => quic::echo(cabinet, to, name, &authority),
        _ => hello::say(cabinet, to, &hello::post_quantum(name)),
    }
    .unwrap()
}

#[test]
fn not_one_byte_of_a_forbidden_handshake_leaves_under_strict() {
    if !wanted() {
        return;
    }
    let lab = Lab::create().unwrap();
    for strict in [true, false] {
        let daemon = Daemon::start(&lab, &policy(strict)).unwrap();
        for client in CLIENTS {
            let mode = if strict { "strict" } else { "observe" };
            for (name, passes) in [(ALLOWED, true), (FORBIDDEN, false)] {
                let wire = Wire::start(&lab, SHARED).unwrap();
                let attempt = say(&lab, client, name);
                let (packets, payload) = wire.stop().unwrap();
                println!(
                    "{mode} {client} {name}: {} in {:?}; {packets} packets, {payload} bytes of \
                     payload arrived {}",
                    attempt.seen, attempt.took, attempt.words
                );
                if passes {
                    assert_eq!(attempt.seen, Seen::Answered, "{mode} {client}: {attempt:?}");
                    assert!(payload > 0);
                } else {
                    // What is cut after the fact may have been answered before, on a machine that
                    // gives the daemon no time.
                    if strict {
                        assert_ne!(attempt.seen, Seen::Answered, "{client}: {attempt:?}");
                    }
                    assert_eq!(
                        payload == 0,
                        strict,
                        "{mode} {client}: {payload} bytes left"
                    );
                }
            }
        }
        // No retransmission was needed: the held frames went on themselves.
        let status = daemon.ask_json(&["status"]).unwrap();
        for lost in ["sent_again", "given_up", "expired", "unsound", "unanswered"] {
            assert_eq!(held(&status, lost), 0, "{lost}: {status:#}");
        }
        assert_eq!(held(&status, "held") > 0, strict, "{status:#}");
        assert!(
            held(&status, "released") <= held(&status, "held"),
            "{status:#}"
        );
        drop(daemon);
    }
}

/// A number of what the daemon says about held frames.
fn held(status: &Value, name: &str) -> u64 {
    let holds = status["holds"].as_array().unwrap();
    let hold = holds.iter().find(|hold| hold["name"] == name);
    hold.and_then(|hold| hold["value"].as_u64()).unwrap()
}

/// One query, as a client of today asks it.
fn ask(lab: &Lab, name: &str) -> Option<Message> {
    let mut query = Message::query();
    query.metadata.recursion_desired = true;
    query.add_query(Query::query(
        Name::from_utf8(format!("{name}.")).unwrap(),
        RecordType::A,
    ));
    let mut edns = Edns::new();
    edns.set_max_payload(1_232);
    query.set_edns(edns);
    let bytes = query.to_vec().unwrap();
    let id = query.metadata.id;
    let answer = lab.zone("cabinet").unwrap().within(|| {
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        socket.connect(RESOLVER).unwrap();
        socket.set_read_timeout(Some(SOON)).unwrap();
        socket.send(&bytes).unwrap();
        let mut buffer = [0; 1_500];
        let length = socket.recv(&mut buffer).ok()?;
        Message::from_vec(&buffer[..length]).ok()
    });
    answer.unwrap().filter(|answer| answer.metadata.id == id)
}

#[test]
fn a_forbidden_name_is_not_even_asked_for() {
    if !wanted() {
        return;
    }
    let lab = Lab::create().unwrap();
    let daemon = Daemon::start(&lab, &policy(true)).unwrap();
    let answer = ask(&lab, ALLOWED).expect("an answer");
    assert_eq!(answer.metadata.response_code, ResponseCode::NoError);
    assert_eq!(answer.answers.len(), 1);

    let wire = Wire::start(&lab, "80.67.169.12").unwrap();
    let refused = ask(&lab, FORBIDDEN).expect("an answer in the resolver's place");
    let (_, payload) = wire.stop().unwrap();
    assert_eq!(payload, 0, "the resolver was not told");
    assert_eq!(refused.metadata.response_code, ResponseCode::Refused);
    let edns = refused.edns.as_ref().expect("an OPT record, as asked");
    let option = edns
        .option(EdnsCode::Unknown(15))
        .expect("an Extended DNS Error");
    let EdnsOption::Unknown(15, data) = option else {
        panic!("{option:?}");
    };
    assert_eq!(data[..2], [0, 15], "Blocked (RFC 8914)");
    let text = String::from_utf8_lossy(&data[2..]).into_owned();
    assert!(text.contains("banned-tools"), "{text}");

    // Who asks by way of a real client sees a name that does not resolve.
    let authority = lab.authority();
    let request = Request {
        url: format!("https://{FORBIDDEN}/"),
        address: None,
        authority: &authority,
    };
    let attempt = request.fetch(lab.zone("cabinet").unwrap()).unwrap();
    assert_eq!(attempt.seen, Seen::NoName, "{attempt:?}");
    let allowed = Request {
        url: format!("https://{ALLOWED}/"),
        ..request
    };
    let attempt = allowed.fetch(lab.zone("cabinet").unwrap()).unwrap();
    assert_eq!(attempt.seen, Seen::Answered, "{attempt:?}");

    let mut alert = Value::Null;
    wait_until("an alert about the query", SOON, || {
        let events = daemon.events()?;
        let about = |event: &&Value| {
            event["event_type"] == "alert" && event.to_string().contains(FORBIDDEN)
        };
        alert = events.iter().find(about).cloned().unwrap_or_default();
        Ok(!alert.is_null())
    })
    .unwrap();
    assert_eq!(alert["dest_ip"], "80.67.169.12", "{alert:#}");
    let residency = &alert["alert"]["context"]["residency"];
    assert_eq!(residency["rule"], "banned-tools", "{alert:#}");
    assert_eq!(residency["service"], "zoom", "{alert:#}");
    let status = daemon.ask_json(&["status"]).unwrap();
    assert!(held(&status, "queries_refused") >= 2, "{status:#}");
    for none in ["sent_again", "waiting", "unanswered"] {
        assert_eq!(held(&status, none), 0, "{none}: {status:#}");
    }
}

/// A name of one's own, behind which stands a banned tool: the answer is judged before its address is used.
#[test]
fn an_alias_is_judged_before_its_address_is_used() {
    if !wanted() {
        return;
    }
    let lab = Lab::create().unwrap();
    let daemon = Daemon::start(&lab, &policy(true)).unwrap();
    let wire = Wire::start(&lab, SHARED).unwrap();
    let authority = lab.authority();
    let request = Request {
        url: format!("https://{VANITY}/"),
        address: None,
        authority: &authority,
    };
    let attempt = request.fetch(lab.zone("cabinet").unwrap()).unwrap();
    assert_eq!(attempt.seen, Seen::Refused, "{attempt:?}");
    assert_eq!(wire.stop().unwrap(), (0, 0), "not even the opening");
    let mut alert = Value::Null;
    wait_until("an alert about the alias", SOON, || {
        let events = daemon.events()?;
        let about = |event: &&Value| event["event_type"] == "alert" && event["dest_ip"] == SHARED;
        alert = events.iter().find(about).cloned().unwrap_or_default();
        Ok(!alert.is_null())
    })
    .unwrap();
    let residency = &alert["alert"]["context"]["residency"];
    assert_eq!(residency["rule"], "banned-tools", "{alert:#}");
    assert_eq!(residency["service"], "zoom", "{alert:#}");
    assert!(alert.to_string().contains(VANITY), "{alert:#}");
}

/// Nobody decides: nothing goes on; and when somebody does again, everything does.
#[test]
fn without_its_decider_the_gate_stays_shut() {
    if !wanted() {
        return;
    }
    let lab = Lab::create().unwrap();
    let daemon = Daemon::start(&lab, &policy(true)).unwrap();
    assert_eq!(say(&lab, "post-quantum", ALLOWED).seen, Seen::Answered);
    daemon.kill().unwrap();
    let wire = Wire::start(&lab, SHARED).unwrap();
    for name in [ALLOWED, FORBIDDEN] {
        assert_ne!(
            say(&lab, "post-quantum", name).seen,
            Seen::Answered,
            "{name}"
        );
    }
    assert_eq!(
        wire.stop().unwrap(),
        (0, 0),
        "not even the opening of a connection"
    );
    let _daemon = Daemon::start_again(&lab).unwrap();
    assert_eq!(say(&lab, "post-quantum", ALLOWED).seen, Seen::Answered);
    assert_ne!(say(&lab, "post-quantum", FORBIDDEN).seen, Seen::Answered);
}

/// What strict names add to a handshake.
#[test]
fn a_handshake_is_hardly_longer() {
    if !wanted() {
        return;
    }
    let lab = Lab::create().unwrap();
    let mut medians = Vec::new();
    for strict in [false, true] {
        let daemon = Daemon::start(&lab, &policy(strict)).unwrap();
        let mut took: Vec<Duration> = (0..41)
            .map(|_| {
                let attempt = say(&lab, "post-quantum", ALLOWED);
                assert_eq!(attempt.seen, Seen::Answered);
                attempt.took
            })
            .collect();
        took.sort_unstable();
        medians.push(took[20]);
        drop(daemon);
    }
    println!(
        "median handshake: observe {:?}, strict {:?}",
        medians[0], medians[1]
    );
    let added = medians[1].saturating_sub(medians[0]);
    // The budget is 2 ms on a quiet machine; this one may be busy. What is sent again costs more.
    assert!(added < Duration::from_millis(150), "{added:?} added");
}
