//! Every body over its seeds, over each seed cut at every byte, and over fixed mutations.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use octroi_fuzz_targets::mutate::{Numbers, mutate};
use octroi_fuzz_targets::{TARGETS, Target};

/// Mutations of each target.
const MUTATIONS: usize = 3_000;

/// Seeds longer than this are not cut at every byte.
const CUT_BYTES: usize = 8192;

/// One input of a few kilobytes that takes longer runs away.
const RUN_AWAY: Duration = Duration::from_secs(5);

fn fuzz_directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn seeds(target: &Target) -> Vec<(String, Vec<u8>)> {
    let directory = fuzz_directory().join("corpus").join(target.name);
    let mut seeds: Vec<(String, Vec<u8>)> = std::fs::read_dir(&directory)
        .unwrap_or_else(|error| panic!("{}: {error}", directory.display()))
        .map(|entry| {
            let path = entry.expect("an entry").path();
            let bytes = std::fs::read(&path).expect("a seed");
            (path.display().to_string(), bytes)
        })
        .collect();
    seeds.sort();
    assert!(!seeds.is_empty(), "{} has no seed", target.name);
    seeds
}

fn run(target: &Target, what: &str, bytes: &[u8]) {
    let start = Instant::now();
    if let Err(panic) = std::panic::catch_unwind(|| (target.run)(bytes)) {
        eprintln!(
            "{}: {what}: {:?}",
            target.name,
            String::from_utf8_lossy(bytes)
        );
        std::panic::resume_unwind(panic);
    }
    let taken = start.elapsed();
    assert!(taken < RUN_AWAY, "{}: {what} took {taken:?}", target.name);
}

#[test]
fn bodies_keep_their_promises_on_seeds_cut_at_every_byte() {
    for target in &TARGETS {
        for (name, bytes) in seeds(target) {
            run(target, &name, &bytes);
            let cuts = if bytes.len() <= CUT_BYTES {
                bytes.len()
            } else {
                0
            };
            for length in 0..cuts {
                run(target, &format!("{name} cut to {length}"), &bytes[..length]);
            }
        }
    }
}

#[test]
fn bodies_keep_their_promises_on_fixed_mutations() {
    for (number, target) in (1..).zip(&TARGETS) {
        let seeds = seeds(target);
        let mut numbers = Numbers::new(number);
        for round in 0..MUTATIONS {
            let (name, seed) = &seeds[round % seeds.len()];
            let (_, other) = &seeds[numbers.below(seeds.len())];
            let bytes = mutate(seed, other, &mut numbers);
            run(target, &format!("{name}, mutation {round}"), &bytes);
        }
    }
}

#[test]
fn every_target_has_a_program_and_every_seed_a_target() {
    let manifest =
        std::fs::read_to_string(fuzz_directory().join("Cargo.toml")).expect("fuzz/Cargo.toml");
    for target in &TARGETS {
        let entry = format!("name = \"{0}\"\npath = \"bins/{0}.rs\"", target.name);
        assert!(manifest.contains(&entry), "{} is no program", target.name);
        let program = fuzz_directory().join(format!("bins/{}.rs", target.name));
        let text = std::fs::read_to_string(program).expect("a program");
        assert!(text.contains(&format!("octroi_fuzz_targets::{}", target.name)));
    }
    for entry in std::fs::read_dir(fuzz_directory().join("corpus")).expect("corpora") {
        let name = entry.expect("an entry").file_name();
        let known = TARGETS.iter().any(|target| name == target.name);
        assert!(known, "{} belongs to no target", name.display());
    }
}
