//! The outside of the dashboard: keys and updates in, effects and frames out.

mod clipboard;
mod explain;
mod input;
mod plain;
mod terminal;

use std::future::poll_fn;
use std::io::{self, IsTerminal, stdout};
use std::task::Poll;
use std::time::Duration;

use crossterm::event::{Event, EventStream};
use futures::StreamExt;
use octroi_api::{ClientOptions, WatchEvent, Watcher};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::message::{Effect, Message};
use crate::model::{Connection, Model};
use crate::update::update;
use crate::view::Look;
use crate::{Options, TuiError, adapter};
use terminal::Screen;

/// Events taken before a frame is drawn: a pasted page costs one frame, a flood of events cannot
/// keep the screen from being drawn.
const BURST: usize = 1_000;

pub(crate) async fn run(options: Options) -> Result<(), TuiError> {
    let filter = options.filter.clone().unwrap_or_default();
    if let Err((message, column)) = adapter::check_filter(&filter) {
        return Err(TuiError::Filter {
            text: filter,
            message,
            column: column + 1,
        });
    }
    let client = ClientOptions::new(
        &options.socket,
        concat!("octroi-tui ", env!("CARGO_PKG_VERSION")),
    );
    if options.plain || !stdout().is_terminal() {
        return plain::run(client, filter).await;
    }
    dashboard(&options, client, filter).await
}

/// What the terminal can show, by options and environment.
fn look(options: &Options) -> Look {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let poor =
        set("TERM").is_some_and(|term| term == "dumb" || term == "linux" || term.starts_with("vt"));
    let charset = set("LC_ALL")
        .or_else(|| set("LC_CTYPE"))
        .or_else(|| set("LANG"));
    let other_charset = charset.is_some_and(|charset| {
        let charset = charset.to_ascii_lowercase();
        !charset.contains("utf-8") && !charset.contains("utf8")
    });
    Look {
        color: !options.no_color && set("NO_COLOR").is_none(),
        ascii: options.ascii || poor || other_charset,
    }
}

struct Signals {
    ends: [Signal; 3],
}

impl Signals {
    fn new() -> Result<Self, TuiError> {
        let listen = |kind| signal(kind).map_err(|source| TuiError::Signals { source });
        Ok(Self {
            ends: [
                listen(SignalKind::terminate())?,
                listen(SignalKind::hangup())?,
                listen(SignalKind::interrupt())?,
            ],
        })
    }

    async fn any(&mut self) {
        let [terminate, hangup, interrupt] = &mut self.ends;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
}

async fn dashboard(
    options: &Options,
    client: ClientOptions,
    filter: String,
) -> Result<(), TuiError> {
    let mut signals = Signals::new()?;
    let mut screen = Screen::enter(look(options), !options.no_mouse)?;
    let mut model = Model::new(screen.size());
    model.filter.applied = filter;
    let mut watcher = Watcher::start(client.clone(), adapter::watch_request(&model.wanted()));
    let (asked, mut answers) = mpsc::unbounded_channel();
    let mut events = EventStream::new();
    let start = Instant::now();
    loop {
        screen.draw(&mut model)?;
        let deadline = model
            .next_deadline_ms()
            .map(|deadline| start + Duration::from_millis(deadline));
        let mut messages = Vec::new();
        // Input before data: a key is never behind an update.
        tokio::select! {
            biased;
            () = signals.any() => return Ok(()),
            event = events.next() => {
                let mut next = Some(event);
                while let Some(event) = next {
                    match event {
                        Some(Ok(event)) => messages.extend(input::messages(event, screen.regions())),
                        // The terminal is gone.
                        Some(Err(_)) | None => return Ok(()),
                    }
                    next = if messages.len() < BURST {
                        waiting(&mut events).await
                    } else {
                        None
                    };
                }
            }
            event = watcher.next() => match event {
                Some(event) => messages.push(heard(event)),
                None => return Ok(()),
            },
            Some(answer) = answers.recv() => messages.push(answer),
            () = wait(deadline) => {}
        }
        let now_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
        update(&mut model, Message::Clock(now_ms));
        for message in messages {
            for effect in update(&mut model, message) {
                match effect {
                    Effect::Quit => return Ok(()),
                    Effect::Watch(wanted) => watcher.change(adapter::watch_request(&wanted)),
                    Effect::Explain(flow) => {
                        tokio::spawn(explain::ask(client.clone(), *flow, asked.clone()));
                    }
                    Effect::Acknowledge(id) => {
                        tokio::spawn(explain::acknowledge(client.clone(), id, asked.clone()));
                    }
                    Effect::Copy(text) => screen.copy(&text)?,
                    Effect::Redraw => screen.redraw(&mut model)?,
                    Effect::Suspend => {
                        screen.suspend(&mut model)?;
                    }
                }
            }
        }
    }
}

/// The next event, if it is there already. Polled with this task's own waker: the stream keeps
/// the first waker it meets until an event comes, so another one would lose the next key.
async fn waiting(events: &mut EventStream) -> Option<Option<io::Result<Event>>> {
    poll_fn(|context| match events.poll_next_unpin(context) {
        Poll::Ready(event) => Poll::Ready(Some(event)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// The end of a hold or a notice; for ever when there is none.
async fn wait(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

fn heard(event: WatchEvent) -> Message {
    match event {
        WatchEvent::Connected(_) => Message::Connection(Connection::Up),
        WatchEvent::Update(update) => Message::Update(Box::new(adapter::update(*update))),
        WatchEvent::Refused(error) => Message::FilterRefused(error.to_string(), 0),
        WatchEvent::Disconnected {
            error, retry_in, ..
        } => Message::Connection(Connection::Down {
            why: error,
            // "retry 0 s" would say nothing.
            retry_seconds: retry_in.as_secs().max(1),
        }),
    }
}
