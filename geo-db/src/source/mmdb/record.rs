//! What a record of an MMDB file says, in the field names of each publisher. Only the fields that
//! are understood are decoded; all others are skipped without being stored.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::profile::CountryCode;
use crate::source::draft;

/// Which publisher's field names a file uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Schema {
    /// `MaxMind` `GeoLite2` and `GeoIP2` (Country, City, Enterprise, ASN, ISP), and DB-IP's own
    /// files, which copy their field names.
    MaxMind,
    /// `IPinfo` (Lite, Core): `country_code` or `country`, `asn` as "AS15169", flat or in `geo`
    /// and `as`.
    IpInfo,
    /// ip-location-db: flat, `country_code`, `autonomous_system_number`.
    IpLocationDb,
}

/// Paths to try in order.
type Paths = &'static [&'static [&'static str]];

/// Where a schema keeps its fields.
struct Fields {
    country: Paths,
    registered_country: Paths,
    system: Paths,
    organisation: Paths,
    anycast: Paths,
}

/// Every name in [`Schema::fields`]: what a decoder keeps.
const KEPT: [&str; 17] = [
    "country",
    "iso_code",
    "registered_country",
    "traits",
    "country_code",
    "geo",
    "as",
    "asn",
    "as_name",
    "name",
    "network",
    "autonomous_system_number",
    "autonomous_system_organization",
    "is_anycast",
    "anycast",
    "is_anycast_ip",
    "organization",
];

impl Schema {
    pub(super) const ALL: [Self; 3] = [Self::MaxMind, Self::IpInfo, Self::IpLocationDb];

    const fn fields(self) -> Fields {
        match self {
            Self::MaxMind => Fields {
                country: &[&["country", "iso_code"]],
                registered_country: &[&["registered_country", "iso_code"]],
                system: &[
                    &["autonomous_system_number"],
                    &["traits", "autonomous_system_number"],
                ],
                organisation: &[
                    &["autonomous_system_organization"],
                    &["traits", "autonomous_system_organization"],
                ],
                anycast: &[&["traits", "is_anycast"], &["is_anycast"]],
            },
            Self::IpInfo => Fields {
                country: &[
                    &["country_code"],
                    &["geo", "country_code"],
                    &["country"],
                    &["geo", "country"],
                ],
                registered_country: &[],
                system: &[&["asn"], &["as", "asn"]],
                organisation: &[&["as_name"], &["as", "name"], &["name"]],
                anycast: &[&["is_anycast"], &["anycast"], &["network", "is_anycast"]],
            },
            Self::IpLocationDb => Fields {
                country: &[&["country_code"]],
                registered_country: &[],
                system: &[&["autonomous_system_number"]],
                organisation: &[&["autonomous_system_organization"]],
                anycast: &[],
            },
        }
    }

    /// By the metadata's `database_type`, when it names a publisher.
    pub(super) fn of_type(database_type: &str) -> Option<Self> {
        let text = database_type.to_ascii_lowercase();
        let begins = |names: &[&str]| names.iter().any(|name| text.starts_with(name));
        // ip-location-db names its files "country ipv4", "asn ipv6" and so on.
        if begins(&["ip-location-db", "country ipv", "asn ipv", "city ipv"]) {
            Some(Self::IpLocationDb)
        } else if text.contains("ipinfo") {
            Some(Self::IpInfo)
        } else if begins(&["geolite2", "geoip2", "geoip-", "dbip", "db-ip"]) {
            Some(Self::MaxMind)
        } else {
            None
        }
    }

    /// Whether records of this schema keep the country of registration apart.
    pub(super) const fn has_registered_country(self) -> bool {
        matches!(self, Self::MaxMind)
    }
}

/// What a file says of one network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Record {
    /// Where the network is used.
    pub(super) country: Option<CountryCode>,
    /// Where it is registered: not a location.
    pub(super) registered_country: Option<CountryCode>,
    /// Number of the announcing AS.
    pub(super) system: Option<u32>,
    /// Name of the organisation behind it.
    pub(super) organisation: Option<String>,
    /// Announced from many places.
    pub(super) anycast: bool,
    /// A code that is no country code, as it stands.
    pub(super) wrong_code: Option<String>,
}

