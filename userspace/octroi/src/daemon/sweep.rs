//! The sweep of the kernel's flow tables: accounts, lost events, flows whose time is over.

use std::ops::Range;

use octroi_datapath::Datapath;

use super::clock::Clock;
use super::engine::Engine;
use super::gate::Gate;
use super::registry::End;
use super::watch::Media;
use crate::judge;

impl Gate {
    /// Sweeps once, in turns.
    pub(super) fn sweep(&self) {
        self.turn_the_page(judge::day_of_law());
        let began_ns = Clock::now().monotonic_ns();
        self.engine().begin_sweep();
        self.in_turns(
            |datapath, _| datapath.flow_places(),
            |datapath, engine, places| engine.sweep(datapath, places),
        );
        let mut media = self.engine().teller.watch().media();
        self.in_turns(
            |_, engine| engine.registry.places(),
            |datapath, engine, places| engine.end_flows(datapath, places, began_ns, &mut media),
        );
        self.engine().end_sweep(media);
    }
}

impl Engine {
    fn begin_sweep(&mut self) {
        self.clock = Clock::now();
        let now_ns = self.clock.monotonic_ns();
        self.namer.expire(now_ns);
        self.holds.waiting.expire(now_ns);
        self.registry.begin_sweep();
    }

    /// Takes in some places of the kernel's tables.
    fn sweep(&mut self, datapath: &Datapath, places: Range<usize>) {
        let now_ns = Clock::now().monotonic_ns();
        let mut found = Vec::new();
        datapath.flows_in(places, &mut |key, state| found.push((key, state)));
        for (key, state) in found {
            let (unknown, replaced) = self.registry.swept(key, state, now_ns);
            if let Some(old) = replaced {
                self.ended(&old, End::Closed);
            }
            if unknown {
                self.recovered(&key);
                self.decide(datapath, &key);
            }
        }
    }

    /// Flows whose time is over leave the kernel's table, and their accounts are told to the last
    /// byte.
    fn end_flows(
        &mut self,
        datapath: &Datapath,
        places: Range<usize>,
        began_ns: u64,
        media: &mut Media,
    ) {
        let now_ns = Clock::now().monotonic_ns();
        let ended = self
            .registry
            .ended_among(places.clone(), now_ns, began_ns, &self.limits);
        for (mut flow, end) in ended {
            if end != End::Evicted
                && let Some(last) = datapath.end_flow(&flow.key, flow.state.first_ns)
            {
                flow.state = last;
            }
            self.ended(&flow, end);
        }
        media.note(&self.judge, self.registry.among(places));
    }

    fn end_sweep(&mut self, media: Media) {
        self.teller.calls(&self.judge, &self.clock, media);
        self.teller.unfold();
    }
}
