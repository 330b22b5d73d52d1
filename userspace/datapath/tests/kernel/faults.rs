//! A crash, and an error, at every fault point of every story of a gate's life, under traffic.
//!
//! A story is told by a child process, which kills itself or fails where it is told to. The points
//! are not listed here: a first telling traces them, so that a new one is tested as soon as a story
//! passes it; and a point that no story passes fails [`every_point_is_in_a_story`].
//!
//! A crash is tried at the first passage of each point, an error at the last; with
//! `OCTROI_TEST_FAULTS=all` both at every passage (some minutes).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::fs::File;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sched::{CloneFlags, setns};
use octroi_datapath::{Datapath, DatapathError, FaultPoint, LoadOptions, XdpMode};

use crate::common::abi2::{Abi2, OlderGate as _};
use crate::common::netns::{GATE, Pair};
use crate::common::traffic::{self, STREAMS, Stream, Traffic};
use crate::common::{self, PinRoot, tables};

const TICK: Duration = Duration::from_millis(2);
/// Small flow tables are quickly made.
const FLOWS: [u32; 2] = [1 << 16, 1 << 16];
/// Exit status of a child whose story ended with an error.
const FAILED: i32 = 3;

const STORY: &str = "OCTROI_TEST_STORY";
const ROOT: &str = "OCTROI_TEST_ROOT";
const NAMESPACE: &str = "OCTROI_TEST_NAMESPACE";

/// What a child does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Story {
    /// A start, whatever is pinned.
    Start,
    /// A start, and every change that a daemon makes afterwards.
    Changes,
    /// The end of the gate.
    Detach,
}

impl Story {
    const ALL: [Self; 3] = [Self::Start, Self::Changes, Self::Detach];

    fn tell(self, root: &Path) -> Result<(), DatapathError> {
        if self == Self::Detach {
            return Datapath::detach(root).map(drop);
        }
        let (atlas, policy) = (tables::atlas(), tables::policy(true));
        let options = LoadOptions {
            flows: FLOWS,
            ..LoadOptions::new(root)
        };
        let mut datapath = Datapath::load(&options)?;
        datapath.set_gateway_addresses(&["203.0.113.1".parse().unwrap()])?;
        datapath.apply_atlas_and_policy(&atlas, &policy)?;
        datapath.take_over()?;
        datapath.attach(GATE, XdpMode::Native)?;
        if self == Self::Changes {
            datapath.set_gateway_addresses(&["203.0.113.2".parse().unwrap()])?;
            datapath.apply_policy(&policy)?;
            datapath.apply_atlas(&atlas)?;
            datapath.apply_atlas_and_policy(&atlas, &policy)?;
            datapath.attach(GATE, XdpMode::Native)?;
        }
        Ok(())
    }
}

/// How a child ended.
#[derive(Clone, PartialEq, Eq, Debug)]
enum End {
    Done,
    Killed,
    Failed(String),
}

/// Where the stories happen.
struct Stage {
    pair: Pair,
    root: PinRoot,
    trace: PathBuf,
}

impl Stage {
    fn new() -> Self {
        let root = PinRoot::new();
        let name = root.path().file_name().unwrap().to_str().unwrap();
        Self {
            pair: Pair::new(),
            trace: std::env::temp_dir().join(format!("{name}.trace")),
            root,
        }
    }

    /// Has a child tell a story, with a fault or none.
    fn tell(&self, story: Story, fault: Option<&str>) -> End {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child
            .args(["faults::child", "--exact", "--nocapture"])
            .env(STORY, format!("{story:?}"))
            .env(ROOT, self.root.path())
            .env(NAMESPACE, self.pair.gate_name())
            .env("OCTROI_FAULT_TRACE", &self.trace)
            .env_remove("OCTROI_FAULT");
        if let Some(fault) = fault {
            child.env("OCTROI_FAULT", fault);
        }
        let output = child.output().unwrap();
        match (output.status.code(), output.status.signal()) {
            (Some(0), _) => End::Done,
            (Some(FAILED), _) => End::Failed(String::from_utf8_lossy(&output.stderr).into_owned()),
            (_, Some(libc::SIGKILL)) => End::Killed,
            _ => panic!("{story:?} with {fault:?}: {output:?}"),
        }
    }

