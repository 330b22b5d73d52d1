//! `octroi calls`: who talked over which service, when, how long, how much.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::Result;
use octroi_api::{CallRow, CallsPage};

use super::client;
use super::follow::{INTERVAL, WatchedArguments, say_what_is_missing};
use super::table::{Table, bytes, seconds};

/// Prints calls, those that run first; with `--follow` each as it begins and as it ends.
pub(super) fn run(arguments: &WatchedArguments) -> Result<ExitCode> {
    client::converse(&arguments.client.socket, async |daemon| {
        let filter = || Some(arguments.filter.clone());
        let limit = u32::try_from(arguments.limit)?;
        if !arguments.follow {
            let page = daemon.calls(filter(), limit, None).await?;
            if arguments.client.json {
                println!("{}", serde_json::to_string_pretty(&page.rows)?);
            } else {
                print!("{}", render(&page));
            }
            return Ok(ExitCode::SUCCESS);
        }
        let mut after = None;
        let mut begun = HashSet::new();
        let mut limit = limit;
        loop {
            let page = daemon.calls(filter(), limit, after).await?;
            say_what_is_missing(page.matching, page.rows.len(), "calls");
            let running = page.rows.iter().filter(|row| row.is_running());
            let running: HashSet<u64> = running.map(|row| row.id).collect();
            for row in page.rows.iter().rev() {
                if row.is_running() && begun.contains(&row.id) {
                    continue;
                }
                if arguments.client.json {
                    println!("{}", serde_json::to_string(row)?);
                } else {
                    println!("{}", line(row));
                }
            }
            // What no longer runs needs no remembering: the set cannot grow without end.
            begun = running;
            let newest = page.rows.iter().filter_map(|row| row.event).max();
            after = newest.or(after).or(Some(0));
            limit = octroi_api::MAX_WATCHED_ROWS;
            tokio::time::sleep(INTERVAL).await;
        }
    })
}

fn render(page: &CallsPage) -> String {
    let mut table = Table::new(&[
        "STATE", "START", "LASTED>", "ZONE", "CLIENT", "SERVICE", "CONTROL", "VERDICT", "UP>",
        "DOWN>", "FLOWS>", "SURE", "PEER",
    ]);
    for row in &page.rows {
        let record = &row.record;
        let call = &record.call;
        table.row(vec![
            row.state().to_owned(),
            record.start.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            seconds(call.seconds),
            call.zone.as_deref().unwrap_or("-").to_owned(),
            call.client.to_string(),
            call.service_name.to_string(),
            control(row),
            verdict(row),
            bytes(call.outbound_bytes),
            bytes(call.reply_bytes),
            call.flows.to_string(),
            call.certainty.name().to_owned(),
            peers(row),
        ]);
    }
    let mut text = table.render();
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "{} of {} matching calls shown; {} told since the start, {} of them kept",
        page.rows.len(),
        page.matching,
        page.told,
        page.kept
    );
    if page.dropped > 0 {
        let _ = writeln!(
            text,
            "{} flows and names could not be remembered: a call may lack a part, or be missing",
            page.dropped
        );
    }
    text
}

/// One call on one line, for following.
fn line(row: &CallRow) -> String {
    let record = &row.record;
    let call = &record.call;
    let (time, what) = if row.is_running() {
        (record.start, "runs".to_owned())
    } else {
        (record.end, format!("over after {}", seconds(call.seconds)))
    };
    let instead = if record.alternatives.is_empty() || call.severity().is_none() {
        String::new()
    } else {
        format!("  use instead: {}", record.alternatives.join(", "))
    };
    format!(
        "{}  CALL {what}  {} -> {} [{}]  {} up, {} down  control {}  {}  {} ({}){instead}",
        time.strftime("%Y-%m-%dT%H:%M:%SZ"),
        call.client,
        call.service_name,
        peers(row),
        bytes(call.outbound_bytes),
        bytes(call.reply_bytes),
        control(row),
        verdict(row),
        call.certainty.name(),
        evidence(row),
    )
}

fn control(row: &CallRow) -> String {
    let country = row.record.control_country;
    let country = country.map_or_else(|| "-".to_owned(), |country| country.to_string());
    format!("{country} {}", row.record.reach.name())
}

fn verdict(row: &CallRow) -> String {
    let call = &row.record.call;
    let word = call.verdict.name();
    if call.enforced || !call.verdict.stops() {
        word.to_owned()
    } else {
        format!("({word})")
    }
}

fn peers(row: &CallRow) -> String {
    let peers = &row.record.call.peers;
    match peers.as_slice() {
        [] => "-".to_owned(),
        [peer] => peer.to_string(),
        [peer, more @ ..] => format!("{peer} +{}", more.len()),
    }
}

fn evidence(row: &CallRow) -> String {
    let words: Vec<_> = { row.record.call.evidence.iter() }
        .map(|evidence| evidence.name())
        .collect();
    words.join(", ")
}
