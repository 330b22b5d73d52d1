//! The command line as a user meets it: the real binary, its output, its exit status.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn octroi(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_octroi"));
    command.args(arguments).env_remove("OCTROI_LOG");
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Refused: status 1, nothing on standard output, one line that says all of this.
fn refused(arguments: &[&str], words: &[&str]) {
    let output = octroi(arguments);
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(output.stdout.is_empty());
    for word in words {
        assert!(error.contains(word), "{word:?} is missing in: {error}");
    }
}

#[test]
fn what_is_asked_of_no_day_is_asked_of_today() {
    let bare = octroi(&["explain", "--json", "20.74.0.1"]);
    let explained: Vec<Value> = serde_json::from_slice(&bare.stdout).unwrap();
    let day = explained[0]["residency"]["at"].as_str().unwrap();
    let checked = octroi_geo_db::Catalogue::embedded().unwrap().as_of();
    let today = jiff::Zoned::now().date().max(checked).to_string();
    let yesterday = jiff::Zoned::now().date().yesterday().unwrap().max(checked);
    assert!(day == today || day == yesterday.to_string(), "{day}");
    let dated = octroi(&["explain", "--json", "--at", day, "20.74.0.1"]);
    assert_eq!(text(&bare.stdout), text(&dated.stdout));
}

#[test]
fn explain_tells_the_three_axes_of_telling_addresses() {
    let table = [
        (
            "20.74.0.1",
            Some("FR"),
            "located",
            "microsoft",
            "US",
            "controlled",
        ),
        ("8.8.8.8", None, "anycast", "google", "US", "controlled"),
        ("51.210.0.1", Some("FR"), "located", "ovh", "FR", "presence"),
        ("1.1.1.1", None, "anycast", "cloudflare", "US", "controlled"),
        (
            "2a01:e0a::1",
            Some("FR"),
            "located",
            "free",
            "FR",
            "none_known",
        ),
    ];
    let mut arguments = vec!["explain", "--json"];
    arguments.extend(table.iter().map(|row| row.0));
    let output = octroi(&arguments);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let explained: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(explained.len(), table.len());
    for ((address, country, confidence, operator, control, reach), found) in
        table.into_iter().zip(explained)
    {
        let told = &found["residency"];
        assert_eq!(found["destination"], address);
        assert_eq!(told["host_country"].as_str(), country, "{address}");
        assert_eq!(told["confidence"], confidence, "{address}");
        assert_eq!(told["operator_id"], operator, "{address}");
        assert_eq!(told["control_country"], control, "{address}");
        assert_eq!(told["reach"], reach, "{address}");
        let claims = told["evidence"].as_array().unwrap();
        assert!(
            claims.iter().any(|claim| claim["won"] == true),
            "{address}: evidence"
        );
        assert!(
            claims.iter().all(|claim| claim["ver"].is_string()),
            "{address}: dates"
        );
    }
}

#[test]
fn a_name_changes_what_an_address_is_judged_as() {
    let verdict = |name: &[&str]| {
        let mut arguments = vec!["explain", "--json", "51.210.0.1"];
        arguments.extend(name);
        let found: Vec<Value> = serde_json::from_slice(&octroi(&arguments).stdout).unwrap();
        (
            found[0]["residency"]["verdict"].clone(),
            found[0]["residency"]["alternatives"].clone(),
        )
    };
    assert_eq!(verdict(&[]).0, "allow");
    let (stopped, instead) = verdict(&["--name", "zoom.us"]);
    assert_eq!(stopped, "reject");
    assert_eq!(instead[0]["service"], "visio");
}

