//! Claims on whose law reaches an address.

use super::{CATALOGUE, Compiler, around, listed, text};
use crate::atlas::dossier::Axis;
use crate::atlas::join::{ControlBy, entry};
use crate::atlas::layers::AsInfo;
use crate::atlas::note;
use crate::atlas::range::Address;
use crate::catalogue::Text;

impl<A: Address> Compiler<'_, A> {
    /// Was an operator followed by a word of that rank, and why or why not?
    fn followed(&self, position: u16, decides: bool) -> (bool, Text) {
        let control = self.decision.key.control;
        let first = self.rules.facts.names.operator_at(control.named());
        let won = control.operators().contains(&position);
        let note = match (first, self.decision.control_by) {
            _ if !self.is_place() => note::no_place(),
            (_, ControlBy::Override(_)) => note::override_beats(),
            _ if decides => note::names_operator(),
            (Some(first), _) if control.named() != position => note::united(&first.id),
            _ => note::same_operator(),
        };
        (won, note)
    }

    /// Every word that names an operator of the catalogue, in the order of trust.
    pub(super) fn claim_operators(&mut self, asn: Option<&AsInfo>) {
        let (facts, family_facts) = (self.rules.facts, self.rules.family_facts);
        let by = self.decision.control_by;
        let mut first = true;
        for (_, prefix) in family_facts.operators.around(self.address) {
            let names = first && by == ControlBy::Prefix;
            let claim = if first {
                self.followed(prefix.item, names)
            } else {
                (false, note::narrower_operator())
            };
            first = false;
            self.claim_operator(prefix.item, CATALOGUE, text(prefix.network()), claim);
        }
        let of_list = listed(&self.evidence)
            .and_then(|index| family_facts.listed.get(index))
            .and_then(|fact| fact.operator);
        if let Some((position, index)) = of_list
            && let Some(prefix) = self.rules.family.listed.entries().get(index as usize)
            && let Some(source) = self.source(prefix.item.source)
        {
            let provider = self.rules.layers.texts.provider(prefix.item);
            let reference = format!("{} {provider}", text(prefix.network()));
            let claim = self.followed(position, matches!(by, ControlBy::OwnList(_)));
            if let Some(operator) = facts.names.operator_at(position) {
                let said = (source.id.as_str(), source.date);
                self.claim(Axis::Control, &*operator.id, said, reference, claim);
            }
        }
        if let Some(service) = facts.names.service_at(self.decision.key.service) {
            let claim = self.followed(service.operator, by == ControlBy::Service);
            let reference = format!("service {}", service.id);
            self.claim_operator(service.operator, CATALOGUE, reference, claim);
        }
        let system = entry(self.evidence.system);
        let of_system = system.and_then(|index| facts.operator_of_system.get(index).copied());
        if let (Some(position), Some(asn)) = (of_system, asn) {
            let claim = self.followed(position, by == ControlBy::System);
            let reference = format!("AS{} {}", asn.number, asn.name);
            self.claim_operator(position, CATALOGUE, reference, claim);
        }
    }

    fn claim_operator(
        &mut self,
        position: u16,
        source: &str,
        reference: String,
        claim: (bool, Text),
    ) {
        if let Some(operator) = self.rules.facts.names.operator_at(position) {
            let said = (source, operator.as_of);
            self.claim(Axis::Control, &*operator.id, said, reference, claim);
        }
    }

    /// Who announces it, by every source that says so.
    pub(super) fn claim_systems(&mut self, asn: Option<&AsInfo>) {
        let layers = self.rules.layers;
        for layer in &self.rules.family.systems {
            let value = layer.said.get(self.address);
            let (Some(source), Some(system)) = (self.source(layer.source), layers.system(value))
            else {
                continue;
            };
            let operator = entry(value)
                .and_then(|index| self.rules.facts.operator_of_system.get(index).copied())
                .unwrap_or(0);
            let speaks = asn.is_some_and(|asn| asn.number == system.number);
            let claim = if !speaks {
                (false, note::announcement_more_trusted())
            } else if operator == 0 {
                (false, note::no_operator())
            } else {
                self.followed(operator, self.decision.control_by == ControlBy::System)
            };
            let net = around(&layer.said, self.address);
            let reference = format!("AS{} {} {net}", system.number, system.name);
            let said = (source.id.as_str(), source.date);
            let value = format!("AS{}", system.number);
            self.claim(Axis::Control, value, said, reference, claim);
        }
    }

    /// Where the announcing system is registered: by every source that says so, or by what most of
    /// the system's other prefixes say.
    pub(super) fn claim_system_countries(&mut self, asn: Option<&AsInfo>) {
        let layers = self.rules.layers;
        let family = self.rules.family;
        let mut presumes = self.decision.control_by == ControlBy::Country;
        let mut said_here = false;
        for layer in &family.system_countries {
            let value = layer.said.get(self.address);
            let (Some(source), Some(country)) = (self.source(layer.source), layers.country(value))
            else {
                continue;
            };
            said_here = true;
            let net = around(&layer.said, self.address);
            let reference = match asn {
                Some(asn) => format!("AS{} {} {net}", asn.number, asn.name),
                None => net,
            };
            let claim = self.presumed(&mut presumes);
            let said = (source.id.as_str(), source.date);
            self.claim(Axis::Control, country.as_str(), said, reference, claim);
        }
        let registered = asn.and_then(|asn| Some((asn, asn.country?)));
        if let (false, Some((asn, country)), Some(source)) = (
            said_here,
            registered,
            family
                .system_countries
                .first()
                .and_then(|layer| self.source(layer.source)),
        ) {
            let reference = format!("AS{} {}", asn.number, asn.name);
            let claim = self.presumed(&mut presumes);
            let said = (source.id.as_str(), source.date);
            self.claim(Axis::Control, country.as_str(), said, reference, claim);
        }
    }

    /// The first country alone is presumed from, and only when nobody is known.
    fn presumed(&self, presumes: &mut bool) -> (bool, Text) {
        let won = std::mem::take(presumes);
        let note = if won {
            note::presumed()
        } else if self.is_place() {
            note::weaker_than_operator()
        } else {
            note::no_place()
        };
        (won, note)
    }
}
