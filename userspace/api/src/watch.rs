//! Watching: a stream of updates on one connection, and one that reconnects by itself.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::unix::OwnedWriteHalf;
use tokio::sync::mpsc;

use crate::client::{Client, ClientError, ClientOptions, broken};
use crate::frame;
use crate::refusal::ApiError;
use crate::wire::{HelloReply, Request, Response, Update, WatchRequest};

/// Updates that wait here for a client that is busy drawing; more stay in the socket.
const WAITING_UPDATES: usize = 2;

/// What comes on a watching connection.
#[derive(Debug)]
enum Incoming {
    /// A request to watch was accepted.
    Accepted,
    /// An update.
    Update(Box<Update>),
}

/// A stream of updates.
#[derive(Debug)]
pub struct Watch {
    incoming: mpsc::Receiver<Result<Incoming, ClientError>>,
    writer: OwnedWriteHalf,
    hello: HelloReply,
    reader: tokio::task::JoinHandle<()>,
}

impl Watch {
    pub(crate) fn new(client: Client) -> Self {
        let (sender, incoming) = mpsc::channel(WAITING_UPDATES);
        let mut reader = client.reader;
        // Reading a frame must not be cancelled half-way, so it has a task of its own.
        let task = tokio::spawn(async move {
            loop {
                let item = match frame::read::<Response, _>(&mut reader).await {
                    Ok(Some(Response::Update(update))) => Ok(Incoming::Update(update)),
                    Ok(Some(Response::Watching)) => Ok(Incoming::Accepted),
                    Ok(Some(Response::Error(error))) => Err(ClientError::Refused(error)),
                    Ok(Some(_)) => continue,
                    Ok(None) => Err(ClientError::Closed),
                    Err(error) => Err(broken(error)),
                };
                let last = matches!(item, Err(ClientError::Closed | ClientError::Frame(_)));
                if sender.send(item).await.is_err() || last {
                    return;
                }
            }
        });
        Self {
            incoming,
            writer: client.writer,
            hello: client.hello,
            reader: task,
        }
    }

    /// What the daemon said first.
    #[must_use]
    pub const fn hello(&self) -> &HelloReply {
        &self.hello
    }

    /// The next update. Cancel-safe.
    ///
    /// # Errors
    /// [`ClientError::Refused`] when a [`Watch::change`] was refused: the old watch goes on. Any
    /// other error is the end.
    pub async fn next(&mut self) -> Result<Update, ClientError> {
        loop {
            if let Incoming::Update(update) = self.incoming().await? {
                return Ok(*update);
            }
        }
    }

    async fn incoming(&mut self) -> Result<Incoming, ClientError> {
        self.incoming
            .recv()
            .await
            .unwrap_or(Err(ClientError::Closed))
    }

    /// Asks for something else. Updates under way may still be of the old kind.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn change(&mut self, request: WatchRequest) -> Result<(), ClientError> {
        frame::write(&mut self.writer, &Request::Watch(request))
            .await
            .map_err(broken)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// What a [`Watcher`] tells.
#[derive(Debug)]
pub enum WatchEvent {
    /// Connected (again).
    Connected(HelloReply),
    /// An update.
    Update(Box<Update>),
    /// A change was refused; the old watch goes on.
    Refused(ApiError),
    /// No connection; another try follows.
    Disconnected {
        /// Why, with the remedy.
        error: String,
        /// Time to the next try.
        retry_in: Duration,
        /// Tries since the last connection, from 1.
        attempt: u32,
    },
}

/// First wait before a new try, and the longest one. Each wait doubles the last.
const RETRY_FIRST: Duration = Duration::from_millis(250);
const RETRY_LONGEST: Duration = Duration::from_secs(5);

/// The wait before try number `attempt` (from 1).
#[must_use]
pub fn retry_delay(attempt: u32) -> Duration {
    let doublings = attempt.saturating_sub(1).min(8);
    RETRY_FIRST
        .saturating_mul(1 << doublings)
        .min(RETRY_LONGEST)
}

/// A watch that reconnects with back-off, for as long as it lives.
#[derive(Debug)]
pub struct Watcher {
    events: mpsc::Receiver<WatchEvent>,
    changes: mpsc::UnboundedSender<WatchRequest>,
    task: tokio::task::JoinHandle<()>,
    socket: PathBuf,
}

impl Watcher {
    /// Begins to watch. Must be called inside a tokio runtime.
    #[must_use]
    pub fn start(options: ClientOptions, request: WatchRequest) -> Self {
        let (sender, events) = mpsc::channel(WAITING_UPDATES);
        let (changes, wanted) = mpsc::unbounded_channel();
        let socket = options.socket.clone();
        let task = tokio::spawn(watch_for_ever(options, request, sender, wanted));
        Self {
            events,
            changes,
            task,
            socket,
        }
    }

