//! One connection: hello, then requests in order, with updates between the answers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use crate::frame::{self, FrameError};
use crate::peer::Peer;
use crate::refusal::{ApiError, ErrorCode};
use crate::server::{Handler, ServerOptions};
use crate::wire::{PROTOCOL, Request, Response, Role, Update};

/// Requests that wait here while one is answered; more stay in the socket.
const WAITING_REQUESTS: usize = 4;

/// Counts connections by user.
#[derive(Debug)]
pub(crate) struct Admission {
    most: usize,
    most_per_user: usize,
    users: Mutex<HashMap<u32, usize>>,
}

/// A counted connection; dropping it counts it out.
pub(crate) struct Ticket {
    admission: Arc<Admission>,
    uid: u32,
}

impl Admission {
    pub(crate) fn new(options: &ServerOptions) -> Arc<Self> {
        Arc::new(Self {
            most: options.max_connections,
            most_per_user: options.max_connections_per_user,
            users: Mutex::new(HashMap::new()),
        })
    }

    fn admit(self: &Arc<Self>, uid: u32) -> Result<Ticket, ApiError> {
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = users.values().sum();
        let own = users.entry(uid).or_default();
        // Root is never kept out by others.
        if *own >= self.most_per_user || (uid != 0 && all >= self.most) {
            return Err(ApiError::new(
                ErrorCode::Busy,
                format!("too many connections: {all}, of which {own} are yours"),
            )
            .with_remedy("close some clients and try again"));
        }
        *own += 1;
        Ok(Ticket {
            admission: Arc::clone(self),
            uid,
        })
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut users = self
            .admission
            .users
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = users.get_mut(&self.uid) {
            *count -= 1;
            if *count == 0 {
                users.remove(&self.uid);
            }
        }
    }
}

/// Why a connection ends before its client closed it.
enum End {
    /// The client closed, or the server does.
    Quiet,
    /// Told to the client, then closed.
    Told(ApiError),
}

impl From<FrameError> for End {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::Io(_) | FrameError::Truncated { .. } => Self::Quiet,
            error => Self::Told(ApiError::new(ErrorCode::BadFrame, error.to_string())),
        }
    }
}

/// Serves one client until it leaves, misbehaves or the server closes.
pub(crate) async fn run<H: Handler>(
    stream: UnixStream,
    handler: Arc<H>,
    options: ServerOptions,
    admission: Arc<Admission>,
    closing: watch::Receiver<bool>,
) {
    // Without credentials there is no role: the connection is dropped.
    let Ok(peer) = Peer::of(&stream, options.operator_group).await else {
        return;
    };
    let (reader, writer) = stream.into_split();
    let mut writer = Writer {
        half: writer,
        patience: options.patience,
    };
    let end = match admission.admit(peer.uid) {
        Ok(_ticket) => {
            let mut session = Session {
                peer,
                handler,
                writer: &mut writer,
                greeted: false,
                updates: None,
            };
            // Reading a frame must not be cancelled half-way, so it has a task of its own.
            let (sender, requests) = mpsc::channel(WAITING_REQUESTS);
            let reading = tokio::spawn(read_requests(reader, sender, options.patience));
            let end = session.serve(requests, closing).await;
            reading.abort();
            end
        }
        Err(error) => End::Told(error),
    };
    if let End::Told(error) = end {
        // The client may be gone: nobody is left to tell.
        let _ = writer.send(&Response::Error(error)).await;
    }
}

async fn read_requests(
    mut reader: OwnedReadHalf,
    requests: mpsc::Sender<Result<Request, FrameError>>,
    patience: Duration,
) {
    let mut first = true;
    loop {
        let request = match read_request(&mut reader, patience, first).await {
            Ok(Some(request)) => Ok(request),
            Ok(None) => return,
            Err(error) => Err(error),
        };
        first = false;
        let failed = request.is_err();
        if requests.send(request).await.is_err() || failed {
            return;
        }
    }
}

/// A client may be silent between two frames, but not before the first one or inside one.
async fn read_request(
    reader: &mut OwnedReadHalf,
    patience: Duration,
    first: bool,
) -> Result<Option<Request>, FrameError> {
    let length = frame::read_length(reader);
    let length = if first {
        in_time(patience, length).await?
    } else {
        length.await?
    };
    match length {
        Some(length) => {
            let body = in_time(patience, frame::read_body(reader, length)).await?;
            frame::parse(&body).map(Some)
        }
        None => Ok(None),
    }
}

