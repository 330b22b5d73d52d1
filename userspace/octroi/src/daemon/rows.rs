//! Live flows as clients list them.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use octroi_api::filter::{At, Filter};
use octroi_api::{
    FlowRow, FlowsPage, JurisdictionRow, JurisdictionsPage, Sort, SortKey, VerdictCounts,
};
use octroi_events::{FlowStage, ResidencyClass, Verdict};
use octroi_geo_db::profile::{CountryCode, HostingConfidence, Reach};
use octroi_policy::Opaque;

use super::engine::Engine;
use super::gate::Gate;
use super::reason;
use super::registry::{LiveFlow, address, tcp_closed};

/// Rows put in order at a time, at least.
const ROWS_SPARE: usize = 1_024;
/// Operators named in a jurisdiction's row.
const OPERATORS_SHOWN: usize = 5;

/// The row of a flow.
pub(super) fn flow_row(engine: &Engine, flow: &LiveFlow) -> FlowRow {
    let judge = &engine.judge;
    let state = &flow.state;
    let destination = address(flow.key.outside, flow.key.family);
    let profile = judge.profile(state.class, &flow.named());
    let opaque = Opaque::from_code(state.opaque).unwrap_or(Opaque::Malformed);
    FlowRow {
        id: flow.id,
        source: address(flow.key.inside, flow.key.family),
        destination,
        source_port: reason::port(flow.key.protocol, flow.key.inside_port),
        destination_port: reason::port(flow.key.protocol, flow.key.outside_port),
        protocol: flow.key.protocol,
        app_protocol: flow.app.map(|app| app.name().into()),
        name: reason::event_name(flow),
        naming: flow.naming,
        ech: flow.app.map(|_| flow.ech),
        zone: (state.zone != 0).then(|| judge.policy.zone_name(state.zone).into()),
        verdict: Verdict::from_code(state.verdict).unwrap_or(Verdict::Block),
        enforced: state.flags & octroi_abi::flow::ENFORCED != 0,
        rule: judge.policy.rule_name(state.rule).into(),
        opaque: (opaque != Opaque::None).then(|| opaque.name().into()),
        class: ResidencyClass::of(&profile, &judge.regions()),
        hosting: profile.hosting.country,
        confidence: profile.hosting.confidence,
        control: profile.control.country,
        reach: profile.control.reach,
        operator: profile.control.operator.clone(),
        service: profile.service.clone(),
        asn: judge.asn_number_of(destination),
        outbound_bytes: state.outbound_bytes,
        outbound_packets: state.outbound_packets,
        reply_bytes: state.reply_bytes,
        reply_packets: state.reply_packets,
        stopped_packets: state.stopped_packets,
        outbound_rate: flow.outbound_rate,
        reply_rate: flow.reply_rate,
        first: engine.clock.at(state.first_ns),
        last: engine.clock.at(state.last_ns),
        stage: stage(flow),
    }
}

/// Where a conversation stands.
pub(super) fn stage(flow: &LiveFlow) -> FlowStage {
    let state = &flow.state;
    let stopped = Verdict::from_code(state.verdict).is_none_or(Verdict::stops)
        && state.flags & octroi_abi::flow::ENFORCED != 0;
    if stopped {
        FlowStage::Stopped
    } else if flow.key.protocol == 6 && tcp_closed(state) {
        FlowStage::Closed
    } else if state.reply_packets > 0 {
        FlowStage::Established
    } else {
        FlowStage::New
    }
}

/// The flows of a filter, in order.
pub(super) fn flows_page(gate: &Gate, filter: &Filter, sort: Sort, limit: usize) -> FlowsPage {
    let now = jiff::Timestamp::now();
    let mut page = FlowsPage {
        now,
        live: 0,
        matching: 0,
        outbound_rate: 0,
        reply_rate: 0,
        rows: Vec::new(),
    };
    gate.each_flow(|engine, flow| {
        page.live += 1;
        let row = flow_row(engine, flow);
        if !filter.matches(&At { row: &row, now }) {
            return;
        }
        page.matching += 1;
        page.outbound_rate += row.outbound_rate;
        page.reply_rate += row.reply_rate;
        page.rows.push(row);
        if page.rows.len() >= 2 * limit + ROWS_SPARE {
            // No more is kept than twice what is shown.
            page.rows
                .select_nth_unstable_by(limit, |a, b| order(a, b, sort));
            page.rows.truncate(limit);
        }
    });
    page.rows.sort_unstable_by(|a, b| order(a, b, sort));
    page.rows.truncate(limit);
    page
}

