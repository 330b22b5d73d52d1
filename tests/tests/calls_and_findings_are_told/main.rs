//! A call of people is one record, and a visit to a tracking link one finding: in the event stream,
//! over the socket, on the command line and on the dashboard.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod terminal;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use octroi_tests::client::Seen;
use octroi_tests::client::call::talk;
use octroi_tests::client::curl::Request;
use octroi_tests::lab::daemon::{Daemon, wait_until};
use octroi_tests::lab::{Lab, LabError, wanted};
use octroi_tests::scenario::policy_text;
use serde_json::Value;
use terminal::Dashboard;

/// What should come soon comes within this time on a machine that is busy with other things too.
const PATIENCE: Duration = Duration::from_mins(1);
/// Short calls, so that the test is short; but a silence that a busy machine could make by itself
/// does not cut one in two.
const SHORT_CALLS: &str = "[calls]\nleast_s = 3\ngap_s = 20\n\n[flows]\nudp_s = 10\n";

/// Rows of a command, once there is one for which the test holds.
fn rows_when(
    daemon: &Daemon,
    arguments: &[&str],
    what: &str,
    holds: impl Fn(&Value) -> bool,
) -> Vec<Value> {
    let mut rows = Vec::new();
    let looked = wait_until(what, PATIENCE, || {
        let found = daemon.ask_json(arguments)?;
        rows = found.as_array().cloned().unwrap_or_default();
        Ok(rows.iter().any(&holds))
    });
    if let Err(error) = looked {
        panic!("{error}; octroi {arguments:?} says {rows:#?}");
    }
    rows
}

fn events(daemon: &Daemon, holds: impl Fn(&Value) -> bool) -> Result<Vec<Value>, LabError> {
    let mut events = daemon.events()?;
    events.retain(holds);
    Ok(events)
}

#[test]
fn a_call_is_one_record_while_it_runs_and_afterwards() {
    if !wanted() {
        return;
    }
    let lab = Lab::create().unwrap();
    let daemon = Daemon::start_with(&lab, &policy_text("watch").unwrap(), SHORT_CALLS).unwrap();
    let cabinet = lab.zone("cabinet").unwrap();
    let mut dashboard = Dashboard::open(&daemon);
    dashboard.press("4");
    let none = daemon.ask(&["calls"]).unwrap();
    assert!(none.contains("0 of 0 matching calls"), "{none}");

    let goes_on = AtomicBool::new(true);
    let talked = std::thread::scope(|scope| {
        let media = scope.spawn(|| {
            talk(cabinet, "52.112.0.10:3478".parse().unwrap(), || {
                goes_on.load(Ordering::Relaxed)
            })
        });
        // Whatever fails, the client ends.
        let _end = EndOf(&goes_on);
        let rows = rows_when(&daemon, &["calls"], "a call runs", |_| true);
        assert_eq!(rows.len(), 1, "{rows:#?}");
        assert_eq!(rows[0]["event"], Value::Null, "{rows:#?}");
        dashboard.wait_for(PATIENCE, &["running", "10.10.0.10", "Microsoft Teams"]);
        goes_on.store(false, Ordering::Relaxed);
        media.join().unwrap().unwrap()
    });

    let is_over = |row: &Value| row["event"].is_u64();
    let rows = rows_when(&daemon, &["calls"], "the call is over", is_over);
    assert_eq!(rows.len(), 1, "one call is one record: {rows:#?}");
    let call = &rows[0];
    for (key, expected) in [
        ("client", "10.10.0.10"),
        ("zone", "cabinet"),
        ("service", "ms-teams"),
        ("operator_id", "microsoft"),
        ("control_country", "US"),
        ("certainty", "high"),
        ("verdict", "flag"),
    ] {
        assert_eq!(call[key], expected, "{key}: {call:#}");
    }
    assert!(call["seconds"].as_u64().unwrap() >= 3, "{call:#}");
    assert_eq!(
        call["peers"],
        serde_json::json!(["52.112.0.10"]),
        "{call:#}"
    );
    for word in ["media_shape", "service_prefix", "stun"] {
        let evidence = call["evidence"].as_array().unwrap();
        assert!(evidence.iter().any(|known| known == word), "{call:#}");
    }
    let number = |key: &str| call[key].as_u64().unwrap();
    // Whatever was lost on the way to the gate, it counted what the client cannot have made up.
    for (least, key, most) in [
        (talked.received, "reply_packets", talked.sent),
        (number("reply_packets"), "outbound_packets", talked.sent),
        (talked.received_bytes, "reply_bytes", talked.sent_bytes),
        (number("reply_bytes"), "outbound_bytes", talked.sent_bytes),
    ] {
        let counted = number(key);
        assert!(
            least <= counted && counted <= most,
            "{key} {counted}: {talked:?} {call:#}"
        );
    }
    dashboard.wait_for(PATIENCE, &["over", "10.10.0.10", "Microsoft Teams"]);

    // The same in the event stream, once.
    let is_call = |event: &Value| event["event_type"] == "netflow";
    wait_until("the event of the call", PATIENCE, || {
        Ok(!events(&daemon, is_call)?.is_empty())
    })
    .unwrap();
    let filtered = |filter: &str| daemon.ask_json(&["calls", "--filter", filter]).unwrap();
    assert_eq!(
        filtered("service:ms-teams dst:52.112.0.10 state:over lasted>2s")[0]["id"],
        call["id"]
    );
    assert_eq!(filtered("service:zoom"), serde_json::json!([]));
    let table = daemon.ask(&["calls"]).unwrap();
    assert!(table.contains("Microsoft Teams"), "{table}");
    let eve = daemon.files().eve.clone();
    daemon.stop().unwrap();
    let text = std::fs::read_to_string(eve).unwrap();
    let told: Vec<Value> = { text.lines() }
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(is_call)
        .collect();
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_eq!(told[0]["src_ip"], "10.10.0.10", "{told:#?}");
    assert_eq!(
        told[0]["netflow"]["pkts"],
        number("outbound_packets") + number("reply_packets")
    );
}

