//! Strict reading of one table of a catalogue file: every field is asked for by name, with its
//! type; what nobody asked for is a problem. All problems are collected, none stops the reading.

use std::ops::Range;
use std::str::FromStr;
use std::sync::Arc;

use jiff::civil::Date;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{Place, Problems, did_you_mean};
use super::words::{Text, Word};

/// A value with the place it was read at.
#[derive(Clone, Debug)]
pub(super) struct Placed<T> {
    pub(super) value: T,
    pub(super) place: Place,
}

/// One table being read.
pub(super) struct Entry<'t, 'p, 'f> {
    pub(super) problems: &'p mut Problems<'f>,
    table: &'t DeTable<'t>,
    file: usize,
    /// Where the table begins.
    pub(super) place: Place,
    /// What the table is, for messages: `operator "ovh"`.
    pub(super) label: String,
    asked: Vec<&'static str>,
}

impl<'t, 'p, 'f> Entry<'t, 'p, 'f> {
    pub(super) fn new(
        problems: &'p mut Problems<'f>,
        table: &'t DeTable<'t>,
        file: usize,
        span: &Range<usize>,
        label: &str,
    ) -> Self {
        Self {
            problems,
            table,
            file,
            place: Place::at(file, span),
            label: label.to_owned(),
            asked: Vec::with_capacity(16),
        }
    }

    /// The value of a field, whatever it is.
    fn value(&mut self, field: &'static str) -> Option<&'t Spanned<DeValue<'t>>> {
        self.asked.push(field);
        self.table.get(field)
    }

    /// Tells that a field is not there.
    pub(super) fn missing(&mut self, field: &'static str) {
        let what = format!("{} has no \"{field}\"", self.label);
        self.problems
            .add(self.place, what, format!("add {field} = ..."));
    }

    fn wrong_type(&mut self, field: &str, value: &Spanned<DeValue<'_>>, expected: &str) {
        let found = value.get_ref().type_str();
        let what = format!("\"{field}\" of {} is of type {found}", self.label);
        let place = Place::at(self.file, &value.span());
        self.problems
            .add(place, what, format!("{expected} is expected"));
    }

