//! Telling: alerts, flow records and notices, each with its whole reason, to the sinks and to the
//! log that clients read.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use jiff::Timestamp;
use octroi_abi::event::FlowEvent;
use octroi_events::finding::Acknowledgement;
use octroi_events::fold::{FoldOptions, Folder};
use octroi_events::sink::{
    Dispatcher, DispatcherOptions, FileOptions, FileSink, QueueStatus, Sink, StdoutSink,
};
use octroi_events::{
    Alert, CallRecord, Event, Finding, FlowRecord, Notice, Origin, Stats, Verdict,
};
use octroi_inspect::name::NameEvent;
use tracing::warn;

use super::alert_log::AlertLog;
use super::clock::Clock;
use super::guarded::Guarded;
use super::reason::{Reasons, conversation, end_reason};
use super::registry::{End, LiveFlow};
use super::rows;
use super::watch::{Media, Watch};
use super::watch_log::WatchLog;
use crate::config::{CallsConfig, EventsConfig};
use crate::judge::Judge;

/// How long the sinks may take for what waits when the daemon stops.
const PATIENCE: Duration = Duration::from_secs(5);

/// Tells.
pub(super) struct Teller {
    dispatcher: Option<Dispatcher>,
    folder: Folder,
    log: AlertLog,
    reasons: Reasons,
    interfaces: HashMap<u32, Arc<str>>,
    flow_records: bool,
    watch: Watch,
    watched: WatchLog,
}

impl Teller {
    /// Opens the sinks of the configuration.
    pub(super) fn open(config: &EventsConfig, calls: CallsConfig, origin: &Origin) -> Result<Self> {
        let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
        if let Some(path) = &config.eve {
            let mut options = FileOptions::new(path);
            options.max_bytes = config.rotate_bytes;
            options.keep = config.keep;
            sinks.push(Box::new(FileSink::open(options)?));
        }
        if config.stdout {
            sinks.push(Box::new(StdoutSink::default()));
        }
        let dispatcher = Dispatcher::start(DispatcherOptions::new(origin.clone()), sinks)
            .context("cannot start the thread that writes events")?;
        let fold = FoldOptions {
            window: Duration::from_secs(config.fold_s),
            ..FoldOptions::default()
        };
        Ok(Self {
            dispatcher: Some(dispatcher),
            folder: Folder::new(fold),
            log: AlertLog::default(),
            reasons: Reasons::default(),
            interfaces: HashMap::new(),
            flow_records: config.flow_records,
            watch: Watch::new(calls),
            watched: WatchLog::default(),
        })
    }

    /// Notes the index of an interface, so that events can name it.
    pub(super) fn interface(&mut self, guarded: &Guarded) {
        if let Some(index) = guarded.index {
            self.interfaces.insert(index, guarded.name().into());
        }
    }

    /// The latest alerts.
    pub(super) fn log(&self) -> &AlertLog {
        &self.log
    }

    /// The name of an interface.
    pub(super) fn interface_name(&self, index: u32) -> Option<Arc<str>> {
        self.interfaces.get(&index).cloned()
    }

    /// The queue and the sinks.
    pub(super) fn queue(&self) -> QueueStatus {
        self.dispatcher.as_ref().map_or_else(
            || QueueStatus {
                length: 0,
                capacity: 0,
                lost: Vec::new(),
                sinks: Vec::new(),
            },
            |dispatcher| dispatcher.handle().status(),
        )
    }

    /// What is seen of calls and tracking links.
    pub(super) fn watch(&self) -> &Watch {
        &self.watch
    }

    /// The calls and findings that were told.
    pub(super) fn watched(&self) -> &WatchLog {
        &self.watched
    }

    /// Somebody looks into a finding.
    pub(super) fn acknowledge(&mut self, id: u64, by: &str) -> Acknowledgement {
        let taken = self.watch.acknowledge(id, by);
        if let Acknowledgement::Taken(word) = &taken {
            self.tell_finding(Finding::clone(word));
        }
        taken
    }

    /// A name was asked for or said.
    pub(super) fn heard(&mut self, judge: &Judge, event: &NameEvent) {
        for finding in self.watch.heard(judge, event) {
            self.tell_finding(finding);
        }
    }

    /// A name was asked for in DNS.
    pub(super) fn asked(&mut self, judge: &Judge, client: IpAddr, name: &str) {
        for finding in self.watch.asked(judge, client, name) {
            self.tell_finding(finding);
        }
    }

    /// Tells the calls that are over.
    pub(super) fn calls(&mut self, judge: &Judge, clock: &Clock, media: Media) {
        for call in self.watch.over(judge, clock, media) {
            self.tell_call(call);
        }
    }

