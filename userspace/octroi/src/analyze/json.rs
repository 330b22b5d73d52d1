//! The report as JSON: one document, or a line for each flow, alert and capture.

use std::io::{self, Write};

use serde::Serialize;

use super::flow_line::FlowLine;
use super::report::Report;

/// A line and what it is.
#[derive(Serialize)]
struct Line<'a, T> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(flatten)]
    value: &'a T,
}

/// A bound that was reached, and what is missing because of it.
#[derive(Serialize)]
struct Bound<'a> {
    text: &'a str,
}

/// The whole report as one document.
pub(super) fn document(report: &Report, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, report)?;
    out.write_all(b"\n")
}

/// A flow as a line.
pub(super) fn flow(line: &FlowLine) -> Vec<u8> {
    let mut out = Vec::with_capacity(1 << 10);
    // A line is made of strings and numbers, and memory takes every write: this cannot fail.
    let _ = write_line("flow", line, &mut out);
    out
}

/// What comes after the flows: names, alerts, jurisdictions, captures.
pub(super) fn last_lines(report: &Report, out: &mut impl Write) -> io::Result<()> {
    for line in &report.names {
        write_line("name", line, out)?;
    }
    for line in &report.alerts {
        write_line("alert", line, out)?;
    }
    for line in &report.jurisdictions {
        write_line("jurisdiction", line, out)?;
    }
    for line in &report.destinations {
        write_line("destination", line, out)?;
    }
    for line in &report.services {
        write_line("service", line, out)?;
    }
    for line in &report.watched.calls {
        write_line("call", line, out)?;
    }
    for line in &report.watched.findings {
        write_line("finding", line, out)?;
    }
    for line in &report.without_flow {
        write_line("without_flow", line, out)?;
    }
    for line in &report.captures {
        write_line("capture", line, out)?;
    }
    for text in &report.bounds {
        write_line("bound", &Bound { text }, out)?;
    }
    Ok(())
}

fn write_line<T: Serialize>(kind: &'static str, value: &T, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, &Line { kind, value })?;
    out.write_all(b"\n")
}
