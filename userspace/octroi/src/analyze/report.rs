//! What an analysis found, as values: what the text and the JSON output print.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

use foldhash::fast::RandomState;
use jiff::Timestamp;
use octroi_events::Residency;
use octroi_geo_db::catalogue::Language;
use octroi_geo_db::profile::{CountryCode, HostingConfidence, Profile, Reach, SpecialUse};
use octroi_inspect::flow::Flow;
use octroi_inspect::survey::{Counts, Naming};
use octroi_policy::{Decision, Opaque, Verdict};
use serde::Serialize;

use super::desk::Desk;
use super::flow_line::FlowLine;
use super::judged::{Answer, Ends, control, hosting};
use super::names::NameLine;
use super::pipeline::Outcome;
use super::places::{Destination, DestinationLine, Places, ServiceLine};
use super::room::Room;
use super::watch::Watched;

/// Most different alerts told apart in one lane: how many there are of all must not depend on which
/// worker had which lanes.
const MAX_ALERTS: u32 = 512;

/// Everything an analysis found.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) policy: String,
    pub(crate) policy_sha256: String,
    pub(crate) mode: &'static str,
    pub(crate) atlas: String,
    /// Day on which the catalogue's facts were checked.
    pub(crate) catalogue_as_of: String,
    /// Day of the evaluation.
    pub(crate) at: String,
    /// The filter, when there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) filter: Option<String>,
    pub(crate) captures: Vec<CaptureLine>,
    pub(crate) jurisdictions: Vec<JurisdictionLine>,
    /// Packets that no flow could be made of.
    pub(crate) without_flow: Vec<OpaqueLine>,
    /// The largest flows, by bytes.
    pub(crate) flows: Vec<FlowLine>,
    /// Flows that are not in the list.
    pub(crate) flows_left_out: u64,
    /// Decisions a SOC should see, folded; the most frequent.
    pub(crate) alerts: Vec<AlertLine>,
    /// Alerts (folded) that are not in the list.
    pub(crate) alerts_left_out: u64,
    /// Names, or addresses without one, by bytes.
    pub(crate) destinations: Vec<DestinationLine>,
    /// Destinations that are not in the list, as far as they were told apart.
    pub(crate) destinations_left_out: u64,
    /// Services of the catalogue, by bytes.
    pub(crate) services: Vec<ServiceLine>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) names: Vec<NameLine>,
    /// Calls of people, and tracking links.
    #[serde(flatten)]
    pub(crate) watched: Watched,
    /// Bounds that were reached, and what is missing because of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) bounds: Vec<String>,
    /// Flows that the filter left out of everything but the captures' own numbers.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) left_out_by_filter: u64,
    /// Flows to destinations that were not told apart.
    #[serde(skip)]
    destinations_not_held: u64,
    /// Observations of names that had no room.
    #[serde(skip)]
    pub(super) names_left_out: u64,
    #[serde(skip)]
    pub(super) places: Places,
    #[serde(skip)]
    tables: Tables,
    #[serde(skip)]
    room_for_alerts: Room,
    #[serde(skip)]
    rows: usize,
    /// Bytes that a flow must have to come into the list.
    #[serde(skip)]
    least_bytes: u64,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
pub(super) fn is_zero(count: &u64) -> bool {
    *count == 0
}

#[derive(Debug, Default)]
struct Tables {
    jurisdictions: HashMap<Jurisdiction, Sum, RandomState>,
    without_flow: BTreeMap<(u8, u8, bool), Sum>,
    alerts: HashMap<AlertKey, AlertLine, RandomState>,
    alerts_not_held: u64,
}

/// What makes a cell of the jurisdiction table, before it is put in words.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Jurisdiction {
    special: Option<SpecialUse>,
    hosting: Option<CountryCode>,
    confidence: HostingConfidence,
    control: Option<CountryCode>,
    reach: Reach,
    verdict: u8,
    enforced: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    flows: u64,
    packets: u64,
    bytes: u64,
}

impl Sum {
    fn add(&mut self, other: Self) {
        self.flows += other.flows;
        self.packets += other.packets;
        self.bytes += other.bytes;
    }
}

/// One capture.
#[derive(Debug, Serialize)]
pub(crate) struct CaptureLine {
    pub(crate) capture: String,
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    /// Distinct five-tuples.
    pub(crate) flows: u64,
    pub(crate) first: Option<Timestamp>,
    pub(crate) last: Option<Timestamp>,
    /// Why it was not read to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
    /// What should be known of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) notes: Vec<String>,
    /// Of the notes, those on bounds that were reached.
    #[serde(skip)]
    bounds: Vec<String>,
}

