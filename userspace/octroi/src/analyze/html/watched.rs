//! Calls and tracking links on the page.

use std::io::{self, Write};

use octroi_events::finding::Matter;

use super::section::{Cell, Table};
use super::{heading, moment, paragraph};
use crate::analyze::report::Report;

/// Calls of people.
pub(super) fn calls(report: &Report, out: &mut impl Write) -> io::Result<()> {
    if report.watched.calls.is_empty() {
        return Ok(());
    }
    heading("Calls", out)?;
    paragraph(
        "Who spoke with whom, when and for how long is told by the traffic alone, whatever is \
         encrypted.",
        out,
    )?;
    let mut table = Table::new(
        "Calls of people, in order of time",
        &[
            "Service",
            "Operator",
            "Control",
            "Client",
            "Began",
            "Seconds>",
            "Sent>",
            "Received>",
            "Verdict",
            "Taken for one because of",
        ],
    );
    for record in &report.watched.calls {
        let call = &record.call;
        let control = record.control_country.map(|code| code.to_string());
        let evidence: Vec<_> = { call.evidence.iter() }
            .map(|evidence| evidence.name().replace('_', " "))
            .collect();
        table.row(vec![
            Cell::text(&call.service_name),
            Cell::text(record.operator.as_deref().unwrap_or(&call.operator_id)),
            Cell::text(&control.unwrap_or_default()),
            Cell::code(&call.client.to_string()),
            Cell::short(moment(record.start)),
            Cell::count(call.seconds),
            Cell::bytes(call.outbound_bytes),
            Cell::bytes(call.reply_bytes),
            Cell::verdict(call.verdict.name(), call.enforced),
            Cell::long(format!(
                "{} ({})",
                evidence.join(", "),
                call.certainty.name()
            )),
        ]);
    }
    table.write(out)
}

/// Tracking links, with the evidence.
pub(super) fn findings(report: &Report, out: &mut impl Write) -> io::Result<()> {
    if report.watched.findings.is_empty() {
        return Ok(());
    }
    heading("Tracking links", out)?;
    paragraph(
        "Hosts whose links exist to record who opens them, with the address and the time.",
        out,
    )?;
    let mut table = Table::new(
        "Tracking links that were asked for or opened",
        &[
            "Family", "Names", "Client", "Zone", "Seen by", "First", "Last", "Hits>", "Evidence",
        ],
    );
    for finding in &report.watched.findings {
        table.row(vec![
            Cell::text(finding.matter.family()),
            Cell::code(&finding.names.join(", ")),
            Cell::code(&finding.client.to_string()),
            Cell::text(finding.zone.as_deref().unwrap_or_default()),
            Cell::text(&finding.seen_by.join(", ")),
            Cell::short(moment(finding.first)),
            Cell::short(moment(finding.last)),
            Cell::count(finding.count),
            Cell::long(found_by(&finding.matter)),
        ]);
    }
    table.write(out)
}

/// Why a name is a finding.
fn found_by(matter: &Matter) -> String {
    match matter {
        Matter::IpLogger {
            host,
            dual_use,
            source,
            ..
        } => {
            let lawful = if *dual_use {
                "; has lawful uses as well"
            } else {
                ""
            };
            format!("{host} is listed: {source}{lawful}")
        }
        Matter::LookAlike { like, likeness, .. } => {
            let likeness = likeness.replace('_', " ");
            format!("suspected: resembles {like} ({likeness})")
        }
    }
}
