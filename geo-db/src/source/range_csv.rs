//! Ranges of addresses as CSV: `start,end,country`, `start,end,asn,name`, `cidr,...`, with or
//! without a header; addresses as addresses or as numbers; IPv4 and IPv6.
//!
//! With a header the names of the columns decide (DB-IP, `IPinfo`, `MaxMind` ASN blocks). Without
//! one the first row does (DB-IP Lite, ip-location-db, `IP2Location`, iptoasn with tabs).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use csv::StringRecord;

use super::SourceError;
use super::draft::{self, Draft, Input, MAX_TEXT_BYTES, Row, Span};
use super::error::Spot;
use super::kind::Says;
use super::statements::Statements;
use super::toml_fields::shown;

/// Continents, which DB-IP's city files write before the country.
const CONTINENTS: [&str; 8] = ["AF", "AN", "AS", "EU", "NA", "OC", "SA", "ZZ"];

/// Fields of DB-IP's city files: start, end, continent, country, region, city, two coordinates.
const DB_IP_CITY_FIELDS: usize = 8;

/// Where each thing stands in a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Columns {
    first: usize,
    /// None: `first` holds a prefix.
    last: Option<usize>,
    country: Option<usize>,
    registered: Option<usize>,
    system: Option<usize>,
    system_country: Option<usize>,
    name: Option<usize>,
    anycast: Option<usize>,
}

/// Names of columns, lower case.
struct Names;

impl Names {
    const PREFIX: &[&str] = &["network", "cidr", "prefix", "ip_prefix", "range"];
    const FIRST: &[&str] = &[
        "start",
        "start_ip",
        "ip_start",
        "ip_range_start",
        "range_start",
        "first",
        "from",
        "ip_from",
    ];
    const LAST: &[&str] = &[
        "end",
        "end_ip",
        "ip_end",
        "ip_range_end",
        "range_end",
        "last",
        "to",
        "ip_to",
    ];
    const COUNTRY: &[&str] = &["country_code", "country_iso_code", "iso_code", "country"];
    const REGISTERED: &[&str] = &[
        "registered_country_code",
        "registered_country_iso_code",
        "registered_country",
    ];
    const SYSTEM: &[&str] = &["asn", "as_number", "autonomous_system_number"];
    const NAME: &[&str] = &[
        "as_name",
        "as_organisation",
        "as_organization",
        "autonomous_system_organization",
        "organization",
        "name",
    ];
    const ANYCAST: &[&str] = &["is_anycast", "anycast"];
}

/// Reads a file row by row.
///
/// # Errors
/// When too many rows cannot be read, or nothing of what is wanted is there.
pub fn read(input: Input<'_>, says: &[Says]) -> Result<Statements, SourceError> {
    let mut draft = Draft::new(input, says);
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .comment(Some(b'#'))
        .delimiter(delimiter(input.bytes))
        .from_reader(without_mark(input.bytes));
    let mut record = csv::ByteRecord::new();
    let mut columns = None;
    loop {
        match reader.read_byte_record(&mut record) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                return Err(SourceError::At {
                    file: input.file.to_owned(),
                    spot: Spot::Line(reader.position().line().max(1)),
                    what: error.to_string(),
                    remedy: "correct the line, or fetch the file again".to_owned(),
                });
            }
        }
        let line = record.position().map_or(1, csv::Position::line).max(1);
        if record.iter().all(<[u8]>::is_empty) {
            continue;
        }
        let row = match text_of(&record) {
            Ok(row) => row,
            Err(what) => {
                draft.row()?;
                draft.bad_row(Spot::Line(line), what)?;
                continue;
            }
        };
        let layout = if let Some(known) = columns {
            known
        } else {
            if let Some(by_header) = header(&row) {
                columns = Some(by_header.map_err(|what| wrong_header(input.file, line, what))?);
                continue;
            }
            let by_row = guess(&row);
            columns = by_row.as_ref().ok().copied();
            match by_row {
                Ok(layout) => layout,
                Err(what) => {
                    draft.row()?;
                    draft.bad_row(Spot::Line(line), what)?;
                    continue;
                }
            }
        };
        draft.row()?;
        match parse(layout, &row) {
            Ok((span, facts)) => {
                let name = layout.name.and_then(|column| row.get(column));
                if let (Some(system), Some(name)) = (facts.system, name) {
                    draft.name(system, name);
                }
                if !facts.says_nothing() {
                    draft.say(span, facts);
                }
            }
            Err(what) => draft.bad_row(Spot::Line(line), what)?,
        }
    }
    if !input.bytes.ends_with(b"\n") {
        let what = "the last line has no end: was the download interrupted?";
        draft.warn(&Spot::Whole, what);
    }
    draft.finish()
}

