//! What is told of flows as they end, in one order whoever found it.
//!
//! Flows that end before their capture does are told in the order of the packets that ended them
//! (a tuple that was used again, a full table); the others in the order of their first packets.
//! Each shard tells in that order; [`print_in_order`] puts the shards together without waiting for
//! the end.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender};

use octroi_events::{Event, Origin};
use octroi_inspect::survey::Naming;

/// Flows sent at once.
const FLOWS_PER_CHUNK: usize = 256;
/// Chunks of one shard that wait to be printed.
pub(super) const CHUNKS_WAITING: usize = 4;

/// The place of a flow among all flows of a capture.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(super) struct Place {
    /// Number of the packet that ended it.
    ended: u64,
    /// Number of its first packet.
    began: u64,
}

impl Place {
    pub(super) fn of(naming: &Naming) -> Self {
        Self {
            ended: naming.ended.unwrap_or(u64::MAX),
            began: naming.began,
        }
    }

    /// The first place for flows that a packet, or one after it, ends.
    pub(super) fn at_packet(number: u64) -> Self {
        Self {
            ended: number,
            began: 0,
        }
    }
}

/// What is told of one flow.
pub(super) enum Told {
    /// Whole lines.
    Lines(Vec<u8>),
    /// Events that still need their numbers.
    Events(Vec<Event>),
}

/// Takes what a shard tells, in its order.
pub(super) trait Outlet {
    /// One flow.
    fn tell(&mut self, place: Place, told: Told);
    /// Nothing before this place is still to come.
    fn passed(&mut self, place: Place);
}

/// Nobody: the report tells of all flows.
impl Outlet for () {
    fn tell(&mut self, _place: Place, _told: Told) {}

    fn passed(&mut self, _place: Place) {}
}

/// Some flows of a shard.
pub(super) struct Chunk {
    told: Vec<(Place, Told)>,
    /// Nothing before this place is still to come.
    passed: Place,
}

/// Sends to the thread that prints.
pub(super) struct Remote {
    to: SyncSender<Chunk>,
    told: Vec<(Place, Told)>,
}

impl Remote {
    pub(super) fn new(to: SyncSender<Chunk>) -> Self {
        Self {
            to,
            told: Vec::new(),
        }
    }

    fn send(&mut self, passed: Place) {
        let told = std::mem::take(&mut self.told);
        // When nobody prints any more, the reason was told there.
        let _ = self.to.send(Chunk { told, passed });
    }
}

impl Outlet for Remote {
    fn tell(&mut self, place: Place, told: Told) {
        self.told.push((place, told));
        if self.told.len() >= FLOWS_PER_CHUNK {
            self.send(place);
        }
    }

    fn passed(&mut self, place: Place) {
        self.send(place);
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        self.send(Place::at_packet(u64::MAX));
    }
}

/// Writes what is told, and numbers events.
pub(super) struct Printer<W> {
    out: W,
    origin: Origin,
    sequence: u64,
    line: Vec<u8>,
    failed: Option<io::Error>,
}

impl<W: Write> Printer<W> {
    pub(super) fn new(out: W) -> Self {
        Self {
            out,
            origin: Origin::of_this_process(),
            sequence: 0,
            line: Vec::new(),
            failed: None,
        }
    }

    /// Writes what stands before everything.
    pub(super) fn begin(&mut self, bytes: &[u8]) {
        self.failed = self.out.write_all(bytes).err();
    }

    /// Writes what is told after all flows.
    pub(super) fn end(&mut self, events: Vec<Event>) {
        self.print(&Told::Events(events));
    }

    fn print(&mut self, told: &Told) {
        if self.failed.is_some() {
            return;
        }
        self.failed = match told {
            Told::Lines(lines) => self.out.write_all(lines),
            Told::Events(events) => {
                self.line.clear();
                for event in events {
                    self.sequence += 1;
                    event.write_eve(&self.origin, self.sequence, &mut self.line);
                }
                self.out.write_all(&self.line)
            }
        }
        .err();
    }

    /// Whether nothing can be written any more.
    pub(super) fn has_failed(&self) -> bool {
        self.failed.is_some()
    }

    /// Where it writes.
    ///
    /// # Errors
    /// The first error of writing.
    pub(super) fn finish(self) -> io::Result<W> {
        match self.failed {
            Some(error) => Err(error),
            None => Ok(self.out),
        }
    }
}

impl<W: Write> Outlet for &mut Printer<W> {
    fn tell(&mut self, _place: Place, told: Told) {
        self.print(&told);
    }

    fn passed(&mut self, _place: Place) {}
}

struct Stream {
    from: Receiver<Chunk>,
    waiting: VecDeque<(Place, Told)>,
    passed: Place,
    is_open: bool,
}

