//! One capture through a survey, with as many threads as there are workers.
//!
//! One thread reads, parses and says which lane a packet belongs to; each worker has the lanes of
//! one shard. Batches of packets go to all of them at once and hold the read buffer itself. All
//! queues are bounded, so that a slow worker makes the reader wait and memory does not grow with
//! the capture. With one worker there is one thread and no queue.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

use octroi_inspect::flow;
use octroi_inspect::name::NamerLimits;
use octroi_inspect::survey::{Counts, Front, Shard, Share, Sink, Survey};

use super::batch::Batch;
use super::progress::Progress;
use super::source::{Merged, Source};

/// Most workers. One thread reads for all of them: it is busy with four. And each keeps what DNS
/// told, which bounds the memory of all.
pub(super) const MAX_WORKERS: usize = 4;
/// Batches that wait for one worker.
const BATCHES_WAITING: usize = 4;
/// Bytes of packets in one batch of merged captures.
const BATCH_BYTES: usize = 1 << 20;
/// Packets between two looks at the progress bar and at whether to stop.
const PACKETS_PER_TICK: u64 = 8_192;

/// Flows held at once, all lanes together.
const FLOWS: usize = 1 << 17;
/// DNS queries that wait for their answer; each worker holds them.
const QUERIES: usize = 1 << 12;
/// Bytes of incomplete hellos and requests held, all workers together.
const STREAM_BYTES: usize = 16 << 20;
/// Addresses bound to names by DNS, divided by the number of workers, each of which holds all that
/// it has room for.
const BINDINGS: usize = 1 << 16;

/// What takes the results of one shard.
pub(super) trait Worker: Sink + Send {
    /// All packets before this one were worked on.
    fn passed(&mut self, _next: u64) {}
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
    pub(super) names: GivenUp,
    /// Why it was not read to its end.
    pub(super) error: Option<anyhow::Error>,
}

/// What naming gave up to stay within its bounds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct GivenUp {
    pub(super) flows_evicted: u64,
    pub(super) streams_given_up: u64,
}

/// What one shard counted.
struct Counted {
    tuples: u64,
    evicted: u64,
    names: GivenUp,
}

impl Counted {
    fn of(shard: &Shard) -> Self {
        let stats = shard.namer_stats();
        Self {
            tuples: shard.tuples(),
            evicted: shard.evicted(),
            names: GivenUp {
                flows_evicted: stats.flows_evicted,
                streams_given_up: stats.streams_too_long + stats.memory_refused,
            },
        }
    }
}

impl Outcome {
    fn add(&mut self, counted: &Counted) {
        self.tuples += counted.tuples;
        self.evicted += counted.evicted;
        self.names.flows_evicted += counted.names.flows_evicted;
        self.names.streams_given_up += counted.names.streams_given_up;
    }
}

fn limits(workers: u8) -> (flow::Limits, NamerLimits) {
    let flows = flow::Limits {
        flows: FLOWS,
        ..flow::Limits::default()
    };
    let names = NamerLimits {
        bindings: BINDINGS / usize::from(workers.max(1)),
        queries: QUERIES,
        total_bytes: STREAM_BYTES,
        ..NamerLimits::default()
    };
    (flows, names)
}

/// Reads a capture to its end, or as far as it goes, or until `stop` says so. With more than one
/// worker `beside` runs in this thread meanwhile.
pub(super) fn run<W: Worker>(
    reading: &Reading,
    mut workers: Vec<W>,
    progress: &Progress,
    stop: &(dyn Fn() -> bool + Sync),
    beside: impl FnOnce(),
) -> Outcome {
    if workers.len() > 1 {
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
    let (flows, names) = limits(1);
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
    let (flows, names) = limits(share.of);
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
