//! `octroi alerts`: what a SOC should see, past and to come.

use std::process::ExitCode;

use anyhow::Result;
use octroi_api::{AlertRow, AlertsPage};
use octroi_policy::protocol::protocol_name;

use super::follow::INTERVAL;
use super::{AlertsArguments, client};

/// Prints alerts, oldest first; with `--follow` goes on until interrupted.
pub(super) fn run(arguments: &AlertsArguments) -> Result<ExitCode> {
    client::converse(&arguments.client.socket, async |daemon| {
        let mut after = None;
        let mut limit = u32::try_from(arguments.limit)?;
        loop {
            let filter = Some(arguments.filter.clone());
            let page = daemon.alerts(filter, limit, after).await?;
            print(&page, arguments.client.json)?;
            after = page
                .rows
                .iter()
                .map(|row| row.id)
                .max()
                .or(after)
                .or(Some(0));
            if !arguments.follow {
                return Ok(ExitCode::SUCCESS);
            }
            limit = 10_000;
            tokio::time::sleep(INTERVAL).await;
        }
    })
}

fn print(page: &AlertsPage, json: bool) -> Result<()> {
    for row in page.rows.iter().rev() {
        if json {
            println!("{}", serde_json::to_string(row)?);
        } else {
            println!("{}", render(row));
        }
    }
    Ok(())
}

fn render(row: &AlertRow) -> String {
    let target = row.name.as_ref().map_or_else(
        || row.destination.to_string(),
        |name| format!("{} [{}]", name.text, row.destination),
    );
    let port = row
        .destination_port
        .map_or_else(String::new, |port| format!(":{port}"));
    let times = if row.count > 1 {
        format!("  x{}", row.count)
    } else {
        String::new()
    };
    let alternatives: Vec<_> = row
        .residency
        .alternatives
        .iter()
        .map(|alternative| &*alternative.name)
        .collect();
    let instead = if alternatives.is_empty() {
        String::new()
    } else {
        format!("  use instead: {}", alternatives.join(", "))
    };
    format!(
        "{}  {:<6}  {} -> {target}{port}/{}  {}  rule {}{times}{instead}",
        row.time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ"),
        row.severity.name().to_uppercase(),
        row.source,
        protocol_name(row.protocol),
        row.signature,
        row.residency.rule,
    )
}
