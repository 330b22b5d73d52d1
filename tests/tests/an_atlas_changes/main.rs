//! The atlas changes under traffic: what strangers publish goes wrong in every way, and nothing
//! changes but what is told; then one prefix moves, and the flow to it is cut and listed.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod killed;
mod server;
mod world;
#[expect(
    dead_code,
    reason = "the writer knows more of the format than is needed here"
)]
#[path = "../../../geo-db/tests/mmdb/writer.rs"]
mod writer;

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use octroi_tests::client::Seen;
use octroi_tests::client::probe::Probe;
use octroi_tests::client::socket::{keep_talking, tcp_echo};
use octroi_tests::lab::daemon::{Daemon, wait_until};
use octroi_tests::lab::{Lab, wanted};
use octroi_tests::scenario::policy_text;
use serde_json::Value;

use self::server::{Answer, Server};
use self::world::{Sources, build, octroi};

const ALLOWED: &str = "51.210.0.1:7";
const BLOCKED: &str = "20.74.0.1:7";
const SOON: Duration = Duration::from_secs(15);
/// All of it, failures and the good end.
const BOUND: Duration = Duration::from_mins(1);

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// `octroi status --json`, healthy or not.
fn status(daemon: &Daemon) -> Value {
    let output = daemon.try_ask(&["status", "--json"]).unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The messages and facts of every notice of one kind.
fn notices(daemon: &Daemon, kind: &str) -> Vec<String> {
    let is_kind = |event: &Value| {
        let vars = event["metadata"]["flowvars"].as_array();
        let mut vars = vars.into_iter().flatten();
        vars.any(|var| var["key"] == "notice" && var["value"] == kind)
    };
    let events = daemon.events().unwrap();
    let found = events
        .iter()
        .filter(|event| event["event_type"] == "engine" && is_kind(event));
    found
        .map(|event| format!("{} {}", event["engine"]["message"], event["metadata"]))
        .collect()
}

/// Has the daemon update its atlas and waits until it has ended.
fn update(daemon: &Daemon) -> Value {
    let before = status(daemon)["atlas"]["update"]["time"].clone();
    daemon.update().unwrap();
    let mut now = Value::Null;
    wait_until("the update has ended", SOON, || {
        now = status(daemon)["atlas"].clone();
        Ok(now["update"]["time"] != before)
    })
    .unwrap();
    now
}

/// Builds the first atlas from the server; returns its file and the daemon's configuration.
fn first_atlas(lab: &Lab, server: &Server) -> (PathBuf, String) {
    let directory = lab.directory();
    let atlas = directory.join("atlas.bin");
    let declaration = directory.join("sources.toml");
    fs::write(directory.join("systems.csv"), world::SYSTEMS).unwrap();
    fs::write(&declaration, world::declaration(&server.base())).unwrap();
    let first = octroi(lab, &["geo-db", "update", "--json"])
        .arg("--sources")
        .arg(&declaration)
        .arg("--output")
        .arg(&atlas)
        .output()
        .unwrap();
    assert!(
        first.status.success(),
        "{}{}",
        String::from_utf8_lossy(&first.stdout),
        String::from_utf8_lossy(&first.stderr)
    );
    let tables = format!(
        "[atlas]\nfile = \"{}\"\nsources = \"{}\"\nupdate_every_h = 0\n\
         timeout_s = 1\nmax_age_d = 100000\n",
        atlas.display(),
        declaration.display()
    );
    (atlas, tables)
}

#[test]
fn what_goes_wrong_changes_nothing_and_what_is_right_moves_the_flow() {
    if !wanted() {
        return;
    }
    let lab = Lab::create().unwrap();
    let server = Server::start(&lab.namespaces().gateway).unwrap();
    let good = Sources::good();
    good.serve(&server);
    let (atlas, tables) = first_atlas(&lab, &server);
    let daemon = Daemon::start_with(&lab, &policy_text("lab").unwrap(), &tables).unwrap();
    let cabinet = lab.zone("cabinet").unwrap();
    let sees = |to: &str| tcp_echo(cabinet, address(to)).unwrap().seen;
    assert_eq!(sees(ALLOWED), Seen::Answered);
    let version = status(&daemon)["atlas"]["version"].clone();
    let bytes = fs::read(&atlas).unwrap();

    let began = Instant::now();
    let (go_on, exchanges) = (AtomicBool::new(true), AtomicU64::new(0));
    std::thread::scope(|scope| {
        let conversation = scope.spawn(|| {
            keep_talking(cabinet, address(ALLOWED), Duration::from_millis(20), || {
                exchanges.fetch_add(1, Ordering::Relaxed);
                // A test that fails ends too.
                go_on.load(Ordering::Relaxed) && began.elapsed() < BOUND
            })
        });
        let allowed = Probe::start(cabinet, address(ALLOWED));
        let blocked = Probe::start(cabinet, address(BLOCKED));
        for failure in world::failures(&good) {
            let told = notices(&daemon, "atlas_refused").len();
            server.answer(failure.path, failure.answer);
            let now = update(&daemon);
            good.serve(&server);

            let name = failure.name;
            assert_eq!(now["version"], version, "{name}");
            assert_ne!(now["update"]["outcome"], "updated", "{name}: {now:#}");
            assert_eq!(
                fs::read(&atlas).unwrap(),
                bytes,
                "{name}: the file on the disk"
            );
            let mut notices = notices(&daemon, "atlas_refused");
            wait_until(&format!("{name} is told"), SOON, || {
                notices = self::notices(&daemon, "atlas_refused");
                Ok(notices.len() > told)
            })
            .unwrap();
            assert_eq!(notices.len(), told + 1, "{name}: {notices:#?}");
            let notice = notices.last().unwrap();
            for word in [failure.source, failure.says] {
                assert!(
                    notice.contains(word),
                    "{name}: {word:?} is missing in {notice}"
                );
            }
            let before = exchanges.load(Ordering::Relaxed);
            wait_until(
                &format!("the conversation goes on after {name}"),
                SOON,
                || Ok(exchanges.load(Ordering::Relaxed) > before + 1),
            )
            .unwrap();
        }
        let (allowed, blocked) = (allowed.stop().unwrap(), blocked.stop().unwrap());
        assert_eq!(blocked.answered, 0, "{blocked:?}");
        assert!(blocked.sent > 5, "{blocked:?}");
        // The first datagram may wait for the address resolution of the link.
        assert!(allowed.answered + 2 >= allowed.sent, "{allowed:?}");
        assert!(allowed.sent > 20, "{allowed:?}");

        // Nothing new: nothing is told.
        let told = notices(&daemon, "atlas_refused").len();
        let now = update(&daemon);
        assert_eq!(now["update"]["outcome"], "unchanged", "{now:#}");
        assert_eq!(notices(&daemon, "atlas_refused").len(), told);

        server.answer("/place.csv", Answer::ok(&world::places(world::MOVED)));
        let now = update(&daemon);
        assert_eq!(now["update"]["outcome"], "updated", "{now:#}");
        assert_ne!(now["version"], version);
        wait_until("the conversation is cut", SOON, || {
            Ok(conversation.is_finished())
        })
        .unwrap();
    });
    go_on.store(false, Ordering::Relaxed);
    assert_eq!(sees(ALLOWED), Seen::Refused);
    assert_ne!(sees(BLOCKED), Seen::Answered);
    let applied = notices(&daemon, "atlas_applied");
    let [applied] = &applied[..] else {
        panic!("{applied:#?}");
    };
    for word in [
        "51.210.0.1 port 7",
        "FR located",
        "US located",
        "flow_1",
        "ovh",
    ] {
        assert!(applied.contains(word), "{word:?} is missing in {applied}");
    }
    assert!(began.elapsed() < BOUND, "{:?}", began.elapsed());
}

#[test]
fn only_a_signed_atlas_is_taken() {
    if !wanted() {
        return;
    }
    let lab = Lab::create().unwrap();
    let directory = lab.directory();
    let (one, two, file) = (
        build(&lab, "one.bin", None),
        build(&lab, "two.bin", Some(world::MOVED)),
        directory.join("atlas.bin"),
    );
    let pair = minisign::KeyPair::generate_unencrypted_keypair().unwrap();
    let stranger = minisign::KeyPair::generate_unencrypted_keypair().unwrap();
    let sign = |pair: &minisign::KeyPair, bytes: &[u8]| {
        let signature = minisign::sign(None, &pair.sk, bytes, Some("of the lab"), None).unwrap();
        fs::write(directory.join("atlas.bin.minisig"), signature.into_string()).unwrap();
    };
    let tables = format!(
        "[atlas]\nfile = \"{}\"\npublic_key = \"{}\"\nmax_age_d = 100000\n",
        file.display(),
        pair.pk.to_base64()
    );
    let policy = policy_text("lab").unwrap();

    fs::write(&file, &one).unwrap();
    sign(&stranger, &one);
    let error = Daemon::start_with(&lab, &policy, &tables)
        .unwrap_err()
        .to_string();
    assert!(error.contains("atlas.bin.minisig"), "{error}");
    assert!(error.contains("does not hold"), "{error}");

    sign(&pair, &one);
    let daemon = Daemon::start_with(&lab, &policy, &tables).unwrap();
    let atlas = status(&daemon)["atlas"].clone();
    assert_eq!(atlas["signature"], "of the lab", "{atlas:#}");
    let cabinet = lab.zone("cabinet").unwrap();
    let sees = |to: &str| tcp_echo(cabinet, address(to)).unwrap().seen;
    assert_eq!(sees(ALLOWED), Seen::Answered);

    fs::write(&file, &two).unwrap();
    let refused = |told: usize, says: &str| {
        daemon.reload().unwrap();
        wait_until("the refusal is told", SOON, || {
            Ok(notices(&daemon, "atlas_refused").len() > told)
        })
        .unwrap();
        let notices = notices(&daemon, "atlas_refused");
        assert_eq!(notices.len(), told + 1, "{notices:#?}");
        let notice = notices.last().unwrap();
        assert!(
            notice.contains(says) && notice.contains("atlas.bin"),
            "{notice}"
        );
        assert_eq!(status(&daemon)["atlas"]["version"], atlas["version"]);
        assert_eq!(sees(ALLOWED), Seen::Answered);
    };
    // Still the signature of the other one; then a stranger's; then none.
    refused(0, "does not hold");
    sign(&stranger, &two);
    refused(1, "does not hold");
    fs::remove_file(directory.join("atlas.bin.minisig")).unwrap();
    refused(2, "minisign -S");

    sign(&pair, &two);
    daemon.reload().unwrap();
    wait_until("the signed atlas is in force", SOON, || {
        Ok(status(&daemon)["atlas"]["version"] != atlas["version"])
    })
    .unwrap();
    assert_eq!(sees(ALLOWED), Seen::Refused);
}
