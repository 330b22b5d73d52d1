//! The client end: one connection, typed requests.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::timeout;

use crate::frame::{self, FrameError};
use crate::refusal::{ApiError, ErrorCode};
use crate::rows::{AlertsPage, FlowDetail, FlowsPage, JurisdictionsPage, PastFlow};
use crate::status::{PolicyCheck, PolicyView, StatusReport};
use crate::watch::Watch;
use crate::watched::{CallsPage, FindingsPage};
use crate::wire::{
    ExplainRequest, Explained, HelloReply, PROTOCOL, Request, Response, Sort, WatchRequest,
};

/// Where the daemon listens unless told otherwise.
pub const DEFAULT_SOCKET: &str = "/run/octroi/octroi.sock";

/// How to reach the daemon.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// Path of the socket.
    pub socket: PathBuf,
    /// Name and version of the client, for the daemon's log.
    pub client: String,
    /// Longest wait for the connection and the first answer.
    pub connect_timeout: Duration,
    /// Longest wait for any later answer.
    pub request_timeout: Duration,
}

impl ClientOptions {
    /// Two seconds to connect, thirty for an answer (a policy takes a while to compile).
    #[must_use]
    pub fn new(socket: impl Into<PathBuf>, client: impl Into<String>) -> Self {
        Self {
            socket: socket.into(),
            client: client.into(),
            connect_timeout: Duration::from_secs(2),
            request_timeout: Duration::from_secs(30),
        }
    }
}

/// The daemon could not be asked, or refused.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No connection.
    #[error("connect to {}: {error} ({})", .socket.display(), connect_remedy(.error))]
    Connect {
        /// The socket.
        socket: PathBuf,
        /// Why not.
        #[source]
        error: io::Error,
    },
    /// No answer in time.
    #[error("no answer to \"{request}\" within {} s (is the daemon overloaded?)", .after.as_secs())]
    Timeout {
        /// The request.
        request: &'static str,
        /// How long was waited.
        after: Duration,
    },
    /// The connection broke.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The daemon closed the connection.
    #[error("the daemon closed the connection (it may have been stopped)")]
    Closed,
    /// The daemon refused.
    #[error(transparent)]
    Refused(#[from] ApiError),
    /// The daemon answered something else.
    #[error(
        "the daemon answered \"{answer}\" to \"{request}\" (client and daemon of one version?)"
    )]
    Unexpected {
        /// The request.
        request: &'static str,
        /// The answer.
        answer: &'static str,
    },
}

fn connect_remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => "the daemon is not running: start it with `octroi run`",
        io::ErrorKind::ConnectionRefused => {
            "the daemon has ended and left its socket: start it with `octroi run`"
        }
        io::ErrorKind::PermissionDenied => "use root, or a user in the group of the socket",
        _ => "check the path and that the daemon runs",
    }
}

/// A connection on which requests are made one after the other.
#[derive(Debug)]
pub struct Client {
    pub(crate) reader: OwnedReadHalf,
    pub(crate) writer: OwnedWriteHalf,
    pub(crate) hello: HelloReply,
    request_timeout: Duration,
}

impl Client {
    /// Connects and says hello.
    ///
    /// # Errors
    /// All of [`ClientError`].
    pub async fn connect(options: &ClientOptions) -> Result<Self, ClientError> {
        let connect_error = |error| ClientError::Connect {
            socket: options.socket.clone(),
            error,
        };
        let stream = timeout(
            options.connect_timeout,
            UnixStream::connect(&options.socket),
        )
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
        .map_err(connect_error)?;
        let (reader, writer) = stream.into_split();
        let mut client = Self {
            reader,
            writer,
            hello: HelloReply {
                protocol: PROTOCOL,
                version: String::new(),
                host: String::new(),
                role: crate::wire::Role::Reader,
            },
            request_timeout: options.connect_timeout,
        };
        let hello = Request::Hello {
            protocol: PROTOCOL,
            client: options.client.clone(),
        };
        match client.request(&hello).await? {
            Response::Hello(reply) if reply.protocol == PROTOCOL => client.hello = reply,
            Response::Hello(reply) => {
                return Err(ApiError::new(
                    ErrorCode::Protocol,
                    format!(
                        "the daemon (version {}) speaks protocol {}, this client {PROTOCOL}",
                        reply.version, reply.protocol
                    ),
                )
                .with_remedy("use the client of the daemon's version")
                .into());
            }
            other => return Err(unexpected(&hello, &other)),
        }
        client.request_timeout = options.request_timeout;
        Ok(client)
    }