/// Captured traffic becomes alerts; `explain` of the same question carries the same object, field
/// for field, and finds the alert again by each of its ids.
#[test]
fn an_alert_and_explain_carry_the_same_object() {
    let directory = tempfile::tempdir().unwrap();
    let pcap = directory.path().join("c.pcap");
    std::fs::write(&pcap, capture(&[datagram([10, 0, 0, 1], [20, 74, 0, 1])])).unwrap();
    let pcap = pcap.to_str().unwrap();
    let policy = ["--policy", "cloud-au-centre"];
    let told = octroi(&[&["analyze", "--format", "eve", pcap], &policy[..]].concat());
    assert!(told.status.success(), "{}", text(&told.stderr));
    let events: Vec<Value> = text(&told.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let of_type = |kind: &str| {
        let found = events.iter().find(|event| event["event_type"] == kind);
        found.unwrap_or_else(|| panic!("no {kind} in {events:#?}"))
    };
    let alert = of_type("alert");
    let of_alert = &alert["alert"]["context"]["residency"];
    let record = of_type("flow")["metadata"]["flowvars"].as_array().unwrap();
    let of_record = record.iter().find_map(|var| var.get("residency")).unwrap();
    let asked = ["explain", "--json", "--protocol", "udp", "20.74.0.1"];
    let explained: Vec<Value> = serde_json::from_slice(&octroi(&asked).stdout).unwrap();
    assert_eq!(of_alert, &explained[0]["residency"]);
    assert_eq!(of_alert, of_record);

    // Rotated and zipped: found by flow id, Community ID and event id.
    let eve = directory.path().join("eve.json");
    std::fs::write(&eve, "not an event\n").unwrap();
    let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut zip, &told.stdout).unwrap();
    std::fs::write(
        directory.path().join("eve.json.3.gz"),
        zip.finish().unwrap(),
    )
    .unwrap();
    let eve = eve.to_str().unwrap();
    let vars = alert["metadata"]["flowvars"].as_array().unwrap();
    let event_id = vars.iter().find(|var| var["key"] == "event_id").unwrap();
    for id in [
        alert["flow_id"].to_string(),
        alert["community_id"].as_str().unwrap().to_owned(),
        event_id["value"].as_str().unwrap().to_owned(),
    ] {
        let output = octroi(&["explain", "--json", "--flow", &id, "--from", eve]);
        assert!(output.status.success(), "{id}: {}", text(&output.stderr));
        let past: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(&past[0]["residency"], of_alert, "{id}");
        assert_eq!(past[0]["differences"], serde_json::json!([]), "{id}");
    }
    let flow = alert["flow_id"].to_string();
    let past = [
        "explain", "--json", "--policy", "observe", "--flow", &flow, "--from", eve,
    ];
    let past: Vec<Value> = serde_json::from_slice(&octroi(&past).stdout).unwrap();
    let differs = past[0]["differences"].as_array().unwrap();
    let verdict = differs
        .iter()
        .find(|line| line["field"] == "verdict")
        .unwrap();
    assert_eq!(
        (&verdict["then"], &verdict["today"]),
        (&"reject".into(), &"flag".into())
    );
    refused(
        &["explain", "--flow", "1", "--from", eve],
        &["eve.json.3.gz", "id 1", "--from"],
    );
}

#[test]
fn shares_of_a_prefix_add_up() {
    for prefix in [
        "20.64.0.0/12",
        "0.0.0.0/0",
        "2603:1000::/24",
        "::/0",
        "8.8.8.8/32",
    ] {
        let output = octroi(&["explain", "--json", prefix]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let found: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
        let number = |value: &Value| -> u128 {
            value
                .as_u64()
                .map_or_else(|| value.as_str().unwrap().parse().unwrap_or(0), u128::from)
        };
        let shares = found[0]["inside"].as_array().unwrap();
        let sum = shares.iter().fold(0_u128, |sum, share| {
            sum.wrapping_add(number(&share["addresses"]))
        });
        // 2^128 is 0 modulo 2^128, and has no place in 128 bits.
        assert_eq!(sum, number(&found[0]["addresses"]), "{prefix}");
        let sizes: Vec<u128> = shares
            .iter()
            .map(|share| number(&share["addresses"]))
            .collect();
        assert!(sizes.is_sorted_by(|a, b| a >= b), "{prefix}");
    }
}

#[test]
fn names_tell_service_operator_and_suspicion() {
    let output = octroi(&[
        "explain",
        "--json",
        "us02web.zoom.us",
        "grabify.link",
        "example.org",
    ]);
    let found: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found[0]["service"]["operator"], "zoom");
    assert_eq!(found[0]["residency"]["verdict"], "reject");
    assert!(found[0]["prefixes"].as_array().unwrap().len() > 10);
    assert_eq!(found[1]["tracking"]["finding"], "ip_logger");
    assert!(found[2].get("service").is_none());
    assert_eq!(found[2]["residency"]["host_country"], Value::Null);
}

#[test]
fn what_is_not_understood_is_named_with_its_remedy() {
    refused(
        &[
            "explain",
            "8.8.8.8",
            "20.74.0.1/17",
            "https://zoom.us/j/1",
            "x",
        ],
        &["20.74.0.0/17", "host alone: zoom.us", "\"x\""],
    );
}

#[test]
fn laws_are_those_of_the_day() {
    let of_day = |day: &str| {
        let output = octroi(&["explain", "--json", "--at", day, "20.74.0.1"]);
        let found: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
        found[0]["residency"]["legal_regimes"].to_string()
    };
    assert!(of_day("2026-11-22").contains("us_cloud_act"));
    assert!(!of_day("2017-01-01").contains("us_cloud_act"));
}

#[test]
fn a_broken_policy_is_refused_with_its_place_and_remedy() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("policy.toml");
    let broken = "[policy]\nname = \"p\"\nmode = \"enforce\"\ndefault = \"block\"\n\
                  [[zone]]\nname = \"cabinet\"\nprefixes = [\"10.0.0.0/8\"]\n\
                  [[rule]]\nid = \"R1\"\nverdict = \"allow\"\nfrom = [\"cabinett\"]\n";
    std::fs::write(&path, broken).unwrap();
    let path = path.to_str().unwrap();
    let place = format!("{path}:11:");
    refused(&["policy", "check", path], &[&place, "cabinett", "cabinet"]);
    refused(&["explain", "--policy", path, "8.8.8.8"], &[&place]);
}

