//! Collecting the claims of a dossier: the join once more at one address, this time said aloud.

use std::net::IpAddr;

use ipnet::IpNet;
use jiff::civil::Date;

use super::dossier::{Axis, Claim, Dossier};
use super::facts::FamilyFacts;
use super::join::{ControlBy, Evidence, HostingBy, decide};
use super::layers::{AsInfo, CloudPrefix, Family, SourceInfo, SourceRole};
use super::prefix::{Nested, PrefixSet};
use super::range::{Address, network_within};
use super::regions::RegionSays;
use super::special::{self, SpecialRow};
use super::{Atlas, Table, note};
use crate::profile::{HostingConfidence, Profile};

const CATALOGUE: &str = "catalogue";
const IANA: &str = "iana";

pub(super) fn compile(atlas: &Atlas, address: IpAddr) -> Dossier {
    match address {
        IpAddr::V4(address) => Compiler {
            atlas,
            family: &atlas.layers.v4,
            facts: &atlas.facts.v4,
            registry: &atlas.registry_v4,
            address: u32::from(address),
            claims: Vec::new(),
        }
        .compile(&atlas.v4),
        IpAddr::V6(address) => Compiler {
            atlas,
            family: &atlas.layers.v6,
            facts: &atlas.facts.v6,
            registry: &atlas.registry_v6,
            address: u128::from(address),
            claims: Vec::new(),
        }
        .compile(&atlas.v6),
    }
}

struct Compiler<'a, A> {
    atlas: &'a Atlas,
    family: &'a Family<A>,
    facts: &'a FamilyFacts<A>,
    registry: &'a PrefixSet<A, SpecialRow>,
    address: A,
    claims: Vec<Claim>,
}