fn order(a: &FlowRow, b: &FlowRow, sort: Sort) -> Ordering {
    let by_key = match sort.key {
        SortKey::Rate => a.rate().cmp(&b.rate()),
        SortKey::Bytes => a.bytes().cmp(&b.bytes()),
        SortKey::Up => a.outbound_bytes.cmp(&b.outbound_bytes),
        SortKey::Down => a.reply_bytes.cmp(&b.reply_bytes),
        SortKey::Last => a.last.cmp(&b.last),
        SortKey::Age => a.first.cmp(&b.first),
        SortKey::Verdict => a.verdict.cmp(&b.verdict),
        SortKey::Destination => destination(a).cmp(&destination(b)),
        SortKey::Source => a.source.cmp(&b.source),
        SortKey::Hosting => a.hosting.cmp(&b.hosting),
        SortKey::Control => a.control.cmp(&b.control),
        SortKey::Operator => a.operator.cmp(&b.operator),
        SortKey::Rule => a.rule.cmp(&b.rule),
    };
    let by_key = if sort.ascending {
        by_key
    } else {
        by_key.reverse()
    };
    by_key.then(a.first.cmp(&b.first)).then(a.id.cmp(&b.id))
}

fn destination(row: &FlowRow) -> (Option<&str>, std::net::IpAddr) {
    (row.name.as_ref().map(|name| &*name.text), row.destination)
}

/// Traffic by (hosting, control), most bytes first.
pub(super) fn jurisdictions_page(gate: &Gate, filter: &Filter) -> JurisdictionsPage {
    type Pair = (
        Option<CountryCode>,
        HostingConfidence,
        Option<CountryCode>,
        Reach,
    );
    let now = jiff::Timestamp::now();
    let mut pairs: HashMap<Pair, (JurisdictionRow, HashMap<Arc<str>, u64>)> = HashMap::new();
    gate.each_flow(|engine, flow| {
        let row = flow_row(engine, flow);
        if !filter.matches(&At { row: &row, now }) {
            return;
        }
        let pair = (row.hosting, row.confidence, row.control, row.reach);
        let (sum, operators) = pairs
            .entry(pair)
            .or_insert_with(|| (empty(&row), HashMap::new()));
        sum.flows += 1;
        sum.outbound_bytes += row.outbound_bytes;
        sum.reply_bytes += row.reply_bytes;
        sum.outbound_rate += row.outbound_rate;
        sum.reply_rate += row.reply_rate;
        sum.verdicts.count(row.verdict);
        let operator = match (&row.operator, row.asn) {
            (Some(operator), _) => Arc::clone(operator),
            (None, Some(asn)) => format!("AS{asn}").into(),
            (None, None) => return,
        };
        *operators.entry(operator).or_default() += row.bytes();
    });
    let mut rows: Vec<JurisdictionRow> = pairs
        .into_values()
        .map(|(mut sum, operators)| {
            sum.operators = operators.into_iter().collect();
            sum.operators
                .sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
            sum.operators.truncate(OPERATORS_SHOWN);
            sum
        })
        .collect();
    rows.sort_unstable_by(|a, b| {
        let bytes = |row: &JurisdictionRow| row.outbound_bytes + row.reply_bytes;
        let place = |row: &JurisdictionRow| (row.hosting, row.control, row.confidence, row.reach);
        bytes(b).cmp(&bytes(a)).then(place(a).cmp(&place(b)))
    });
    JurisdictionsPage { now, rows }
}

fn empty(row: &FlowRow) -> JurisdictionRow {
    JurisdictionRow {
        hosting: row.hosting,
        confidence: row.confidence,
        control: row.control,
        reach: row.reach,
        flows: 0,
        outbound_bytes: 0,
        reply_bytes: 0,
        outbound_rate: 0,
        reply_rate: 0,
        verdicts: VerdictCounts::default(),
        operators: Vec::new(),
    }
}

/// Live flows by what the policy calls them.
#[derive(Default)]
pub(super) struct Tallies {
    rules: HashMap<u16, u64>,
    zones: HashMap<u8, u64>,
}

impl Tallies {
    /// Counts.
    pub(super) fn of(gate: &Gate) -> Self {
        let mut tallies = Self::default();
        gate.each_flow(|_, flow| {
            *tallies.rules.entry(flow.state.rule).or_default() += 1;
            *tallies.zones.entry(flow.state.zone).or_default() += 1;
        });
        tallies
    }

    /// Flows that a rule decided, by its place in the policy.
    pub(super) fn of_rule(&self, place: usize) -> u64 {
        let number = u16::try_from(place).ok();
        number.map_or(0, |rule| self.rules.get(&rule).copied().unwrap_or(0))
    }

    /// Flows from a zone, by its place in the policy: the zone with number one is first.
    pub(super) fn of_zone(&self, place: usize) -> u64 {
        let number = u8::try_from(place + 1).ok();
        number.map_or(0, |zone| self.zones.get(&zone).copied().unwrap_or(0))
    }
}
