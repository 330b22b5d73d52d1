//! What is done again and again: the sweep of the flow table, statistics, a look at the interfaces.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use octroi_events::{Notice, NoticeKind, Stats};
use tokio::time::MissedTickBehavior;
use tracing::{error, info, warn};

use super::gate::Gate;
use super::{guarded, interfaces as own, report};

/// Least time between two sweeps.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);
/// A sweep may take this share of the time: one in so many.
const SWEEP_SHARE: u32 = 10;
/// Time between two looks at the interfaces and the gateway's addresses.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Sweeps the kernel's flow table: accounts, lost events, flows whose time is over.
pub(super) async fn sweep(gate: Arc<Gate>) {
    let mut stop = gate.stop.subscribe();
    let mut pause = SWEEP_INTERVAL;
    loop {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = stop.wait_for(|stop| *stop) => break,
        }
        let swept = Arc::clone(&gate);
        let began = Instant::now();
        if let Err(error) = tokio::task::spawn_blocking(move || swept.sweep()).await {
            error!("a sweep of the flow table ended badly: {error}");
        }
        pause = SWEEP_INTERVAL.max(began.elapsed() * SWEEP_SHARE);
    }
    // The last accounts are exact.
    let swept = Arc::clone(&gate);
    if let Err(error) = tokio::task::spawn_blocking(move || swept.sweep()).await {
        error!("the last sweep of the flow table ended badly: {error}");
    }
}

/// Writes statistics into the event stream.
pub(super) async fn statistics(gate: Arc<Gate>) {
    let mut stop = gate.stop.subscribe();
    let mut ticks = tokio::time::interval(Duration::from_secs(gate.config.events.stats_interval_s));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        let gate = Arc::clone(&gate);
        let told = tokio::task::spawn_blocking(move || match report::status(&gate) {
            Ok(report) => gate.engine().teller.stats(Stats {
                time: report.now,
                uptime_s: u64::try_from(report.now.duration_since(report.started).as_secs())
                    .unwrap_or(0),
                counters: report.counters,
                flows: report.flows,
                alerts: report.alerts,
                queue_lost: report.queue_lost,
                sinks: report.sinks,
            }),
            Err(error) => warn!("no statistics this time: {error}"),
        });
        if let Err(error) = told.await {
            error!("statistics ended badly: {error}");
        }
    }
}

/// Watches the interfaces and the gateway's own addresses.
pub(super) async fn interfaces(gate: Arc<Gate>) {
    let mut stop = gate.stop.subscribe();
    let mut addresses = own::own_addresses().unwrap_or_default();
    let mut ticks = tokio::time::interval(LOOK_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = gate.look_now.notified() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        if !gate.datapath().is_pinned() {
            taken_down(&gate);
            return;
        }
        let looked = Arc::clone(&gate);
        let known = addresses.clone();
        let look = tokio::task::spawn_blocking(move || {
            guarded::look(&looked);
            let now = own::own_addresses()?;
            if now != known {
                let list: Vec<_> = now.iter().copied().collect();
                looked.datapath_mut().set_gateway_addresses(&list)?;
                info!("the gateway has {} addresses now", list.len());
            }
            anyhow::Ok(now)
        });
        match look.await {
            Ok(Ok(now)) => addresses = now,
            Ok(Err(error)) => warn!("the gateway's own addresses were not updated: {error:#}"),
            Err(error) => error!("a look at the interfaces ended badly: {error}"),
        }
    }
}

/// The pins are gone: `octroi detach` took the gate down, and there is nothing left to watch.
fn taken_down(gate: &Gate) {
    let message = "the gate was taken down (octroi detach): the daemon stops";
    warn!("{message}");
    let notice = Notice::new(Timestamp::now(), NoticeKind::Detached, message);
    gate.engine().teller.notice(notice);
    gate.stop.send_replace(true);
}
