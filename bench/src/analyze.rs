//! `octroi analyze` beside tcpdump, suricata, ndpiReader and tshark, on one capture, in turns: how
//! long, how much memory, and which names each finds.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::row::{Budget, Row, median, number};
use crate::{Effort, mix, progress};

const TIME: &str = "Analyzing a capture";
const MEMORY: &str = "Most memory while analyzing it";
const NAMES: &str = "Different names found in it";
/// The bound of `octroi analyze`, MiB.
const MEMORY_BOUND: f64 = 300.0;

/// Who reads the capture.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Who {
    Octroi,
    Tcpdump,
    Suricata,
    Ndpi,
    Tshark,
}

impl Who {
    const ALL: [Self; 5] = [
        Self::Octroi,
        Self::Tcpdump,
        Self::Suricata,
        Self::Ndpi,
        Self::Tshark,
    ];

    const fn what(self) -> &'static str {
        match self {
            Self::Octroi => "octroi analyze",
            Self::Tcpdump => "tcpdump -w /dev/null",
            Self::Suricata => "suricata -r, no rules, single",
            Self::Ndpi => "ndpiReader -i",
            Self::Tshark => "tshark -T fields",
        }
    }

    /// The program, and the Debian package that has it.
    const fn program(self) -> (&'static str, &'static str) {
        match self {
            Self::Octroi => ("octroi", "this workspace: cargo build --release"),
            Self::Tcpdump => ("tcpdump", "tcpdump"),
            Self::Suricata => ("suricata", "suricata"),
            Self::Ndpi => ("ndpiReader", "libndpi-bin"),
            Self::Tshark => ("tshark", "tshark"),
        }
    }

    /// How many times as long it may, or must, take.
    const fn budget(self) -> Option<Budget> {
        match self {
            Self::Octroi => None,
            // At most three times the floor.
            Self::Tcpdump => Some(Budget::RatioAtLeast(1.0 / 3.0)),
            Self::Suricata | Self::Ndpi => Some(Budget::RatioAtLeast(4.0)),
            Self::Tshark => Some(Budget::RatioAtLeast(20.0)),
        }
    }

    fn command(self, octroi: &Path, capture: &Path, scratch: &Path) -> Command {
        let program = match self {
            Self::Octroi => octroi.to_path_buf(),
            _ => self.program().0.into(),
        };
        let mut command = Command::new(program);
        match self {
            Self::Octroi => command.arg("analyze").arg(capture),
            Self::Tcpdump => command.arg("-r").arg(capture).args(["-w", "/dev/null"]),
            Self::Suricata => command
                .arg("-r")
                .arg(capture)
                .args(["--runmode", "single", "-S", "/dev/null", "-l"])
                .arg(scratch),
            Self::Ndpi => command.arg("-i").arg(capture),
            Self::Tshark => command.arg("-r").arg(capture).args(FIELDS),
        };
        command
    }
}

const FIELDS: [&str; 8] = [
    "-T",
    "fields",
    "-e",
    "tls.handshake.extensions_server_name",
    "-e",
    "dns.qry.name",
    "-e",
    "http.host",
];

/// Runs the part.
///
/// # Errors
/// When there is no capture, or no `octroi` beside this program.
pub fn run(effort: Effort) -> Result<Vec<Row>> {
    let octroi = std::env::current_exe()?.with_file_name("octroi");
    if !octroi.exists() {
        bail!("there is no {} (build it first)", octroi.display());
    }
    let scratch = std::env::temp_dir().join(format!("octroi-bench-{}-analyze", std::process::id()));
    std::fs::create_dir_all(&scratch)?;
    let rows = capture(&scratch, effort).and_then(|path| compare(&octroi, &path, &scratch, effort));
    std::fs::remove_dir_all(&scratch).context("cannot remove the scratch folder")?;
    rows
}

