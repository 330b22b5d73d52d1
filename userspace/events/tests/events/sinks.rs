//! The dispatcher with sinks that are slow, dead and alive again, and the folding in front of it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use crate::samples;
use octroi_events::fold::{FoldOptions, Folder};
use octroi_events::sink::{Dispatcher, DispatcherOptions, FileOptions, FileSink, Sink, SinkError};
use octroi_events::{Alert, Event};
use serde_json::Value;

/// Keeps lines in memory; can be shut and broken from outside.
#[derive(Clone, Default)]
struct Memory {
    lines: Arc<Mutex<Vec<Value>>>,
    shut: Arc<(Mutex<bool>, Condvar)>,
    broken: Arc<AtomicBool>,
}

impl Memory {
    fn shut(&self, shut: bool) {
        *self.shut.0.lock().unwrap() = shut;
        self.shut.1.notify_all();
    }

    fn lines(&self) -> Vec<Value> {
        self.lines.lock().unwrap().clone()
    }
}

impl Sink for Memory {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn write(&mut self, lines: &[u8]) -> Result<(), SinkError> {
        let mut shut = self.shut.0.lock().unwrap();
        while *shut {
            shut = self.shut.1.wait(shut).unwrap();
        }
        if self.broken.load(Ordering::SeqCst) {
            return Err(SinkError {
                operation: "write",
                path: "memory".into(),
                error: std::io::ErrorKind::StorageFull.into(),
            });
        }
        let text = std::str::from_utf8(lines).unwrap();
        let mut kept = self.lines.lock().unwrap();
        kept.extend(
            text.lines()
                .map(|line| serde_json::from_str::<Value>(line).unwrap()),
        );
        Ok(())
    }

    fn reopen(&mut self) -> Result<(), SinkError> {
        Ok(())
    }
}

fn dispatcher(memory: &Memory, capacity: usize) -> Dispatcher {
    let mut options = DispatcherOptions::new(samples::origin());
    options.capacity = capacity;
    Dispatcher::start(options, vec![Box::new(memory.clone())]).unwrap()
}

fn sequence(line: &Value) -> u64 {
    let id = line["metadata"]["flowvars"]
        .as_array()
        .unwrap()
        .iter()
        .find(|var| var["key"] == "event_id")
        .and_then(|var| var["value"].as_str())
        .unwrap();
    id.rsplit('/').next().unwrap().parse().unwrap()
}

fn fact(line: &Value, key: &str) -> Option<String> {
    line["metadata"]["flowvars"]
        .as_array()
        .unwrap()
        .iter()
        .find(|var| var["key"] == key)
        .and_then(|var| var["value"].as_str())
        .map(str::to_owned)
}

fn wait_for(holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(10), "waited in vain");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn events_arrive_in_order_without_gaps_and_shutdown_writes_the_rest() {
    let memory = Memory::default();
    let dispatcher = dispatcher(&memory, 10_000);
    let handle = dispatcher.handle();
    let numbers: Vec<u64> = (0..2_000)
        .map(|_| handle.send(Event::Notice(samples::notice())))
        .collect();
    let status = dispatcher.shutdown(Duration::from_secs(10));
    assert_eq!(status.length, 0);
    assert_eq!(status.sinks[0].written, 2_000);
    let arrived: Vec<u64> = memory.lines().iter().map(sequence).collect();
    assert_eq!(arrived, numbers);
    assert_eq!(arrived, (1..=2_000).collect::<Vec<_>>());
}