/// One cell of the jurisdiction table.
#[derive(Debug, Serialize)]
pub(crate) struct JurisdictionLine {
    pub(crate) hosting: String,
    pub(crate) control: String,
    pub(crate) verdict: &'static str,
    pub(crate) enforced: bool,
    pub(crate) flows: u64,
    pub(crate) packets: u64,
    /// From the IP header on.
    pub(crate) bytes: u64,
}

/// Packets that no flow could be made of, by kind.
#[derive(Debug, Serialize)]
pub(crate) struct OpaqueLine {
    pub(crate) opaque: &'static str,
    pub(crate) verdict: &'static str,
    pub(crate) enforced: bool,
    pub(crate) packets: u64,
    /// On the wire.
    pub(crate) bytes: u64,
}

/// Decisions of one kind about one destination.
#[derive(Debug, Serialize)]
pub(crate) struct AlertLine {
    pub(crate) verdict: &'static str,
    pub(crate) enforced: bool,
    pub(crate) rule: String,
    pub(crate) zone: String,
    /// Name, or address.
    pub(crate) destination: String,
    /// Flows it tells of.
    pub(crate) flows: u64,
    pub(crate) bytes: u64,
    /// The first of them.
    pub(crate) first: FlowLine,
    /// The whole reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) residency: Option<Residency>,
}

/// What is told as one alert.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct AlertKey {
    /// The lane of its flows; 0 once those of all lanes are added up.
    lane: u8,
    verdict: u8,
    rule: u16,
    zone: u8,
    destination: Destination,
}

impl Report {
    pub(super) fn new(desk: &Desk, rows: usize) -> Self {
        let policy = &desk.judge.policy;
        Self {
            policy: policy.name.clone(),
            policy_sha256: policy.sha256.clone(),
            mode: policy.mode.name(),
            atlas: desk.judge.atlas.meta().version.clone(),
            catalogue_as_of: desk.judge.atlas.catalogue().as_of().to_string(),
            at: desk.at.to_string(),
            filter: None,
            captures: Vec::new(),
            jurisdictions: Vec::new(),
            without_flow: Vec::new(),
            flows: Vec::new(),
            flows_left_out: 0,
            alerts: Vec::new(),
            alerts_left_out: 0,
            destinations: Vec::new(),
            destinations_left_out: 0,
            services: Vec::new(),
            names: Vec::new(),
            watched: Watched::default(),
            bounds: Vec::new(),
            destinations_not_held: 0,
            names_left_out: 0,
            places: Places::default(),
            left_out_by_filter: 0,
            tables: Tables::default(),
            room_for_alerts: Room::new(MAX_ALERTS),
            rows,
            least_bytes: 0,
        }
    }

    pub(super) fn count(&mut self, answer: &Answer, packets: u64, bytes: u64) {
        let profile: &Profile = &answer.profile;
        let cell = Jurisdiction {
            special: profile.special,
            hosting: profile.hosting.country,
            confidence: profile.hosting.confidence,
            control: profile.control.country,
            reach: profile.control.reach,
            verdict: answer.decision.verdict.code(),
            enforced: answer.decision.enforced,
        };
        self.tables.jurisdictions.entry(cell).or_default().add(Sum {
            flows: 1,
            packets,
            bytes,
        });
    }

    pub(super) fn count_without_flow(
        &mut self,
        opaque: Opaque,
        decision: &Decision,
        wire_bytes: u32,
    ) {
        let cell = (opaque.code(), decision.verdict.code(), decision.enforced);
        self.tables.without_flow.entry(cell).or_default().add(Sum {
            flows: 0,
            packets: 1,
            bytes: u64::from(wire_bytes),
        });
    }