/// Ends a client when a test ends, by a failure too.
struct EndOf<'a>(&'a AtomicBool);

impl Drop for EndOf<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

#[test]
fn a_visit_to_a_tracking_link_is_one_finding() {
    if !wanted() {
        return;
    }
    let lab = Lab::create().unwrap();
    let daemon = Daemon::start(&lab, &policy_text("watch").unwrap()).unwrap();
    let mut dashboard = Dashboard::open(&daemon);
    dashboard.press("5");
    let authority = lab.authority();
    // A client on a busy machine may give up and try again: one finding all the same.
    let visit = |zone: &str, expected: Seen| {
        let request = Request {
            url: "https://grabify.link/".to_owned(),
            address: None,
            authority: &authority,
        };
        let what = format!("{zone} sees: {expected}");
        wait_until(&what, PATIENCE, || {
            Ok(request.fetch(lab.zone(zone)?)?.seen == expected)
        })
        .unwrap();
    };
    visit("cabinet", Seen::Answered);

    // Asked for in DNS and said in the handshake: one finding all the same.
    let has = |row: &Value, word: &str| row["seen_by"].to_string().contains(&format!("\"{word}\""));
    let said = |row: &Value| has(row, "query") && has(row, "sni");
    let rows = rows_when(&daemon, &["findings"], "a finding", said);
    assert_eq!(rows.len(), 1, "{rows:#?}");
    let finding = &rows[0];
    assert_eq!(finding["client"], "10.10.0.10", "{finding:#}");
    assert_eq!(finding["state"], "open", "{finding:#}");
    assert_eq!(finding["severity"], "high", "{finding:#}");
    assert_eq!(finding["matter"]["kind"], "ip_logger", "{finding:#}");
    assert_eq!(finding["matter"]["family"], "grabify", "{finding:#}");
    assert_eq!(finding["matter"]["host"], "grabify.link", "{finding:#}");
    assert_eq!(finding["destination"], "51.210.0.77", "{finding:#}");
    let source = finding["matter"]["source"].as_str().unwrap();
    assert!(!source.is_empty(), "{finding:#}");
    dashboard.wait_for(PATIENCE, &["open", "HIGH", "10.10.0.10", "grabify.link"]);
    // The policy has a word for it too.
    // (The flow itself may be over by now: its alert stays.)
    let is_flagged = |event: &Value| {
        event["alert"]["context"]["residency"]["rule"] == "tracking-links"
            && event["dest_ip"] == "51.210.0.77"
    };
    wait_until("the alert of the rule", PATIENCE, || {
        Ok(!events(&daemon, is_flagged)?.is_empty())
    })
    .unwrap();

    // Somebody looks into it.
    let id = finding["id"].as_u64().unwrap().to_string();
    let told = daemon.ask(&["findings", "--acknowledge", &id]).unwrap();
    assert!(told.contains("is acknowledged by root"), "{told}");
    let told = daemon.ask(&["findings", "--acknowledge", &id]).unwrap();
    assert!(told.contains("nothing changed"), "{told}");
    dashboard.wait_for(PATIENCE, &["ack", "10.10.0.10", "grabify.link"]);
    let nobody = daemon.try_ask(&["findings", "--acknowledge", "1"]).unwrap();
    let error = String::from_utf8_lossy(&nobody.stderr);
    assert!(error.contains("no open finding has the id 1"), "{error}");

    // A guest's question is refused by the same word; it is a finding of its own, never opened.
    visit("guest", Seen::NoName);
    let of_guest = |row: &Value| row["client"] == "10.20.0.10";
    let rows = rows_when(&daemon, &["findings"], "the guest's finding", of_guest);
    assert_eq!(rows.len(), 2, "{rows:#?}");
    let guest = rows.iter().find(|row| of_guest(row)).unwrap();
    assert_eq!(guest["seen_by"], serde_json::json!(["query"]), "{guest:#}");
    assert_eq!(guest["destination"], Value::Null, "{guest:#}");
    let filtered = |filter: &str| daemon.ask_json(&["findings", "--filter", filter]).unwrap();
    assert_eq!(
        filtered("family:grabify state:open zone:guest")[0]["id"],
        guest["id"]
    );
    assert_eq!(filtered("finding:look_alike"), serde_json::json!([]));

    // Told in the event stream: created once, acknowledged once, closed at the end.
    let eve = daemon.files().eve.clone();
    daemon.stop().unwrap();
    let text = std::fs::read_to_string(eve).unwrap();
    let words: Vec<Value> = { text.lines() }
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|mut event| event["alert"]["context"]["finding"].take())
        .filter(|word| word["client"] == "10.10.0.10")
        .collect();
    let activities: Vec<&str> = { words.iter() }
        .map(|word| word["activity"].as_str().unwrap())
        .collect();
    assert_eq!(activities, ["create", "update", "close"], "{words:#?}");
    assert_eq!(words[1]["acknowledged"]["by"], "root", "{words:#?}");
    assert!(
        words
            .iter()
            .all(|word| word["id"].as_u64() == finding["id"].as_u64()),
        "{words:#?}"
    );
}
