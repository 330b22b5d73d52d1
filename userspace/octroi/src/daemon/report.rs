//! How the gateway is: status and the policy in force, for clients.

use std::sync::Arc;

use octroi_abi::ABI_VERSION;
use octroi_api::{
    ApiError, AtlasStatus, ErrorCode, Health, PolicyCheck, PolicyStatus, PolicyView, RuleView,
    SourceStatus, StatusReport, ZoneView,
};
use octroi_events::{Counters, Named};
use octroi_geo_db::Atlas;
use octroi_policy::Diagnostics;

use super::engine::Engine;
use super::gate::Gate;
use super::rows::Tallies;

/// Open findings that a status lists.
const FINDINGS_SHOWN: usize = 32;

/// How the gateway is now.
pub(super) fn status(gate: &Arc<Gate>) -> Result<StatusReport, ApiError> {
    let counters = counters(gate)?;
    let capacity = gate.datapath().flow_capacity().iter().sum::<usize>() as u64;
    let interfaces = gate.interfaces();
    let engine = gate.engine();
    let queue = engine.teller.queue();
    let mut report = StatusReport {
        now: jiff::Timestamp::now(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        abi_version: ABI_VERSION,
        host: gate.origin.host.to_string(),
        boot: gate.origin.boot.to_string(),
        pid: std::process::id(),
        started: gate.started,
        rss_bytes: rss_bytes(),
        kernel: kernel_release(),
        interfaces,
        taken_over: gate.taken_over().told(),
        policy: policy_status(&engine),
        atlas: atlas_status(&engine.judge.atlas, gate),
        counters,
        flows: engine.registry.len() as u64,
        flows_capacity: capacity,
        alerts: engine.teller.log().raised(),
        calls: engine.teller.watch().calls().0,
        calls_dropped: engine.teller.watch().calls().1,
        tracking_hits: engine.teller.watch().findings().hits(),
        findings: engine
            .teller
            .watch()
            .findings()
            .open()
            .into_iter()
            .take(FINDINGS_SHOWN)
            .cloned()
            .collect(),
        queue_length: queue.length as u64,
        queue_capacity: queue.capacity as u64,
        queue_lost: queue.lost,
        sinks: queue.sinks,
        holds: holds(&engine),
        health: Health::default(),
    };
    drop(engine);
    report.health = health(&report);
    Ok(report)
}

/// What became of held frames.
fn holds(engine: &Engine) -> Vec<Named> {
    let waiting = &engine.holds.waiting;
    let (frames, bytes) = waiting.size();
    let counts = &waiting.counts;
    [
        ("waiting", frames as u64),
        ("waiting_bytes", bytes as u64),
        ("held", counts.held),
        ("released", counts.released),
        ("sent_again", counts.sent_again),
        ("given_up", counts.refused),
        ("expired", counts.expired),
        ("unsound", counts.unsound),
        ("queries_refused", counts.queries_refused),
        ("unanswered", counts.unanswered),
        ("late", counts.late),
        ("slowest_us", counts.slowest_ns / 1_000),
    ]
    .into_iter()
    .map(|(name, value)| Named {
        name: name.into(),
        value,
    })
    .collect()
}

/// The kernel's counters.
pub(super) fn counters(gate: &Gate) -> Result<Counters, ApiError> {
    let read = gate.datapath().counters().map_err(|error| {
        ApiError::new(
            ErrorCode::Failed,
            format!("the counters cannot be read: {error}"),
        )
    })?;
    Ok(Counters::from_abi(|index| read.get(index)))
}

fn health(report: &StatusReport) -> Health {
    let mut problems = Vec::new();
    for interface in &report.interfaces {
        if let Some(problem) = &interface.problem {
            problems.push(format!("interface {}: {problem}", interface.name));
        }
    }
    for sink in &report.sinks {
        if let Some(error) = &sink.error {
            problems.push(format!("sink {}: {error}", sink.name));
        }
    }
    if report.lost() > 0 {
        problems.push(format!(
            "{} events were lost since the start: see losses; the flow table still has the flows",
            report.lost()
        ));
    }
    let atlas = &report.atlas;
    if atlas.age_days > atlas.max_age_days {
        problems.push(super::atlas::too_old(atlas.age_days, atlas.max_age_days));
    }
    if let Some(update) = &atlas.update {
        problems.extend(
            update
                .problems
                .iter()
                .map(|problem| format!("atlas: {problem}")),
        );
    }
    Health {
        healthy: problems.is_empty(),
        problems,
    }
}

fn policy_status(engine: &Engine) -> PolicyStatus {
    let policy = &engine.judge.policy;
    PolicyStatus {
        name: policy.name.clone(),
        version: policy.version.clone(),
        sha256: policy.sha256.clone(),
        file: engine.in_force.file.clone(),
        mode: mode(policy.mode),
        generation: engine.generation,
        applied: engine.in_force.applied,
        rules: u32::try_from(policy.rules.len()).unwrap_or(u32::MAX),
        zones: u32::try_from(policy.zones.len()).unwrap_or(u32::MAX),
    }
}

/// The policy in force, whole.
pub(super) fn policy_view(gate: &Gate) -> PolicyView {
    let tallies = Tallies::of(gate);
    let engine = gate.engine();
    let policy = &engine.judge.policy;
    PolicyView {
        status: policy_status(&engine),
        text: engine.in_force.text.clone(),
        default: policy.default,
        zones: policy
            .zones
            .iter()
            .enumerate()
            .map(|(place, zone)| ZoneView {
                name: zone.name.clone(),
                prefixes: zone.prefixes.iter().map(ToString::to_string).collect(),
                flows: tallies.of_zone(place),
            })
            .collect(),
        rules: policy
            .rules
            .iter()
            .enumerate()
            .map(|(place, rule)| RuleView {
                id: rule.id.clone(),
                title: rule.title.clone(),
                verdict: rule.verdict,
                shadow: rule.shadow,
                conditions: policy.conditions_text(rule),
                basis: rule.basis.clone(),
                flows: tallies.of_rule(place),
            })
            .collect(),
    }
}

/// The mode of a policy in the words of the events.
fn mode(mode: octroi_policy::Mode) -> octroi_events::Mode {
    match mode {
        octroi_policy::Mode::Monitor => octroi_events::Mode::Monitor,
        octroi_policy::Mode::Enforce => octroi_events::Mode::Enforce,
    }
}

fn atlas_status(atlas: &Atlas, gate: &Gate) -> AtlasStatus {
    let meta = atlas.meta();
    let state = gate.atlas();
    AtlasStatus {
        version: meta.version.clone(),
        built: meta.built,
        age_days: super::atlas::age_days(atlas),
        max_age_days: gate.config.atlas.max_age_d,
        file: state.opened.file.clone(),
        signature: state.opened.signed.clone(),
        update: state.update.clone(),
        catalogue: atlas.catalogue().as_of(),
        classes: u32::try_from(atlas.profiles().len()).unwrap_or(u32::MAX),
        sources: meta
            .sources
            .iter()
            .map(|source| SourceStatus {
                id: source.id.clone(),
                version: source.version.clone(),
                date: source.date,
                ranges_v4: source.ranges_v4,
                ranges_v6: source.ranges_v6,
            })
            .collect(),
    }
}

/// Each problem on its line.
pub(super) fn lines(diagnostics: &Diagnostics) -> Vec<String> {
    diagnostics.iter().map(ToString::to_string).collect()
}

/// The outcome of a policy that was refused.
pub(super) fn refused(file: &str, diagnostics: Vec<String>) -> PolicyCheck {
    PolicyCheck {
        valid: false,
        name: None,
        sha256: None,
        generation: None,
        message: format!(
            "{file} was refused ({} problems); nothing was changed",
            diagnostics.len()
        ),
        diagnostics,
    }
}

/// Resident memory of this process, bytes; 0 when /proc is not there.
fn rss_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1_024
}

fn kernel_release() -> String {
    std::fs::read_to_string("/proc/sys/kernel/osrelease")
        .map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned())
}