    /// Counts a flow that a SOC should see; its line is made for the first of its kind only.
    pub(super) fn alert(&mut self, key: AlertKey, bytes: u64, make: impl FnOnce() -> FlowLine) {
        let lane = key.lane;
        let alert = match self.tables.alerts.entry(key) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(_) if !self.room_for_alerts.take(lane) => {
                self.tables.alerts_not_held += 1;
                return;
            }
            Entry::Vacant(place) => {
                let first = make();
                place.insert(AlertLine {
                    verdict: first.verdict,
                    enforced: first.enforced,
                    rule: first.rule.clone(),
                    zone: first.zone.clone(),
                    destination: first.destination_text(),
                    flows: 0,
                    bytes: 0,
                    first,
                    residency: None,
                })
            }
        };
        alert.flows += 1;
        alert.bytes += bytes;
    }

    /// Whether a flow of so many bytes may come into the list of the largest.
    pub(super) fn wants(&self, bytes: u64) -> bool {
        bytes >= self.least_bytes
    }

    /// Keeps a flow when it is among the largest.
    pub(super) fn keep(&mut self, line: FlowLine) {
        self.flows.push(line);
        // Sorting when twice the rows are there costs little for each flow.
        if self.flows.len() >= self.rows.saturating_mul(2) {
            self.cut_flows();
        }
    }

    /// Counts a flow that is not among the largest.
    pub(super) fn leave_out(&mut self) {
        self.flows_left_out += 1;
    }

    fn cut_flows(&mut self) {
        self.flows
            .sort_by_key(|line| (std::cmp::Reverse(line.bytes()), line.order()));
        let over = self.flows.len().saturating_sub(self.rows);
        self.flows_left_out += over as u64;
        self.flows.truncate(self.rows);
        if self.flows.len() >= self.rows {
            self.least_bytes = self.flows.last().map_or(0, FlowLine::bytes);
        }
    }

    /// Adds what another shard found.
    pub(super) fn add(&mut self, other: Self) {
        self.flows_left_out += other.flows_left_out;
        self.left_out_by_filter += other.left_out_by_filter;
        self.places.merge(other.places);
        for line in other.flows {
            self.keep(line);
        }
        let tables = &mut self.tables;
        for (cell, sum) in other.tables.jurisdictions {
            tables.jurisdictions.entry(cell).or_default().add(sum);
        }
        for (cell, sum) in other.tables.without_flow {
            tables.without_flow.entry(cell).or_default().add(sum);
        }
        tables.alerts_not_held += other.tables.alerts_not_held;
        for (key, alert) in other.tables.alerts {
            let key = AlertKey { lane: 0, ..key };
            match tables.alerts.entry(key) {
                Entry::Vacant(place) => {
                    place.insert(alert);
                }
                Entry::Occupied(mut known) => known.get_mut().merge(alert),
            }
        }
    }

    /// Puts the lists in order and, when asked for, adds the reasons of the alerts that are told.
    pub(super) fn explain(&mut self, desk: &Desk, with_reasons: bool) {
        self.cut_flows();
        self.destinations_not_held = self.places.not_held();
        (self.destinations, self.destinations_left_out) = self.places.destinations(self.rows);
        self.services = self.places.services(desk);
        let tables = std::mem::take(&mut self.tables);
        self.jurisdictions = jurisdictions(tables.jurisdictions);
        self.jurisdictions
            .sort_by_key(|line| std::cmp::Reverse((line.bytes, line.flows)));
        self.without_flow = tables
            .without_flow
            .into_iter()
            .map(|((opaque, verdict, enforced), sum)| OpaqueLine {
                opaque: Opaque::from_code(opaque).map_or("none", Opaque::name),
                verdict: verdict_name(verdict),
                enforced,
                packets: sum.packets,
                bytes: sum.bytes,
            })
            .collect();
        self.alerts = tables.alerts.into_values().collect();
        self.alerts.sort_by(|a, b| {
            let order = |alert: &AlertLine| (severity(alert.verdict), alert.flows, alert.bytes);
            order(b)
                .cmp(&order(a))
                .then_with(|| a.destination.cmp(&b.destination))
                .then_with(|| a.first.order().cmp(&b.first.order()))
        });
        let over = self.alerts.len().saturating_sub(self.rows);
        self.alerts_left_out = over as u64 + tables.alerts_not_held;
        self.alerts.truncate(self.rows);
        self.bounds = self.bounds_reached(tables.alerts_not_held);
        if !with_reasons {
            return;
        }
        for alert in &mut self.alerts {
            let question = alert.first.question(desk);
            alert.residency = Some(desk.judge.residency(&question, Language::En));
        }
    }
}

impl Report {
    /// Every bound that was reached, those of captures with their names.
    pub(super) fn bounds(&self) -> impl Iterator<Item = String> {
        let of_captures = self.captures.iter().flat_map(|line| {
            let of_capture = line.bounds.iter();
            of_capture.map(|bound| format!("{}: {bound}", line.capture))
        });
        of_captures.chain(self.bounds.iter().cloned())
    }

