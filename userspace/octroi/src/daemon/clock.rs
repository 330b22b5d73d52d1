//! The kernel's monotonic time and the wall clock of events.

use jiff::Timestamp;
use octroi_datapath::Datapath;

/// Turns `CLOCK_MONOTONIC` nanoseconds into wall-clock time. Made anew at each sweep, so that a
/// stepped wall clock is followed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    wall_ns: i128,
    monotonic_ns: u64,
}

impl Clock {
    /// Reads both clocks.
    pub(super) fn now() -> Self {
        Self {
            wall_ns: Timestamp::now().as_nanosecond(),
            monotonic_ns: Datapath::monotonic_now_ns(),
        }
    }

    /// The monotonic time of this reading.
    pub(super) fn monotonic_ns(&self) -> u64 {
        self.monotonic_ns
    }

    /// The wall-clock time of a monotonic one.
    pub(super) fn at(&self, monotonic_ns: u64) -> Timestamp {
        let wall_ns = self.wall_ns + i128::from(monotonic_ns) - i128::from(self.monotonic_ns);
        Timestamp::from_nanosecond(wall_ns).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_kept() {
        let clock = Clock {
            wall_ns: 1_000_000_000_000,
            monotonic_ns: 5_000_000_000,
        };
        assert_eq!(clock.at(4_500_000_000).as_nanosecond(), 999_500_000_000);
        assert_eq!(clock.at(5_000_000_000).as_nanosecond(), 1_000_000_000_000);
    }
}