impl Record {
    pub(super) fn from_node(node: &Node, schema: Schema) -> Self {
        let fields = schema.fields();
        let mut wrong_code = None;
        let mut country = |paths: Paths| {
            let code = node.text(paths)?;
            match draft::country(code) {
                Ok(code) => code,
                Err(what) => {
                    wrong_code.get_or_insert(what);
                    None
                }
            }
        };
        let country_of = country(fields.country);
        let registered_country = country(fields.registered_country);
        Self {
            country: country_of,
            registered_country,
            system: node
                .find(fields.system)
                .and_then(|found| match found {
                    Node::Number(number) => u32::try_from(*number).ok(),
                    Node::Text(text) => draft::system(text).ok().flatten(),
                    _ => None,
                })
                .filter(|system| *system != 0),
            organisation: node
                .text(fields.organisation)
                .map(str::trim)
                .filter(|name| !name.is_empty())
                .map(str::to_owned),
            anycast: node.find(fields.anycast).is_some_and(Node::is_true),
            wrong_code,
        }
    }

    pub(super) fn says_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// A decoded value, with what is not understood left out.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Text(String),
    Number(u64),
    Flag(bool),
    Map(Vec<(&'static str, Node)>),
    /// Something else, or nothing.
    Other,
}

impl Node {
    fn find(&self, paths: Paths) -> Option<&Self> {
        paths.iter().find_map(|path| {
            path.iter()
                .try_fold(self, |node, key| node.get(key))
                .filter(|found| !matches!(found, Self::Other))
        })
    }

    fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Map(fields) => fields
                .iter()
                .find_map(|(name, node)| (*name == key).then_some(node)),
            _ => None,
        }
    }

    fn text(&self, paths: Paths) -> Option<&str> {
        match self.find(paths)? {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    fn is_true(&self) -> bool {
        match self {
            Self::Flag(flag) => *flag,
            Self::Text(text) => text == "true" || text == "True" || text == "1",
            Self::Number(number) => *number == 1,
            Self::Map(_) | Self::Other => false,
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of a record")
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        if text.len() > draft::MAX_TEXT_BYTES {
            return Ok(Node::Other);
        }
        Ok(Node::Text(text.to_owned()))
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Node, E> {
        Ok(Node::Flag(flag))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Node, E> {
        Ok(Node::Number(number))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Node, E> {
        Ok(u64::try_from(number).map_or(Node::Other, Node::Number))
    }

    fn visit_u128<E>(self, _: u128) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_bytes<E>(self, _: &[u8]) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Node::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut fields: Vec<(&'static str, Node)> = Vec::new();
        while let Some(key) = map.next_key::<Key>()? {
            match key.0 {
                Some(name) if fields.iter().all(|(known, _)| *known != name) => {
                    fields.push((name, map.next_value()?));
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(Node::Map(fields))
    }
}

/// A key of a map, when it is one that is kept.
struct Key(Option<&'static str>);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl Visitor<'_> for KeyVisitor {
            type Value = Key;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a field")
            }

            fn visit_str<E>(self, text: &str) -> Result<Key, E> {
                Ok(Key(KEPT.into_iter().find(|kept| *kept == text)))
            }

            fn visit_bytes<E>(self, text: &[u8]) -> Result<Key, E> {
                Ok(Key(KEPT.into_iter().find(|kept| kept.as_bytes() == text)))
            }
        }
        deserializer.deserialize_identifier(KeyVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_of_a_schema_is_kept() {
        for schema in Schema::ALL {
            let fields = schema.fields();
            let all = [
                fields.country,
                fields.registered_country,
                fields.system,
                fields.organisation,
                fields.anycast,
            ];
            for name in all.into_iter().flatten().copied().flatten() {
                assert!(KEPT.contains(name), "{name}");
            }
        }
    }
}
