//! Collecting the claims of a dossier: the join once more at one address, this time said aloud.

mod control;
mod hosting;

use std::net::IpAddr;

use ipnet::IpNet;
use jiff::civil::Date;

use super::confidence;
use super::dossier::{Axis, Claim, Confidences, Dossier};
use super::facts::{Facts, FamilyFacts};
use super::join::{Decision, Evidence, Rules, entry};
use super::layers::{Family, Layers, PlaceValue, SourceInfo};
use super::prefix::PrefixSet;
use super::range::{Address, network_within};
use super::special::SpecialRow;
use super::{Atlas, AtlasError, Table, note};
use crate::catalogue::Text;
use crate::profile::Profile;

const CATALOGUE: &str = "catalogue";
const IANA: &str = "iana";
/// The atlas itself, when its evidence cannot be read.
const ATLAS: &str = "atlas";

pub(super) fn compile(atlas: &Atlas, address: IpAddr) -> Dossier {
    let evidence = atlas.evidence.read(&atlas.catalogue);
    match (address, evidence) {
        (IpAddr::V4(address), Ok((layers, facts))) => {
            let address = u32::from(address);
            let found = found(atlas, &atlas.v4, address);
            let family = (&layers.v4, &facts.v4, &atlas.registry_v4);
            Compiler::new(atlas, layers, facts, family, address).compile(found)
        }
        (IpAddr::V6(address), Ok((layers, facts))) => {
            let address = u128::from(address);
            let found = found(atlas, &atlas.v6, address);
            let family = (&layers.v6, &facts.v6, &atlas.registry_v6);
            Compiler::new(atlas, layers, facts, family, address).compile(found)
        }
        (IpAddr::V4(address), Err(error)) => {
            without_evidence(found(atlas, &atlas.v4, address.into()), &error, atlas)
        }
        (IpAddr::V6(address), Err(error)) => {
            without_evidence(found(atlas, &atlas.v6, address.into()), &error, atlas)
        }
    }
}

/// What the tables say: class, profile, prefix; no claims yet.
fn found<A: Address>(atlas: &Atlas, table: &Table<A>, address: A) -> Dossier {
    let class = table.classes.get(address);
    let piece = table.classes.find(address);
    let whole = IpNet::from(address.to_ip());
    Dossier {
        address: address.to_ip(),
        prefix: network_within(address, piece.first, piece.last).unwrap_or(whole),
        class,
        profile: Profile::clone(atlas.profile(class)),
        asn: None,
        confidence: Confidences::none(&note::no_evidence()),
        claims: Vec::new(),
        atlas_version: atlas.meta().version.clone(),
    }
}

/// The tables answer though nobody can say why: the dossier says that.
fn without_evidence(mut dossier: Dossier, error: &AtlasError, atlas: &Atlas) -> Dossier {
    dossier.claims.push(Claim {
        axis: Axis::Hosting,
        value: String::new(),
        source: ATLAS.to_owned(),
        date: atlas.meta().built,
        reference: error.to_string(),
        won: false,
        note: Some(note::no_evidence()),
    });
    dossier
}

/// Layers, facts and registry of one family.
type OfFamily<'a, A> = (
    &'a Family<A>,
    &'a FamilyFacts<A>,
    &'a PrefixSet<A, SpecialRow>,
);

struct Compiler<'a, A> {
    atlas: &'a Atlas,
    rules: Rules<'a, A>,
    registry: &'a PrefixSet<A, SpecialRow>,
    address: A,
    evidence: Evidence,
    locations: Vec<PlaceValue>,
    decision: Decision,
    claims: Vec<Claim>,
}

impl<'a, A: Address> Compiler<'a, A> {
    fn new(
        atlas: &'a Atlas,
        layers: &'a Layers,
        facts: &'a Facts,
        (family, family_facts, registry): OfFamily<'a, A>,
        address: A,
    ) -> Self {
        let rules = Rules {
            layers,
            facts,
            family,
            family_facts,
        };
        let special = registry.around(address).next();
        let service = family_facts.services.around(address).next();
        let operator = family_facts.operators.around(address).next();
        let evidence = Evidence {
            special: special.and_then(|(_, row)| row.item.special),
            overridden: family_facts.overrides.narrowest().get(address),
            service: service.map_or(0, |(_, service)| service.item.service),
            operator: operator.map_or(0, |(_, operator)| operator.item),
            listed: family.listed.narrowest().get(address),
            system: family.system(address).0,
            system_country: family.system_country(address).0,
        };
        let locations: Vec<PlaceValue> = family
            .locations
            .iter()
            .map(|layer| layer.said.get(address))
            .collect();
        Self {
            atlas,
            registry,
            address,
            decision: rules.decide(&evidence, &locations),
            evidence,
            locations,
            rules,
            claims: Vec::new(),
        }
    }

