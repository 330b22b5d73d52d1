//! What is remembered of one client: the names of services it said, and its media flows.

use std::sync::Arc;

use super::{Call, LISTED, Leg, SECOND_NS, SIGNAL_BEFORE_S, ServiceOf, record};

/// The client said a name of a service.
#[derive(Clone, Debug)]
pub(super) struct Signal {
    pub(super) service: ServiceOf,
    pub(super) name: Arc<str>,
    pub(super) at_ns: u64,
}

/// One client.
#[derive(Debug, Default)]
pub(super) struct Client {
    pub(super) signals: Vec<Signal>,
    pub(super) legs: Vec<Leg>,
}

impl Client {
    /// Takes out the calls that are over: flows of one service less than `gap_ns` apart are one.
    pub(super) fn take(
        &mut self,
        gap_ns: u64,
        is_over: &impl Fn(Option<&Arc<str>>, u64) -> bool,
    ) -> Vec<(u64, Call)> {
        self.legs.sort_by_key(|leg| leg.first_ns);
        let mut groups: Vec<(ServiceOf, Vec<usize>, u64)> = Vec::new();
        for (index, leg) in self.legs.iter().enumerate() {
            let Some(service) = self.service_of(leg) else {
                continue;
            };
            let joined = groups.iter_mut().rev().find(|(known, _, last_ns)| {
                known.id == service.id && leg.first_ns <= last_ns.saturating_add(gap_ns)
            });
            match joined {
                Some((_, legs, last_ns)) => {
                    legs.push(index);
                    *last_ns = leg.last_ns.max(*last_ns);
                }
                None => groups.push((service, vec![index], leg.last_ns)),
            }
        }
        let mut taken = vec![false; self.legs.len()];
        let mut waiting = Vec::new();
        let mut calls = Vec::new();
        for (service, members, last_ns) in groups {
            if !is_over(Some(&service.id), last_ns) {
                waiting.extend(members);
                continue;
            }
            let legs: Vec<&Leg> = members
                .iter()
                .filter_map(|&index| {
                    *taken.get_mut(index)? = true;
                    self.legs.get(index)
                })
                .collect();
            calls.extend(record::call(
                &service,
                &legs,
                &self.signals_for(&service, &legs),
            ));
        }
        // Media of nobody's is forgotten when its time is over too.
        let mut index = 0;
        self.legs.retain(|leg| {
            let waits = waiting.contains(&index) || !is_over(None, leg.last_ns);
            let keep = waits && !taken.get(index).copied().unwrap_or(false);
            index += 1;
            keep
        });
        calls
    }

    /// By its address; else the service that was signalled to last before it began.
    fn service_of(&self, leg: &Leg) -> Option<ServiceOf> {
        if let Some(service) = &leg.service {
            return Some(service.clone());
        }
        leg.speaks_media()?;
        let before = self.signals.iter().filter(|signal| dates(signal, leg));
        before
            .max_by_key(|signal| signal.at_ns)
            .map(|signal| signal.service.clone())
    }

    /// Names of a service that the client said for these legs.
    fn signals_for(&self, service: &ServiceOf, legs: &[&Leg]) -> Vec<Arc<str>> {
        let said = self.signals.iter().filter(|signal| {
            signal.service.id == service.id && legs.iter().any(|leg| dates(signal, leg))
        });
        let mut names: Vec<Arc<str>> = said.map(|signal| Arc::clone(&signal.name)).collect();
        names.sort_unstable();
        names.dedup();
        names.truncate(LISTED);
        names
    }
}

/// Whether a signal was given shortly before a leg, or while it lasted.
fn dates(signal: &Signal, leg: &Leg) -> bool {
    signal.at_ns <= leg.last_ns
        && leg.first_ns <= signal.at_ns.saturating_add(SIGNAL_BEFORE_S * SECOND_NS)
}
