//! An interface of the configuration: its name, or a table with more.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::XdpMode;

/// On which side of an interface those are who are guarded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    /// Beyond it: this machine is their gateway or their bridge.
    #[default]
    Inside,
    /// This machine itself.
    Host,
}

/// Longest name of an interface, bytes (`IFNAMSIZ` less the final zero, `linux/if.h`).
const LONGEST_NAME: usize = 15;

/// An interface to guard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Interface {
    /// Its name.
    pub(crate) name: String,
    /// Who is guarded by it.
    pub(crate) role: Role,
    /// How XDP is attached to it; as the rest of the configuration says when absent.
    pub(crate) xdp_mode: Option<XdpMode>,
    /// It may be absent when the daemon starts.
    pub(crate) optional: bool,
}

/// The long form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    name: String,
    #[serde(default)]
    role: Role,
    xdp_mode: Option<XdpMode>,
    #[serde(default)]
    optional: bool,
}

impl Interface {
    fn named<E: serde::de::Error>(name: &str) -> Result<Self, E> {
        let fits = (1..=LONGEST_NAME).contains(&name.len());
        if !fits || name.contains(|letter: char| letter == '/' || letter.is_whitespace()) {
            return Err(E::custom(format!(
                "{name:?} cannot be the name of an interface: 1 to {LONGEST_NAME} bytes, without \
                 blanks and slashes"
            )));
        }
        Ok(Self {
            name: name.to_owned(),
            role: Role::default(),
            xdp_mode: None,
            optional: false,
        })
    }
}

impl<'de> Deserialize<'de> for Interface {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Forms;
        impl<'de> Visitor<'de> for Forms {
            type Value = Interface;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of an interface, or a table with `name`")
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Interface, E> {
                Interface::named(name)
            }

            fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<Interface, M::Error> {
                let table = Table::deserialize(MapAccessDeserializer::new(map))?;
                let interface = Interface::named::<M::Error>(&table.name)?;
                Ok(Interface {
                    role: table.role,
                    xdp_mode: table.xdp_mode,
                    optional: table.optional,
                    ..interface
                })
            }
        }
        deserializer.deserialize_any(Forms)
    }
}

/// The interfaces of a configuration: at least one, none twice.
pub(super) fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Interface>, D::Error> {
    let list = Vec::<Interface>::deserialize(deserializer)?;
    if list.is_empty() {
        return Err(D::Error::custom(
            "`interfaces` is empty: name at least one, as in interfaces = [\"lan0\"]",
        ));
    }
    for (number, interface) in list.iter().enumerate() {
        let before = list.get(..number).unwrap_or_default();
        if before.iter().any(|other| other.name == interface.name) {
            return Err(D::Error::custom(format!(
                "`interfaces` names \"{}\" twice: leave one out",
                interface.name
            )));
        }
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct File {
        #[serde(deserialize_with = "list")]
        interfaces: Vec<Interface>,
    }

    fn read(list: &str) -> Result<Vec<Interface>, String> {
        toml::from_str::<File>(&format!("interfaces = {list}\n"))
            .map(|file| file.interfaces)
            .map_err(|error| error.message().to_owned())
    }

    #[test]
    fn names_and_tables_may_stand_side_by_side() {
        let list = read("[\"lan0\", { name = \"tun0\", role = \"host\", xdp_mode = \"generic\", optional = true }]")
            .unwrap();
        assert_eq!(
            list[0],
            Interface::named::<serde::de::value::Error>("lan0").unwrap()
        );
        assert_eq!(
            list[1],
            Interface {
                name: "tun0".to_owned(),
                role: Role::Host,
                xdp_mode: Some(XdpMode::Generic),
                optional: true,
            }
        );
    }

    #[test]
    fn what_cannot_work_is_refused_with_a_reason() {
        for (list, says) in [
            ("[]", "`interfaces` is empty"),
            ("[\"lan0\", { name = \"lan0\" }]", "names \"lan0\" twice"),
            ("[\"\"]", "cannot be the name"),
            ("[\"an-interface-too-long\"]", "1 to 15 bytes"),
            ("[\"lan 0\"]", "without blanks"),
            ("[7]", "the name of an interface, or a table"),
            ("[{ xdp_mode = \"native\" }]", "missing field `name`"),
            (
                "[{ name = \"lan0\", mode = \"native\" }]",
                "unknown field `mode`",
            ),
            (
                "[{ name = \"lan0\", xdp_mode = \"turbo\" }]",
                "unknown variant `turbo`",
            ),
        ] {
            let message = read(list).unwrap_err();
            assert!(message.contains(says), "{list}: {message}");
        }
    }
}
