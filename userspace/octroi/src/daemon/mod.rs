//! The daemon: loads the gate, keeps it, watches what passes and tells about it.
//!
//! The kernel programs decide alone; the daemon feeds them tables, names flows, writes alerts and
//! answers clients. When it dies, enforcement goes on: everything it needs again is pinned.

mod alert_log;
mod atlas;
mod calendar;
mod clock;
mod engine;
mod gate;
mod guarded;
mod handshake;
mod hold;
mod interfaces;
mod link_events;
mod past;
mod reason;
mod registry;
mod reload;
mod report;
mod rings;
mod rows;
mod serve;
mod sweep;
mod taken_over;
mod tell;
mod timers;
mod turns;
mod updates;
mod watch;
mod watch_log;
mod watched;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result};
use octroi_api::{Server, ServerOptions};
use tokio::signal::unix::{SignalKind, signal};
use tracing::{info, warn};

use self::gate::Gate;
use crate::config::Config;

/// Runs the daemon until it is told to stop.
///
/// # Errors
/// When the gate cannot be raised: configuration, privileges, kernel, interfaces, policy or atlas.
pub(crate) fn run(config_path: &Path) -> Result<ExitCode> {
    let config = Config::read(config_path)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the event loop")?;
    runtime.block_on(serve(config))
}

async fn serve(config: Config) -> Result<ExitCode> {
    // A second daemon on the same socket ends here, before it touches the kernel.
    let server = bind(&config)?;
    let (gate, rings) = Gate::raise(config)?;
    let gate = Arc::new(gate);
    let mut stop = gate.stop.subscribe();
    let service = Arc::new(serve::Service(Arc::clone(&gate)));
    let serving = tokio::spawn(server.serve(service, async move {
        // An error means that the gate is gone: stop as well.
        let _ = stop.wait_for(|stop| *stop).await;
    }));
    let drained = Arc::clone(&gate);
    let draining = std::thread::Builder::new()
        .name("octroi-rings".to_owned())
        .spawn(move || rings::drain(&drained, rings))
        .context("cannot start the thread that drains the kernel's rings")?;
    let listening = link_events::listen(&gate)?;
    let tasks = [
        tokio::spawn(timers::sweep(Arc::clone(&gate))),
        tokio::spawn(timers::statistics(Arc::clone(&gate))),
        tokio::spawn(timers::interfaces(Arc::clone(&gate))),
        tokio::spawn(updates::keep_new(Arc::clone(&gate))),
        tokio::spawn(taken_over::tell(Arc::clone(&gate))),
    ];
    info!(
        "the gate stands; SIGHUP reloads, SIGUSR1 updates the atlas, SIGTERM stops this daemon (enforcement goes on)"
    );
    signals(&gate).await?;
    gate.stop.send_replace(true);
    for task in tasks {
        if let Err(error) = task.await {
            warn!("a task of the daemon ended badly: {error}");
        }
    }
    if draining.join().is_err() {
        warn!("the thread that drained the kernel's rings ended badly");
    }
    if listening.join().is_err() {
        warn!("the thread that listened for interfaces ended badly");
    }
    if let Err(error) = serving.await {
        warn!("the server ended badly: {error}");
    }
    gate.close();
    info!("the daemon stopped");
    Ok(ExitCode::SUCCESS)
}

/// Takes the socket.
fn bind(config: &Config) -> Result<Server> {
    if let Some(directory) = config.socket.parent() {
        std::fs::create_dir_all(directory).with_context(|| {
            format!(
                "cannot make the directory of the socket, {}",
                directory.display()
            )
        })?;
    }
    let mut options = ServerOptions::new(config.socket.clone());
    options.group = gate::socket_group(config)?;
    Ok(Server::bind(options)?)
}

/// Waits for the signal, or the request, to stop.
async fn signals(gate: &Arc<Gate>) -> Result<()> {
    let mut hangup = signal(SignalKind::hangup()).context("cannot watch for SIGHUP")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot watch for SIGTERM")?;
    let mut user = signal(SignalKind::user_defined1()).context("cannot watch for SIGUSR1")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot watch for SIGINT")?;
    let mut stop = gate.stop.subscribe();
    loop {
        tokio::select! {
            _ = hangup.recv() => {
                let gate = Arc::clone(gate);
                // What became of it is logged and told where it is decided.
                tokio::task::spawn_blocking(move || gate.reload()).await?;
            }
            _ = user.recv() => gate.update_now.notify_one(),
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
        }
    }
}
