//! `[[rule]]`: identity, verdict and conditions.

use octroi_geo_db::profile::{ControlBasis, HostingConfidence, Reach, SpecialUse};
use toml::de::DeTable;

use super::values::{self, Value};
use super::{Reader, zone};
use crate::condition::Condition;
use crate::diagnostic::{Offset, did_you_mean};
use crate::model::Rule;
use crate::naming::{EchSeen, Naming, SPEECH};
use crate::protocol;
use crate::tracking::TrackingLink;

/// Keys that are no conditions.
const PLAIN_KEYS: [&str; 5] = ["id", "title", "verdict", "shadow", "basis"];

/// Keys of the conditions that a rule can have.
pub const CONDITION_KEYS: [&str; 23] = [
    "from",
    "to",
    "hosting",
    "confidence",
    "control",
    "control_basis",
    "reach",
    "laws",
    "operator",
    "service",
    "category",
    "sovereign",
    "qualification",
    "asn",
    "prefix",
    "special",
    "name",
    "tracking_link",
    "naming",
    "speaks",
    "ech",
    "protocol",
    "ports",
];

const CONFIDENCES: [(&str, HostingConfidence); 4] = [
    ("located", HostingConfidence::Located),
    ("contested", HostingConfidence::Contested),
    ("anycast", HostingConfidence::Anycast),
    ("unknown", HostingConfidence::Unknown),
];
const BASES: [(&str, ControlBasis); 4] = [
    ("service", ControlBasis::Service),
    ("operator", ControlBasis::Operator),
    ("as_country", ControlBasis::AsCountry),
    ("none", ControlBasis::None),
];
const REACHES: [(&str, Reach); 4] = [
    ("none_known", Reach::NoneKnown),
    ("unknown", Reach::Unknown),
    ("presence", Reach::Presence),
    ("controlled", Reach::Controlled),
];
const SPECIAL_USES: [(&str, SpecialUse); 7] = [
    ("private", SpecialUse::Private),
    ("loopback", SpecialUse::Loopback),
    ("link_local", SpecialUse::LinkLocal),
    ("multicast", SpecialUse::Multicast),
    ("documentation", SpecialUse::Documentation),
    ("transition", SpecialUse::Transition),
    ("reserved", SpecialUse::Reserved),
];
const NAMINGS: [(&str, Naming); 5] = [
    ("nameless", Naming::Nameless),
    ("dns", Naming::Dns),
    ("confirmed", Naming::Confirmed),
    ("unasked", Naming::Unasked),
    ("contradicted", Naming::Contradicted),
];
const ECHS: [(&str, EchSeen); 4] = [
    ("none", EchSeen::None),
    ("grease", EchSeen::Grease),
    ("possible", EchSeen::Possible),
    ("real", EchSeen::Real),
];
const TRACKING_LINKS: [(&str, TrackingLink); 3] = [
    ("listed", TrackingLink::Listed),
    ("dual_use", TrackingLink::DualUse),
    ("look_alike", TrackingLink::LookAlike),
];
/// Names the kernel's other deciders go by (`Policy::rule_name`).
const RESERVED_IDS: [&str; 5] = ["default", "opaque", "control", "gateway", "none"];

impl Reader<'_, '_> {
    pub(super) fn rule(&mut self, at: Offset, table: &DeTable<'_>) -> Option<Rule> {
        for key in table.keys() {
            let name = key.get_ref().as_ref();
            if !PLAIN_KEYS.contains(&name) && !CONDITION_KEYS.contains(&name) {
                let known = PLAIN_KEYS.iter().chain(&CONDITION_KEYS).copied();
                let what = format!("[[rule]] has no key \"{name}\"");
                self.reporter
                    .error(key.span().start, what, did_you_mean(name, known));
            }
        }
        let (line, _) = self.reporter.position(at);
        let id = self.id(at, table);
        let label = id
            .as_deref()
            .map_or(String::new(), |id| format!(" \"{id}\""));
        let title = table
            .get("title")
            .and_then(|value| values::line(&mut self.reporter, value, "title"))
            .map(|title| title.text.to_owned());
        let verdict = if let Some(value) = table.get("verdict") {
            self.verdict(value, "verdict")
        } else {
            let what = format!("rule{label} has no verdict");
            let remedy = "add verdict = \"allow\", \"flag\", \"reject\" or \"block\"";
            self.reporter.error(at, what, remedy);
            None
        };
        let shadow = table
            .get("shadow")
            .and_then(|value| values::boolean(&mut self.reporter, value, "shadow"));
        let basis = table.get("basis").map(|value| self.basis(value));
        let conditions = self.conditions(table);
        let id = id?;
        Some(Rule {
            title: title.unwrap_or_else(|| id.clone()),
            id,
            verdict: verdict?,
            shadow: shadow.unwrap_or(false),
            basis: basis.unwrap_or_default(),
            conditions,
            line,
        })
    }

    fn id(&mut self, at: Offset, table: &DeTable<'_>) -> Option<String> {
        let Some(value) = table.get("id") else {
            let remedy = "add id = \"...\": alerts and exports name rules by it";
            self.reporter.error(at, "[[rule]] has no id", remedy);
            return None;
        };
        let id = values::string(&mut self.reporter, value, "id")?;
        zone::identifier(&mut self.reporter, id, "the id of a rule", &RESERVED_IDS)
            .then(|| id.text.to_owned())
    }

