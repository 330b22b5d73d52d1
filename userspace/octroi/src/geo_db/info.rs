//! `octroi geo-db info`: what an atlas is made of.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use jiff::civil::Date;
use octroi_geo_db::guard::coverage;
use octroi_geo_db::{Atlas, SourceInfo};
use serde_json::json;

use super::arguments::InfoArguments;
use super::signature::{self, read_key, signature_path};
use crate::cli::table::{Table, bytes};
use crate::judge::today;

/// Prints what an atlas is made of.
pub(super) fn run(arguments: &InfoArguments) -> Result<ExitCode> {
    let atlas = super::open(arguments.file.as_deref())?;
    let file = arguments.file.as_deref();
    let size = file.and_then(|file| std::fs::metadata(file).ok());
    let size = size.map(|metadata| metadata.len());
    let signature = signature_state(file, arguments.public_key.as_deref())?;
    if arguments.json {
        let known = coverage(&atlas);
        let found = json!({
            "file": file.map(|file| file.display().to_string()),
            "bytes": size,
            "meta": atlas.meta(),
            "age_days": age(atlas.meta().built),
            "catalogue": atlas.catalogue().as_of(),
            "classes": atlas.profiles().len(),
            "pieces_v4": atlas.classes_v4().len(),
            "pieces_v6": atlas.classes_v6().len(),
            "known": known,
            "signature": signature,
        });
        println!("{}", serde_json::to_string_pretty(&found)?);
    } else {
        print!("{}", render(&atlas, file, size, &signature));
    }
    Ok(ExitCode::SUCCESS)
}

fn render(atlas: &Atlas, file: Option<&Path>, size: Option<u64>, signature: &str) -> String {
    let meta = atlas.meta();
    let known = coverage(atlas);
    let mut text = String::new();
    let mut line = |key: &str, value: String| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{key:<11} {value}");
    };
    line(
        "atlas",
        match (file, size) {
            (Some(file), Some(size)) => format!("{}  {}", file.display(), bytes(size)),
            (Some(file), None) => file.display().to_string(),
            (None, _) => "inside the binary".to_owned(),
        },
    );
    line("version", meta.version.clone());
    line(
        "data",
        format!("of {}, {} days old", meta.built, age(meta.built)),
    );
    line("catalogue", format!("of {}", atlas.catalogue().as_of()));
    line("classes", atlas.profiles().len().to_string());
    line(
        "pieces",
        format!(
            "IPv4 {}, IPv6 {}",
            atlas.classes_v4().len(),
            atlas.classes_v6().len()
        ),
    );
    line(
        "known",
        format!(
            "{} IPv4 addresses, {} IPv6 /64 networks",
            known.v4_addresses, known.v6_networks_64
        ),
    );
    line("signature", signature.to_owned());
    text.push('\n');
    let mut table = Table::new(&[
        "SOURCE",
        "DATE",
        "DAYS>",
        "IPv4 RANGES>",
        "IPv6 RANGES>",
        "LICENCE",
    ]);
    for source in &meta.sources {
        table.row(vec![
            source.id.clone(),
            source.date.to_string(),
            age(source.date).to_string(),
            source.ranges_v4.to_string(),
            source.ranges_v6.to_string(),
            source.licence.clone(),
        ]);
    }
    text.push_str(&table.render());
    text.push_str("\nAttributions\n");
    for source in meta
        .sources
        .iter()
        .filter(|source| !source.attribution.is_empty())
    {
        let _ = writeln!(text, "  {}: {}", source.id, one_line(source));
    }
    text
}

fn one_line(source: &SourceInfo) -> String {
    source
        .attribution
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

fn age(day: Date) -> i32 {
    day.until(today()).map_or(0, |span| span.get_days())
}

fn signature_state(file: Option<&Path>, key: Option<&str>) -> Result<String> {
    let Some(file) = file else {
        return Ok("part of the binary".to_owned());
    };
    let path = signature_path(file);
    let Some(key) = key else {
        return Ok(if path.exists() {
            format!(
                "{} is there; not verified: give --public-key",
                path.display()
            )
        } else {
            "none".to_owned()
        });
    };
    let key = read_key(key)?;
    let bytes = std::fs::read(file)?;
    Ok(match signature::verify(file, &bytes, &key) {
        Ok(comment) => format!("holds: {comment}"),
        Err(error) => format!("DOES NOT HOLD: {error}"),
    })
}
