//! What the kernel tests share: a data path of their own, small tables, frames.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::must_use_candidate,
    clippy::new_without_default,
    clippy::missing_panics_doc,
    missing_docs,
    reason = "shared by tests and a bench, each of which uses its own part of it; they may unwrap"
)]

pub mod abi2;
pub mod abi3;
pub mod checksum;
pub mod frames;
pub mod netns;
pub mod tables;
pub mod traffic;

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use octroi_abi::event::FlowEvent;
use octroi_abi::flow::{FlowKey, FlowState};
use octroi_abi::outcome::{Direction, Outcome};
use octroi_datapath::{Counters, Datapath, EventRing, LoadOptions, Program, RunReport};

pub const XDP_DROP: u32 = 1;
pub const XDP_PASS: u32 = 2;
pub const XDP_TX: u32 = 3;
pub const TCX_NEXT: u32 = u32::MAX;
pub const TCX_DROP: u32 = 2;

/// Whether kernel tests are to be skipped, said aloud. Without root they fail: a test that was not
/// run must not look like one that passed.
pub fn skipped() -> bool {
    if std::env::var_os("OCTROI_SKIP_KERNEL").is_some_and(|value| value == "1") {
        println!("skipped: OCTROI_SKIP_KERNEL=1");
        return true;
    }
    assert!(
        nix::unistd::geteuid().is_root(),
        "kernel tests need root (run them as root, or set OCTROI_SKIP_KERNEL=1 to skip them)"
    );
    false
}

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A pin root of its own, removed at the end, whatever happens.
pub struct PinRoot(PathBuf);

impl PinRoot {
    pub fn new() -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("octroi-test-{}-{number}", std::process::id());
        Self(Path::new("/sys/fs/bpf").join(name))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for PinRoot {
    fn drop(&mut self) {
        if let Err(error) = Datapath::detach(&self.0) {
            eprintln!("cannot clean {}: {error}", self.0.display());
        }
        let _ = std::fs::remove_dir(&self.0);
    }
}

/// A loaded data path with the little world of [`tables`] in force, shared by the tests of this
/// process. Its pins are removed at once: the maps live as long as the process.
pub struct Rig {
    pub datapath: Datapath,
    events: RefCell<Option<EventRing>>,
}

static SHARED: Mutex<Option<Rig>> = Mutex::new(None);

/// The shared rig, to one test at a time, as it was in the beginning but for counters and flows.
pub fn rig() -> RigGuard {
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    let rig = shared.get_or_insert_with(Rig::new);
    rig.datapath
        .apply_atlas_and_policy(&tables::atlas(), &tables::policy(true))
        .unwrap();
    rig.datapath.set_gateway_addresses(&[]).unwrap();
    let mut keys = Vec::new();
    rig.datapath.flows(&mut |key, _| keys.push(key));
    for key in keys {
        rig.datapath.remove_flow(&key).unwrap();
    }
    RigGuard(shared)
}

/// See [`rig`].
pub struct RigGuard(MutexGuard<'static, Option<Rig>>);

impl std::ops::Deref for RigGuard {
    type Target = Rig;

    fn deref(&self) -> &Rig {
        self.0.as_ref().unwrap()
    }
}

impl std::ops::DerefMut for RigGuard {
    fn deref_mut(&mut self) -> &mut Rig {
        self.0.as_mut().unwrap()
    }
}

impl Rig {
    /// Without any policy yet.
    pub fn new() -> Self {
        let root = PinRoot::new();
        let options = LoadOptions {
            flows: [1 << 14, 1 << 14],
            ..LoadOptions::new(root.path())
        };
        let datapath = Datapath::load(&options).unwrap();
        Self {
            datapath,
            events: RefCell::new(None),
        }
    }

    /// What the kernel told since the last call; the first call forgets what was before it.
    pub fn told(&mut self) -> Vec<FlowEvent> {
        let datapath = &mut self.datapath;
        let mut events = self.events.borrow_mut();
        let is_first = events.is_none();
        let ring = events.get_or_insert_with(|| datapath.take_events().unwrap());
        let told: Vec<_> = std::iter::from_fn(|| ring.next()).collect();
        if is_first { Vec::new() } else { told }
    }

    pub fn outbound(&self, frame: &[u8]) -> RunReport {
        self.datapath.run(Program::Outbound, frame, 1).unwrap()
    }

    pub fn reply(&self, frame: &[u8]) -> RunReport {
        self.datapath.run(Program::Reply, frame, 1).unwrap()
    }

    /// Runs a frame and tells which outcome it was counted as: exactly one, and "seen" once.
    pub fn outcome(&self, direction: Direction, frame: &[u8]) -> (Outcome, RunReport) {
        let program = match direction {
            Direction::Outbound => Program::Outbound,
            Direction::Reply => Program::Reply,
        };
        self.outcome_of(program, direction, frame)
    }

    /// The same, by any of the programs.
    pub fn outcome_of(
        &self,
        program: Program,
        direction: Direction,
        frame: &[u8],
    ) -> (Outcome, RunReport) {
        let before = self.datapath.counters().unwrap();
        let report = self.datapath.run(program, frame, 1).unwrap();
        let after = self.datapath.counters().unwrap();
        let outcome = counted(direction, &before, &after);
        let go_on = if program.is_xdp() { XDP_PASS } else { TCX_NEXT };
        // A rejected reply goes on, as a RST.
        let passes = report.action == go_on && outcome != Outcome::Rejected;
        assert_eq!(
            passes,
            outcome.passes(),
            "{outcome:?} and action {}",
            report.action
        );
        (outcome, report)
    }

    pub fn flow(&self, key: &FlowKey) -> Option<FlowState> {
        self.datapath.flow(key)
    }

    pub fn flow_count(&self) -> usize {
        self.datapath.flows(&mut |_, _| {})
    }
}

/// The one outcome by which two readings differ.
pub fn counted(direction: Direction, before: &Counters, after: &Counters) -> Outcome {
    assert_eq!(
        after.seen(direction),
        before.seen(direction) + 1,
        "seen once"
    );
    let mut changed = Outcome::ALL.into_iter().filter(|outcome| {
        after.outcome(direction, *outcome) != before.outcome(direction, *outcome)
    });
    let outcome = changed.next().expect("no outcome was counted");
    assert_eq!(changed.next(), None, "two outcomes were counted");
    assert_eq!(
        after.outcome(direction, outcome),
        before.outcome(direction, outcome) + 1
    );
    outcome
}
