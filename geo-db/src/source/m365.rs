//! The endpoints of Microsoft 365: sets of prefixes, each of one service area.
//!
//! Each prefix is said to carry the one service of the catalogue that its area is mapped to. A
//! prefix of two areas carries no service alone: it is left out with a warning.

use std::collections::BTreeMap;
use std::sync::Arc;

use ipnet::IpNet;
use serde::Deserialize;

use super::SourceError;
use super::draft::{self, Draft, Input, Texts};
use super::error::Spot;
use super::json::{self, Rows};
use super::kind::SourceKind;
use super::statements::Statements;
use super::toml_fields::shown;

/// Service areas and the services of the catalogue they are.
const DEFAULT_SERVICES: [(&str, &str); 4] = [
    ("Common", "m365-core"),
    ("Exchange", "m365-exchange"),
    ("SharePoint", "m365-sharepoint"),
    ("Skype", "ms-teams"),
];

/// The areas as the embedded catalogue names them.
#[must_use]
pub fn default_services() -> BTreeMap<String, String> {
    DEFAULT_SERVICES
        .iter()
        .map(|(area, service)| ((*area).to_owned(), (*service).to_owned()))
        .collect()
}

#[derive(Deserialize)]
struct EndpointSet {
    #[serde(rename = "serviceArea")]
    area: String,
    #[serde(default)]
    ips: Rows<String>,
}

/// Reads a file; `services` maps areas to services of the catalogue.
///
/// # Errors
/// When it is not of that form, or too many prefixes cannot be read.
pub fn read(
    input: Input<'_>,
    services: &BTreeMap<String, String>,
) -> Result<Statements, SourceError> {
    let sets: Rows<EndpointSet> = json::parse(input, SourceKind::M365.form())?;
    let mut draft = Draft::new(input, &[]);
    let mut texts = Texts::default();
    // The services of each prefix; two are none.
    let mut carried: BTreeMap<IpNet, (Arc<str>, bool)> = BTreeMap::new();
    let mut unmapped: BTreeMap<String, usize> = BTreeMap::new();
    for (set, endpoint) in sets.0.iter().enumerate() {
        let service = services.get(&endpoint.area).map(|id| texts.get(id));
        for (at, ip) in endpoint.ips.0.iter().enumerate() {
            draft.row()?;
            let network = match draft::prefix(ip) {
                Ok(network) => network,
                Err(what) => {
                    draft.bad_row(Spot::Path(format!("[{set}].ips[{at}]")), what)?;
                    continue;
                }
            };
            let Some(service) = &service else {
                *unmapped.entry(shown(&endpoint.area)).or_default() += 1;
                continue;
            };
            carried
                .entry(network)
                .and_modify(|(known, alone)| *alone &= known == service)
                .or_insert_with(|| (Arc::clone(service), true));
        }
    }
    for (area, prefixes) in unmapped {
        let what = format!(
            "service area \"{area}\" ({prefixes} prefixes) is mapped to no service; add it to \"services\" in the declaration"
        );
        draft.warn(&Spot::Whole, &what);
    }
    for (network, (service, alone)) in carried {
        if alone {
            draft.said.services.push((network, service));
        } else {
            let what = format!("{network} carries more than one service; it is left out");
            draft.warn(&Spot::Whole, &what);
        }
    }
    draft.finish()
}
