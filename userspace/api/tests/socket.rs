//! A real client and a real server on a real Unix socket.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use octroi_api::{
    ApiError, Client, ClientError, ClientOptions, ErrorCode, Handler, HelloReply, PROTOCOL, Peer,
    Request, Response, Role, Server, ServerError, ServerOptions, Sort, Topic, Update, WatchEvent,
    WatchRequest, Watcher, frame,
};
use tokio::sync::{mpsc, oneshot};

/// Answers orders with the request's name, counts up in watches, refuses the filter `bad`.
struct Echo;

fn update(sequence: u64) -> Update {
    Update {
        now: Timestamp::UNIX_EPOCH,
        sequence,
        skipped: 0,
        lost: 0,
        status: None,
        flows: None,
        jurisdictions: None,
        alerts: None,
        calls: None,
        findings: None,
        policy: None,
    }
}

impl Handler for Echo {
    fn hello(&self, peer: &Peer) -> HelloReply {
        HelloReply {
            protocol: PROTOCOL,
            version: "1.2.3".to_owned(),
            host: peer.client.clone(),
            role: peer.role,
        }
    }

    async fn handle(&self, _peer: &Peer, request: Request) -> Result<Response, ApiError> {
        match request {
            Request::Flow { id } => {
                Err(ApiError::new(ErrorCode::NotFound, format!("no flow {id}"))
                    .with_remedy("it may have ended: see the flow records"))
            }
            Request::Explain(explain) => Ok(Response::Done {
                // Longer than a frame when asked for a long name.
                message: explain.name.unwrap_or_default().repeat(1 << 20),
            }),
            request => Ok(Response::Done {
                message: request.name().to_owned(),
            }),
        }
    }

