//! The line mode's outside: updates in, lines out.

use std::io::{self, ErrorKind, Write, stdout};

use octroi_api::{ClientOptions, WatchEvent, Watcher};

use crate::message::Wanted;
use crate::model::Model;
use crate::plain::Teller;
use crate::{TuiError, adapter};

/// Writes lines until the reader of the pipe or a signal ends it.
pub(super) async fn run(client: ClientOptions, filter: String) -> Result<(), TuiError> {
    let wanted = Wanted {
        filter,
        ..Model::default().wanted()
    };
    let mut watcher = Watcher::start(client, adapter::watch_request(&wanted));
    let mut teller = Teller::default();
    while let Some(event) = watcher.next().await {
        let lines = match event {
            WatchEvent::Update(update) => teller.lines(&adapter::update(*update)),
            WatchEvent::Connected(hello) => {
                vec![format!("connected to {} {}", hello.host, hello.version)]
            }
            WatchEvent::Refused(error) => vec![format!("refused: {error}")],
            WatchEvent::Disconnected {
                error, retry_in, ..
            } => vec![format!(
                "not connected: {error}; next try in {:.1} s",
                retry_in.as_secs_f32()
            )],
        };
        match write(&lines) {
            Ok(()) => {}
            // `octroi tui --plain | head` is no failure.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
            Err(source) => return Err(TuiError::Output { source }),
        }
    }
    Ok(())
}

fn write(lines: &[String]) -> io::Result<()> {
    let mut out = stdout().lock();
    for line in lines {
        writeln!(out, "{line}")?;
    }
    out.flush()
}
