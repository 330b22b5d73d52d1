//! `octroi findings`: what somebody should look into.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::Result;
use octroi_api::{FindingRow, FindingsPage};
use octroi_events::finding::Matter;

use super::follow::{INTERVAL, say_what_is_missing};
use super::table::Table;
use super::{FindingsArguments, client};

/// Prints findings, open ones first; with `--follow` each word on them as it is told; with
/// `--acknowledge` notes that somebody looks into them.
pub(super) fn run(arguments: &FindingsArguments) -> Result<ExitCode> {
    let watched = &arguments.watched;
    client::converse(&watched.client.socket, async |daemon| {
        for &id in &arguments.acknowledge {
            println!("{}", daemon.acknowledge(id).await?);
        }
        if !arguments.acknowledge.is_empty() {
            return Ok(ExitCode::SUCCESS);
        }
        let filter = || Some(watched.filter.clone());
        let mut limit = u32::try_from(watched.limit)?;
        if !watched.follow {
            let page = daemon.findings(filter(), limit, None).await?;
            if watched.client.json {
                println!("{}", serde_json::to_string_pretty(&page.rows)?);
            } else {
                print!("{}", render(&page));
            }
            return Ok(ExitCode::SUCCESS);
        }
        let mut after = None;
        loop {
            let page = daemon.findings(filter(), limit, after).await?;
            say_what_is_missing(page.matching, page.rows.len(), "findings");
            let mut rows: Vec<&FindingRow> = page.rows.iter().collect();
            rows.sort_by_key(|row| row.event);
            for row in rows {
                if watched.client.json {
                    println!("{}", serde_json::to_string(row)?);
                } else {
                    println!("{}", line(row));
                }
            }
            let newest = page.rows.iter().map(|row| row.event).max();
            after = newest.or(after).or(Some(0));
            limit = octroi_api::MAX_WATCHED_ROWS;
            tokio::time::sleep(INTERVAL).await;
        }
    })
}

fn render(page: &FindingsPage) -> String {
    let mut table = Table::new(&[
        "ID", "STATE", "SEV", "N>", "FIRST", "LAST", "ZONE", "CLIENT", "FAMILY", "NAME", "SEEN BY",
        "WHAT",
    ]);
    for row in &page.rows {
        let finding = &row.finding;
        table.row(vec![
            finding.id.to_string(),
            state(row),
            row.severity.name().to_owned(),
            finding.count.to_string(),
            finding.first.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            finding.last.strftime("%H:%M:%SZ").to_string(),
            finding.zone.as_deref().unwrap_or("-").to_owned(),
            finding.client.to_string(),
            finding.matter.family().to_string(),
            names(row),
            finding.seen_by.join(","),
            what(&finding.matter),
        ]);
    }
    let mut text = table.render();
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "{} of {} matching findings shown; {} open, {} closed ones kept, {} forgotten; {} hits",
        page.rows.len(),
        page.matching,
        page.open,
        page.kept,
        page.forgotten,
        page.hits
    );
    text
}

/// One word on a finding on one line, for following.
fn line(row: &FindingRow) -> String {
    let finding = &row.finding;
    format!(
        "{}  {:<6}  {}  {}  {}  x{}  seen by {}  {}",
        finding.time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ"),
        row.severity.name().to_uppercase(),
        state(row),
        finding.client,
        row.signature,
        finding.count,
        finding.seen_by.join(","),
        finding.id,
    )
}

fn state(row: &FindingRow) -> String {
    match &row.finding.acknowledged {
        Some(known) if row.state == "acknowledged" => format!("acknowledged by {}", known.by),
        _ => row.state.clone(),
    }
}

fn names(row: &FindingRow) -> String {
    match row.finding.names.as_slice() {
        [] => "-".to_owned(),
        [name] => name.to_string(),
        [name, more @ ..] => format!("{name} +{}", more.len()),
    }
}

/// The evidence: why the name is a finding.
fn what(matter: &Matter) -> String {
    match matter {
        Matter::IpLogger {
            host,
            dual_use,
            source,
            ..
        } => {
            let lawful = if *dual_use { ", has lawful uses" } else { "" };
            format!("{host}: {source}{lawful}")
        }
        Matter::LookAlike {
            like,
            distance,
            likeness,
            ..
        } => format!("resembles {like} ({likeness}, distance {distance})"),
    }
}
