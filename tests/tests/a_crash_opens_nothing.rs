//! The daemon killed, restarted, upgraded: programs and tables are pinned, so that what was
//! stopped stays stopped and what was allowed goes on, at every moment.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use octroi_tests::client::Seen;
use octroi_tests::client::probe::Probe;
use octroi_tests::client::socket::{keep_talking, tcp_echo};
use octroi_tests::lab::daemon::{Daemon, wait_until};
use octroi_tests::lab::{Lab, wanted};
use octroi_tests::scenario::policy_text;

const ALLOWED: &str = "51.210.0.1:7";
const ALLOWED_V6: &str = "[2001:41d0:303::1]:7";
const BLOCKED: &str = "20.74.0.1:7";
const BLOCKED_V6: &str = "[2603:1020:805::1]:7";
const REJECTED: &str = "170.114.10.10:22";
/// Destinations that no flow has met before the crash.
const ALLOWED_LATER: &str = "78.46.10.10:7";
const BLOCKED_LATER: &str = "13.36.0.10:22";

const SOON: Duration = Duration::from_secs(5);

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

#[test]
fn killed_under_traffic_the_gate_holds_and_the_next_start_takes_over() {
    if !wanted() {
        return;
    }
    let lab = Lab::create().unwrap();
    let cabinet = lab.zone("cabinet").unwrap();
    let daemon = Daemon::start(&lab, &policy_text("lab").unwrap()).unwrap();
    let sees = |to: &str| tcp_echo(cabinet, address(to)).unwrap().seen;

    let probes = [ALLOWED, ALLOWED_V6, BLOCKED, BLOCKED_V6]
        .map(|to| (to, Probe::start(cabinet, address(to))));
    let (go_on, exchanges) = (AtomicBool::new(true), AtomicU64::new(0));
    std::thread::scope(|scope| {
        let conversation = scope.spawn(|| {
            keep_talking(cabinet, address(ALLOWED), Duration::from_millis(10), || {
                exchanges.fetch_add(1, Ordering::Relaxed);
                go_on.load(Ordering::Relaxed)
            })
        });
        let goes_on = |when: &str| {
            let before = exchanges.load(Ordering::Relaxed);
            wait_until(&format!("the conversation goes on {when}"), SOON, || {
                Ok(exchanges.load(Ordering::Relaxed) > before + 2)
            })
            .unwrap();
        };
        goes_on("under the daemon");
        assert_eq!(sees(REJECTED), Seen::Refused);

        daemon.kill().unwrap();
        goes_on("without a daemon");
        assert_eq!(
            sees(ALLOWED_LATER),
            Seen::Answered,
            "a new allowed flow without a daemon"
        );
        assert_eq!(
            sees(BLOCKED_LATER),
            Seen::Timeout,
            "a new blocked flow without a daemon"
        );
        assert_eq!(
            sees(REJECTED),
            Seen::Refused,
            "a new rejected flow without a daemon"
        );

        let daemon = Daemon::start_again(&lab).unwrap();
        goes_on("under the next daemon");
        assert_eq!(
            sees(BLOCKED_LATER),
            Seen::Timeout,
            "a blocked flow under the next daemon"
        );
        let status = daemon.ask_json(&["status"]).unwrap();
        assert_eq!(status["interfaces"][0]["attached"], true, "{status:#}");

        daemon.stop().unwrap();
        goes_on("after an orderly stop");
        assert_eq!(
            sees(BLOCKED_LATER),
            Seen::Timeout,
            "a blocked flow after an orderly stop"
        );
        go_on.store(false, Ordering::Relaxed);
        conversation.join().unwrap().unwrap();
    });
    for (to, probe) in probes {
        let count = probe.stop().unwrap();
        assert!(count.sent > 10, "{to}: {count:?}");
        if to == ALLOWED || to == ALLOWED_V6 {
            assert_eq!(count.answered, count.sent, "{to} was held up: {count:?}");
        } else {
            assert_eq!(count.answered, 0, "{to} was let through: {count:?}");
        }
    }
}

#[test]
fn detached_the_gateway_is_a_plain_router_again() {
    if !wanted() {
        return;
    }
    let lab = Lab::create().unwrap();
    let cabinet = lab.zone("cabinet").unwrap();
    let daemon = Daemon::start(&lab, &policy_text("lab").unwrap()).unwrap();
    let pin_root = daemon.files().pin_root.clone();
    let sees = |to: &str| tcp_echo(cabinet, address(to)).unwrap().seen;
    assert_eq!(sees(BLOCKED_LATER), Seen::Timeout);
    daemon.kill().unwrap();
    assert!(
        pin_root.exists(),
        "nothing is pinned in {}",
        pin_root.display()
    );

    // No daemon is needed to take the gate away.
    detach(&lab, &pin_root);
    assert!(!pin_root.exists(), "{} is still there", pin_root.display());
    assert_eq!(sees(BLOCKED_LATER), Seen::Answered);
    let link = octroi_tests::lab::command::run(
        "ip",
        [
            "-json",
            "-netns",
            lab.namespaces().gateway.name(),
            "link",
            "show",
            "inside0",
        ],
    )
    .unwrap();
    assert!(
        !link.contains("\"xdp\""),
        "a program is still attached: {link}"
    );
}

#[test]
fn a_daemon_whose_gate_was_taken_down_says_so_and_ends() {
    if !wanted() {
        return;
    }
    let lab = Lab::create().unwrap();
    let mut daemon = Daemon::start(&lab, &policy_text("lab").unwrap()).unwrap();
    detach(&lab, &daemon.files().pin_root);
    wait_until("the daemon ended", Duration::from_secs(10), || {
        Ok(!daemon.is_running()?)
    })
    .unwrap();
    let log = daemon.end_of_log();
    assert!(log.contains("the gate was taken down"), "{log}");
}

fn detach(lab: &Lab, pin_root: &Path) {
    let gateway = &lab.namespaces().gateway;
    let mut detach = gateway.command(octroi_tests::lab::binary("octroi").unwrap());
    detach.args(["detach", "--pin-root"]).arg(pin_root);
    octroi_tests::lab::command::finish(&mut detach).unwrap();
}
