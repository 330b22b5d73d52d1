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
use super::reason;
use super::registry::{LiveFlow, address, tcp_closed};
use crate::judge::Judge;

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
        asn: judge.asn_of(destination).map(|info| info.number),
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
pub(super) fn flows_page(engine: &Engine, filter: &Filter, sort: Sort, limit: usize) -> FlowsPage {
    let now = jiff::Timestamp::now();
    let mut rows: Vec<FlowRow> = engine
        .registry
        .iter()
        .map(|flow| flow_row(engine, flow))
        .filter(|row| filter.matches(&At { row, now }))
        .collect();
    let matching = rows.len() as u64;
    let outbound_rate = rows.iter().map(|row| row.outbound_rate).sum();
    let reply_rate = rows.iter().map(|row| row.reply_rate).sum();
    rows.sort_unstable_by(|a, b| order(a, b, sort));
    rows.truncate(limit);
    FlowsPage {
        now,
        live: engine.registry.len() as u64,
        matching,
        outbound_rate,
        reply_rate,
        rows,
    }
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
pub(super) fn jurisdictions_page(engine: &Engine, filter: &Filter) -> JurisdictionsPage {
    type Pair = (
        Option<CountryCode>,
        HostingConfidence,
        Option<CountryCode>,
        Reach,
    );
    let now = jiff::Timestamp::now();
    let mut pairs: HashMap<Pair, (JurisdictionRow, HashMap<Arc<str>, u64>)> = HashMap::new();
    let rows = engine.registry.iter().map(|flow| flow_row(engine, flow));
    for row in rows.filter(|row| filter.matches(&At { row, now })) {
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
            (None, None) => continue,
        };
        *operators.entry(operator).or_default() += row.bytes();
    }
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

/// Flows that each rule decided, and flows from each zone, for the policy's view.
pub(super) fn tallies(engine: &Engine, judge: &Judge) -> (Vec<u64>, Vec<u64>) {
    let mut rules = vec![0; judge.policy.rules.len()];
    let mut zones = vec![0; judge.policy.zones.len()];
    for flow in engine.registry.iter() {
        if let Some(count) = rules.get_mut(usize::from(flow.state.rule)) {
            *count += 1;
        }
        let zone = usize::from(flow.state.zone).checked_sub(1);
        if let Some(count) = zone.and_then(|zone| zones.get_mut(zone)) {
            *count += 1;
        }
    }
    (rules, zones)
}
