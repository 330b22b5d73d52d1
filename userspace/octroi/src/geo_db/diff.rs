//! `octroi geo-db diff`: what moved between jurisdictions.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::Result;
use octroi_geo_db::compare::{self, Diff, Move, Space, Standing};

use super::arguments::DiffArguments;
use crate::cli::table::Table;
use crate::judge::today;

/// Compares two atlases. Exit status 0 when nothing moved, 2 when something did.
pub(super) fn run(arguments: &DiffArguments) -> Result<ExitCode> {
    let old = super::open(Some(&arguments.old))?;
    let new = super::open(Some(&arguments.new))?;
    let diff = compare::diff(&old, &new, today());
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&diff)?);
    } else {
        print!("{}", render(&diff, arguments.limit));
    }
    Ok(if diff.moved.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(2)
    })
}

fn render(diff: &Diff, limit: usize) -> String {
    let mut text = format!("from {} to {}\n", diff.old, diff.new);
    if diff.moved.is_empty() {
        text.push_str("nothing moved\n");
        return text;
    }
    text.push('\n');
    let mut totals = Table::new(&["WHAT CHANGED", "IPv4>", "SHARE>", "IPv6 /64>", "SHARE>"]);
    let mut total = |name: &str, space: Space| {
        let (v4, v6) = space.share_of(diff.known);
        totals.row(vec![
            name.to_owned(),
            space.v4_addresses.to_string(),
            format!("{:.3} %", v4 * 100.0),
            space.v6_networks_64.to_string(),
            format!("{:.3} %", v6 * 100.0),
        ]);
    };
    total("anything", diff.moved);
    for row in &diff.totals {
        total(row.changed.name(), row.space);
    }
    text.push_str(&totals.render());

    let mut crossed = Table::new(&[
        "ACROSS THE BORDER",
        "IPv4>",
        "IPv6 /64>",
        "FROM",
        "TO",
        "SUCH AS",
    ]);
    let mut crossings = diff.moves.iter().filter(|found| found.crossed.is_some());
    for found in crossings.by_ref().take(limit) {
        let Some((from, to)) = found.crossed else {
            continue;
        };
        let mut cells = vec![format!("{} -> {}", from.name(), to.name())];
        cells.extend(move_cells(found));
        crossed.row(cells);
    }
    section(&mut text, &crossed, crossings.count());

    let mut rest = Table::new(&[
        "ON THE SAME SIDE",
        "IPv4>",
        "IPv6 /64>",
        "FROM",
        "TO",
        "SUCH AS",
    ]);
    let mut others = diff.moves.iter().filter(|found| found.crossed.is_none());
    for found in others.by_ref().take(limit) {
        let changed: Vec<_> = found.changed.iter().map(|changed| changed.name()).collect();
        let mut cells = vec![changed.join(", ")];
        cells.extend(move_cells(found));
        rest.row(cells);
    }
    section(&mut text, &rest, others.count());

    let mut operators = Table::new(&[
        "OPERATOR",
        "LOST IPv4>",
        "/64>",
        "GAINED IPv4>",
        "/64>",
        "CHANGED IPv4>",
        "/64>",
    ]);
    for row in diff.operators.iter().take(limit) {
        let mut cells = vec![
            row.operator
                .as_deref()
                .unwrap_or("(nobody known)")
                .to_owned(),
        ];
        for space in [row.lost, row.gained, row.changed] {
            cells.push(space.v4_addresses.to_string());
            cells.push(space.v6_networks_64.to_string());
        }
        operators.row(cells);
    }
    section(
        &mut text,
        &operators,
        diff.operators.len().saturating_sub(limit),
    );
    text
}

fn section(text: &mut String, table: &Table, more: usize) {
    if table.is_empty() {
        return;
    }
    text.push('\n');
    text.push_str(&table.render());
    if more > 0 {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "... and {more} more (--limit, or --json for all)");
    }
}

fn move_cells(found: &Move) -> [String; 5] {
    let examples: Vec<String> = found.examples.iter().map(ToString::to_string).collect();
    [
        found.space.v4_addresses.to_string(),
        found.space.v6_networks_64.to_string(),
        standing(&found.from),
        standing(&found.to),
        examples.join(" "),
    ]
}

/// `FR located, US controlled (microsoft)`.
pub(crate) fn standing(standing: &Standing) -> String {
    let mut text = String::new();
    if let Some(country) = standing.country {
        let _ = write!(text, "{country} ");
    }
    text.push_str(standing.confidence.name());
    text.push_str(", ");
    if let Some(control) = standing.control {
        let _ = write!(text, "{control} ");
    }
    text.push_str(standing.reach.name());
    if let Some(operator) = &standing.operator {
        let _ = write!(text, " ({operator})");
    }
    text
}
