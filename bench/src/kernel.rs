//! What a packet costs in the kernel above a program that does nothing, under `BPF_PROG_TEST_RUN`;
//! how long tables take to change; how much memory they take.

use std::time::Instant;

use anyhow::Result;
use octroi_datapath::Program;

use crate::rig::{MIB, Rig, World, frame, pin_to, shuffled};
use crate::row::{Budget, Row, lowest, median, number};
use crate::{Effort, progress};

const PACKET: &str = "A packet in the kernel, above the no-op program";
const TABLES: &str = "Tables: time and kernel memory";

/// What is run, and how often it was measured.
struct Case {
    what: &'static str,
    program: Program,
    addresses: (&'static str, &'static str),
    /// Bits of source and destination that are drawn anew for each run.
    masks: Option<[u32; 2]>,
    /// Runs that make the flows known first, in millions.
    fill_millions: f64,
    budget_ns: Option<f64>,
}

const fn case(
    what: &'static str,
    program: Program,
    addresses: (&'static str, &'static str),
) -> Case {
    Case {
        what,
        program,
        addresses,
        masks: None,
        fill_millions: 0.0,
        budget_ns: None,
    }
}

const V4: (&str, &str) = ("10.1.2.3", "51.210.0.1");
const V6: (&str, &str) = ("fd00::1", "2a01:e0a::1");
/// One bit more than 2^16 sources: 131,072 flows.
const FLOWS_131_K: u32 = 0x1_ffff;
const FLOWS_1_K: u32 = 0x3ff;
const FLOWS_1_M: u32 = 0xf_ffff;

/// Look-ups and parsing: nothing is remembered.
const STATELESS: [Case; 6] = [
    case("parsing alone IPv4", Program::Parse, V4),
    case("parsing alone IPv6", Program::Parse, V6),
    Case {
        budget_ns: Some(20.0),
        ..case("destination look-up IPv4, popular", Program::Lookup, V4)
    },
    Case {
        masks: Some([0, u32::MAX]),
        budget_ns: Some(20.0),
        ..case(
            "destination look-up IPv4, uniform over 2^32",
            Program::Lookup,
            V4,
        )
    },
    Case {
        budget_ns: Some(40.0),
        ..case("destination look-up IPv6, popular", Program::Lookup, V6)
    },
    Case {
        masks: Some([0, u32::MAX]),
        budget_ns: Some(40.0),
        ..case(
            "destination look-up IPv6, uniform in 2a01::/16",
            Program::Lookup,
            V6,
        )
    },
];

/// Each set of cases begins with an empty flow table.
const FLOWS: [&[Case]; 4] = [
    &[
        Case {
            budget_ns: Some(80.0),
            ..case("known flow IPv4, popular", Program::Outbound, V4)
        },
        Case {
            budget_ns: Some(80.0),
            ..case("known flow IPv6, popular", Program::Outbound, V6)
        },
        Case {
            budget_ns: Some(80.0),
            ..case(
                "known flow, blocked",
                Program::Outbound,
                ("172.16.1.1", "51.210.0.1"),
            )
        },
        case(
            "known flow, rejected (5,000 answers/s, then silence)",
            Program::Outbound,
            ("192.168.1.1", "51.210.0.1"),
        ),
        Case {
            masks: Some([FLOWS_1_K, 0]),
            fill_millions: 0.1,
            budget_ns: Some(80.0),
            ..case("known flow IPv4, 1 k flows uniform", Program::Outbound, V4)
        },
    ],
    &[Case {
        masks: Some([FLOWS_131_K, 0]),
        fill_millions: 1.5,
        budget_ns: Some(80.0),
        ..case(
            "known flow IPv4, 131 k flows uniform",
            Program::Outbound,
            ("10.2.2.3", "51.210.0.1"),
        )
    }],
    &[Case {
        masks: Some([FLOWS_131_K, 0]),
        fill_millions: 1.5,
        budget_ns: Some(80.0),
        ..case(
            "known flow IPv6, 131 k flows uniform",
            Program::Outbound,
            V6,
        )
    }],
    &[Case {
        masks: Some([FLOWS_1_M, 0]),
        fill_millions: 8.0,
        ..case(
            "known flow IPv4, 1 M flows uniform",
            Program::Outbound,
            ("10.32.2.3", "51.210.0.1"),
        )
    }],
];

/// Each run another flow. Measured in this order on one data path: the table fills.
const NEW: [Case; 4] = [
    Case {
        masks: Some([0x00ff_ffff, 0]),
        budget_ns: Some(250.0),
        ..case("new flow IPv4, popular destination", Program::Outbound, V4)
    },
    Case {
        masks: Some([0x00ff_ffff, u32::MAX]),
        budget_ns: Some(250.0),
        ..case(
            "new flow IPv4, destination uniform over 2^32",
            Program::Outbound,
            V4,
        )
    },
    Case {
        masks: Some([u32::MAX, u32::MAX]),
        budget_ns: Some(250.0),
        ..case(
            "new flow IPv6, destination uniform in 2a01::/16",
            Program::Outbound,
            V6,
        )
    },
    Case {
        masks: Some([0x000f_ffff, u32::MAX]),
        budget_ns: Some(250.0),
        ..case(
            "new flow, blocked",
            Program::Outbound,
            ("172.16.0.0", "51.210.0.1"),
        )
    },
];

