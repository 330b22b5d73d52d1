//! The offline path from packets to named flows: what `octroi analyze` runs over a capture.
//!
//! The same parser twin, flow key and [`Namer`](crate::name::Namer) as live. Where the kernel
//! samples the first payloads of a flow, this reads the first [`SAMPLES_PER_DIRECTION`] of each
//! direction, every DNS message and every HTTP request. What unencrypted tunnels carry is read for
//! names only.
//!
//! A survey has two stages, so that more than one thread can work on it: a [`Front`] reads packets
//! in order, puts fragments to their datagrams, opens tunnels and says of each packet which lane
//! it belongs to; a [`Shard`] keeps the flows of some lanes and names them. What is found does not
//! depend on how many shards there are, because
//!
//! - the lane is that of the five-tuple: both directions, and all packets of a flow, meet in one;
//! - flow tables and their bounds are of a lane, not of a shard;
//! - DNS is shown to every shard, in its place among the other packets: the answer that names a
//!   flow usually came in another one. A shard tells of the DNS flows of its own lanes only. (To
//!   send each client to one shard instead would not do: who is the client of a flow is known once
//!   its table was asked, and one busy client would keep one thread.)
//! - time is the latest of all packets, not of those that one shard saw;
//! - what naming keeps of flows is bounded by lane too, and what DNS told is the same in every shard;
//!   [`Shard::given_up`] tells when a bound was reached.
//!
//! [`Survey`] is both stages in one thread.

mod front;
mod naming;
mod shard;

use crate::capture::RawPacket;
use crate::flow::{self, Flow};
use crate::name::{NameEvent, NamerLimits, NamerStats};
use crate::packet;

pub use front::{Counts, Dispatch, Front, Routed};
pub use naming::{Name, Naming};
pub use shard::{GivenUp, SAMPLES_PER_DIRECTION, Shard, Share};

/// Where the results of a survey go.
pub trait Sink {
    /// A flow ended. Flows that end before the capture does come in the order of the packets that
    /// ended them ([`Naming::ended`]), the others in the order of their first packets
    /// ([`Naming::began`]).
    fn flow(&mut self, flow: Flow<Naming>);
    /// A name was observed; `inside_tunnel`: in a packet that a tunnel carries.
    fn name(&mut self, event: &NameEvent, inside_tunnel: bool);
    /// A packet has no flow, because it is opaque.
    fn without_flow(&mut self, time_ns: u64, wire_bytes: u32, unparsed: &packet::Unparsed);
}

/// A capture, or several in a row, on the way to named flows.
pub struct Survey {
    front: Front,
    shard: Shard,
}

impl Survey {
    /// A survey that has seen nothing.
    #[must_use]
    pub fn new(flows: flow::Limits, names: NamerLimits) -> Self {
        Self {
            front: Front::default(),
            shard: Shard::new(Share::ALL, flows, names),
        }
    }

    /// Takes one packet.
    pub fn packet(&mut self, raw: &RawPacket<'_>, sink: &mut impl Sink) {
        let mut both = Both {
            shard: &mut self.shard,
            sink,
        };
        self.front.read(raw, &mut both);
    }

    /// Ends every flow.
    pub fn finish(&mut self, sink: &mut impl Sink) {
        self.shard.finish(sink);
    }

    /// What became of the packets so far.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        self.front.counts()
    }

    /// Distinct five-tuples, as far as the flow tables could hold them.
    #[must_use]
    pub fn tuples(&self) -> u64 {
        self.shard.tuples()
    }

    /// Its only shard.
    #[must_use]
    pub fn shard(&self) -> &Shard {
        &self.shard
    }

    /// What the namer saw and gave up so far.
    #[must_use]
    pub fn namer_stats(&self) -> NamerStats {
        self.shard.namer_stats()
    }
}

/// The only shard of a survey, and where its results go.
struct Both<'a, S> {
    shard: &'a mut Shard,
    sink: &'a mut S,
}

impl<S: Sink> Dispatch for Both<'_, S> {
    fn packet(&mut self, packet: &Routed<'_>) {
        self.shard.packet(packet, self.sink);
    }

    fn without_flow(&mut self, time_ns: u64, wire_bytes: u32, unparsed: &packet::Unparsed) {
        self.sink.without_flow(time_ns, wire_bytes, unparsed);
    }

    fn expire(&mut self, now_ns: u64) {
        self.shard.expire(now_ns);
    }
}

#[cfg(test)]
mod tests;
