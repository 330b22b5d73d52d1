//! Work on every flow, a few at a time. A handshake that waits for its decision waits for one turn of
//! such work, not for a whole table: there may be a million flows.

use std::ops::Range;

use octroi_datapath::Datapath;
use parking_lot::MutexGuard;

use super::engine::Engine;
use super::gate::Gate;
use super::registry::LiveFlow;

/// Places of the flow registry looked at in one turn: a row of the list of flows takes a few
/// microseconds to make.
const LOOKED_AT: usize = 64;
/// Places worked on in one turn, of the registry or of the kernel's tables.
const WORKED_ON: usize = 256;

impl Gate {
    /// Shows every live flow. Flows that begin or end meanwhile may be missed; none is shown twice.
    pub(super) fn each_flow(&self, mut visit: impl FnMut(&Engine, &LiveFlow)) {
        self.find_flow(|engine, flow| {
            visit(engine, flow);
            None::<()>
        });
    }

    /// The first answer that a live flow has.
    pub(super) fn find_flow<T>(
        &self,
        mut question: impl FnMut(&Engine, &LiveFlow) -> Option<T>,
    ) -> Option<T> {
        let mut from = 0;
        loop {
            let engine = self.engine();
            if from >= engine.registry.places() {
                return None;
            }
            let places = from..from + LOOKED_AT;
            from = places.end;
            let mut flows = engine.registry.among(places);
            if let Some(answer) = flows.find_map(|flow| question(&engine, flow)) {
                return Some(answer);
            }
            drop(flows);
            // To whoever waits, and not to this thread again.
            MutexGuard::unlock_fair(engine);
        }
    }

    /// Works through places in turns; `count` tells how many there are (now).
    pub(super) fn in_turns(
        &self,
        count: impl Fn(&Datapath, &Engine) -> usize,
        mut work: impl FnMut(&Datapath, &mut Engine, Range<usize>),
    ) {
        let mut from = 0;
        loop {
            // Both anew: who wants to change the tables waits no longer either.
            let datapath = self.datapath();
            let mut engine = self.engine();
            if from >= count(&datapath, &engine) {
                return;
            }
            work(&datapath, &mut engine, from..from + WORKED_ON);
            from += WORKED_ON;
            MutexGuard::unlock_fair(engine);
        }
    }

    /// The policy or the atlas changed: decides every named flow again. The kernel does it for the
    /// others, each at its next packet.
    pub(super) fn judge_anew(&self) {
        self.engine().teller.forget();
        self.in_turns(
            |_, engine| engine.registry.places(),
            |datapath, engine, places| {
                for key in engine.registry.named_among(places) {
                    engine.decide(datapath, &key);
                }
            },
        );
    }
}
