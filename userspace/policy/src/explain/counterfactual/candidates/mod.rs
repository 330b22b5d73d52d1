//! Which other values of a fact are tried: one of each kind that the rules can tell apart.

mod client;

use std::sync::Arc;

use octroi_abi::opaque::Opaque;
use octroi_geo_db::catalogue::{Catalogue, Text};
use octroi_geo_db::profile::{
    Control, ControlBasis, CountryCode, Hosting, HostingConfidence, Reach,
};

use super::{Change, Value, controlled_by, located};
use crate::condition::Condition;
use crate::model::Policy;
use crate::protocol::{has_ports, protocol_name};
use crate::subject::{Facts, Subject};

/// Most values of one fact.
const VALUES: usize = 32;

/// One country of each legal regime: metropolitan France, another member of the Union, an outermost
/// region, an overseas territory, the EEA, adequate, partly adequate, third.
const COUNTRIES: [&str; 9] = ["FR", "DE", "RE", "NC", "IS", "CH", "CA", "US", "CN"];

/// The values of each fact that differ for the policy, in the order of the facts; facts without
/// another value are left out.
pub(super) fn of(policy: &Policy, subject: &Subject<'_>) -> Vec<Vec<Change>> {
    let tried = Tried {
        policy,
        subject,
        strict: subject_stops(policy, subject),
    };
    let facts = [
        tried.opacity(),
        tried.name(),
        tried.distinct(tried.naming(), is_naming),
        tried.distinct(tried.speaks(), is_speaks),
        tried.distinct(tried.ech(), is_ech),
        tried.service(),
        tried.qualification(),
        tried.distinct(tried.hosting(), is_hosting),
        tried.distinct(tried.control(), is_control),
        tried.zone(),
        tried.distinct(tried.packet(), is_packet),
    ];
    facts
        .into_iter()
        .filter(|values| !values.is_empty())
        .collect()
}

fn subject_stops(policy: &Policy, subject: &Subject<'_>) -> bool {
    policy.evaluate(subject).verdict != octroi_abi::verdict::Verdict::Allow
}

const fn is_hosting(condition: &Condition) -> bool {
    matches!(
        condition,
        Condition::Hosting(_) | Condition::Confidence(_) | Condition::Special(_)
    )
}

const fn is_control(condition: &Condition) -> bool {
    matches!(
        condition,
        Condition::Control(_)
            | Condition::ControlBasis(_)
            | Condition::Reach(_)
            | Condition::Laws(_)
            | Condition::Operator(_)
    )
}

const fn is_packet(condition: &Condition) -> bool {
    matches!(condition, Condition::Protocol(_) | Condition::Ports(_))
}

const fn is_naming(condition: &Condition) -> bool {
    matches!(condition, Condition::Naming(_))
}

const fn is_speaks(condition: &Condition) -> bool {
    matches!(condition, Condition::Speaks(_))
}

const fn is_ech(condition: &Condition) -> bool {
    matches!(condition, Condition::Ech(_))
}

struct Tried<'a> {
    policy: &'a Policy,
    subject: &'a Subject<'a>,
    /// What loosens comes first; else what tightens.
    strict: bool,
}