/// The capture: the file that `OCTROI_CAPTURES` names, or a mix of the folder it names.
fn capture(scratch: &Path, effort: Effort) -> Result<PathBuf> {
    let Some(given) = std::env::var_os("OCTROI_CAPTURES").map(PathBuf::from) else {
        bail!("OCTROI_CAPTURES names no capture and no folder of captures");
    };
    if given.is_file() {
        return Ok(given);
    }
    let below = given.join("pcaps");
    let folder = if below.is_dir() { below } else { given };
    let path = scratch.join("mix.pcap");
    progress("analyze: mixing captures");
    let packets = if effort.is_short() {
        2_000
    } else {
        mix::PACKETS
    };
    mix::write(&folder, packets, &path)?;
    Ok(path)
}

fn compare(octroi: &Path, path: &Path, scratch: &Path, effort: Effort) -> Result<Vec<Row>> {
    let mut seconds: Vec<(Who, Vec<f64>, f64)> = Vec::new();
    let mut missing = Vec::new();
    for who in Who::ALL {
        let (program, package) = who.program();
        if who != Who::Octroi && !is_there(program) {
            missing.push((who, format!("no {program} (package {package})")));
        } else {
            seconds.push((who, Vec::new(), 0.0));
        }
    }
    for round in 0..effort.rounds {
        for (who, times, memory) in &mut seconds {
            // It takes minutes; one turn beside the others is enough.
            if *who == Who::Tshark && round > 0 {
                continue;
            }
            progress(&format!("analyze: {}, turn {}", who.what(), round + 1));
            let (took, most) = measured(&mut who.command(octroi, path, scratch))
                .with_context(|| format!("{} failed", who.what()))?;
            times.push(took);
            *memory = memory.max(most);
        }
    }
    let ours = seconds.first().map_or(0.0, |(_, times, _)| median(times));
    let bytes = std::fs::metadata(path)?.len();
    let mut rows = Vec::new();
    for (who, times, _) in &seconds {
        let took = median(times);
        let mut row = Row::new(TIME, who.what(), took, "s").times(took / ours, "of Octroi");
        if let Some(budget) = who.budget() {
            row = row.budget(budget);
        }
        if *who == Who::Octroi {
            row = row.note(format!("a capture of {:.0} MB", number(bytes) / 1e6));
        }
        rows.push(row);
    }
    rows.extend(
        missing
            .into_iter()
            .map(|(who, why)| Row::missing(TIME, who.what(), why)),
    );
    for (who, _, most) in &seconds {
        let mut row = Row::new(MEMORY, who.what(), *most, "MiB");
        if *who == Who::Octroi {
            row = row.budget(Budget::AtMost(MEMORY_BOUND));
        }
        rows.push(row);
    }
    progress("analyze: names");
    rows.extend(names(octroi, path, scratch, &seconds)?);
    Ok(rows)
}

fn is_there(program: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
    })
}

/// Seconds, and the largest resident size in MiB.
fn measured(command: &mut Command) -> Result<(f64, f64)> {
    let began = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    loop {
        if let Some(status) = child.try_wait()? {
            if !status.success() {
                bail!("it ended with {status}");
            }
            return Ok((began.elapsed().as_secs_f64(), number(most) / 1024.0));
        }
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.split_whitespace().next());
        most = most.max(kib.and_then(|kib| kib.parse().ok()).unwrap_or(0));
        std::thread::sleep(Duration::from_millis(2));
    }
}

type Names = BTreeSet<String>;

