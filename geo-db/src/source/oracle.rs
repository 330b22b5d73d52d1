//! `public_ip_ranges.json` of Oracle Cloud.

use serde::Deserialize;

use super::SourceError;
use super::draft::{self, Draft, Input, Texts};
use super::error::Spot;
use super::json::{self, Rows};
use super::kind::SourceKind;
use super::statements::{Listed, Statements};

/// As `geo-db/data/cloud_regions.csv` names it.
const PROVIDER: &str = "oracle";

#[derive(Deserialize)]
struct Ranges {
    #[serde(rename = "last_updated_timestamp", default)]
    updated: String,
    regions: Rows<Region>,
}

#[derive(Deserialize)]
struct Region {
    region: String,
    cidrs: Rows<Cidr>,
}

#[derive(Deserialize)]
struct Cidr {
    cidr: String,
    #[serde(default)]
    tags: Rows<String>,
}

/// Reads a file.
///
/// # Errors
/// When it is not of that form, or too many rows cannot be read.
pub fn read(input: Input<'_>) -> Result<Statements, SourceError> {
    let ranges: Ranges = json::parse(input, SourceKind::Oracle.form())?;
    let mut draft = Draft::new(input, &[]);
    let mut texts = Texts::default();
    for (at, region) in ranges.regions.0.iter().enumerate() {
        for (index, row) in region.cidrs.0.iter().enumerate() {
            draft.row()?;
            match listed(region, row, &mut texts) {
                Ok(row) => draft.said.listed.push(row),
                Err(what) => {
                    let path = format!("regions[{at}].cidrs[{index}].cidr");
                    draft.bad_row(Spot::Path(path), what)?;
                }
            }
        }
    }
    draft.said.date = ranges.updated.get(..10).and_then(|day| day.parse().ok());
    draft.finish()
}

fn listed(region: &Region, row: &Cidr, texts: &mut Texts) -> Result<Listed, String> {
    Ok(Listed {
        network: draft::prefix(&row.cidr)?,
        provider: texts.get(PROVIDER),
        region: texts.bounded(Some(&region.region))?,
        service: texts.bounded(Some(&row.tags.0.join(",")))?,
        place: None,
    })
}
