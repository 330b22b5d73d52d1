//! octroi-bench: the gate beside its peers, in one table of ratios.
//!
//! Owns: what is measured, in which order, beside what and against which budget; the table, the page
//! and the plot. Depends on the data path and the atlas for what runs under `BPF_PROG_TEST_RUN`, and
//! on the lab for what goes through a gateway. Refuses to be part of the product, and to print a
//! number without what it is to be compared with.
//!
//! Every measurement is taken in turns with what it is compared with, and the middle one counts: a
//! machine that has other things to do disturbs both.

pub mod analyze;
pub mod flows;
pub mod forward;
pub mod frames;
pub mod held;
pub mod kernel;
pub mod mix;
pub mod page;
pub mod peers;
pub mod plot;
pub mod rig;
pub mod row;
pub mod sender;
pub mod table;
pub mod variants;
pub mod world;

use std::time::Duration;

use anyhow::Result;

pub use row::Row;

/// How hard to try.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Turns.
    pub rounds: u32,
    /// Runs of a program in one turn.
    pub runs: u32,
    /// Share of the runs that fill flow tables.
    pub share: f64,
    /// Time of one turn of forwarding.
    pub forward_time: Duration,
    /// Time of new flows.
    pub flow_time: Duration,
}

impl Effort {
    /// Enough for a table that is shown.
    pub const FULL: Self = Self {
        rounds: 5,
        runs: 200_000,
        share: 1.0,
        forward_time: Duration::from_secs(2),
        flow_time: Duration::from_secs(30),
    };

    /// Enough to see that everything works; the numbers say nothing.
    pub const SHORT: Self = Self {
        rounds: 1,
        runs: 2_000,
        share: 0.01,
        forward_time: Duration::from_millis(300),
        flow_time: Duration::from_millis(500),
    };

    fn is_short(self) -> bool {
        self.rounds < 2
    }
}

/// What can be run alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// A packet in the kernel, swaps, memory
    Kernel,
    /// The LPM trie, and loading nftables and ipset
    Peers,
    /// Packets a second through a gateway
    Forward,
    /// New flows a second, each accounted
    Flows,
    /// Handshakes and queries that wait for their names
    Held,
    /// `octroi analyze` beside other analyzers, on the captures of `OCTROI_CAPTURES`; only when named
    Analyze,
}

impl Part {
    /// All that need no captures, in the order of the table.
    pub const ALL: [Self; 5] = [
        Self::Kernel,
        Self::Peers,
        Self::Forward,
        Self::Flows,
        Self::Held,
    ];

    /// Runs it, on a thread of its own: a part may keep its thread on one CPU.
    ///
    /// # Errors
    /// Not root, or something could not be built or loaded; what was is removed again.
    pub fn run(self, effort: Effort) -> Result<Vec<Row>> {
        let run = move || match self {
            Self::Kernel => kernel::run(effort),
            Self::Peers => peers::run(effort),
            Self::Forward => forward::run(effort, &variants::Variant::ALL),
            Self::Flows => flows::run(effort),
            Self::Held => held::run(effort),
            Self::Analyze => analyze::run(effort),
        };
        match std::thread::spawn(run).join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

/// Says what is being done.
fn progress(what: &str) {
    eprintln!("bench: {what}");
}
