//! The report as one page of HTML that stands alone: no script, no network, no fonts of others.
//!
//! What a capture says was written by strangers. Everything goes through [`Text`]; the page has a
//! content security policy that allows its own style sheet, by its digest, and nothing else. Tables
//! say what the drawings say. It prints, and follows the reader's choice of dark or light.

mod drawing;
mod escape;
mod section;
mod style;
mod watched;

use std::fmt::Write as _;
use std::io::{self, Write};

use jiff::Timestamp;

use super::report::Report;
use crate::cli::table::bytes;
use escape::Text;
use section::{Cell, Table};

/// Writes the page.
pub(super) fn page(report: &Report, out: &mut impl Write) -> io::Result<()> {
    write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
         style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>Octroi: under whose law traffic went</title>\n<style>{style}</style>\n</head>\n\
         <body>\n<main>\n<h1>Under whose law traffic went</h1>\n",
        digest = style::digest(),
        style = style::SHEET
    )?;
    summary(report, out)?;
    jurisdictions(report, out)?;
    destinations(report, out)?;
    services(report, out)?;
    watched::calls(report, out)?;
    watched::findings(report, out)?;
    alerts(report, out)?;
    opaque(report, out)?;
    flows(report, out)?;
    names(report, out)?;
    captures(report, out)?;
    method(report, out)?;
    out.write_all(b"</main>\n</body>\n</html>\n")
}

fn heading(text: &str, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "<h2>{}</h2>", Text(text))
}

fn paragraph(text: &str, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "<p>{}</p>", Text(text))
}

fn summary(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let packets: u64 = report.captures.iter().map(|line| line.packets).sum();
    let wire: u64 = report.captures.iter().map(|line| line.bytes).sum();
    let flows: u64 = report.jurisdictions.iter().map(|line| line.flows).sum();
    let first = report.captures.iter().filter_map(|line| line.first).min();
    let last = report.captures.iter().filter_map(|line| line.last).max();
    let mut text = format!(
        "{packets} packets, {} on the wire, {flows} flows judged",
        bytes(wire)
    );
    if let (Some(first), Some(last)) = (first, last) {
        let _ = write!(text, ", from {} to {} UTC", moment(first), moment(last));
    }
    let _ = write!(
        text,
        ". Policy {} ({}), law of {}.",
        report.policy, report.mode, report.at
    );
    paragraph(&text, out)?;
    if report.left_out_by_filter > 0 {
        let filter = report.filter.as_deref().unwrap_or_default();
        let count = report.left_out_by_filter;
        paragraph(
            &format!("Only flows for which {filter} holds; {count} others are left out."),
            out,
        )?;
    }
    let mut table = Table::new("Flows by verdict", &["Verdict", "Flows>", "Bytes>"]);
    for verdict in ["block", "reject", "flag", "allow"] {
        let of = report.jurisdictions.iter();
        let of: Vec<_> = of.filter(|line| line.verdict == verdict).collect();
        if let Some(first) = of.first() {
            table.row(vec![
                Cell::verdict(verdict, first.enforced),
                Cell::count(of.iter().map(|line| line.flows).sum()),
                Cell::bytes(of.iter().map(|line| line.bytes).sum()),
            ]);
        }
    }
    table.write(out)
}

fn jurisdictions(report: &Report, out: &mut impl Write) -> io::Result<()> {
    if report.jurisdictions.is_empty() {
        return Ok(());
    }
    heading("Where it went, and under whose law", out)?;
    drawing::jurisdictions(&report.jurisdictions, out)?;
    let mut table = Table::new(
        "Country where it stands, country whose law reaches it, and what the policy says",
        &[
            "Hosting", "Control", "Verdict", "Flows>", "Packets>", "Bytes>",
        ],
    );
    for line in &report.jurisdictions {
        table.row(vec![
            Cell::text(&line.hosting),
            Cell::short(&*line.control),
            Cell::verdict(line.verdict, line.enforced),
            Cell::count(line.flows),
            Cell::count(line.packets),
            Cell::bytes(line.bytes),
        ]);
    }
    table.write(out)
}

