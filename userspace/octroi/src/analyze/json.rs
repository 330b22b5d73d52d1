//! The report as JSON: one document, or a line for each flow, alert and capture.

use std::io::{self, Write};

use octroi_inspect::flow::Flow;
use octroi_inspect::name::NameEvent;
use octroi_inspect::packet::Unparsed;
use octroi_inspect::survey::{Naming, Sink};
use serde::Serialize;

use super::judged::Judging;
use super::report::Report;

/// A line and what it is.
#[derive(Serialize)]
struct Line<'a, T> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(flatten)]
    value: &'a T,
}

/// The whole report as one document.
pub(super) fn document(report: &Report, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, report)?;
    out.write_all(b"\n")
}

/// Writes each flow as it ends.
pub(super) struct Lines<'a, W> {
    judging: &'a mut Judging,
    out: &'a mut W,
    failed: Option<io::Error>,
}

impl<'a, W: Write> Lines<'a, W> {
    pub(super) fn new(judging: &'a mut Judging, out: &'a mut W) -> Self {
        Self {
            judging,
            out,
            failed: None,
        }
    }

    /// The first error of writing, if any.
    pub(super) fn finish(self) -> io::Result<()> {
        self.failed.map_or(Ok(()), Err)
    }
}

impl<W: Write> Sink for Lines<'_, W> {
    fn flow(&mut self, flow: Flow<Naming>) {
        let line = self.judging.judge(&flow);
        if self.failed.is_none() {
            self.failed = write_line("flow", &line, self.out).err();
        }
    }

    fn name(&mut self, event: &NameEvent, inside_tunnel: bool) {
        self.judging.name(event, inside_tunnel);
    }

    fn without_flow(&mut self, time_ns: u64, wire_bytes: u32, unparsed: &Unparsed) {
        self.judging.without_flow(time_ns, wire_bytes, unparsed);
    }
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
    for line in &report.without_flow {
        write_line("without_flow", line, out)?;
    }
    for line in &report.captures {
        write_line("capture", line, out)?;
    }
    Ok(())
}

fn write_line<T: Serialize>(kind: &'static str, value: &T, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, &Line { kind, value })?;
    out.write_all(b"\n")
}
