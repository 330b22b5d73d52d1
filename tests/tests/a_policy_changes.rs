//! A policy changes under traffic: all of it or nothing of it, and a broken one changes nothing.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use octroi_tests::client::Seen;
use octroi_tests::client::socket::tcp_echo;
use octroi_tests::lab::daemon::{Daemon, wait_until};
use octroi_tests::lab::{Lab, wanted};
use octroi_tests::scenario::policy_text;

const SOON: Duration = Duration::from_secs(10);

fn sees(lab: &Lab, to: &str) -> Seen {
    let to: SocketAddr = to.parse().unwrap();
    tcp_echo(lab.zone("cabinet").unwrap(), to).unwrap().seen
}

fn digest(daemon: &Daemon) -> String {
    let status = daemon.ask_json(&["status"]).unwrap();
    status["policy"]["sha256"].as_str().unwrap().to_owned()
}

#[test]
fn a_broken_file_changes_nothing_and_is_told() {
    if !wanted() {
        return;
    }
    let lab = Lab::create().unwrap();
    let good = policy_text("lab").unwrap();
    let mut daemon = Daemon::start(&lab, &good).unwrap();
    let before = digest(&daemon);
    for broken in [
        good.replace("from = [\"cabinet\"]", "from = [\"cabinett\"]"),
        good.replace("[[zone]]", "[[zone"),
        String::new(),
    ] {
        let log_before = fs::read_to_string(&daemon.files().log).unwrap().len();
        fs::write(&daemon.files().policy, &broken).unwrap();
        daemon.reload().unwrap();
        let file = daemon
            .files()
            .policy
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        wait_until("the log names the broken file", SOON, || {
            let log = fs::read_to_string(&daemon.files().log).unwrap();
            Ok(log.get(log_before..).unwrap().contains(&file))
        })
        .unwrap();
        assert!(daemon.is_running().unwrap(), "{}", daemon.end_of_log());
        assert_eq!(digest(&daemon), before);
        assert_eq!(sees(&lab, "51.210.0.1:7"), Seen::Answered);
        assert_eq!(sees(&lab, "170.114.10.10:22"), Seen::Refused);
    }
    assert_eq!(sees(&lab, "20.74.0.1:22"), Seen::Timeout);
}

#[test]
fn a_new_file_holds_for_old_and_new_flows() {
    if !wanted() {
        return;
    }
    let lab = Lab::create().unwrap();
    let good = policy_text("lab").unwrap();
    let daemon = Daemon::start(&lab, &good).unwrap();
    assert_eq!(sees(&lab, "51.210.0.1:7"), Seen::Answered);
    assert_eq!(sees(&lab, "170.114.10.10:22"), Seen::Refused);

    // France is banned, Zoom is not.
    let rule = "[[rule]]\nid = \"not-france\"\ntitle = \"Not France\"\nverdict = \"reject\"\n\
                hosting = [\"FR\"]\n\n\
                [[rule]]\nid = \"zoom-again\"\ntitle = \"Zoom\"\nverdict = \"allow\"\n\
                service = [\"zoom\"]\n\n";
    let (head, rules) = good.split_once("[[rule]]").unwrap();
    let changed = format!("{head}{rule}[[rule]]{rules}");
    let before = digest(&daemon);
    fs::write(&daemon.files().policy, changed).unwrap();
    daemon.reload().unwrap();
    wait_until("the new policy is in force", SOON, || {
        Ok(digest(&daemon) != before)
    })
    .unwrap();
    assert_eq!(sees(&lab, "51.210.0.1:7"), Seen::Refused);
    assert_eq!(sees(&lab, "170.114.10.10:22"), Seen::Answered);
}
