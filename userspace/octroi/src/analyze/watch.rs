//! What a capture tells beyond verdicts: tracking links, and calls of people. Each shard notes what may
//! matter; together they are told, whatever the order in which flows ended.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::sync::Arc;

use foldhash::fast::RandomState;
use octroi_events::call::{Calls, Leg, ServiceOf};
use octroi_events::finding::{Hit, Matter};
use octroi_events::{CallRecord, Finding, Findings};
use octroi_geo_db::Catalogue;
use octroi_inspect::flow::{self, Flow};
use octroi_inspect::name::{NameEvent, NameSource};
use octroi_inspect::survey::Naming;
use octroi_policy::service_behind;

use super::desk::Desk;
use super::judged::{Answer, Ends};
use super::report::timestamp;

/// Names by client that one shard remembers; of more, the rest is not compared.
const NAMES: usize = 16_384;
/// Legs and signals that one shard remembers.
const LEGS: usize = 8_192;
/// Packets from which a flow may be part of a call: twenty seconds at thirty a second.
const MANY_PACKETS: u64 = 600;
const UDP: u8 = 17;

/// A name that a client asked for or said.
struct Said {
    client: IpAddr,
    name: Box<str>,
    source: NameSource,
    destination: Option<IpAddr>,
    first_ns: u64,
    times: u64,
}

/// What one shard noted.
#[derive(Default)]
pub(super) struct Noted {
    by_digest: HashMap<u64, usize, RandomState>,
    said: Vec<Said>,
    signals: Vec<(IpAddr, ServiceOf, Box<str>, u64)>,
    legs: Vec<Leg>,
    hasher: RandomState,
    left_out: u64,
}

impl Noted {
    /// A name in the packets. Those of flows are noted with their flows.
    pub(super) fn name(&mut self, event: &NameEvent) {
        if matches!(event.source, NameSource::Query | NameSource::Host) {
            let host = event.source == NameSource::Host;
            let destination = host.then(|| flow::outside(&event.key));
            let client = flow::inside(&event.key);
            self.note(
                client,
                &event.name,
                event.source,
                destination,
                event.time_ns,
            );
        }
    }

    /// A flow that ended, and what was answered to it.
    pub(super) fn flow(&mut self, flow: &Flow<Naming>, ends: &Ends, answer: &Answer, desk: &Desk) {
        if ends.from_outside {
            return;
        }
        let catalogue = desk.judge.atlas.catalogue();
        if let Some(name) = &flow.data.name {
            if name.source != NameSource::Host {
                let destination = Some(ends.destination);
                self.note(
                    ends.source,
                    &name.name,
                    name.source,
                    destination,
                    flow.first_ns,
                );
            }
            let service = service_behind(catalogue, &name.name, &name.chain);
            if let Some((service, by)) = service
                && let Some(service) = ServiceOf::of(service)
            {
                if self.signals.len() < LEGS {
                    self.signals
                        .push((ends.source, service, by.into(), flow.first_ns));
                } else {
                    self.left_out += 1;
                }
            }
        }
        if flow.key.protocol != UDP || flow.outbound_packets + flow.reply_packets < MANY_PACKETS {
            return;
        }
        if self.legs.len() >= LEGS {
            self.left_out += 1;
            return;
        }
        let judge = &desk.judge;
        let profile = judge.atlas.profile(judge.class_of(ends.destination));
        let service = profile.service.as_deref();
        let service = service.and_then(|service| catalogue.service(service));
        let zone = judge.policy.zone_name(ends.zone);
        self.legs.push(Leg {
            flow_id: octroi_events::flow_id(&flow.key, flow.first_ns),
            client: ends.source,
            zone: (ends.zone != 0).then(|| zone.into()),
            destination: ends.destination,
            protocol: flow.key.protocol,
            speaks: flow.data.protocol.map(|spoken| spoken.name().into()),
            service: service.and_then(ServiceOf::of),
            first_ns: flow.first_ns,
            last_ns: flow.last_ns,
            outbound: (flow.outbound_packets, flow.outbound_bytes),
            reply: (flow.reply_packets, flow.reply_bytes),
            verdict: answer.decision.verdict,
            enforced: answer.decision.enforced,
        });
    }

    fn note(
        &mut self,
        client: IpAddr,
        name: &str,
        source: NameSource,
        destination: Option<IpAddr>,
        time_ns: u64,
    ) {
        let digest = self.hasher.hash_one((client, name, source));
        if let Some(said) = self
            .by_digest
            .get(&digest)
            .and_then(|&at| self.said.get_mut(at))
        {
            said.times += 1;
            if (time_ns, destination) < (said.first_ns, said.destination) {
                (said.first_ns, said.destination) = (time_ns, destination);
            }
        } else if self.said.len() < NAMES {
            self.by_digest.insert(digest, self.said.len());
            self.said.push(Said {
                client,
                name: name.into(),
                source,
                destination,
                first_ns: time_ns,
                times: 1,
            });
        } else {
            self.left_out += 1;
        }
    }
}

