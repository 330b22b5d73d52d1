//! Statistics: where every packet ended, what was lost, and how the sinks fare.

use jiff::Timestamp;
use octroi_abi::opaque::Opaque;
use octroi_abi::outcome::{
    Direction, Loss, Outcome, loss_index, opaque_index, outcome_index, seen_index,
};
use serde::{Deserialize, Serialize};

/// A counter and its word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// The word (`blocked`, `gre`, `event_ring_full`...).
    pub name: String,
    /// Packets (losses: as their kind says), since the programs were attached.
    pub value: u64,
}

impl Named {
    /// A counter.
    #[must_use]
    pub fn new(name: &str, value: u64) -> Self {
        Self {
            name: name.to_owned(),
            value,
        }
    }
}

/// Counters of one direction.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DirectionCounters {
    /// Packets seen. Always the sum of the outcomes (up to packets in flight while reading).
    pub seen: u64,
    /// Packets by outcome, in the order of the ABI, zeros included.
    pub outcomes: Vec<Named>,
}

impl DirectionCounters {
    /// Packets that went on.
    #[must_use]
    pub fn passed(&self) -> u64 {
        self.sum(true)
    }

    /// Packets that were stopped.
    #[must_use]
    pub fn stopped(&self) -> u64 {
        self.sum(false)
    }

    /// The counter of an outcome.
    #[must_use]
    pub fn outcome(&self, outcome: Outcome) -> u64 {
        self.outcomes
            .iter()
            .filter(|named| named.name == outcome.name())
            .map(|named| named.value)
            .sum()
    }

    fn sum(&self, passes: bool) -> u64 {
        Outcome::ALL
            .into_iter()
            .filter(|outcome| outcome.passes() == passes)
            .map(|outcome| self.outcome(outcome))
            .sum()
    }
}

/// All counters of the data plane.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counters {
    /// From a zone to a destination.
    pub outbound: DirectionCounters,
    /// The way back.
    pub reply: DirectionCounters,
    /// Opaque packets by kind, both directions, zeros included.
    pub opaque: Vec<Named>,
    /// Losses by kind, zeros included.
    pub losses: Vec<Named>,
}

impl Counters {
    /// From the `COUNTERS` map summed over CPUs: `read(index)` is the counter at that index of
    /// [`octroi_abi::outcome`].
    #[must_use]
    pub fn from_abi(read: impl Fn(u32) -> u64) -> Self {
        let direction = |direction| DirectionCounters {
            seen: read(seen_index(direction)),
            outcomes: Outcome::ALL
                .into_iter()
                .map(|outcome| Named::new(outcome.name(), read(outcome_index(direction, outcome))))
                .collect(),
        };
        Self {
            outbound: direction(Direction::Outbound),
            reply: direction(Direction::Reply),
            opaque: Opaque::ALL
                .into_iter()
                .filter(|opaque| *opaque != Opaque::None)
                .map(|opaque| Named::new(opaque.name(), read(opaque_index(opaque))))
                .collect(),
            losses: Loss::ALL
                .into_iter()
                .map(|loss| Named::new(loss.name(), read(loss_index(loss))))
                .collect(),
        }
    }

    /// All losses together, but for packets that were held: they are sent again, and a client can bring
    /// them about at will.
    #[must_use]
    pub fn lost(&self) -> u64 {
        let mut told = 0;
        for named in &self.losses {
            if named.name != Loss::Hold.name() {
                told += named.value;
            }
        }
        told
    }
}

/// How a sink fares.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SinkStatus {
    /// `file:/var/log/octroi/eve.json`, `stdout`.
    pub name: String,
    /// Works.
    pub healthy: bool,
    /// Events written.
    pub written: u64,
    /// Their bytes.
    pub written_bytes: u64,
    /// Events that could not be written.
    pub lost: u64,
    /// Rotations done.
    pub rotations: u64,
    /// The last error with its remedy, until the sink works again.
    pub error: Option<String>,
}

/// The state of the gateway, every 30 seconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    /// When it was read.
    pub time: Timestamp,
    /// Seconds since the daemon started.
    pub uptime_s: u64,
    /// The data plane's counters.
    pub counters: Counters,
    /// Flows in the table.
    pub flows: u64,
    /// Alerts raised since the daemon started, folded ones included.
    pub alerts: u64,
    /// Events given up by the full queue, by kind, since the daemon started.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub queue_lost: Vec<Named>,
    /// The sinks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sinks: Vec<SinkStatus>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use octroi_abi::outcome::COUNTERS;

    #[test]
    fn every_counter_of_the_kernel_is_told_once() {
        // Counter i has the value i + 1: a missing or doubled index changes the sum.
        let value = |index: u32| u64::from(index) + 1;
        let counters = Counters::from_abi(value);
        let all: u64 = [&counters.outbound, &counters.reply]
            .into_iter()
            .map(|direction| {
                direction.seen + direction.outcomes.iter().map(|n| n.value).sum::<u64>()
            })
            .sum::<u64>()
            + counters.opaque.iter().map(|n| n.value).sum::<u64>()
            + counters.losses.iter().map(|n| n.value).sum::<u64>();
        let none = value(opaque_index(Opaque::None));
        assert_eq!(all + none, (0..COUNTERS).map(value).sum::<u64>());
    }

    #[test]
    fn passed_and_stopped_are_all_outcomes() {
        let counters = Counters::from_abi(|index| u64::from(index) * 3 + 1);
        for direction in [&counters.outbound, &counters.reply] {
            let all: u64 = direction.outcomes.iter().map(|n| n.value).sum();
            assert_eq!(direction.passed() + direction.stopped(), all);
            assert!(direction.stopped() > 0);
        }
    }
}
