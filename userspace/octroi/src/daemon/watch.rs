//! What names and flows tell beyond their verdicts: tracking links, and calls of people.

use std::collections::HashSet;
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use octroi_events::call::{Call, CallOptions, Calls, Leg, ServiceOf};
use octroi_events::finding::{Acknowledgement, Hit, Matter};
use octroi_events::{CallRecord, Finding, Findings, Verdict};
use octroi_inspect::flow;
use octroi_inspect::name::{NameEvent, NameSource};
use octroi_policy::{Policy, service_behind};

use super::clock::Clock;
use super::registry::{LiveFlow, address};
use crate::config::CallsConfig;
use crate::judge::Judge;

/// Names remembered as ordinary, so that each is compared with the tracking links once.
const ORDINARY: usize = 65_536;
const UDP: u8 = 17;

/// Live flows that are listed as parts of running calls; of more, some calls lack a part.
const RUNNING: usize = 16_384;

/// Live flows with media.
pub(super) struct Media {
    options: CallOptions,
    /// Who has some, by what their addresses belong to.
    live: HashSet<(IpAddr, Option<Arc<str>>)>,
    /// Those that may be parts of calls.
    legs: Vec<Leg>,
    /// Of these, more than are listed.
    surplus: u64,
}

impl Media {
    /// Notes which of some live flows may be media of a call.
    pub(super) fn note<'a>(&mut self, judge: &Judge, flows: impl Iterator<Item = &'a LiveFlow>) {
        for flow in flows.filter(|flow| may_be_media(self.options, flow)) {
            let leg = leg(judge, flow);
            let service = leg.service.as_ref().map(|service| Arc::clone(&service.id));
            self.live.insert((leg.client, service));
            if !leg.is_media(self.options) {
                continue;
            }
            if self.legs.len() < RUNNING {
                self.legs.push(leg);
            } else {
                self.surplus += 1;
            }
        }
    }
}

/// Watches.
#[derive(Default)]
pub(super) struct Watch {
    calls: Calls,
    told_calls: u64,
    running: Vec<CallRecord>,
    unlisted: u64,
    findings: Findings,
    ordinary: HashSet<u64>,
    hasher: std::hash::RandomState,
}

impl Watch {
    /// Watches with these words for a call.
    pub(super) fn new(config: CallsConfig) -> Self {
        Self {
            calls: Calls::new(CallOptions {
                least_seconds: config.least_s,
                gap_s: config.gap_s,
            }),
            ..Self::default()
        }
    }

    /// No flows with media yet.
    pub(super) fn media(&self) -> Media {
        Media {
            options: self.calls.options(),
            live: HashSet::new(),
            legs: Vec::new(),
            surplus: 0,
        }
    }

    /// Calls told since the daemon started, and what could not be kept of them.
    pub(super) fn calls(&self) -> (u64, u64) {
        (self.told_calls, self.calls.dropped() + self.unlisted)
    }

    /// The calls that are not over, as far as they had come at the last sweep.
    pub(super) fn running(&self) -> &[CallRecord] {
        &self.running
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
        if may_be_media(self.calls.options(), flow) {
            self.calls.ended(leg(judge, flow));
        }
    }

    /// The calls that are over: no flow of theirs lives. Those that run are noted.
    pub(super) fn over(&mut self, judge: &Judge, clock: &Clock, media: Media) -> Vec<CallRecord> {
        let calls = if self.calls.is_empty() {
            Vec::new()
        } else {
            self.calls.over(clock.monotonic_ns(), |client, service| {
                let of = |service| media.live.contains(&(client, service));
                of(None) || of(Some(Arc::clone(service)))
            })
        };
        self.told_calls += calls.len() as u64;
        self.running = records(self.calls.running(media.legs), judge, clock);
        self.unlisted = media.surplus;
        records(calls, judge, clock)
    }

    /// Every call that is left: no flow lives.
    pub(super) fn last(&mut self, judge: &Judge, clock: &Clock) -> Vec<CallRecord> {
        let calls = self.calls.flush();
        self.running.clear();
        self.told_calls += calls.len() as u64;
        records(calls, judge, clock)
    }

    /// Somebody looks into a finding.
    pub(super) fn acknowledge(&mut self, id: u64, by: &str) -> Acknowledgement {
        self.findings.acknowledge(id, by, Timestamp::now())
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

/// Whether a flow has the packets of media.
fn may_be_media(options: CallOptions, flow: &LiveFlow) -> bool {
    let state = &flow.state;
    flow.key.protocol == UDP
        && state.outbound_packets + state.reply_packets >= options.least_packets()
}

/// A flow as a part of a call.
fn leg(judge: &Judge, flow: &LiveFlow) -> Leg {
    let state = &flow.state;
    Leg {
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
    }
}

fn records(calls: Vec<(u64, Call)>, judge: &Judge, clock: &Clock) -> Vec<CallRecord> {
    let now = Timestamp::now();
    let record = |(start_ns, call): (u64, Call)| {
        CallRecord::new(call, now, clock.at(start_ns), judge.atlas.catalogue())
    };
    calls.into_iter().map(record).collect()
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
