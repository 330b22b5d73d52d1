//! Geofeeds (RFC 8805): `prefix,country,region,city,postal code`, by the network's own operator.
//!
//! Country alone is taken. An empty country is no claim (RFC 8805, section 2.1.1.2). Fields that
//! follow are ignored.

use std::collections::HashMap;

use ipnet::IpNet;

use super::SourceError;
use super::draft::{self, Draft, Input, Texts};
use super::lines;
use super::statements::{Listed, Place, Statements};
use crate::profile::CountryCode;

/// Reads a feed that `provider` publishes. It says no day.
///
/// # Errors
/// When too many lines cannot be read.
pub fn read(input: Input<'_>, provider: &str) -> Result<Statements, SourceError> {
    let mut draft = Draft::new(input, &[]);
    let provider = Texts::default().get(provider);
    let mut seen: HashMap<IpNet, (Option<CountryCode>, u64)> = HashMap::new();
    lines::each(input, &mut draft, |draft, number, line| {
        let mut fields = line.split(',');
        let network = draft::prefix(unquoted(fields.next().unwrap_or_default()))?;
        let code = fields
            .next()
            .ok_or("one field; expected prefix,country,region,city,postal code")?;
        let country = draft::country(unquoted(code))?;
        match seen.get(&network) {
            Some((known, _)) if *known == country => return Ok(()),
            Some((known, first)) => {
                let known = known.map_or("none".to_owned(), |code| code.to_string());
                return Err(format!(
                    "{network} stands twice: line {first} says {known}, and is believed"
                ));
            }
            None => {}
        }
        seen.insert(network, (country, number));
        draft.said.listed.push(Listed {
            network,
            provider: provider.clone(),
            region: None,
            service: None,
            place: country.map(Place::Country),
        });
        Ok(())
    })?;
    draft.finish()
}

fn unquoted(field: &str) -> &str {
    let field = field.trim();
    field
        .strip_prefix('"')
        .and_then(|field| field.strip_suffix('"'))
        .unwrap_or(field)
        .trim()
}