fn destinations(report: &Report, out: &mut impl Write) -> io::Result<()> {
    if report.destinations.is_empty() {
        return Ok(());
    }
    heading("Destinations", out)?;
    let mut table = Table::new(
        "Destinations with the most bytes: names, or addresses without one",
        &[
            "Destination",
            "Hosting",
            "Control",
            "Operator",
            "Verdict",
            "Flows>",
            "Sent>",
            "Received>",
        ],
    );
    for line in &report.destinations {
        table.row(vec![
            Cell::code(&line.destination),
            Cell::text(&line.hosting),
            Cell::short(&*line.control),
            Cell::text(line.operator.as_deref().unwrap_or_default()),
            Cell::verdict(line.verdict, line.enforced),
            Cell::count(line.sums.flows),
            Cell::bytes(line.sums.outbound_bytes),
            Cell::bytes(line.sums.reply_bytes),
        ]);
    }
    table.write(out)?;
    more(report.destinations_left_out, "destinations", out)
}

fn services(report: &Report, out: &mut impl Write) -> io::Result<()> {
    if report.services.is_empty() {
        return Ok(());
    }
    heading("Services, and what could be used instead", out)?;
    let mut table = Table::new(
        "Services of the catalogue",
        &[
            "Service",
            "Kind",
            "Operator",
            "Control",
            "Qualified",
            "Instead",
            "Flows>",
            "Sent>",
            "Received>",
        ],
    );
    for line in &report.services {
        table.row(vec![
            Cell::text(&line.name),
            Cell::text(line.category),
            Cell::text(&line.operator),
            Cell::short(&*line.control),
            Cell::text(&line.qualifications.join(", ")),
            Cell::long(line.alternatives.join(", ")),
            Cell::count(line.sums.flows),
            Cell::bytes(line.sums.outbound_bytes),
            Cell::bytes(line.sums.reply_bytes),
        ]);
    }
    table.write(out)
}

fn alerts(report: &Report, out: &mut impl Write) -> io::Result<()> {
    if report.alerts.is_empty() {
        return Ok(());
    }
    heading("Alerts, and why", out)?;
    let mut table = Table::new(
        "Alerts, strictest first",
        &[
            "Verdict",
            "Rule",
            "Zone",
            "Destination",
            "Why",
            "Flows>",
            "Bytes>",
        ],
    );
    for alert in &report.alerts {
        table.row(vec![
            Cell::verdict(alert.verdict, alert.enforced),
            Cell::text(&alert.rule),
            Cell::text(&alert.zone),
            Cell::code(&alert.destination),
            Cell::lines(why(alert)),
            Cell::count(alert.flows),
            Cell::bytes(alert.bytes),
        ]);
    }
    table.write(out)?;
    more(report.alerts_left_out, "alerts", out)
}

/// The reason of an alert: the rule, the laws, and what could be used instead.
fn why(alert: &super::report::AlertLine) -> Vec<String> {
    let Some(residency) = &alert.residency else {
        return Vec::new();
    };
    let mut lines = Vec::new();
    let title = residency.rule_title.as_deref();
    lines.extend(title.map(str::to_owned));
    let line = &alert.first;
    let mut place = format!("Stands: {}; control: {}", line.hosting, line.control);
    if let Some(operator) = &residency.operator {
        let _ = write!(place, ", {operator}");
    }
    lines.push(place);
    lines.extend(
        residency
            .laws
            .iter()
            .map(|law| format!("{}: {}", law.name, law.sentence)),
    );
    let basis: Vec<&str> = residency.basis.iter().map(|basis| &*basis.title).collect();
    if !basis.is_empty() {
        lines.push(format!("Basis: {}", basis.join("; ")));
    }
    let instead: Vec<&str> = residency
        .alternatives
        .iter()
        .map(|other| &*other.name)
        .collect();
    if !instead.is_empty() {
        lines.push(format!("Instead: {}", instead.join(", ")));
    }
    lines
}

fn opaque(report: &Report, out: &mut impl Write) -> io::Result<()> {
    if report.without_flow.is_empty() {
        return Ok(());
    }
    heading("Opaque packets", out)?;
    let mut table = Table::new(
        "Packets that no flow could be made of",
        &["Kind", "Verdict", "Packets>", "Bytes>"],
    );
    for line in &report.without_flow {
        table.row(vec![
            Cell::text(line.opaque),
            Cell::verdict(line.verdict, line.enforced),
            Cell::count(line.packets),
            Cell::bytes(line.bytes),
        ]);
    }
    table.write(out)
}

