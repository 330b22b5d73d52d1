//! `octroi status`: how the gateway is.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::Result;
use octroi_api::{AtlasStatus, InterfaceStatus, StatusReport};
use octroi_events::Mode;

use super::table::{Table, bytes, seconds};
use super::{ClientArguments, client};

/// Prints the daemon's status. Exit status 2 when the gateway is not healthy.
pub(super) fn run(arguments: &ClientArguments) -> Result<ExitCode> {
    let report = client::converse(&arguments.socket, async |daemon| {
        Ok(daemon.status().await?)
    })?;
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{}", render(&report));
    }
    Ok(if report.health.healthy {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(2)
    })
}

fn render(report: &StatusReport) -> String {
    let mut text = String::new();
    let up = report.now.duration_since(report.started).as_secs();
    let mut line = |key: &str, value: String| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{key:<11} {value}");
    };
    line(
        "gateway",
        format!(
            "{}  octroi {} (abi {})  pid {}  up {}  {} resident  Linux {}",
            report.host,
            report.version,
            report.abi_version,
            report.pid,
            seconds(u64::try_from(up).unwrap_or(0)),
            bytes(report.rss_bytes),
            report.kernel
        ),
    );
    for (key, value) in report.interfaces.iter().flat_map(interface_lines) {
        line(key, value);
    }
    for taken_over in &report.taken_over {
        line("upgrade", taken_over.clone());
    }
    let policy = &report.policy;
    let mode = match policy.mode {
        Mode::Monitor => "monitor",
        Mode::Enforce => "enforce",
    };
    line(
        "policy",
        format!(
            "{} {}  {} mode  rules {}, zones {}  generation {}  {}  ({})",
            policy.name,
            policy.version.as_deref().unwrap_or(""),
            mode,
            policy.rules,
            policy.zones,
            policy.generation,
            policy.sha256.get(..12).unwrap_or(&policy.sha256),
            policy.file
        ),
    );
    let atlas = &report.atlas;
    line("atlas", atlas_line(atlas));
    if let Some(update) = &atlas.update {
        line(
            "update",
            format!("{:.0}  {}: {}", update.time, update.outcome, update.message),
        );
    }
    line("flows", flows_line(report));
    let holds: Vec<_> = report
        .holds
        .iter()
        .filter(|hold| hold.value > 0)
        .map(|hold| format!("{} {}", hold.name.replace('_', " "), hold.value))
        .collect();
    if !holds.is_empty() {
        line("names", holds.join(", "));
    }
    for (what, told) in findings(report) {
        line(what, told);
    }
    for sink in &report.sinks {
        let state = sink.error.clone().unwrap_or_else(|| "works".to_owned());
        line(
            "sink",
            format!(
                "{}  {} events, {}  lost {}  {state}",
                sink.name,
                sink.written,
                bytes(sink.written_bytes),
                sink.lost
            ),
        );
    }
    line(
        "losses",
        if report.lost() == 0 {
            "none".to_owned()
        } else {
            losses(report)
        },
    );
    text.push('\n');
    text.push_str(&packets(report));
    for problem in &report.health.problems {
        let _ = writeln!(text, "\nPROBLEM: {problem}");
    }
    text
}

/// Flows, and what was told of them.
fn flows_line(report: &StatusReport) -> String {
    let dropped = match report.calls_dropped {
        0 => String::new(),
        dropped => format!(" ({dropped} parts could not be remembered)"),
    };
    format!(
        "{} of {}  alerts {}  calls {}{dropped}",
        report.flows, report.flows_capacity, report.alerts, report.calls
    )
}

/// The open findings.
fn findings(report: &StatusReport) -> impl Iterator<Item = (&'static str, String)> {
    report.findings.iter().map(|finding| {
        let told = format!(
            "{}  {}  {} times, last {:.0}",
            finding.client,
            finding.signature(),
            finding.count,
            finding.last
        );
        ("finding", told)
    })
}

/// An interface, and who else runs there.
fn interface_lines(interface: &InterfaceStatus) -> Vec<(&'static str, String)> {
    let name = &interface.name;
    let state = match (&interface.problem, interface.attached) {
        (Some(problem), _) => problem.clone(),
        (None, true) => format!(
            "guarded ({}), XDP {}, {}",
            interface.role, interface.mode, interface.link
        ),
        (None, false) => "not there; guarded when it comes".to_owned(),
    };
    let mut lines = vec![("interface", format!("{name}  {state}"))];
    for (others, when) in [(&interface.before, "before"), (&interface.after, "after")] {
        if !others.is_empty() {
            let others = others.join(", ");
            lines.push(("", format!("{name}  on TCX egress {when} ours: {others}")));
        }
    }
    lines
}

fn atlas_line(atlas: &AtlasStatus) -> String {
    format!(
        "{}  {} days old  {} classes  catalogue of {}  {}  ({})",
        atlas.version,
        atlas.age_days,
        atlas.classes,
        atlas.catalogue,
        match &atlas.signature {
            Some(comment) => format!("signed: {comment}"),
            None => "no signature asked for".to_owned(),
        },
        atlas.file.as_deref().unwrap_or("inside the binary")
    )
}

/// Where every packet ended, by direction, and the kinds of opaque traffic.
fn packets(report: &StatusReport) -> String {
    let mut table = Table::new(&["PACKETS", "OUTBOUND>", "REPLY>"]);
    table.row(vec![
        "seen".to_owned(),
        report.counters.outbound.seen.to_string(),
        report.counters.reply.seen.to_string(),
    ]);
    for (out, reply) in report
        .counters
        .outbound
        .outcomes
        .iter()
        .zip(&report.counters.reply.outcomes)
    {
        if out.value + reply.value > 0 {
            table.row(vec![
                out.name.clone(),
                out.value.to_string(),
                reply.value.to_string(),
            ]);
        }
    }
    let mut text = table.render();
    for opaque in report
        .counters
        .opaque
        .iter()
        .filter(|opaque| opaque.value > 0)
    {
        let _ = writeln!(text, "opaque: {} {}", opaque.name, opaque.value);
    }
    text
}

fn losses(report: &StatusReport) -> String {
    let kernel = report.counters.losses.iter();
    let queue = report.queue_lost.iter();
    let words: Vec<_> = kernel
        .chain(queue)
        .filter(|loss| loss.value > 0)
        .map(|loss| format!("{} {}", loss.name, loss.value))
        .collect();
    words.join(", ")
}
