//! The lists of a rule: countries and groups, ids, prefixes, names, numbers, ports.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::str::FromStr;
use std::sync::Arc;

use octroi_geo_db::catalogue::Group;
use octroi_geo_db::profile::CountryCode;
use toml::de::DeValue;

use super::values::{self, Text, Value};
use super::{Reader, zone};
use crate::condition::Condition;
use crate::diagnostic::did_you_mean;
use crate::protocol;
use crate::sets::{NamePattern, Names, Places, Prefixes, Words, ZoneSet};

impl Reader<'_, '_> {
    /// `hosting`, `control`: country codes and groups.
    pub(super) fn places(&mut self, value: &Value<'_>, key: &str) -> Places {
        let mut places = Places::default();
        for item in values::strings(&mut self.reporter, value, key) {
            if self.reporter.is_full() {
                break;
            }
            let (unwanted, place) = values::negation(item);
            let country = CountryCode::from_str(place.text)
                .ok()
                .filter(|code| code.as_str() == place.text)
                .filter(|&code| self.catalogue.country(code).is_some());
            let group = Group::ALL
                .into_iter()
                .find(|group| group.name() == place.text);
            match (country, group, unwanted) {
                (Some(country), _, false) => places.countries.push(country),
                (Some(country), _, true) => places.not_countries.push(country),
                (None, Some(group), false) => places.groups.push(group),
                (None, Some(group), true) => places.not_groups.push(group),
                (None, None, _) => self.no_such_place(place, key),
            }
        }
        places
    }

    fn no_such_place(&mut self, place: Text<'_>, key: &str) {
        let what = format!(
            "{key}: \"{}\" is no country or group of countries",
            place.text
        );
        let upper = place.text.to_ascii_uppercase();
        let exact = |code: &CountryCode| self.catalogue.country(*code).is_some();
        let is_known = Group::ALL.iter().any(|group| group.name() == upper)
            || CountryCode::from_str(&upper).is_ok_and(|code| exact(&code));
        let remedy = if is_known {
            format!("write \"{upper}\"")
        } else if upper == "UK" {
            "the code of the United Kingdom is \"GB\"".to_owned()
        } else {
            let groups: Vec<_> = Group::ALL.iter().map(|group| group.name()).collect();
            format!(
                "an ISO 3166-1 alpha-2 code or one of {} is expected",
                groups.join(", ")
            )
        };
        self.reporter.error(place.at, what, remedy);
    }

    /// Words that must be among `known`, which is called `list` in messages.
    pub(super) fn words(
        &mut self,
        value: &Value<'_>,
        key: &str,
        known: &[&str],
        list: &str,
    ) -> Words {
        let mut words = Words::default();
        for item in values::strings(&mut self.reporter, value, key) {
            if self.reporter.is_full() {
                break;
            }
            let (unwanted, word) = values::negation(item);
            if !known.contains(&word.text) {
                self.reporter.error(
                    word.at,
                    format!("{key} \"{}\" is not {list}", word.text),
                    did_you_mean(word.text, known.iter().copied()),
                );
                continue;
            }
            let side = if unwanted {
                &mut words.unwanted
            } else {
                &mut words.wanted
            };
            side.push(Arc::from(word.text));
        }
        words.wanted.sort_unstable();
        words.unwanted.sort_unstable();
        words
    }

    /// `from`, `to`: zones of the policy, and `none`.
    pub(super) fn zone_set(&mut self, value: &Value<'_>, key: &str, none: bool) -> ZoneSet {
        let (mut wanted, mut unwanted) = (0u64, 0u64);
        for item in values::strings(&mut self.reporter, value, key) {
            if self.reporter.is_full() {
                break;
            }
            let (negated, name) = values::negation(item);
            let number = match self.zones.get(name.text) {
                Some(&number) => number,
                None if none && name.text == crate::model::NO_ZONE => 0,
                None => {
                    let mut known: Vec<_> = self.zones.keys().map(String::as_str).collect();
                    known.sort_unstable();
                    let remedy = did_you_mean(name.text, known.into_iter());
                    let what = format!("zone \"{}\" is not defined", name.text);
                    self.reporter.error(name.at, what, remedy);
                    continue;
                }
            };
            let bit = 1u64.checked_shl(u32::from(number)).unwrap_or(0);
            self.places.named_zones |= bit;
            *(if negated { &mut unwanted } else { &mut wanted }) |= bit;
        }
        // Without anything wanted, every zone is, but "in no zone" is the absence of one.
        let all = if wanted == 0 { !1 } else { wanted };
        ZoneSet(all & !unwanted)
    }

