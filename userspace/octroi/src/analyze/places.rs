//! Where traffic went: destinations and services, added up. Bounded: what had no
//! room is counted.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use foldhash::fast::RandomState;
use octroi_geo_db::Catalogue;
use octroi_geo_db::profile::Profile;
use octroi_inspect::flow::Flow;
use octroi_inspect::survey::Naming;
use octroi_policy::Verdict;
use serde::Serialize;

use super::desk::Desk;
use super::judged::{Answer, Ends, control, hosting};
use super::room::Room;

/// Most destinations told apart in one lane.
const MAX_DESTINATIONS: u32 = 1_024;

/// What was sent and received.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Sums {
    pub(crate) flows: u64,
    /// From the IP header on.
    pub(crate) outbound_bytes: u64,
    pub(crate) reply_bytes: u64,
}

impl Sums {
    fn of(flow: &Flow<Naming>, ends: &Ends) -> Self {
        let (outbound, reply) = (flow.outbound_bytes, flow.reply_bytes);
        let (outbound_bytes, reply_bytes) = if ends.from_outside {
            (reply, outbound)
        } else {
            (outbound, reply)
        };
        Self {
            flows: 1,
            outbound_bytes,
            reply_bytes,
        }
    }

    fn add(&mut self, other: Self) {
        self.flows += other.flows;
        self.outbound_bytes += other.outbound_bytes;
        self.reply_bytes += other.reply_bytes;
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.outbound_bytes + self.reply_bytes
    }
}

/// One destination: a name, or an address without one.
#[derive(Debug, Serialize)]
pub(crate) struct DestinationLine {
    pub(crate) destination: String,
    pub(crate) hosting: String,
    pub(crate) control: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) operator: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) service: Option<String>,
    /// The strictest of its flows' verdicts.
    pub(crate) verdict: &'static str,
    pub(crate) enforced: bool,
    #[serde(flatten)]
    pub(crate) sums: Sums,
}

/// One service of the catalogue.
#[derive(Debug, Serialize)]
pub(crate) struct ServiceLine {
    pub(crate) service: String,
    pub(crate) name: String,
    pub(crate) category: &'static str,
    pub(crate) operator: String,
    /// Whose law reaches it.
    pub(crate) control: String,
    /// Schemes that hold on the day of the evaluation.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) qualifications: Vec<String>,
    /// Names of services to use in its place, best first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) alternatives: Vec<String>,
    #[serde(flatten)]
    pub(crate) sums: Sums,
}

/// What is one destination.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Destination {
    Name(Box<str>),
    Address(IpAddr),
}

impl Destination {
    pub(super) fn of(flow: &Flow<Naming>, ends: &Ends) -> Self {
        let name = flow.data.name.as_deref().filter(|_| !ends.from_outside);
        name.map_or(Self::Address(ends.destination), |name| {
            Self::Name(name.name.as_str().into())
        })
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(address) => address.fmt(f),
        }
    }
}

/// A destination while it is added up.
#[derive(Debug)]
struct Held {
    /// Capture and first packet of its first flow, so that what is told of it does not depend on
    /// who found it.
    first: (usize, u64),
    /// What is known of the address of that flow.
    profile: Arc<Profile>,
    verdict: u8,
    enforced: bool,
    sums: Sums,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Places {
    /// By lane; by 0 once those of all lanes are added up.
    destinations: HashMap<(u8, Destination), Held, RandomState>,
    room: Room,
    services: HashMap<Arc<str>, Sums, RandomState>,
    /// Flows to destinations that had no room.
    not_held: u64,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            destinations: HashMap::default(),
            room: Room::new(MAX_DESTINATIONS),
            services: HashMap::default(),
            not_held: 0,
        }
    }
}

