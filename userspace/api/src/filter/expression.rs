//! The expression: evaluation over a row, and the canonical form.

use std::cmp::Ordering;
use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

use super::field::{Field, Kind, Record, Value};
use super::literal::{Literal, is_bare, prefix, write_text};

/// How a field is compared.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Operator {
    /// `:` equals one of the values.
    Is,
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `>`
    Greater,
    /// `<`
    Less,
    /// `>=`
    AtLeast,
    /// `<=`
    AtMost,
    /// `~` contains.
    Contains,
}

impl Operator {
    /// Every operator; those with two characters first.
    pub const ALL: [Self; 8] = [
        Self::NotEqual,
        Self::AtLeast,
        Self::AtMost,
        Self::Is,
        Self::Equal,
        Self::Greater,
        Self::Less,
        Self::Contains,
    ];

    /// As it is written.
    #[must_use]
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Is => ":",
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Greater => ">",
            Self::Less => "<",
            Self::AtLeast => ">=",
            Self::AtMost => "<=",
            Self::Contains => "~",
        }
    }

    /// Whether it asks for an order.
    #[must_use]
    pub const fn is_order(self) -> bool {
        matches!(
            self,
            Self::Greater | Self::Less | Self::AtLeast | Self::AtMost
        )
    }
}

/// A filter's expression. `And` and `Or` have at least two parts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Expression {
    /// One of them holds.
    Or(Vec<Self>),
    /// All of them hold.
    And(Vec<Self>),
    /// It does not hold.
    Not(Box<Self>),
    /// A comparison. Only [`Operator::Is`] has more than one value.
    Compare {
        /// The field.
        field: Field,
        /// The operator.
        operator: Operator,
        /// The values.
        values: Vec<Literal>,
    },
    /// Either side is inside the prefix.
    Address(IpNet),
    /// Some word, name or address contains it.
    Text(String),
}

impl Expression {
    /// Whether it holds for a row.
    #[must_use]
    pub fn matches(&self, record: &impl Record) -> bool {
        match self {
            Self::Or(parts) => parts.iter().any(|part| part.matches(record)),
            Self::And(parts) => parts.iter().all(|part| part.matches(record)),
            Self::Not(part) => !part.matches(record),
            Self::Compare {
                field,
                operator,
                values,
            } => compare(record, *field, *operator, values),
            Self::Address(prefix) => [Field::Source, Field::Destination].into_iter().any(|field| {
                any(record, field, |value| {
                    matches!(value, Some(Value::Address(address)) if contains_address(prefix, *address))
                })
            }),
            Self::Text(text) => Field::ALL.iter().any(|field| {
                !field.kind().is_number()
                    && field.kind() != Kind::Protocol
                    && any(record, *field, |value| {
                        value.is_some_and(|value| contains(value, text))
                    })
            }),
        }
    }
}

/// Whether a test holds for one of the values of a field; of an unknown one for `None`.
fn any(record: &impl Record, field: Field, test: impl Fn(Option<&Value<'_>>) -> bool) -> bool {
    test(record.value(field).as_ref())
        || (0..)
            .map_while(|index| record.further(field, index))
            .any(|value| test(Some(&value)))
}

fn compare(record: &impl Record, field: Field, operator: Operator, values: &[Literal]) -> bool {
    let equal = |subdomains| {
        any(record, field, |value| {
            values
                .iter()
                .any(|literal| equals(field, value, literal, subdomains))
        })
    };
    let in_order = |holds| any(record, field, |value| ordered(value, values, holds));
    match operator {
        Operator::Is => equal(field.kind() == Kind::Host),
        Operator::Equal => equal(false),
        Operator::NotEqual => !equal(false),
        Operator::Greater => in_order(Ordering::is_gt),
        Operator::Less => in_order(Ordering::is_lt),
        Operator::AtLeast => in_order(Ordering::is_ge),
        Operator::AtMost => in_order(Ordering::is_le),
        Operator::Contains => any(record, field, |value| {
            value.is_some_and(|value| {
                values
                    .iter()
                    .any(|literal| matches!(literal, Literal::Text(text) if contains(value, text)))
            })
        }),
    }
}

fn equals(field: Field, value: Option<&Value<'_>>, literal: &Literal, subdomains: bool) -> bool {
    match (value, literal) {
        (None, Literal::Unknown) => true,
        (Some(Value::Text(text)), Literal::Text(wanted)) => {
            text.eq_ignore_ascii_case(wanted)
                || (subdomains && field.kind() == Kind::Host && is_subdomain(text, wanted))
        }
        (Some(Value::Address(address)), Literal::Prefix(prefix)) => {
            contains_address(prefix, *address)
        }
        (Some(Value::Number(number)), Literal::Number(wanted) | Literal::Seconds(wanted)) => {
            number == wanted
        }
        _ => false,
    }
}

fn ordered(value: Option<&Value<'_>>, values: &[Literal], holds: fn(Ordering) -> bool) -> bool {
    let Some(Value::Number(number)) = value else {
        return false;
    };
    values.iter().any(|literal| {
        matches!(literal, Literal::Number(bound) | Literal::Seconds(bound) if holds(number.cmp(bound)))
    })
}

/// An IPv4-mapped address is the IPv4 address.
fn contains_address(prefix: &IpNet, address: IpAddr) -> bool {
    prefix.contains(&address.to_canonical())
}

fn is_subdomain(name: &str, domain: &str) -> bool {
    name.len().checked_sub(domain.len() + 1).is_some_and(|at| {
        name.as_bytes()[at] == b'.'
            && name.as_bytes()[at + 1..].eq_ignore_ascii_case(domain.as_bytes())
    })
}

fn contains(value: &Value<'_>, text: &str) -> bool {
    match value {
        Value::Text(haystack) => contains_text(haystack, text),
        Value::Address(address) => contains_text(&address.to_canonical().to_string(), text),
        Value::Number(_) => false,
    }
}

fn contains_text(haystack: &str, needle: &str) -> bool {
    needle.is_empty()
        || haystack
            .as_bytes()
            .windows(needle.len())
            .any(|window| window.eq_ignore_ascii_case(needle.as_bytes()))
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Or(parts) => join(f, parts, " or ", |part| matches!(part, Self::Or(_))),
            Self::And(parts) => join(f, parts, " ", |part| {
                matches!(part, Self::Or(_) | Self::And(_))
            }),
            Self::Not(part) => {
                f.write_str("!")?;
                write_part(f, part, matches!(**part, Self::Or(_) | Self::And(_)))
            }
            Self::Compare {
                field,
                operator,
                values,
            } => {
                write!(f, "{}{}", field.name(), operator.symbol())?;
                for (index, value) in values.iter().enumerate() {
                    if index > 0 {
                        f.write_str(",")?;
                    }
                    value.fmt(f)?;
                }
                Ok(())
            }
            Self::Address(prefix) => Literal::Prefix(*prefix).fmt(f),
            // An address in quotes is a text; so is a field's name.
            Self::Text(text) => write_text(
                f,
                text,
                is_bare(text) && prefix(text).is_none() && Field::of(text).is_none(),
            ),
        }
    }
}

fn join(
    f: &mut fmt::Formatter<'_>,
    parts: &[Expression],
    separator: &str,
    wrap: impl Fn(&Expression) -> bool,
) -> fmt::Result {
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            f.write_str(separator)?;
        }
        write_part(f, part, wrap(part))?;
    }
    Ok(())
}

fn write_part(f: &mut fmt::Formatter<'_>, part: &Expression, wrap: bool) -> fmt::Result {
    if wrap {
        write!(f, "({part})")
    } else {
        write!(f, "{part}")
    }
}
