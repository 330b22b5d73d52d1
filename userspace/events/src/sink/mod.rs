//! Sinks: where rendered events go, and the queue in front of them.
//!
//! A sink takes whole lines. It may fail: the [`Dispatcher`] counts what it could not take, says
//! why in its [`crate::SinkStatus`] and tells of it in the stream when the sink works again.

mod dispatcher;
mod file;
mod queue;
mod stdout;

use std::io;
use std::path::PathBuf;

pub use dispatcher::{Dispatcher, DispatcherOptions, Handle, QueueStatus};
pub use file::{FileOptions, FileSink};
pub use stdout::StdoutSink;

/// A place for rendered events.
pub trait Sink: Send {
    /// `file:/var/log/octroi/eve.json`, `stdout`.
    fn name(&self) -> &str;

    /// Takes whole lines. On an error it may hold some of the first ones, all of them whole.
    ///
    /// # Errors
    /// What failed, on what, and the remedy.
    fn write(&mut self, lines: &[u8]) -> Result<(), SinkError>;

    /// Opens its object again: another program has moved it (logrotate).
    ///
    /// # Errors
    /// What failed, on what, and the remedy.
    fn reopen(&mut self) -> Result<(), SinkError>;

    /// Rotations done.
    fn rotations(&self) -> u64 {
        0
    }
}

/// A sink failed.
#[derive(Debug, thiserror::Error)]
#[error("{operation} {}: {error} ({})", .path.display(), remedy(.error))]
pub struct SinkError {
    /// What was done.
    pub operation: &'static str,
    /// On what.
    pub path: PathBuf,
    /// How it failed.
    #[source]
    pub error: io::Error,
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free space on that file system, or lower the size and number of kept files"
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "let the daemon's user write there, or choose another path"
        }
        io::ErrorKind::NotFound => "create the directory, or choose another path",
        io::ErrorKind::IsADirectory | io::ErrorKind::NotADirectory => {
            "name a file in an existing directory"
        }
        io::ErrorKind::BrokenPipe => "nobody reads any more: restart the reader",
        _ => "see the error; writing is tried again",
    }
}
