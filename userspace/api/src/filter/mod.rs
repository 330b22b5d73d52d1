//! The filter language: one parser for the daemon, the command line and the dashboard.
//!
//! ```text
//! filter   := any
//! any      := all ("or" all)*
//! all      := one (["and"] one)*
//! one      := ("!" | "not") one | "(" any ")" | field op value | field ":" value ("," value)* | text
//! op       := "=" | "!=" | ">" | "<" | ">=" | "<=" | "~"
//! ```
//!
//! - `:` equals one of the values; `=` equals; `!=` is `!(field = value)`, so it holds for what is
//!   not known; `~` contains (no regular expressions); orders hold for known numbers only.
//! - Words compare without regard to ASCII case. `name:example.org` also holds for its subdomains,
//!   `name=example.org` does not. `src` and `dst` take addresses and prefixes. `none` is "not known".
//! - Sizes take `k M G T` and `Ki Mi Gi Ti` with or without `B` (and `/s` for rates), durations
//!   `s m h d`.
//! - A text of its own is looked for in every word, name and address of a row; an address or prefix
//!   of its own holds for either side.
//! - The empty filter holds for everything.

mod expression;
mod field;
mod literal;
mod parse;
mod rows;
mod watched;

use std::fmt;
use std::str::FromStr;

pub use expression::{Expression, Operator};
pub use field::{Field, Kind, Record, Value};
pub use literal::Literal;
pub use rows::At;

use crate::refusal::{ApiError, ErrorCode};

/// Longest filter, bytes.
pub const MAX_FILTER_BYTES: usize = 4_096;

/// A parsed filter.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Filter {
    expression: Option<Expression>,
}

impl Filter {
    /// The filter that holds for everything.
    #[must_use]
    pub const fn all() -> Self {
        Self { expression: None }
    }

    /// Parses a filter; blank text is [`Filter::all`].
    ///
    /// # Errors
    /// What is wrong, and where.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        parse::parse(text).map(|expression| Self { expression })
    }

    /// Parses the optional filter of a request.
    ///
    /// # Errors
    /// As [`Filter::parse`].
    pub fn of_request(text: Option<&str>) -> Result<Self, FilterError> {
        text.map_or_else(|| Ok(Self::all()), Self::parse)
    }

    /// Whether it holds for a row.
    #[must_use]
    pub fn matches(&self, record: &impl Record) -> bool {
        self.expression
            .as_ref()
            .is_none_or(|expression| expression.matches(record))
    }

    /// Whether it holds for everything by construction.
    #[must_use]
    pub const fn is_all(&self) -> bool {
        self.expression.is_none()
    }

    /// The expression; `None`: everything.
    #[must_use]
    pub const fn expression(&self) -> Option<&Expression> {
        self.expression.as_ref()
    }

    /// Holds where both hold.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            expression: match (self.expression, other.expression) {
                (Some(left), Some(right)) => Some(Expression::And(vec![left, right])),
                (left, right) => left.or(right),
            },
        }
    }
}

impl From<Expression> for Filter {
    fn from(expression: Expression) -> Self {
        Self {
            expression: Some(expression),
        }
    }
}

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

/// The canonical form: parsing it gives the same filter.
impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.expression {
            Some(expression) => expression.fmt(f),
            None => Ok(()),
        }
    }
}

/// A filter that does not parse. Displays as three lines: the text, a caret under the place, and
/// what is wrong with the remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterError {
    /// The whole text.
    pub text: String,
    /// Where the wrong part begins, in characters from 0.
    pub column: usize,
    /// How many characters it has (0 at the end of the text).
    pub length: usize,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub remedy: Option<String>,
}

impl FilterError {
    /// One line without the text and the caret, for status bars.
    #[must_use]
    pub fn brief(&self) -> String {
        match &self.remedy {
            Some(remedy) => format!("{} ({remedy})", self.message),
            None => self.message.clone(),
        }
    }
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text.replace(['\n', '\r', '\t'], " "))?;
        writeln!(
            f,
            "{:column$}{}",
            "",
            "^".repeat(self.length.max(1)),
            column = self.column
        )?;
        f.write_str(&self.brief())
    }
}

impl std::error::Error for FilterError {}

impl From<FilterError> for ApiError {
    fn from(error: FilterError) -> Self {
        Self::new(ErrorCode::Filter, error.to_string())
    }
}

#[cfg(test)]
mod tests;