    /// What the daemon said first.
    #[must_use]
    pub const fn hello(&self) -> &HelloReply {
        &self.hello
    }

    /// Makes a request and waits for its response; [`Response::Error`] becomes an error.
    ///
    /// # Errors
    /// All of [`ClientError`] but `Connect`. After `Timeout`, `Frame` and `Closed` the connection
    /// is of no use any more.
    pub async fn request(&mut self, request: &Request) -> Result<Response, ClientError> {
        let exchange = async {
            frame::write(&mut self.writer, request).await?;
            frame::read::<Response, _>(&mut self.reader).await
        };
        match timeout(self.request_timeout, exchange).await {
            Ok(Ok(Some(Response::Error(error)))) => Err(error.into()),
            Ok(Ok(Some(response))) => Ok(response),
            Ok(Ok(None)) => Err(ClientError::Closed),
            Ok(Err(error)) => Err(broken(error)),
            Err(_) => Err(ClientError::Timeout {
                request: request.name(),
                after: self.request_timeout,
            }),
        }
    }

    /// How the gateway is.
    ///
    /// # Errors
    /// Those of [`Client::request`].
    pub async fn status(&mut self) -> Result<StatusReport, ClientError> {
        match self.ask(Request::Status).await? {
            (_, Response::Status(report)) => Ok(*report),
            (request, other) => Err(unexpected(&request, &other)),
        }
    }

    /// Live flows.
    ///
    /// # Errors
    /// Those of [`Client::request`].
    pub async fn flows(
        &mut self,
        filter: Option<String>,
        sort: Sort,
        limit: u32,
    ) -> Result<FlowsPage, ClientError> {
        let request = Request::Flows {
            filter,
            sort,
            limit,
        };
        match self.ask(request).await? {
            (_, Response::Flows(page)) => Ok(page),
            (request, other) => Err(unexpected(&request, &other)),
        }
    }

    /// One flow with its reason.
    ///
    /// # Errors
    /// Those of [`Client::request`].
    pub async fn flow(&mut self, id: u64) -> Result<FlowDetail, ClientError> {
        match self.ask(Request::Flow { id }).await? {
            (_, Response::Flow(detail)) => Ok(*detail),
            (request, other) => Err(unexpected(&request, &other)),
        }
    }

    /// Latest alerts, newest first; `after`: only those with a greater id.
    ///
    /// # Errors
    /// Those of [`Client::request`].
    pub async fn alerts(
        &mut self,
        filter: Option<String>,
        limit: u32,
        after: Option<u64>,
    ) -> Result<AlertsPage, ClientError> {
        let request = Request::Alerts {
            filter,
            limit,
            after,
        };
        match self.ask(request).await? {
            (_, Response::Alerts(page)) => Ok(page),
            (request, other) => Err(unexpected(&request, &other)),
        }
    }

    /// Calls that run, and the latest that are over; `after`: of those only with a greater event.
    ///
    /// # Errors
    /// Those of [`Client::request`].
    pub async fn calls(
        &mut self,
        filter: Option<String>,
        limit: u32,
        after: Option<u64>,
    ) -> Result<CallsPage, ClientError> {
        let request = Request::Calls {
            filter,
            limit,
            after,
        };
        match self.ask(request).await? {
            (_, Response::Calls(page)) => Ok(page),
            (request, other) => Err(unexpected(&request, &other)),
        }
    }

    /// Open findings, and the latest closed ones; `after`: only with a greater event.
    ///
    /// # Errors
    /// Those of [`Client::request`].
    pub async fn findings(
        &mut self,
        filter: Option<String>,
        limit: u32,
        after: Option<u64>,
    ) -> Result<FindingsPage, ClientError> {
        let request = Request::Findings {
            filter,
            limit,
            after,
        };
        match self.ask(request).await? {
            (_, Response::Findings(page)) => Ok(page),
            (request, other) => Err(unexpected(&request, &other)),
        }
    }

    /// Notes that somebody looks into an open finding; one sentence comes back.
    ///
    /// # Errors
    /// Those of [`Client::request`]; [`ErrorCode::NotFound`](crate::ErrorCode::NotFound).
    pub async fn acknowledge(&mut self, id: u64) -> Result<String, ClientError> {
        match self.ask(Request::Acknowledge { id }).await? {
            (_, Response::Done { message }) => Ok(message),
            (request, other) => Err(unexpected(&request, &other)),
        }
    }

