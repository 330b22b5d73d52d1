//! What waits for a decision: frames that the kernel held, by flow. Bounded in every way: per flow, per
//! client and in all. What is given up here is not lost: its sender sends it again, and it is held anew.

use std::collections::{HashMap, VecDeque};

use octroi_abi::event::HeldHeader;
use octroi_abi::flow::FlowKey;

/// Frames of one flow: a hello of 64 KiB in segments of 1,448 bytes, and what follows it at once.
const FRAMES_PER_FLOW: usize = 64;
/// Bytes of one client's flows.
const BYTES_PER_CLIENT: usize = 1 << 20;
/// Bytes of all.
const BYTES: usize = 16 << 20;
/// A sender has given up, or sent again, what waited for longer.
const PATIENCE_NS: u64 = 4_000_000_000;

/// One frame.
#[derive(Debug)]
pub(super) struct Held {
    /// What it belongs to.
    pub(super) header: HeldHeader,
    /// Link header first.
    pub(super) frame: Box<[u8]>,
}

/// What became of held frames, since the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct HoldCounts {
    /// Taken from the kernel.
    pub(super) held: u64,
    /// Let go on, into the verdict of their flow or past it.
    pub(super) released: u64,
    /// Could not be put back (too long, an interface without native XDP, a flow that is gone): sent
    /// again by their senders.
    pub(super) sent_again: u64,
    /// Given up to stay within the bounds.
    pub(super) refused: u64,
    /// Waited for too long.
    pub(super) expired: u64,
    /// Would have been dropped by their receivers: they decide nothing.
    pub(super) unsound: u64,
    /// DNS queries that were answered or dropped here.
    pub(super) queries_refused: u64,
    /// Of these, to be answered, and the answer could not be sent: their clients wait in vain.
    pub(super) unanswered: u64,
    /// Let go later than [`LATE_NS`] after the kernel held what completed them.
    pub(super) late: u64,
    /// The longest such time, nanoseconds; up to ten milliseconds too long.
    pub(super) slowest_ns: u64,
}

/// What a decision may take, nanoseconds: two milliseconds, and ten by which the kernel's coarse clock,
/// which tells when a frame was held, may lag.
const LATE_NS: u64 = 12_000_000;

impl HoldCounts {
    /// A decision took so long.
    pub(super) fn took(&mut self, took_ns: u64) {
        self.late += u64::from(took_ns > LATE_NS);
        self.slowest_ns = self.slowest_ns.max(took_ns);
    }
}

/// The frames of one flow.
#[derive(Debug)]
struct Flow {
    first: u32,
    since_ns: u64,
    bytes: usize,
    frames: Vec<Held>,
}

/// All that waits.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    flows: HashMap<FlowKey, Flow>,
    /// By age; flows that are gone are passed over.
    order: VecDeque<(FlowKey, u64)>,
    by_client: HashMap<[u8; 16], usize>,
    bytes: usize,
    /// See [`HoldCounts`].
    pub(super) counts: HoldCounts,
}

impl Waiting {
    /// Keeps a frame until its flow is decided; `false`: there is no room for it.
    pub(super) fn keep(&mut self, header: HeldHeader, frame: &[u8]) -> bool {
        let key = header.key;
        if self
            .flows
            .get(&key)
            .is_some_and(|flow| flow.first != header.first)
        {
            // The same ends, another flow.
            drop(self.take(&key));
        }
        let of_client = self.by_client.get(&key.inside).copied().unwrap_or(0);
        let frames = self.flows.get(&key).map_or(0, |flow| flow.frames.len());
        if frames >= FRAMES_PER_FLOW
            || of_client + frame.len() > BYTES_PER_CLIENT
            || self.bytes + frame.len() > BYTES
        {
            self.counts.refused += 1;
            return false;
        }
        let order = &mut self.order;
        let flow = self.flows.entry(key).or_insert_with(|| {
            order.push_back((key, header.time_ns));
            Flow {
                first: header.first,
                since_ns: header.time_ns,
                bytes: 0,
                frames: Vec::new(),
            }
        });
        flow.bytes += frame.len();
        flow.frames.push(Held {
            header,
            frame: frame.into(),
        });
        self.bytes += frame.len();
        *self.by_client.entry(key.inside).or_default() += frame.len();
        true
    }

