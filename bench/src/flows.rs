//! New flows a second on one CPU, each of them accounted.

use std::time::{Duration, Instant};

use anyhow::Result;
use octroi_abi::outcome::{Direction, Loss, Outcome};
use octroi_datapath::Program;

use crate::rig::{MIB, Rig, World, pin_to, shuffled};
use crate::row::{Budget, Row, number};
use crate::{Effort, progress};

const GROUP: &str = "New flows";
/// The rate of the budget.
const WANTED_PER_SECOND: u64 = 200_000;
/// One batch of packets each so often. Not smaller: a call of `BPF_PROG_TEST_RUN` takes tens of
/// milliseconds by itself, because the kernel builds its table of XDP programs anew around it.
const TICK: Duration = Duration::from_millis(100);
const BATCH: u32 = 20_000;

/// Runs the part.
///
/// # Errors
/// Not root, or the kernel refuses something.
pub fn run(effort: Effort) -> Result<Vec<Row>> {
    let world = World::open()?;
    let rig = Rig::new(&world)?;
    let _ = pin_to(0);
    // 24 bits of source and 29 of destination: that two of six million are the same flow has a chance
    // of one in five hundred. Nothing between 32.0.0.0 and 63.255.255.255 belongs to the link itself.
    let frame = shuffled(
        ("10.1.2.3", "32.0.0.1"),
        [0x00ff_ffff, 0x1fff_ffff],
        Program::Outbound,
    )?;
    progress("flows: at the rate of the budget");
    let before = rig.datapath.counters()?;
    let began = Instant::now();
    let mut sent = 0_u64;
    let mut busy = Duration::ZERO;
    while began.elapsed() < effort.flow_time {
        let due = began + TICK * u32::try_from(sent / u64::from(BATCH)).unwrap_or(u32::MAX);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let report = rig.datapath.run(Program::Shuffle, &frame, BATCH)?;
        busy += report.took * BATCH;
        sent += u64::from(BATCH);
    }
    let took = began.elapsed();
    let told = rig.settle();
    let after = rig.datapath.counters()?;
    let rate = number(sent) / took.as_secs_f64();
    let seen = after.seen(Direction::Outbound) - before.seen(Direction::Outbound);
    let outcomes = after.outcomes(Direction::Outbound) - before.outcomes(Direction::Outbound);
    let allowed = after.outcome(Direction::Outbound, Outcome::Allowed)
        - before.outcome(Direction::Outbound, Outcome::Allowed);
    let lost = |loss| after.loss(loss) - before.loss(loss);
    let table = rig.datapath.flows(&mut |_, _| {}) as u64;
    let placed = table + lost(Loss::FlowEvicted) + lost(Loss::FlowInsert);
    let events = told.new + told.other + lost(Loss::Event);
    let due = sent + lost(Loss::FlowEvicted);
    let (bytes, largest) = rig.memory()?;
    Ok(vec![
        Row::new(GROUP, "new flows, each by one packet", rate, "flows/s")
            .budget(Budget::AtLeast(number(WANTED_PER_SECOND) * 0.999))
            .note(format!(
                "for {:.0} s on one CPU, which was busy {:.0} % of the time",
                took.as_secs_f64(),
                busy.as_secs_f64() / took.as_secs_f64() * 100.0
            )),
        Row::new(GROUP, "flows in the table, or counted out of it", number(placed), "flows")
            .times(number(placed) / number(sent), "of those sent")
            .budget(Budget::RatioAtLeast(1.0))
            .note(format!(
                "{sent} sent: {table} in the table, {} made room and told their account, {} refused and \
                 counted",
                lost(Loss::FlowEvicted),
                lost(Loss::FlowInsert)
            )),
        Row::new(GROUP, "events told, or counted as lost", number(events), "events")
            .times(number(events) / number(due), "of those due")
            .budget(Budget::RatioAtLeast(1.0))
            .note(format!(
                "one for each flow that began or made room: {} first packets and {} others told, {} lost \
                 to a full ring and counted",
                told.new,
                told.other,
                lost(Loss::Event)
            )),
        Row::new(GROUP, "packets in exactly one outcome", number(outcomes), "packets")
            .times(number(outcomes) / number(seen), "of those seen")
            .budget(Budget::RatioAtLeast(1.0))
            .note(format!("{seen} seen, {allowed} allowed")),
        Row::new(GROUP, "flows in the table afterwards", number(table), "flows")
            .note(format!("kernel memory {:.0} MiB ({largest})", bytes / MIB)),
    ])
}