async fn in_time<T>(
    patience: Duration,
    work: impl Future<Output = Result<T, FrameError>>,
) -> Result<T, FrameError> {
    timeout(patience, work)
        .await
        .unwrap_or_else(|_| Err(FrameError::Io(std::io::ErrorKind::TimedOut.into())))
}

struct Writer {
    half: OwnedWriteHalf,
    patience: Duration,
}

impl Writer {
    /// Sends a response; an answer over the limit becomes an error that says so.
    async fn send(&mut self, response: &Response) -> Result<(), End> {
        let sent = in_time(self.patience, frame::write(&mut self.half, response)).await;
        match sent {
            Err(FrameError::TooLong { bytes }) => {
                let error = ApiError::new(
                    ErrorCode::Failed,
                    format!("the answer is {bytes} bytes long, over the limit of a message"),
                )
                .with_remedy("ask for fewer rows, or filter");
                in_time(
                    self.patience,
                    frame::write(&mut self.half, &Response::Error(error)),
                )
                .await
                .map_err(|_| End::Quiet)
            }
            Err(_) => Err(End::Quiet),
            Ok(()) => Ok(()),
        }
    }
}

struct Session<'a, H> {
    peer: Peer,
    handler: Arc<H>,
    writer: &'a mut Writer,
    greeted: bool,
    updates: Option<mpsc::Receiver<Update>>,
}

impl<H: Handler> Session<'_, H> {
    async fn serve(
        &mut self,
        mut requests: mpsc::Receiver<Result<Request, FrameError>>,
        mut closing: watch::Receiver<bool>,
    ) -> End {
        loop {
            let step = tokio::select! {
                biased;
                request = requests.recv() => match request {
                    Some(Ok(request)) => self.answer(request).await,
                    Some(Err(error)) => Err(error.into()),
                    None => Err(End::Quiet),
                },
                () = closed(&mut closing) => Err(End::Quiet),
                update = next_update(&mut self.updates) => {
                    let response = update.map_or_else(
                        || {
                            let error = ApiError::new(ErrorCode::Failed, "the watch has ended");
                            Response::Error(error)
                        },
                        |update| Response::Update(Box::new(update)),
                    );
                    if matches!(response, Response::Error(_)) {
                        self.updates = None;
                    }
                    self.writer.send(&response).await
                }
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    async fn answer(&mut self, request: Request) -> Result<(), End> {
        let response = match request {
            Request::Hello { protocol, client } => {
                if protocol != PROTOCOL {
                    return Err(End::Told(
                        ApiError::new(
                            ErrorCode::Protocol,
                            format!(
                                "this daemon speaks protocol {PROTOCOL}, the client {protocol}"
                            ),
                        )
                        .with_remedy("use the client of the daemon's version"),
                    ));
                }
                self.greeted = true;
                self.peer.client = client;
                Response::Hello(self.handler.hello(&self.peer))
            }
            _ if !self.greeted => {
                return Err(End::Told(ApiError::new(
                    ErrorCode::Protocol,
                    "the first request must be \"hello\"",
                )));
            }
            request if request.needs_operator() && self.peer.role < Role::Operator => {
                Response::Error(
                    ApiError::new(
                        ErrorCode::Forbidden,
                        format!(
                            "user {} may look, but not ask for \"{}\"",
                            self.peer.uid,
                            request.name()
                        ),
                    )
                    .with_remedy("use root, the daemon's user, or a member of its operator group"),
                )
            }
            Request::Watch(request) => match self.handler.watch(&self.peer, request).await {
                Ok(updates) => {
                    self.updates = Some(updates);
                    Response::Watching
                }
                Err(error) => Response::Error(error),
            },
            Request::Unwatch => {
                self.updates = None;
                Response::Done {
                    message: "no more updates".to_owned(),
                }
            }
            request => match self.handler.handle(&self.peer, request).await {
                Ok(response) => response,
                Err(error) => Response::Error(error),
            },
        };
        self.writer.send(&response).await
    }
}

/// The next update, or never while nothing is watched.
async fn next_update(updates: &mut Option<mpsc::Receiver<Update>>) -> Option<Update> {
    match updates {
        Some(updates) => updates.recv().await,
        None => std::future::pending().await,
    }
}

/// Returns when the server closes.
async fn closed(closing: &mut watch::Receiver<bool>) {
    // An error means that the server is gone: closed as well.
    let _ = closing.wait_for(|closing| *closing).await;
}
