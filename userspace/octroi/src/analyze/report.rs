//! What an analysis found, as values: what the text and the JSON output print.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use jiff::Timestamp;
use octroi_events::Residency;
use octroi_geo_db::catalogue::Language;
use octroi_geo_db::profile::Profile;
use octroi_inspect::survey::{Counts, Survey};
use octroi_policy::{Decision, Opaque, Verdict};
use serde::Serialize;

use super::flow_line::FlowLine;
use super::judged::{Desk, control, hosting};
use super::names::NameLine;

/// Most different alerts told apart.
const MAX_ALERTS: usize = 16_384;

/// Everything an analysis found.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) policy: String,
    pub(crate) policy_sha256: String,
    pub(crate) mode: &'static str,
    pub(crate) atlas: String,
    /// Day of the evaluation.
    pub(crate) at: String,
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
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) names: Vec<NameLine>,
    #[serde(skip)]
    tables: Tables,
    #[serde(skip)]
    rows: usize,
}

#[derive(Debug, Default)]
struct Tables {
    jurisdictions: BTreeMap<Jurisdiction, Sum>,
    without_flow: BTreeMap<(u8, u8, bool), Sum>,
    alerts: HashMap<AlertKey, AlertLine>,
    alerts_not_held: u64,
}

/// Hosting, control, verdict code, enforced.
type Jurisdiction = (String, String, u8, bool);

#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    flows: u64,
    packets: u64,
    bytes: u64,
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
    verdict: &'static str,
    rule: String,
    zone: String,
    destination: String,
}

impl Report {
    pub(super) fn new(desk: &Desk, rows: usize) -> Self {
        let policy = &desk.judge.policy;
        Self {
            policy: policy.name.clone(),
            policy_sha256: policy.sha256.clone(),
            mode: policy.mode.name(),
            atlas: desk.judge.atlas.meta().version.clone(),
            at: desk.at.to_string(),
            captures: Vec::new(),
            jurisdictions: Vec::new(),
            without_flow: Vec::new(),
            flows: Vec::new(),
            flows_left_out: 0,
            alerts: Vec::new(),
            alerts_left_out: 0,
            names: Vec::new(),
            tables: Tables::default(),
            rows,
        }
    }

    pub(super) fn count(
        &mut self,
        profile: &Profile,
        decision: &Decision,
        packets: u64,
        bytes: u64,
    ) {
        let cell = (
            hosting(profile),
            control(profile),
            decision.verdict.code(),
            decision.enforced,
        );
        let sum = self.tables.jurisdictions.entry(cell).or_default();
        sum.flows += 1;
        sum.packets += packets;
        sum.bytes += bytes;
    }

    pub(super) fn count_without_flow(
        &mut self,
        opaque: Opaque,
        decision: &Decision,
        wire_bytes: u32,
    ) {
        let cell = (opaque.code(), decision.verdict.code(), decision.enforced);
        let sum = self.tables.without_flow.entry(cell).or_default();
        sum.packets += 1;
        sum.bytes += u64::from(wire_bytes);
    }

    pub(super) fn alert(&mut self, key: AlertKey, line: &FlowLine) {
        let alerts = &mut self.tables.alerts;
        if alerts.len() >= MAX_ALERTS && !alerts.contains_key(&key) {
            self.tables.alerts_not_held += 1;
            return;
        }
        let destination = key.destination.clone();
        let alert = alerts.entry(key).or_insert_with(|| AlertLine {
            verdict: line.verdict,
            enforced: line.enforced,
            rule: line.rule.clone(),
            zone: line.zone.clone(),
            destination,
            flows: 0,
            bytes: 0,
            first: line.clone(),
            residency: None,
        });
        alert.flows += 1;
        alert.bytes += line.bytes();
    }

    /// Keeps a flow when it is among the largest.
    pub(super) fn keep(&mut self, line: FlowLine) {
        self.flows.push(line);
        // Sorting when twice the rows are there costs little for each flow.
        if self.flows.len() >= self.rows.saturating_mul(2) {
            self.cut_flows();
        }
    }

    fn cut_flows(&mut self) {
        self.flows
            .sort_by_key(|line| std::cmp::Reverse(line.bytes()));
        let over = self.flows.len().saturating_sub(self.rows);
        self.flows_left_out += over as u64;
        self.flows.truncate(self.rows);
    }

    /// Puts the lists in order and adds the reasons of the alerts that are told.
    pub(super) fn explain(&mut self, desk: &Desk) {
        self.cut_flows();
        let tables = std::mem::take(&mut self.tables);
        self.jurisdictions = tables
            .jurisdictions
            .into_iter()
            .map(
                |((hosting, control, verdict, enforced), sum)| JurisdictionLine {
                    hosting,
                    control,
                    verdict: verdict_name(verdict),
                    enforced,
                    flows: sum.flows,
                    packets: sum.packets,
                    bytes: sum.bytes,
                },
            )
            .collect();
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
        });
        let over = self.alerts.len().saturating_sub(self.rows);
        self.alerts_left_out = over as u64 + tables.alerts_not_held;
        self.alerts.truncate(self.rows);
        for alert in &mut self.alerts {
            let question = alert.first.question(desk);
            alert.residency = Some(desk.judge.residency(&question, Language::En));
        }
    }
}

impl AlertKey {
    pub(super) fn of(line: &FlowLine) -> Self {
        Self {
            verdict: line.verdict,
            rule: line.rule.clone(),
            zone: line.zone.clone(),
            destination: line.destination_text(),
        }
    }
}

impl CaptureLine {
    pub(super) fn new(path: &Path, survey: &Survey, error: Option<anyhow::Error>) -> Self {
        let counts = survey.counts();
        Self {
            capture: path.display().to_string(),
            packets: counts.packets,
            bytes: counts.wire_bytes,
            flows: counts.tuples,
            first: counts.first_ns.and_then(timestamp),
            last: counts.first_ns.and_then(|_| timestamp(counts.last_ns)),
            error: error.map(|error| format!("{error:#}")),
            notes: notes(counts, survey),
        }
    }
}

/// What should be known of a capture beside its numbers.
fn notes(counts: &Counts, survey: &Survey) -> Vec<String> {
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
    let stats = survey.namer_stats();
    let given_up = stats.streams_too_long + stats.memory_refused + stats.flows_evicted;
    if given_up > 0 {
        notes.push(format!(
            "names may be missing: {} flows were forgotten and {} streams given up to stay \
             within the memory bounds",
            stats.flows_evicted,
            stats.streams_too_long + stats.memory_refused
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
