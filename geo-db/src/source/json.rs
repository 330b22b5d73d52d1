//! JSON lists of prefixes: bounded rows, and errors with the path into the text.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, DeserializeOwned, Deserializer, SeqAccess, Visitor};

use super::SourceError;
use super::draft::Input;
use super::error::Spot;

/// More rows than any kind allows: stops a hostile list while it is read.
const MAX_ITEMS: usize = 2_000_000;

/// A list whose length is bounded while it is read.
#[derive(Debug)]
pub(super) struct Rows<T>(pub(super) Vec<T>);

impl<T> Default for Rows<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Rows<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RowsVisitor<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for RowsVisitor<T> {
            type Value = Rows<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Rows<T>, A::Error> {
                let mut rows = Vec::new();
                while let Some(row) = items.next_element()? {
                    if rows.len() == MAX_ITEMS {
                        return Err(serde::de::Error::custom(format!(
                            "more than {MAX_ITEMS} items"
                        )));
                    }
                    rows.push(row);
                }
                Ok(Rows(rows))
            }
        }
        deserializer.deserialize_seq(RowsVisitor(PhantomData))
    }
}

/// Parses the whole text. Nesting is bounded by the parser (128 levels); a field that stands twice
/// and a value of another type are errors with their path, line and column.
pub(super) fn parse<T: DeserializeOwned>(
    input: Input<'_>,
    form: &'static str,
) -> Result<T, SourceError> {
    let mut deserializer = serde_json::Deserializer::from_slice(input.bytes);
    let parsed = serde_path_to_error::deserialize(&mut deserializer);
    let parsed = parsed.map_err(|error| {
        let path = error.path().to_string();
        (path, error.into_inner())
    });
    let whole = parsed.and_then(|value| {
        let end = deserializer.end().map_err(|error| (".".to_owned(), error));
        end.map(|()| value)
    });
    whole.map_err(|(path, error)| {
        let place = match path.as_str() {
            "." | "?" => String::new(),
            path => format!("{}: ", super::toml_fields::shown(path)),
        };
        let text = error.to_string();
        let what = text.split(" at line ").next().unwrap_or_default();
        let remedy = if error.is_eof() {
            "fetch it again; a truncated download looks like this".to_owned()
        } else {
            format!("expected {form}; fetch it again, or correct \"kind\"")
        };
        SourceError::At {
            file: input.file.to_owned(),
            spot: Spot::Column(error.line() as u64, error.column() as u64),
            what: format!("{place}{what}"),
            remedy,
        }
    })
}
