//! The dispatcher: a thread of its own between the daemon and the sinks.
//!
//! [`Handle::send`] never waits for a sink. When the queue is full the least important event is
//! given up and counted, and when it is empty again a notice in the stream says how many were lost.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::Sink;
use super::queue::Queue;
use crate::identity::Origin;
use crate::model::{Event, EventKind};
use crate::notice::{Notice, NoticeKind};
use crate::stats::{Named, SinkStatus};

/// How events are dispatched.
#[derive(Clone, Debug)]
pub struct DispatcherOptions {
    /// Whose events they are.
    pub origin: Origin,
    /// Events that wait, at most.
    pub capacity: usize,
}

impl DispatcherOptions {
    /// Room for 32,768 events.
    #[must_use]
    pub const fn new(origin: Origin) -> Self {
        Self {
            origin,
            capacity: 32_768,
        }
    }
}

/// Events taken out of the queue at once.
const BATCH: usize = 256;
/// First wait before a failed sink is tried again, and the longest one.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_LONGEST: Duration = Duration::from_secs(30);

/// The queue and the sinks as they are now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueStatus {
    /// Events that wait.
    pub length: usize,
    /// Room.
    pub capacity: usize,
    /// Events given up, by kind, zeros included.
    pub lost: Vec<Named>,
    /// The sinks.
    pub sinks: Vec<SinkStatus>,
}

struct State {
    queue: Queue,
    statuses: Vec<SinkStatus>,
    reopen: bool,
    stop: bool,
}

struct Shared {
    state: Mutex<State>,
    wake: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends events; cheap to clone.
#[derive(Clone)]
pub struct Handle {
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}

impl Handle {
    /// Queues an event and returns its sequence number (last part of its id). Numbers have no gaps:
    /// a reader that misses one knows that the event was lost.
    #[expect(clippy::must_use_candidate, reason = "most senders need no number")]
    pub fn send(&self, event: Event) -> u64 {
        let number = self.shared.lock().queue.push(event);
        self.shared.wake.notify_one();
        number
    }

    /// Asks every sink to open its object again.
    pub fn reopen(&self) {
        self.shared.lock().reopen = true;
        self.shared.wake.notify_one();
    }

    /// The queue and the sinks as they are now.
    #[must_use]
    pub fn status(&self) -> QueueStatus {
        let state = self.shared.lock();
        QueueStatus {
            length: state.queue.len(),
            capacity: state.queue.capacity(),
            lost: state.queue.lost_named(),
            sinks: state.statuses.clone(),
        }
    }
}

/// Owns the thread. Dropping it asks the thread to write what waits, and does not wait for it.
#[derive(Debug)]
pub struct Dispatcher {
    handle: Handle,
    finished: mpsc::Receiver<()>,
}

impl Dispatcher {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub fn start(options: DispatcherOptions, sinks: Vec<Box<dyn Sink>>) -> io::Result<Self> {
        let statuses = sinks
            .iter()
            .map(|sink| SinkStatus {
                name: sink.name().to_owned(),
                healthy: true,
                ..SinkStatus::default()
            })
            .collect();
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                queue: Queue::new(options.capacity),
                statuses,
                reopen: false,
                stop: false,
            }),
            wake: Condvar::new(),
        });
        let (finish, finished) = mpsc::channel();
        let worker = Worker {
            shared: Arc::clone(&shared),
            origin: options.origin,
            sinks: sinks.into_iter().map(Watched::new).collect(),
            told_lost: [0; EventKind::ALL.len()],
        };
        std::thread::Builder::new()
            .name("events".to_owned())
            .spawn(move || {
                worker.run();
                // Nobody waits any more when the dispatcher was dropped.
                let _ = finish.send(());
            })?;
        Ok(Self {
            handle: Handle { shared },
            finished,
        })
    }

    /// A handle to send with.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Writes what waits and ends the thread, waiting at most `patience` (a sink may hang). What
    /// still waits then is in [`QueueStatus::length`].
    #[must_use]
    pub fn shutdown(self, patience: Duration) -> QueueStatus {
        self.ask_to_stop();
        // A timeout shows in the status: events still wait.
        let _ = self.finished.recv_timeout(patience);
        self.handle.status()
    }

    fn ask_to_stop(&self) {
        self.handle.shared.lock().stop = true;
        self.handle.shared.wake.notify_one();
    }
}

impl Drop for Dispatcher {
    fn drop(&mut self) {
        self.ask_to_stop();
    }
}

/// A sink and how it fares.
struct Watched {
    sink: Box<dyn Sink>,
    status: SinkStatus,
    /// `Some` while it fails.
    failing: Option<Failing>,
}

struct Failing {
    lost: u64,
    wait: Duration,
    retry: Instant,
}

impl Watched {
    fn new(sink: Box<dyn Sink>) -> Self {
        Self {
            status: SinkStatus {
                name: sink.name().to_owned(),
                healthy: true,
                ..SinkStatus::default()
            },
            sink,
            failing: None,
        }
    }

