//! TOML tables read field by field, so that every problem is told with its place, its remedy and
//! the word that was probably meant, and all of them at once.

use std::ops::Range;

use jiff::civil::Date;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::SourceError;
use crate::catalogue::Problem;
use crate::catalogue::problem::{SourceFile, did_you_mean};

/// Longest text of a field, in bytes.
const MAX_TEXT_BYTES: usize = 4096;

/// One TOML text and all that is wrong with it.
pub(super) struct Sheet<'a> {
    file: SourceFile<'a>,
    problems: Vec<Problem>,
}

/// A table whose fields are taken out one after another.
pub(super) struct Fields<'i> {
    table: DeTable<'i>,
    span: Range<usize>,
    known: Vec<&'static str>,
}

impl<'a> Sheet<'a> {
    /// Parses `text` to its top table.
    pub(super) fn parse(file: &'a str, text: &'a str) -> Result<(Self, Fields<'a>), SourceError> {
        let mut sheet = Self {
            file: SourceFile::new(file, text),
            problems: Vec::new(),
        };
        match DeTable::parse(text) {
            Ok(table) => {
                let span = table.span();
                let fields = Fields {
                    table: table.into_inner(),
                    span,
                    known: Vec::new(),
                };
                Ok((sheet, fields))
            }
            Err(error) => {
                let at = error.span().map_or(0, |span| span.start);
                let what = error.message().replace('\n', ", ");
                sheet.add(at, what, "correct the TOML syntax there");
                Err(SourceError::Problems(sheet.problems))
            }
        }
    }

    /// Notes a problem at the byte `offset`.
    pub(super) fn add(&mut self, offset: usize, what: String, remedy: impl Into<String>) {
        let (line, column) = self.file.position(offset);
        self.problems.push(Problem {
            file: self.file.name.to_owned(),
            line,
            column,
            what,
            remedy: remedy.into(),
        });
    }

    /// `file:line` of the byte `offset`.
    pub(super) fn tell(&self, offset: usize) -> String {
        format!("{}:{}", self.file.name, self.file.position(offset).0)
    }

    /// All is well, or all that is not.
    pub(super) fn finish(mut self) -> Result<(), SourceError> {
        if self.problems.is_empty() {
            return Ok(());
        }
        self.problems
            .sort_by_key(|problem| (problem.line, problem.column));
        Err(SourceError::Problems(self.problems))
    }
}

impl<'i> Fields<'i> {
    /// Where the table begins.
    pub(super) fn offset(&self) -> usize {
        self.span.start
    }

    fn take(&mut self, key: &'static str) -> Option<Spanned<DeValue<'i>>> {
        self.known.push(key);
        self.table.remove(key)
    }

    /// Whether the field is there (and not yet taken).
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// A text that is not blank, with its place.
    pub(super) fn text(
        &mut self,
        sheet: &mut Sheet<'_>,
        key: &'static str,
    ) -> Option<Spanned<String>> {
        let value = self.take(key)?;
        text_of(sheet, key, &value)
    }

    /// As [`Self::text`]; its absence is a problem.
    pub(super) fn required(
        &mut self,
        sheet: &mut Sheet<'_>,
        key: &'static str,
        remedy: &str,
    ) -> Option<Spanned<String>> {
        if !self.has(key) {
            self.known.push(key);
            sheet.add(self.offset(), format!("\"{key}\" is missing"), remedy);
            return None;
        }
        self.text(sheet, key)
    }

    /// A day: a TOML date, or a text of that form.
    pub(super) fn date(
        &mut self,
        sheet: &mut Sheet<'_>,
        key: &'static str,
    ) -> Option<Spanned<Date>> {
        let value = self.take(key)?;
        let text = match value.get_ref() {
            DeValue::String(text) => text.to_string(),
            DeValue::Datetime(date) => date.to_string(),
            other => other.type_str().to_owned(),
        };
        if let Ok(date) = text.parse() {
            return Some(Spanned::new(value.span(), date));
        }
        sheet.add(
            value.span().start,
            format!("{key}: \"{}\" is not a day", shown(&text)),
            "write it as year-month-day, such as 2026-06-01",
        );
        None
    }

    /// A number from `range`.
    pub(super) fn number(
        &mut self,
        sheet: &mut Sheet<'_>,
        key: &'static str,
        range: std::ops::RangeInclusive<u64>,
    ) -> Option<u64> {
        let value = self.take(key)?;
        let number = value
            .get_ref()
            .as_integer()
            .and_then(|number| u64::from_str_radix(number.as_str(), number.radix()).ok())
            .filter(|number| range.contains(number));
        if number.is_none() {
            sheet.add(
                value.span().start,
                format!("{key}: not a whole number in its bounds"),
                format!("write a number from {} to {}", range.start(), range.end()),
            );
        }
        number
    }

    /// True or false.
    pub(super) fn flag(&mut self, sheet: &mut Sheet<'_>, key: &'static str) -> Option<bool> {
        let value = self.take(key)?;
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            let what = format!("{key}: expected true or false, found {}", type_of(&value));
            sheet.add(value.span().start, what, "write it without quotes");
        }
        flag
    }

