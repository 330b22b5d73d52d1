//! The report as tables for people.

use std::io::{self, Write};

use jiff::Timestamp;

use super::flow_line::FlowLine;
use super::report::Report;
use crate::cli::table::{Table, bytes};

/// Prints the report.
pub(super) fn print(report: &Report, with_names: bool, out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "policy {} ({}), atlas {}, law of {}",
        report.policy, report.mode, report.atlas, report.at
    )?;
    if report.left_out_by_filter > 0 {
        writeln!(
            out,
            "only flows for which {} holds; {} others are left out",
            report.filter.as_deref().unwrap_or_default(),
            report.left_out_by_filter
        )?;
    }
    captures(report, out)?;
    jurisdictions(report, out)?;
    without_flow(report, out)?;
    flows(report, out)?;
    alerts(report, out)?;
    calls(report, out)?;
    findings(report, out)?;
    if with_names {
        names(report, out)?;
    }
    for bound in &report.bounds {
        writeln!(out, "note: {bound}")?;
    }
    Ok(())
}

fn captures(report: &Report, out: &mut impl Write) -> io::Result<()> {
    heading("Captures", out)?;
    let mut table = Table::new(&["CAPTURE", "PACKETS>", "BYTES>", "FLOWS>", "FIRST", "LASTS>"]);
    for line in &report.captures {
        table.row(vec![
            line.capture.clone(),
            line.packets.to_string(),
            bytes(line.bytes),
            line.flows.to_string(),
            line.first.map(seconds).unwrap_or_default(),
            lasts(line.first, line.last),
        ]);
    }
    write!(out, "{}", table.render())?;
    for line in &report.captures {
        if let Some(error) = &line.error {
            writeln!(out, "! {}: {error}", line.capture)?;
        }
        for note in &line.notes {
            writeln!(out, "  {}: {note}", line.capture)?;
        }
    }
    Ok(())
}

fn jurisdictions(report: &Report, out: &mut impl Write) -> io::Result<()> {
    if report.jurisdictions.is_empty() {
        return Ok(());
    }
    heading("Jurisdictions", out)?;
    let mut table = Table::new(&[
        "HOSTING", "CONTROL", "VERDICT", "FLOWS>", "PACKETS>", "BYTES>",
    ]);
    for line in &report.jurisdictions {
        table.row(vec![
            line.hosting.clone(),
            line.control.clone(),
            verdict(line.verdict, line.enforced),
            line.flows.to_string(),
            line.packets.to_string(),
            bytes(line.bytes),
        ]);
    }
    write!(out, "{}", table.render())
}

fn without_flow(report: &Report, out: &mut impl Write) -> io::Result<()> {
    if report.without_flow.is_empty() {
        return Ok(());
    }
    heading("Opaque packets without a flow", out)?;
    let mut table = Table::new(&["KIND", "VERDICT", "PACKETS>", "BYTES>"]);
    for line in &report.without_flow {
        table.row(vec![
            line.opaque.to_owned(),
            verdict(line.verdict, line.enforced),
            line.packets.to_string(),
            bytes(line.bytes),
        ]);
    }
    write!(out, "{}", table.render())
}

fn flows(report: &Report, out: &mut impl Write) -> io::Result<()> {
    if report.flows.is_empty() {
        return Ok(());
    }
    heading("Flows, largest first", out)?;
    let mut table = Table::new(&[
        "VERDICT",
        "RULE",
        "SOURCE",
        "DESTINATION",
        "NAME",
        "APP",
        "HOSTING",
        "CONTROL",
        "BYTES>",
    ]);
    for line in &report.flows {
        table.row(vec![
            verdict(line.verdict, line.enforced),
            line.rule.clone(),
            line.source_text(),
            line.destination_with_port(),
            name(line),
            line.app_protocol.unwrap_or_default().to_owned(),
            line.hosting.clone(),
            line.control.clone(),
            bytes(line.bytes()),
        ]);
    }
    write!(out, "{}", table.render())?;
    left_out(report.flows_left_out, "flows", out)
}