    /// Writes lines, or counts them as lost. Returns what the stream should be told.
    fn write(&mut self, lines: &[u8], events: u64) -> Option<Notice> {
        if events == 0 {
            return None;
        }
        if let Some(failing) = &mut self.failing
            && Instant::now() < failing.retry
        {
            failing.lost += events;
            self.status.lost += events;
            return None;
        }
        let result = self.sink.write(lines);
        self.status.rotations = self.sink.rotations();
        match result {
            Ok(()) => {
                self.status.written += events;
                self.status.written_bytes += lines.len() as u64;
                self.recovered()
            }
            Err(error) => {
                self.status.lost += events;
                self.failed(error.to_string(), events)
            }
        }
    }

    fn reopen(&mut self) -> Option<Notice> {
        match self.sink.reopen() {
            Ok(()) => self.recovered(),
            Err(error) => self.failed(error.to_string(), 0),
        }
    }

    fn recovered(&mut self) -> Option<Notice> {
        self.status.healthy = true;
        self.status.error = None;
        let failing = self.failing.take()?;
        let message = format!(
            "{} works again; {} events were lost meanwhile",
            self.status.name, failing.lost
        );
        Some(
            Notice::new(Timestamp::now(), NoticeKind::SinkRecovered, message)
                .with("sink", &self.status.name)
                .with("lost", failing.lost),
        )
    }

    /// Notes a failure; only the first one of a row is worth a notice.
    fn failed(&mut self, error: String, events: u64) -> Option<Notice> {
        let first = self.failing.is_none();
        let failing = self.failing.get_or_insert(Failing {
            lost: 0,
            wait: RETRY_FIRST / 2,
            retry: Instant::now(),
        });
        failing.lost += events;
        failing.wait = (failing.wait * 2).min(RETRY_LONGEST);
        failing.retry = Instant::now() + failing.wait;
        let notice = first.then(|| {
            Notice::new(Timestamp::now(), NoticeKind::SinkFailed, error.clone())
                .with("sink", &self.status.name)
        });
        self.status.healthy = false;
        self.status.error = Some(error);
        notice
    }
}

struct Worker {
    shared: Arc<Shared>,
    origin: Origin,
    sinks: Vec<Watched>,
    /// Losses that the stream was told of.
    told_lost: [u64; EventKind::ALL.len()],
}

impl Worker {
    fn run(mut self) {
        let mut batch = Vec::with_capacity(BATCH);
        let mut lines = Vec::new();
        loop {
            let (reopen, stop) = self.take(&mut batch);
            let mut notices = Vec::new();
            if reopen {
                notices.extend(self.sinks.iter_mut().filter_map(Watched::reopen));
            }
            lines.clear();
            let mut events = 0;
            for (number, event) in batch.drain(..) {
                event.write_eve(&self.origin, number, &mut lines);
                events += 1;
            }
            for sink in &mut self.sinks {
                notices.extend(sink.write(&lines, events));
            }
            notices.extend(self.lost());
            if self.publish(notices) && stop {
                return;
            }
        }
    }

    /// Waits for work and takes it: whether to reopen, and whether to stop.
    fn take(&self, batch: &mut Vec<(u64, Event)>) -> (bool, bool) {
        let mut state = self.shared.lock();
        while state.queue.len() == 0 && !state.reopen && !state.stop {
            state = self
                .shared
                .wake
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        while batch.len() < BATCH
            && let Some(event) = state.queue.pop()
        {
            batch.push(event);
        }
        let reopen = std::mem::take(&mut state.reopen);
        (reopen, state.stop)
    }

    /// What the queue lost and the stream was not told yet; told when the queue has room again.
    fn lost(&mut self) -> Option<Notice> {
        let state = self.shared.lock();
        if state.queue.len() * 2 > state.queue.capacity() {
            return None;
        }
        let lost = state.queue.lost();
        drop(state);
        let new: Vec<_> = EventKind::ALL
            .into_iter()
            .map(|kind| (kind, lost[kind as usize] - self.told_lost[kind as usize]))
            .filter(|(_, count)| *count > 0)
            .collect();
        self.told_lost = lost;
        let all: u64 = new.iter().map(|(_, count)| count).sum();
        (all > 0).then(|| {
            let message = format!(
                "{all} events were lost because the sinks did not keep up (give them a faster \
                 disk, or log less)"
            );
            new.iter().fold(
                Notice::new(Timestamp::now(), NoticeKind::EventsLost, message),
                |notice, (kind, count)| notice.with(&format!("lost_{}", kind.name()), count),
            )
        })
    }

    /// Queues notices of its own, behind what waits, and shows how the sinks fare. Returns whether
    /// nothing is left to write.
    fn publish(&self, notices: Vec<Notice>) -> bool {
        let statuses = self.sinks.iter().map(|sink| sink.status.clone()).collect();
        let mut state = self.shared.lock();
        for notice in notices {
            state.queue.push(Event::Notice(notice));
        }
        state.statuses = statuses;
        state.queue.len() == 0
    }
}
