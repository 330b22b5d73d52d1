//! What a capture tells beyond verdicts: tracking links, and calls of people. Each shard notes what may
//! matter; together they are told, whatever the order in which flows ended.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::sync::Arc;

use foldhash::fast::RandomState;
use octroi_events::call::{Calls, Leg, ServiceOf};
use octroi_events::finding::{Activity, Hit, Matter};
use octroi_events::{CallRecord, Event, Finding, Findings};
use octroi_geo_db::Catalogue;
use octroi_inspect::flow::{self, Flow};
use octroi_inspect::name::{NameEvent, NameSource};
use octroi_inspect::survey::Naming;
use octroi_policy::service_behind;
use serde::Serialize;

use super::desk::Desk;
use super::judged::{Answer, Ends};
use super::report::{is_zero, timestamp};
use super::room::Room;

/// Names by client that are remembered of one lane; of more, the rest is not compared.
const NAMES: u32 = 4_096;
/// Legs, and signals, that are remembered of one lane.
const LEGS: u32 = 2_048;
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
    last_ns: u64,
    times: u64,
}

impl Said {
    /// Adds what was noted of the same name elsewhere.
    fn merge(&mut self, other: &Self) {
        self.times += other.times;
        self.last_ns = self.last_ns.max(other.last_ns);
        let order = |said: &Self| (said.first_ns, said.destination);
        if order(other) < order(self) {
            (self.first_ns, self.destination) = order(other);
        }
    }
}

/// What one shard noted.
pub(super) struct Noted {
    /// Digests are of lane, client, name and source.
    by_digest: HashMap<u64, usize, RandomState>,
    said: Vec<Said>,
    room_for_names: Room,
    signals: Vec<(IpAddr, ServiceOf, Box<str>, u64)>,
    room_for_signals: Room,
    legs: Vec<Leg>,
    room_for_legs: Room,
    hasher: RandomState,
    left_out: u64,
}

impl Default for Noted {
    fn default() -> Self {
        Self {
            by_digest: HashMap::default(),
            said: Vec::new(),
            room_for_names: Room::new(NAMES),
            signals: Vec::new(),
            room_for_signals: Room::new(LEGS),
            legs: Vec::new(),
            room_for_legs: Room::new(LEGS),
            hasher: RandomState::default(),
            left_out: 0,
        }
    }
}