    async fn watch(
        &self,
        _peer: &Peer,
        request: WatchRequest,
    ) -> Result<mpsc::Receiver<Update>, ApiError> {
        if request.filter.as_deref() == Some("bad") {
            return Err(ApiError::new(ErrorCode::Filter, "bad filter"));
        }
        let (sender, receiver) = mpsc::channel(1);
        let first = u64::from(request.limit);
        tokio::spawn(async move {
            for sequence in first.. {
                if sender.send(update(sequence)).await.is_err() {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        });
        Ok(receiver)
    }
}

struct Running {
    directory: tempfile::TempDir,
    options: ClientOptions,
    stop: Option<oneshot::Sender<()>>,
    task: tokio::task::JoinHandle<()>,
}

impl Running {
    fn start() -> Self {
        Self::start_with(|_| {})
    }

    fn start_with(change: impl FnOnce(&mut ServerOptions)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self::start_in(directory, change)
    }

    fn start_in(directory: tempfile::TempDir, change: impl FnOnce(&mut ServerOptions)) -> Self {
        let path = directory.path().join("octroi.sock");
        let mut options = ServerOptions::new(&path);
        options.patience = Duration::from_millis(500);
        change(&mut options);
        let server = Server::bind(options).unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(server.serve(Arc::new(Echo), async {
            stopped.await.ok();
        }));
        Self {
            options: ClientOptions::new(path, "a-client 1"),
            directory,
            stop: Some(stop),
            task,
        }
    }

    fn path(&self) -> PathBuf {
        self.options.socket.clone()
    }

    async fn stop(mut self) -> tempfile::TempDir {
        self.stop.take().unwrap().send(()).unwrap();
        self.task.await.unwrap();
        self.directory
    }
}

fn watch_from(limit: u32, filter: Option<&str>) -> WatchRequest {
    WatchRequest {
        topics: vec![Topic::Flows],
        filter: filter.map(str::to_owned),
        alert_filter: None,
        call_filter: None,
        finding_filter: None,
        sort: Sort::default(),
        limit,
        interval_ms: 100,
    }
}

#[tokio::test]
async fn requests_are_answered_in_order_and_errors_keep_the_connection() {
    let server = Running::start();
    let mut client = Client::connect(&server.options).await.unwrap();
    assert_eq!(client.hello().host, "a-client 1");
    // Whoever runs the test is the daemon's own user.
    assert_eq!(client.hello().role, Role::Operator);
    assert_eq!(client.order(Request::Reload).await.unwrap(), "reload");
    let error = client.flow(7).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "no flow 7 (it may have ended: see the flow records)"
    );
    assert_eq!(client.order(Request::Detach).await.unwrap(), "detach");
    server.stop().await;
}

#[tokio::test]
async fn an_answer_over_the_limit_is_an_error_and_not_a_broken_connection() {
    let server = Running::start();
    let mut client = Client::connect(&server.options).await.unwrap();
    let explain = octroi_api::ExplainRequest {
        destination: "192.0.2.1".parse().unwrap(),
        name: Some("12345".to_owned()),
        source: None,
        zone: None,
        protocol: None,
        port: None,
        naming: None,
        speaks: None,
        ech: None,
    };
    let error = client.explain(explain).await.unwrap_err().to_string();
    assert!(error.contains("over the limit"), "{error}");
    assert_eq!(client.order(Request::Reload).await.unwrap(), "reload");
    server.stop().await;
}

#[tokio::test]
async fn a_watch_streams_and_changes_and_a_refusal_keeps_the_old_one() {
    let server = Running::start();
    let client = Client::connect(&server.options).await.unwrap();
    let mut watch = client.watch(watch_from(10, None)).await.unwrap();
    assert_eq!(watch.next().await.unwrap().sequence, 10);
    assert_eq!(watch.next().await.unwrap().sequence, 11);
    watch.change(watch_from(500, Some("bad"))).await.unwrap();
    let refusal = loop {
        match watch.next().await {
            Ok(update) => assert!(update.sequence < 500),
            Err(error) => break error,
        }
    };
    assert!(matches!(refusal, ClientError::Refused(error) if error.code == ErrorCode::Filter));
    assert!(watch.next().await.unwrap().sequence < 500);
    watch.change(watch_from(1_000_000, None)).await.unwrap();
    while watch.next().await.unwrap().sequence < 1_000_000 {}
    server.stop().await;
}

#[tokio::test]
async fn a_watcher_reconnects_and_asks_for_what_was_last_accepted() {
    let server = Running::start();
    let path = server.path();
    let mut watcher = Watcher::start(server.options.clone(), watch_from(1, None));
    assert!(matches!(
        watcher.next().await,
        Some(WatchEvent::Connected(_))
    ));
    watcher.change(watch_from(1_000_000, None));
    watcher.change(watch_from(2_000_000, Some("bad")));
    let mut refused = false;
    loop {
        match watcher.next().await.unwrap() {
            WatchEvent::Update(update) if refused => {
                assert!(update.sequence >= 1_000_000 && update.sequence < 2_000_000);
                break;
            }
            WatchEvent::Update(_) => {}
            WatchEvent::Refused(_) => refused = true,
            other => panic!("{other:?}"),
        }
    }
    let directory = server.stop().await;
    assert!(!path.exists(), "the socket outlived its server");
    loop {
        match watcher.next().await.unwrap() {
            WatchEvent::Disconnected { attempt, .. } => {
                assert_eq!(attempt, 1);
                break;
            }
            WatchEvent::Update(_) => {}
            other => panic!("{other:?}"),
        }
    }
    let server = Running::start_in(directory, |_| {});
    loop {
        match watcher.next().await.unwrap() {
            WatchEvent::Connected(_) => break,
            WatchEvent::Disconnected { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    match watcher.next().await.unwrap() {
        WatchEvent::Update(update) => assert_eq!(update.sequence, 1_000_000),
        other => panic!("{other:?}"),
    }
    server.stop().await;
}

/// Sends raw bytes and returns what the server says before it closes.
fn raw(path: &std::path::Path, bytes: &[u8]) -> Vec<Response> {
    let mut stream = UnixStream::connect(path).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    stream.write_all(bytes).unwrap();
    let mut answer = Vec::new();
    // A reset after the answer is a close as well.
    let _ = stream.read_to_end(&mut answer);
    let mut responses = Vec::new();
    let mut rest = &answer[..];
    while let Some((response, used)) = frame::decode(rest).unwrap() {
        responses.push(response);
        rest = &rest[used..];
    }
    assert!(rest.is_empty());
    responses
}

fn error_code(responses: &[Response]) -> ErrorCode {
    match responses {
        [Response::Error(error)] => error.code,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_is_answered_with_an_error_and_closed() {
    let server = Running::start();
    let path = server.path();
    let mut hello = Vec::new();
    frame::encode(&Request::Status, &mut hello).unwrap();
    let mut old = Vec::new();
    let request = Request::Hello {
        protocol: PROTOCOL + 1,
        client: String::new(),
    };
    frame::encode(&request, &mut old).unwrap();
    let codes = tokio::task::spawn_blocking(move || {
        [
            error_code(&raw(&path, b"GET / HTTP/1.1\r\n\r\n")),
            error_code(&raw(&path, b"\0\0\0\x04nope")),
            error_code(&raw(&path, b"\0\0\0\x16{\"request\":\"overthrow\"}")),
            error_code(&raw(&path, &hello)),
            error_code(&raw(&path, &old)),
        ]
    })
    .await
    .unwrap();
    assert_eq!(
        codes,
        [
            ErrorCode::BadFrame,
            ErrorCode::BadFrame,
            ErrorCode::BadFrame,
            ErrorCode::Protocol,
            ErrorCode::Protocol
        ]
    );
    // The server is still there.
    Client::connect(&server.options).await.unwrap();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_stops_inside_a_frame_is_closed() {
    let server = Running::start();
    let path = server.path();
    let began = std::time::Instant::now();
    let answers = tokio::task::spawn_blocking(move || raw(&path, b"\0\0\0\x10{"))
        .await
        .unwrap();
    assert!(answers.is_empty());
    assert!(began.elapsed() < Duration::from_secs(4));
    server.stop().await;
}

#[tokio::test]
async fn one_user_cannot_open_connections_without_end() {
    let server = Running::start_with(|options| options.max_connections_per_user = 2);
    let first = Client::connect(&server.options).await.unwrap();
    let _second = Client::connect(&server.options).await.unwrap();
    let error = Client::connect(&server.options).await.unwrap_err();
    assert!(
        matches!(&error, ClientError::Refused(error) if error.code == ErrorCode::Busy),
        "{error}"
    );
    drop(first);
    // The server counts it out as soon as it sees the end.
    let mut again = Client::connect(&server.options).await;
    for _ in 0..100 {
        if again.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        again = Client::connect(&server.options).await;
    }
    again.unwrap();
    server.stop().await;
}

#[tokio::test]
async fn the_socket_is_for_owner_and_group_and_a_living_one_is_never_taken() {
    let server = Running::start();
    let path = server.path();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o660);
    let error = Server::bind(ServerOptions::new(&path)).unwrap_err();
    assert!(matches!(error, ServerError::InUse(_)), "{error}");
    let left: Vec<_> = std::fs::read_dir(server.directory.path())
        .unwrap()
        .collect();
    assert_eq!(left.len(), 1, "{left:?}");
    server.stop().await;
}

#[tokio::test]
async fn a_dead_socket_is_replaced_and_a_file_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("octroi.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let server = Server::bind(ServerOptions::new(&path)).unwrap();
    drop(server);
    assert!(!path.exists());
    std::fs::write(&path, "precious").unwrap();
    let error = Server::bind(ServerOptions::new(&path)).unwrap_err();
    assert!(matches!(error, ServerError::NotASocket(_)), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
}
