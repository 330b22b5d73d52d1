//! Past flows out of event files (EVE JSON): rotated and gzipped ones are read as well.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use flate2::bufread::MultiGzDecoder;
use octroi_api::PastFlow;
use octroi_events::Residency;
use serde::Deserialize;

/// Longest line that is read: a longer one is no event of ours.
const LONGEST_LINE_BYTES: u64 = 4 << 20;

/// What the first two bytes of a gzip file are (RFC 1952 section 2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Every event of an id, alerts before flow records, the newest first.
///
/// # Errors
/// A file that cannot be read, or none of the files holds the id.
pub(super) fn find(files: &[PathBuf], id: &str) -> Result<Vec<PastFlow>> {
    let mut found = Vec::new();
    let mut lines = 0_u64;
    let files = with_rotated(files);
    for path in &files {
        search(path, id, &mut lines, &mut found)
            .with_context(|| format!("cannot read the events of {}", path.display()))?;
    }
    if found.is_empty() {
        let names: Vec<String> = files
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        bail!(
            "no alert or flow record of {} has the flow id, Community ID or event id {id} ({lines} \
             lines were read): add the files of that day to --from",
            names.join(", ")
        );
    }
    found.sort_by(|a, b| a.told_by.cmp(&b.told_by).then(b.time.cmp(&a.time)));
    Ok(found)
}

/// Each file, and what was rotated away from it (`eve.json.1`, `eve.json.2.gz`, `eve.json-20261121.gz`).
fn with_rotated(files: &[PathBuf]) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = Vec::new();
    for file in files {
        let mut siblings = rotated(file);
        siblings.sort();
        for path in std::iter::once(file.clone()).chain(siblings) {
            if !all.contains(&path) {
                all.push(path);
            }
        }
    }
    all
}

fn rotated(file: &Path) -> Vec<PathBuf> {
    let Some(name) = file.file_name().and_then(|name| name.to_str()) else {
        return Vec::new();
    };
    let directory = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let Ok(entries) = std::fs::read_dir(directory) else {
        return Vec::new();
    };
    let is_rotated = |other: &str| {
        let Some(rest) = other.strip_prefix(name) else {
            return false;
        };
        let Some(rest) = rest.strip_prefix(['.', '-']) else {
            return false;
        };
        let number = rest.strip_suffix(".gz").unwrap_or(rest);
        rest == "gz" || !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    };
    entries
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name().to_str().is_some_and(is_rotated))
        .map(|entry| entry.path())
        .collect()
}

fn search(path: &Path, id: &str, lines: &mut u64, found: &mut Vec<PastFlow>) -> Result<()> {
    let mut file = BufReader::new(File::open(path)?);
    let zipped = file.fill_buf()?.starts_with(&GZIP);
    let mut reader: Box<dyn BufRead> = if zipped {
        Box::new(BufReader::new(MultiGzDecoder::new(file)))
    } else {
        Box::new(file)
    };
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = (&mut reader)
            .take(LONGEST_LINE_BYTES)
            .read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(());
        }
        *lines += 1;
        if contains(&line, id.as_bytes())
            && let Ok(event) = serde_json::from_slice::<Line>(&line)
        {
            found.extend(event.past(id));
        }
    }
}

/// Whether a line can hold the id at all: most lines are not parsed. A slash may be escaped.
fn contains(line: &[u8], id: &[u8]) -> bool {
    let needle = id.split(|byte| *byte == b'/').next_back().unwrap_or(id);
    !needle.is_empty() && line.windows(needle.len()).any(|window| window == needle)
}

/// What is read of an event.
#[derive(Deserialize)]
struct Line {
    timestamp: String,
    event_type: String,
    flow_id: Option<u64>,
    community_id: Option<Arc<str>>,
    src_ip: Option<IpAddr>,
    src_port: Option<u16>,
    dest_ip: Option<IpAddr>,
    dest_port: Option<u16>,
    proto: Option<String>,
    alert: Option<Alert>,
    metadata: Option<Metadata>,
}

#[derive(Deserialize)]
struct Alert {
    context: Option<Holder>,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(default)]
    flowvars: Vec<Holder>,
}

#[derive(Deserialize)]
struct Holder {
    key: Option<String>,
    value: Option<String>,
    residency: Option<Residency>,
}

impl Line {
    fn past(self, id: &str) -> Option<PastFlow> {
        let vars = self
            .metadata
            .map(|metadata| metadata.flowvars)
            .unwrap_or_default();
        let event_id = vars
            .iter()
            .find(|var| var.key.as_deref() == Some("event_id"))
            .and_then(|var| var.value.clone());
        let wanted = id.parse().is_ok_and(|id| self.flow_id == Some(id))
            || self.community_id.as_deref() == Some(id)
            || event_id.as_deref() == Some(id);
        if !wanted {
            return None;
        }
        let in_alert = self.alert.and_then(|alert| alert.context);
        let residency = in_alert
            .and_then(|context| context.residency)
            .or_else(|| vars.into_iter().find_map(|var| var.residency))?;
        Some(PastFlow {
            time: jiff::Timestamp::strptime("%Y-%m-%dT%H:%M:%S%.f%z", &self.timestamp).ok()?,
            told_by: self.event_type.into(),
            event_id: event_id.map(Into::into),
            flow_id: self.flow_id.unwrap_or(0),
            community_id: self.community_id,
            source: self.src_ip?,
            destination: self.dest_ip?,
            source_port: self.src_port,
            destination_port: self.dest_port,
            protocol: octroi_events::eve::protocol_number(&self.proto?)?,
            residency,
        })
    }
}
