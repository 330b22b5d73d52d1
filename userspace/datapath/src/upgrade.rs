//! Taking over the gate of an older ABI, without a gap.
//!
//! An older gate works on, with its own programs, maps and links, while the new one is loaded and
//! filled beside it. Then each of its links is given the new program in one step
//! (`BPF_LINK_UPDATE`: a packet meets the old program or the new one), pinned at its new place, and
//! unpinned at the old. A link is pinned somewhere at every moment, so that a crash between two
//! steps leaves a gate that stands and that the next start takes over the rest of the way.
//!
//! Nothing is ever taken off an interface here.

use std::fmt;
use std::fs;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::time::Duration;

use aya::programs::ProgramError;
use aya::programs::links::{FdLink, PinnedLink};
use octroi_abi::ABI_VERSION;
use octroi_abi::flow::{FlowKey, FlowState};

use crate::attach::cause;
use crate::bpffs::{self, Pins, entries, file_name, remove_directory};
use crate::error::DatapathError;
use crate::fault::{self, FaultPoint};
use crate::interface::LinkKind;
use crate::links::{link_error, take_off};
use crate::load::{Datapath, remove_if_there};
use crate::place::Role;
use crate::{interface, previous, sys};

/// A packet that another CPU has under the old program when the link changes is done with by then.
const LAST_PACKETS: Duration = Duration::from_millis(20);

/// What became of the gate of an older ABI.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TakeOver {
    /// Its ABI version.
    pub abi: u32,
    /// Interfaces whose programs were replaced in one step, each once, sorted.
    pub interfaces: Vec<String>,
    /// Links whose interface was gone: their pins were removed.
    pub dead_links: usize,
    /// Flows that go on under the verdict they had: stopped ones, and those judged by name.
    pub carried: usize,
    /// The account of each of its flows, closed when the last link changed; those that are carried
    /// over begin a new one at zero.
    pub accounts: Vec<(FlowKey, FlowState)>,
}

impl fmt::Display for TakeOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let interfaces = if self.interfaces.is_empty() {
            "no interface".to_owned()
        } else {
            self.interfaces.join(", ")
        };
        write!(
            f,
            "the gate of ABI {} on {interfaces} was taken over without a gap: {} flows closed, {} of \
             them go on under the verdict they had",
            self.abi,
            self.accounts.len(),
            self.carried
        )?;
        if self.dead_links > 0 {
            write!(
                f,
                "; {} links to vanished interfaces removed",
                self.dead_links
            )?;
        }
        Ok(())
    }
}

/// The versions under a pin root that are older than this build's.
///
/// # Errors
/// When there is a newer one: its shapes are not known here.
pub(crate) fn older(pins: &Pins) -> Result<Vec<u32>, DatapathError> {
    let versions = pins.versions()?;
    if let Some(&newer) = versions.iter().find(|version| **version > ABI_VERSION) {
        let pins = pins.of(newer);
        let path = pins.version();
        return Err(if pins.pinned_links()?.is_empty() {
            DatapathError::NewerPins { path, abi: newer }
        } else {
            DatapathError::NewerGate { path, abi: newer }
        });
    }
    Ok(versions
        .into_iter()
        .filter(|version| *version < ABI_VERSION)
        .collect())
}

impl Datapath {
    /// Takes over every gate of an older ABI under the pin root; to be called when atlas, policy
    /// and gateway addresses are in place, and before [`Datapath::attach`]. Every interface it
    /// stood on is guarded by this one afterwards, also those that are not asked for any more.
    /// Empty when there is none.
    ///
    /// # Errors
    /// When no policy is in force, or a step is refused: what was not taken over yet goes on under
    /// the older gate, and calling this again goes on from there.
    pub fn take_over(&mut self) -> Result<Vec<TakeOver>, DatapathError> {
        let older = older(&self.pins)?;
        if older.is_empty() {
            return Ok(Vec::new());
        }
        if self.active()?.generation == 0 {
            return Err(DatapathError::Tables {
                what: "older gate",
                reason: "no policy is in force to take it over with".to_owned(),
            });
        }
        older
            .into_iter()
            .map(|abi| self.take_over_one(abi))
            .collect()
    }

    fn take_over_one(&mut self, abi: u32) -> Result<TakeOver, DatapathError> {
        let old = self.pins.of(abi);
        let flows = previous::Flows::open(&old, abi)?;
        let mut report = TakeOver {
            abi,
            interfaces: Vec::new(),
            dead_links: 0,
            carried: 0,
            accounts: Vec::new(),
        };
        if let Some(flows) = &flows {
            report.carried = self.carry_over(&flows.read()?)?;
        }
        fault::at(FaultPoint::UpgradeCarried)?;
        for (interface, pin) in old.pinned_links()? {
            if self.take_over_link(&interface, &pin)? {
                if report.interfaces.last() != Some(&interface) {
                    report.interfaces.push(interface);
                }
            } else {
                report.dead_links += 1;
            }
        }
        fault::at(FaultPoint::UpgradeLinks)?;
        if let Some(flows) = &flows {
            std::thread::sleep(LAST_PACKETS);
            report.accounts = flows.read()?;
        }
        remove(&old)?;
        Ok(report)
    }

