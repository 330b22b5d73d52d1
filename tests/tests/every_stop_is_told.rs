//! What the gate stops, a SOC reads: one EVE line with the whole reason; and what it did with a flow
//! is explained later, by the id of the flow.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

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

    // Asked by any id of the alert, the daemon tells what it told then, and decides the same today.
    let events = alert["metadata"]["flowvars"].as_array();
    let event_id = events.and_then(|vars| vars.iter().find(|var| var["key"] == "event_id"));
    for id in [
        &alert["flow_id"],
        &alert["community_id"],
        &event_id.unwrap()["value"],
    ] {
        let past = explained(&daemon, id);
        assert_eq!(past["destination"], "20.74.0.1", "{id}: {past:#}");
        assert_eq!(past["flow_id"], alert["flow_id"], "{id}: {past:#}");
        told_alike(&past, "block", "foreign-control");
        assert_eq!(past["residency"]["evidence"], residency["evidence"], "{id}");
    }

    // So with a flow that passes, by the id that `octroi flows` shows.
    tcp_echo(cabinet, "51.210.0.1:7".parse().unwrap()).unwrap();
    let mut id = Value::Null;
    wait_until("the flow is listed", SOON, || {
        let rows = daemon.ask_json(&["flows", "--filter", "51.210.0.1"])?;
        id = rows[0]["id"].clone();
        Ok(id.is_u64())
    })
    .unwrap();
    let past = explained(&daemon, &id);
    assert_eq!(past["told_by"], "live", "{past:#}");
    assert_eq!(past["destination"], "51.210.0.1", "{past:#}");
    told_alike(&past, "allow", "european-place");
    let nobody = daemon.try_ask(&["explain", "--flow", "1"]).unwrap();
    assert_eq!(nobody.status.code(), Some(1));
    let error = String::from_utf8_lossy(&nobody.stderr);
    assert!(
        error.contains("id 1") && error.contains("--from"),
        "{error}"
    );
}

/// What `octroi explain --flow ID` says of a flow.
fn explained(daemon: &Daemon, id: &Value) -> Value {
    let id = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
    let mut answers = daemon.ask_json(&["explain", "--flow", &id]).unwrap();
    answers[0].take()
}

/// The same verdict by the same rule, then and today, and nothing else that differs.
fn told_alike(past: &Value, verdict: &str, rule: &str) {
    for reason in [&past["residency"], &past["today"]] {
        assert_eq!(reason["verdict"], verdict, "{past:#}");
        assert_eq!(reason["rule"], rule, "{past:#}");
    }
    assert_eq!(past["differences"], serde_json::json!([]), "{past:#}");
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
