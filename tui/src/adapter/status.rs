//! The gateway's own state, from the wire to the model.

use octroi_api as api;

use super::verdict;
use crate::model::status::{Outcome, PolicyRules, RuleLine, Sink, Status};

/// The status report.
pub(crate) fn status(report: api::StatusReport) -> Status {
    let uptime = report.now.duration_since(report.started).as_secs();
    let named = |list: &[api::events::Named]| -> Vec<(String, u64)> {
        list.iter()
            .map(|named| (named.name.clone(), named.value))
            .collect()
    };
    let mut losses = named(&report.counters.losses);
    for (name, value) in named(&report.queue_lost) {
        losses.push((format!("queue: {name}"), value));
    }
    let policy = &report.policy;
    let atlas = &report.atlas;
    let facts = vec![
        (
            "kernel".to_owned(),
            format!("{}  ABI {}", report.kernel, report.abi_version),
        ),
        (
            "alerts".to_owned(),
            format!("{} raised since the start", report.alerts),
        ),
        (
            "queue".to_owned(),
            format!("{} of {}", report.queue_length, report.queue_capacity),
        ),
        (
            "generation".to_owned(),
            format!(
                "{}  {} rules, {} zones, applied {}",
                policy.generation,
                policy.rules,
                policy.zones,
                policy.applied.strftime("%Y-%m-%d %H:%M:%SZ")
            ),
        ),
        ("policy file".to_owned(), policy.file.clone()),
    ];
    Status {
        enforcing: Some(policy.mode == api::events::Mode::Enforce),
        uptime_seconds: u64::try_from(uptime).unwrap_or(0),
        resident_bytes: Some(report.rss_bytes),
        policy_name: policy.name.clone(),
        policy_version: policy.version.clone(),
        policy_sha256: policy.sha256.clone(),
        atlas_built: format!("{}, {} d ago", atlas.built, atlas.age_days),
        sources: atlas
            .sources
            .iter()
            .map(|source| {
                let ranges = source.ranges_v4.saturating_add(source.ranges_v6);
                (
                    source.id.clone(),
                    format!("{}  {ranges} ranges", source.date),
                )
            })
            .collect(),
        interfaces: report.interfaces.into_iter().map(interface).collect(),
        flows_live: report.flows,
        flows_capacity: report.flows_capacity,
        packets: (report.counters.outbound.seen, report.counters.reply.seen),
        outcomes: outcomes(&report.counters),
        opaque: named(&report.counters.opaque),
        losses,
        sinks: report
            .sinks
            .into_iter()
            .map(|sink| Sink {
                name: sink.name,
                error: sink
                    .error
                    .or_else(|| (!sink.healthy).then(|| "does not work".to_owned())),
                written: sink.written,
                lost: sink.lost,
            })
            .collect(),
        warnings: report.health.problems,
        facts,
        atlas_version: report.atlas.version,
        gateway: report.host,
        version: report.version,
    }
}

fn interface(interface: api::InterfaceStatus) -> (String, String) {
    let how = match (&interface.problem, interface.attached) {
        (Some(problem), _) => problem.clone(),
        (None, true) => format!("{} XDP, attached", interface.mode),
        (None, false) => "not attached".to_owned(),
    };
    (interface.name, how)
}

fn outcomes(counters: &api::events::Counters) -> Vec<Outcome> {
    let mut rows: Vec<Outcome> = Vec::new();
    let directions = [
        (&counters.outbound.outcomes, true),
        (&counters.reply.outcomes, false),
    ];
    for (outcomes, outbound) in directions {
        for named in outcomes {
            let position = rows.iter().position(|row| row.name == named.name);
            let index = position.unwrap_or_else(|| {
                rows.push(Outcome {
                    name: named.name.clone(),
                    ..Outcome::default()
                });
                rows.len() - 1
            });
            if outbound {
                rows[index].outbound = named.value;
            } else {
                rows[index].reply = named.value;
            }
        }
    }
    rows
}

/// The policy in force.
pub(crate) fn policy(view: api::PolicyView) -> PolicyRules {
    PolicyRules {
        default: Some(verdict(view.default)),
        zones: view
            .zones
            .into_iter()
            .map(|zone| (zone.name, zone.prefixes.join(", ")))
            .collect(),
        rules: view
            .rules
            .into_iter()
            .map(|rule| RuleLine {
                verdict: verdict(rule.verdict),
                rule: rule.id,
                title: rule.title,
                shadow: rule.shadow,
                conditions: rule.conditions,
            })
            .collect(),
    }
}
