//! Fault points: the places where a test makes a step crash or fail.
//!
//! Compiled in with the feature `fault-points` only, which the crate's own tests turn on and no
//! build of the product does: without it a point is nothing. With it, two variables of the
//! environment are read at each point:
//!
//! - `OCTROI_FAULT=<point>[#<n>]:<crash|fail>`: at the n-th passage (1 when not said) the process
//!   kills itself (SIGKILL, so that nothing can clean up), or the step returns an error.
//! - `OCTROI_FAULT_TRACE=<file>`: each passage appends a line with the point's name.
//!
//! Tests learn the points from a trace, and compare the traces with [`FaultPoint::ALL`]: a point
//! that is added here is tested, or the test says that nothing reaches it.

use crate::error::DatapathError;

macro_rules! fault_points {
    ($($(#[$documentation:meta])* $variant:ident = $name:literal,)+) => {
        /// A place where a test can make a step crash or fail.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum FaultPoint {
            $($(#[$documentation])* $variant,)+
        }

        impl FaultPoint {
            /// Every one.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// Its name in `OCTROI_FAULT` and in traces.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

fault_points! {
    /// The pin directories stand, nothing is in them.
    LoadDirectories = "load/directories",
    /// The maps are made or adopted, and pinned.
    LoadMaps = "load/maps",
    /// The kernel has taken the programs; none is pinned.
    LoadPrograms = "load/programs",
    /// A program is pinned beside its predecessor.
    LoadProgramBeside = "load/program-beside",
    /// A pinned program took the place of its predecessor.
    LoadProgramPinned = "load/program-pinned",
    /// Addresses that are no longer the gateway's are out, new ones are not in.
    GatewayCleared = "gateway/cleared",
    /// The gateway's addresses are in, flows are not judged again yet.
    GatewayFilled = "gateway/filled",
    /// The atlas is in the other half.
    AtlasFilled = "apply/atlas-filled",
    /// Zones and marks are in the other half.
    PolicyPrefixes = "apply/prefixes",
    /// Rule sets are in the other half, verdicts still name the old ones.
    PolicyRuleSets = "apply/rule-sets",
    /// The policy is in the other half.
    PolicyFilled = "apply/policy-filled",
    /// The word is flipped.
    Flipped = "apply/flipped",
    /// An XDP link is made, not pinned.
    AttachOutboundMade = "attach/outbound-made",
    /// The XDP link is pinned, there is no TCX link yet.
    AttachOutbound = "attach/outbound",
    /// A pinned link was given this process's program.
    AttachReplaced = "attach/replaced",
    /// A TCX link is made, not pinned.
    AttachReplyMade = "attach/reply-made",
    /// Both links are pinned.
    AttachReply = "attach/reply",
    /// An older gate's flows that must not be forgotten are carried over.
    UpgradeCarried = "upgrade/carried",
    /// An older gate's link runs the new program, pinned at the old place only.
    UpgradeReplaced = "upgrade/replaced",
    /// The link is pinned at both places.
    UpgradePinned = "upgrade/pinned",
    /// The link is pinned at the new place only.
    UpgradeUnpinned = "upgrade/unpinned",
    /// Every link is taken over, the older pins are still there.
    UpgradeLinks = "upgrade/links",
    /// Some of the older pins are removed.
    UpgradeRemoving = "upgrade/removing",
    /// A program was taken off an interface.
    DetachLink = "detach/link",
    /// Every program is off, maps and programs are still pinned.
    DetachLinks = "detach/links",
    /// Some pins of maps and programs are removed.
    DetachPins = "detach/pins",
}

/// A point that a step passes.
#[cfg(not(feature = "fault-points"))]
#[inline]
#[expect(
    clippy::unnecessary_wraps,
    reason = "the twin of the one that can fail"
)]
pub(crate) fn at(_point: FaultPoint) -> Result<(), DatapathError> {
    Ok(())
}

/// A point that a step passes: crashes or fails there when the environment says so.
#[cfg(feature = "fault-points")]
pub(crate) fn at(point: FaultPoint) -> Result<(), DatapathError> {
    armed::at(point)
}

#[cfg(feature = "fault-points")]
mod armed {
    use std::collections::HashMap;
    use std::fs::File;
    use std::io::Write as _;
    use std::sync::{Mutex, PoisonError};

    use nix::sys::signal::{Signal, raise};

    use super::FaultPoint;
    use crate::error::DatapathError;

    static PASSAGES: Mutex<Option<HashMap<&'static str, u32>>> = Mutex::new(None);

    pub(super) fn at(point: FaultPoint) -> Result<(), DatapathError> {
        if let Some(file) = std::env::var_os("OCTROI_FAULT_TRACE") {
            let traced = File::options().append(true).create(true).open(file);
            // A trace that lacks a line fails the test that reads it.
            let _ = traced.and_then(|mut file| writeln!(file, "{}", point.name()));
        }
        let Ok(fault) = std::env::var("OCTROI_FAULT") else {
            return Ok(());
        };
        let Some((passage, crashes)) = wanted(&fault, point.name()) else {
            return Ok(());
        };
        let mut passages = PASSAGES.lock().unwrap_or_else(PoisonError::into_inner);
        let count = passages
            .get_or_insert_default()
            .entry(point.name())
            .or_default();
        *count += 1;
        if *count != passage {
            return Ok(());
        }
        if crashes {
            // Cannot fail: the signal is this process's own.
            let _ = raise(Signal::SIGKILL);
        }
        Err(DatapathError::Fault {
            point: point.name(),
        })
    }

    /// Which passage of a point a fault is for, and whether it crashes.
    pub(super) fn wanted(fault: &str, point: &str) -> Option<(u32, bool)> {
        let (place, kind) = fault.rsplit_once(':')?;
        let (name, passage) = match place.split_once('#') {
            Some((name, number)) => (name, number.parse().ok()?),
            None => (place, 1),
        };
        match kind {
            "crash" if name == point => Some((passage, true)),
            "fail" if name == point => Some((passage, false)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct() {
        let mut names: Vec<_> = FaultPoint::ALL.iter().map(|point| point.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), FaultPoint::ALL.len());
    }

    #[test]
    #[cfg(feature = "fault-points")]
    fn a_fault_names_its_point_passage_and_kind() {
        let point = FaultPoint::LoadMaps.name();
        assert_eq!(armed::wanted("load/maps:crash", point), Some((1, true)));
        assert_eq!(armed::wanted("load/maps#3:fail", point), Some((3, false)));
        for none in [
            "load/maps",
            "load/maps:stop",
            "load/maps#x:fail",
            "load:fail",
        ] {
            assert_eq!(armed::wanted(none, point), None, "{none}");
        }
    }
}