#[test]
fn a_flood_loses_flow_records_first_and_says_so_in_the_stream() {
    let memory = Memory::default();
    memory.shut(true);
    let dispatcher = dispatcher(&memory, 100);
    let handle = dispatcher.handle();
    let began = Instant::now();
    handle.send(Event::Notice(samples::notice()));
    // The first one is on its way; the queue is empty again.
    wait_for(|| handle.status().length == 0);
    for _ in 0..90 {
        handle.send(Event::Flow(samples::flow()));
    }
    for _ in 0..50 {
        handle.send(Event::Alert(samples::alert()));
    }
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "the daemon waited for a sink"
    );
    let lost = handle.status().lost;
    assert_eq!((lost[0].name.as_str(), lost[0].value), ("flow", 40));
    assert!(lost[1..].iter().all(|named| named.value == 0));
    memory.shut(false);
    let status = dispatcher.shutdown(Duration::from_secs(10));
    assert_eq!(status.length, 0);
    let lines = memory.lines();
    let count = |kind: &str| {
        lines
            .iter()
            .filter(|line| line["event_type"] == kind)
            .count()
    };
    assert_eq!((count("alert"), count("flow")), (50, 50));
    let notice = lines
        .iter()
        .find(|line| fact(line, "lost_flow").is_some())
        .unwrap();
    assert_eq!(fact(notice, "lost_flow").unwrap(), "40");
    assert_eq!(fact(notice, "notice").unwrap(), "events_lost");
    // The gap in the numbers is exactly what was lost.
    let numbers: Vec<u64> = lines.iter().map(sequence).collect();
    assert!(numbers.is_sorted());
    assert_eq!(numbers.last().unwrap() - lines.len() as u64, 40);
}

#[test]
fn a_failed_sink_is_counted_tried_again_and_told_of() {
    let (broken, whole) = (Memory::default(), Memory::default());
    broken.broken.store(true, Ordering::SeqCst);
    let options = DispatcherOptions::new(samples::origin());
    let sinks: Vec<Box<dyn Sink>> = vec![Box::new(broken.clone()), Box::new(whole.clone())];
    let dispatcher = Dispatcher::start(options, sinks).unwrap();
    let handle = dispatcher.handle();
    handle.send(Event::Alert(samples::alert()));
    wait_for(|| !handle.status().sinks[0].healthy);
    wait_for(|| whole.lines().len() == 2);
    let status = handle.status();
    assert!(
        status.sinks[0]
            .error
            .as_ref()
            .unwrap()
            .contains("free space")
    );
    assert!(status.sinks[1].healthy);
    assert_eq!(fact(&whole.lines()[1], "notice").unwrap(), "sink_failed");
    broken.broken.store(false, Ordering::SeqCst);
    // Asked to open again, it need not wait for its next try.
    handle.reopen();
    wait_for(|| handle.status().sinks[0].healthy);
    handle.send(Event::Alert(samples::alert()));
    let status = dispatcher.shutdown(Duration::from_secs(10));
    assert_eq!(status.sinks[0].error, None);
    assert_eq!(
        status.sinks[0].lost, 2,
        "the alert and the notice of the failure"
    );
    let lines = broken.lines();
    assert_eq!(fact(&lines[0], "notice").unwrap(), "sink_recovered");
    assert_eq!(fact(&lines[0], "lost").unwrap(), "2");
    assert_eq!(lines[1]["event_type"], "alert");
}

#[test]
fn a_sink_that_hangs_does_not_hang_the_end() {
    let memory = Memory::default();
    memory.shut(true);
    let dispatcher = dispatcher(&memory, 10);
    let handle = dispatcher.handle();
    for _ in 0..5 {
        handle.send(Event::Notice(samples::notice()));
    }
    let began = Instant::now();
    let _ = dispatcher.shutdown(Duration::from_millis(100));
    assert!(began.elapsed() < Duration::from_secs(3));
    memory.shut(false);
}

#[test]
fn files_rotate_under_the_dispatcher_and_hold_every_event() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("eve.json");
    let sink = FileSink::open(FileOptions {
        path: path.clone(),
        max_bytes: 100_000,
        keep: 50,
    })
    .unwrap();
    let options = DispatcherOptions::new(samples::origin());
    let dispatcher = Dispatcher::start(options, vec![Box::new(sink)]).unwrap();
    let handle = dispatcher.handle();
    for _ in 0..300 {
        handle.send(Event::Alert(samples::alert()));
    }
    let status = dispatcher.shutdown(Duration::from_secs(10));
    assert!(status.sinks[0].rotations > 3);
    let mut numbers = Vec::new();
    for entry in std::fs::read_dir(directory.path()).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        assert!(text.len() <= 100_000);
        for line in text.lines() {
            numbers.push(sequence(&serde_json::from_str(line).unwrap()));
        }
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=300).collect::<Vec<_>>());
}