impl<A: Address> Compiler<'_, A> {
    fn compile(mut self, table: &Table<A>) -> Dossier {
        let address = self.address;
        let class = table.class_of(address);
        let special = self.registry.around(address).next().map(|(_, row)| row);
        let service = self.facts.services.around(address).next();
        let evidence = Evidence {
            special: special.and_then(|row| row.item.special),
            service: service.map_or(0, |(_, service)| service.item + 1),
            cloud: self.family.clouds.narrowest().get(address),
            system: self.family.systems.get(address),
            system_country: self.family.system_countries.get(address),
        };
        let locations: Vec<u16> = self
            .family
            .locations
            .iter()
            .map(|layer| layer.get(address))
            .collect();
        let (key, hosting_by) = decide(
            &self.atlas.layers,
            &self.atlas.facts,
            self.family,
            self.facts,
            &evidence,
            &locations,
        );
        if let Some(row) = special {
            self.claim_special(row);
        }
        let is_place = evidence.special.is_none();
        self.claim_clouds(&evidence, hosting_by);
        self.claim_anycast(&evidence, key.control, hosting_by);
        self.claim_locations(&locations, hosting_by, is_place);
        self.claim_service(&evidence, is_place);
        let asn = self.atlas.layers.system(evidence.system);
        self.claim_control(&evidence, key.control, asn.as_ref(), is_place);

        let piece = table.classes.find(address);
        let whole = IpNet::from(address.to_ip());
        Dossier {
            address: address.to_ip(),
            prefix: network_within(address, piece.first, piece.last).unwrap_or(whole),
            class,
            profile: Profile::clone(self.atlas.profile(class)),
            asn,
            claims: self.claims,
            atlas_version: self.atlas.meta().version.clone(),
        }
    }

    fn claim(
        &mut self,
        axis: Axis,
        value: impl Into<String>,
        source: &str,
        date: Date,
    ) -> &mut Claim {
        let index = self.claims.len();
        self.claims.push(Claim {
            axis,
            value: value.into(),
            source: source.to_owned(),
            date,
            reference: String::new(),
            won: false,
            note: None,
        });
        &mut self.claims[index]
    }

    fn source(&self, role: SourceRole, index: usize) -> Option<SourceInfo> {
        self.atlas.meta().of_role(role).nth(index).cloned()
    }

    fn claim_special(&mut self, row: &Nested<A, SpecialRow>) {
        let Some(special) = row.item.special else {
            return;
        };
        let embedded = special::embedded_v4(self.address.to_ip());
        let claim = self.claim(Axis::Hosting, special.name(), IANA, special::AS_OF);
        claim.reference = format!(
            "{} {} ({})",
            text(row.network()),
            row.item.name,
            row.item.reference
        );
        claim.won = true;
        claim.note = embedded.map(note::stands_for);
    }

    fn claim_clouds(&mut self, evidence: &Evidence, hosting_by: HostingBy) {
        let Some(source) = self.source(SourceRole::CloudList, 0) else {
            return;
        };
        let family = self.family;
        let narrowest = evidence.cloud.checked_sub(1);
        let spoke = narrowest
            .and_then(|index| self.facts.clouds.get(index as usize).copied().flatten())
            .filter(|_| hosting_by == HostingBy::CloudList)
            .map(|says| says.entry);
        for (index, entry) in family.clouds.chain(narrowest) {
            let word = self.atlas.facts.own_word(&self.atlas.layers, entry.item);
            let (value, note) = match word {
                Some((RegionSays::Country(country), _)) => (country.to_string(), None),
                Some((RegionSays::Anycast, _)) => {
                    (HostingConfidence::Anycast.name().to_owned(), None)
                }
                None => (
                    HostingConfidence::Unknown.name().to_owned(),
                    Some(note::region_unknown()),
                ),
            };
            let reference = self.cloud_reference(entry);
            let claim = self.claim(Axis::Hosting, value, &source.id, source.date);
            claim.reference = reference;
            claim.won = spoke == Some(index);
            claim.note =
                note.or_else(|| (spoke.is_some() && !claim.won).then(note::narrower_in_list));
        }
    }

    fn cloud_reference(&self, entry: &Nested<A, CloudPrefix>) -> String {
        const NAMED_SERVICES: usize = 4;
        let texts = &self.atlas.layers.texts;
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

    fn claim_anycast(&mut self, evidence: &Evidence, control: ControlBy, hosting_by: HostingBy) {
        let facts = &self.atlas.facts;
        let service = evidence
            .service
            .checked_sub(1)
            .and_then(|index| facts.services.get(usize::from(index)));
        let operator = match (service, control) {
            (Some(service), _) => facts.operator(service.operator),
            (None, ControlBy::System(operator) | ControlBy::CloudList(operator)) => {
                facts.operator(operator)
            }
            (None, _) => None,
        };
        let by_service = service
            .filter(|service| service.anycast)
            .map(|service| (format!("service {}", service.id), service.as_of));
        let by_operator = operator
            .filter(|operator| operator.anycast)
            .map(|operator| (format!("operator {}", operator.id), operator.as_of));
        if let Some((reference, as_of)) = by_service.or(by_operator) {
            let claim = self.claim(
                Axis::Hosting,
                HostingConfidence::Anycast.name(),
                CATALOGUE,
                as_of,
            );
            claim.reference = reference;
            claim.won = hosting_by == HostingBy::Catalogue;
            claim.note = (!claim.won).then(note::own_list_more_trusted);
        }
    }

    fn claim_locations(&mut self, locations: &[u16], hosting_by: HostingBy, is_place: bool) {
        let contested = self.claims.len();
        for (index, value) in locations.iter().enumerate() {
            let Some(source) = self.source(SourceRole::Location, index) else {
                continue;
            };
            let Some(country) = self.atlas.layers.country(*value) else {
                continue;
            };
            let piece = self.family.locations[index].find(self.address);
            let around = network_within(self.address, piece.first, piece.last);
            let known = self.atlas.facts.country(*value).is_some();
            let claim = self.claim(Axis::Hosting, country.as_str(), &source.id, source.date);
            claim.reference = text(around);
            claim.won = hosting_by == HostingBy::Location(index);
            claim.note = match hosting_by {
                _ if !is_place => Some(note::no_place()),
                _ if !known => Some(note::no_country()),
                HostingBy::Location(winner) if winner == index => None,
                HostingBy::Location(_) => Some(note::location_more_trusted()),
                HostingBy::CloudList => Some(note::own_list_more_trusted()),
                HostingBy::Catalogue => Some(note::anycast()),
                HostingBy::Nobody => Some(note::not_announced()),
            };
        }
        // A location that disagrees with the one that won contests it.
        let winner = self.claims[contested..]
            .iter()
            .find(|claim| claim.won)
            .map(|claim| claim.value.clone());
        if let (HostingBy::Location(_), Some(winner)) = (hosting_by, winner) {
            for claim in &mut self.claims[contested..] {
                if !claim.won && claim.value != winner {
                    claim.note = Some(note::contests(&winner));
                }
            }
        }
    }

    fn claim_service(&mut self, evidence: &Evidence, is_place: bool) {
        let facts = self.facts;
        let narrowest = evidence.service.checked_sub(1);
        for (_, entry) in facts.services.around(self.address) {
            let Some(fact) = self.atlas.facts.services.get(usize::from(entry.item)) else {
                continue;
            };
            let won = is_place && narrowest == Some(entry.item);
            let claim = self.claim(Axis::Service, &*fact.id, CATALOGUE, fact.as_of);
            claim.reference = text(entry.network());
            claim.won = won;
            claim.note = (!won).then(note::narrower_service);
            if !won {
                continue;
            }
            let Some(service) = self.atlas.catalogue.service(&fact.id) else {
                continue;
            };
            for qualification in &service.qualifications {
                let claim = self.claim(
                    Axis::Qualification,
                    &*qualification.scheme,
                    CATALOGUE,
                    fact.as_of,
                );
                claim.reference = format!("service {}", fact.id);
                claim.won = true;
                claim.note = note::validity(qualification.from, qualification.until);
            }
            if let Some(operator) = self.atlas.facts.operator(fact.operator) {
                let reference = format!("service {}", fact.id);
                let claim = self.claim(Axis::Control, &*operator.id, CATALOGUE, operator.as_of);
                claim.reference = reference;
                claim.won = true;
            }
        }
    }

    fn claim_control(
        &mut self,
        evidence: &Evidence,
        control: ControlBy,
        asn: Option<&AsInfo>,
        is_place: bool,
    ) {
        let with_service = evidence.service != 0;
        let facts = &self.atlas.facts;
        let announced = self.source(SourceRole::Announcement, 0);
        let system = asn.map(|asn| {
            let piece = self.family.systems.find(self.address);
            let net = text(network_within(self.address, piece.first, piece.last));
            format!("AS{} {} {net}", asn.number, asn.name)
        });
        match control {
            ControlBy::System(position) | ControlBy::CloudList(position) => {
                if let Some(operator) = facts.operator(position) {
                    let reference = match control {
                        ControlBy::System(_) => system.clone().unwrap_or_default(),
                        _ => "listed by the provider itself".to_owned(),
                    };
                    let claim = self.claim(Axis::Control, &*operator.id, CATALOGUE, operator.as_of);
                    claim.reference = reference;
                    claim.won = is_place;
                    claim.note = with_service.then(note::united_with_service);
                }
            }
            ControlBy::Nobody | ControlBy::Country(_) => {}
        }
        if let (Some(source), Some(reference)) = (announced, &system) {
            let value = asn
                .map(|asn| format!("AS{}", asn.number))
                .unwrap_or_default();
            let claim = self.claim(Axis::Control, value, &source.id, source.date);
            claim.reference.clone_from(reference);
            claim.won = matches!(control, ControlBy::System(_));
            claim.note = (!claim.won).then(note::no_operator);
        }
        let registered = self
            .atlas
            .layers
            .country(evidence.system_country)
            .or_else(|| asn.and_then(|asn| asn.country));
        if let (Some(source), Some(country)) =
            (self.source(SourceRole::SystemCountry, 0), registered)
        {
            let won = matches!(control, ControlBy::Country(_)) && !with_service;
            let claim = self.claim(Axis::Control, country.as_str(), &source.id, source.date);
            claim.reference = system.unwrap_or_else(|| "the announcing system".to_owned());
            claim.won = won;
            claim.note = Some(if won {
                note::presumed()
            } else {
                note::weaker_than_operator()
            });
        }
    }
}

fn text(network: Option<IpNet>) -> String {
    network
        .map(|network| network.to_string())
        .unwrap_or_default()
}