    /// What is missing because there was no room for it.
    fn bounds_reached(&self, alerts: u64) -> Vec<String> {
        let mut bounds = Vec::new();
        let mut note = |count: u64, what: &str| {
            if count > 0 {
                bounds.push(format!("{count} {what}"));
            }
        };
        note(
            alerts,
            "flows with alerts are not among the alerts: there were too many kinds",
        );
        note(
            self.destinations_not_held,
            "flows are not among the destinations: there were too many",
        );
        note(
            self.names_left_out,
            "observations of names are not in their list: there were too many names",
        );
        note(
            self.watched.unnoted,
            "names and flows were not looked at for calls and tracking links: there were too many",
        );
        bounds
    }
}

impl AlertLine {
    /// Adds another shard's count of the same alert.
    fn merge(&mut self, other: Self) {
        self.flows += other.flows;
        self.bytes += other.bytes;
        if other.first.order() < self.first.order() {
            self.first = other.first;
        }
    }
}

/// Cells in words. Several may read the same: special-purpose addresses have no law.
fn jurisdictions(cells: HashMap<Jurisdiction, Sum, RandomState>) -> Vec<JurisdictionLine> {
    let mut lines: BTreeMap<(String, String, u8, bool), Sum> = BTreeMap::new();
    for (cell, sum) in cells {
        let mut profile = Profile::unknown();
        profile.special = cell.special;
        profile.hosting.country = cell.hosting;
        profile.hosting.confidence = cell.confidence;
        profile.control.country = cell.control;
        profile.control.reach = cell.reach;
        let words = (
            hosting(&profile),
            control(&profile),
            cell.verdict,
            cell.enforced,
        );
        lines.entry(words).or_default().add(sum);
    }
    let line = |((hosting, control, verdict, enforced), sum): (_, Sum)| JurisdictionLine {
        hosting,
        control,
        verdict: verdict_name(verdict),
        enforced,
        flows: sum.flows,
        packets: sum.packets,
        bytes: sum.bytes,
    };
    lines.into_iter().map(line).collect()
}

impl AlertKey {
    pub(super) fn of(flow: &Flow<Naming>, ends: &Ends, decision: &Decision) -> Self {
        Self {
            lane: flow.data.lane(),
            verdict: decision.verdict.code(),
            rule: decision.rule,
            zone: ends.zone,
            destination: Destination::of(flow, ends),
        }
    }
}

impl CaptureLine {
    pub(super) fn new(capture: String, outcome: &Outcome) -> Self {
        let counts = &outcome.counts;
        Self {
            capture,
            packets: counts.packets,
            bytes: counts.wire_bytes,
            flows: outcome.tuples,
            first: counts.first_ns.and_then(timestamp),
            last: counts.first_ns.and_then(|_| timestamp(counts.last_ns)),
            error: outcome.error.as_ref().map(|error| format!("{error:#}")),
            notes: [notes(counts), bounds(outcome)].concat(),
            bounds: bounds(outcome),
        }
    }
}

/// What should be known of a capture beside its numbers.
fn notes(counts: &Counts) -> Vec<String> {
    let mut notes = Vec::new();
    for (link, packets) in &counts.unread_links {
        notes.push(format!(
            "{packets} packets of link type {link} were not read: they count as opaque (not_ip)"
        ));
    }
    if counts.inside_tunnels > 0 {
        notes.push(format!(
            "{} packets inside unencrypted tunnels were read for names; verdicts are about the \
             tunnels",
            counts.inside_tunnels
        ));
    }
    notes
}

/// Which bounds a capture reached.
fn bounds(outcome: &Outcome) -> Vec<String> {
    let mut notes = Vec::new();
    if outcome.evicted > 0 {
        notes.push(format!(
            "{} flows were ended early to stay within the memory bounds: what went on counts as \
             another flow",
            outcome.evicted
        ));
    }
    let stats = &outcome.names;
    if stats.flows + stats.streams + stats.bindings > 0 {
        notes.push(format!(
            "names may be missing: {} flows and {} addresses were forgotten and {} streams given \
             up to stay within the memory bounds",
            stats.flows, stats.bindings, stats.streams
        ));
    }
    notes
}

pub(super) fn timestamp(ns: u64) -> Option<Timestamp> {
    Timestamp::from_nanosecond(i128::from(ns)).ok()
}

fn verdict_name(code: u8) -> &'static str {
    Verdict::from_code(code).map_or("none", Verdict::name)
}

pub(super) fn severity(verdict: &str) -> u8 {
    Verdict::ALL
        .iter()
        .find(|known| known.name() == verdict)
        .map_or(0, |known| known.code())
}