    /// A list of texts.
    pub(super) fn texts(
        &mut self,
        sheet: &mut Sheet<'_>,
        key: &'static str,
    ) -> Option<Vec<Spanned<String>>> {
        let value = self.take(key)?;
        let Some(items) = value.get_ref().as_array() else {
            sheet.add(
                value.span().start,
                format!("{key}: expected a list of texts, found {}", type_of(&value)),
                format!("write {key} = [\"...\"]"),
            );
            return None;
        };
        Some(
            items
                .iter()
                .filter_map(|item| text_of(sheet, key, item))
                .collect(),
        )
    }

    /// A table in this table.
    pub(super) fn table(&mut self, sheet: &mut Sheet<'_>, key: &'static str) -> Option<Fields<'i>> {
        let value = self.take(key)?;
        fields_of(sheet, key, value)
    }

    /// A list of tables (`[[key]]`); absent is empty.
    pub(super) fn tables(&mut self, sheet: &mut Sheet<'_>, key: &'static str) -> Vec<Fields<'i>> {
        let Some(value) = self.take(key) else {
            return Vec::new();
        };
        let span = value.span();
        match value.into_inner() {
            DeValue::Array(items) => items
                .into_iter()
                .filter_map(|item| fields_of(sheet, key, item))
                .collect(),
            other => {
                let what = format!("{key}: expected tables, found {}", other.type_str());
                sheet.add(span.start, what, format!("write [[{key}]]"));
                Vec::new()
            }
        }
    }

    /// All fields of a table of texts, by their names.
    pub(super) fn all_texts(
        self,
        sheet: &mut Sheet<'_>,
    ) -> Vec<(Spanned<String>, Spanned<String>)> {
        let mut out = Vec::new();
        for (key, value) in self.table {
            if let Some(text) = text_of(sheet, key.get_ref(), &value) {
                out.push((Spanned::new(key.span(), key.get_ref().to_string()), text));
            }
        }
        out
    }

    /// What has not been taken is unknown.
    pub(super) fn finish(self, sheet: &mut Sheet<'_>) {
        let known = &self.known;
        for (key, _) in self.table {
            let listed = format!("known here: {}", known.join(", "));
            let word: String = key.get_ref().chars().take(64).collect();
            let remedy = did_you_mean(&word, known.iter().copied(), &listed);
            let what = format!("\"{}\" is not a known key", shown(key.get_ref()));
            sheet.add(key.span().start, what, remedy);
        }
    }
}

fn fields_of<'i>(
    sheet: &mut Sheet<'_>,
    key: &str,
    value: Spanned<DeValue<'i>>,
) -> Option<Fields<'i>> {
    let span = value.span();
    match value.into_inner() {
        DeValue::Table(table) => Some(Fields {
            table,
            span,
            known: Vec::new(),
        }),
        other => {
            let what = format!("{key}: expected a table, found {}", other.type_str());
            sheet.add(span.start, what, format!("write {key} = {{ ... }}"));
            None
        }
    }
}

fn text_of(
    sheet: &mut Sheet<'_>,
    key: &str,
    value: &Spanned<DeValue<'_>>,
) -> Option<Spanned<String>> {
    let at = value.span().start;
    let Some(text) = value.get_ref().as_str() else {
        sheet.add(
            at,
            format!("{key}: expected a text, found {}", type_of(value)),
            "write it in quotes",
        );
        return None;
    };
    let text = text.trim();
    if text.is_empty() {
        let remedy = "write something, or leave the key out";
        sheet.add(at, format!("{key} is blank"), remedy);
        return None;
    }
    if text.len() > MAX_TEXT_BYTES {
        let what = format!("{key} has {} bytes", text.len());
        sheet.add(at, what, format!("at most {MAX_TEXT_BYTES} are allowed"));
        return None;
    }
    Some(Spanned::new(value.span(), text.to_owned()))
}

fn type_of(value: &Spanned<DeValue<'_>>) -> &'static str {
    value.get_ref().type_str()
}

/// A text from outside, short enough for a message.
pub(super) fn shown(text: &str) -> String {
    const SHOWN_CHARS: usize = 60;
    let mut out: String = text
        .chars()
        .take(SHOWN_CHARS)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    if text.chars().nth(SHOWN_CHARS).is_some() {
        out.push_str("...");
    }
    out
}
