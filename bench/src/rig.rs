//! A data path of one's own with the embedded atlas in force, without any interface: what runs under
//! `BPF_PROG_TEST_RUN`. Its pins go when it is dropped.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;
use octroi_abi::event::kind;
use octroi_datapath::{Datapath, LoadOptions, Program, Shuffle};
use octroi_geo_db::{Atlas, KernelTables};
use octroi_policy::{Policy, Tables};
use octroi_tests::lab::command;

use crate::frames::{self, Ends};
use crate::row::number;

/// Three zones: one that may, one that is stopped, one that is turned back.
pub const POLICY: &str = r#"
[policy]
name = "bench"
version = "1"
mode = "enforce"
default = "allow"

[[zone]]
name = "inside"
prefixes = ["10.0.0.0/8", "fd00::/16"]

[[zone]]
name = "stopped"
prefixes = ["172.16.0.0/12", "fd01::/16"]

[[zone]]
name = "turned-back"
prefixes = ["192.168.0.0/16", "fd02::/16"]

[[rule]]
id = "stopped"
verdict = "block"
from = ["stopped"]

[[rule]]
id = "turned-back"
verdict = "reject"
from = ["turned-back"]

[[rule]]
id = "union"
verdict = "allow"
hosting = ["EU"]
"#;

/// Atlas and policy, compiled once for all rigs.
pub struct World {
    /// The map of the Internet.
    pub atlas: Atlas,
    /// The same for the kernel.
    pub kernel_tables: KernelTables,
    /// The policy for the kernel.
    pub tables: Tables,
    /// How long compiling the atlas took.
    pub compiled_in: Duration,
}

impl World {
    /// Opens and compiles.
    ///
    /// # Errors
    /// The embedded atlas or the bench's policy is wrong, which tests rule out.
    pub fn open() -> Result<Self> {
        let atlas = Atlas::embedded().context("cannot open the embedded atlas")?;
        let began = Instant::now();
        let kernel_tables = atlas.kernel_tables().context("cannot compile the atlas")?;
        let compiled_in = began.elapsed();
        let policy = Policy::parse(POLICY, "bench policy", atlas.catalogue())?;
        let tables = policy.compile(&atlas, atlas.catalogue().day())?;
        Ok(Self {
            atlas,
            kernel_tables,
            tables,
            compiled_in,
        })
    }
}

/// A directory of pins that is removed at the end.
struct PinRoot(PathBuf);

impl PinRoot {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("octroi-bench-{}-{number}", std::process::id());
        Self(Path::new("/sys/fs/bpf").join(name))
    }
}

/// Removes the pins and namespaces of benches that were killed: a signal ends a process without its
/// drops.
pub fn sweep() {
    let of_the_dead = |name: &str| {
        let process = name.strip_prefix("octroi-bench-")?.split('-').next()?;
        let number: u32 = process.parse().ok()?;
        (!Path::new(&format!("/proc/{number}")).exists()).then_some(())
    };
    let left = |directory: &str| {
        let entries = std::fs::read_dir(directory).into_iter().flatten();
        let paths = entries.filter_map(Result::ok).map(|entry| entry.path());
        paths.filter(|path| {
            let name = path.file_name().and_then(|name| name.to_str());
            name.and_then(of_the_dead).is_some()
        })
    };
    for pins in left("/sys/fs/bpf").collect::<Vec<_>>() {
        drop(PinRoot(pins));
    }
    for namespace in left("/run/netns").collect::<Vec<_>>() {
        if let Some(name) = namespace.file_name()
            && let Err(error) = command::run("ip", ["netns".as_ref(), "delete".as_ref(), name])
        {
            eprintln!("{error}");
        }
    }
}

impl Drop for PinRoot {
    fn drop(&mut self) {
        if let Err(error) = Datapath::detach(&self.0) {
            eprintln!("cannot remove the pins under {}: {error}", self.0.display());
        }
        // Gone already when nothing else stood in it.
        let _ = std::fs::remove_dir(&self.0);
    }
}

/// A data path with atlas and policy in force, and somebody who drains its events.
pub struct Rig {
    /// The data path.
    pub datapath: Datapath,
    /// How long loading the programs took.
    pub loaded_in: Duration,
    /// How long it took to put atlas and policy in force.
    pub filled_in: Duration,
    drain: Option<Drain>,
    _pins: PinRoot,
}

impl Rig {
    /// Loads.
    ///
    /// # Errors
    /// Not root, or the kernel refuses.
    pub fn new(world: &World) -> Result<Self> {
        let pins = PinRoot::new();
        let began = Instant::now();
        let mut datapath = Datapath::load(&LoadOptions::new(&pins.0))?;
        let loaded_in = began.elapsed();
        datapath.load_program(Program::Shuffle)?;
        let applied = datapath.apply_atlas_and_policy(&world.kernel_tables, &world.tables)?;
        let drain = Drain::start(&mut datapath)?;
        Ok(Self {
            datapath,
            loaded_in,
            filled_in: applied.took,
            drain: Some(drain),
            _pins: pins,
        })
    }

