//! Claims on where an address stands.

use super::{CATALOGUE, Compiler, IANA, around, listed, text};
use crate::atlas::dossier::Axis;
use crate::atlas::facts::own_word;
use crate::atlas::join::HostingBy;
use crate::atlas::layers::{ANYCAST, ListedPrefix};
use crate::atlas::note;
use crate::atlas::prefix::Nested;
use crate::atlas::range::Address;
use crate::atlas::regions::RegionSays;
use crate::atlas::special;
use crate::catalogue::Text;
use crate::profile::{CountryCode, HostingConfidence};

impl<A: Address> Compiler<'_, A> {
    pub(super) fn claim_special(&mut self) {
        let Some((_, row)) = self.registry.around(self.address).next() else {
            return;
        };
        let Some(special) = row.item.special else {
            return;
        };
        let embedded = special::embedded_v4(self.address.to_ip());
        let note = embedded.map_or_else(note::no_place, note::stands_for);
        let reference = format!(
            "{} {} ({})",
            text(row.network()),
            row.item.name,
            row.item.reference
        );
        let said = (IANA, special::AS_OF);
        self.claim(Axis::Hosting, special.name(), said, reference, (true, note));
    }

    pub(super) fn claim_lists(&mut self) {
        let rules = &self.rules;
        let (layers, facts) = (rules.layers, rules.facts);
        let family = rules.family;
        let spoke = match self.decision.hosting_by {
            HostingBy::OwnList(index) => Some(index as usize),
            _ => None,
        };
        let narrowest = listed(&self.evidence).and_then(|index| u32::try_from(index).ok());
        for (index, entry) in family.listed.chain(narrowest) {
            let Some(source) = self.source(entry.item.source) else {
                continue;
            };
            let word = own_word(layers, &facts.regions, entry.item).map(|(says, _)| says);
            let value = match word {
                Some(RegionSays::Country(country)) => country.to_string(),
                Some(RegionSays::Anycast) => HostingConfidence::Anycast.name().to_owned(),
                None => HostingConfidence::Unknown.name().to_owned(),
            };
            let won = spoke == Some(index);
            let own_place = entry.item.place != 0;
            let note = if !self.is_place() {
                note::no_place()
            } else if word.is_none() {
                note::region_unknown()
            } else if won && own_place {
                note::publisher_speaks()
            } else if won {
                note::own_list_speaks()
            } else if spoke.is_some() {
                note::narrower_in_list()
            } else {
                self.beaten_by_override()
            };
            let reference = self.list_reference(entry);
            let said = (source.id.as_str(), source.date);
            self.claim(Axis::Hosting, value, said, reference, (won, note));
        }
    }

    /// Why a word that decides nothing lost, when an override may have beaten it.
    fn beaten_by_override(&self) -> Text {
        match self.decision.hosting_by {
            HostingBy::Override(_) => note::override_beats(),
            _ => note::no_country(),
        }
    }

    fn list_reference(&self, entry: &Nested<A, ListedPrefix>) -> String {
        const NAMED_SERVICES: usize = 4;
        let texts = &self.rules.layers.texts;
        let mut services: Vec<&str> = texts.services(entry.item).collect();
        let more = services.len().saturating_sub(NAMED_SERVICES);
        services.truncate(NAMED_SERVICES);
        let mut out = format!("{} {}", text(entry.network()), texts.provider(entry.item));
        if let Some(region) = texts.region(entry.item) {
            out.push(' ');
            out.push_str(region);
        }
        if !services.is_empty() {
            out.push_str(" (");
            out.push_str(&services.join(", "));
            if more > 0 {
                out.push_str(" and ");
                out.push_str(&more.to_string());
                out.push_str(" more");
            }
            out.push(')');
        }
        out
    }

    pub(super) fn claim_anycast(&mut self) {
        let names = &self.rules.facts.names;
        let key = self.decision.key;
        let by_service = names
            .service_at(key.service)
            .filter(|service| service.anycast)
            .map(|service| (format!("service {}", service.id), service.as_of));
        let by_operator = key
            .control
            .operators()
            .into_iter()
            .filter_map(|position| names.operator_at(position))
            .find(|operator| operator.anycast)
            .map(|operator| (format!("operator {}", operator.id), operator.as_of));
        let Some((reference, as_of)) = by_service.or(by_operator) else {
            return;
        };
        let won = self.decision.hosting_by == HostingBy::Catalogue;
        let note = match self.decision.hosting_by {
            HostingBy::Catalogue => note::anycast(),
            HostingBy::Override(_) => note::override_beats(),
            _ => note::own_list_more_trusted(),
        };
        let value = HostingConfidence::Anycast.name();
        let said = (CATALOGUE, as_of);
        self.claim(Axis::Hosting, value, said, reference, (won, note));
    }

    pub(super) fn claim_locations(&mut self) {
        let rules = &self.rules;
        let (layers, family, facts) = (rules.layers, rules.family, rules.facts);
        let winner = self.decision.key.hosting.country;
        for (index, layer) in family.locations.iter().enumerate() {
            let Some(source) = self.source(layer.source) else {
                continue;
            };
            let value = self.locations[index];
            let said = (source.id.as_str(), source.date);
            let reference = around(&layer.said, self.address);
            let won = self.decision.hosting_by == HostingBy::Location(index);
            if value == ANYCAST {
                let note = if won {
                    note::anycast_flag()
                } else {
                    self.why_location_lost(None, winner)
                };
                let value = HostingConfidence::Anycast.name();
                self.claim(Axis::Hosting, value, said, reference, (won, note));
                continue;
            }
            let Some(country) = layers.country(value) else {
                continue;
            };
            let note = if won {
                note::most_trusted_location()
            } else if self.is_place() && facts.country(value).is_none() {
                note::no_country()
            } else {
                self.why_location_lost(Some(country), winner)
            };
            self.claim(
                Axis::Hosting,
                country.as_str(),
                said,
                reference,
                (won, note),
            );
        }
    }

    fn why_location_lost(&self, said: Option<CountryCode>, winner: Option<CountryCode>) -> Text {
        if !self.is_place() {
            return note::no_place();
        }
        let names = &self.rules.facts.names;
        let against = said.zip(winner).filter(|(said, winner)| said != winner);
        let crosses = against.is_some_and(|(said, winner)| names.side(said) != names.side(winner));
        let contested = self.decision.key.hosting.confidence == HostingConfidence::Contested;
        match (self.decision.hosting_by, winner) {
            (HostingBy::Nobody, _) => note::not_announced(),
            (HostingBy::Override(_), _) => note::override_beats(),
            (_, None) => note::anycast(),
            (_, Some(winner)) if contested && crosses => note::contests(winner.as_str()),
            (HostingBy::OwnList(_), _) => note::own_list_more_trusted(),
            (_, Some(winner)) if said == Some(winner) => note::agrees(),
            (_, Some(winner)) if against.is_some() => note::differs_within(winner.as_str()),
            _ => note::location_more_trusted(),
        }
    }

    pub(super) fn claim_registrations(&mut self) {
        let (layers, family) = (self.rules.layers, self.rules.family);
        for layer in &family.registrations {
            let value = layer.said.get(self.address);
            let (Some(source), Some(country)) = (self.source(layer.source), layers.country(value))
            else {
                continue;
            };
            let said = (source.id.as_str(), source.date);
            let reference = around(&layer.said, self.address);
            let value = format!("registered {country}");
            let claim = (false, note::registered());
            self.claim(Axis::Hosting, value, said, reference, claim);
        }
    }
}