    /// Tells the calls that are left: every flow has ended.
    pub(super) fn last_calls(&mut self, judge: &Judge, clock: &Clock) {
        for call in self.watch.last(judge, clock) {
            self.tell_call(call);
        }
    }

    /// Raises the alert of a flow's decision, once.
    pub(super) fn alert_if_due(&mut self, judge: &Judge, clock: &Clock, flow: &mut LiveFlow) {
        let verdict = Verdict::from_code(flow.state.verdict).unwrap_or(Verdict::Block);
        let quiet = verdict == Verdict::Allow && flow.shadow.is_none();
        if quiet || flow.alerted {
            return;
        }
        flow.alerted = true;
        let residency = self.reasons.of(judge, flow);
        let conversation = conversation(clock, flow, &self.interfaces);
        self.raise(Alert::new(Timestamp::now(), conversation, residency));
    }

    /// Raises the alert of opaque traffic that has no flow.
    pub(super) fn opaque(&mut self, judge: &Judge, clock: &Clock, event: &FlowEvent) {
        let state = event.account.state(event.time_ns);
        let flow = LiveFlow::new(event.key, state, event.ifindex);
        if state.verdict == Verdict::Allow.code() {
            return;
        }
        let residency = self.reasons.of(judge, &flow);
        let conversation = conversation(clock, &flow, &self.interfaces);
        self.raise(Alert::new(clock.at(event.time_ns), conversation, residency));
    }

    fn raise(&mut self, alert: Alert) {
        self.log.count();
        for alert in self.folder.offer(alert) {
            self.tell_alert(&alert);
        }
    }

    fn tell_alert(&mut self, alert: &Alert) {
        if let Some(dispatcher) = &self.dispatcher {
            let sequence = dispatcher.handle().send(Event::Alert(alert.clone()));
            self.log.push(sequence, alert);
        }
    }

    fn tell_finding(&mut self, finding: Finding) {
        if let Some(dispatcher) = &self.dispatcher {
            let event = dispatcher.handle().send(Event::Finding(finding.clone()));
            self.watched.finding(event, finding);
        }
    }

    fn tell_call(&mut self, call: CallRecord) {
        if let Some(dispatcher) = &self.dispatcher {
            let event = dispatcher.handle().send(Event::Call(call.clone()));
            self.watched.call(event, call);
        }
    }

    /// Tells the alerts whose window is over, and what is due of findings. To be called about once a second.
    pub(super) fn unfold(&mut self) {
        for alert in self.folder.expire(Timestamp::now()) {
            self.tell_alert(&alert);
        }
        for finding in self.watch.expire() {
            self.tell_finding(finding);
        }
    }

    /// Tells the account of a flow that ended.
    pub(super) fn record(&mut self, judge: &Judge, clock: &Clock, flow: &LiveFlow, end: End) {
        self.watch.ended(judge, flow);
        if !self.flow_records {
            return;
        }
        let record = FlowRecord {
            time: Timestamp::now(),
            conversation: conversation(clock, flow, &self.interfaces),
            end: clock.at(flow.state.last_ns),
            stage: rows::stage(flow),
            reason: end_reason(end, flow),
            alerted: flow.alerted,
            residency: self.reasons.of(judge, flow),
        };
        self.send(Event::Flow(record));
    }

    /// Tells what happened to the gateway.
    pub(super) fn notice(&mut self, notice: Notice) {
        self.send(Event::Notice(notice));
    }

    /// Tells statistics.
    pub(super) fn stats(&mut self, stats: Stats) {
        self.send(Event::Stats(stats));
    }

    /// The policy or the atlas changed: old reasons are no reasons any more.
    pub(super) fn forget(&mut self) {
        self.reasons = Reasons::default();
    }

    /// Opens the event file again.
    pub(super) fn reopen(&self) {
        if let Some(dispatcher) = &self.dispatcher {
            dispatcher.handle().reopen();
        }
    }

    /// Writes what waits and closes the sinks.
    pub(super) fn close(&mut self) {
        for alert in self.folder.flush() {
            self.tell_alert(&alert);
        }
        for finding in self.watch.close() {
            self.tell_finding(finding);
        }
        if let Some(dispatcher) = self.dispatcher.take() {
            let left = dispatcher.shutdown(PATIENCE);
            if left.length > 0 {
                warn!("{} events were not written: a sink hangs", left.length);
            }
        }
    }

    fn send(&self, event: Event) {
        if let Some(dispatcher) = &self.dispatcher {
            dispatcher.handle().send(event);
        }
    }
}
