//! The bounded queue: in order, and when it is full the least important event goes first.

use std::collections::VecDeque;

use crate::model::{Event, EventKind};
use crate::stats::Named;

/// Events by kind, each with its sequence number.
#[derive(Debug)]
pub(super) struct Queue {
    kinds: [VecDeque<(u64, Event)>; EventKind::ALL.len()],
    capacity: usize,
    next: u64,
    lost: [u64; EventKind::ALL.len()],
}

impl Queue {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            kinds: Default::default(),
            capacity: capacity.max(1),
            next: 1,
            lost: [0; EventKind::ALL.len()],
        }
    }

    pub(super) fn len(&self) -> usize {
        self.kinds.iter().map(VecDeque::len).sum()
    }

    pub(super) const fn capacity(&self) -> usize {
        self.capacity
    }

    /// Adds an event and gives it its number. A full queue gives up its oldest flow record; without
    /// one, its oldest statistics, then notice, then alert.
    pub(super) fn push(&mut self, event: Event) -> u64 {
        if self.len() >= self.capacity
            && let Some(kind) = self.kinds.iter().position(|kind| !kind.is_empty())
        {
            self.kinds[kind].pop_front();
            self.lost[kind] += 1;
        }
        let number = self.next;
        self.next += 1;
        self.kinds[event.kind() as usize].push_back((number, event));
        number
    }

    /// The oldest event.
    pub(super) fn pop(&mut self) -> Option<(u64, Event)> {
        self.kinds
            .iter_mut()
            .filter(|kind| !kind.is_empty())
            .min_by_key(|kind| kind.front().map_or(u64::MAX, |(number, _)| *number))?
            .pop_front()
    }

    /// Events given up, by kind.
    pub(super) const fn lost(&self) -> [u64; EventKind::ALL.len()] {
        self.lost
    }

    /// The same with their words.
    pub(super) fn lost_named(&self) -> Vec<Named> {
        EventKind::ALL
            .into_iter()
            .map(|kind| Named::new(kind.name(), self.lost[kind as usize]))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notice::{Notice, NoticeKind};
    use crate::stats::{Counters, Stats};
    use jiff::Timestamp;

    fn notice() -> Event {
        Event::Notice(Notice::new(
            Timestamp::UNIX_EPOCH,
            NoticeKind::Started,
            "started",
        ))
    }

    fn stats() -> Event {
        Event::Stats(Stats {
            time: Timestamp::UNIX_EPOCH,
            uptime_s: 0,
            counters: Counters::default(),
            flows: 0,
            alerts: 0,
            queue_lost: Vec::new(),
            sinks: Vec::new(),
        })
    }

    #[test]
    fn events_come_out_in_the_order_they_went_in() {
        let mut queue = Queue::new(10);
        for event in [notice(), stats(), notice(), stats()] {
            queue.push(event);
        }
        let order: Vec<_> = std::iter::from_fn(|| queue.pop())
            .map(|(number, event)| (number, event.kind()))
            .collect();
        assert_eq!(
            order,
            [
                (1, EventKind::Notice),
                (2, EventKind::Stats),
                (3, EventKind::Notice),
                (4, EventKind::Stats)
            ]
        );
    }

    #[test]
    fn a_full_queue_gives_up_the_least_important_oldest_first() {
        let mut queue = Queue::new(3);
        for event in [notice(), stats(), stats(), notice(), notice(), notice()] {
            queue.push(event);
        }
        let numbers: Vec<_> = std::iter::from_fn(|| queue.pop())
            .map(|(number, _)| number)
            .collect();
        // 2 and 3 are the statistics, 1 the oldest notice.
        assert_eq!(numbers, [4, 5, 6]);
        assert_eq!(queue.lost(), [0, 2, 0, 1, 0, 0]);
    }
}
