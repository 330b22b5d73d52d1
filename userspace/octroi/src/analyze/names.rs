//! The names that were observed, counted.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use octroi_inspect::flow;
use octroi_inspect::name::{Ech, NameEvent, NameSource};
use serde::Serialize;

use super::pipeline::MAX_WORKERS;

/// Most different names held.
const MAX_NAMES: usize = 32_768;
/// Of them, what each of several shards may hold.
const NAMES_OF_SHARD: usize = MAX_NAMES / MAX_WORKERS;

/// One name.
#[derive(Debug, Serialize)]
pub(crate) struct NameLine {
    pub(crate) name: String,
    /// How it was observed.
    pub(crate) source: NameSource,
    /// It was observed in packets that a tunnel carries.
    pub(crate) inside_tunnel: bool,
    /// How often.
    pub(crate) count: u64,
    /// The other end of the flow in which it was first observed.
    pub(crate) peer: String,
    /// When that was.
    #[serde(skip)]
    first_ns: u64,
    /// A hello with that name carried an encrypted hello, or a placeholder.
    pub(crate) ech: bool,
}

impl NameLine {
    /// What else should be known of it.
    pub(super) fn remarks(&self) -> String {
        let inside = self.inside_tunnel.then_some("inside a tunnel");
        let ech = self.ech.then_some("encrypted hello offered");
        let remarks: Vec<&str> = inside.into_iter().chain(ech).collect();
        remarks.join(", ")
    }
}

#[derive(Debug, Default)]
pub(crate) struct Names {
    lines: BTreeMap<(String, NameSource, bool), NameLine>,
    rows: usize,
}

impl Names {
    pub(super) fn new(rows: usize) -> Self {
        Self {
            rows,
            ..Self::default()
        }
    }

    pub(super) fn add(&mut self, event: &NameEvent, inside_tunnel: bool) {
        if event.source == NameSource::Nameless {
            return;
        }
        let key = (event.name.clone(), event.source, inside_tunnel);
        let room = self.lines.len() < NAMES_OF_SHARD;
        if !room && !self.lines.contains_key(&key) {
            return;
        }
        let line = self.lines.entry(key).or_insert_with(|| NameLine {
            name: event.name.clone(),
            source: event.source,
            inside_tunnel,
            count: 0,
            first_ns: event.time_ns,
            peer: flow::outside(&event.key).to_string(),
            ech: false,
        });
        line.count += 1;
        // Of several at one time, the one whose address reads first: packets of one time have no
        // order that all shards know.
        if event.time_ns <= line.first_ns {
            let peer = flow::outside(&event.key).to_string();
            if (event.time_ns, &peer) < (line.first_ns, &line.peer) {
                line.first_ns = event.time_ns;
                line.peer = peer;
            }
        }
        line.ech |= matches!(event.ech, Ech::Possible | Ech::Real);
    }

    /// Adds what another shard observed.
    pub(super) fn merge(&mut self, other: Self) {
        for (key, more) in other.lines {
            let room = self.lines.len() < MAX_NAMES;
            match self.lines.entry(key) {
                Entry::Occupied(mut known) => {
                    let known = known.get_mut();
                    known.count += more.count;
                    known.ech |= more.ech;
                    if (more.first_ns, &more.peer) < (known.first_ns, &known.peer) {
                        known.first_ns = more.first_ns;
                        known.peer = more.peer;
                    }
                }
                Entry::Vacant(place) if room => {
                    place.insert(more);
                }
                Entry::Vacant(_) => {}
            }
        }
    }

    /// The names, most frequent first.
    pub(super) fn into_lines(self) -> Vec<NameLine> {
        let mut lines: Vec<NameLine> = self.lines.into_values().collect();
        lines.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.name.cmp(&b.name)));
        lines.truncate(self.rows);
        lines
    }
}