    fn compile(mut self, mut dossier: Dossier) -> Dossier {
        let layers = self.rules.layers;
        dossier.asn = layers.system(self.evidence.system);
        self.claim_special();
        self.claim_overrides();
        self.claim_lists();
        self.claim_anycast();
        self.claim_locations();
        self.claim_registrations();
        self.claim_services();
        self.claim_operators(dossier.asn.as_ref());
        self.claim_systems(dossier.asn.as_ref());
        self.claim_system_countries(dossier.asn.as_ref());
        dossier.confidence = confidence::assess(
            &confidence::Grounds {
                rules: &self.rules,
                evidence: &self.evidence,
                locations: &self.locations,
                decision: &self.decision,
                address: self.address,
            },
            &dossier.profile,
            &self.atlas.catalogue,
        );
        dossier.claims = self.claims;
        dossier
    }

    /// Is the address a place at all?
    fn is_place(&self) -> bool {
        self.evidence.special.is_none()
    }

    fn source(&self, index: u16) -> Option<&'a SourceInfo> {
        self.rules.layers.meta.sources.get(usize::from(index))
    }

    fn claim(
        &mut self,
        axis: Axis,
        value: impl Into<String>,
        (source, date): (&str, Date),
        reference: impl Into<String>,
        (won, note): (bool, Text),
    ) {
        self.claims.push(Claim {
            axis,
            value: value.into(),
            source: source.to_owned(),
            date,
            reference: reference.into(),
            won,
            note: Some(note),
        });
    }

    fn claim_overrides(&mut self) {
        let layers = self.rules.layers;
        let day = self.atlas.catalogue.day();
        let address = self.address.to_ip();
        let holding = (0_u32..)
            .zip(&layers.overrides)
            .filter(|(_, over)| over.network.contains(&address));
        let decided = self.rules.override_at(&self.evidence);
        for (index, over) in holding {
            let Some(source) = self.source(over.source) else {
                continue;
            };
            let axes = [
                (Axis::Hosting, &over.place, decided.place.map(|by| by.1)),
                (
                    Axis::Control,
                    &over.operator,
                    decided.operator.map(|by| by.1),
                ),
                (Axis::Service, &over.service, decided.service.map(|by| by.1)),
            ];
            for (axis, value, by) in axes {
                let Some(value) = value else { continue };
                let won = self.is_place() && by == Some(index);
                let note = if !self.is_place() {
                    note::no_place()
                } else if !over.in_force(day) {
                    note::not_in_force(day, over.from, over.until)
                } else if won {
                    note::overridden(&over.owner, &over.reason)
                } else {
                    note::narrower_override()
                };
                let reference = format!("{} ({})", over.network, over.owner);
                let said = (source.id.as_str(), source.date);
                self.claim(axis, value.as_str(), said, reference, (won, note));
            }
        }
    }

    fn claim_services(&mut self) {
        let facts = self.rules.facts;
        let mut by_prefix = self.decision.service_by.is_none() && self.is_place();
        for (_, entry) in self.rules.family_facts.services.around(self.address) {
            let Some(fact) = facts.names.service_at(entry.item.service) else {
                continue;
            };
            let said = match entry.item.source.and_then(|source| self.source(source)) {
                Some(source) => (source.id.as_str(), source.date),
                None => (CATALOGUE, fact.as_of),
            };
            let note = if !self.is_place() {
                note::no_place()
            } else if self.decision.service_by.is_some() {
                note::override_beats()
            } else if by_prefix {
                note::own_prefix()
            } else {
                note::narrower_service()
            };
            let reference = text(entry.network());
            let claim = (by_prefix, note);
            self.claim(Axis::Service, &*fact.id, said, reference, claim);
            // The narrowest one alone is followed.
            by_prefix = false;
        }
        let Some(fact) = facts.names.service_at(self.decision.key.service) else {
            return;
        };
        let Some(service) = self.atlas.catalogue.service(&fact.id) else {
            return;
        };
        for qualification in &service.qualifications {
            let note = note::validity(qualification.from, qualification.until);
            let claim = (true, note.unwrap_or_else(note::no_end_known));
            let scheme = &*qualification.scheme;
            let reference = format!("service {}", fact.id);
            let said = (CATALOGUE, fact.as_of);
            self.claim(Axis::Qualification, scheme, said, reference, claim);
        }
    }
}

fn text(network: Option<IpNet>) -> String {
    network
        .map(|network| network.to_string())
        .unwrap_or_default()
}

/// The network around an address in which a layer says one thing.
fn around<A: Address, V: Copy + Eq + Default>(
    said: &super::range::Partition<A, V>,
    address: A,
) -> String {
    let piece = said.find(address);
    text(network_within(address, piece.first, piece.last))
}

/// Index of the narrowest listed prefix.
fn listed(evidence: &Evidence) -> Option<usize> {
    entry(evidence.listed)
}
