//! One capture through a survey, in one thread or in several.
//!
//! One thread reads, parses and says which lane a packet belongs to; each worker has the lanes of
//! one shard. Batches of packets go to all of them at once and hold the read buffer itself. All
//! queues are bounded, so that a slow worker makes the reader wait and memory does not grow with
//! the capture. With one thread there is one worker and no queue.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

use octroi_inspect::flow;
use octroi_inspect::name::NamerLimits;
use octroi_inspect::survey::{Counts, Front, GivenUp, Shard, Share, Sink, Survey};

use super::batch::Batch;
use super::progress::Progress;
use super::source::{Merged, Source};

/// Most threads. The one that reads is busy with two or three workers. And each worker keeps what DNS
/// told, which bounds the memory of all.
const MAX_THREADS: usize = 4;
/// Batches that wait for one worker.
const BATCHES_WAITING: usize = 8;
/// Bytes of packets in one batch of merged captures.
const BATCH_BYTES: usize = 1 << 18;
/// Packets between two looks at the progress bar and at whether to stop.
const PACKETS_PER_TICK: u64 = 8_192;

/// Flows held at once, all lanes together.
const FLOWS: usize = 1 << 17;
/// DNS queries that wait for their answer; each worker holds them.
const QUERIES: usize = 1 << 12;
/// Bytes of incomplete hellos and requests held, all lanes together.
const STREAM_BYTES: usize = 16 << 20;
/// Addresses bound to names by DNS. Each worker holds all of them: what one learns names flows of
/// all, and what is found must not depend on how many there are.
const BINDINGS: usize = 1 << 15;
/// What they take with their names and aliases; what HTTPS records say takes a quarter of it.
const BINDING_BYTES: usize = 12 << 20;

/// What takes the results of one shard.
pub(super) trait Worker: Sink + Send {
    /// All packets before this one were worked on.
    fn passed(&mut self, _next: u64) {}
}

/// How many threads there are, and what they do.
#[derive(Clone, Copy)]
pub(super) struct Threads(usize);

impl Threads {
    pub(super) fn new(wanted: usize) -> Self {
        Self(wanted.clamp(1, MAX_THREADS))
    }

    /// One thread does everything.
    pub(super) const fn is_one(self) -> bool {
        self.0 == 1
    }

    /// How many of them work on flows.
    pub(super) const fn workers(self) -> usize {
        if self.is_one() { 1 } else { self.0 - 1 }
    }
}

/// What is read.
pub(super) enum Reading {
    /// One capture.
    One(PathBuf),
    /// Several, in the order of their packets' times.
    Merged(Vec<PathBuf>),
}

/// What became of a capture.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) counts: Counts,
    /// Distinct five-tuples.
    pub(super) tuples: u64,
    /// Flows ended early to make room.
    pub(super) evicted: u64,
    /// What naming gave up to stay within its bounds.
    pub(super) names: GivenUp,
    /// Why it was not read to its end.
    pub(super) error: Option<anyhow::Error>,
}

/// What one shard counted.
struct Counted {
    tuples: u64,
    evicted: u64,
    names: GivenUp,
}

impl Counted {
    fn of(shard: &Shard) -> Self {
        Self {
            tuples: shard.tuples(),
            evicted: shard.evicted(),
            names: shard.given_up(),
        }
    }
}

impl Outcome {
    fn add(&mut self, counted: &Counted) {
        self.tuples += counted.tuples;
        self.evicted += counted.evicted;
        self.names.flows += counted.names.flows;
        self.names.streams += counted.names.streams;
        self.names.bindings += counted.names.bindings;
    }
}

fn limits() -> (flow::Limits, NamerLimits) {
    let flows = flow::Limits {
        flows: FLOWS,
        ..flow::Limits::default()
    };
    let names = NamerLimits {
        bindings: BINDINGS,
        binding_bytes: BINDING_BYTES,
        service_bytes: BINDING_BYTES / 4,
        queries: QUERIES,
        total_bytes: STREAM_BYTES,
        ..NamerLimits::default()
    };
    (flows, names)
}

/// Reads a capture to its end, or as far as it goes, or until `stop` says so. With more than one
/// thread `beside` runs in this one meanwhile.
pub(super) fn run<W: Worker>(
    reading: &Reading,
    threads: Threads,
    mut workers: Vec<W>,
    progress: &Progress,
    stop: &(dyn Fn() -> bool + Sync),
    beside: impl FnOnce(),
) -> Outcome {
    if !threads.is_one() {
        return in_threads(reading, workers, progress, stop, beside);
    }
    match workers.pop() {
        Some(worker) => in_this_thread(reading, worker, progress, stop),
        None => Outcome::default(),
    }
}

fn in_this_thread<W: Worker>(
    reading: &Reading,
    mut worker: W,
    progress: &Progress,
    stop: &dyn Fn() -> bool,
) -> Outcome {
    let (flows, names) = limits();
    let mut survey = Survey::new(flows, names);
    let error = match reading {
        Reading::One(path) => each_of_one(path, progress, stop, &mut survey, &mut worker),
        Reading::Merged(paths) => Merged::open(paths).and_then(|mut merged| {
            let mut left = 0;
            while let Some(packet) = merged.next() {
                survey.packet(&packet, &mut worker);
                if is_time(&mut left) && stop() {
                    break;
                }
            }
            merged.into_error()
        }),
    }
    .err();
    survey.finish(&mut worker);
    let mut outcome = Outcome {
        counts: survey.counts().clone(),
        error,
        ..Outcome::default()
    };
    outcome.add(&Counted::of(survey.shard()));
    outcome
}