    /// Mean nanoseconds of a run of a program on a frame.
    ///
    /// # Errors
    /// The kernel refuses the frame.
    pub fn run(&self, program: Program, frame: &[u8], runs: u32) -> Result<f64> {
        let report = self.datapath.run(program, frame, runs)?;
        Ok(report.took.as_secs_f64() * 1e9)
    }

    /// Forgets every flow.
    pub fn clear(&self) {
        let mut keys = Vec::new();
        self.datapath.flows(&mut |key, _| keys.push(key));
        for key in keys {
            // Gone already: as wanted.
            let _ = self.datapath.remove_flow(&key);
        }
    }

    /// Waits until the event ring was read to its end after this call; tells what was drained in all.
    /// However rarely the draining thread runs: it is waited for, not given a time.
    #[must_use]
    pub fn settle(&self) -> Told {
        self.drain.as_ref().map_or_else(Told::default, |drain| {
            drain.wait();
            drain.told()
        })
    }

    /// Kernel memory of all maps, bytes, and the largest of them.
    ///
    /// # Errors
    /// The kernel does not tell.
    pub fn memory(&self) -> Result<(f64, String)> {
        let maps = self.datapath.memory()?;
        let total: u64 = maps.iter().map(|(_, bytes)| bytes).sum();
        let mut largest = maps;
        largest.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
        let words: Vec<String> = largest
            .iter()
            .take(4)
            .map(|(name, bytes)| format!("{name} {:.0}", number(*bytes) / MIB))
            .collect();
        Ok((number(total), words.join(", ")))
    }
}

/// Bytes of a mebibyte.
pub const MIB: f64 = 1024.0 * 1024.0;

impl Drop for Rig {
    fn drop(&mut self) {
        drop(self.drain.take());
    }
}

/// Counted events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// First packets of flows.
    pub new: u64,
    /// All others.
    pub other: u64,
}

/// A thread that reads the event ring, as the daemon does.
struct Drain {
    stop: Arc<AtomicBool>,
    new: Arc<AtomicU64>,
    other: Arc<AtomicU64>,
    /// How often the ring was read to its end.
    looks: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Drain {
    fn start(datapath: &mut Datapath) -> Result<Self> {
        let mut events = datapath.take_events()?;
        let stop = Arc::new(AtomicBool::new(false));
        let new = Arc::new(AtomicU64::new(0));
        let other = Arc::new(AtomicU64::new(0));
        let looks = Arc::new(AtomicU64::new(0));
        let (stopped, news, others) = (Arc::clone(&stop), Arc::clone(&new), Arc::clone(&other));
        let looked = Arc::clone(&looks);
        let thread = std::thread::spawn(move || {
            // Where there is a second CPU: the first one runs the programs.
            let _ = pin_to(1);
            while !stopped.load(Ordering::Relaxed) {
                let mut any = false;
                while let Some(event) = events.next() {
                    any = true;
                    let counter = if event.kind == kind::NEW {
                        &news
                    } else {
                        &others
                    };
                    counter.fetch_add(1, Ordering::Relaxed);
                }
                looked.fetch_add(1, Ordering::Release);
                if !any {
                    std::thread::sleep(Duration::from_micros(500));
                }
            }
        });
        Ok(Self {
            stop,
            new,
            other,
            looks,
            thread: Some(thread),
        })
    }

    /// Waits for a whole look at the ring: the one under way may have begun before the last event.
    fn wait(&self) {
        let wanted = self.looks.load(Ordering::Acquire) + 2;
        let runs = || {
            self.thread
                .as_ref()
                .is_some_and(|thread| !thread.is_finished())
        };
        while self.looks.load(Ordering::Acquire) < wanted && runs() {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn told(&self) -> Told {
        Told {
            new: self.new.load(Ordering::Relaxed),
            other: self.other.load(Ordering::Relaxed),
        }
    }
}

impl Drop for Drain {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            eprintln!("the thread that drains events panicked");
        }
    }
}

/// Keeps the calling thread on one CPU.
///
/// # Errors
/// There is no such CPU here.
pub fn pin_to(cpu: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(cpu)?;
    sched_setaffinity(Pid::from_raw(0), &set).with_context(|| format!("cannot stay on CPU {cpu}"))
}

/// A frame whose addresses the shuffle replaces before another program runs: bits of the source, bits
/// of the destination.
///
/// # Errors
/// Addresses of two families.
pub fn shuffled(addresses: (&str, &str), masks: [u32; 2], then: Program) -> Result<Vec<u8>> {
    let shuffle = Shuffle {
        source_mask: masks[0].to_be_bytes(),
        destination_mask: masks[1].to_be_bytes(),
        then,
    };
    frame(addresses, &shuffle.payload())
}

/// A plain frame.
///
/// # Errors
/// Addresses of two families.
pub fn frame(addresses: (&str, &str), payload: &[u8]) -> Result<Vec<u8>> {
    let ends = Ends {
        link: ([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]),
        addresses: (addresses.0.parse()?, addresses.1.parse()?),
        ports: (40_000, 4_433),
    };
    frames::udp(&ends, payload).context("a bench frame has two address families")
}
