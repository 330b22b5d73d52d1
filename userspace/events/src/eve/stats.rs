//! `event_type: stats`.

use octroi_abi::outcome::Outcome;
use serde::Serialize;

use super::{Metadata, OWN, Stamp, Var, event_id};
use crate::identity::Origin;
use crate::stats::{DirectionCounters, Named, Stats};

#[derive(Serialize)]
pub(super) struct Line<'a> {
    timestamp: Stamp,
    event_type: &'static str,
    host: &'a str,
    stats: Body,
    metadata: Metadata<'a>,
}

#[derive(Serialize)]
struct Body {
    uptime: u64,
    decoder: Decoder,
    flow: Flow,
    ips: Ips,
    detect: Detect,
}

#[derive(Serialize)]
struct Decoder {
    pkts: u64,
}

#[derive(Serialize)]
struct Flow {
    active: u64,
}

#[derive(Serialize)]
struct Ips {
    accepted: u64,
    blocked: u64,
    rejected: u64,
}

#[derive(Serialize)]
struct Detect {
    alert: u64,
}

pub(super) fn line<'a>(stats: &'a Stats, origin: &'a Origin, id: &'a str) -> Line<'a> {
    let counters = &stats.counters;
    let both = [&counters.outbound, &counters.reply];
    let sum = |of: fn(&DirectionCounters) -> u64| both.into_iter().map(of).sum::<u64>();
    let rejected = sum(|direction| direction.outcome(Outcome::Rejected));
    let mut flowvars = vec![event_id(id)];
    for (prefix, direction) in [("outbound", &counters.outbound), ("reply", &counters.reply)] {
        flowvars.push(number(&format!("{prefix}.seen"), direction.seen));
        numbers(&mut flowvars, prefix, &direction.outcomes);
    }
    numbers(&mut flowvars, "opaque", &counters.opaque);
    numbers(&mut flowvars, "lost", &counters.losses);
    numbers(&mut flowvars, "queue_lost", &stats.queue_lost);
    for sink in &stats.sinks {
        flowvars.push(number(&format!("sink_written.{}", sink.name), sink.written));
        flowvars.push(number(&format!("sink_lost.{}", sink.name), sink.lost));
    }
    Line {
        timestamp: Stamp(stats.time),
        event_type: "stats",
        host: &origin.host,
        stats: Body {
            uptime: stats.uptime_s,
            decoder: Decoder {
                pkts: sum(|direction| direction.seen),
            },
            flow: Flow {
                active: stats.flows,
            },
            ips: Ips {
                accepted: sum(DirectionCounters::passed),
                blocked: sum(DirectionCounters::stopped) - rejected,
                rejected,
            },
            detect: Detect {
                alert: stats.alerts,
            },
        },
        metadata: Metadata { flowvars },
    }
}

fn number(key: &str, value: u64) -> Var<'static> {
    Var::Owned {
        gid: OWN,
        key: key.to_owned(),
        value: value.to_string(),
    }
}

fn numbers(vars: &mut Vec<Var<'_>>, prefix: &str, named: &[Named]) {
    vars.extend(
        named
            .iter()
            .map(|named| number(&format!("{prefix}.{}", named.name), named.value)),
    );
}