fn alerts(report: &Report, out: &mut impl Write) -> io::Result<()> {
    if report.alerts.is_empty() {
        return Ok(());
    }
    heading("Alerts, strictest first", out)?;
    let mut table = Table::new(&[
        "VERDICT",
        "RULE",
        "ZONE",
        "DESTINATION",
        "HOSTING",
        "CONTROL",
        "OPERATOR",
        "FLOWS>",
        "BYTES>",
        "LAWS",
    ]);
    for alert in &report.alerts {
        let laws = &alert.first.profile.control.laws;
        let laws: Vec<&str> = laws.iter().map(AsRef::as_ref).collect();
        table.row(vec![
            verdict(alert.verdict, alert.enforced),
            alert.rule.clone(),
            alert.zone.clone(),
            alert.destination.clone(),
            alert.first.hosting.clone(),
            alert.first.control.clone(),
            alert.first.operator.clone().unwrap_or_default(),
            alert.flows.to_string(),
            bytes(alert.bytes),
            laws.join(", "),
        ]);
    }
    write!(out, "{}", table.render())?;
    left_out(report.alerts_left_out, "alerts", out)?;
    writeln!(out, "why: octroi explain <address> (or --json)")
}

fn calls(report: &Report, out: &mut impl Write) -> io::Result<()> {
    if report.watched.calls.is_empty() {
        return Ok(());
    }
    heading("Calls", out)?;
    let mut table = Table::new(&[
        "START", "CLIENT", "SERVICE", "OPERATOR", "CONTROL", "SECONDS>", "OUT>", "IN>", "FLOWS>",
        "VERDICT", "SURE",
    ]);
    for record in &report.watched.calls {
        let call = &record.call;
        let control = record.control_country.map(|country| country.to_string());
        table.row(vec![
            format!("{:.0}", record.start),
            call.client.to_string(),
            call.service_name.to_string(),
            call.operator_id.to_string(),
            control.unwrap_or_default(),
            call.seconds.to_string(),
            bytes(call.outbound_bytes),
            bytes(call.reply_bytes),
            call.flows.to_string(),
            verdict(call.verdict.name(), call.enforced),
            call.certainty.name().to_owned(),
        ]);
    }
    write!(out, "{}", table.render())
}

fn findings(report: &Report, out: &mut impl Write) -> io::Result<()> {
    if report.watched.findings.is_empty() {
        return Ok(());
    }
    heading("Tracking links", out)?;
    let mut table = Table::new(&["CLIENT", "FINDING", "SEEN BY", "SEEN>", "FIRST"]);
    for finding in &report.watched.findings {
        table.row(vec![
            finding.client.to_string(),
            finding.signature(),
            finding.seen_by.join(", "),
            finding.count.to_string(),
            format!("{:.0}", finding.first),
        ]);
    }
    write!(out, "{}", table.render())
}

fn names(report: &Report, out: &mut impl Write) -> io::Result<()> {
    heading("Names", out)?;
    let mut table = Table::new(&["NAME", "FROM", "PEER", "SEEN>", ""]);
    for line in &report.names {
        table.row(vec![
            line.name.clone(),
            line.source.name().to_owned(),
            line.peer.clone(),
            line.count.to_string(),
            line.remarks(),
        ]);
    }
    write!(out, "{}", table.render())
}

fn heading(text: &str, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "\n{text}")
}

fn left_out(count: u64, what: &str, out: &mut impl Write) -> io::Result<()> {
    if count > 0 {
        writeln!(out, "and {count} more {what} (--limit 0 lists all)")?;
    }
    Ok(())
}

/// In `monitor` mode what stops is only noted.
fn verdict(name: &str, enforced: bool) -> String {
    if enforced || matches!(name, "allow" | "flag") {
        name.to_owned()
    } else {
        format!("({name})")
    }
}

fn name(line: &FlowLine) -> String {
    match (&line.name, line.name_source) {
        (Some(name), Some(source)) => format!("{name} ({source})"),
        _ => String::new(),
    }
}

fn seconds(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

fn lasts(first: Option<Timestamp>, last: Option<Timestamp>) -> String {
    match (first, last) {
        (Some(first), Some(last)) => {
            let seconds = last.duration_since(first).as_secs_f64();
            format!("{seconds:.1} s")
        }
        _ => String::new(),
    }
}
