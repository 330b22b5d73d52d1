//! Draining the kernel's rings, on a thread of their own: decisions, first payload bytes, and frames
//! that wait for a decision.
//!
//! In this order: an answer that named an address was copied before its client could use it, and a flow
//! was told before its first frame was held.

use std::os::fd::AsFd;
use std::sync::Arc;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use octroi_abi::table::long_time;
use octroi_inspect::name::Sample;
use tracing::error;

use super::gate::{Gate, Rings};

/// Records taken under one lock: clients wait no longer than for this many.
const BATCH: usize = 512;

/// The same of held frames, each of which may run once more: about 20 microseconds.
const HELD_BATCH: usize = 64;

/// Longest sleep without a look at the rings, milliseconds: decisions wake nobody.
const NAP_MS: u16 = 20;

/// Drains both rings until the daemon stops.
pub(super) fn drain(gate: &Arc<Gate>, mut rings: Rings) {
    let stop = gate.stop.subscribe();
    let mut found = Vec::new();
    while !*stop.borrow() {
        let events = take_events(gate, &mut rings);
        let samples = take_samples(gate, &mut rings, &mut found);
        let held = take_held(gate, &mut rings, &mut found);
        if events + samples + held == 0
            && let Err(errno) = wait(&rings)
        {
            error!("cannot wait for the kernel's rings (poll: {errno}): alerts are late");
            std::thread::sleep(std::time::Duration::from_millis(u64::from(NAP_MS)));
        }
    }
    // What was decided before the stop is told too.
    while take_events(gate, &mut rings) + take_samples(gate, &mut rings, &mut found) > 0 {}
}

fn take_events(gate: &Gate, rings: &mut Rings) -> usize {
    let Some(first) = rings.events.next() else {
        return 0;
    };
    let datapath = gate.datapath();
    let mut engine = gate.engine();
    engine.on_event(&datapath, &first);
    let mut taken = 1;
    while taken < BATCH
        && let Some(event) = rings.events.next()
    {
        engine.on_event(&datapath, &event);
        taken += 1;
    }
    taken
}

fn take_samples(
    gate: &Gate,
    rings: &mut Rings,
    found: &mut Vec<octroi_inspect::name::NameEvent>,
) -> usize {
    let mut taken = 0;
    let mut locks = None;
    while taken < BATCH
        && let Some(record) = rings.samples.next()
    {
        // Taken at the first record only: an empty ring must not hold up clients.
        let (datapath, engine) = locks.get_or_insert_with(|| (gate.datapath(), gate.engine()));
        let header = &record.header;
        let sample = Sample {
            key: header.key,
            first_ns: long_time(header.first, header.time_ns),
            time_ns: header.time_ns,
            outbound: header.direction == octroi_abi::outcome::Direction::Outbound as u8,
            sequence: header.sequence,
            tcp_flags: header.tcp_flags,
            payload: record.payload(),
            cut: header.length < header.payload_bytes,
        };
        engine.on_sample(datapath, &sample, found);
        taken += 1;
    }
    taken
}

fn take_held(
    gate: &Gate,
    rings: &mut Rings,
    found: &mut Vec<octroi_inspect::name::NameEvent>,
) -> usize {
    let mut taken = 0;
    let mut locks = None;
    while taken < HELD_BATCH
        && let Some(record) = rings.held.next()
    {
        let (datapath, engine) = locks.get_or_insert_with(|| (gate.datapath(), gate.engine()));
        engine.on_held(datapath, &record, found);
        taken += 1;
    }
    taken
}

fn wait(rings: &Rings) -> Result<(), Errno> {
    let mut fds = [
        PollFd::new(rings.events.as_fd(), PollFlags::POLLIN),
        PollFd::new(rings.samples.as_fd(), PollFlags::POLLIN),
        PollFd::new(rings.held.as_fd(), PollFlags::POLLIN),
    ];
    match poll(&mut fds, NAP_MS) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(errno) => Err(errno),
    }
}
