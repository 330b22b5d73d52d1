//! Whatever ends a lab, nothing of it stays: no namespace, no process, no pin, no file.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use octroi_tests::lab::daemon::wait_until;
use octroi_tests::lab::{Lab, Owned, Traces, sweep, wanted};

const SOON: Duration = Duration::from_secs(10);

#[test]
fn after_its_end() {
    if !wanted() {
        return;
    }
    let lab = Lab::create().unwrap();
    let traces = lab.traces().clone();
    assert!(
        !traces.residue().unwrap().is_empty(),
        "a lab that leaves no trace is not there"
    );
    drop(lab);
    assert_eq!(traces.residue().unwrap(), Vec::<String>::new());
}

#[test]
fn after_a_panic() {
    if !wanted() {
        return;
    }
    let (tell, told) = std::sync::mpsc::channel();
    let panicked = std::thread::spawn(move || {
        let lab = Lab::create().unwrap();
        tell.send(lab.traces().clone()).unwrap();
        panic!("as a failing test does");
    })
    .join();
    assert!(panicked.is_err());
    assert_eq!(
        told.recv().unwrap().residue().unwrap(),
        Vec::<String>::new()
    );
}

#[test]
fn after_a_signal() {
    if !wanted() {
        return;
    }
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        let (process, traces) = lab_of_another_process();
        process.signal(signal).unwrap();
        process.wait(SOON).unwrap();
        assert_eq!(traces.residue().unwrap(), Vec::<String>::new(), "{signal}");
    }
}

#[test]
fn after_a_kill_once_the_next_lab_is_built() {
    if !wanted() {
        return;
    }
    let (process, traces) = lab_of_another_process();
    process.kill().unwrap();
    // Its servers die with it; what cannot die by itself is swept.
    sweep().unwrap();
    wait_until("nothing is left", SOON, || Ok(traces.residue()?.is_empty())).unwrap();
}

/// A lab that another process holds, and its traces.
fn lab_of_another_process() -> (Owned, Traces) {
    let mut up = Command::new(env!("CARGO_BIN_EXE_octroi-lab"));
    up.arg("up").stdin(Stdio::null()).stdout(Stdio::piped());
    let mut process = Owned::spawn("octroi-lab up", &mut up).unwrap();
    let mut lines = BufReader::new(process.child().stdout.take().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    let id = first
        .strip_prefix("the lab ")
        .and_then(|rest| rest.split(' ').next())
        .unwrap();
    // Everything it says must have a reader, or it dies of a broken pipe.
    std::thread::spawn(move || lines.for_each(drop));
    let traces = Traces::of(id);
    assert!(!traces.residue().unwrap().is_empty());
    (process, traces)
}
