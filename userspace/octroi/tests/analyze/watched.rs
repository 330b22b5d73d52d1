//! Calls and tracking links in a capture: every format tells the same ones, and EVE tells them as
//! the gate does.

use serde_json::Value;

use crate::traffic::{Timed, dns, hello, ip, pcap, tcp, udp};
use crate::{printed, without_ids, write};

const CLIENT: [u8; 4] = [10, 0, 0, 9];
const RESOLVER: [u8; 4] = [9, 9, 9, 9];
/// Of a prefix that carries Microsoft Teams alone.
const RELAY: [u8; 4] = [52, 112, 0, 9];
const BEGIN_US: u64 = 1_700_000_000_000_000;

/// Somebody signs in to Teams, talks for a minute, and opens a tracking link that came in the chat.
fn a_call_and_a_link() -> Vec<Timed> {
    let mut packets = Vec::new();
    let hello = hello("teams.microsoft.com", "h2");
    let segment = tcp(50_000, 443, 1, 0x18, &hello);
    packets.push((BEGIN_US, ip(CLIENT, [52, 113, 194, 132], 6, 0, &segment)));
    for number in 0..3_000 {
        let at = BEGIN_US + 5_000_000 + number * 20_000;
        let sound = udp(50_010, 3_478, &[0x90; 172]);
        packets.push((at, ip(CLIENT, RELAY, 17, 0, &sound)));
        let answer = udp(3_478, 50_010, &[0x90; 500]);
        packets.push((at + 10_000, ip(RELAY, CLIENT, 17, 0, &answer)));
    }
    for (id, at_s) in [(1, 30), (2, 40)] {
        let query = udp(5_353 + id, 53, &dns(id, "grabify.link", &[]));
        let at = BEGIN_US + at_s * 1_000_000;
        packets.push((at, ip(CLIENT, RESOLVER, 17, 0, &query)));
    }
    packets.sort_by_key(|(at, _)| *at);
    packets
}

fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The value behind a key of `metadata.flowvars`.
fn variable<'a>(event: &'a Value, key: &str) -> Option<&'a Value> {
    let variables = event["metadata"]["flowvars"].as_array()?;
    let found = variables.iter().find(|variable| variable["key"] == key)?;
    Some(&found["value"])
}

#[test]
fn eve_tells_calls_and_tracking_links_as_the_gate_does() {
    let directory = tempfile::tempdir().unwrap();
    let path = write(directory.path(), "call.pcap", &pcap(&a_call_and_a_link()));
    let document: Value = serde_json::from_str(&printed(&["--json", &path])).unwrap();
    let (calls, findings) = (&document["calls"], &document["findings"]);
    assert_eq!(calls.as_array().unwrap().len(), 1, "{calls}");
    assert_eq!(findings.as_array().unwrap().len(), 1, "{findings}");

    let text = printed(&["--format", "eve", "--threads", "1", &path]);
    let events = lines(&text);
    let told: Vec<&Value> = events
        .iter()
        .filter(|event| event["event_type"] == "netflow")
        .collect();
    let [call] = told[..] else {
        panic!("{} calls", told.len());
    };
    assert_eq!(call["src_ip"], "10.0.0.9");
    assert_eq!(call["dest_ip"], "52.112.0.9");
    assert_eq!(call["netflow"]["pkts"], 6_000);
    assert_eq!(call["netflow"]["age"], 59);
    let labels = call["traffic"]["label"].as_array().unwrap();
    for label in ["service/ms-teams", "operator/microsoft", "control/US"] {
        assert!(labels.iter().any(|other| other == label), "{label}: {call}");
    }
    let whole = call["metadata"]["flowvars"].as_array().unwrap();
    let whole = whole.iter().find_map(|variable| variable.get("call"));
    assert_eq!(whole, Some(&calls[0]), "the object is that of the document");
    assert!(variable(call, "event_id").is_some());

    let told: Vec<&Value> = events
        .iter()
        .filter(|event| event["alert"]["context"]["finding"].is_object())
        .collect();
    let [begun, ended] = told[..] else {
        panic!("{} words on findings", told.len());
    };
    for (word, activity, count) in [(begun, "create", "1"), (ended, "close", "2")] {
        assert_eq!(word["event_type"], "alert");
        assert_eq!(word["src_ip"], "10.0.0.9");
        assert_eq!(word["alert"]["metadata"]["finding"][0], "ip_logger");
        assert_eq!(word["alert"]["metadata"]["family"][0], "grabify");
        assert_eq!(word["alert"]["metadata"]["activity"][0], activity);
        assert_eq!(variable(word, "count").unwrap(), count);
        assert_eq!(
            variable(word, "finding_id"),
            variable(begun, "finding_id"),
            "both are words on one finding"
        );
    }
    assert_eq!(ended["alert"]["context"]["finding"], findings[0]);
    assert_eq!(findings[0]["last"], "2023-11-14T22:14:00Z");

    let last = events.last().unwrap();
    assert!(
        last == call || last["alert"]["context"]["finding"].is_object(),
        "they are told after all flows: {last}"
    );
    for threads in ["2", "4"] {
        let more = printed(&["--format", "eve", "--threads", threads, &path]);
        assert!(
            without_ids(&more) == without_ids(&text),
            "{threads} threads"
        );
    }
}

#[test]
fn every_format_for_people_names_the_call_and_the_link() {
    let directory = tempfile::tempdir().unwrap();
    let path = write(directory.path(), "call.pcap", &pcap(&a_call_and_a_link()));
    for format in ["text", "html"] {
        let text = printed(&["--format", format, &path]);
        for word in ["Microsoft Teams", "grabify.link"] {
            assert!(text.contains(word), "{format}: {word}");
        }
    }
    let told = lines(&printed(&["--format", "jsonl", &path]));
    for kind in ["call", "finding"] {
        let of_kind = told.iter().filter(|line| line["type"] == kind);
        assert_eq!(of_kind.count(), 1, "{kind}");
    }
}