    /// `prefix`.
    pub(super) fn prefixes(&mut self, value: &Value<'_>, key: &str) -> Prefixes {
        let mut prefixes = Prefixes::default();
        let mut seen = HashSet::new();
        for item in values::strings(&mut self.reporter, value, key) {
            let (unwanted, text) = values::negation(item);
            let Some(prefix) = zone::prefix(&mut self.reporter, text, key) else {
                continue;
            };
            if !seen.insert(prefix) {
                values::twice(&mut self.reporter, text, key);
            } else if unwanted {
                prefixes.unwanted.push(prefix);
            } else {
                prefixes.wanted.push(prefix);
            }
        }
        prefixes.wanted.sort_unstable();
        prefixes.unwanted.sort_unstable();
        prefixes
    }

    /// `name`: host names, `*.` for all below one.
    pub(super) fn names(&mut self, value: &Value<'_>, key: &str) -> Names {
        let mut names = Names::default();
        let mut seen = HashSet::new();
        for item in values::strings(&mut self.reporter, value, key) {
            let (unwanted, text) = values::negation(item);
            let Some(pattern) = self.name_pattern(text) else {
                continue;
            };
            if !seen.insert(pattern.clone()) {
                values::twice(&mut self.reporter, text, key);
            } else if unwanted {
                names.unwanted.push(pattern);
            } else {
                names.wanted.push(pattern);
            }
        }
        names
    }

    /// RFC 1035 section 2.3.4: labels of 63, names of 253 characters.
    fn name_pattern(&mut self, item: Text<'_>) -> Option<NamePattern> {
        let (below, name) = match item.text.strip_prefix("*.") {
            Some(name) => (true, name),
            None => (false, item.text),
        };
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        let label = |label: &str| !label.is_empty() && label.len() <= 63 && label.bytes().all(fits);
        let name = name.strip_suffix('.').unwrap_or(name);
        if name.len() > 253 || !name.split('.').all(label) {
            self.reporter.error(
                item.at,
                format!("\"{}\" is no host name", item.text.escape_debug()),
                if name.contains('*') {
                    "a star stands for all names below one: \"*.example.org\""
                } else if name.is_ascii() {
                    "labels of 1 to 63 of A-Z, a-z, 0-9, '-' and '_' are expected"
                } else {
                    "write the punycode form (xn--...)"
                },
            );
            return None;
        }
        let name = name.to_ascii_lowercase();
        Some(NamePattern { name, below })
    }

    /// `asn`.
    pub(super) fn asns(&mut self, value: &Value<'_>, key: &str) -> Vec<u32> {
        let mut asns = BTreeSet::new();
        for item in values::list(&mut self.reporter, value, key).unwrap_or_default() {
            let at = item.span().start;
            let number = match item.get_ref() {
                DeValue::Integer(number) => {
                    u32::from_str_radix(number.as_str(), number.radix()).ok()
                }
                _ => None,
            };
            match number.filter(|&number| number != 0) {
                None => self.reporter.error(
                    at,
                    format!("{key} holds {}", shown(item)),
                    "the number of an autonomous system is expected, such as 8075",
                ),
                Some(number) if !asns.insert(number) => {
                    let what = format!("{key} names {number} twice");
                    self.reporter.error(at, what, "remove one of them");
                }
                Some(_) => {}
            }
        }
        asns.into_iter().collect()
    }

