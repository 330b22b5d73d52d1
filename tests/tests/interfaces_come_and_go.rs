//! Several inside interfaces, one of which is deleted and made again, for real, while traffic goes
//! through the other.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use octroi_tests::client::Seen;
use octroi_tests::client::probe::Probe;
use octroi_tests::client::socket::{keep_talking, tcp_echo};
use octroi_tests::lab::daemon::{Daemon, wait_until};
use octroi_tests::lab::places::SECOND_INSIDE;
use octroi_tests::lab::{Lab, wanted};
use octroi_tests::scenario::policy_text;

const ALLOWED: &str = "51.210.0.1:7";
const BLOCKED: &str = "20.74.0.1:7";
/// Rejected for guests too.
const REJECTED: &str = "223.5.5.5:22";
const SOON: Duration = Duration::from_secs(10);
const ROUNDS: usize = 3;

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// The status of the second interface.
fn second(daemon: &Daemon) -> serde_json::Value {
    let status = daemon.ask_json(&["status"]).unwrap();
    let interfaces = status["interfaces"].as_array().unwrap();
    let found = interfaces.iter().find(|row| row["name"] == SECOND_INSIDE);
    found.unwrap().clone()
}

fn notices(daemon: &Daemon, kind: &str) -> usize {
    let events = daemon.events().unwrap();
    events
        .iter()
        .filter(|event| {
            event.to_string().contains(kind) && event.to_string().contains(SECOND_INSIDE)
        })
        .count()
}

#[test]
fn one_interface_comes_and_goes_while_another_carries_on() {
    if !wanted() {
        return;
    }
    let lab = Lab::create().unwrap();
    lab.free_the_guests().unwrap();
    let interfaces = format!("[\"inside0\", {{ name = \"{SECOND_INSIDE}\", optional = true }}]");
    let policy = policy_text("lab").unwrap();
    let daemon = Daemon::start_on(&lab, &policy, &interfaces).unwrap();
    let (cabinet, guest) = (lab.zone("cabinet").unwrap(), lab.zone("guest").unwrap());
    let absent = second(&daemon);
    assert_eq!(absent["attached"], false, "{absent:#}");
    assert_eq!(
        absent["problem"],
        serde_json::Value::Null,
        "it may be absent"
    );

    let probe = Probe::start(cabinet, address(BLOCKED));
    let (go_on, exchanges) = (AtomicBool::new(true), AtomicU64::new(0));
    std::thread::scope(|scope| {
        let conversation = scope.spawn(|| {
            keep_talking(cabinet, address(ALLOWED), Duration::from_millis(5), || {
                exchanges.fetch_add(1, Ordering::Relaxed);
                go_on.load(Ordering::Relaxed)
            })
        });
        for round in 0..ROUNDS {
            let began = Instant::now();
            lab.plug_the_guests().unwrap();
            wait_until("the second interface is guarded", SOON, || {
                Ok(second(&daemon)["attached"] == true)
            })
            .unwrap();
            println!(
                "round {round}: guarded within {:?} of its making",
                began.elapsed()
            );
            let now = second(&daemon);
            assert_eq!(
                (&now["mode"], &now["link"]),
                (&"native".into(), &"Ethernet".into())
            );
            let sees = |to: &str| tcp_echo(guest, address(to)).unwrap().seen;
            assert_eq!(sees(REJECTED), Seen::Refused, "round {round}");
            assert_eq!(sees(ALLOWED), Seen::Answered, "round {round}");
            lab.unplug_the_guests().unwrap();
            wait_until("its loss is noticed", SOON, || {
                Ok(second(&daemon)["attached"] == false)
            })
            .unwrap();
        }
        let before = exchanges.load(Ordering::Relaxed);
        wait_until("the conversation goes on", SOON, || {
            Ok(exchanges.load(Ordering::Relaxed) > before + 2)
        })
        .unwrap();
        go_on.store(false, Ordering::Relaxed);
        conversation.join().unwrap().unwrap();
    });
    let count = probe.stop().unwrap();
    assert!(count.sent >= 1 && count.answered == 0, "{count:?}");
    wait_until("all is told", SOON, || {
        Ok(notices(&daemon, "interface_lost") == ROUNDS
            && notices(&daemon, "interface_attached") == ROUNDS)
    })
    .unwrap();
    let status = daemon.ask_json(&["status"]).unwrap();
    assert_eq!(status["interfaces"][0]["attached"], true, "{status:#}");
}

#[test]
fn links_that_somebody_took_off_are_put_back() {
    if !wanted() {
        return;
    }
    let lab = Lab::create().unwrap();
    let daemon = Daemon::start(&lab, &policy_text("lab").unwrap()).unwrap();
    let cabinet = lab.zone("cabinet").unwrap();
    let sees = |to: &str| tcp_echo(cabinet, address(to)).unwrap().seen;
    assert_eq!(sees(BLOCKED), Seen::Timeout);
    let links = std::fs::read_dir(&daemon.files().pin_root).unwrap();
    let links = links
        .flatten()
        .map(|version| version.path().join("links/inside0"));
    for pin in links.flat_map(|directory| std::fs::read_dir(directory).into_iter().flatten()) {
        let pin = pin.unwrap().path();
        let mut bpftool = lab.namespaces().gateway.command("bpftool");
        bpftool.args(["link", "detach", "pinned"]).arg(pin);
        octroi_tests::lab::command::finish(&mut bpftool).unwrap();
    }
    wait_until("it is stopped again", SOON, || {
        Ok(sees(BLOCKED) == Seen::Timeout)
    })
    .unwrap();
    wait_until("the log says so", SOON, || {
        Ok(daemon
            .end_of_log()
            .contains("somebody took the programs off"))
    })
    .unwrap();
}
