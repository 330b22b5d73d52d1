//! What every loader shares: the input with its bounds, prefixes and country codes as they are
//! written, counted rows, warnings, and the statements that grow.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use super::SourceError;
use super::error::Spot;
use super::kind::Says;
use super::statements::{Place, Spoken, Statements};
use super::toml_fields::shown;
use crate::atlas::range::{Address, Range, bounds};
use crate::profile::CountryCode;

/// Longest text that is taken from a source (name of an organisation, region, service), in bytes.
pub const MAX_TEXT_BYTES: usize = 1024;

/// A row that cannot be read is left out with a warning; more than this many are an error.
pub const MAX_BAD_ROWS: usize = 100;

/// Bad rows may be one in this many (once there are more than a handful).
const BAD_ROW_SHARE: usize = 10;
const HANDFUL: usize = 10;

/// The bytes of a source and what bounds them.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// Name of the file, for messages.
    pub file: &'a str,
    /// Its bytes, unpacked.
    pub bytes: &'a [u8],
    /// More rows than this are an error.
    pub max_rows: usize,
}

/// First and last address of a range of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Span {
    V4(u32, u32),
    V6(u128, u128),
}

impl Span {
    pub(super) fn of_network(network: IpNet) -> Self {
        let bits = u32::from(network.prefix_len());
        match network {
            IpNet::V4(net) => {
                let (first, last) = bounds(u32::from(net.network()), bits);
                Self::V4(first, last)
            }
            IpNet::V6(net) => {
                let (first, last) = bounds(u128::from(net.network()), bits);
                Self::V6(first, last)
            }
        }
    }

    pub(super) fn of_ends(first: IpAddr, last: IpAddr) -> Result<Self, String> {
        let span = match (first, last) {
            (IpAddr::V4(first), IpAddr::V4(last)) => Self::V4(first.into(), last.into()),
            (IpAddr::V6(first), IpAddr::V6(last)) => Self::V6(first.into(), last.into()),
            _ => return Err(format!("{first} and {last} are of two families")),
        };
        if last < first {
            return Err(format!(
                "the range ends ({last}) before it begins ({first})"
            ));
        }
        Ok(span)
    }
}

/// What a row of a location or routing database says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) country: Option<CountryCode>,
    pub(super) registered: Option<CountryCode>,
    pub(super) system_country: Option<CountryCode>,
    pub(super) system: Option<u32>,
    pub(super) anycast: bool,
}

impl Row {
    pub(super) fn says_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// Which statement each field of a row becomes.
#[derive(Clone, Debug)]
struct Takes {
    /// What the declaration says; empty is what the fields say by themselves.
    says: Vec<Says>,
    /// The file has a country of registration of its own: its other country is no registration.
    registered_apart: bool,
}

impl Takes {
    fn wants(&self, says: Says) -> bool {
        self.says.is_empty() || self.says.contains(&says)
    }

    /// Moves the country of a row to where the declaration wants it: a file with one country only
    /// gives it to the first of location, system country and registration that is declared.
    fn route(&self, row: Row) -> Row {
        let mut out = row;
        if !self.wants(Says::Location) {
            out.country = None;
            out.anycast = false;
            if self.wants(Says::SystemCountry) {
                out.system_country = row.system_country.or(row.country);
            } else {
                let only = row.country.filter(|_| !self.registered_apart);
                out.registered = row.registered.or(only);
            }
        }
        if !self.wants(Says::Registration) {
            out.registered = None;
        }
        if !self.wants(Says::SystemCountry) {
            out.system_country = None;
        }
        if !self.wants(Says::Announcement) {
            out.system = None;
        }
        out
    }
}

/// Statements that grow row by row.
pub(super) struct Draft<'a> {
    file: &'a str,
    max_rows: usize,
    rows: usize,
    bad: usize,
    first_bad: Option<(Spot, String)>,
    takes: Takes,
    pub(super) said: Statements,
}

impl<'a> Draft<'a> {
    pub(super) fn new(input: Input<'a>, says: &[Says]) -> Self {
        Self {
            file: input.file,
            max_rows: input.max_rows,
            rows: 0,
            bad: 0,
            first_bad: None,
            takes: Takes {
                says: says.to_vec(),
                registered_apart: false,
            },
            said: Statements::default(),
        }
    }

    /// Counts a row.
    pub(super) fn row(&mut self) -> Result<(), SourceError> {
        self.rows += 1;
        if self.rows > self.max_rows {
            return Err(SourceError::TooLarge {
                file: self.file.to_owned(),
                unit: "rows",
                limit: self.max_rows as u64,
                remedy: "no published list is that long: fetch it again, or split it",
            });
        }
        Ok(())
    }

    /// The file has a country of registration of its own.
    pub(super) fn registered_apart(&mut self) {
        self.takes.registered_apart = true;
    }

    /// Says of `span` what `row` says.
    pub(super) fn say(&mut self, span: Span, row: Row) {
        let row = self.takes.route(row);
        match span {
            Span::V4(first, last) => say(&mut self.said.v4, first, last, row),
            Span::V6(first, last) => say(&mut self.said.v6, first, last, row),
        }
    }

    /// Names the organisation behind a system; the first name stays.
    pub(super) fn name(&mut self, system: u32, name: &str) {
        let name = name.trim();
        if system != 0 && !name.is_empty() && !self.said.names.contains_key(&system) {
            self.said.names.insert(system, name.to_owned());
        }
    }