    /// Puts back the flows that must not be forgotten, those that need it most first. Returns how
    /// many there are now.
    fn carry_over(&self, flows: &[(FlowKey, FlowState)]) -> Result<usize, DatapathError> {
        let mut carried = 0;
        for (key, state) in flows.iter().filter(|(_, state)| previous::must_stay(state)) {
            if !self.restore_flow(key, state) {
                return Err(DatapathError::Tables {
                    what: "flows of the older gate",
                    reason: "the flow table has no room for one that was judged by its name: give \
                             it more"
                        .to_owned(),
                });
            }
            carried += 1;
        }
        let stopped = |(_, state): &&(FlowKey, FlowState)| {
            previous::should_stay(state) && !previous::must_stay(state)
        };
        for (key, state) in flows.iter().filter(stopped) {
            carried += usize::from(self.restore_flow(key, state));
        }
        Ok(carried)
    }

    /// Gives one link the new program and moves its pin. `false`: its interface is gone.
    fn take_over_link(&mut self, interface: &str, old_pin: &Path) -> Result<bool, DatapathError> {
        let failed = |operation, path: &Path, source| DatapathError::File {
            operation,
            path: path.to_owned(),
            source,
        };
        let identity = |pin: &Path| {
            sys::pinned(pin)
                .and_then(|link| sys::link_identity(link.as_fd()))
                .map_err(|source| failed("open the pinned link", pin, source))
        };
        let old = identity(old_pin)?;
        if old.ifindex == 0 {
            remove_if_there(old_pin)?;
            return Ok(false);
        }
        let directory = self.pins.links(interface);
        let new_pin = directory.join(file_name(old_pin));
        let mut moved = false;
        if new_pin.exists() {
            let new = identity(&new_pin)?;
            if new.id == old.id {
                moved = true;
            } else if new.ifindex == old.ifindex {
                // This gate stands there with a link of its own; the older one is in its way.
                take_off(old_pin)?;
                return Ok(true);
            } else {
                remove_if_there(&new_pin)?;
            }
        }
        let link = self.replace_program(interface, old_pin)?;
        fault::at(FaultPoint::UpgradeReplaced)?;
        if !moved {
            bpffs::create(&directory)?;
            link.pin(&new_pin)
                .map_err(|error| failed("pin the link", &new_pin, std::io::Error::other(error)))?;
        }
        fault::at(FaultPoint::UpgradePinned)?;
        remove_if_there(old_pin)?;
        fault::at(FaultPoint::UpgradeUnpinned)?;
        Ok(true)
    }

    /// Has a pinned link run this build's program from the next packet on.
    fn replace_program(&mut self, interface: &str, pin: &Path) -> Result<FdLink, DatapathError> {
        let file = |source| DatapathError::File {
            operation: "open the pinned link",
            path: pin.to_owned(),
            source,
        };
        let link = PinnedLink::from_pin(pin).map_err(|error| file(link_error(error)))?;
        let link = FdLink::from(link);
        let name = file_name(pin);
        // Interfaces of other namespaces are not known by name here: gates of that age stood on
        // Ethernet alone, unless this thread sees otherwise.
        let kind = interface::find(interface).map_or(LinkKind::Ethernet, |(_, kind)| kind);
        let roles = [Role::Inside, Role::Host];
        let Some((place, program)) = roles.into_iter().find_map(|role| {
            let place = role.pins().iter().position(|pin| *pin == name)?;
            Some((place, role.programs(kind)[place]))
        }) else {
            return Err(file(std::io::Error::other(
                "no program of this build has its name: it is not of an older Octroi",
            )));
        };
        let refused = |error: ProgramError| DatapathError::Attach {
            program,
            interface: interface.to_owned(),
            source: cause(error),
        };
        // The first place is XDP, the second TCX egress.
        if place == 0 {
            let link = link.try_into().map_err(|error| file(link_error(error)))?;
            let loaded = self.xdp(program)?;
            let link = loaded
                .attach_to_link(link)
                .and_then(|id| loaded.take_link(id))
                .map_err(refused)?;
            return link.try_into().map_err(|error| file(link_error(error)));
        }
        let link = link.try_into().map_err(|error| file(link_error(error)))?;
        let loaded = self.classifier(program)?;
        let link = loaded
            .attach_to_link(link)
            .and_then(|id| loaded.take_link(id))
            .map_err(refused)?;
        link.try_into().map_err(|error| file(link_error(error)))
    }
}

/// Removes what an older gate left: no link is among it any more.
fn remove(old: &Pins) -> Result<(), DatapathError> {
    let version = old.version();
    let links = version.join("links");
    for interface in entries(&links)? {
        remove_directory(&interface)?;
    }
    remove_directory(&links)?;
    for directory in [old.programs(), old.maps()] {
        for pin in entries(&directory)? {
            fs::remove_file(&pin).map_err(|source| DatapathError::File {
                operation: "remove",
                path: pin.clone(),
                source,
            })?;
        }
        remove_directory(&directory)?;
        fault::at(FaultPoint::UpgradeRemoving)?;
    }
    remove_directory(&version)
}