    /// The frames of a flow, in the order they came.
    pub(super) fn take(&mut self, key: &FlowKey) -> Vec<Held> {
        let Some(flow) = self.flows.remove(key) else {
            return Vec::new();
        };
        self.bytes -= flow.bytes.min(self.bytes);
        if let Some(of_client) = self.by_client.get_mut(&key.inside) {
            *of_client -= flow.bytes.min(*of_client);
            if *of_client == 0 {
                self.by_client.remove(&key.inside);
            }
        }
        flow.frames
    }

    /// Gives up what waits for too long.
    pub(super) fn expire(&mut self, now_ns: u64) {
        while let Some(&(key, since_ns)) = self.order.front() {
            if now_ns.saturating_sub(since_ns) < PATIENCE_NS {
                return;
            }
            self.order.pop_front();
            if self
                .flows
                .get(&key)
                .is_some_and(|flow| flow.since_ns == since_ns)
            {
                self.counts.expired += self.take(&key).len() as u64;
            }
        }
    }

    /// Frames and bytes that wait now.
    pub(super) fn size(&self) -> (usize, usize) {
        let frames = self.flows.values().map(|flow| flow.frames.len()).sum();
        (frames, self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(client: u8, port: u16, time_ns: u64) -> HeldHeader {
        HeldHeader {
            time_ns,
            key: FlowKey {
                inside: [client; 16],
                outside: [9; 16],
                inside_port: port,
                outside_port: 443,
                protocol: 6,
                family: 6,
                reserved: [0; 2],
            },
            ifindex: 1,
            frame_bytes: 0,
            length: 0,
            first: 7,
            sequence: 0,
            payload_bytes: 0,
            payload: 0,
            transport: 0,
            tcp_flags: 0,
            reserved: [0; 3],
        }
    }

    #[test]
    fn frames_come_back_in_order_and_are_gone_then() {
        let mut waiting = Waiting::default();
        let header = header(1, 1, 5);
        for byte in 0..3 {
            assert!(waiting.keep(header, &[byte; 100]));
        }
        assert_eq!(waiting.size(), (3, 300));
        let frames = waiting.take(&header.key);
        let first: Vec<u8> = frames.iter().map(|held| held.frame[0]).collect();
        assert_eq!(first, [0, 1, 2]);
        assert_eq!(waiting.size(), (0, 0));
        assert!(waiting.take(&header.key).is_empty() && waiting.by_client.is_empty());
    }

    #[test]
    fn another_flow_with_the_same_ends_does_not_inherit() {
        let mut waiting = Waiting::default();
        let old = header(1, 1, 5);
        assert!(waiting.keep(old, b"old"));
        assert!(waiting.keep(HeldHeader { first: 8, ..old }, b"new"));
        let frames = waiting.take(&old.key);
        assert_eq!(frames.len(), 1);
        assert_eq!(&*frames[0].frame, b"new");
    }

    #[test]
    fn a_flood_of_one_flow_or_one_client_leaves_room_for_others() {
        let mut waiting = Waiting::default();
        for _ in 0..1_000 {
            waiting.keep(header(1, 1, 5), &[0; 10]);
        }
        assert_eq!(waiting.size().0, FRAMES_PER_FLOW);
        for port in 2..3_000 {
            waiting.keep(header(1, port, 5), &[0; 1_500]);
        }
        assert!(waiting.size().1 <= BYTES_PER_CLIENT);
        assert!(waiting.counts.refused > 2_000);
        assert!(waiting.keep(header(2, 1, 5), &[0; 1_500]));
        for client in 3..=255 {
            for port in 0..700 {
                waiting.keep(header(client, port, 5), &[0; 1_500]);
            }
        }
        assert!(waiting.size().1 <= BYTES);
    }

    #[test]
    fn what_waits_for_too_long_is_given_up() {
        let mut waiting = Waiting::default();
        waiting.keep(header(1, 1, 1_000), b"one");
        waiting.keep(header(1, 2, PATIENCE_NS), b"two");
        // Decided and held again later: the old place in the order does not count.
        waiting.keep(header(1, 3, 1_000), b"three");
        waiting.take(&header(1, 3, 0).key);
        waiting.keep(header(1, 3, PATIENCE_NS), b"three again");
        waiting.expire(PATIENCE_NS + 1_000);
        assert_eq!(waiting.counts.expired, 1);
        let has = |waiting: &Waiting, port| waiting.flows.contains_key(&header(1, port, 0).key);
        assert!(!has(&waiting, 1) && has(&waiting, 2) && has(&waiting, 3));
        waiting.expire(3 * PATIENCE_NS);
        assert_eq!((waiting.size(), waiting.counts.expired), ((0, 0), 3));
    }
}
