//! What a shard does with each flow: judge it, count it, and tell it in the format asked for.

use octroi_inspect::flow::Flow;
use octroi_inspect::name::NameEvent;
use octroi_inspect::packet::Unparsed;
use octroi_inspect::survey::{Naming, Sink};

use super::eve::Eve;
use super::judged::Judging;
use super::outlet::{Outlet, Place, Told};
use super::pipeline::Worker;
use super::{csv, json};

/// What is told of each flow as it ends.
pub(super) enum Style {
    /// Nothing: the report tells of all of them.
    Report,
    /// A JSON line.
    Json,
    /// A row.
    Csv,
    /// Events.
    Eve(Box<Eve>),
}

/// Judges the flows of a shard and tells of them.
pub(super) struct Teller<'a, O> {
    judging: &'a mut Judging,
    style: Style,
    outlet: O,
}

impl<'a, O: Outlet> Teller<'a, O> {
    pub(super) fn new(judging: &'a mut Judging, style: Style, outlet: O) -> Self {
        Self {
            judging,
            style,
            outlet,
        }
    }
}

impl<O: Outlet> Sink for Teller<'_, O> {
    fn flow(&mut self, flow: Flow<Naming>) {
        let always = !matches!(self.style, Style::Report);
        let Some(line) = self.judging.judge(&flow, always) else {
            return;
        };
        let told = match &mut self.style {
            Style::Report => return self.judging.keep(line),
            Style::Json => Told::Lines(json::flow(&line)),
            Style::Csv => Told::Lines(csv::row(&line)),
            Style::Eve(eve) => Told::Events(eve.events(self.judging, &flow, &line)),
        };
        self.outlet.tell(Place::of(&flow.data), told);
    }

    fn name(&mut self, event: &NameEvent, inside_tunnel: bool) {
        self.judging.name(event, inside_tunnel);
    }

    fn without_flow(&mut self, _time_ns: u64, wire_bytes: u32, unparsed: &Unparsed) {
        self.judging.without_flow(wire_bytes, unparsed);
    }
}

impl<O: Outlet + Send> Worker for Teller<'_, O> {
    fn passed(&mut self, next: u64) {
        self.outlet.passed(Place::at_packet(next));
    }
}
