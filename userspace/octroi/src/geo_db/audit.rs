//! `octroi geo-db audit`: how right are the countries on the clouds' own prefixes?

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::Result;
use octroi_geo_db::audit::{self, Audit, Where};

use super::arguments::AuditArguments;
use crate::cli::table::Table;
use crate::judge::today;

/// Audits an atlas.
pub(super) fn run(arguments: &AuditArguments) -> Result<ExitCode> {
    let atlas = super::open(arguments.file.as_deref())?;
    let audit = audit::audit(&atlas, today())?;
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&audit)?);
    } else {
        print!("{}", render(&audit, arguments.limit));
    }
    Ok(ExitCode::SUCCESS)
}

fn render(audit: &Audit, limit: usize) -> String {
    let mut text = format!("atlas {}\n", audit.atlas);
    if audit.rows.is_empty() {
        text.push_str("no operator's own list is part of it: there is nothing to measure on\n");
        return text;
    }
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "truth: where the operators say that their prefixes stand, in {}\n\
         each cell: share with the right country, by prefixes / by addresses\n",
        audit.lists.join(", ")
    );
    text.push_str(&shares(audit, false));
    text.push_str("\nthe same for the side of the border of the EEA\n\n");
    text.push_str(&shares(audit, true));

    let mut heads = vec!["WORST REGIONS", "REGION", "COUNTRY", "FAMILY", "PREFIXES>"];
    let names: Vec<String> = audit
        .columns
        .iter()
        .map(|name| format!("{name}>"))
        .collect();
    heads.extend(names.iter().map(String::as_str));
    let mut worst = Table::new(&heads);
    for region in audit.worst.iter().take(limit) {
        let mut cells = vec![
            region.provider.clone(),
            region.region.clone(),
            region.country.to_string(),
            region.family.name().to_owned(),
            region.prefixes.to_string(),
        ];
        cells.extend(region.wrong.iter().map(|wrong| format!("{wrong} wrong")));
        worst.row(cells);
    }
    if !worst.is_empty() {
        text.push('\n');
        text.push_str(&worst.render());
    }
    text
}

fn shares(audit: &Audit, side: bool) -> String {
    let mut heads = vec!["PROVIDER", "FAMILY", "WHERE", "PREFIXES>"];
    let names: Vec<String> = audit
        .columns
        .iter()
        .map(|name| format!("{name}>"))
        .collect();
    heads.extend(names.iter().map(String::as_str));
    let mut table = Table::new(&heads);
    for row in &audit.rows {
        let mut cells = vec![
            row.provider.clone().unwrap_or_else(|| "(all)".to_owned()),
            row.family.name().to_owned(),
            match row.place {
                Where::All => String::new(),
                place => place.name().to_owned(),
            },
            row.prefixes.to_string(),
        ];
        cells.extend(row.scores.iter().map(|score| {
            let (prefixes, space) = if side {
                (score.prefixes_side, score.space_side)
            } else {
                (score.prefixes, score.space)
            };
            format!(
                "{} / {}",
                percent(prefixes, row.prefixes),
                percent(space, row.space)
            )
        }));
        table.row(cells);
    }
    table.render()
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a share to one digit is what is shown"
)]
fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "-".to_owned();
    }
    format!("{:.1} %", part as f64 * 100.0 / whole as f64)
}
