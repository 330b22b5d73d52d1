//! EVE JSON: the golden files, and a check against the closed schema.
//!
//! `UPDATE_GOLDEN=1 cargo test -p octroi-events` writes the golden files anew.

use std::collections::HashMap;
use std::path::Path;

use crate::samples;
use octroi_events::{Event, Mode, Name, NameSource};
use proptest::prelude::*;
use serde_json::Value;

fn line(event: &Event) -> String {
    let mut out = Vec::new();
    event.write_eve(&samples::origin(), 42, &mut out);
    String::from_utf8(out).unwrap()
}

fn keys() -> HashMap<&'static str, &'static str> {
    include_str!("../data/eve-keys.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split_once(' ').unwrap())
        .collect()
}

/// Every way in which a value breaks the table.
fn faults(path: &str, value: &Value, keys: &HashMap<&str, &str>) -> Vec<String> {
    let Some(kind) = keys.get(path) else {
        return vec![format!("{path} is no key of EVE")];
    };
    let all = |items: &Value, holds: fn(&Value) -> bool| {
        items
            .as_array()
            .is_some_and(|items| !items.is_empty() && items.iter().all(holds))
    };
    let right = match *kind {
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "boolean" => value.is_boolean(),
        "strings" => all(value, Value::is_string),
        "integers" => all(value, Value::is_u64),
        "list" => all(value, Value::is_object),
        "free" => value.is_object(),
        "object" => {
            return match value.as_object() {
                Some(object) if !object.is_empty() => object
                    .iter()
                    .flat_map(|(key, value)| faults(&format!("{path}.{key}"), value, keys))
                    .collect(),
                _ => vec![format!("{path} is not an object with keys")],
            };
        }
        other => panic!("unknown type {other}"),
    };
    if right {
        Vec::new()
    } else {
        vec![format!("{path} is not {kind}: {value}")]
    }
}

fn check(text: &str) -> Vec<String> {
    let value: Value = serde_json::from_str(text).unwrap();
    let keys = keys();
    let mut all: Vec<_> = value
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(key, value)| faults(key, value, &keys))
        .collect();
    for needed in ["timestamp", "event_type"] {
        if value.get(needed).is_none() {
            all.push(format!("{needed} is missing"));
        }
    }
    if let Some(id) = value.get("flow_id")
        && !id.as_u64().is_some_and(|id| id > 0 && id < 1 << 53)
    {
        all.push(format!("flow_id {id} is not exact everywhere"));
    }
    // schema.json: ^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d+[+\-]\d+$
    let timestamp = value["timestamp"].as_str().unwrap();
    let shape: String = timestamp
        .chars()
        .map(|c| if c.is_ascii_digit() { '9' } else { c })
        .collect();
    if shape != "9999-99-99T99:99:99.999999+9999" {
        all.push(format!("timestamp {timestamp}"));
    }
    all
}

#[test]
fn every_kind_of_event_holds_to_the_closed_schema() {
    for (name, event) in samples::all() {
        assert_eq!(check(&line(&event)), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn the_check_refuses_what_the_schema_refuses() {
    for (text, fault) in [
        (
            r#"{"timestamp":"2026-11-21T19:31:02.123456+0100","event_type":"alert","residency":{}}"#,
            "residency is no key of EVE",
        ),
        (
            r#"{"timestamp":"2026-11-21T19:31:02.123456+0100","event_type":"flow","flow":{"verdict":"x"}}"#,
            "flow.verdict is no key of EVE",
        ),
        (
            r#"{"timestamp":"2026-11-21T19:31:02Z","event_type":"flow"}"#,
            "timestamp 2026-11-21T19:31:02Z",
        ),
        (
            r#"{"timestamp":"2026-11-21T19:31:02.123456+0100","event_type":"flow","src_port":"1"}"#,
            "src_port is not integer: \"1\"",
        ),
        (
            r#"{"timestamp":"2026-11-21T19:31:02.123456+0100","event_type":"flow","flow_id":0}"#,
            "flow_id 0 is not exact everywhere",
        ),
    ] {
        assert_eq!(check(text), [fault]);
    }
}

#[test]
fn golden_files() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    for (name, event) in samples::all() {
        let value: Value = serde_json::from_str(&line(&event)).unwrap();
        let text = serde_json::to_string_pretty(&value).unwrap() + "\n";
        let path = directory.join(format!("{name}.json"));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let golden = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, golden, "{name}");
    }
}

#[test]
fn monitor_mode_alerts_and_enforces_nothing() {
    let alert = samples::monitored();
    assert_eq!(alert.residency.mode, Mode::Monitor);
    let value: Value = serde_json::from_str(&line(&Event::Alert(alert))).unwrap();
    assert_eq!(value["alert"]["action"], "allowed");
    assert_eq!(value["verdict"]["action"], "alert");
    assert!(value["verdict"].get("reject").is_none());
    let residency = &value["alert"]["context"]["residency"];
    assert_eq!(residency["enforced"], false);
    assert_eq!(residency["verdict"], "reject");
}

#[test]
fn what_is_not_known_is_not_written() {
    let text = line(&Event::Alert(samples::bare()));
    assert!(!text.contains("null"), "{text}");
    let value: Value = serde_json::from_str(&text).unwrap();
    for key in [
        "in_iface",
        "src_port",
        "community_id",
        "app_proto",
        "tls",
        "vlan",
    ] {
        assert!(value.get(key).is_none(), "{key}");
    }
    let residency = &value["alert"]["context"]["residency"];
    for key in [
        "host_country",
        "operator",
        "asn",
        "control_country",
        "name",
        "exemption",
    ] {
        assert!(residency.get(key).is_none(), "{key}");
    }
    assert_eq!(residency["opaque"], "gre");
}

#[test]
fn a_flow_record_carries_the_whole_reason() {
    let value: Value = serde_json::from_str(&line(&Event::Flow(samples::flow()))).unwrap();
    let whole = value["metadata"]["flowvars"]
        .as_array()
        .unwrap()
        .iter()
        .find_map(|var| var.get("residency"))
        .unwrap();
    assert_eq!(whole, &serde_json::to_value(samples::residency()).unwrap());
}

#[test]
fn every_event_has_its_id_and_one_line() {
    for (name, event) in samples::all() {
        let text = line(&event);
        assert_eq!(text.matches('\n').count(), 1, "{name}");
        assert!(text.ends_with("}\n"), "{name}");
        assert!(text.contains("\"gw-dgfip-01/19a8b3-1f4/42\""), "{name}");
    }
}

#[test]
fn events_survive_json() {
    for (name, event) in samples::all() {
        let text = serde_json::to_string(&event).unwrap();
        assert_eq!(
            serde_json::from_str::<Event>(&text).unwrap(),
            event,
            "{name}"
        );
    }
}

proptest! {
    /// Names come from the network and titles from policies: whatever they hold, a line is one
    /// line of JSON that holds to the schema.
    #[test]
    fn any_text_makes_one_valid_line(name in any::<String>(), rule in any::<String>(), message in any::<String>()) {
        let mut alert = samples::alert();
        alert.conversation.name = Some(Name { text: name.as_str().into(), source: NameSource::Host });
        let mut residency = samples::residency();
        residency.rule = rule.as_str().into();
        residency.name = Some(name.as_str().into());
        alert.residency = std::sync::Arc::new(residency);
        let mut notice = samples::notice();
        notice.message.clone_from(&message);
        for event in [Event::Alert(alert), Event::Notice(notice)] {
            let text = line(&event);
            prop_assert_eq!(text.matches('\n').count(), 1);
            prop_assert_eq!(check(&text), Vec::<String>::new());
        }
    }
}
