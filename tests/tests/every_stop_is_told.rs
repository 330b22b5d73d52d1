//! What the gate stops, a SOC reads: one EVE line with the whole reason.

use std::time::Duration;

use octroi_tests::client::curl::Request;
use octroi_tests::client::socket::tcp_echo;
use octroi_tests::lab::daemon::{Daemon, wait_until};
use octroi_tests::lab::{Lab, wanted};
use octroi_tests::scenario::policy_text;
use serde_json::Value;

const SOON: Duration = Duration::from_secs(10);

/// Waits for an alert about a destination.
fn alert_about(daemon: &Daemon, destination: &str) -> Result<Value, octroi_tests::lab::LabError> {
    let mut found = None;
    wait_until(&format!("an alert about {destination}"), SOON, || {
        found = daemon
            .events()?
            .into_iter()
            .find(|event| event["event_type"] == "alert" && event["dest_ip"] == destination);
        Ok(found.is_some())
    })?;
    Ok(found.unwrap_or_default())
}

#[test]
fn an_alert_carries_the_three_axes_the_rule_and_the_laws() {
    if !wanted() {
        return;
    }
    let lab = Lab::create().unwrap();
    let daemon = Daemon::start(&lab, &policy_text("lab").unwrap()).unwrap();
    let cabinet = lab.zone("cabinet").unwrap();
    tcp_echo(cabinet, "20.74.0.1:22".parse().unwrap()).unwrap();
    let alert = alert_about(&daemon, "20.74.0.1").unwrap();
    assert_eq!(alert["src_ip"], "10.10.0.10", "{alert:#}");
    assert_eq!(alert["dest_port"], 22, "{alert:#}");
    assert_eq!(alert["proto"], "TCP", "{alert:#}");
    assert_eq!(alert["alert"]["action"], "blocked", "{alert:#}");
    let residency = &alert["alert"]["context"]["residency"];
    assert_eq!(residency["host_country"], "FR", "{alert:#}");
    assert_eq!(residency["control_country"], "US", "{alert:#}");
    assert_eq!(residency["rule"], "foreign-control", "{alert:#}");
    assert_eq!(residency["verdict"], "block", "{alert:#}");
    assert_eq!(residency["enforced"], true, "{alert:#}");
    for list in ["legal_regimes", "evidence", "rule_path"] {
        let list = residency[list].as_array().map_or(0, Vec::len);
        assert!(list > 0, "{alert:#}");
    }
}

#[test]
fn an_alert_about_a_banned_tool_names_the_sovereign_one() {
    if !wanted() {
        return;
    }
    let lab = Lab::create().unwrap();
    let daemon = Daemon::start(&lab, &policy_text("lab").unwrap()).unwrap();
    let authority = lab.authority();
    let request = Request {
        url: "https://zoom.us/".to_owned(),
        address: None,
        authority: &authority,
    };
    request.fetch(lab.zone("cabinet").unwrap()).unwrap();
    let alert = alert_about(&daemon, "51.210.0.80").unwrap();
    let residency = &alert["alert"]["context"]["residency"];
    assert_eq!(residency["rule"], "banned-tools", "{alert:#}");
    assert_eq!(residency["service"], "zoom", "{alert:#}");
    assert!(
        alert.to_string().contains("visio"),
        "no alternative is named: {alert:#}"
    );
}