/// Runs the part.
///
/// # Errors
/// Not root, or the kernel refuses something.
pub fn run(effort: Effort) -> Result<Vec<Row>> {
    let world = World::open()?;
    // Without a second CPU everything stays where it is.
    let _ = pin_to(0);
    let mut rows = Vec::new();
    let mut rig = Rig::new(&world)?;
    for case in &STATELESS {
        rows.push(measure(&rig, case, effort)?);
    }
    let mut tables = change(&mut rig, &world, effort)?;
    let sets = if effort.is_short() { 1 } else { FLOWS.len() };
    for cases in FLOWS.into_iter().take(sets) {
        rig.clear();
        for case in cases {
            rows.push(measure(&rig, case, effort)?);
        }
        let began = Instant::now();
        let flows = rig.datapath.flows(&mut |_, _| {});
        let took = began.elapsed().as_secs_f64() * 1e3;
        if flows > 50_000 {
            tables.push(Row::new(
                TABLES,
                format!("sweep of {flows} flows"),
                took,
                "ms",
            ));
        }
        if flows > 250_000 {
            let (bytes, largest) = rig.memory()?;
            tables.push(
                Row::new(
                    TABLES,
                    format!("memory with {flows} flows"),
                    bytes / MIB,
                    "MiB",
                )
                .budget(Budget::AtMost(512.0))
                .note(format!("largest, MiB: {largest}")),
            );
        }
    }
    rig.clear();
    for case in &NEW {
        rows.push(measure(&rig, case, effort)?);
    }
    rows.extend(tables);
    Ok(rows)
}

/// Floor and program in turns, so that what else the machine does hits both.
pub(crate) fn above_floor(
    rig: &Rig,
    program: Program,
    addresses: (&str, &str),
    masks: Option<[u32; 2]>,
    effort: Effort,
    runs: u32,
) -> Result<Above> {
    let (first, of_floor, of_program) = match masks {
        None => (
            None,
            frame(addresses, &[0; 12])?,
            frame(addresses, &[0; 12])?,
        ),
        Some(masks) => (
            Some(Program::Shuffle),
            shuffled(addresses, masks, Program::Noop)?,
            shuffled(addresses, masks, program)?,
        ),
    };
    let (mut floors, mut wholes) = (Vec::new(), Vec::new());
    for _ in 0..effort.rounds {
        floors.push(rig.run(first.unwrap_or(Program::Noop), &of_floor, runs)?);
        wholes.push(rig.run(first.unwrap_or(program), &of_program, runs)?);
    }
    let floor = median(&floors);
    Ok(Above {
        floor,
        median: median(&wholes) - floor,
        lowest: lowest(&wholes) - lowest(&floors),
    })
}

/// Nanoseconds of a run above the floor.
pub(crate) struct Above {
    /// The no-op program, behind the shuffle when there is one.
    pub(crate) floor: f64,
    pub(crate) median: f64,
    pub(crate) lowest: f64,
}

fn measure(rig: &Rig, case: &Case, effort: Effort) -> Result<Row> {
    progress(&format!("kernel: {}", case.what));
    if case.fill_millions > 0.0 {
        let masks = case.masks.unwrap_or([0; 2]);
        let frame = shuffled(case.addresses, masks, case.program)?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a few million"
        )]
        let runs = (case.fill_millions * 1e6 * effort.share) as u32;
        rig.run(Program::Shuffle, &frame, runs.max(1))?;
    } else if case.masks.is_none() {
        // The flow becomes known.
        rig.run(case.program, &frame(case.addresses, &[0; 12])?, 16)?;
    }
    let told = rig.settle();
    let above = above_floor(
        rig,
        case.program,
        case.addresses,
        case.masks,
        effort,
        effort.runs,
    )?;
    let told = rig.settle().new - told.new;
    let packets = u64::from(effort.runs) * u64::from(effort.rounds);
    let mut note = format!("lowest {:.1}, floor {:.1}", above.lowest, above.floor);
    if case.program == Program::Outbound {
        let share = number(told) / number(packets) * 100.0;
        note = format!("{note}, {share:.0} % of the packets opened a flow");
    }
    let mut row = Row::new(PACKET, case.what, above.median, "ns")
        .times((above.median + above.floor) / above.floor, "the floor")
        .note(note);
    if let Some(budget) = case.budget_ns {
        row = row.budget(Budget::AtMost(budget));
    }
    Ok(row)
}

/// How long changes of tables take, in turns.
fn change(rig: &mut Rig, world: &World, effort: Effort) -> Result<Vec<Row>> {
    progress("kernel: swaps");
    let (mut policies, mut both) = (Vec::new(), Vec::new());
    for _ in 0..effort.rounds * 2 {
        let applied = rig.datapath.apply_policy(&world.tables)?;
        policies.push(applied.took.as_secs_f64() * 1e3);
        let applied = rig
            .datapath
            .apply_atlas_and_policy(&world.kernel_tables, &world.tables)?;
        both.push(applied.took.as_secs_f64() * 1e3);
    }
    let (bytes, largest) = rig.memory()?;
    let ms = |duration: std::time::Duration| duration.as_secs_f64() * 1e3;
    Ok(vec![
        Row::new(
            TABLES,
            "programs loaded and pinned",
            ms(rig.loaded_in),
            "ms",
        ),
        Row::new(
            TABLES,
            "atlas compiled for the kernel",
            ms(world.compiled_in),
            "ms",
        ),
        Row::new(
            TABLES,
            "atlas and policy put in force the first time",
            ms(rig.filled_in),
            "ms",
        )
        .budget(Budget::AtMost(300.0)),
        Row::new(TABLES, "atlas and policy swapped", median(&both), "ms")
            .budget(Budget::AtMost(300.0)),
        Row::new(TABLES, "policy swapped", median(&policies), "ms").budget(Budget::AtMost(5.0)),
        Row::new(TABLES, "memory without a flow", bytes / MIB, "MiB")
            .note(format!("largest, MiB: {largest}")),
    ])
}