    /// `protocol`: names or numbers; `icmp` is ICMP of both families.
    pub(super) fn protocols(&mut self, value: &Value<'_>, key: &str) -> Vec<u8> {
        let mut protocols: Vec<u8> = Vec::new();
        for item in values::list(&mut self.reporter, value, key).unwrap_or_default() {
            let at = item.span().start;
            let found = match item.get_ref() {
                DeValue::Integer(number) => {
                    let number = u8::from_str_radix(number.as_str(), number.radix());
                    number.ok().map(|number| vec![number])
                }
                DeValue::String(name) => protocol::by_name(name).map(<[u8]>::to_vec),
                _ => None,
            };
            let Some(found) = found else {
                let remedy = match item.get_ref() {
                    DeValue::String(name) => did_you_mean(name, protocol::names()),
                    _ => "a name or a number from 0 to 255 is expected".to_owned(),
                };
                self.reporter
                    .error(at, format!("{key} cannot be {}", shown(item)), remedy);
                continue;
            };
            if found.iter().any(|number| protocols.contains(number)) {
                let what = format!("{key} names {} twice", shown(item));
                self.reporter.error(at, what, "remove one of them");
            } else {
                protocols.extend(found);
            }
        }
        protocols.sort_unstable();
        protocols
    }

    /// `ports`: numbers and ranges. Neighbours are merged; an overlap is an error.
    pub(super) fn ports(&mut self, value: &Value<'_>, key: &str) -> Vec<(u16, u16)> {
        let mut ranges: BTreeMap<u16, u16> = BTreeMap::new();
        for item in values::list(&mut self.reporter, value, key).unwrap_or_default() {
            let at = item.span().start;
            let text = match item.get_ref() {
                DeValue::String(text) => text.as_ref(),
                DeValue::Integer(number) if number.radix() == 10 => number.as_str(),
                _ => "",
            };
            let (low, high) = text.split_once('-').unwrap_or((text, text));
            let number = |text: &str| {
                let digits = text.bytes().all(|byte| byte.is_ascii_digit());
                text.parse::<u16>().ok().filter(|&port| digits && port > 0)
            };
            let (Some(low), Some(high)) = (number(low), number(high)) else {
                let remedy = "a port from 1 to 65535 or a range \"5000-5100\" is expected";
                self.reporter
                    .error(at, format!("{key} holds {}", shown(item)), remedy);
                continue;
            };
            if low > high {
                let what = format!("{key}: the range {low}-{high} is inverted");
                self.reporter
                    .error(at, what, format!("write \"{high}-{low}\""));
                continue;
            }
            // Ranges stand apart: only the last one that begins before this one ends can overlap.
            let before = ranges.range(..=high).next_back().map(|(&a, &b)| (a, b));
            if let Some((a, b)) = before.filter(|&(_, b)| low <= b) {
                let what = format!("{key}: {} overlaps {}", range(low, high), range(a, b));
                self.reporter.error(at, what, "name each port once");
            } else {
                ranges.insert(low, high);
            }
        }
        let mut merged: Vec<(u16, u16)> = Vec::new();
        for (low, high) in ranges {
            match merged.last_mut() {
                Some(last) if last.1.checked_add(1) == Some(low) => last.1 = high,
                _ => merged.push((low, high)),
            }
        }
        merged
    }

    /// A condition on words of the catalogue.
    pub(super) fn catalogue_words(
        &mut self,
        value: &Value<'_>,
        key: &str,
        known: &[&str],
        condition: fn(Words) -> Condition,
    ) -> Condition {
        condition(self.words(value, key, known, "in the catalogue"))
    }
}

/// A port range as a policy writes it.
pub(crate) fn range(low: u16, high: u16) -> String {
    if low == high {
        low.to_string()
    } else {
        format!("{low}-{high}")
    }
}

fn shown(value: &Value<'_>) -> String {
    match value.get_ref() {
        DeValue::String(text) => format!("\"{}\"", text.escape_debug()),
        DeValue::Integer(number) => number.to_string(),
        other => values::kind(other).to_owned(),
    }
}
