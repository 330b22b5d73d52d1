//! `octroi analyze` as a user meets it: the same answer from any number of threads, from packed and
//! divided captures, in every format, and in bounded memory.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod memory;
mod page;
mod traffic;
mod watched;

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use traffic::{office, pcap};

/// Runs `analyze` with a day of law, so that nothing depends on the day of the test.
fn analyze(arguments: &[&str]) -> Output {
    command(arguments).output().unwrap()
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_octroi"));
    command.args(["analyze", "--at", "2026-11-01"]);
    command.args(arguments).env_remove("OCTROI_LOG");
    command
}

/// What it prints on success.
fn printed(arguments: &[&str]) -> String {
    let output = analyze(arguments);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// The same with bytes on standard input.
fn piped(arguments: &[&str], bytes: &[u8]) -> Output {
    let mut child = command(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            // It may have seen enough before the end.
            let _ = stdin.write_all(bytes);
        });
        child.wait_with_output().unwrap()
    })
}

fn write(directory: &Path, name: &str, bytes: &[u8]) -> String {
    let path = directory.join(name);
    std::fs::write(&path, bytes).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Events differ in what names the process and the moment that wrote them.
fn without_ids(text: &str) -> Vec<Value> {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(map) => {
                if map.get("key").is_some_and(|key| key == "event_id") {
                    map.clear();
                }
                map.values_mut().for_each(strip);
            }
            Value::Array(list) => list.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    lines
        .map(|mut event: Value| {
            strip(&mut event);
            event
        })
        .collect()
}

#[test]
fn any_number_of_threads_says_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let path = write(directory.path(), "office.pcap", &pcap(&office(6_000)));
    for format in [
        "text",
        "json",
        "jsonl",
        "csv",
        "html",
        "eve",
        "summary-jsonl",
    ] {
        let with = |threads: &str| {
            let mut arguments = vec!["--format", format, "--threads", threads];
            arguments.extend(["--policy", "cloud-au-centre", "--names", &path]);
            printed(&arguments)
        };
        let one = with("1");
        assert!(one.len() > 1_000, "{format}");
        for threads in ["2", "3", "4"] {
            let more = with(threads);
            if format == "eve" {
                assert!(
                    without_ids(&more) == without_ids(&one),
                    "{format} with {threads} threads differs"
                );
            } else {
                let differs = more
                    .lines()
                    .zip(one.lines())
                    .find(|(more, one)| more != one);
                assert!(more == one, "{format} with {threads} threads: {differs:?}");
            }
        }
    }
    // What one shard learned by DNS named flows of others.
    let lines = printed(&["--format", "jsonl", "--threads", "4", &path]);
    let named = |source: &str| {
        let source = format!("\"name_source\":\"{source}\"");
        lines.lines().filter(|line| line.contains(&source)).count()
    };
    for source in ["dns", "sni", "host"] {
        assert!(named(source) > 50, "{source}: {}", named(source));
    }
}

/// Every bound is of a lane, or of what all threads see: which lanes a thread has changes nothing.
#[test]
fn any_number_of_threads_says_the_same_when_bounds_are_reached() {
    let directory = tempfile::tempdir().unwrap();
    let mut numbers = traffic::Numbers(3);
    let packets = (0..330_000).map(|number| {
        let at = 1_700_000_000_000_000 + number * 20;
        traffic::record(&(at, memory::hostile(&mut numbers)))
    });
    let capture: Vec<u8> = traffic::head()
        .into_iter()
        .chain(packets.flatten())
        .collect();
    let path = write(directory.path(), "bounds.pcap", &capture);
    let with = |threads: &str| {
        let mut arguments = vec!["--json", "--names", "--limit", "50", "--threads", threads];
        arguments.push(&path);
        printed(&arguments)
    };
    let one = with("1");
    let report: Value = serde_json::from_str(&one).unwrap();
    let bounds = report["bounds"].to_string() + &report["captures"][0]["notes"].to_string();
    for bound in [
        "alerts",
        "destinations",
        "names are not in their list",
        "calls and tracking links",
        "ended early",
        "names may be missing",
    ] {
        assert!(bounds.contains(bound), "{bound}: {bounds}");
    }
    for threads in ["2", "3", "4"] {
        let more = with(threads);
        let differs = more
            .lines()
            .zip(one.lines())
            .find(|(more, one)| more != one);
        assert!(more == one, "{threads} threads: {differs:?}");
    }
}