    fn basis(&mut self, value: &Value<'_>) -> Vec<String> {
        let mut ids = Vec::new();
        for item in values::strings(&mut self.reporter, value, "basis") {
            if self.catalogue.basis(item.text).is_some() {
                ids.push(item.text.to_owned());
            } else {
                let known: Vec<_> = self
                    .catalogue
                    .bases()
                    .map(|basis| basis.id.as_ref())
                    .collect();
                self.reporter.error(
                    item.at,
                    format!("basis \"{}\" is not in the catalogue", item.text),
                    did_you_mean(item.text, known.into_iter()),
                );
            }
        }
        ids
    }

    fn conditions(&mut self, table: &DeTable<'_>) -> Vec<Condition> {
        let mut conditions: Vec<Condition> = CONDITION_KEYS
            .iter()
            .filter_map(|&key| Some((key, table.get(key)?)))
            .filter_map(|(key, value)| self.condition(key, value))
            .collect();
        self.check_places(table, &conditions);
        self.check_ports(table, &conditions);
        let has = |key: &str| table.get(key).is_some();
        if has("hosting") && !has("confidence") {
            conditions.push(Condition::Confidence(vec![HostingConfidence::Located]));
        }
        if (has("control") || has("reach") || has("laws")) && !has("control_basis") {
            let known = [
                ControlBasis::Service,
                ControlBasis::Operator,
                ControlBasis::None,
            ];
            conditions.push(Condition::ControlBasis(known.to_vec()));
        }
        conditions.sort_by_key(Condition::cost);
        conditions
    }

    fn condition(&mut self, key: &str, value: &Value<'_>) -> Option<Condition> {
        let catalogue = self.catalogue;
        let reporter = &mut self.reporter;
        Some(match key {
            "from" => Condition::From(self.zone_set(value, key, true)),
            "to" => Condition::To(self.zone_set(value, key, false)),
            "hosting" => Condition::Hosting(self.places(value, key)),
            "control" => Condition::Control(self.places(value, key)),
            "confidence" => {
                Condition::Confidence(values::choices(reporter, value, key, &CONFIDENCES))
            }
            "control_basis" => {
                Condition::ControlBasis(values::choices(reporter, value, key, &BASES))
            }
            "reach" => Condition::Reach(values::choices(reporter, value, key, &REACHES)),
            "special" => Condition::Special(values::choices(reporter, value, key, &SPECIAL_USES)),
            "laws" => {
                let known: Vec<_> = catalogue.laws().map(|law| law.id.as_ref()).collect();
                self.catalogue_words(value, key, &known, Condition::Laws)
            }
            "operator" => {
                let known: Vec<_> = catalogue
                    .operators()
                    .map(|known| known.id.as_ref())
                    .collect();
                self.catalogue_words(value, key, &known, Condition::Operator)
            }
            "service" => {
                let known: Vec<_> = catalogue
                    .services()
                    .map(|known| known.id.as_ref())
                    .collect();
                self.catalogue_words(value, key, &known, Condition::Service)
            }
            "category" => {
                let known = distinct(catalogue.services().map(|known| known.category.name()));
                self.catalogue_words(value, key, &known, Condition::Category)
            }
            "qualification" => {
                let held = catalogue.services().flat_map(|known| &known.qualifications);
                let known = distinct(held.map(|held| held.scheme.as_ref()));
                self.catalogue_words(value, key, &known, Condition::Qualification)
            }
            "sovereign" => Condition::Sovereign(values::boolean(reporter, value, key)?),
            "asn" => Condition::Asn(self.asns(value, key)),
            "prefix" => Condition::Prefix(self.prefixes(value, key)),
            "name" => Condition::Name(self.names(value, key)),
            "tracking_link" => {
                Condition::TrackingLink(values::choices(reporter, value, key, &TRACKING_LINKS))
            }
            "naming" => Condition::Naming(values::choices(reporter, value, key, &NAMINGS)),
            "speaks" => {
                Condition::Speaks(self.words(value, key, &SPEECH, "a word of the language"))
            }
            "ech" => Condition::Ech(values::choices(reporter, value, key, &ECHS)),
            "protocol" => Condition::Protocol(self.protocols(value, key)),
            "ports" => Condition::Ports(self.ports(value, key)),
            _ => return None,
        })
    }

    /// `anycast` and `unknown` have no country: a rule that asks for both would never match there.
    fn check_places(&mut self, table: &DeTable<'_>, conditions: &[Condition]) {
        let (Some(_), Some(confidence)) = (table.get("hosting"), table.get("confidence")) else {
            return;
        };
        let placeless = conditions.iter().find_map(|condition| match condition {
            Condition::Confidence(wanted) => wanted.iter().find(|confidence| {
                matches!(
                    confidence,
                    HostingConfidence::Anycast | HostingConfidence::Unknown
                )
            }),
            _ => None,
        });
        if let Some(placeless) = placeless {
            self.reporter.error(
                confidence.span().start,
                format!(
                    "confidence \"{}\" has no country, so it never meets the condition on hosting",
                    placeless.name()
                ),
                "write a rule of its own for it, without hosting",
            );
        }
    }

    fn check_ports(&mut self, table: &DeTable<'_>, conditions: &[Condition]) {
        let (Some(ports), Some(_)) = (table.get("ports"), table.get("protocol")) else {
            return;
        };
        let portless = conditions.iter().find_map(|condition| match condition {
            Condition::Protocol(protocols) => protocols
                .iter()
                .copied()
                .find(|&number| !protocol::has_ports(number)),
            _ => None,
        });
        if let Some(portless) = portless {
            self.reporter.error(
                ports.span().start,
                format!(
                    "protocol {} has no ports",
                    protocol::protocol_name(portless)
                ),
                "write a rule of its own for it, without ports",
            );
        }
    }
}

fn distinct<'a>(words: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut words: Vec<_> = words.collect();
    words.sort_unstable();
    words.dedup();
    words
}
