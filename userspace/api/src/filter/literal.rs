//! Values as they are written: parsing by the kind of the field, and printing.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

use super::field::{Field, Kind};

/// A value of a comparison.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Literal {
    /// `none`: not known.
    Unknown,
    /// A word, name or id.
    Text(String),
    /// An address or prefix, host bits cleared.
    Prefix(IpNet),
    /// A number without unit.
    Number(u64),
    /// A duration, seconds.
    Seconds(u64),
}

/// What is wrong with a value, and what to write instead.
pub(super) type Wrong = (String, Option<String>);

/// Names of IP protocols (IANA registry), as far as people type them.
const PROTOCOLS: [(&str, u8); 12] = [
    ("icmp", 1),
    ("igmp", 2),
    ("ipip", 4),
    ("tcp", 6),
    ("udp", 17),
    ("ipv6", 41),
    ("gre", 47),
    ("esp", 50),
    ("ah", 51),
    ("icmpv6", 58),
    ("sctp", 132),
    ("udplite", 136),
];

/// Units of sizes: decimal and binary (IEC 80000-13). Longest first.
const SIZES: [(&str, u64); 9] = [
    ("ki", 1 << 10),
    ("mi", 1 << 20),
    ("gi", 1 << 30),
    ("ti", 1 << 40),
    ("k", 1_000),
    ("m", 1_000_000),
    ("g", 1_000_000_000),
    ("t", 1_000_000_000_000),
    ("", 1),
];