/// What all shards noted together: calls, findings, and how much had no room.
pub(super) fn told(shards: Vec<Noted>, desk: &Desk) -> (Vec<CallRecord>, Vec<Finding>, u64) {
    let mut left_out = 0;
    let mut calls = Calls::default();
    let (mut said, mut signals, mut legs) = (Vec::new(), Vec::new(), Vec::new());
    for shard in shards {
        left_out += shard.left_out;
        said.extend(shard.said);
        signals.extend(shard.signals);
        legs.extend(shard.legs);
    }
    signals.sort_by(|a, b| (a.3, a.0, &a.2).cmp(&(b.3, b.0, &b.2)));
    legs.sort_by_key(|leg| (leg.first_ns, leg.client, leg.flow_id));
    for (client, service, name, at_ns) in signals {
        calls.signalled(client, service, &name, at_ns);
    }
    for leg in legs {
        calls.ended(leg);
    }
    let catalogue = desk.judge.atlas.catalogue();
    let records = calls.flush().into_iter().filter_map(|(start_ns, call)| {
        let start = timestamp(start_ns)?;
        let mut record = CallRecord::new(call, start, start, catalogue);
        record.time = record.end;
        Some(record)
    });
    let records = records.collect();
    (
        records,
        findings(said, desk, catalogue),
        left_out + calls.dropped(),
    )
}

/// The last word on every finding of the captures.
fn findings(mut said: Vec<Said>, desk: &Desk, catalogue: &Catalogue) -> Vec<Finding> {
    // Several shards may have noted the same: together they are what one would have noted.
    let what = |said: &Said| (said.client, said.name.clone(), said.source);
    said.sort_by_cached_key(|said| (what(said), said.first_ns, said.destination));
    said.dedup_by(|later, first| {
        let is_same = what(later) == what(first);
        if is_same {
            first.times += later.times;
        }
        is_same
    });
    said.sort_by(|a, b| {
        let order = |said: &Said| (said.first_ns, said.client, said.source, said.destination);
        order(a).cmp(&order(b)).then_with(|| a.name.cmp(&b.name))
    });
    let mut known: HashMap<Box<str>, Option<Matter>> = HashMap::new();
    let mut findings = Findings::default();
    let mut last = jiff::Timestamp::UNIX_EPOCH;
    let policy = &desk.judge.policy;
    for said in said {
        let matter = known
            .entry(said.name.clone())
            .or_insert_with(|| Matter::of(catalogue, &said.name));
        let (Some(matter), Some(time)) = (matter.clone(), timestamp(said.first_ns)) else {
            continue;
        };
        last = last.max(time);
        let zone = match policy.zone_of(said.client) {
            0 => desk.zone,
            zone => zone,
        };
        findings.hit(Hit {
            time,
            times: said.times,
            client: said.client,
            zone: (zone != 0).then(|| Arc::from(policy.zone_name(zone))),
            name: said.name.into(),
            seen_by: said.source.name().into(),
            destination: said.destination,
            matter,
        });
    }
    findings.flush(last)
}

#[cfg(test)]
mod tests {
    use octroi_geo_db::Atlas;
    use octroi_policy::Verdict;

    use super::*;
    use crate::judge::{Judge, read_policy};

    const SECOND_NS: u64 = 1_000_000_000;

    fn desk() -> Desk {
        let atlas = Arc::new(Atlas::embedded().unwrap());
        let policy = read_policy("observe", atlas.catalogue()).unwrap();
        let at = atlas.catalogue().day();
        Desk {
            judge: Judge {
                atlas,
                policy: Arc::new(policy),
            },
            zone: 0,
            at,
        }
    }

    #[test]
    fn shards_are_told_as_one() {
        let client: IpAddr = "10.0.0.9".parse().unwrap();
        let teams = ServiceOf {
            id: "ms-teams".into(),
            name: "Microsoft Teams".into(),
            operator: "microsoft".into(),
        };
        let leg = |first_s: u64| Leg {
            flow_id: first_s,
            client,
            zone: None,
            destination: "52.112.0.9".parse().unwrap(),
            protocol: UDP,
            speaks: Some("stun".into()),
            service: Some(teams.clone()),
            first_ns: first_s * SECOND_NS,
            last_ns: (first_s + 60) * SECOND_NS,
            outbound: (3_000, 600_000),
            reply: (3_000, 2_400_000),
            verdict: Verdict::Flag,
            enforced: false,
        };
        let (mut one, mut other) = (Noted::default(), Noted::default());
        one.legs.push(leg(1_000));
        other.legs.push(leg(1_050));
        other.signals.push((
            client,
            teams.clone(),
            "teams.microsoft.com".into(),
            990 * SECOND_NS,
        ));
        for noted in [&mut one, &mut other] {
            noted.note(
                client,
                "grabify.link",
                NameSource::Query,
                None,
                5 * SECOND_NS,
            );
            noted.note(
                client,
                "www.service-public.fr",
                NameSource::Query,
                None,
                SECOND_NS,
            );
        }
        let (calls, findings, left_out) = told(vec![one, other], &desk());
        assert_eq!(left_out, 0);
        assert_eq!(calls.len(), 1);
        assert_eq!((calls[0].call.seconds, calls[0].call.flows), (110, 2));
        assert_eq!(calls[0].time, calls[0].end);
        assert_eq!(
            calls[0]
                .control_country
                .map(|code| code.to_string())
                .as_deref(),
            Some("US")
        );
        assert_eq!(findings.len(), 1);
        assert_eq!(
            (findings[0].count, &**findings[0].matter.family()),
            (2, "grabify")
        );
        assert_eq!(findings[0].zone.as_deref(), Some("internal"));
    }

    #[test]
    fn what_a_shard_notes_is_bounded() {
        let mut noted = Noted::default();
        let client: IpAddr = "10.0.0.9".parse().unwrap();
        for number in 0..NAMES + 3 {
            noted.note(client, &number.to_string(), NameSource::Query, None, 1);
        }
        assert_eq!((noted.said.len(), noted.left_out), (NAMES, 3));
        noted.note(client, "0", NameSource::Query, None, 1);
        assert_eq!(noted.left_out, 3, "a name that is known needs no room");
    }
}
