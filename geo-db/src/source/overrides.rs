//! Local overrides: what an administrator says against all sources, with owner and reason.
//!
//! Everything wrong in the file is an error: a file that a person wrote is corrected, not guessed.

use std::collections::HashMap;

use ipnet::IpNet;
use jiff::civil::Date;
use toml::Spanned;

use super::draft::{self, Input};
use super::statements::{Override, Place, Statements};
use super::toml_fields::{Fields, Sheet, shown};
use super::{SourceError, SourceKind, Spot};
use crate::profile::CountryCode;

/// First and last day of an override, and where it stands.
type Period = (Option<Date>, Option<Date>, usize);

/// Reads a file of `[[override]]` tables.
///
/// # Errors
/// All that is wrong with it, each with line, column and remedy.
pub fn read(input: Input<'_>) -> Result<Statements, SourceError> {
    let text = std::str::from_utf8(input.bytes).map_err(|error| SourceError::At {
        file: input.file.to_owned(),
        spot: Spot::Byte(error.valid_up_to()),
        what: "not UTF-8 text".to_owned(),
        remedy: "save the file as UTF-8".to_owned(),
    })?;
    let (mut sheet, mut top) = Sheet::parse(input.file, text)?;
    let tables = top.tables(&mut sheet, "override");
    top.finish(&mut sheet);
    if tables.len() > input.max_rows.min(SourceKind::Overrides.max_rows()) {
        return Err(SourceError::TooLarge {
            file: input.file.to_owned(),
            unit: "overrides",
            limit: SourceKind::Overrides.max_rows() as u64,
            remedy: "declare what is so long as a source of its own",
        });
    }
    let mut said = Statements::default();
    let mut seen: HashMap<IpNet, Vec<Period>> = HashMap::new();
    for table in tables {
        let at = table.offset();
        let Some(found) = entry(&mut sheet, table) else {
            continue;
        };
        let others = seen.entry(found.network).or_default();
        let meets = others.iter().find(|(from, until, _)| {
            let ends_before = |until: Option<Date>, from: Option<Date>| {
                until.is_some_and(|until| from.is_some_and(|from| until < from))
            };
            !ends_before(*until, found.from) && !ends_before(found.until, *from)
        });
        if let Some((_, _, first)) = meets {
            let what = format!("{} is overridden twice for the same days", found.network);
            let remedy = format!("first at {}; join them", sheet.tell(*first));
            sheet.add(at, what, remedy);
        }
        others.push((found.from, found.until, at));
        said.overrides.push(found);
    }
    sheet.finish()?;
    Ok(said)
}

fn entry(sheet: &mut Sheet<'_>, mut fields: Fields<'_>) -> Option<Override> {
    let network = network(sheet, &mut fields);
    let place = place(sheet, &mut fields);
    let operator = id(sheet, &mut fields, "operator");
    let service = id(sheet, &mut fields, "service");
    let owner = fields.required(sheet, "owner", "say who answers for it");
    let reason = fields.required(sheet, "reason", "say why, with a ticket or a proof");
    let from = fields.date(sheet, "from");
    let until = fields.date(sheet, "until");
    let at = fields.offset();
    fields.finish(sheet);
    if let (Some(from), Some(until)) = (&from, &until)
        && until.get_ref() < from.get_ref()
    {
        let what = format!("until ({until}) is before from ({from})");
        sheet.add(until.span().start, what, "exchange them");
    }
    if matches!(place, Ok(None)) && operator.is_none() && service.is_none() {
        let what = "nothing is overridden".to_owned();
        let remedy = "give country, anycast = true, operator or service";
        sheet.add(at, what, remedy);
    }
    Some(Override {
        network: network?,
        place: place.ok()?,
        operator: operator.map(|id| id.into_inner().into()),
        service: service.map(|id| id.into_inner().into()),
        owner: owner?.into_inner(),
        reason: reason?.into_inner(),
        from: from.map(Spanned::into_inner),
        until: until.map(Spanned::into_inner),
    })
}

fn network(sheet: &mut Sheet<'_>, fields: &mut Fields<'_>) -> Option<IpNet> {
    let text = fields.required(sheet, "prefix", "give the prefix, such as \"192.0.2.0/24\"")?;
    match draft::prefix(text.get_ref()) {
        Ok(network) => Some(network),
        Err(what) => {
            let remedy = "write a prefix such as 192.0.2.0/24 or 2001:db8::/32, or one address";
            sheet.add(text.span().start, format!("prefix: {what}"), remedy);
            None
        }
    }
}

/// `Err` when what stands there is wrong and has been told.
fn place(sheet: &mut Sheet<'_>, fields: &mut Fields<'_>) -> Result<Option<Place>, ()> {
    let told = fields.has("country");
    let country = fields.text(sheet, "country");
    let anycast = fields.flag(sheet, "anycast");
    match (country, anycast) {
        (Some(country), Some(true)) => {
            let what = "country and anycast exclude each other".to_owned();
            sheet.add(country.span().start, what, "keep one of them");
            Err(())
        }
        (Some(country), _) => match country.get_ref().parse::<CountryCode>() {
            Ok(code) if code.as_str() != "UK" => Ok(Some(Place::Country(code))),
            found => {
                let text = shown(country.get_ref());
                let remedy = if found.is_ok() {
                    "the code of the United Kingdom is GB"
                } else {
                    "write two letters (ISO 3166-1 alpha-2), such as FR"
                };
                let what = format!("country: \"{text}\" is not a country code");
                sheet.add(country.span().start, what, remedy);
                Err(())
            }
        },
        (None, _) if told => Err(()),
        (None, Some(true)) => Ok(Some(Place::Anycast)),
        (None, _) => Ok(None),
    }
}

fn id(
    sheet: &mut Sheet<'_>,
    fields: &mut Fields<'_>,
    key: &'static str,
) -> Option<Spanned<String>> {
    let id = fields.text(sheet, key)?;
    let good = id
        .get_ref()
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte));
    if good {
        return Some(id);
    }
    let what = format!("{key}: \"{}\" is not an id", shown(id.get_ref()));
    let remedy = "write the id of the catalogue, such as \"ovh\"";
    sheet.add(id.span().start, what, remedy);
    None
}