impl Places {
    pub(super) fn count(
        &mut self,
        capture: usize,
        flow: &Flow<Naming>,
        ends: &Ends,
        answer: &Answer,
    ) {
        let sums = Sums::of(flow, ends);
        let profile = &answer.profile;
        if let Some(service) = &profile.service {
            let services = &mut self.services;
            services.entry(Arc::clone(service)).or_default().add(sums);
        }
        let held = Held {
            first: (capture, flow.data.began),
            profile: Arc::clone(profile),
            verdict: answer.decision.verdict.code(),
            enforced: answer.decision.enforced,
            sums,
        };
        let lane = flow.data.lane();
        let key = (lane, Destination::of(flow, ends));
        match self.destinations.entry(key) {
            Entry::Occupied(mut known) => known.get_mut().merge(held),
            Entry::Vacant(free) if self.room.take(lane) => {
                free.insert(held);
            }
            Entry::Vacant(_) => self.not_held += held.sums.flows,
        }
    }

    /// Flows to destinations that had no room.
    pub(super) fn not_held(&self) -> u64 {
        self.not_held
    }

    /// Adds what another shard found.
    pub(super) fn merge(&mut self, other: Self) {
        self.not_held += other.not_held;
        // No bound: there are no more than all lanes had room for.
        for ((_, destination), held) in other.destinations {
            match self.destinations.entry((0, destination)) {
                Entry::Occupied(mut known) => known.get_mut().merge(held),
                Entry::Vacant(free) => {
                    free.insert(held);
                }
            }
        }
        for (service, sums) in other.services {
            self.services.entry(service).or_default().add(sums);
        }
    }

    /// Destinations, largest first, and how many there are beside them.
    pub(super) fn destinations(&mut self, rows: usize) -> (Vec<DestinationLine>, u64) {
        let held = std::mem::take(&mut self.destinations);
        let text = |id: &Option<Arc<str>>| id.as_ref().map(ToString::to_string);
        let mut lines: Vec<DestinationLine> = held
            .into_iter()
            .map(|((_, destination), held)| DestinationLine {
                destination: destination.to_string(),
                hosting: hosting(&held.profile),
                control: control(&held.profile),
                operator: text(&held.profile.control.operator),
                service: text(&held.profile.service),
                verdict: Verdict::from_code(held.verdict).map_or("none", Verdict::name),
                enforced: held.enforced,
                sums: held.sums,
            })
            .collect();
        lines.sort_by(|a, b| {
            let by_bytes = b.sums.bytes().cmp(&a.sums.bytes());
            by_bytes.then_with(|| a.destination.cmp(&b.destination))
        });
        let over = lines.len().saturating_sub(rows) as u64 + self.not_held;
        lines.truncate(rows);
        (lines, over)
    }

    /// Services, largest first, with what the catalogue says of them.
    pub(super) fn services(&mut self, desk: &Desk) -> Vec<ServiceLine> {
        let catalogue = desk.judge.atlas.catalogue();
        let services = std::mem::take(&mut self.services);
        let mut lines: Vec<ServiceLine> = services
            .into_iter()
            .filter_map(|(id, sums)| service_line(&id, sums, catalogue, desk))
            .collect();
        lines.sort_by(|a, b| {
            let by_bytes = b.sums.bytes().cmp(&a.sums.bytes());
            by_bytes.then_with(|| a.service.cmp(&b.service))
        });
        lines
    }
}

impl Held {
    fn merge(&mut self, other: Self) {
        self.sums.add(other.sums);
        self.enforced |= other.enforced;
        self.verdict = self.verdict.max(other.verdict);
        if other.first < self.first {
            self.first = other.first;
            self.profile = other.profile;
        }
    }
}

fn service_line(id: &str, sums: Sums, catalogue: &Catalogue, desk: &Desk) -> Option<ServiceLine> {
    let service = catalogue.service(id)?;
    let operator = catalogue.operator(&service.operator);
    let name_of = |id: &Arc<str>| {
        let known = catalogue.service(id);
        known.map_or_else(|| id.to_string(), |service| service.name.clone())
    };
    let holds = service.qualifications.iter();
    let holds = holds.filter(|held| held.holds_on(desk.at));
    let profile = catalogue.profile_with_service(&Profile::unknown(), id);
    Some(ServiceLine {
        service: id.to_owned(),
        name: service.name.clone(),
        category: service.category.name(),
        operator: operator.map_or_else(
            || service.operator.to_string(),
            |operator| operator.name.clone(),
        ),
        control: control(&profile),
        qualifications: holds.map(|held| held.scheme.to_string()).collect(),
        alternatives: service.alternatives.iter().map(name_of).collect(),
        sums,
    })
}
