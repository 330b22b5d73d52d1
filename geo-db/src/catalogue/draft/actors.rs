//! Reading operators, services and tracking-link hosts.

use std::sync::Arc;

use super::super::domains::domain_fault;
use super::super::entry::{Entry, Placed, shared};
use super::super::operator::{Operator, OperatorKind, Parent, PastSeat};
use super::super::service::{Category, IpLogger, PortRange, Service};
use super::{Draft, Target, id_of};
use crate::profile::{Qualification, Reach};

impl Draft {
    pub(super) fn operator(&mut self, entry: &mut Entry<'_, '_, '_>) {
        let id = id_of(entry, "operator");
        let name = entry.owned("name");
        let kind = entry.word::<OperatorKind>("kind");
        let hq = entry.text("hq");
        let hq = self.code(entry, hq.as_ref(), Target::Country);
        let parents = entry.tables("parents", |parent| {
            let name = parent.owned("name");
            let country = parent.text("country");
            let country = self.code(parent, country.as_ref(), Target::Country);
            let (from, until) = parent.period();
            Some(Parent {
                name,
                country: country?,
                from,
                until,
            })
        });
        let past_seats = entry.tables("past_seats", |seat| {
            let country = seat.text("country");
            let country = self.code(seat, country.as_ref(), Target::Country);
            let (from, until) = seat.period();
            if until.is_none() {
                seat.missing("until");
            }
            Some(PastSeat {
                country: country?,
                from,
                until: until?,
            })
        });
        let presence = entry.texts("presence");
        let presence = presence
            .iter()
            .filter_map(|code| self.code(entry, Some(code), Target::Country))
            .collect();
        let laws = entry.texts("laws");
        let mut laws = self.refer_all(Target::Law, &laws, &entry.label);
        laws.sort();
        let asns = entry.numbers("asns");
        let prefixes = prefixes_of(entry);
        let anycast = entry.flag("anycast");
        let (source, as_of, note) = entry.provenance();
        let (Some(id), Some(kind), Some(hq)) = (id, kind, hq) else {
            return;
        };
        let index = self.operators.len();
        self.asns
            .extend(asns.iter().map(|asn| (asn.place, asn.value, index)));
        self.operator_prefixes
            .extend(prefixes.iter().map(|p| (p.place, p.value, index)));
        let value = Operator {
            id: id.value,
            name,
            kind,
            parents,
            hq,
            past_seats,
            presence,
            reach: Reach::Unknown,
            laws,
            asns: asns.into_iter().map(|asn| asn.value).collect(),
            prefixes: prefixes.into_iter().map(|prefix| prefix.value).collect(),
            anycast,
            source,
            as_of,
            note,
        };
        self.operators.push(Placed {
            value,
            place: id.place,
        });
    }

    pub(super) fn service(&mut self, entry: &mut Entry<'_, '_, '_>) {
        let id = id_of(entry, "service");
        let name = entry.owned("name");
        let category = entry.word::<Category>("category");
        let operator = entry.text("operator");
        if let Some(operator) = &operator {
            self.refer(Target::Operator, &shared(operator), &entry.label);
        }
        let domains = domains_of(entry);
        let prefixes = prefixes_of(entry);
        let ports = entry.parsed::<PortRange>("ports", "write protocol/first-last");
        let anycast = entry.flag("anycast");
        let qualifications = entry.tables("qualifications", |qualification| {
            let scheme = qualification.text("scheme");
            let (from, until) = qualification.period();
            let source = qualification.text("source");
            let as_of = qualification.date("as_of");
            Some(Qualification {
                scheme: Arc::from(scheme?.value),
                from,
                until,
                source: source.map(|source| Arc::from(source.value)),
                as_of,
            })
        });
        let sovereign = entry.flag("sovereign");
        let alternatives = entry.texts("alternatives");
        let alternatives = self.refer_all(Target::Service, &alternatives, &entry.label);
        let (source, as_of, note) = entry.provenance();
        let (Some(id), Some(category), Some(operator)) = (id, category, operator) else {
            return;
        };
        let index = self.services.len();
        let placed_domains = domains
            .iter()
            .map(|d| (d.place, Arc::clone(&d.value), index));
        self.domains.extend(placed_domains);
        self.prefixes
            .extend(prefixes.iter().map(|p| (p.place, p.value, index)));
        let value = Service {
            id: id.value,
            name,
            category,
            operator: Arc::from(operator.value),
            domains: domains.into_iter().map(|domain| domain.value).collect(),
            prefixes: prefixes.into_iter().map(|prefix| prefix.value).collect(),
            ports: ports.into_iter().map(|ports| ports.value).collect(),
            anycast,
            qualifications,
            sovereign,
            alternatives,
            source,
            as_of,
            note,
        };
        self.services.push(Placed {
            value,
            place: id.place,
        });
    }

    pub(super) fn ip_logger(&mut self, entry: &mut Entry<'_, '_, '_>) {
        let host = entry.text("host");
        if let Some(host) = &host {
            entry.named("ip_logger", host.value);
            check_domain(entry, host);
        }
        let family = entry.owned("family");
        let word = entry.optional_text("word").map(|word| shared(&word).value);
        let unlike = entry.texts("unlike");
        let unlike = unlike.iter().map(|name| shared(name).value).collect();
        let dual_use = entry.flag("dual_use");
        let (source, as_of, note) = entry.provenance();
        let Some(host) = host else { return };
        let value = IpLogger {
            host: Arc::from(host.value),
            family,
            word,
            unlike,
            dual_use,
            source,
            as_of,
            note,
        };
        self.ip_loggers.push(Placed {
            value,
            place: host.place,
        });
    }
}

fn prefixes_of(entry: &mut Entry<'_, '_, '_>) -> Vec<Placed<ipnet::IpNet>> {
    let prefixes = entry.parsed::<ipnet::IpNet>("prefixes", "write it as 192.0.2.0/24");
    for prefix in &prefixes {
        if prefix.value.trunc() != prefix.value {
            let what = format!("{} has bits set beyond its length", prefix.value);
            let remedy = format!("write {}", prefix.value.trunc());
            entry.problems.add(prefix.place, what, remedy);
        }
    }
    prefixes
}

fn domains_of(entry: &mut Entry<'_, '_, '_>) -> Vec<Placed<Arc<str>>> {
    let domains = entry.texts("domains");
    for domain in &domains {
        check_domain(entry, domain);
    }
    domains.iter().map(shared).collect()
}

fn check_domain(entry: &mut Entry<'_, '_, '_>, domain: &Placed<&str>) {
    if let Some(remedy) = domain_fault(domain.value) {
        let what = format!("\"{}\" is not a domain", domain.value);
        entry.problems.add(domain.place, what, remedy);
    }
}