    /// A remark that leaves nothing out of any weight.
    pub(super) fn warn(&mut self, spot: &Spot, what: &str) {
        if self.said.warnings.len() < MAX_BAD_ROWS {
            self.said
                .warnings
                .push(format!("{}{spot}: {what}", self.file));
        }
    }

    /// Leaves a row out with a warning; too many of them are an error.
    pub(super) fn bad_row(&mut self, spot: Spot, what: String) -> Result<(), SourceError> {
        self.bad += 1;
        self.warn(&spot, &format!("{what}; the row is left out"));
        if self.first_bad.is_none() {
            self.first_bad = Some((spot, what));
        }
        if self.bad > MAX_BAD_ROWS {
            return Err(self.too_bad());
        }
        Ok(())
    }

    fn too_bad(&self) -> SourceError {
        let (spot, what) = self
            .first_bad
            .clone()
            .unwrap_or((Spot::Whole, String::new()));
        SourceError::At {
            file: self.file.to_owned(),
            spot,
            what,
            remedy: format!(
                "{} of {} rows cannot be read, this is the first: check that the file is whole and of the declared kind",
                self.bad, self.rows
            ),
        }
    }

    /// The statements, unless nothing or too little could be read.
    pub(super) fn finish(self) -> Result<Statements, SourceError> {
        let good = self.rows.saturating_sub(self.bad);
        if self.bad > 0 && (good == 0 || self.bad > HANDFUL && self.bad > good / BAD_ROW_SHARE) {
            return Err(self.too_bad());
        }
        if self.rows == 0 {
            return Err(SourceError::At {
                file: self.file.to_owned(),
                spot: Spot::Whole,
                what: "holds not a single row".to_owned(),
                remedy: "fetch it again; an interrupted download looks like this".to_owned(),
            });
        }
        Ok(self.said)
    }
}

fn say<A: Address>(spoken: &mut Spoken<A>, first: A, last: A, row: Row) {
    let place = if row.anycast {
        Some(Place::Anycast)
    } else {
        row.country.map(Place::Country)
    };
    if let Some(value) = place {
        spoken.locations.push(Range { first, last, value });
    }
    if let Some(value) = row.registered {
        spoken.registrations.push(Range { first, last, value });
    }
    if let Some(value) = row.system.filter(|system| *system != 0) {
        spoken.systems.push(Range { first, last, value });
    }
    if let Some(value) = row.system_country {
        spoken.system_countries.push(Range { first, last, value });
    }
}

/// A prefix, or one address, without host bits.
pub(super) fn prefix(text: &str) -> Result<IpNet, String> {
    let network: IpNet = if let Ok(network) = text.parse() {
        network
    } else if let Ok(address) = text.parse::<IpAddr>() {
        address.into()
    } else {
        return Err(format!("\"{}\" is not a prefix", shown(text)));
    };
    let trunc = network.trunc();
    if trunc == network {
        Ok(network)
    } else {
        Err(format!(
            "{network} has bits behind its length; {trunc} is the prefix around it"
        ))
    }
}

/// A country code; `None` where the source makes no claim.
pub(super) fn country(text: &str) -> Result<Option<CountryCode>, String> {
    let text = text.trim();
    if matches!(text, "" | "-" | "--" | "?" | "??" | "ZZ" | "None") {
        return Ok(None);
    }
    if text.eq_ignore_ascii_case("UK") {
        // Exceptionally reserved for the United Kingdom, whose code is GB.
        return Ok("GB".parse().ok());
    }
    match text.parse() {
        Ok(code) => Ok(Some(code)),
        Err(_) => Err(format!(
            "\"{}\" is not a country code (two letters, ISO 3166-1 alpha-2)",
            shown(text)
        )),
    }
}

/// The number of an AS: `13335`, `AS13335`; `None` where the source makes no claim.
pub(super) fn system(text: &str) -> Result<Option<u32>, String> {
    let text = text.trim();
    if matches!(text, "" | "-" | "None") {
        return Ok(None);
    }
    let digits = text
        .strip_prefix("AS")
        .or_else(|| text.strip_prefix("as"))
        .unwrap_or(text);
    digits
        .parse()
        .map(Some)
        .map_err(|_| format!("\"{}\" is not an AS number", shown(text)))
}

/// One `Arc` for each text that comes up again and again.
#[derive(Default)]
pub(super) struct Texts(std::collections::HashSet<Arc<str>, foldhash::fast::RandomState>);

impl Texts {
    pub(super) fn get(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.0.get(text) {
            return Arc::clone(known);
        }
        let new: Arc<str> = text.into();
        self.0.insert(Arc::clone(&new));
        new
    }

    /// As [`Self::get`]; a blank text is none, and one that is too long is refused.
    pub(super) fn bounded(&mut self, text: Option<&str>) -> Result<Option<Arc<str>>, String> {
        match text.map(str::trim).filter(|text| !text.is_empty()) {
            None => Ok(None),
            Some(text) if text.len() > MAX_TEXT_BYTES => Err(format!(
                "a text of {} bytes, at most {MAX_TEXT_BYTES} are read",
                text.len()
            )),
            Some(text) => Ok(Some(self.get(text))),
        }
    }
}
