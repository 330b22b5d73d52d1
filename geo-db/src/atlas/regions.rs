//! In which country a cloud's region stands: a reviewed table beside the atlas's data.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::civil::Date;

use super::error::AtlasError;
use crate::profile::CountryCode;

/// Where the table lies in the repository.
const FILE: &str = "geo-db/data/cloud_regions.csv";
const EMBEDDED: &str = include_str!("../../data/cloud_regions.csv");
const HEADER: &str = "provider,region,says,source,as_of";

/// What a region name says of hosting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RegionSays {
    /// The region stands in that country.
    Country(CountryCode),
    /// The region is every place at once.
    Anycast,
}

/// Region names of all providers, with what they say; and the catalogue's id of each provider.
#[derive(Debug)]
pub(crate) struct Regions {
    text: String,
    rows: HashMap<(String, String), (RegionSays, Date), foldhash::fast::RandomState>,
    operators: HashMap<String, String, foldhash::fast::RandomState>,
}

impl Regions {
    /// The table that is part of the program.
    pub(crate) fn embedded() -> Result<Arc<Self>, AtlasError> {
        Self::parse(FILE, EMBEDDED).map(Arc::new)
    }

    /// Reads lines `provider,region,says,source,as_of`. `says` is a country code or `anycast`; an
    /// empty region stands for the prefixes of the provider that name none, `service:NAME` for
    /// those of one service that name none. A line `provider,,operator:ID,..` names the
    /// provider in the catalogue.
    fn parse(file: &str, text: &str) -> Result<Self, AtlasError> {
        let mut table = Self {
            text: text.to_owned(),
            rows: HashMap::default(),
            operators: HashMap::default(),
        };
        let mut lines = (1..).zip(text.lines());
        if lines.next().is_none_or(|(_, line)| line != HEADER) {
            return Err(wrong(file, 1, &format!("expected the header \"{HEADER}\"")));
        }
        for (number, line) in lines {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let fields: Vec<&str> = line.split(',').collect();
            let [provider, region, says, _source, as_of] = fields[..] else {
                return Err(wrong(
                    file,
                    number,
                    &format!("{} fields; expected {HEADER}", fields.len()),
                ));
            };
            let as_of: Date = as_of
                .parse()
                .map_err(|_| wrong(file, number, &format!("\"{as_of}\" is not a date")))?;
            if let Some(operator) = says.strip_prefix("operator:") {
                table
                    .operators
                    .insert(provider.to_owned(), operator.to_owned());
                continue;
            }
            let says =
                match says {
                    "anycast" => RegionSays::Anycast,
                    code => RegionSays::Country(code.parse().map_err(|error| {
                        wrong(file, number, &format!("{error}, or \"anycast\""))
                    })?),
                };
            let key = (provider.to_owned(), region.to_owned());
            if table.rows.insert(key, (says, as_of)).is_some() {
                let what = format!("{provider} region \"{region}\" is listed twice");
                return Err(wrong(file, number, &what));
            }
        }
        Ok(table)
    }

    /// The text it was read from: what tells two tables apart.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// What the table says of a provider's region, and since when.
    pub(crate) fn of_region(&self, provider: &str, region: &str) -> Option<(RegionSays, Date)> {
        self.rows
            .get(&(provider.to_owned(), region.to_owned()))
            .copied()
    }

    /// What the table says of a provider's prefixes that name no region but some services.
    pub(crate) fn of_services<'a>(
        &self,
        provider: &str,
        services: impl Iterator<Item = &'a str>,
    ) -> Option<(RegionSays, Date)> {
        services
            .map(|service| format!("service:{service}"))
            .find_map(|region| self.of_region(provider, &region))
            .or_else(|| self.of_region(provider, ""))
    }

    /// The catalogue's id of a provider.
    pub(crate) fn operator(&self, provider: &str) -> Option<&str> {
        self.operators.get(provider).map(String::as_str)
    }
}

fn wrong(file: &str, line: u32, what: &str) -> AtlasError {
    AtlasError::Table {
        file: format!("{file}:{line}"),
        what: what.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_table_is_read() {
        let regions = Regions::embedded().expect("the table is right");
        let says = |provider, region| regions.of_region(provider, region).map(|(says, _)| says);
        assert_eq!(
            says("azure", "centralfrance"),
            Some(RegionSays::Country(CountryCode::FR))
        );
        assert_eq!(says("aws", "GLOBAL"), Some(RegionSays::Anycast));
        assert_eq!(says("aws", "nowhere-1"), None);
        assert_eq!(regions.operator("azure"), Some("microsoft"));
        let front = regions.of_services(
            "azure",
            ["AZURECLOUD", "AZUREFRONTDOOR.FRONTEND"].into_iter(),
        );
        assert_eq!(front.map(|(says, _)| says), Some(RegionSays::Anycast));
        assert_eq!(
            regions.of_services("azure", ["AZURECLOUD"].into_iter()),
            None
        );
        let cloudflare = regions.of_services("cloudflare", std::iter::empty());
        assert_eq!(cloudflare.map(|(says, _)| says), Some(RegionSays::Anycast));
    }

    #[test]
    fn errors_name_the_line() {
        let cases = [
            ("x", "r.csv:1: expected the header"),
            (
                "provider,region,says,source,as_of\na,b,FR",
                "r.csv:2: 3 fields",
            ),
            (
                "provider,region,says,source,as_of\na,b,FRA,s,2026-01-01",
                "r.csv:2: \"FRA\" is not a country",
            ),
            (
                "provider,region,says,source,as_of\na,b,FR,s,today",
                "r.csv:2: \"today\" is not a date",
            ),
            (
                "provider,region,says,source,as_of\na,b,FR,s,2026-01-01\na,b,DE,s,2026-01-01",
                "r.csv:3: a region \"b\" is listed twice",
            ),
        ];
        for (text, expected) in cases {
            let error = Regions::parse("r.csv", text).expect_err(text);
            assert!(error.to_string().starts_with(expected), "{error}");
        }
    }
}
