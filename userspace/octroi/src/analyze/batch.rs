//! Packets on their way from the thread that reads to those that work on flows.

use octroi_inspect::packet::{Parsed, Unparsed};
use octroi_inspect::survey::{Dispatch, Routed, Shard, Share, Sink};

/// Some packets in order, and the bytes they lie in. Shared by all shards: nothing is copied.
#[derive(Default)]
pub(super) struct Batch {
    /// The read buffer.
    pub(super) bytes: Vec<u8>,
    /// What each shard is to do.
    steps: Vec<Vec<Step>>,
    /// Number of the first packet that is in none of the batches so far.
    pub(super) next: u64,
}

enum Step {
    Packet(Packet),
    WithoutFlow(u64, u32, Unparsed),
    Expire(u64),
}

/// A packet without its payload, which lies in the bytes of the batch.
struct Packet {
    routed: Routed<'static>,
    payload_at: u32,
    payload_bytes: u32,
}

impl Batch {
    /// An empty one for so many shards. What was in it is forgotten, its memory is used again.
    pub(super) fn cleared(mut self, shards: usize) -> Self {
        self.steps.resize_with(shards, Vec::new);
        for steps in &mut self.steps {
            steps.clear();
        }
        self
    }

    /// Where the packets that are dispatched go: `data` are the bytes of the captured packet, that
    /// lie at `at` in the bytes of the batch.
    pub(super) fn packet<'a>(&'a mut self, data: &'a [u8], at: usize) -> InBatch<'a> {
        InBatch {
            steps: &mut self.steps,
            data,
            at,
        }
    }

    /// Whether nothing is in it.
    pub(super) fn is_empty(&self) -> bool {
        self.steps.iter().all(Vec::is_empty)
    }

    /// One shard's work.
    pub(super) fn work(&self, number: usize, shard: &mut Shard, sink: &mut impl Sink) {
        for step in self.steps.get(number).into_iter().flatten() {
            match step {
                Step::Packet(packet) => {
                    let at = packet.payload_at as usize;
                    let payload = self.bytes.get(at..at + packet.payload_bytes as usize);
                    let routed = Routed {
                        parsed: Parsed {
                            payload: payload.unwrap_or(&[]),
                            ..packet.routed.parsed
                        },
                        ..packet.routed
                    };
                    shard.packet(&routed, sink);
                }
                Step::WithoutFlow(time_ns, wire_bytes, unparsed) => {
                    sink.without_flow(*time_ns, *wire_bytes, unparsed);
                }
                Step::Expire(now_ns) => shard.expire(*now_ns),
            }
        }
    }
}

/// One captured packet on its way into a batch.
pub(super) struct InBatch<'a> {
    steps: &'a mut [Vec<Step>],
    data: &'a [u8],
    at: usize,
}

impl InBatch<'_> {
    fn step(&self, packet: &Routed<'_>) -> Step {
        let payload = packet.parsed.payload;
        // The payload is part of the captured packet, or empty.
        let inside = payload
            .as_ptr()
            .addr()
            .wrapping_sub(self.data.as_ptr().addr());
        let fits = inside <= self.data.len() && payload.len() <= self.data.len() - inside;
        let (at, bytes) = if fits {
            (self.at + inside, payload.len())
        } else {
            (0, 0)
        };
        Step::Packet(Packet {
            routed: packet.without_payload(),
            payload_at: u32::try_from(at).unwrap_or(0),
            payload_bytes: u32::try_from(bytes).unwrap_or(0),
        })
    }
}

impl Dispatch for InBatch<'_> {
    fn packet(&mut self, packet: &Routed<'_>) {
        if packet.for_all {
            for number in 0..self.steps.len() {
                let step = self.step(packet);
                self.steps[number].push(step);
            }
            return;
        }
        let share = Share {
            number: 0,
            of: u8::try_from(self.steps.len()).unwrap_or(1),
        };
        let step = self.step(packet);
        self.steps[usize::from(share.shard_of(packet.lane))].push(step);
    }

    fn without_flow(&mut self, time_ns: u64, wire_bytes: u32, unparsed: &Unparsed) {
        // They have no lane; adding them up is all that is done with them.
        if let Some(first) = self.steps.first_mut() {
            first.push(Step::WithoutFlow(time_ns, wire_bytes, *unparsed));
        }
    }

    fn expire(&mut self, now_ns: u64) {
        for steps in self.steps.iter_mut() {
            steps.push(Step::Expire(now_ns));
        }
    }
}
