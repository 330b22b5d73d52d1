//! A daemon that is not one: it serves the sample on a real socket.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use octroi_api::filter::{At, Filter};
use octroi_api::server::{Handler, Server, ServerOptions};
use octroi_api::{
    ApiError, ErrorCode, Explained, HelloReply, PROTOCOL, Peer, Request, Response, Update,
    WatchRequest,
};
use tokio::sync::{mpsc, oneshot};

use super::{reasons, sample};

/// How the fake daemon behaves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Behaviour {
    /// Flows it tells.
    pub(crate) flows: u64,
    /// Whether values move and updates go on, or one update is all there is.
    pub(crate) live: bool,
}

impl Handler for Behaviour {
    fn hello(&self, peer: &Peer) -> HelloReply {
        HelloReply {
            protocol: PROTOCOL,
            version: "0.1.0".to_owned(),
            host: "gw-min-01".to_owned(),
            role: peer.role,
        }
    }

    async fn handle(&self, _peer: &Peer, request: Request) -> Result<Response, ApiError> {
        match request {
            Request::Flow { id } if (9_000..9_000 + self.flows).contains(&id) => {
                Ok(Response::Flow(Box::new(sample::detail(id - 9_000))))
            }
            Request::Acknowledge { id } => Ok(Response::Done {
                message: format!("finding {id} is acknowledged by root"),
            }),
            Request::Explain(_) => Ok(Response::Explained(Box::new(Explained {
                residency: reasons::residency(0),
                text: String::new(),
            }))),
            _ => Err(ApiError::new(
                ErrorCode::NotFound,
                "the sample has no such thing",
            )),
        }
    }

    async fn watch(
        &self,
        _peer: &Peer,
        request: WatchRequest,
    ) -> Result<mpsc::Receiver<Update>, ApiError> {
        let (sender, receiver) = mpsc::channel(2);
        let Self { flows, live } = *self;
        tokio::spawn(async move {
            let mut tick = 0;
            loop {
                let update = filtered(sample::update(flows, tick), &request);
                if sender.send(update).await.is_err() {
                    return;
                }
                if !live {
                    sender.closed().await;
                    return;
                }
                tick += 1;
                tokio::time::sleep(Duration::from_millis(request.interval_ms.into())).await;
            }
        });
        Ok(receiver)
    }
}

/// Keeps the flows and alerts that pass the filters, as the daemon does.
fn filtered(mut update: Update, request: &WatchRequest) -> Update {
    let now = update.now;
    let flows = Filter::of_request(request.filter.as_deref()).unwrap_or_default();
    if let Some(page) = &mut update.flows {
        page.rows.retain(|row| flows.matches(&At { row, now }));
        page.matching = page.rows.len() as u64;
        page.rows.truncate(request.limit as usize);
    }
    let alerts = Filter::of_request(request.alert_filter.as_deref()).unwrap_or_default();
    if let Some(page) = &mut update.alerts {
        page.rows.retain(|row| alerts.matches(&At { row, now }));
    }
    let calls = Filter::of_request(request.call_filter.as_deref()).unwrap_or_default();
    if let Some(page) = &mut update.calls {
        page.rows.retain(|row| calls.matches(&At { row, now }));
    }
    let findings = Filter::of_request(request.finding_filter.as_deref()).unwrap_or_default();
    if let Some(page) = &mut update.findings {
        page.rows.retain(|row| findings.matches(&At { row, now }));
    }
    update
}

/// A running fake daemon; dropping it ends it and removes its socket.
pub(crate) struct Fake {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Fake {
    /// Serves on a socket, on a thread of its own.
    pub(crate) fn start(socket: &Path, behaviour: Behaviour) -> Self {
        let (stop, stopped) = oneshot::channel();
        let (ready, bound) = std::sync::mpsc::channel();
        let options = ServerOptions::new(socket);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                let server = Server::bind(options).expect("a free socket");
                ready.send(()).expect("a waiting test");
                let ended = async {
                    let _ = stopped.await;
                };
                server.serve(Arc::new(behaviour), ended).await;
            });
        });
        bound.recv().expect("a bound socket");
        Self {
            stop: Some(stop),
            thread: Some(thread),
        }
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
