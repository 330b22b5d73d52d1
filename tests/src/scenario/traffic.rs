//! Background traffic: the rows of a scenario over and over, at a bounded pace, until told to stop.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use super::{Scenario, attempt};
use crate::lab::{Lab, Result};

/// Clients at work at once.
const CLIENTS: usize = 4;
/// Pause of a client between two connections: at most 20 connections a second in all.
const PAUSE: Duration = Duration::from_millis(200);

/// Counts of background traffic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Connections made or tried.
    pub attempts: u64,
    /// Clients that could not even run.
    pub failures: u64,
}

/// Keeps clients busy while `work` runs; returns what it returns, and how much traffic there was.
///
/// # Errors
/// The scenario does not fit the lab's world.
pub fn during<T>(lab: &Lab, scenario: &Scenario, work: impl FnOnce() -> T) -> Result<(T, Traffic)> {
    let trips = scenario.trips(lab.world())?;
    let stop = AtomicBool::new(false);
    let next = AtomicUsize::new(0);
    let (attempts, failures) = (AtomicU64::new(0), AtomicU64::new(0));
    let result = std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let index = next.fetch_add(1, Ordering::Relaxed) % trips.len().max(1);
                    let Some(trip) = trips.get(index) else { return };
                    attempts.fetch_add(1, Ordering::Relaxed);
                    if attempt(lab, trip).is_err() {
                        failures.fetch_add(1, Ordering::Relaxed);
                    }
                    std::thread::sleep(PAUSE);
                }
            });
        }
        // Also when the work panics: the scope waits for its threads.
        let _stop_at_the_end = StopOnDrop(&stop);
        work()
    });
    let traffic = Traffic {
        attempts: attempts.into_inner(),
        failures: failures.into_inner(),
    };
    Ok((result, traffic))
}

struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