    /// Tells a story without a fault; the points it passed, with how often each was passed until
    /// then: what a fault is placed by.
    fn points(&self, story: Story) -> Vec<String> {
        let _ = fs::remove_file(&self.trace);
        assert_eq!(self.tell(story, None), End::Done, "{story:?}");
        let trace = fs::read_to_string(&self.trace).unwrap();
        let mut passages = BTreeMap::new();
        trace
            .lines()
            .map(|name| {
                let passage = passages.entry(name.to_owned()).or_insert(0);
                *passage += 1;
                format!("{name}#{passage}")
            })
            .collect()
    }

    /// Tells a story that crashes at a point, or fails there, and sees that it does.
    fn break_at(&self, story: Story, point: &str, kind: &str) {
        let end = self.tell(story, Some(&format!("{point}:{kind}")));
        let name = point.split_once('#').unwrap().0;
        let right = match &end {
            End::Killed => kind == "crash",
            End::Failed(text) => {
                kind == "fail" && text.contains(&format!("a test made the step {name} fail"))
            }
            End::Done => false,
        };
        assert!(right, "{story:?} with {kind} at {point}: {end:?}");
    }

    fn is_guarded(&self) -> bool {
        let version = format!("v{}", octroi_abi::ABI_VERSION);
        let links = self.root.path().join(version).join("links").join(GATE);
        fs::read_dir(links).is_ok_and(|mut pins| pins.next().is_some())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.trace);
    }
}

fn is_thorough() -> bool {
    std::env::var("OCTROI_TEST_FAULTS").is_ok_and(|value| value == "all")
}

/// Where a story is broken, and how.
fn faults(points: &[String]) -> Vec<(&str, &'static str)> {
    let all = is_thorough();
    let name = |point: &str| point.split_once('#').map(|(name, _)| name.to_owned());
    let is_only = |others: &[String], point: &str| {
        all || !others.iter().any(|other| name(other) == name(point))
    };
    let mut faults = Vec::new();
    for (number, point) in points.iter().enumerate() {
        if is_only(&points[..number], point) {
            faults.push((point.as_str(), "crash"));
        }
        if is_only(&points[number + 1..], point) {
            faults.push((point.as_str(), "fail"));
        }
    }
    faults
}

/// The child: tells the story of its environment. Nothing when there is none.
#[test]
fn child() {
    let Ok(story) = std::env::var(STORY) else {
        return;
    };
    let story = Story::ALL
        .into_iter()
        .find(|known| format!("{known:?}") == story)
        .unwrap();
    let namespace = std::env::var(NAMESPACE).unwrap();
    let file = File::open(format!("/var/run/netns/{namespace}")).unwrap();
    setns(file, CloneFlags::CLONE_NEWNET).unwrap();
    if let Err(error) = story.tell(Path::new(&std::env::var(ROOT).unwrap())) {
        eprintln!("{error}");
        std::process::exit(FAILED);
    }
    std::process::exit(0);
}

/// A restart and every change afterwards: whatever breaks, what is in force stays in force.
#[test]
fn a_restart_and_changes_that_break_anywhere_open_and_close_nothing() {
    if common::skipped() {
        return;
    }
    let stage = Stage::new();
    assert_eq!(stage.tell(Story::Start, None), End::Done);
    let traffic = Traffic::start(&stage.pair, &STREAMS, TICK);
    let points = stage.points(Story::Changes);
    let faults = faults(&points);
    for (point, kind) in &faults {
        // The next start finds what this one left half done.
        stage.break_at(Story::Changes, point, kind);
        traffic.flows();
    }
    assert_eq!(stage.tell(Story::Changes, None), End::Done);
    traffic.flows();
    let sums = traffic::judge(traffic, "restart and changes");
    println!("restart and changes: {} faults, {sums:?}", faults.len());
}