fn flows(report: &Report, out: &mut impl Write) -> io::Result<()> {
    if report.flows.is_empty() {
        return Ok(());
    }
    heading("Flows", out)?;
    let mut table = Table::new(
        "Largest flows",
        &[
            "Verdict",
            "Rule",
            "Source",
            "Destination",
            "Name",
            "Rests on",
            "Speaks",
            "Hosting",
            "Control",
            "Bytes>",
        ],
    );
    for line in &report.flows {
        table.row(vec![
            Cell::verdict(line.verdict, line.enforced),
            Cell::text(&line.rule),
            Cell::code(&line.source_text()),
            Cell::code(&line.destination_with_port()),
            Cell::code(line.name.as_deref().unwrap_or_default()),
            Cell::text(line.naming),
            Cell::text(line.app_protocol.unwrap_or_default()),
            Cell::text(&line.hosting),
            Cell::short(&*line.control),
            Cell::bytes(line.bytes()),
        ]);
    }
    table.write(out)?;
    more(report.flows_left_out, "flows", out)
}

fn names(report: &Report, out: &mut impl Write) -> io::Result<()> {
    if report.names.is_empty() {
        return Ok(());
    }
    heading("Names", out)?;
    let mut table = Table::new(
        "Names that were observed, most frequent first",
        &["Name", "From", "Peer", "Seen>", "Remarks"],
    );
    for line in &report.names {
        table.row(vec![
            Cell::code(&line.name),
            Cell::text(line.source.name()),
            Cell::code(&line.peer),
            Cell::count(line.count),
            Cell::text(&line.remarks()),
        ]);
    }
    table.write(out)
}

fn captures(report: &Report, out: &mut impl Write) -> io::Result<()> {
    heading("Captures", out)?;
    let mut table = Table::new(
        "What was read",
        &[
            "Capture", "Packets>", "Bytes>", "Flows>", "First", "Last", "Remarks",
        ],
    );
    for line in &report.captures {
        let remarks = line.error.iter().chain(&line.notes).cloned();
        table.row(vec![
            Cell::code(&line.capture),
            Cell::count(line.packets),
            Cell::bytes(line.bytes),
            Cell::count(line.flows),
            Cell::short(line.first.map(moment).unwrap_or_default()),
            Cell::short(line.last.map(moment).unwrap_or_default()),
            Cell::lines(remarks.collect()),
        ]);
    }
    table.write(out)
}

fn method(report: &Report, out: &mut impl Write) -> io::Result<()> {
    heading("How this was computed", out)?;
    let mut table = Table::new("Versions", &["What", "Which"]);
    let mut row = |what: &str, which: &str| {
        table.row(vec![Cell::text(what), Cell::code(which)]);
    };
    row("Program", concat!("octroi ", env!("CARGO_PKG_VERSION")));
    row("Atlas", &report.atlas);
    row("Facts of the catalogue checked on", &report.catalogue_as_of);
    row("Law, adequacy and qualifications of", &report.at);
    row("Policy", &report.policy);
    row("Policy, sha256", &report.policy_sha256);
    row("Mode of the policy", report.mode);
    if let Some(filter) = &report.filter {
        row("Filter", filter);
    }
    table.write(out)?;
    for bound in &report.bounds {
        paragraph(&format!("Not everything had room: {bound}."), out)?;
    }
    paragraph(
        "Each flow was judged by the same evaluator that stands behind the gate. Hosting is where \
         the destination stands, control is the country whose law reaches its operator; neither \
         is derived from the other. Unknown, contested and anycast are values of their own. A \
         verdict in parentheses is one that monitor mode records and does not carry out. Bytes of \
         flows are counted from the IP header on.",
        out,
    )
}

fn more(count: u64, what: &str, out: &mut impl Write) -> io::Result<()> {
    if count == 0 {
        return Ok(());
    }
    paragraph(
        &format!("And {count} more {what}: --limit 0 lists all."),
        out,
    )
}

fn moment(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S").to_string()
}