impl Noted {
    /// A name in the packets. Those of flows are noted with their flows.
    pub(super) fn name(&mut self, event: &NameEvent) {
        if matches!(event.source, NameSource::Query | NameSource::Host) {
            let host = event.source == NameSource::Host;
            let destination = host.then(|| flow::outside(&event.key));
            let client = flow::inside(&event.key);
            let lane = flow::lane_of_key(&event.key);
            self.note(
                lane,
                client,
                (&event.name, event.source),
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
        let lane = flow.data.lane();
        if let Some(name) = &flow.data.name {
            if name.source != NameSource::Host {
                let destination = Some(ends.destination);
                self.note(
                    lane,
                    ends.source,
                    (&name.name, name.source),
                    destination,
                    flow.first_ns,
                );
            }
            let service = service_behind(catalogue, &name.name, &name.chain);
            if let Some((service, by)) = service
                && let Some(service) = ServiceOf::of(service)
            {
                if self.room_for_signals.take(lane) {
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
        if !self.room_for_legs.take(lane) {
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
        lane: u8,
        client: IpAddr,
        (name, source): (&str, NameSource),
        destination: Option<IpAddr>,
        time_ns: u64,
    ) {
        let digest = self.hasher.hash_one((lane, client, name, source));
        let mut said = Said {
            client,
            name: Box::default(),
            source,
            destination,
            first_ns: time_ns,
            last_ns: time_ns,
            times: 1,
        };
        let known = self.by_digest.get(&digest);
        if let Some(known) = known.and_then(|&at| self.said.get_mut(at)) {
            known.merge(&said);
        } else if self.room_for_names.take(lane) {
            said.name = name.into();
            self.by_digest.insert(digest, self.said.len());
            self.said.push(said);
        } else {
            self.left_out += 1;
        }
    }
}

/// What was found beyond verdicts.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Watched {
    /// Calls of people, in order of time.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) calls: Vec<CallRecord>,
    /// Tracking links that were asked for or opened: the last word on each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) findings: Vec<Finding>,
    /// The first word on each.
    #[serde(skip)]
    begun: Vec<Finding>,
    /// Names and flows that were not looked at for calls and findings: there was no room.
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) unnoted: u64,
}

impl Watched {
    /// All of it as events, in order of time: of each finding its first word and its last.
    pub(super) fn events(&self) -> Vec<Event> {
        let calls = self.calls.iter().cloned();
        let findings = self.begun.iter().chain(&self.findings).cloned();
        let mut events: Vec<_> = calls
            .map(|call| (call.time, Event::Call(call)))
            .chain(findings.map(|finding| (finding.time, Event::Finding(finding))))
            .collect();
        events.sort_by_key(|(time, _)| *time);
        events.into_iter().map(|(_, event)| event).collect()
    }
}

/// What all shards noted together.
pub(super) fn told(shards: Vec<Noted>, desk: &Desk) -> Watched {
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
    let (begun, findings) = findings(said, desk, catalogue);
    Watched {
        calls: records,
        findings,
        begun,
        unnoted: left_out + calls.dropped(),
    }
}

/// The first and the last word on every finding of the captures. When hits between the first and
/// the last came is not remembered: there is no word on them.
fn findings(
    mut said: Vec<Said>,
    desk: &Desk,
    catalogue: &Catalogue,
) -> (Vec<Finding>, Vec<Finding>) {
    // Several shards may have noted the same: together they are what one would have noted.
    let what = |said: &Said| (said.client, said.name.clone(), said.source);
    said.sort_by_cached_key(|said| (what(said), said.first_ns, said.destination));
    said.dedup_by(|later, first| {
        let is_same = what(later) == what(first);
        if is_same {
            first.merge(later);
        }
        is_same
    });
    let seen = said.into_iter().flat_map(|said| {
        let again = (said.times > 1).then_some((said.last_ns, said.times - 1));
        let times = std::iter::once((said.first_ns, 1)).chain(again);
        let said = Arc::new(said);
        times.map(move |(time_ns, times)| (time_ns, times, Arc::clone(&said)))
    });
    let mut seen: Vec<_> = seen.collect();
    seen.sort_by(|(a_ns, _, a), (b_ns, _, b)| {
        let order = |said: &Said| (said.client, said.source, said.destination);
        let by_time = a_ns.cmp(b_ns).then_with(|| order(a).cmp(&order(b)));
        by_time.then_with(|| a.name.cmp(&b.name))
    });
    let mut known: HashMap<Box<str>, Option<Matter>> = HashMap::new();
    let mut findings = Findings::default();
    let mut last = jiff::Timestamp::UNIX_EPOCH;
    let policy = &desk.judge.policy;
    let mut told = Vec::new();
    for (time_ns, times, said) in seen {
        let matter = known
            .entry(said.name.clone())
            .or_insert_with(|| Matter::of(catalogue, &said.name));
        let (Some(matter), Some(time)) = (matter.clone(), timestamp(time_ns)) else {
            continue;
        };
        last = last.max(time);
        let zone = match policy.zone_of(said.client) {
            0 => desk.zone,
            zone => zone,
        };
        told.extend(findings.hit(Hit {
            time,
            times,
            client: said.client,
            zone: (zone != 0).then(|| Arc::from(policy.zone_name(zone))),
            name: said.name.clone().into(),
            seen_by: said.source.name().into(),
            destination: said.destination,
            matter,
        }));
    }
    told.extend(findings.flush(last));
    told.retain(|finding| finding.activity != Activity::Update);
    told.into_iter()
        .partition(|finding| finding.activity == Activity::Create)
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
            let asked = |name: &'static str| (name, NameSource::Query);
            noted.note(0, client, asked("grabify.link"), None, 5 * SECOND_NS);
            noted.note(1, client, asked("www.service-public.fr"), None, SECOND_NS);
        }
        let watched = told(vec![one, other], &desk());
        assert_eq!(watched.unnoted, 0);
        let (calls, findings, begun) = (&watched.calls, &watched.findings, &watched.begun);
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
        assert_eq!((begun.len(), begun[0].count), (1, 1));
        assert_eq!(begun[0].id, findings[0].id);
        let kinds: Vec<_> = watched.events().iter().map(Event::kind).collect();
        let finding = octroi_events::EventKind::Finding;
        assert_eq!(kinds, [finding, finding, octroi_events::EventKind::Call]);
    }

    #[test]
    fn a_finding_lasts_from_its_first_hit_to_its_last() {
        let client: IpAddr = "10.0.0.9".parse().unwrap();
        let mut noted = Noted::default();
        for at_s in [7_000, 100, 40] {
            let asked = ("grabify.link", NameSource::Query);
            noted.note(0, client, asked, None, at_s * SECOND_NS);
        }
        // More findings than are open at once: none is lost.
        for number in 0..octroi_events::finding::OPEN {
            let client = IpAddr::from([10, 1, number.to_be_bytes()[6], number.to_be_bytes()[7]]);
            let said = ("iplogger.org", NameSource::Sni);
            let lane = u8::try_from(number % 16).unwrap();
            noted.note(lane, client, said, None, 50 * SECOND_NS);
        }
        let watched = told(vec![noted], &desk());
        let of_client = |list: &[Finding]| -> Vec<Finding> {
            let of_client = list.iter().filter(|finding| finding.client == client);
            of_client.cloned().collect()
        };
        let (begun, ended) = (of_client(&watched.begun), of_client(&watched.findings));
        let seconds = |finding: &Finding| (finding.first.as_second(), finding.last.as_second());
        assert_eq!(begun.len(), ended.len());
        assert_eq!(ended.iter().map(|finding| finding.count).sum::<u64>(), 3);
        assert_eq!(seconds(&begun[0]), (40, 40));
        assert_eq!(
            ended.iter().map(seconds).map(|(_, last)| last).max(),
            Some(7_000)
        );
        assert_eq!(watched.findings.len(), watched.begun.len());
        assert!(watched.findings.len() > octroi_events::finding::OPEN);
    }

    #[test]
    fn what_a_shard_notes_is_bounded() {
        let mut noted = Noted::default();
        let client: IpAddr = "10.0.0.9".parse().unwrap();
        let mut note = |lane: u8, name: u32| {
            let name = name.to_string();
            noted.note(lane, client, (&name, NameSource::Query), None, 1);
            (noted.said.len(), noted.left_out)
        };
        let full = NAMES as usize;
        let last = (0..NAMES + 3).map(|number| note(5, number)).last();
        assert_eq!(last, Some((full, 3)));
        assert_eq!(note(5, 0), (full, 3), "a name that is known needs no room");
        assert_eq!(note(6, 0), (full + 1, 3), "another lane has room");
    }
}