#[test]
fn flows_are_told_in_the_order_in_which_they_end() {
    let directory = tempfile::tempdir().unwrap();
    let path = write(directory.path(), "office.pcap", &pcap(&office(6_000)));
    let lines = printed(&["--format", "jsonl", "--threads", "2", &path]);
    let starts: Vec<String> = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|line| line["type"] == "flow")
        .map(|line| line["start"].as_str().unwrap().to_owned())
        .collect();
    // First those whose tuple was used again, then the others by their first packets.
    let turn = (1..starts.len()).rfind(|&at| starts[at] < starts[at - 1]);
    assert!(starts[turn.unwrap_or(0)..].is_sorted());
    assert!(turn.unwrap_or(0) < starts.len() / 2);
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn packed_captures_and_standard_input_say_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let plain = pcap(&office(1_500));
    let path = write(directory.path(), "office.pcap", &plain);
    let expected = printed(&["--format", "csv", &path]);
    let zstd = zstd::stream::encode_all(&plain[..], 3).unwrap();
    for (name, packed) in [
        ("office.pcap.gz", gzip(&plain)),
        ("office.pcap.zst", zstd.clone()),
        ("office.twice", gzip(&zstd)),
    ] {
        let path = write(directory.path(), name, &packed);
        assert!(printed(&["--format", "csv", &path]) == expected, "{name}");
        let output = piped(&["--format", "csv", "-"], &packed);
        assert!(output.status.success());
        assert!(output.stdout == expected.as_bytes(), "{name} piped");
    }
    let cut = gzip(&plain);
    let path = write(directory.path(), "cut.pcap.gz", &cut[..cut.len() / 2]);
    for threads in ["1", "2"] {
        let output = analyze(&["--json", "--threads", threads, &path]);
        assert_eq!(output.status.code(), Some(1));
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let capture = &report["captures"][0];
        let error = capture["error"].as_str().unwrap();
        assert!(
            error.contains("gzip") && error.contains("cut short"),
            "{error}"
        );
        assert!(error.contains("byte "), "{error}");
        assert!(capture["packets"].as_u64().unwrap() > 100);
    }
}

#[test]
fn divided_captures_merge_to_the_whole() {
    let directory = tempfile::tempdir().unwrap();
    let packets = office(2_000);
    let whole = write(directory.path(), "whole.pcap", &pcap(&packets));
    let part = |number: usize| {
        let part: Vec<_> = packets.iter().skip(number).step_by(3).cloned().collect();
        write(directory.path(), &format!("{number}.pcap"), &pcap(&part))
    };
    let parts = [part(0), part(1), part(2)];
    let expected = printed(&["--format", "csv", &whole]);
    for threads in ["1", "2"] {
        let arguments = ["--format", "csv", "--threads", threads, "--merge"];
        let merged = [&arguments[..], &[&parts[2], &parts[0], &parts[1]]].concat();
        assert!(printed(&merged) == expected, "{threads} threads");
    }
    // Without --merge each is a capture of its own.
    let apart = ["--json", &parts[0], &parts[1], &parts[2]];
    let report: Value = serde_json::from_str(&printed(&apart)).unwrap();
    assert_eq!(report["captures"].as_array().unwrap().len(), 3);
    // One that is no capture does not keep the others from being read.
    let bad = write(directory.path(), "bad.pcap", b"nonsense");
    let output = analyze(&["--json", "--merge", &parts[0], &bad, &parts[1], &parts[2]]);
    assert_eq!(output.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let capture = &report["captures"][0];
    assert!(capture["error"].as_str().unwrap().contains("bad.pcap"));
    assert_eq!(capture["packets"], packets.len());
}

#[test]
fn a_filter_leaves_out_the_other_flows() {
    let directory = tempfile::tempdir().unwrap();
    let path = write(directory.path(), "office.pcap", &pcap(&office(1_500)));
    let all = printed(&["--format", "jsonl", &path]);
    let flows = |text: &str| -> Vec<Value> {
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        lines
            .filter(|line: &Value| line["type"] == "flow")
            .collect()
    };
    let filter = "name:microsoft.com dport:443 bytes>100";
    let filtered = printed(&["--format", "jsonl", "--filter", filter, &path]);
    let expected: Vec<Value> = flows(&all)
        .into_iter()
        .filter(|flow| {
            let name = flow["name"].as_str().unwrap_or_default();
            let bytes = |field: &str| flow[field].as_u64().unwrap();
            (name == "microsoft.com" || name.ends_with(".microsoft.com"))
                && flow["destination_port"] == 443
                && bytes("outbound_bytes") + bytes("reply_bytes") > 100
        })
        .collect();
    assert!(expected.len() > 10);
    assert_eq!(flows(&filtered), expected);
    // Every table is about the same flows.
    let report = printed(&["--json", "--limit", "0", "--filter", filter, &path]);
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["flows"].as_array().unwrap().len(), expected.len());
    let sums = report["jurisdictions"].as_array().unwrap().iter();
    let counted: u64 = sums.map(|line| line["flows"].as_u64().unwrap()).sum();
    assert_eq!(counted, expected.len() as u64);
    assert_eq!(
        report["left_out_by_filter"],
        flows(&all).len() - expected.len()
    );
    let wrong = analyze(&["--filter", "hostng:FR", &path]);
    assert_eq!(wrong.status.code(), Some(2));
    let error = String::from_utf8(wrong.stderr).unwrap();
    assert!(error.contains('^') && error.contains("hosting"), "{error}");
}

#[test]
fn a_wrong_policy_is_told_before_anything_is_printed() {
    let directory = tempfile::tempdir().unwrap();
    let path = write(directory.path(), "office.pcap", &pcap(&office(500)));
    for threads in ["1", "2"] {
        let arguments = [
            "--threads",
            threads,
            "--format",
            "jsonl",
            "--policy",
            "nonsense",
        ];
        let output = analyze(&[&arguments[..], &[&path]].concat());
        assert_eq!(output.status.code(), Some(2));
        assert!(output.stdout.is_empty());
        assert!(String::from_utf8_lossy(&output.stderr).contains("nonsense"));
    }
}
