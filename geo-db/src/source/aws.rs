//! `ip-ranges.json` of Amazon Web Services.
//!
//! The region of a prefix is its *network border group* where that differs: local zones stand
//! elsewhere than the region they belong to (`us-east-1-scl-1` is in Chile).

use serde::Deserialize;

use super::SourceError;
use super::draft::{self, Draft, Input, Texts};
use super::error::Spot;
use super::json::{self, Rows};
use super::kind::SourceKind;
use super::statements::{Listed, Statements};
use super::toml_fields::shown;

/// As `geo-db/data/cloud_regions.csv` names it.
const PROVIDER: &str = "aws";

#[derive(Deserialize)]
struct Ranges {
    #[serde(rename = "createDate", default)]
    created: String,
    #[serde(rename = "syncToken", default)]
    token: String,
    prefixes: Rows<RowV4>,
    #[serde(default)]
    ipv6_prefixes: Rows<RowV6>,
}

#[derive(Deserialize)]
struct RowV4 {
    ip_prefix: String,
    #[serde(flatten)]
    rest: Rest,
}

#[derive(Deserialize)]
struct RowV6 {
    ipv6_prefix: String,
    #[serde(flatten)]
    rest: Rest,
}

#[derive(Deserialize)]
struct Rest {
    region: String,
    service: String,
    #[serde(default)]
    network_border_group: Option<String>,
}

/// Reads a file.
///
/// # Errors
/// When it is not of that form, or too many rows cannot be read.
pub fn read(input: Input<'_>) -> Result<Statements, SourceError> {
    let ranges: Ranges = json::parse(input, SourceKind::Aws.form())?;
    let mut draft = Draft::new(input, &[]);
    let mut texts = Texts::default();
    let v4 = ranges.prefixes.0.iter().enumerate().map(|(at, row)| {
        (
            ("prefixes", at, "ip_prefix"),
            (&row.ip_prefix, &row.rest, true),
        )
    });
    let v6 = ranges.ipv6_prefixes.0.iter().enumerate().map(|(at, row)| {
        (
            ("ipv6_prefixes", at, "ipv6_prefix"),
            (&row.ipv6_prefix, &row.rest, false),
        )
    });
    for ((list, at, field), (prefix, rest, is_v4)) in v4.chain(v6) {
        draft.row()?;
        match listed(prefix, rest, is_v4, &mut texts) {
            Ok(row) => draft.said.listed.push(row),
            Err(what) => draft.bad_row(Spot::Path(format!("{list}[{at}].{field}")), what)?,
        }
    }
    draft.said.date = ranges.created.get(..10).and_then(|day| day.parse().ok());
    draft.said.version = Some(shown(&ranges.token)).filter(|text| !text.is_empty());
    draft.finish()
}

fn listed(prefix: &str, rest: &Rest, is_v4: bool, texts: &mut Texts) -> Result<Listed, String> {
    let network = draft::prefix(prefix)?;
    if network.addr().is_ipv4() != is_v4 {
        return Err(format!("{network} is of the other family"));
    }
    let group = rest
        .network_border_group
        .as_deref()
        .filter(|group| !group.is_empty())
        .unwrap_or(&rest.region);
    Ok(Listed {
        network,
        provider: texts.get(PROVIDER),
        region: texts.bounded(Some(group))?,
        service: texts.bounded(Some(&rest.service))?,
        place: None,
    })
}