/// A first start: it guards with full tables or not at all, and the next one finishes it.
#[test]
fn a_first_start_that_breaks_anywhere_is_finished_by_the_next() {
    if common::skipped() {
        return;
    }
    let stage = Stage::new();
    let points = stage.points(Story::Start);
    let mut faults = faults(&points);
    faults.retain(|(_, kind)| *kind == "crash");
    for (point, kind) in &faults {
        Datapath::detach(stage.root.path()).unwrap();
        stage.break_at(Story::Start, point, kind);
        let guarded = stage.is_guarded();
        let early = guarded.then(|| Traffic::start(&stage.pair, &STREAMS, TICK));
        assert_eq!(stage.tell(Story::Start, None), End::Done, "after {point}");
        assert!(stage.is_guarded());
        let traffic = early.unwrap_or_else(|| Traffic::start(&stage.pair, &STREAMS, TICK));
        std::thread::sleep(10 * TICK);
        traffic.flows();
        traffic::judge(traffic, point);
    }
    println!("first start: {} faults", faults.len());
}

/// An upgrade: the older gate or this one stands at every moment, and what a name cut stays cut.
#[test]
fn an_upgrade_that_breaks_anywhere_opens_and_closes_nothing() {
    if common::skipped() {
        return;
    }
    let stage = Stage::new();
    let mut streams = STREAMS.to_vec();
    // The table allows it, its name does not.
    streams.push(Stream {
        to: "198.18.1.1",
        passes: false,
        fresh: false,
    });
    let cut = streams.len() - 1;
    stage.pair.in_gate(|| Abi2::raise(stage.root.path(), GATE));
    let points = stage.points(Story::Start);
    assert!(points.iter().any(|point| point.starts_with("upgrade/")));
    let mut faults = faults(&points);
    // What every start does is the restart's; here, one crash in each of its steps.
    let mut steps = BTreeSet::new();
    faults.retain(|(point, kind)| {
        let (step, _) = point.split_once('/').unwrap();
        is_thorough() || step == "upgrade" || *kind == "crash" && steps.insert(step.to_owned())
    });
    for &(point, kind) in &faults {
        Datapath::detach(stage.root.path()).unwrap();
        let mut older = stage.pair.in_gate(|| Abi2::raise(stage.root.path(), GATE));
        let traffic = Traffic::start(&stage.pair, &streams, TICK);
        while !older.cut_by_name(traffic.port(cut)) {
            std::thread::sleep(TICK);
        }
        traffic.begin_again_at_rest(cut);
        traffic.flows();
        stage.break_at(Story::Start, point, kind);
        traffic.flows();
        assert_eq!(stage.tell(Story::Start, None), End::Done, "after {point}");
        assert!(!older.directory().exists());
        traffic.flows();
        traffic::judge(traffic, point);
    }
    println!("upgrade: {} faults", faults.len());
}

/// The end of the gate: the next one finishes it, and so does a start.
#[test]
fn an_end_that_breaks_anywhere_is_finished_by_the_next() {
    if common::skipped() {
        return;
    }
    let stage = Stage::new();
    assert_eq!(stage.tell(Story::Start, None), End::Done);
    let points = stage.points(Story::Detach);
    for point in &points {
        assert_eq!(stage.tell(Story::Start, None), End::Done);
        stage.break_at(Story::Detach, point, "crash");
        assert_eq!(stage.tell(Story::Start, None), End::Done, "after {point}");
        let traffic = Traffic::start(&stage.pair, &STREAMS, TICK);
        std::thread::sleep(10 * TICK);
        traffic.flows();
        traffic::judge(traffic, point);
        stage.break_at(Story::Detach, point, "fail");
        assert_eq!(stage.tell(Story::Detach, None), End::Done, "after {point}");
        assert!(!stage.root.path().exists(), "after {point}");
    }
    println!("end: {} points", points.len());
}

#[test]
fn every_point_is_in_a_story() {
    if common::skipped() {
        return;
    }
    let stage = Stage::new();
    stage.pair.in_gate(|| Abi2::raise(stage.root.path(), GATE));
    let mut passed = BTreeSet::new();
    let stories = [Story::Changes, Story::Detach, Story::Start, Story::Detach];
    for story in stories {
        let points = stage.points(story);
        passed.extend(points.iter().map(|point| {
            let (name, _) = point.split_once('#').unwrap();
            name.to_owned()
        }));
    }
    let all: BTreeSet<_> = FaultPoint::ALL
        .iter()
        .map(|point| point.name().to_owned())
        .collect();
    assert_eq!(passed, all);
}
