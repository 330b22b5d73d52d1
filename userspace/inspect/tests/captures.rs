//! Public captures against an independent truth: packets, flows and names.
//!
//! The captures are data to test with and no part of the project. Their folder is named by
//! `OCTROI_CAPTURES`, or stands as `shared/captures` beside the workspace; without it the test says
//! so and passes. It holds `pcaps/` and `truth.jsonl`: one object per capture with `packets`,
//! `flows` (bidirectional five-tuples, outermost) or `flows_inner`, `must` (names that two
//! independent tools agree on) and `may` (names that any tool saw).
//!
//! The floors are what a change must not fall below, not what is aimed at.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use octroi_inspect::capture::Capture;
use octroi_inspect::flow::{self, Flow};
use octroi_inspect::name::{AppProtocol, NameEvent, NameSource, NamerLimits};
use octroi_inspect::packet::Unparsed;
use octroi_inspect::survey::{Naming, Sink, Survey};
use serde_json::Value;

/// Kinds of name: least share of `must` found, least share of found names in `may`.
const FLOORS: [(&str, f64, f64); 4] = [
    ("sni", 0.97, 0.99),
    ("quic_sni", 0.93, 0.99),
    ("dns_qnames", 0.98, 0.98),
    ("http_hosts", 0.97, 0.97),
];
/// Least share of captures with the true number of packets, and of flows.
const PACKETS_FLOOR: f64 = 0.99;
const FLOWS_FLOOR: f64 = 0.93;

#[derive(Default)]
struct Found {
    names: BTreeMap<&'static str, BTreeSet<String>>,
}

impl Sink for Found {
    fn flow(&mut self, _flow: Flow<Naming>) {}

    fn name(&mut self, event: &NameEvent, _inside_tunnel: bool) {
        let kind = match (event.source, event.protocol) {
            (NameSource::Query, AppProtocol::Dns) => "dns_qnames",
            (NameSource::Sni, _) => "sni",
            (NameSource::Quic, _) => "quic_sni",
            (NameSource::Host, _) => "http_hosts",
            _ => return,
        };
        self.names
            .entry(kind)
            .or_default()
            .insert(event.name.clone());
    }

    fn without_flow(&mut self, _time_ns: u64, _wire_bytes: u32, _unparsed: &Unparsed) {}
}

#[derive(Default)]
struct Score {
    must: usize,
    hit: usize,
    reported: usize,
    right: usize,
}

fn folder() -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os("OCTROI_CAPTURES") {
        return Some(folder.into());
    }
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2)?;
    let folder = workspace.parent()?.join("shared").join("captures");
    folder.join("truth.jsonl").exists().then_some(folder)
}

/// What a capture holds; the packets before an error count.
fn survey(path: &Path) -> (u64, u64, Found) {
    let mut survey = Survey::new(flow::Limits::default(), NamerLimits::default());
    let mut found = Found::default();
    let file = File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    if let Ok(mut capture) = Capture::open(file) {
        while let Ok(Some(packet)) = capture.next() {
            survey.packet(&packet, &mut found);
        }
    }
    survey.finish(&mut found);
    (survey.counts().packets, survey.tuples(), found)
}

fn texts(value: &Value) -> BTreeSet<String> {
    let list = value.as_array().into_iter().flatten();
    list.filter_map(Value::as_str).map(str::to_owned).collect()
}

#[expect(clippy::cast_precision_loss, reason = "counts of names are small")]
fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 {
        1.0
    } else {
        part as f64 / whole as f64
    }
}

#[test]
fn names_and_flows_of_public_captures() {
    let Some(folder) = folder() else {
        eprintln!("skipped: no captures (set OCTROI_CAPTURES to their folder)");
        return;
    };
    let truth = fs::read_to_string(folder.join("truth.jsonl")).unwrap();
    let mut scores: BTreeMap<&str, Score> = BTreeMap::new();
    let (mut captures, mut packets_right, mut flows_right) = (0, 0, 0);
    for line in truth.lines().filter(|line| !line.trim().is_empty()) {
        let truth: Value = serde_json::from_str(line).unwrap();
        let name = truth["name"].as_str().unwrap();
        let (packets, flows, found) = survey(&folder.join("pcaps").join(name));
        captures += 1;
        let agrees = |count: u64, fields: [&str; 2]| {
            fields
                .iter()
                .any(|field| truth[*field].as_u64() == Some(count))
        };
        packets_right += usize::from(agrees(packets, ["packets", "packets_tcpdump"]));
        flows_right += usize::from(agrees(flows, ["flows", "flows_inner"]));
        for (kind, ..) in FLOORS {
            let none = BTreeSet::new();
            let names = found.names.get(kind).unwrap_or(&none);
            let must = texts(&truth["must"][kind]);
            let mut may = texts(&truth["may"][kind]);
            for beside in ["mdns", "llmnr", "dtls_sni", "http2_authority"] {
                may.extend(texts(&truth[beside]));
            }
            let score = scores.entry(kind).or_default();
            score.must += must.len();
            score.hit += must.intersection(names).count();
            score.reported += names.len();
            score.right += names.intersection(&may).count();
        }
    }
    assert!(captures > 0, "{} has no captures", folder.display());
    let mut failed = Vec::new();
    let mut check = |what: String, part: usize, whole: usize, floor: f64| {
        eprintln!("{what}: {part}/{whole}");
        if share(part, whole) < floor {
            failed.push(format!("{what}: {part}/{whole} is below {floor}"));
        }
    };
    check(
        "packets equal".to_owned(),
        packets_right,
        captures,
        PACKETS_FLOOR,
    );
    check("flows equal".to_owned(), flows_right, captures, FLOWS_FLOOR);
    for (kind, recall, precision) in FLOORS {
        let score = &scores[kind];
        check(format!("{kind} recall"), score.hit, score.must, recall);
        check(
            format!("{kind} precision"),
            score.right,
            score.reported,
            precision,
        );
    }
    assert!(failed.is_empty(), "{failed:#?}");
}
