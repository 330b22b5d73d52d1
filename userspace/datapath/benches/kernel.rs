//! What a packet costs in the kernel, above a program that does nothing, in one run on one machine.
//!
//! `BPF_PROG_TEST_RUN` times the program alone. "popular": the same flow or destination each time;
//! "uniform": another one each time, drawn by a program in front (its own cost is in its floor).
//! Needs root. Takes about fifteen seconds.

#[path = "../tests/kernel/common/mod.rs"]
mod common;

use std::time::Instant;

use common::frames::{between, udp};
use common::{PinRoot, tables};
use octroi_datapath::{Datapath, LoadOptions, Program, Shuffle};
use octroi_geo_db::Atlas;

/// Runs of one measurement.
const RUNS: u32 = 400_000;
/// Runs that fill a flow table: several for each flow.
const FILL: u32 = 3_000_000;

/// A row of the table: name, budget above the floor in nanoseconds, what runs.
struct Row {
    name: &'static str,
    budget_ns: Option<f64>,
    shuffle: Option<Shuffle>,
    program: Program,
    addresses: (&'static str, &'static str),
    fill: u32,
}

fn main() {
    if common::skipped() {
        return;
    }
    let root = PinRoot::new();
    let mut datapath = Datapath::load(&LoadOptions::new(root.path())).expect("load");
    datapath.load_program(Program::Shuffle).expect("load");
    let atlas = Atlas::embedded()
        .expect("embedded atlas")
        .kernel_tables()
        .expect("tables");
    let policy = tables::policy(true);
    let applied = datapath
        .apply_atlas_and_policy(&atlas, &policy)
        .expect("apply");
    println!(
        "atlas and policy loaded      {:>9.1} ms",
        applied.took.as_secs_f64() * 1e3
    );
    let again = datapath.apply_atlas(&atlas).expect("apply");
    println!(
        "atlas again (other half)     {:>9.1} ms",
        again.took.as_secs_f64() * 1e3
    );
    let policy = datapath.apply_policy(&policy).expect("apply");
    println!(
        "policy swap                  {:>9.1} ms",
        policy.took.as_secs_f64() * 1e3
    );
    let sweep = Instant::now();
    let flows = datapath.flows(&mut |_, _| {});
    println!(
        "empty sweep ({flows} flows)         {:>9.1} ms",
        sweep.elapsed().as_secs_f64() * 1e3
    );

    println!(
        "\n{:<44} {:>8} {:>8} {:>8}",
        "per packet, ns", "whole", "above", "budget"
    );
    for row in rows() {
        measure(&datapath, &row);
    }
    let sweep = Instant::now();
    let flows = datapath.flows(&mut |_, _| {});
    println!(
        "\nsweep of {flows} flows        {:>9.1} ms",
        sweep.elapsed().as_secs_f64() * 1e3
    );
}

fn measure(datapath: &Datapath, row: &Row) {
    let frame_of = |then: Option<Program>| {
        let payload = match (row.shuffle, then) {
            (Some(shuffle), Some(then)) => Shuffle { then, ..shuffle }.payload(),
            _ => [0; 12],
        };
        let (source, destination) = row.addresses;
        between(
            source,
            destination,
            common::frames::UDP,
            udp(40_000, 4_433, &payload),
        )
    };
    let run = |program: Program, runs: u32| {
        let (first, frame) = if row.shuffle.is_some() {
            (Program::Shuffle, frame_of(Some(program)))
        } else {
            (program, frame_of(None))
        };
        let report = datapath.run(first, &frame, runs).expect("run");
        report.took.as_secs_f64() * 1e9
    };
    if row.fill > 0 {
        run(row.program, row.fill);
    }
    // The lower of two: a busy machine only ever adds.
    let best = |program| run(program, RUNS).min(run(program, RUNS));
    let floor = best(Program::Noop);
    let whole = if row.budget_ns == NEW_FLOW {
        run(row.program, RUNS / 4)
    } else {
        best(row.program)
    };
    let budget = row
        .budget_ns
        .map_or_else(|| "-".to_owned(), |budget| format!("{budget:.0}"));
    println!(
        "{:<44} {whole:>8.1} {:>8.1} {budget:>8}",
        row.name,
        whole - floor
    );
}

const NEW_FLOW: Option<f64> = Some(250.0);
const KNOWN_FLOW: Option<f64> = Some(80.0);
const LOOKUP: Option<f64> = Some(20.0);

fn rows() -> Vec<Row> {
    let row = |name, budget_ns, program, addresses| Row {
        name,
        budget_ns,
        shuffle: None,
        program,
        addresses,
        fill: 0,
    };
    let shuffled = |name, budget_ns, program, addresses, masks: [u32; 2], fill| Row {
        shuffle: Some(Shuffle {
            source_mask: masks[0].to_be_bytes(),
            destination_mask: masks[1].to_be_bytes(),
            then: program,
        }),
        fill,
        ..row(name, budget_ns, program, addresses)
    };
    let blocked = ("192.0.2.9", "51.210.0.1");
    let v4 = ("10.1.2.3", "51.210.0.1");
    let v6 = ("fd00::1", "2a01:e0a::1");
    vec![
        row("no-op", None, Program::Noop, v4),
        row("look-up v4, popular", LOOKUP, Program::Lookup, v4),
        shuffled(
            "look-up v4, uniform",
            LOOKUP,
            Program::Lookup,
            v4,
            [0, 0xffff_ffff],
            0,
        ),
        row("look-up v6, popular", LOOKUP, Program::Lookup, v6),
        shuffled(
            "look-up v6, uniform in 2a01::/16",
            None,
            Program::Lookup,
            v6,
            [0, 0xffff_ffff],
            0,
        ),
        row("known flow v4, popular", KNOWN_FLOW, Program::Outbound, v4),
        row("known flow v6, popular", KNOWN_FLOW, Program::Outbound, v6),
        row(
            "known flow, blocked",
            KNOWN_FLOW,
            Program::Outbound,
            blocked,
        ),
        shuffled(
            "known flow v4, 1 k flows uniform",
            KNOWN_FLOW,
            Program::Outbound,
            v4,
            [0x3ff, 0],
            FILL,
        ),
        shuffled(
            "known flow v4, 100 k flows uniform",
            KNOWN_FLOW,
            Program::Outbound,
            ("10.2.2.3", "51.210.0.1"),
            [0x1_ffff, 0],
            FILL,
        ),
        shuffled(
            "known flow v6, 100 k flows uniform",
            KNOWN_FLOW,
            Program::Outbound,
            v6,
            [0x1_ffff, 0],
            FILL,
        ),
        shuffled(
            "new flow v4, destinations uniform",
            NEW_FLOW,
            Program::Outbound,
            v4,
            [0x00ff_ffff, 0xffff_ffff],
            0,
        ),
    ]
}
