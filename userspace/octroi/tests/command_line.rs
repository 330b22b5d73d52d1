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
    refused(
        &["status", "--socket", "/nowhere/octroi.sock"],
        &["/nowhere", "octroi run"],
    );
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
