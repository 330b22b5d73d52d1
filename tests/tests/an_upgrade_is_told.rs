//! A start that finds what an older version pinned says what it did with it: in its log, in
//! `status`, in a notice, and in a closed account for each flow. (That nothing passes meanwhile is
//! proved where the gate of an older version can be raised: in the tests of octroi-datapath.)

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::fs;
use std::net::Ipv4Addr;
use std::time::Duration;

use octroi_tests::lab::command;
use octroi_tests::lab::daemon::{Daemon, Files, wait_until};
use octroi_tests::lab::{Lab, wanted};
use octroi_tests::scenario::policy_text;
use serde_json::Value;

const SOON: Duration = Duration::from_secs(10);
/// Sizes of a flow's key and state in the version before (`LruHash`, pinned as `FLOWS`).
const KEY_BYTES: usize = 40;
const STATE_BYTES: usize = 88;
const PORT: u16 = 40_123;

fn hex(bytes: &[u8]) -> Vec<String> {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A TCP flow from the cabinet to OVH.
fn key() -> [u8; KEY_BYTES] {
    let mut key = [0; KEY_BYTES];
    let mapped = |address: [u8; 4]| Ipv4Addr::from(address).to_ipv6_mapped().octets();
    key[0..16].copy_from_slice(&mapped([10, 10, 0, 10]));
    key[16..32].copy_from_slice(&mapped([51, 210, 0, 1]));
    key[32..34].copy_from_slice(&PORT.to_ne_bytes());
    key[34..36].copy_from_slice(&443_u16.to_ne_bytes());
    key[36] = 6;
    key[37] = 4;
    key
}

/// Seven packets of 700 bytes out, five of 500 back, cut by its name.
fn state() -> [u8; STATE_BYTES] {
    let mut state = [0; STATE_BYTES];
    let now_ns = {
        let uptime = fs::read_to_string("/proc/uptime").unwrap();
        let seconds: f64 = uptime.split(' ').next().unwrap().parse().unwrap();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "nanoseconds since the start of a machine"
        )]
        let ns = (seconds * 1e9) as u64;
        ns
    };
    for (place, word) in [now_ns - 5_000_000_000, now_ns, 7, 700, 5, 500, 7]
        .into_iter()
        .enumerate()
    {
        state[place * 8..place * 8 + 8].copy_from_slice(&word.to_ne_bytes());
    }
    // Generation 1; block; enforced, by name; zone 1.
    state[64] = 1;
    state[75] = 3;
    state[76] = 3;
    state[77] = 1;
    state
}

#[test]
fn what_an_older_version_pinned_is_taken_over_and_told() {
    if !wanted() {
        return;
    }
    let lab = Lab::create().unwrap();
    let older = Files::of(&lab).pin_root.join("v2");
    fs::create_dir_all(older.join("maps")).unwrap();
    let flows = older.join("maps/FLOWS");
    let flows = flows.to_str().unwrap();
    let make = format!(
        "map create {flows} type lru_hash key {KEY_BYTES} value {STATE_BYTES} entries 1024 name FLOWS"
    );
    command::run("bpftool", make.split(' ')).unwrap();
    let mut update: Vec<String> = ["map", "update", "pinned", flows, "key", "hex"]
        .map(str::to_owned)
        .to_vec();
    update.extend(hex(&key()));
    update.extend(["value", "hex"].map(str::to_owned));
    update.extend(hex(&state()));
    command::run("bpftool", &update).unwrap();

    let daemon = Daemon::start(&lab, &policy_text("lab").unwrap()).unwrap();
    let status = daemon.ask_json(&["status"]).unwrap();
    let told = status["taken_over"][0].as_str().unwrap();
    assert!(
        told.contains("the gate of ABI 2 on no interface was taken over"),
        "{told}"
    );
    assert!(told.contains("1 flows closed, 1 of them go on"), "{told}");
    let text = daemon.ask(&["status"]).unwrap();
    assert!(text.contains(told), "{text}");
    let log = fs::read_to_string(&daemon.files().log).unwrap();
    assert!(log.contains(told), "{log}");
    assert!(!older.exists(), "the older pins are gone");

    let mut account = Value::Null;
    wait_until("the account is told", SOON, || {
        let events = daemon.events()?;
        let found = events
            .into_iter()
            .find(|event| event["event_type"] == "flow" && event["src_port"] == PORT);
        account = found.unwrap_or_default();
        Ok(!account.is_null())
    })
    .unwrap();
    let flow = &account["flow"];
    assert_eq!(flow["reason"], "upgrade", "{account:#}");
    assert_eq!(flow["pkts_toserver"], 7, "{account:#}");
    assert_eq!(flow["bytes_toclient"], 500, "{account:#}");
    let events = daemon.events().unwrap();
    let notice = events.iter().find(|event| {
        event["event_type"] == "engine" && event["metadata"].to_string().contains("\"upgraded\"")
    });
    assert!(notice.is_some(), "a notice tells it");
    daemon.stop().unwrap();
}