fn alert_at(offset_ms: i64, source_port: u16) -> Alert {
    Alert::new(
        samples::time(offset_ms),
        samples::conversation(source_port),
        Arc::new(samples::residency()),
    )
}

#[test]
fn a_flood_of_one_kind_is_two_alerts_and_every_decision_is_counted() {
    let mut folder = Folder::new(FoldOptions::default());
    let mut told = Vec::new();
    for number in 0..1_000 {
        told.extend(folder.offer(alert_at(number, 50_000)));
        told.extend(folder.expire(samples::time(number)));
    }
    assert_eq!(told.len(), 1);
    told.extend(folder.expire(samples::time(10_000)));
    let [first, rest] = &told[..] else {
        panic!("{told:?}");
    };
    assert_eq!(
        (first.count, first.time, first.last),
        (1, samples::time(0), samples::time(0))
    );
    assert_eq!(
        (rest.count, rest.time, rest.last),
        (999, samples::time(1), samples::time(999))
    );
    assert!(folder.flush().is_empty());
}

#[test]
fn other_kinds_are_told_at_once() {
    let mut folder = Folder::new(FoldOptions::default());
    assert_eq!(folder.offer(alert_at(0, 1)).len(), 1);
    // Another port is the same kind; another source, rule or operator is not.
    assert_eq!(folder.offer(alert_at(1, 2)).len(), 0);
    let mut other = alert_at(2, 3);
    other.conversation.source = "10.20.30.41".parse().unwrap();
    assert_eq!(folder.offer(other).len(), 1);
    let mut other = alert_at(3, 4);
    let mut residency = samples::residency();
    residency.rule = "another".into();
    other.residency = Arc::new(residency);
    assert_eq!(folder.offer(other).len(), 1);
}

#[test]
fn a_window_that_ended_is_told_with_the_next_alert() {
    let mut folder = Folder::new(FoldOptions::default());
    folder.offer(alert_at(0, 1));
    folder.offer(alert_at(5, 2));
    let told = folder.offer(alert_at(10_000, 3));
    let counts: Vec<_> = told.iter().map(|alert| (alert.count, alert.time)).collect();
    assert_eq!(counts, [(1, samples::time(5)), (1, samples::time(10_000))]);
}

#[test]
fn without_a_window_or_room_every_alert_is_told() {
    let mut off = Folder::new(FoldOptions {
        window: Duration::ZERO,
        ..FoldOptions::default()
    });
    let mut full = Folder::new(FoldOptions {
        kinds: 0,
        ..FoldOptions::default()
    });
    for number in 0..10 {
        assert_eq!(off.offer(alert_at(number, 1)).len(), 1);
        assert_eq!(full.offer(alert_at(number, 1)).len(), 1);
    }
    assert!(off.flush().is_empty() && full.flush().is_empty());
}

/// Not a benchmark: a floor far below what was measured, so that a slip of ten times shows.
#[test]
fn rendering_is_fast_enough_for_a_flood() {
    let alert = Event::Alert(samples::alert());
    let origin = samples::origin();
    let mut out = Vec::with_capacity(1 << 16);
    let began = Instant::now();
    for number in 0..2_000 {
        out.clear();
        alert.write_eve(&origin, number, &mut out);
    }
    let per_second = 2_000.0 / began.elapsed().as_secs_f64();
    println!("{per_second:.0} alerts/s of {} bytes", out.len());
    assert!(per_second > 3_000.0, "{per_second} alerts/s");
}
