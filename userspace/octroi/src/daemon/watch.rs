//! What names and flows tell beyond their verdicts: tracking links, and calls of people.

use std::collections::HashSet;
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use octroi_events::call::{Call, Calls, Leg, ServiceOf};
use octroi_events::finding::{Hit, Matter};
use octroi_events::{CallRecord, Finding, Findings, Verdict};
use octroi_inspect::flow;
use octroi_inspect::name::{NameEvent, NameSource};
use octroi_policy::{Policy, service_behind};

use super::clock::Clock;
use super::registry::{LiveFlow, address};
use crate::judge::Judge;

/// Names remembered as ordinary, so that each is compared with the tracking links once.
const ORDINARY: usize = 65_536;
/// Packets from which a live flow may be the rest of a call: twenty seconds at thirty a second.
const MANY_PACKETS: u64 = 600;
const UDP: u8 = 17;

/// Who has live flows with media, by what their addresses belong to.
#[derive(Default)]
pub(super) struct Media(HashSet<(IpAddr, Option<Arc<str>>)>);

impl Media {
    /// Notes which of some live flows may be media of a call.
    pub(super) fn note<'a>(&mut self, judge: &Judge, flows: impl Iterator<Item = &'a LiveFlow>) {
        let many = |flow: &&LiveFlow| {
            let state = &flow.state;
            flow.key.protocol == UDP && state.outbound_packets + state.reply_packets >= MANY_PACKETS
        };
        self.0.extend(flows.filter(many).map(|flow| {
            let service = service_of(judge, flow).map(|service| service.id);
            (address(flow.key.inside, flow.key.family), service)
        }));
    }
}

/// Watches.
#[derive(Default)]
pub(super) struct Watch {
    calls: Calls,
    told_calls: u64,
    findings: Findings,
    ordinary: HashSet<u64>,
    hasher: std::hash::RandomState,
}

impl Watch {
    /// Calls told since the daemon started, and what could not be kept of them.
    pub(super) fn calls(&self) -> (u64, u64) {
        (self.told_calls, self.calls.dropped())
    }

    /// The findings.
    pub(super) fn findings(&self) -> &Findings {
        &self.findings
    }

    /// A name was asked for or said: what is to be told of it at once.
    pub(super) fn heard(&mut self, judge: &Judge, event: &NameEvent) -> Vec<Finding> {
        if event.source == NameSource::Nameless {
            return Vec::new();
        }
        let catalogue = judge.atlas.catalogue();
        let client = flow::inside(&event.key);
        if event.source.names_destination()
            && let Some((service, name)) = service_behind(catalogue, &event.name, &event.chain)
            && let Some(service) = ServiceOf::of(service)
        {
            self.calls.signalled(client, service, name, event.time_ns);
        }
        let destination = event.source.names_destination();
        let destination = destination.then(|| flow::outside(&event.key));
        self.compared(judge, client, &event.name, event.source, destination)
    }

    /// A name was asked for in DNS: what is to be told of it at once.
    pub(super) fn asked(&mut self, judge: &Judge, client: IpAddr, name: &str) -> Vec<Finding> {
        self.compared(judge, client, name, NameSource::Query, None)
    }

    fn compared(
        &mut self,
        judge: &Judge,
        client: IpAddr,
        name: &str,
        source: NameSource,
        destination: Option<IpAddr>,
    ) -> Vec<Finding> {
        let digest = self.hasher.hash_one(name);
        if self.ordinary.contains(&digest) {
            return Vec::new();
        }
        let Some(matter) = Matter::of(judge.atlas.catalogue(), name) else {
            if self.ordinary.len() >= ORDINARY {
                self.ordinary.clear();
            }
            self.ordinary.insert(digest);
            return Vec::new();
        };
        self.findings.hit(Hit {
            time: Timestamp::now(),
            times: 1,
            client,
            zone: zone(&judge.policy, judge.policy.zone_of(client)),
            name: name.into(),
            seen_by: source.name().into(),
            destination,
            matter,
        })
    }

    /// A flow ended: it may have been part of a call.
    pub(super) fn ended(&mut self, judge: &Judge, flow: &LiveFlow) {
        let state = &flow.state;
        if flow.key.protocol != UDP || state.outbound_packets + state.reply_packets < MANY_PACKETS {
            return;
        }
        self.calls.ended(Leg {
            flow_id: flow.id,
            client: address(flow.key.inside, flow.key.family),
            zone: zone(&judge.policy, state.zone),
            destination: address(flow.key.outside, flow.key.family),
            protocol: flow.key.protocol,
            speaks: flow.app.map(|app| app.name().into()),
            service: service_of(judge, flow),
            first_ns: state.first_ns,
            last_ns: state.last_ns,
            outbound: (state.outbound_packets, state.outbound_bytes),
            reply: (state.reply_packets, state.reply_bytes),
            verdict: Verdict::from_code(state.verdict).unwrap_or(Verdict::Block),
            enforced: state.flags & octroi_abi::flow::ENFORCED != 0,
        });
    }

    /// The calls that are over: no flow of theirs lives.
    pub(super) fn over(&mut self, judge: &Judge, clock: &Clock, live: &Media) -> Vec<CallRecord> {
        if self.calls.is_empty() {
            return Vec::new();
        }
        let calls = self.calls.over(clock.monotonic_ns(), |client, service| {
            let of = |service| live.0.contains(&(client, service));
            of(None) || of(Some(Arc::clone(service)))
        });
        self.told(calls, judge, clock)
    }

    /// Every call that is left: no flow lives.
    pub(super) fn last(&mut self, judge: &Judge, clock: &Clock) -> Vec<CallRecord> {
        let calls = self.calls.flush();
        self.told(calls, judge, clock)
    }

    fn told(&mut self, calls: Vec<(u64, Call)>, judge: &Judge, clock: &Clock) -> Vec<CallRecord> {
        self.told_calls += calls.len() as u64;
        let record = |(start_ns, call): (u64, Call)| {
            let start = clock.at(start_ns);
            CallRecord::new(call, Timestamp::now(), start, judge.atlas.catalogue())
        };
        calls.into_iter().map(record).collect()
    }

    /// Findings of which something is due. To be called now and then.
    pub(super) fn expire(&mut self) -> Vec<Finding> {
        self.findings.expire(Timestamp::now())
    }

    /// The daemon stops: the last word on every finding.
    pub(super) fn close(&mut self) -> Vec<Finding> {
        self.findings.flush(Timestamp::now())
    }
}

/// The service with calls that an address belongs to.
fn service_of(judge: &Judge, flow: &LiveFlow) -> Option<ServiceOf> {
    let service = judge.atlas.profile(flow.state.class).service.as_deref()?;
    judge
        .atlas
        .catalogue()
        .service(service)
        .and_then(ServiceOf::of)
}

fn zone(policy: &Policy, number: u8) -> Option<Arc<str>> {
    (number != 0).then(|| policy.zone_name(number).into())
}
