//! The names that were observed, counted.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use octroi_inspect::flow;
use octroi_inspect::name::{Ech, NameEvent, NameSource};
use serde::Serialize;

use super::room::Room;

/// Most different names held of one lane.
const MAX_NAMES: u32 = 2_048;

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

#[derive(Debug)]
pub(crate) struct Names {
    /// By lane; by 0 once those of all lanes are added up.
    lines: BTreeMap<(u8, String, NameSource, bool), NameLine>,
    room: Room,
    /// Observations of names that had no room.
    left_out: u64,
    rows: usize,
}

impl Names {
    pub(super) fn new(rows: usize) -> Self {
        Self {
            lines: BTreeMap::new(),
            room: Room::new(MAX_NAMES),
            left_out: 0,
            rows,
        }
    }

    pub(super) fn add(&mut self, event: &NameEvent, inside_tunnel: bool) {
        if event.source == NameSource::Nameless {
            return;
        }
        let part = flow::lane_of_key(&event.key);
        let key = (part, event.name.clone(), event.source, inside_tunnel);
        let line = match self.lines.entry(key) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(_) if !self.room.take(part) => {
                self.left_out += 1;
                return;
            }
            Entry::Vacant(free) => free.insert(NameLine {
                name: event.name.clone(),
                source: event.source,
                inside_tunnel,
                count: 0,
                first_ns: event.time_ns,
                peer: flow::outside(&event.key).to_string(),
                ech: false,
            }),
        };
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

    /// Adds what a shard observed, of all lanes together.
    pub(super) fn merge(&mut self, other: Self) {
        self.left_out += other.left_out;
        // No bound: there are no more than all lanes had room for.
        for ((_, name, source, inside_tunnel), more) in other.lines {
            match self.lines.entry((0, name, source, inside_tunnel)) {
                Entry::Occupied(mut known) => {
                    let known = known.get_mut();
                    known.count += more.count;
                    known.ech |= more.ech;
                    if (more.first_ns, &more.peer) < (known.first_ns, &known.peer) {
                        known.first_ns = more.first_ns;
                        known.peer = more.peer;
                    }
                }
                Entry::Vacant(place) => {
                    place.insert(more);
                }
            }
        }
    }

    /// The names, most frequent first, and how many observations had no room.
    pub(super) fn into_lines(self) -> (Vec<NameLine>, u64) {
        let mut lines: Vec<NameLine> = self.lines.into_values().collect();
        lines.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.name.cmp(&b.name)));
        lines.truncate(self.rows);
        (lines, self.left_out)
    }
}