fn wrong_header(file: &str, line: u64, what: String) -> SourceError {
    SourceError::At {
        file: file.to_owned(),
        spot: Spot::Line(line),
        what,
        remedy: "expected columns for the range (network, or start_ip and end_ip) and for country_code or asn".to_owned(),
    }
}

/// Without the byte order mark that some tools write.
fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

/// What separates the fields of the first line: a comma unless it has none.
fn delimiter(bytes: &[u8]) -> u8 {
    let line = bytes
        .split(|byte| *byte == b'\n')
        .find(|line| !line.is_empty() && !line.starts_with(b"#"))
        .unwrap_or_default();
    *[b',', b'\t', b';']
        .iter()
        .find(|mark| line.contains(mark))
        .unwrap_or(&b',')
}

fn text_of(record: &csv::ByteRecord) -> Result<StringRecord, String> {
    if let Some(long) = record.iter().find(|field| field.len() > MAX_TEXT_BYTES) {
        return Err(format!(
            "a field of {} bytes, at most {MAX_TEXT_BYTES} are read",
            long.len()
        ));
    }
    StringRecord::from_byte_record(record.clone()).map_err(|error| error.to_string())
}

/// The columns by their names, when the row is a header: when no field of it is an address.
fn header(row: &StringRecord) -> Option<Result<Columns, String>> {
    let looks = row.iter().take(2).any(|field| {
        let field = field.trim();
        field.contains(|c: char| c.is_ascii_alphabetic())
            && !field.contains(':')
            && field.parse::<IpAddr>().is_err()
    });
    if !looks {
        return None;
    }
    let names: Vec<String> = row
        .iter()
        .map(|name| name.trim().trim_start_matches('#').to_ascii_lowercase())
        .collect();
    let known = |wanted: &[&str]| {
        wanted
            .iter()
            .find_map(|wanted| names.iter().position(|name| name == wanted))
    };
    let range = match (
        known(Names::PREFIX),
        known(Names::FIRST),
        known(Names::LAST),
    ) {
        (_, Some(first), Some(last)) => (first, Some(last)),
        (Some(prefix), _, _) => (prefix, None),
        _ if names.iter().any(|name| {
            Names::SYSTEM.contains(&name.as_str()) || Names::COUNTRY.contains(&name.as_str())
        }) =>
        {
            return Some(Err(format!(
                "the header \"{}\" names no range",
                shown(&names.join(","))
            )));
        }
        // No header after all: a row that cannot be read says so itself.
        _ => return None,
    };
    let columns = Columns {
        first: range.0,
        last: range.1,
        country: known(Names::COUNTRY),
        registered: known(Names::REGISTERED),
        system: known(Names::SYSTEM),
        system_country: None,
        name: known(Names::NAME),
        anycast: known(Names::ANYCAST),
    };
    if columns.country.is_none() && columns.system.is_none() && columns.registered.is_none() {
        let coded = names.iter().any(|name| name.contains("geoname_id"));
        let hint = if coded {
            "; countries stand in a second file by geoname_id there: take the MMDB file of the same data"
        } else {
            ""
        };
        return Some(Err(format!(
            "the header \"{}\" names neither a country code nor an AS number{hint}",
            shown(&names.join(","))
        )));
    }
    Some(Ok(columns))
}