const DURATIONS: [(&str, u64); 5] = [("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400), ("", 1)];

impl Literal {
    /// Reads a value for a field. A quoted value is never `none`.
    pub(super) fn parse(field: Field, text: &str, quoted: bool) -> Result<Self, Wrong> {
        if !quoted && text.eq_ignore_ascii_case("none") {
            return Ok(Self::Unknown);
        }
        match field.kind() {
            Kind::Text | Kind::Host => Ok(Self::Text(text.to_owned())),
            Kind::Word(words) => word(field, words, text),
            Kind::Country => country(text),
            Kind::Address => prefix(text).map(Self::Prefix).ok_or_else(|| {
                (
                    format!("\"{text}\" is not an address or prefix"),
                    Some("for example 10.20.0.0/16 or 2001:db8::1".to_owned()),
                )
            }),
            Kind::Protocol => protocol(text),
            Kind::Port => number(text, &[("", 1)], "")
                .filter(|port| u16::try_from(*port).is_ok())
                .map(Self::Number)
                .ok_or_else(|| {
                    (
                        format!("\"{text}\" is not a port"),
                        Some("0 to 65535".to_owned()),
                    )
                }),
            Kind::Asn => {
                let digits = text
                    .get(..2)
                    .filter(|prefix| prefix.eq_ignore_ascii_case("as"))
                    .map_or(text, |_| &text[2..]);
                number(digits, &[("", 1)], "")
                    .filter(|asn| u32::try_from(*asn).is_ok())
                    .map(Self::Number)
                    .ok_or_else(|| {
                        (
                            format!("\"{text}\" is not an AS number"),
                            Some("for example AS16276".to_owned()),
                        )
                    })
            }
            Kind::Count => sized(text, "", "a count", "for example 500 or 10k"),
            Kind::Bytes => sized(text, "b", "a size", "for example 50kB, 1M or 2GiB"),
            Kind::Rate => {
                let bytes = text.strip_suffix("/s").unwrap_or(text);
                sized(bytes, "b", "a rate", "for example 50kB/s or 1M")
            }
            Kind::Duration => number(text, &DURATIONS, "")
                .map(Self::Seconds)
                .ok_or_else(|| {
                    (
                        format!("\"{text}\" is not a duration"),
                        Some("for example 30s, 5m, 2h or 1d".to_owned()),
                    )
                }),
        }
    }
}

fn word(field: Field, words: &[&'static str], text: &str) -> Result<Literal, Wrong> {
    words
        .iter()
        .find(|word| word.eq_ignore_ascii_case(text))
        .map(|word| Literal::Text((*word).to_owned()))
        .ok_or_else(|| {
            (
                format!("\"{text}\" is not a value of {}", field.name()),
                Some(match nearest(text, words.iter().copied()) {
                    Some(word) => format!("did you mean \"{word}\"?"),
                    None => format!("one of {}", words.join(", ")),
                }),
            )
        })
}

fn country(text: &str) -> Result<Literal, Wrong> {
    if text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        Ok(Literal::Text(text.to_ascii_uppercase()))
    } else {
        Err((
            format!("\"{text}\" is not a country code"),
            Some("two letters, for example FR, or none".to_owned()),
        ))
    }
}

fn protocol(text: &str) -> Result<Literal, Wrong> {
    PROTOCOLS
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(text))
        .map(|(_, number)| *number)
        .or_else(|| text.parse().ok())
        .map(|number| Literal::Number(u64::from(number)))
        .ok_or_else(|| {
            (
                format!("\"{text}\" is not an IP protocol"),
                Some("tcp, udp, icmp... or a number from 0 to 255".to_owned()),
            )
        })
}

fn sized(text: &str, suffix: &str, what: &str, example: &str) -> Result<Literal, Wrong> {
    number(text, &SIZES, suffix)
        .map(Literal::Number)
        .ok_or_else(|| {
            (
                format!("\"{text}\" is not {what}"),
                Some(example.to_owned()),
            )
        })
}

/// Reads digits, perhaps a fraction, and a unit, exactly: `1.5k` is 1500, `1.5` is nothing.
fn number(text: &str, units: &[(&str, u64)], suffix: &str) -> Option<u64> {
    let lower = text.to_ascii_lowercase();
    let end = lower
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(lower.len());
    let (digits, unit) = lower.split_at(end);
    let unit = if suffix.is_empty() {
        unit
    } else {
        unit.strip_suffix(suffix).unwrap_or(unit)
    };
    let factor = units.iter().find(|(name, _)| *name == unit)?.1;
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() || fraction.len() > 12 {
        return None;
    }
    let scale = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    let mantissa: u128 = format!("{whole}{fraction}").parse().ok()?;
    let scaled = mantissa.checked_mul(u128::from(factor))?;
    if scaled % scale != 0 {
        return None;
    }
    u64::try_from(scaled / scale).ok()
}

/// An address or prefix, host bits cleared.
pub(super) fn prefix(text: &str) -> Option<IpNet> {
    text.parse::<IpNet>()
        .ok()
        .or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
        .map(|prefix| prefix.trunc())
}

/// The word of a list that was probably meant.
pub(super) fn nearest<'a>(text: &str, words: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let text = text.to_ascii_lowercase();
    words
        .map(|word| (strsim::damerau_levenshtein(&text, word), word))
        .filter(|(distance, word)| *distance * 3 <= word.len().max(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// Whether a text can stand without quotes: of safe characters, and no word of the language.
pub(super) fn is_bare(text: &str) -> bool {
    !text.is_empty()
        && !["and", "or", "not", "none"]
            .iter()
            .any(|word| word.eq_ignore_ascii_case(text))
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_.-/@*".contains(&byte))
}

/// Writes a text, in quotes where it needs them.
pub(super) fn write_text(f: &mut fmt::Formatter<'_>, text: &str, bare: bool) -> fmt::Result {
    if bare {
        return f.write_str(text);
    }
    f.write_str("\"")?;
    for character in text.chars() {
        if matches!(character, '"' | '\\') {
            f.write_str("\\")?;
        }
        write!(f, "{character}")?;
    }
    f.write_str("\"")
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("none"),
            Self::Text(text) => write_text(f, text, is_bare(text)),
            Self::Prefix(prefix) if prefix.prefix_len() == prefix.max_prefix_len() => {
                prefix.addr().fmt(f)
            }
            Self::Prefix(prefix) => prefix.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Seconds(seconds) => write!(f, "{seconds}s"),
        }
    }
}
