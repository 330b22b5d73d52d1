//! Typed reading of TOML values, each failure told with its place.

use std::collections::HashMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::diagnostic::{Offset, Reporter, did_you_mean};

pub(super) type Value<'i> = Spanned<DeValue<'i>>;

/// A text with its place in the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text<'v> {
    pub(super) at: Offset,
    pub(super) text: &'v str,
}

/// What a value is, in the words of TOML.
pub(super) fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// Reports the keys of a table that are not known.
pub(super) fn check_keys(
    reporter: &mut Reporter<'_>,
    table: &DeTable<'_>,
    subject: &str,
    known: &[&str],
) {
    for key in table.keys() {
        if reporter.is_full() {
            return;
        }
        let name = key.get_ref().as_ref();
        if !known.contains(&name) {
            reporter.error(
                key.span().start,
                format!("{subject} has no key \"{name}\""),
                did_you_mean(name, known.iter().copied()),
            );
        }
    }
}

pub(super) fn mismatch(reporter: &mut Reporter<'_>, value: &Value<'_>, key: &str, expected: &str) {
    reporter.error(
        value.span().start,
        format!("{key} is {}", kind(value.get_ref())),
        format!("{expected} is expected"),
    );
}

pub(super) fn string<'v>(
    reporter: &mut Reporter<'_>,
    value: &'v Value<'_>,
    key: &str,
) -> Option<Text<'v>> {
    if let Some(text) = value.get_ref().as_str() {
        let at = value.span().start;
        return Some(Text { at, text });
    }
    mismatch(reporter, value, key, "a string");
    None
}

/// A string that is shown to humans on one line: no control characters, at most 200 characters.
pub(super) fn line<'v>(
    reporter: &mut Reporter<'_>,
    value: &'v Value<'_>,
    key: &str,
) -> Option<Text<'v>> {
    const LONGEST: usize = 200;
    let text = string(reporter, value, key)?;
    if text.text.trim().is_empty() {
        reporter.error(
            text.at,
            format!("{key} is empty"),
            "write it or leave the key out",
        );
        return None;
    }
    if text.text.chars().any(char::is_control) {
        let what = format!("{key} contains a control character");
        reporter.error(text.at, what, "write plain text on one line");
        return None;
    }
    if text.text.chars().count() > LONGEST {
        let what = format!("{key} is longer than {LONGEST} characters");
        reporter.error(text.at, what, "shorten it");
        return None;
    }
    Some(text)
}

pub(super) fn boolean(reporter: &mut Reporter<'_>, value: &Value<'_>, key: &str) -> Option<bool> {
    let found = value.get_ref().as_bool();
    if found.is_none() {
        mismatch(reporter, value, key, "true or false");
    }
    found
}

/// The items of a list that must not be empty.
pub(super) fn list<'v, 'i>(
    reporter: &mut Reporter<'_>,
    value: &'v Value<'i>,
    key: &str,
) -> Option<&'v [Value<'i>]> {
    let DeValue::Array(items) = value.get_ref() else {
        let shown = match value.get_ref() {
            DeValue::String(text) => format!("[\"{text}\"]"),
            DeValue::Integer(number) => format!("[{number}]"),
            _ => "[...]".to_owned(),
        };
        reporter.error(
            value.span().start,
            format!("{key} is {}", kind(value.get_ref())),
            format!("a list is expected: {key} = {shown}"),
        );
        return None;
    };
    if items.is_empty() {
        reporter.error(
            value.span().start,
            format!("{key} is an empty list, which nothing satisfies"),
            format!("name at least one value, or leave {key} out to ask nothing"),
        );
        return None;
    }
    Some(items)
}

/// The strings of a list; none may stand twice.
pub(super) fn strings<'v>(
    reporter: &mut Reporter<'_>,
    value: &'v Value<'_>,
    key: &str,
) -> Vec<Text<'v>> {
    let mut found: Vec<Text<'v>> = Vec::new();
    let mut seen: HashMap<&'v str, &'v str> = HashMap::new();
    for item in list(reporter, value, key).unwrap_or_default() {
        if reporter.is_full() {
            break;
        }
        let Some(text) = string(reporter, item, &format!("an item of {key}")) else {
            continue;
        };
        let bare = text.text.strip_prefix('!').unwrap_or(text.text);
        match seen.insert(bare, text.text) {
            Some(earlier) if earlier == text.text => twice(reporter, text, key),
            Some(_) => reporter.error(
                text.at,
                format!("{key} names \"{bare}\" and its negation"),
                "keep one of them",
            ),
            None => found.push(text),
        }
    }
    found
}

pub(super) fn twice(reporter: &mut Reporter<'_>, item: Text<'_>, key: &str) {
    let what = format!("{key} names \"{}\" twice", item.text);
    reporter.error(item.at, what, "remove one of them");
}

/// Splits `!item`.
pub(super) fn negation(item: Text<'_>) -> (bool, Text<'_>) {
    match item.text.strip_prefix('!') {
        Some(text) => {
            let at = item.at;
            (true, Text { at, text })
        }
        None => (false, item),
    }
}

/// One word out of a closed list.
pub(super) fn choice<T: Copy>(
    reporter: &mut Reporter<'_>,
    item: Text<'_>,
    key: &str,
    known: &[(&'static str, T)],
) -> Option<T> {
    let found = known.iter().find(|(name, _)| *name == item.text);
    if let Some(&(_, value)) = found {
        return Some(value);
    }
    let names = known.iter().map(|(name, _)| *name);
    let remedy = if item.text.starts_with('!') {
        format!("{key} takes no negation: name the values that are wanted")
    } else {
        did_you_mean(item.text, names)
    };
    reporter.error(
        item.at,
        format!("{key} cannot be \"{}\"", item.text),
        remedy,
    );
    None
}

/// Several words out of a closed list, in its order.
pub(super) fn choices<T: Copy>(
    reporter: &mut Reporter<'_>,
    value: &Value<'_>,
    key: &str,
    known: &[(&'static str, T)],
) -> Vec<T> {
    strings(reporter, value, key)
        .into_iter()
        .filter_map(|item| choice(reporter, item, key, known))
        .collect()
}
