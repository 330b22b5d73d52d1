//! A reload and a change of atlas killed in the middle, again and again, under traffic.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use octroi_tests::client::probe::Probe;
use octroi_tests::client::socket::keep_talking;
use octroi_tests::lab::daemon::{Daemon, wait_until};
use octroi_tests::lab::{Lab, wanted};
use octroi_tests::scenario::policy_text;

use crate::world::build;
use crate::{ALLOWED, BLOCKED, SOON, address};

/// How long after the reload was asked for the daemon is killed, milliseconds: before it has begun,
/// while it reads, compiles and fills, and when it is done.
const KILLED_AFTER_MS: [u64; 12] = [0, 2, 5, 10, 20, 30, 45, 60, 80, 120, 200, 400];
const BOUND: Duration = Duration::from_mins(3);

#[test]
fn a_reload_killed_at_any_moment_opens_and_closes_nothing() {
    if !wanted() {
        return;
    }
    let lab = Lab::create().unwrap();
    // Two atlases and two policies that agree on what is asked here.
    let atlases = [
        build(&lab, "one.bin", None),
        build(&lab, "two.bin", Some("90.0.1.0,90.0.1.255,FR\n")),
    ];
    let policy = policy_text("lab").unwrap();
    let policies = [policy.clone(), format!("{policy}\n# Read again.\n")];
    let file = lab.directory().join("atlas.bin");
    let tables = format!(
        "[atlas]\nfile = \"{}\"\nmax_age_d = 100000\n",
        file.display()
    );
    fs::write(&file, &atlases[0]).unwrap();
    let daemon = Daemon::start_with(&lab, &policies[0], &tables).unwrap();
    let cabinet = lab.zone("cabinet").unwrap();

    let began = Instant::now();
    let (go_on, exchanges) = (AtomicBool::new(true), AtomicU64::new(0));
    let probes = [ALLOWED, BLOCKED].map(|to| Probe::start(cabinet, address(to)));
    let mut finished = 0;
    let daemon = std::thread::scope(|scope| {
        let mut daemon = daemon;
        scope.spawn(|| {
            keep_talking(cabinet, address(ALLOWED), Duration::from_millis(10), || {
                exchanges.fetch_add(1, Ordering::Relaxed);
                // A test that fails ends too.
                go_on.load(Ordering::Relaxed) && began.elapsed() < BOUND
            })
        });
        let goes_on = |when: &str| {
            let before = exchanges.load(Ordering::Relaxed);
            wait_until(&format!("the conversation goes on {when}"), SOON, || {
                Ok(exchanges.load(Ordering::Relaxed) > before + 2)
            })
            .unwrap();
        };
        goes_on("at first");
        for (round, delay_ms) in (1..).zip(KILLED_AFTER_MS) {
            fs::write(&file, &atlases[round % 2]).unwrap();
            fs::write(&daemon.files().policy, &policies[round % 2]).unwrap();
            let log = daemon.files().log.clone();
            let told_before = fs::read_to_string(&log).unwrap().len();
            daemon.reload().unwrap();
            std::thread::sleep(Duration::from_millis(delay_ms));
            daemon.kill().unwrap();
            let told = fs::read_to_string(&log).unwrap();
            let told = told.get(told_before..).unwrap();
            finished += usize::from(told.contains("is in force as generation"));
            goes_on(&format!("killed after {delay_ms} ms"));
            daemon = Daemon::start_with(&lab, &policies[round % 2], &tables).unwrap();
            goes_on(&format!("under the start after {delay_ms} ms"));
        }
        go_on.store(false, Ordering::Relaxed);
        daemon
    });
    let [allowed, blocked] = probes.map(|probe| probe.stop().unwrap());
    println!(
        "{} reloads killed, {finished} of them done by then; allowed {allowed:?}, blocked {blocked:?}",
        KILLED_AFTER_MS.len()
    );
    assert_eq!(blocked.answered, 0, "{blocked:?}");
    assert!(blocked.sent > 20, "{blocked:?}");
    // The first datagram may wait for the address resolution of the link.
    assert!(allowed.answered + 1 >= allowed.sent, "{allowed:?}");
    daemon.stop().unwrap();
}
