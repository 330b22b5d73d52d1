//! The suite runs from end to end and leaves nothing. Its numbers say nothing here.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use octroi_bench::row::Measured;
use octroi_bench::variants::Variant;
use octroi_bench::{Effort, Part, Row, forward, page, table};
use octroi_tests::lab::wanted;

/// Every row has a number or a reason, and can be shown.
fn sound(rows: &[Row]) {
    assert!(!rows.is_empty());
    for row in rows {
        match &row.measured {
            Measured::Value(value, _) => assert!(value.is_finite(), "{row:?}"),
            Measured::Missing(why) => assert!(!why.is_empty(), "{row:?}"),
        }
    }
    assert!(table::plain(rows).lines().count() > rows.len());
    assert!(page::drawing(rows).starts_with("<svg "));
}

/// Pins and namespaces that carry this process's number.
fn residue() -> Vec<String> {
    let mark = format!("octroi-bench-{}-", std::process::id());
    let mut left = Vec::new();
    for directory in ["/sys/fs/bpf", "/run/netns"] {
        let Ok(entries) = std::fs::read_dir(directory) else {
            continue;
        };
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        left.extend(names.filter(|name| name.starts_with(&mark)));
    }
    left
}

#[test]
fn packets_in_the_kernel_and_new_flows() {
    if !wanted() {
        return;
    }
    sound(&Part::Kernel.run(Effort::SHORT).unwrap());
    let flows = Part::Flows.run(Effort::SHORT).unwrap();
    sound(&flows);
    // However slow the machine: what was sent is accounted.
    for row in flows.iter().filter(|row| row.ratio.is_some()) {
        assert_eq!(row.holds(), Some(true), "{row:?}");
    }
    assert_eq!(residue(), Vec::<String>::new());
}

#[test]
fn handshakes_and_queries_that_wait() {
    if wanted() {
        sound(&Part::Held.run(Effort::SHORT).unwrap());
    }
}

#[test]
fn packets_through_a_gateway() {
    if !wanted() {
        return;
    }
    let variants = [Variant::Nothing, Variant::Octroi, Variant::NftSet];
    let rows = forward::run(Effort::SHORT, &variants).unwrap();
    sound(&rows);
    for variant in [Variant::Nothing, Variant::Octroi] {
        let row = rows.iter().find(|row| row.what == variant.name()).unwrap();
        assert!(row.value().unwrap_or(0.0) > 1_000.0, "{row:?}");
    }
}