/// Prints what shards tell until all have hung up. Returns early when writing fails.
pub(super) fn print_in_order<W: Write>(shards: Vec<Receiver<Chunk>>, printer: &mut Printer<W>) {
    let mut streams: Vec<Stream> = shards
        .into_iter()
        .map(|from| Stream {
            from,
            waiting: VecDeque::new(),
            passed: Place::default(),
            is_open: true,
        })
        .collect();
    while !printer.has_failed() {
        let place = |stream: &Stream| stream.waiting.front().map(|(place, _)| *place);
        let first = streams.iter().filter_map(place).min();
        let may_come_before = |stream: &&mut Stream| {
            stream.is_open
                && stream.waiting.is_empty()
                && first.is_none_or(|first| stream.passed <= first)
        };
        // The one that is furthest behind: the others may be waiting until their chunks are taken,
        // and it for packets that are sent to all of them at once.
        let behind = streams
            .iter_mut()
            .filter(may_come_before)
            .min_by_key(|stream| stream.passed);
        if let Some(stream) = behind {
            match stream.from.recv() {
                Ok(chunk) => {
                    stream.waiting.extend(chunk.told);
                    stream.passed = chunk.passed;
                }
                Err(_) => stream.is_open = false,
            }
            continue;
        }
        let next = streams
            .iter_mut()
            .find(|stream| first.is_some() && place(stream) == first)
            .and_then(|stream| stream.waiting.pop_front());
        let Some((_, told)) = next else {
            return;
        };
        printer.print(&told);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;

    fn place(ended: u64, began: u64) -> Place {
        Place { ended, began }
    }

    #[test]
    fn shards_are_printed_in_one_order_without_waiting_for_the_slow_one() {
        let (first, from_first) = sync_channel(CHUNKS_WAITING);
        let (second, from_second) = sync_channel(CHUNKS_WAITING);
        let line = |number: u64| Told::Lines(format!("{number}\n").into_bytes());
        let mut printer = Printer::new(Vec::new());
        std::thread::scope(|scope| {
            // One shard has much to tell, the other nothing until the end: channels are bounded,
            // so that printing must go on meanwhile.
            scope.spawn(move || {
                let mut remote = Remote::new(first);
                for number in 0..20_000 {
                    remote.tell(place(number * 2, 0), line(number * 2));
                    remote.passed(Place::at_packet(number * 2 + 1));
                }
            });
            scope.spawn(move || {
                let mut remote = Remote::new(second);
                for number in 0..20_000 {
                    remote.passed(Place::at_packet(number * 2 + 1));
                }
                remote.tell(place(u64::MAX, 7), line(40_000));
                remote.tell(place(u64::MAX, 8), line(40_001));
            });
            print_in_order(vec![from_first, from_second], &mut printer);
        });
        let text = String::from_utf8(printer.finish().unwrap()).unwrap();
        let numbers: Vec<u64> = text.lines().map(|line| line.parse().unwrap()).collect();
        assert_eq!(numbers.len(), 20_002);
        assert!(numbers.is_sorted());
    }

    #[test]
    fn shards_that_get_their_work_in_step_never_wait_for_each_other() {
        let mut printer = Printer::new(Vec::new());
        std::thread::scope(|scope| {
            let mut told = Vec::new();
            let mut queues = Vec::new();
            for shard in 0..3_u64 {
                let (to, from) = sync_channel(CHUNKS_WAITING);
                let (queue, batches) = sync_channel::<u64>(2);
                told.push(from);
                queues.push(queue);
                scope.spawn(move || {
                    let mut remote = Remote::new(to);
                    for batch in batches {
                        // Much, something now and then, and nothing.
                        if shard < 2 && batch % (1 + shard * 100) == 0 {
                            remote.tell(place(batch, shard), Told::Lines(b"x\n".to_vec()));
                        }
                        remote.passed(Place::at_packet(batch + 1));
                    }
                });
            }
            scope.spawn(move || {
                for batch in 0..5_000 {
                    for queue in &queues {
                        queue.send(batch).unwrap();
                    }
                }
            });
            print_in_order(told, &mut printer);
        });
        let lines = printer.finish().unwrap().len() / 2;
        assert_eq!(lines, 5_000 + 5_000_usize.div_ceil(101));
    }

    #[test]
    fn a_writer_that_fails_ends_the_printing() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (to, from) = sync_channel(CHUNKS_WAITING);
        let mut printer = Printer::new(Full);
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let mut remote = Remote::new(to);
                for number in 0..100_000 {
                    remote.tell(place(number, 0), Told::Lines(b"x\n".to_vec()));
                }
            });
            print_in_order(vec![from], &mut printer);
        });
        assert!(printer.finish().is_err());
    }
}
