//! The clock that kernel times are on.

use nix::time::{ClockId, clock_gettime};

use crate::load::Datapath;

impl Datapath {
    /// `CLOCK_MONOTONIC` now, nanoseconds: the clock of `FlowState` and of events. (The kernel
    /// side reads its coarse form, which lags by at most a timer tick.)
    #[must_use]
    pub fn monotonic_now_ns() -> u64 {
        clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(0, |time| {
            let seconds = u64::try_from(time.tv_sec()).unwrap_or(0);
            let nanoseconds = u64::try_from(time.tv_nsec()).unwrap_or(0);
            seconds * 1_000_000_000 + nanoseconds
        })
    }
}