fn each_of_one(
    path: &std::path::Path,
    progress: &Progress,
    stop: &dyn Fn() -> bool,
    survey: &mut Survey,
    worker: &mut impl Worker,
) -> anyhow::Result<()> {
    let mut source = Source::open(path)?;
    progress.begin(path, source.length);
    let mut left = PACKETS_PER_TICK;
    loop {
        let Some(packet) = source.capture.next()? else {
            return Ok(());
        };
        survey.packet(&packet, worker);
        if is_time(&mut left) {
            progress.at(source.position());
            if stop() {
                return Ok(());
            }
        }
    }
}

/// True once in a while.
fn is_time(left: &mut u64) -> bool {
    *left = left.checked_sub(1).unwrap_or(PACKETS_PER_TICK);
    *left == 0
}

fn in_threads<W: Worker>(
    reading: &Reading,
    workers: Vec<W>,
    progress: &Progress,
    stop: &(dyn Fn() -> bool + Sync),
    beside: impl FnOnce(),
) -> Outcome {
    let (used, to_be_used_again) = channel();
    let of = u8::try_from(workers.len()).unwrap_or(1);
    std::thread::scope(|scope| {
        let mut queues = Vec::new();
        let mut shards = Vec::new();
        for (number, worker) in (0..of).zip(workers) {
            let (queue, batches) = sync_channel(BATCHES_WAITING);
            queues.push(queue);
            let used = used.clone();
            shards.push(scope.spawn(move || work(Share { number, of }, worker, &batches, &used)));
        }
        let reader = scope.spawn(move || {
            let mut reader = Reader {
                front: Front::default(),
                queues,
                to_be_used_again,
                batch: Batch::default().cleared(usize::from(of)),
                stop,
            };
            let error = match reading {
                Reading::One(path) => reader.one(path, progress),
                Reading::Merged(paths) => reader.merged(paths),
            }
            .err();
            (reader.front.counts().clone(), error)
        });
        beside();
        let (counts, error) = joined(reader);
        let mut outcome = Outcome {
            counts,
            error,
            ..Outcome::default()
        };
        for shard in shards {
            outcome.add(&joined(shard));
        }
        outcome
    })
}

fn joined<T>(thread: std::thread::ScopedJoinHandle<'_, T>) -> T {
    thread
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// What a worker's thread does.
fn work<W: Worker>(
    share: Share,
    mut worker: W,
    batches: &Receiver<Arc<Batch>>,
    used: &Sender<Batch>,
) -> Counted {
    let (flows, names) = limits();
    let mut lanes = Shard::new(share, flows, names);
    for batch in batches {
        batch.work(usize::from(share.number), &mut lanes, &mut worker);
        worker.passed(batch.next);
        // Whoever is the last to be done gives the memory back.
        if let Some(batch) = Arc::into_inner(batch) {
            let _ = used.send(batch);
        }
    }
    lanes.finish(&mut worker);
    Counted::of(&lanes)
}

/// The thread that reads.
struct Reader<'a> {
    front: Front,
    queues: Vec<SyncSender<Arc<Batch>>>,
    to_be_used_again: Receiver<Batch>,
    batch: Batch,
    stop: &'a (dyn Fn() -> bool + Sync),
}

impl Reader<'_> {
    /// The buffer of a capture is the batch: packets stay where they were read.
    fn one(&mut self, path: &std::path::Path, progress: &Progress) -> anyhow::Result<()> {
        let mut source = Source::open(path)?;
        progress.begin(path, source.length);
        source.capture.offer(std::mem::take(&mut self.batch.bytes));
        let ended = loop {
            let step = source.capture.step();
            if let Some(full) = source.capture.retired() {
                self.send(full);
                progress.at(source.position());
                source.capture.offer(std::mem::take(&mut self.batch.bytes));
            }
            match step {
                Ok(Some(placed)) => {
                    let packet = source.capture.packet(&placed);
                    let mut to = self.batch.packet(packet.data, placed.place.start);
                    self.front.read(&packet, &mut to);
                }
                Ok(None) => break Ok(()),
                Err(error) => break Err(error.into()),
            }
            if self.queues.is_empty() {
                break Ok(());
            }
        };
        self.send(source.capture.into_bytes());
        ended
    }

    fn merged(&mut self, paths: &[PathBuf]) -> anyhow::Result<()> {
        let mut merged = Merged::open(paths)?;
        let mut bytes = std::mem::take(&mut self.batch.bytes);
        bytes.clear();
        while let Some(packet) = merged.next() {
            if bytes.len() + packet.data.len() > BATCH_BYTES {
                self.send(bytes);
                bytes = std::mem::take(&mut self.batch.bytes);
                bytes.clear();
                if self.queues.is_empty() {
                    break;
                }
            }
            let at = bytes.len();
            bytes.extend_from_slice(packet.data);
            let mut to = self.batch.packet(packet.data, at);
            self.front.read(&packet, &mut to);
        }
        self.send(bytes);
        merged.into_error()
    }

    /// Sends the batch with its bytes to all workers, and begins another one. After it was told to
    /// stop nothing is sent any more.
    fn send(&mut self, bytes: Vec<u8>) {
        let fresh = self.to_be_used_again.try_recv().unwrap_or_default();
        let fresh = fresh.cleared(self.queues.len());
        let mut batch = std::mem::replace(&mut self.batch, fresh);
        if batch.is_empty() {
            return;
        }
        batch.bytes = bytes;
        batch.next = self.front.counts().packets;
        let batch = Arc::new(batch);
        for queue in &self.queues {
            // A worker that is gone has panicked: that is told when it is joined.
            let _ = queue.send(Arc::clone(&batch));
        }
        if (self.stop)() {
            self.queues.clear();
        }
    }
}
