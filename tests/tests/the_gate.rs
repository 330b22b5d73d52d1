//! The gate between real clients and real servers: verdict, rule and what the client sees.

use octroi_tests::lab::daemon::Daemon;
use octroi_tests::lab::{Lab, wanted};
use octroi_tests::scenario::{Report, Scenario, play};

#[test]
fn every_row_of_the_demonstration() {
    if !wanted() {
        return;
    }
    let lab = Lab::create().unwrap();
    let scenario = Scenario::load("demo").unwrap();
    let daemon = Daemon::start(&lab, &scenario.policy_text().unwrap()).unwrap();
    let outcomes = play(&lab, &daemon, &scenario).unwrap();
    let report = Report::new(&scenario.title, &outcomes);
    assert!(report.is_good(), "{report}\n{}", daemon.end_of_log());
}

#[test]
fn monitor_mode_stops_nobody_and_says_what_it_would_have_done() {
    if !wanted() {
        return;
    }
    let lab = Lab::create().unwrap();
    let scenario = Scenario::load("monitor").unwrap();
    let daemon = Daemon::start(&lab, &scenario.policy_text().unwrap()).unwrap();
    let outcomes = play(&lab, &daemon, &scenario).unwrap();
    let report = Report::new(&scenario.title, &outcomes);
    assert!(report.is_good(), "{report}\n{}", daemon.end_of_log());
}
