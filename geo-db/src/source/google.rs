//! `cloud.json` (Google Cloud, with regions) and `goog.json` (all of Google, without).

use serde::Deserialize;

use super::SourceError;
use super::draft::{self, Draft, Input, Texts};
use super::error::Spot;
use super::json::{self, Rows};
use super::kind::SourceKind;
use super::statements::{Listed, Statements};
use super::toml_fields::shown;

/// As `geo-db/data/cloud_regions.csv` names it.
const PROVIDER: &str = "gcp";

#[derive(Deserialize)]
struct Ranges {
    #[serde(rename = "creationTime", default)]
    created: String,
    #[serde(rename = "syncToken", default)]
    token: String,
    prefixes: Rows<Row>,
}

#[derive(Deserialize)]
struct Row {
    #[serde(rename = "ipv4Prefix", default)]
    v4: Option<String>,
    #[serde(rename = "ipv6Prefix", default)]
    v6: Option<String>,
    #[serde(default)]
    service: Option<String>,
    #[serde(default)]
    scope: Option<String>,
}

/// Reads a file.
///
/// # Errors
/// When it is not of that form, or too many rows cannot be read.
pub fn read(input: Input<'_>) -> Result<Statements, SourceError> {
    let ranges: Ranges = json::parse(input, SourceKind::Google.form())?;
    let mut draft = Draft::new(input, &[]);
    let mut texts = Texts::default();
    for (at, row) in ranges.prefixes.0.iter().enumerate() {
        draft.row()?;
        match listed(row, &mut texts) {
            Ok(row) => draft.said.listed.push(row),
            Err(what) => draft.bad_row(Spot::Path(format!("prefixes[{at}]")), what)?,
        }
    }
    draft.said.date = ranges.created.get(..10).and_then(|day| day.parse().ok());
    draft.said.version = Some(shown(&ranges.token)).filter(|text| !text.is_empty());
    draft.finish()
}

fn listed(row: &Row, texts: &mut Texts) -> Result<Listed, String> {
    let (text, is_v4) = match (&row.v4, &row.v6) {
        (Some(text), None) => (text, true),
        (None, Some(text)) => (text, false),
        _ => return Err("expected one of ipv4Prefix and ipv6Prefix".to_owned()),
    };
    let network = draft::prefix(text)?;
    if network.addr().is_ipv4() != is_v4 {
        return Err(format!("{network} is of the other family"));
    }
    // "Google Cloud" is GOOGLE_CLOUD where services are compared.
    let service = row
        .service
        .as_ref()
        .map(|name| name.trim().to_ascii_uppercase().replace(' ', "_"));
    Ok(Listed {
        network,
        provider: texts.get(PROVIDER),
        region: texts.bounded(row.scope.as_deref())?,
        service: texts.bounded(service.as_deref())?,
        place: None,
    })
}
