//! The server end: the Unix socket, who may use it, and one task for each connection.

use std::future::Future;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UnixListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::connection::{self, Admission};
use crate::peer::Peer;
use crate::refusal::ApiError;
use crate::wire::{HelloReply, Request, Response, Update, WatchRequest};

/// How to serve.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// Path of the socket. Its directory must exist.
    pub socket: PathBuf,
    /// Group (number) that owns the socket and may connect; `None`: the daemon's own.
    pub group: Option<u32>,
    /// Group (number) whose members are operators, besides root and the daemon's own user.
    pub operator_group: Option<u32>,
    /// Most connections at once.
    pub max_connections: usize,
    /// Most of them from one user, so that one user cannot keep the others out.
    pub max_connections_per_user: usize,
    /// Longest time for a hello, for the rest of a begun frame, and for a client to take an answer.
    pub patience: Duration,
}

impl ServerOptions {
    /// 64 connections, 24 from one user, five seconds of patience.
    #[must_use]
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        Self {
            socket: socket.into(),
            group: None,
            operator_group: None,
            max_connections: 64,
            max_connections_per_user: 24,
            patience: Duration::from_secs(5),
        }
    }
}

/// The socket could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// Somebody listens there.
    #[error(
        "{}: another daemon listens on this socket (stop it, or choose another socket)", .0.display()
    )]
    InUse(PathBuf),
    /// Something else has that name.
    #[error(
        "{}: exists and is not a socket (move it away, or choose another socket)", .0.display()
    )]
    NotASocket(PathBuf),
    /// A system call failed.
    #[error("{operation} {}: {error} (check the directory and its permissions)", .path.display())]
    Io {
        /// What was done.
        operation: &'static str,
        /// On what.
        path: PathBuf,
        /// How it failed.
        #[source]
        error: io::Error,
    },
}

/// What answers the requests.
///
/// Roles are checked before: a request that [`Request::needs_operator`] comes from an operator.
/// `Hello`, `Watch` and `Unwatch` never come to `handle`.
pub trait Handler: Send + Sync + 'static {
    /// The first word to a new client.
    fn hello(&self, peer: &Peer) -> HelloReply;

    /// Answers one request.
    fn handle(
        &self,
        peer: &Peer,
        request: Request,
    ) -> impl Future<Output = Result<Response, ApiError>> + Send;

    /// Begins a watch. The server passes on what the receiver yields until the client leaves or
    /// asks for something else, then drops it. The sender must not wait for a slow client: it
    /// counts what it could not send in [`Update::skipped`].
    fn watch(
        &self,
        peer: &Peer,
        request: WatchRequest,
    ) -> impl Future<Output = Result<mpsc::Receiver<Update>, ApiError>> + Send;
}

/// A bound socket. Dropping it removes the socket's file.
#[derive(Debug)]
pub struct Server {
    listener: UnixListener,
    options: ServerOptions,
    file: SocketFile,
}

impl Server {
    /// Binds the socket, mode 0660. A socket that a dead daemon left is replaced; one that answers
    /// is not.
    ///
    /// # Errors
    /// All of [`ServerError`].
    pub fn bind(options: ServerOptions) -> Result<Self, ServerError> {
        let path = &options.socket;
        let failed = |operation, path: &Path| {
            let path = path.to_owned();
            move |error| ServerError::Io {
                operation,
                path,
                error,
            }
        };
        refuse_if_taken(path)?;
        // Bound under another name first: nobody can connect before mode and group are right, and
        // the stale socket is replaced in one step.
        let mut staging = path.clone().into_os_string();
        staging.push(format!(".{}", std::process::id()));
        let staging = PathBuf::from(staging);
        match std::fs::remove_file(&staging) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failed("remove", &staging)(error));
            }
            _ => {}
        }
        let listener = UnixListener::bind(&staging).map_err(failed("bind", path))?;
        let secured = std::fs::set_permissions(&staging, PermissionsExt::from_mode(0o660))
            .and_then(|()| match options.group {
                Some(group) => chown(&staging, None, Some(group)),
                None => Ok(()),
            })
            .and_then(|()| std::fs::metadata(&staging))
            .and_then(|metadata| std::fs::rename(&staging, path).map(|()| metadata.ino()));
        match secured {
            Ok(inode) => Ok(Self {
                listener,
                file: SocketFile {
                    path: path.clone(),
                    inode,
                },
                options,
            }),
            Err(error) => {
                // Best effort: the error that matters is the one above.
                let _ = std::fs::remove_file(&staging);
                Err(failed("secure", path)(error))
            }
        }
    }

    /// The socket's path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.file.path
    }

    /// Serves until `shutdown` completes; then every connection finishes the request it is in, for
    /// at most a second.
    pub async fn serve<H: Handler>(self, handler: Arc<H>, shutdown: impl Future<Output = ()>) {
        let (close, closing) = watch::channel(false);
        let admission = Admission::new(&self.options);
        let mut connections = JoinSet::new();
        tokio::pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        connections.spawn(connection::run(
                            stream,
                            Arc::clone(&handler),
                            self.options.clone(),
                            Arc::clone(&admission),
                            closing.clone(),
                        ));
                    }
                    // Out of file descriptors, or the client is gone already: others may follow.
                    Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
                },
                Some(_) = connections.join_next() => {}
            }
        }
        drop(self.listener);
        drop(self.file);
        // No receiver: no connection is left to tell.
        let _ = close.send(true);
        let drained = async { while connections.join_next().await.is_some() {} };
        if timeout(Duration::from_secs(1), drained).await.is_err() {
            connections.shutdown().await;
        }
    }
}

fn refuse_if_taken(path: &Path) -> Result<(), ServerError> {
    match std::fs::symlink_metadata(path) {
        Ok(metadata) if !metadata.file_type().is_socket() => {
            Err(ServerError::NotASocket(path.to_owned()))
        }
        Ok(_) => match std::os::unix::net::UnixStream::connect(path) {
            Ok(_) => Err(ServerError::InUse(path.to_owned())),
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
            Err(error) => Err(ServerError::Io {
                operation: "probe",
                path: path.to_owned(),
                error,
            }),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(ServerError::Io {
            operation: "look at",
            path: path.to_owned(),
            error,
        }),
    }
}

/// Removes the socket's file at the end, unless it is another daemon's by now.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    inode: u64,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if std::fs::symlink_metadata(&self.path).is_ok_and(|found| found.ino() == self.inode) {
            // It is a name without a listener from here on; the next start replaces it.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
