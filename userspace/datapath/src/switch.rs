//! The one word that switches tables: read, and flipped after everything else is in place.

use std::time::{Duration, Instant};

use octroi_abi::ABI_VERSION;
use octroi_abi::control::{Active, Control, RELEASES};
use octroi_abi::name;
use octroi_abi::rules::NAMES_STRICT;
use octroi_abi::table::GENERATION_MASK;
use octroi_geo_db::KernelTables;
use octroi_policy::Tables;

use crate::error::DatapathError;
use crate::fault::{self, FaultPoint};
use crate::load::Datapath;
use crate::wire::Wire;

/// Tables that are now in force.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Applied {
    /// Their generation.
    pub generation: u32,
    /// Time from the call to the flip.
    pub took: Duration,
}

impl Datapath {
    /// What packets see now. Generation 0: no policy yet, everything but the link's own and the
    /// gateway's traffic is dropped.
    ///
    /// # Errors
    /// When the map cannot be read.
    pub fn active(&self) -> Result<Active, DatapathError> {
        Ok(Active::unpack(self.control()?.active))
    }

    fn control(&self) -> Result<Control, DatapathError> {
        let Wire(control) = self
            .control
            .get(&0, 0)
            .map_err(|error| DatapathError::map("read", name::CONTROL, error))?;
        Ok(control)
    }

    /// Puts a policy in force. On any error the old one stays.
    ///
    /// # Errors
    /// When the tables do not fit or a map cannot be written.
    pub fn apply_policy(&mut self, tables: &Tables) -> Result<Applied, DatapathError> {
        self.prepare_for(tables)?;
        let started = Instant::now();
        let mut next = self.next()?;
        next.policy_half ^= 1;
        next.strict = is_strict(tables);
        self.fill_policy(next.policy_half, tables)?;
        self.flip(next, started)
    }

    /// Puts an atlas in force, under the policy that is. Class numbers belong to one atlas: use
    /// [`Datapath::apply_atlas_and_policy`] unless the new one numbers its classes as the old.
    ///
    /// # Errors
    /// When the tables do not fit or a map cannot be written.
    pub fn apply_atlas(&mut self, tables: &KernelTables) -> Result<Applied, DatapathError> {
        let started = Instant::now();
        let mut next = self.next()?;
        if next.generation == 1 {
            return Err(DatapathError::Tables {
                what: "atlas",
                reason: "no policy is in force: apply both at once".to_owned(),
            });
        }
        next.atlas_half ^= 1;
        self.fill_atlas(next.atlas_half, tables)?;
        self.flip(next, started)
    }

    /// Puts an atlas and the policy that was compiled for it in force, at one moment.
    ///
    /// # Errors
    /// When the tables do not fit or a map cannot be written.
    pub fn apply_atlas_and_policy(
        &mut self,
        atlas: &KernelTables,
        policy: &Tables,
    ) -> Result<Applied, DatapathError> {
        self.prepare_for(policy)?;
        let started = Instant::now();
        let mut next = self.next()?;
        next.atlas_half ^= 1;
        next.policy_half ^= 1;
        next.strict = is_strict(policy);
        self.fill_atlas(next.atlas_half, atlas)?;
        self.fill_policy(next.policy_half, policy)?;
        self.flip(next, started)
    }

    /// Has the kernel check what a policy needs before it is in force.
    fn prepare_for(&mut self, tables: &Tables) -> Result<(), DatapathError> {
        if is_strict(tables) {
            self.prepare_releases()?;
        }
        Ok(())
    }

    /// Tells the kernel whether a held frame can be let go on every inside interface
    /// ([`Datapath::can_release`]): openings of connections are held only then.
    ///
    /// # Errors
    /// When the map cannot be read or written.
    pub fn set_releases(&mut self, releases: bool) -> Result<(), DatapathError> {
        let control = self.control()?;
        let flags = if releases {
            control.flags | RELEASES
        } else {
            control.flags & !RELEASES
        };
        if flags == control.flags {
            return Ok(());
        }
        self.control
            .set(0, Wire(Control { flags, ..control }), 0)
            .map_err(|error| DatapathError::map("write", name::CONTROL, error))
    }

    /// Has every flow judged again, under the tables in force.
    pub(crate) fn bump(&mut self) -> Result<(), DatapathError> {
        if self.active()?.generation == 0 {
            return Ok(());
        }
        let next = self.next()?;
        self.flip(next, Instant::now()).map(|_| ())
    }

    /// The word in force, one generation on.
    fn next(&self) -> Result<Active, DatapathError> {
        let mut active = self.active()?;
        // Zero means "no policy": never again after the first.
        active.generation = active.generation % GENERATION_MASK + 1;
        Ok(active)
    }

    fn flip(&mut self, next: Active, started: Instant) -> Result<Applied, DatapathError> {
        let control = Control {
            active: next.pack(),
            abi_version: u64::from(ABI_VERSION),
            ..self.control()?
        };
        self.control
            .set(0, Wire(control), 0)
            .map_err(|error| DatapathError::map("write", name::CONTROL, error))?;
        fault::at(FaultPoint::Flipped)?;
        Ok(Applied {
            generation: next.generation,
            took: started.elapsed(),
        })
    }
}

/// Whether a policy holds what a client says until its name was read.
fn is_strict(tables: &Tables) -> bool {
    let mut sets = tables.rule_sets.iter();
    sets.any(|set| set.flags & NAMES_STRICT != 0)
}