impl Tried<'_> {
    /// Keeps the first value of each kind: what the conditions on this fact answer to it.
    fn distinct(&self, values: Vec<Change>, concerns: fn(&Condition) -> bool) -> Vec<Change> {
        let conditions: Vec<&Condition> = self
            .policy
            .rules
            .iter()
            .flat_map(|rule| &rule.conditions)
            .filter(|condition| concerns(condition))
            .collect();
        let answers = |subject: &Subject<'_>| -> Vec<bool> {
            let facts = Facts::new(self.policy, subject);
            conditions
                .iter()
                .map(|condition| condition.holds(&facts))
                .collect()
        };
        let subject = self.subject;
        let mut seen = vec![answers(subject)];
        values
            .into_iter()
            .filter(|change| {
                let mut profile = subject.profile.clone();
                let mut changed = *subject;
                match &change.value {
                    Value::Hosting(hosting) => {
                        profile.hosting = *hosting;
                        profile.special = None;
                        changed.destination = self.policy.looked_up(subject.destination);
                    }
                    Value::Control(control) => profile.control = control.clone(),
                    Value::Packet(protocol, port) => {
                        (changed.protocol, changed.port) = (*protocol, *port);
                    }
                    Value::Naming(naming) => changed.naming = *naming,
                    Value::Speaks(speaks) => changed.speaks = speaks.as_deref(),
                    Value::Ech(ech) => changed.ech = *ech,
                    _ => {}
                }
                let answer = answers(&Subject {
                    profile: &profile,
                    ..changed
                });
                let new = !seen.contains(&answer);
                if new {
                    seen.push(answer);
                }
                new
            })
            .take(VALUES)
            .collect()
    }

    fn opacity(&self) -> Vec<Change> {
        let kind = self.subject.opaque;
        if kind == Opaque::None {
            return Vec::new();
        }
        let words = Text::new(
            format!("the traffic were not opaque ({})", kind.name()),
            format!("le trafic n'était pas opaque ({})", kind.name()),
        );
        vec![Change {
            value: Value::NotOpaque,
            words,
        }]
    }

    /// Without the name, the address alone speaks.
    fn name(&self) -> Vec<Change> {
        let name = self.subject.name.into_iter();
        name.map(|name| Change {
            value: Value::Nameless,
            words: Text::new(
                format!("it did not go by the name {name}"),
                format!("la destination n'était pas demandée sous le nom {name}"),
            ),
        })
        .collect()
    }

    fn service(&self) -> Vec<Change> {
        let facts = Facts::new(self.policy, self.subject);
        let service = facts.service().into_iter();
        service
            .map(|service| Change {
                value: Value::NoService,
                words: Text::new(
                    format!("it were not the service {}", service.name),
                    format!("ce n'était pas le service {}", service.name),
                ),
            })
            .collect()
    }

    /// Qualifications that rules of the policy ask for, when the verdict is too strict.
    fn qualification(&self) -> Vec<Change> {
        let facts = Facts::new(self.policy, self.subject);
        let mut schemes: Vec<Arc<str>> = Vec::new();
        for condition in self.policy.rules.iter().flat_map(|rule| &rule.conditions) {
            let Condition::Qualification(words) = condition else {
                continue;
            };
            for scheme in words.wanted.iter().chain(&words.unwanted) {
                let held = facts.qualifications().any(|held| held == scheme.as_ref());
                if !held && !schemes.contains(scheme) && schemes.len() < VALUES {
                    schemes.push(Arc::clone(scheme));
                }
            }
        }
        schemes
            .into_iter()
            .map(|scheme| Change {
                words: Text::new(
                    format!("the service were qualified ({scheme})"),
                    format!("le service était qualifié ({scheme})"),
                ),
                value: Value::Qualified(scheme),
            })
            .collect()
    }

    /// Countries: one of each regime, and those that the policy names; the nearest first when the
    /// verdict is too strict.
    fn countries(&self, named: impl Fn(&Condition) -> Vec<CountryCode>) -> Vec<CountryCode> {
        let mut countries: Vec<CountryCode> = COUNTRIES
            .iter()
            .filter_map(|code| code.parse().ok())
            .collect();
        if !self.strict {
            countries.reverse();
            // The United States before China: the commoner case.
            countries.swap(0, 1);
        }
        for condition in self.policy.rules.iter().flat_map(|rule| &rule.conditions) {
            for country in named(condition) {
                if !countries.contains(&country) {
                    countries.push(country);
                }
            }
        }
        countries
    }

    fn hosting(&self) -> Vec<Change> {
        let now = self.subject.profile.hosting;
        let catalogue = self.subject.catalogue;
        let countries = self.countries(|condition| match condition {
            Condition::Hosting(places) => [&places.countries[..], &places.not_countries].concat(),
            _ => Vec::new(),
        });
        let mut values = Vec::new();
        if let (Some(country), HostingConfidence::Contested) = (now.country, now.confidence) {
            let country_name = country_text(catalogue, country);
            values.push(Change {
                value: Value::Hosting(located(country)),
                words: Text::new(
                    format!("all sources agreed on {}", country_name.en),
                    format!("toutes les sources s'accordaient sur {}", country_name.fr),
                ),
            });
        }
        for &country in &countries {
            let name = country_text(catalogue, country);
            values.push(Change {
                value: Value::Hosting(located(country)),
                words: Text::new(
                    format!("the hosting country were {}", name.en),
                    format!("le pays d'hébergement était {}", name.fr),
                ),
            });
        }
        for &country in &countries {
            let name = country_text(catalogue, country);
            values.push(Change {
                value: Value::Hosting(Hosting {
                    country: Some(country),
                    confidence: HostingConfidence::Contested,
                }),
                words: Text::new(
                    format!("the hosting country were {}, though contested", name.en),
                    format!("le pays d'hébergement était {}, même contesté", name.fr),
                ),
            });
        }
        for (confidence, words) in [
            (
                HostingConfidence::Anycast,
                Text::new("it were anycast", "l'adresse était anycast"),
            ),
            (
                HostingConfidence::Unknown,
                Text::new(
                    "nothing were known of its place",
                    "le lieu d'hébergement était inconnu",
                ),
            ),
        ] {
            values.push(Change {
                value: Value::Hosting(Hosting {
                    country: None,
                    confidence,
                }),
                words,
            });
        }
        values
    }

    fn control(&self) -> Vec<Change> {
        let catalogue = self.subject.catalogue;
        let countries = self.countries(|condition| match condition {
            Condition::Control(places) => [&places.countries[..], &places.not_countries].concat(),
            _ => Vec::new(),
        });
        let now = &self.subject.profile.control;
        let mut values = Vec::new();
        if now.basis == ControlBasis::AsCountry {
            values.push(Change {
                value: Value::Control(Control {
                    basis: ControlBasis::Operator,
                    ..now.clone()
                }),
                words: Text::new(
                    "the catalogue knew its operator, of the same country",
                    "le catalogue connaissait son opérateur, du même pays",
                ),
            });
        }
        for country in countries {
            let name = country_text(catalogue, country);
            let free = Change {
                value: Value::Control(controlled_by(country, Reach::NoneKnown, catalogue)),
                words: Text::new(
                    format!(
                        "it were run from {} by an operator that no foreign law reaches",
                        name.en
                    ),
                    format!(
                        "son opérateur avait pour pays {}, hors d'atteinte de tout droit étranger connu",
                        name.fr
                    ),
                ),
            };
            let arm = Change {
                value: Value::Control(controlled_by(country, Reach::Presence, catalogue)),
                words: Text::new(
                    format!(
                        "it were run from {} by a group with an arm under foreign law",
                        name.en
                    ),
                    format!(
                        "son opérateur avait pour pays {}, avec une branche relevant d'un droit étranger",
                        name.fr
                    ),
                ),
            };
            if catalogue.extraterritorial_laws_of(country).is_empty() {
                values.extend([free, arm]);
            } else {
                values.push(Change {
                    value: Value::Control(controlled_by(country, Reach::Controlled, catalogue)),
                    words: Text::new(
                        format!("it were run from {}, whose law reaches abroad", name.en),
                        format!(
                            "son opérateur avait pour pays {}, dont le droit porte à l'étranger",
                            name.fr
                        ),
                    ),
                });
            }
        }
        values.extend(self.operators());
        values
    }

    /// Operators that rules of the policy name.
    fn operators(&self) -> Vec<Change> {
        let catalogue = self.subject.catalogue;
        let conditions = self.policy.rules.iter().flat_map(|rule| &rule.conditions);
        let named = conditions.filter_map(|condition| match condition {
            Condition::Operator(words) => Some(words.wanted.iter().chain(&words.unwanted)),
            _ => None,
        });
        named
            .flatten()
            .filter_map(|id| catalogue.operator(id))
            .take(VALUES)
            .map(|operator| Change {
                value: Value::Control(catalogue.control_of_operator(operator)),
                words: Text::new(
                    format!("{} ran it", operator.name),
                    format!("l'opérateur était {}", operator.name),
                ),
            })
            .collect()
    }

    fn zone(&self) -> Vec<Change> {
        let zones = u8::try_from(self.policy.zones.len()).unwrap_or(u8::MAX);
        (1..=zones)
            .filter(|&zone| zone != self.subject.zone)
            .take(VALUES)
            .map(|zone| {
                let name = self.policy.zone_name(zone);
                Change {
                    value: Value::Zone(zone),
                    words: Text::new(
                        format!("it came from zone {name}"),
                        format!("le trafic venait de la zone {name}"),
                    ),
                }
            })
            .collect()
    }

    /// Ports and protocols that rules of the policy ask for, and a port that none may ask for.
    fn packet(&self) -> Vec<Change> {
        let mut packets: Vec<(u8, u16)> = Vec::new();
        let own = self.subject.protocol;
        for condition in self.policy.rules.iter().flat_map(|rule| &rule.conditions) {
            match condition {
                Condition::Ports(ranges) if has_ports(own) => {
                    packets.extend(ranges.iter().map(|&(low, _)| (own, low)));
                }
                Condition::Protocol(protocols) => packets.extend(protocols.iter().map(|&number| {
                    (
                        number,
                        if has_ports(number) {
                            self.subject.port
                        } else {
                            0
                        },
                    )
                })),
                _ => {}
            }
        }
        if has_ports(own) {
            packets.extend([443, 53, 9].map(|port| (own, port)));
        }
        packets
            .into_iter()
            .filter(|&packet| packet != (own, self.subject.port))
            .map(|(protocol, port)| Change {
                value: Value::Packet(protocol, port),
                words: packet_text(protocol, port),
            })
            .collect()
    }
}

fn packet_text(protocol: u8, port: u16) -> Text {
    let name = protocol_name(protocol);
    if has_ports(protocol) {
        Text::new(
            format!("it went to {name} port {port}"),
            format!("il allait au port {port} en {name}"),
        )
    } else {
        Text::new(
            format!("it were {name} traffic"),
            format!("le protocole était {name}"),
        )
    }
}

/// A country by its name and code.
fn country_text(catalogue: &Catalogue, country: CountryCode) -> Text {
    catalogue.country(country).map_or_else(
        || Text::verbatim(country.as_str()),
        |known| {
            Text::new(
                format!("{} ({country})", known.name.en),
                format!("{} ({country})", known.name.fr),
            )
        },
    )
}