#[test]
fn every_preset_is_valid_and_shown() {
    for preset in octroi_policy::PRESETS {
        let checked = octroi(&["policy", "check", preset]);
        assert!(
            checked.status.success(),
            "{preset}: {}",
            text(&checked.stderr)
        );
        assert!(text(&checked.stdout).contains("valid"));
        let shown = octroi(&["policy", "show", preset]);
        assert!(
            text(&shown.stdout).contains(&format!("policy {preset}")),
            "{preset}"
        );
        let source = octroi(&["policy", "show", "--source", preset]);
        assert_eq!(
            Some(text(&source.stdout).as_str()),
            octroi_policy::Policy::preset(preset)
        );
    }
}

#[test]
fn what_is_missing_is_named_with_its_remedy() {
    refused(
        &["explain", "--policy", "none", "8.8.8.8"],
        &["none", "presets: observe"],
    );
    refused(
        &["explain", "--zone", "z", "8.8.8.8"],
        &["no zone \"z\"", "internal"],
    );
    for command in ["status", "flows", "alerts", "calls", "findings"] {
        refused(
            &[command, "--socket", "/nowhere/octroi.sock"],
            &["/nowhere", "the daemon is not running", "octroi run"],
        );
    }
    refused(
        &["run", "--config", "/nowhere/octroi.toml"],
        &["/nowhere/octroi.toml"],
    );
    refused(
        &["explain", "--atlas", "/dev/null", "8.8.8.8"],
        &["/dev/null"],
    );
}

#[test]
fn a_configuration_that_cannot_work_is_refused_before_the_kernel_is_touched() {
    let directory = tempfile::tempdir().unwrap();
    let write = |text: &str| {
        let path = directory.path().join("octroi.toml");
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let socket = directory.path().join("s").display().to_string();
    let head = format!("socket = \"{socket}\"\npolicy = \"observe\"\n");
    let path = write(&format!("{head}interfaces = [\"octroi-none0\"]\n"));
    refused(
        &["run", "--config", &path],
        &["no interface \"octroi-none0\"", "ip link"],
    );
    let path = write(&format!(
        "{head}interfaces = [\"lo\"]\nsocket_group = \"no-such-group\"\n"
    ));
    refused(&["run", "--config", &path], &["no-such-group", "groupadd"]);
    let path = write(&format!(
        "{head}interfaces = [\"lo\"]\n[events]\neve = \"none/eve.json\"\n"
    ));
    refused(&["run", "--config", &path], &["none/eve.json"]);
    let path = write(&format!(
        "{head}interfaces = [\"lo\"]\nxdp_mode = \"turbo\"\n"
    ));
    refused(&["run", "--config", &path], &[":4:", "turbo"]);
    assert!(
        !Path::new(&socket).exists(),
        "the socket goes with the daemon"
    );
}

#[test]
fn a_damaged_capture_is_named_and_the_others_are_analysed() {
    let directory = tempfile::tempdir().unwrap();
    let good = directory.path().join("good.pcap");
    let bad = directory.path().join("bad.pcap");
    std::fs::write(&good, capture(&[datagram([10, 0, 0, 1], [20, 74, 0, 1])])).unwrap();
    std::fs::write(&bad, b"\xd4\xc3\xb2\xa1\x02\x00").unwrap();
    let arguments = [
        "analyze",
        "--policy",
        "cloud-au-centre",
        "--format",
        "json",
        good.to_str().unwrap(),
        bad.to_str().unwrap(),
    ];
    let output = octroi(&arguments);
    assert_eq!(output.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["captures"][0]["error"], Value::Null);
    let error = report["captures"][1]["error"].as_str().unwrap();
    assert!(
        error.contains("byte 0") && error.contains("cut short"),
        "{error}"
    );
    assert_eq!(report["flows"][0]["destination"], "20.74.0.1");
    assert_eq!(report["flows"][0]["verdict"], "reject");
}

/// A classic capture file of raw IP packets (link type 101), microseconds, little endian.
fn capture(packets: &[Vec<u8>]) -> Vec<u8> {
    let mut file = vec![
        0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0,
    ];
    file.extend(101_u32.to_le_bytes());
    for packet in packets {
        let length = u32::try_from(packet.len()).unwrap().to_le_bytes();
        file.extend([0; 8]);
        file.extend(length);
        file.extend(length);
        file.extend(packet);
    }
    file
}

/// An IPv4 datagram: UDP from port 9 to port 443, no payload.
fn datagram(source: [u8; 4], destination: [u8; 4]) -> Vec<u8> {
    let mut packet = vec![0x45, 0, 0, 28, 0, 1, 0, 0, 64, 17, 0, 0];
    packet.extend(source);
    packet.extend(destination);
    packet.extend([0, 9, 1, 187, 0, 8, 0, 0]);
    packet
}