    /// Traffic by (hosting, control).
    ///
    /// # Errors
    /// Those of [`Client::request`].
    pub async fn jurisdictions(
        &mut self,
        filter: Option<String>,
    ) -> Result<JurisdictionsPage, ClientError> {
        match self.ask(Request::Jurisdictions { filter }).await? {
            (_, Response::Jurisdictions(page)) => Ok(page),
            (request, other) => Err(unexpected(&request, &other)),
        }
    }

    /// What would be decided, and why.
    ///
    /// # Errors
    /// Those of [`Client::request`].
    pub async fn explain(&mut self, of: ExplainRequest) -> Result<Explained, ClientError> {
        match self.ask(Request::Explain(of)).await? {
            (_, Response::Explained(explained)) => Ok(*explained),
            (request, other) => Err(unexpected(&request, &other)),
        }
    }

    /// A flow that lives or was alerted of, by flow id, Community ID or event id.
    ///
    /// # Errors
    /// Those of [`Client::request`]; [`ErrorCode::NotFound`](crate::ErrorCode::NotFound).
    pub async fn past(&mut self, id: String) -> Result<PastFlow, ClientError> {
        match self.ask(Request::Past { id }).await? {
            (_, Response::Past(past)) => Ok(*past),
            (request, other) => Err(unexpected(&request, &other)),
        }
    }

    /// The policy in force.
    ///
    /// # Errors
    /// Those of [`Client::request`].
    pub async fn policy(&mut self) -> Result<PolicyView, ClientError> {
        match self.ask(Request::PolicyShow).await? {
            (_, Response::Policy(view)) => Ok(*view),
            (request, other) => Err(unexpected(&request, &other)),
        }
    }

    /// Checks a policy, or (`apply`) puts it in force.
    ///
    /// # Errors
    /// Those of [`Client::request`]. An invalid policy is no error here: see
    /// [`PolicyCheck::valid`].
    pub async fn policy_check(
        &mut self,
        text: String,
        file: String,
        apply: bool,
    ) -> Result<PolicyCheck, ClientError> {
        let request = if apply {
            Request::PolicyApply { text, file }
        } else {
            Request::PolicyCheck { text, file }
        };
        match self.ask(request).await? {
            (_, Response::PolicyChecked(check)) => Ok(check),
            (request, other) => Err(unexpected(&request, &other)),
        }
    }

    /// Makes a request that is answered with one sentence: [`Request::Reload`],
    /// [`Request::Detach`].
    ///
    /// # Errors
    /// Those of [`Client::request`].
    pub async fn order(&mut self, request: Request) -> Result<String, ClientError> {
        match self.ask(request).await? {
            (_, Response::Done { message }) => Ok(message),
            (request, other) => Err(unexpected(&request, &other)),
        }
    }

    /// Turns the connection into a stream of updates.
    ///
    /// # Errors
    /// Those of [`Client::request`].
    pub async fn watch(mut self, request: WatchRequest) -> Result<Watch, ClientError> {
        let request = Request::Watch(request);
        match self.request(&request).await? {
            Response::Watching => Ok(Watch::new(self)),
            other => Err(unexpected(&request, &other)),
        }
    }

    async fn ask(&mut self, request: Request) -> Result<(Request, Response), ClientError> {
        let response = self.request(&request).await?;
        Ok((request, response))
    }
}

fn unexpected(request: &Request, answer: &Response) -> ClientError {
    ClientError::Unexpected {
        request: request.name(),
        answer: answer.name(),
    }
}

/// A broken pipe is the daemon's end, not a defect of the client.
pub(crate) fn broken(error: FrameError) -> ClientError {
    match error {
        FrameError::Io(error)
            if matches!(
                error.kind(),
                io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
            ) =>
        {
            ClientError::Closed
        }
        error => ClientError::Frame(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_daemon_is_said_with_the_remedy() {
        let options = ClientOptions::new("/nonexistent/octroi.sock", "test");
        let error = Client::connect(&options).await.unwrap_err().to_string();
        assert!(error.contains("/nonexistent/octroi.sock"), "{error}");
        assert!(error.contains("octroi run"), "{error}");
    }
}