/// How many different names each finds, and how many of them we do not.
fn names(
    octroi: &Path,
    path: &Path,
    scratch: &Path,
    present: &[(Who, Vec<f64>, f64)],
) -> Result<Vec<Row>> {
    let ours = output(
        Command::new(octroi)
            .args(["analyze", "--format", "summary-jsonl"])
            .arg(path),
    )?;
    let list = |field: &str| listed(&ours, field);
    let hello: Names = [list("sni"), list("quic_sni")]
        .concat()
        .into_iter()
        .collect();
    let asked: Names = list("dns_qnames").into_iter().collect();
    let hosts: Names = list("http_hosts").into_iter().collect();
    let all: Names = [&hello, &asked, &hosts]
        .into_iter()
        .flatten()
        .cloned()
        .collect();
    let mut rows = vec![
        row("octroi analyze: TLS and QUIC", &hello, &hello),
        row("octroi analyze: DNS", &asked, &asked),
        row("octroi analyze: HTTP", &hosts, &hosts),
    ];
    let is_present = |who: Who| present.iter().any(|(other, ..)| *other == who);
    if is_present(Who::Suricata) {
        // What its last turn wrote.
        let log = std::fs::read_to_string(scratch.join("eve.json")).unwrap_or_default();
        let of = |key: &str| after_key(&log, key);
        rows.push(row("suricata: TLS and QUIC", &of("sni"), &hello));
        rows.push(row("suricata: DNS", &of("rrname"), &asked));
        rows.push(row("suricata: HTTP", &of("hostname"), &hosts));
    }
    if is_present(Who::Ndpi) {
        let text = output(Command::new("ndpiReader").args(["-v", "2", "-i"]).arg(path))?;
        let found = text.split("Hostname/SNI: ").skip(1);
        let found = found.filter_map(|rest| normal(rest.split(']').next()?));
        rows.push(row("ndpiReader: all", &found.collect(), &all));
    }
    if is_present(Who::Tshark) {
        let text = output(Command::new("tshark").arg("-r").arg(path).args(FIELDS))?;
        let column = |at: usize| -> Names {
            let cells = text.lines().filter_map(|line| line.split('\t').nth(at));
            cells
                .flat_map(|cell| cell.split(','))
                .filter_map(normal)
                .collect()
        };
        rows.push(row("tshark: TLS and QUIC", &column(0), &hello));
        rows.push(row("tshark: DNS", &column(1), &asked));
        rows.push(row("tshark: HTTP", &column(2), &hosts));
    }
    Ok(rows)
}

fn row(what: &str, found: &Names, ours: &Names) -> Row {
    let not_ours: Vec<&str> = found.difference(ours).map(String::as_str).collect();
    let mut note = String::new();
    if !not_ours.is_empty() {
        let first: Vec<&str> = not_ours.iter().take(5).copied().collect();
        note = format!("{} not ours: {}", not_ours.len(), first.join(", "));
    }
    Row::new(NAMES, what, number(found.len() as u64), "names").note(note)
}

fn output(command: &mut Command) -> Result<String> {
    let output = command.stderr(Stdio::null()).output()?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A name as it is compared: lower case, no port, no dot at the end.
fn normal(name: &str) -> Option<String> {
    let name = name.trim().trim_end_matches('.').to_ascii_lowercase();
    let name = match name.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host.to_owned(),
        _ => name,
    };
    (!name.is_empty() && name != "<root>").then_some(name)
}

/// The texts of a list in a line of JSON.
fn listed(line: &str, field: &str) -> Vec<String> {
    let begin = format!("\"{field}\":[");
    let list = line
        .split(&begin)
        .nth(1)
        .and_then(|rest| rest.split(']').next());
    let texts = list.unwrap_or_default().split(',');
    texts
        .filter_map(|text| normal(text.trim_matches('"')))
        .collect()
}

/// The texts that stand behind a key, anywhere in lines of JSON.
fn after_key(text: &str, key: &str) -> Names {
    let begin = format!("\"{key}\":\"");
    let values = text.split(&begin).skip(1);
    values
        .filter_map(|rest| normal(rest.split('"').next()?))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_in_one_form() {
        assert_eq!(
            normal("WWW.Example.org:8080"),
            Some("www.example.org".to_owned())
        );
        assert_eq!(normal("Example.org."), Some("example.org".to_owned()));
        assert_eq!(normal("<Root>"), None);
        let line = "{\"sni\":[\"a.b\",\"c.d\"],\"quic_sni\":[]}";
        assert_eq!(listed(line, "sni"), ["a.b", "c.d"]);
        assert!(listed(line, "quic_sni").is_empty() && listed(line, "none").is_empty());
        let found = after_key("{\"x\":{\"sni\":\"A.b\"}}\n{\"sni\":\"a.b\"}", "sni");
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["a.b"]);
    }

    #[test]
    fn what_runs_is_measured() {
        let (seconds, _) = measured(&mut Command::new("true")).unwrap();
        assert!(seconds < 10.0);
        assert!(measured(&mut Command::new("false")).is_err());
    }
}