/// The columns by what stands in the first row.
fn guess(row: &StringRecord) -> Result<Columns, String> {
    let field = |column: usize| row.get(column).map(str::trim);
    let last = (!field(0).is_some_and(|text| text.contains('/'))).then_some(1);
    let next = if last.is_some() { 2 } else { 1 };
    let Some(says) = field(next) else {
        return Err(format!(
            "{} fields; expected a range (start,end or a prefix) and a country code or an AS number",
            row.len()
        ));
    };
    let columns = Columns {
        first: 0,
        last,
        ..Columns::default()
    };
    let is_code = |text: &str| draft::country(text).is_ok();
    let city = row.len() >= DB_IP_CITY_FIELDS
        && last.is_some()
        && CONTINENTS.contains(&says)
        && field(3).is_some_and(is_code);
    if city {
        return Ok(Columns {
            country: Some(3),
            ..columns
        });
    }
    if is_code(says) {
        return Ok(Columns {
            country: Some(next),
            ..columns
        });
    }
    draft::system(says).map_err(|_| {
        format!(
            "\"{}\" is neither a country code nor an AS number",
            shown(says)
        )
    })?;
    // iptoasn: start, end, number, country of the AS, name.
    let has_country = row.len() > next + 2 && field(next + 1).is_some_and(is_code);
    Ok(Columns {
        system: Some(next),
        system_country: has_country.then_some(next + 1),
        name: Some(if has_country { next + 2 } else { next + 1 }),
        ..columns
    })
}

fn parse(columns: Columns, row: &StringRecord) -> Result<(Span, Row), String> {
    let field = |column: usize, what: &str| {
        row.get(column).map(str::trim).ok_or_else(|| {
            format!(
                "{} fields; {what} is expected in field {}",
                row.len(),
                column + 1
            )
        })
    };
    let span = match columns.last {
        None => Span::of_network(draft::prefix(field(columns.first, "a prefix")?)?),
        Some(last) => ends(
            field(columns.first, "the first address")?,
            field(last, "the last address")?,
        )?,
    };
    let code = |column: Option<usize>| match column {
        Some(column) => draft::country(field(column, "a country code")?),
        None => Ok(None),
    };
    let facts = Row {
        country: code(columns.country)?,
        registered: code(columns.registered)?,
        system_country: code(columns.system_country)?,
        system: match columns.system {
            Some(column) => {
                draft::system(field(column, "an AS number")?)?.filter(|number| *number != 0)
            }
            None => None,
        },
        anycast: columns
            .anycast
            .and_then(|column| row.get(column))
            .is_some_and(|text| matches!(text.trim(), "1" | "true" | "True")),
    };
    Ok((span, facts))
}

/// Both ends of a range. Numbers are IPv4 when both fit.
fn ends(first: &str, last: &str) -> Result<Span, String> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number(first) && is_number(last) {
        let number = |text: &str| {
            text.parse::<u128>()
                .map_err(|_| format!("\"{}\" is more than an IPv6 address holds", shown(text)))
        };
        let (first, last) = (number(first)?, number(last)?);
        return match (u32::try_from(first), u32::try_from(last)) {
            (Ok(first), Ok(last)) => {
                Span::of_ends(Ipv4Addr::from(first).into(), Ipv4Addr::from(last).into())
            }
            _ => Span::of_ends(Ipv6Addr::from(first).into(), Ipv6Addr::from(last).into()),
        };
    }
    let address = |text: &str| {
        text.parse::<IpAddr>()
            .map_err(|_| format!("\"{}\" is not an address", shown(text)))
    };
    Span::of_ends(address(first)?, address(last)?)
}