    fn text_of(&mut self, field: &str, value: &'t Spanned<DeValue<'t>>) -> Option<Placed<&'t str>> {
        let place = Place::at(self.file, &value.span());
        match value.get_ref() {
            DeValue::String(text) if !text.trim().is_empty() => Some(Placed { value: text, place }),
            DeValue::String(_) => {
                let what = format!("\"{field}\" of {} is empty", self.label);
                self.problems
                    .add(place, what, "write it or leave the field out");
                None
            }
            _ => {
                self.wrong_type(field, value, "a text in quotes");
                None
            }
        }
    }

    /// A text that may be left out.
    pub(super) fn optional_text(&mut self, field: &'static str) -> Option<Placed<&'t str>> {
        let value = self.value(field)?;
        self.text_of(field, value)
    }

    /// A text that must be there.
    pub(super) fn text(&mut self, field: &'static str) -> Option<Placed<&'t str>> {
        let Some(value) = self.value(field) else {
            self.missing(field);
            return None;
        };
        self.text_of(field, value)
    }

    /// An owned text that must be there; empty when it is not (and that is a problem already).
    pub(super) fn owned(&mut self, field: &'static str) -> String {
        self.text(field)
            .map_or_else(String::new, |text| text.value.to_owned())
    }

    /// An owned text that may be left out.
    pub(super) fn optional_owned(&mut self, field: &'static str) -> Option<String> {
        self.optional_text(field).map(|text| text.value.to_owned())
    }

    /// Is the field there? (For fields that are read elsewhere.)
    pub(super) fn has(&self, field: &str) -> bool {
        self.table.contains_key(field)
    }

    /// A text that some type parses; its error says what is wrong.
    pub(super) fn parse<T: FromStr>(&mut self, text: &Placed<&str>, remedy: &str) -> Option<T>
    where
        T::Err: std::fmt::Display,
    {
        match text.value.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                let what = error.to_string();
                self.problems.add(text.place, what, remedy);
                None
            }
        }
    }

    /// One word of a closed list.
    pub(super) fn word<T: Word>(&mut self, field: &'static str) -> Option<T> {
        let text = self.text(field)?;
        self.word_of(&text)
    }

    /// One word of a closed list that may be left out.
    pub(super) fn optional_word<T: Word>(&mut self, field: &'static str) -> Option<T> {
        let text = self.optional_text(field)?;
        self.word_of(&text)
    }

    /// One word of a closed list, already read.
    pub(super) fn word_of<T: Word>(&mut self, text: &Placed<&str>) -> Option<T> {
        let found = T::from_word(text.value);
        if found.is_none() {
            let words: Vec<&str> = T::WORDS.iter().map(|(word, _)| *word).collect();
            let otherwise = format!("one of {} is expected", words.join(", "));
            let remedy = did_you_mean(text.value, words.iter().copied(), &otherwise);
            let what = format!("\"{}\" is no {}", text.value, T::SUBJECT);
            self.problems.add(text.place, what, remedy);
        }
        found
    }

    /// `true` or `false`; `false` when left out.
    pub(super) fn flag(&mut self, field: &'static str) -> bool {
        match self.value(field) {
            None => false,
            Some(value) => value.get_ref().as_bool().unwrap_or_else(|| {
                self.wrong_type(field, value, "true or false");
                false
            }),
        }
    }

    /// A day, written `2026-11-21` without quotes.
    pub(super) fn optional_date(&mut self, field: &'static str) -> Option<Placed<Date>> {
        let value = self.value(field)?;
        let date = match value.get_ref() {
            DeValue::Datetime(stamp) if stamp.time.is_none() => stamp.date.and_then(|date| {
                let year = i16::try_from(date.year).ok()?;
                let (month, day) = (i8::try_from(date.month).ok()?, i8::try_from(date.day).ok()?);
                Date::new(year, month, day).ok()
            }),
            _ => None,
        };
        if date.is_none() {
            self.wrong_type(field, value, "a day such as 2026-11-21, without quotes,");
        }
        let place = Place::at(self.file, &value.span());
        date.map(|value| Placed { value, place })
    }

    /// A day that must be there.
    pub(super) fn date(&mut self, field: &'static str) -> Option<Date> {
        if !self.has(field) {
            self.asked.push(field);
            self.missing(field);
            return None;
        }
        self.optional_date(field).map(|date| date.value)
    }

    /// Two optional days, `from` and `until`, in that order in time.
    pub(super) fn period(&mut self) -> (Option<Date>, Option<Date>) {
        let from = self.optional_date("from").map(|date| date.value);
        let until = self.optional_date("until");
        if let (Some(from), Some(until)) = (from, &until)
            && until.value < from
        {
            let what = format!("\"until\" ({}) is before \"from\" ({from})", until.value);
            self.problems.add(
                until.place,
                what,
                "both days are included; swap or correct them",
            );
        }
        (from, until.map(|date| date.value))
    }

    /// The elements of an array; none when it is left out.
    pub(super) fn array(&mut self, field: &'static str) -> &'t [Spanned<DeValue<'t>>] {
        match self.value(field) {
            None => &[],
            Some(value) => value.get_ref().as_array().map_or_else(
                || {
                    self.wrong_type(field, value, "an array [...]");
                    &[][..]
                },
                |array| &array[..],
            ),
        }
    }

    /// The texts of an array.
    pub(super) fn texts(&mut self, field: &'static str) -> Vec<Placed<&'t str>> {
        let values = self.array(field);
        values
            .iter()
            .filter_map(|value| self.text_of(field, value))
            .collect()
    }

    /// The texts of an array, each parsed.
    pub(super) fn parsed<T: FromStr>(&mut self, field: &'static str, remedy: &str) -> Vec<Placed<T>>
    where
        T::Err: std::fmt::Display,
    {
        let texts = self.texts(field);
        let parse = |text: Placed<&str>| {
            let value = self.parse(&text, remedy)?;
            Some(Placed {
                value,
                place: text.place,
            })
        };
        texts.into_iter().filter_map(parse).collect()
    }

    /// The autonomous system numbers of an array.
    pub(super) fn numbers(&mut self, field: &'static str) -> Vec<Placed<u32>> {
        let values = self.array(field);
        let mut numbers = Vec::with_capacity(values.len());
        for value in values {
            let number = value
                .get_ref()
                .as_integer()
                .and_then(|integer| u32::from_str_radix(integer.as_str(), integer.radix()).ok())
                .filter(|number| *number > 0);
            let place = Place::at(self.file, &value.span());
            if let Some(value) = number {
                numbers.push(Placed { value, place });
            } else {
                self.wrong_type(field, value, "a number from 1 to 4294967295");
            }
        }
        numbers
    }

    /// The tables of an array, each read by `read` and checked for unknown fields.
    pub(super) fn tables<T>(
        &mut self,
        field: &'static str,
        mut read: impl FnMut(&mut Entry<'t, '_, 'f>) -> Option<T>,
    ) -> Vec<T> {
        let values = self.array(field);
        let mut tables = Vec::with_capacity(values.len());
        for value in values {
            let Some(table) = value.get_ref().as_table() else {
                self.wrong_type(field, value, "a table { ... }");
                continue;
            };
            let label = format!("{field} of {}", self.label);
            let mut entry = Entry::new(self.problems, table, self.file, &value.span(), &label);
            tables.extend(read(&mut entry));
            entry.finish();
        }
        tables
    }

    /// `{ en = "...", fr = "..." }`.
    pub(super) fn bilingual(&mut self, field: &'static str) -> Option<Text> {
        let Some(value) = self.value(field) else {
            self.missing(field);
            return None;
        };
        let Some(table) = value.get_ref().as_table() else {
            self.wrong_type(field, value, "{ en = \"...\", fr = \"...\" }");
            return None;
        };
        let label = format!("{field} of {}", self.label);
        let mut entry = Entry::new(self.problems, table, self.file, &value.span(), &label);
        let text = Text {
            en: entry.owned("en"),
            fr: entry.owned("fr"),
        };
        entry.finish();
        Some(text)
    }

    /// `{ en = "...", fr = "..." }`, or nothing.
    pub(super) fn optional_bilingual(&mut self, field: &'static str) -> Option<Text> {
        if self.has(field) {
            return self.bilingual(field);
        }
        self.asked.push(field);
        None
    }

    /// Where the facts come from, when they were checked, and a remark.
    pub(super) fn provenance(&mut self) -> (String, Date, Option<String>) {
        (
            self.owned("source"),
            self.date("as_of").unwrap_or(Date::ZERO),
            self.optional_owned("note"),
        )
    }

    /// Names the table in messages once its id is known.
    pub(super) fn named(&mut self, kind: &str, id: &str) {
        self.label = format!("{kind} \"{id}\"");
    }

    /// Tells every field that nobody asked for.
    pub(super) fn finish(self) {
        for (key, _) in self.table {
            let name = key.get_ref().as_ref();
            if self.asked.contains(&name) {
                continue;
            }
            let otherwise = format!("known fields: {}", self.asked.join(", "));
            let remedy = did_you_mean(name, self.asked.iter().copied(), &otherwise);
            let what = format!("unknown field \"{name}\" in {}", self.label);
            self.problems
                .add(Place::at(self.file, &key.span()), what, remedy);
        }
    }
}

/// An id as a shared text.
pub(super) fn shared(text: &Placed<&str>) -> Placed<Arc<str>> {
    Placed {
        value: Arc::from(text.value),
        place: text.place,
    }
}
