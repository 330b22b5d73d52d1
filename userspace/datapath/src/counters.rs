//! The kernel's counters, summed over CPUs.

use octroi_abi::name;
use octroi_abi::opaque::Opaque;
use octroi_abi::outcome::{
    COUNTERS, Direction, Loss, Outcome, loss_index, opaque_index, outcome_index, seen_index,
};

use crate::error::DatapathError;
use crate::load::Datapath;

/// Every counter, at one moment (each is exact; CPUs count on while they are read).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Counters {
    values: Vec<u64>,
}

impl Counters {
    /// The counter at an index of `octroi_abi::outcome`; 0 past the end.
    #[must_use]
    pub fn get(&self, index: u32) -> u64 {
        usize::try_from(index)
            .ok()
            .and_then(|index| self.values.get(index))
            .copied()
            .unwrap_or(0)
    }

    /// Packets that came.
    #[must_use]
    pub fn seen(&self, direction: Direction) -> u64 {
        self.get(seen_index(direction))
    }

    /// Packets that ended so.
    #[must_use]
    pub fn outcome(&self, direction: Direction, outcome: Outcome) -> u64 {
        self.get(outcome_index(direction, outcome))
    }

    /// Packets of every outcome: equal to [`Counters::seen`] when none is on its way.
    #[must_use]
    pub fn outcomes(&self, direction: Direction) -> u64 {
        Outcome::ALL
            .iter()
            .map(|outcome| self.outcome(direction, *outcome))
            .sum()
    }

    /// Opaque packets of a kind, both directions.
    #[must_use]
    pub fn opaque(&self, kind: Opaque) -> u64 {
        self.get(opaque_index(kind))
    }

    /// What did not reach userspace.
    #[must_use]
    pub fn loss(&self, loss: Loss) -> u64 {
        self.get(loss_index(loss))
    }
}

impl Datapath {
    /// Reads the counters.
    ///
    /// # Errors
    /// When the map cannot be read.
    pub fn counters(&self) -> Result<Counters, DatapathError> {
        let values = (0..COUNTERS)
            .map(|index| {
                let slots = self.counters.get(&index, 0)?;
                Ok(slots.iter().sum())
            })
            .collect::<Result<_, _>>()
            .map_err(|error| DatapathError::map("read", name::COUNTERS, error))?;
        Ok(Counters { values })
    }
}