    /// The socket that is watched.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// What happened next. Cancel-safe. `None` only when the runtime shuts down.
    pub async fn next(&mut self) -> Option<WatchEvent> {
        self.events.recv().await
    }

    /// Asks for something else, now and after every reconnection.
    pub fn change(&self, request: WatchRequest) {
        // The task ends only with this object: the channel is open.
        let _ = self.changes.send(request);
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn watch_for_ever(
    options: ClientOptions,
    mut request: WatchRequest,
    events: mpsc::Sender<WatchEvent>,
    mut changes: mpsc::UnboundedReceiver<WatchRequest>,
) {
    let mut attempt = 0;
    loop {
        while let Ok(newer) = changes.try_recv() {
            request = newer;
        }
        let connected = async {
            Client::connect(&options)
                .await?
                .watch(request.clone())
                .await
        };
        let error = match connected.await {
            Ok(mut watch) => {
                attempt = 0;
                let hello = watch.hello().clone();
                if events.send(WatchEvent::Connected(hello)).await.is_err() {
                    return;
                }
                match pump(&mut watch, &mut request, &events, &mut changes).await {
                    Some(error) => error,
                    None => return,
                }
            }
            Err(error) => error,
        };
        attempt += 1;
        let retry_in = retry_delay(attempt);
        let told = WatchEvent::Disconnected {
            error: error.to_string(),
            retry_in,
            attempt,
        };
        if events.send(told).await.is_err() {
            return;
        }
        tokio::time::sleep(retry_in).await;
    }
}

/// Passes updates on until the connection ends (the error) or nobody listens any more (`None`).
async fn pump(
    watch: &mut Watch,
    request: &mut WatchRequest,
    events: &mpsc::Sender<WatchEvent>,
    changes: &mut mpsc::UnboundedReceiver<WatchRequest>,
) -> Option<ClientError> {
    let mut asked = VecDeque::new();
    loop {
        let event = tokio::select! {
            biased;
            change = changes.recv() => {
                let change = change?;
                match watch.change(change.clone()).await {
                    Ok(()) => asked.push_back(change),
                    Err(error) => {
                        *request = change;
                        return Some(error);
                    }
                }
                continue;
            }
            incoming = watch.incoming() => match incoming {
                Ok(Incoming::Update(update)) => WatchEvent::Update(update),
                // Answers come in the order of the requests; only what was accepted is asked for
                // again after a reconnection.
                Ok(Incoming::Accepted) => {
                    if let Some(change) = asked.pop_front() {
                        *request = change;
                    }
                    continue;
                }
                Err(ClientError::Refused(error)) => {
                    asked.pop_front();
                    WatchEvent::Refused(error)
                }
                Err(error) => return Some(error),
            },
        };
        if events.send(event).await.is_err() {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_and_stop_at_the_longest() {
        let waits: Vec<_> = (1..=7).map(|n| retry_delay(n).as_millis()).collect();
        assert_eq!(waits, [250, 500, 1000, 2000, 4000, 5000, 5000]);
        assert_eq!(retry_delay(u32::MAX), RETRY_LONGEST);
    }
}
