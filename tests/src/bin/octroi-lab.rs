//! The lab from the command line: demonstrate, check the wires, stay up for a look around.

use std::io::{IsTerminal as _, Write as _};
use std::process::{ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use clap::{Parser, Subcommand};
use nix::sys::signal::Signal;
use octroi_tests::lab::daemon::Daemon;
use octroi_tests::lab::{Lab, Owned, binary, command};
use octroi_tests::scenario::{Report, Scenario, play, play_without_gate, traffic};

/// The lab: a gateway between two zones and an Internet of its own, in network namespaces.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Run the gate between real clients and real servers
    Demo {
        /// A file of tests/scenarios, without its extension
        #[arg(long, default_value = "demo")]
        scenario: String,
        /// No dashboard: play the scenario once, print its table, fail on any mismatch
        #[arg(long)]
        headless: bool,
        /// End the dashboard after so many seconds
        #[arg(long, conflicts_with = "headless")]
        seconds: Option<u64>,
    },
    /// Play a scenario with no gate in the way: every row must be answered
    Wires {
        /// A file of tests/scenarios, without its extension
        #[arg(long, default_value = "demo")]
        scenario: String,
    },
    /// Build the lab, say how to enter it, remove it at Ctrl-C
    Up,
}

fn main() -> Result<ExitCode> {
    match Arguments::parse().task {
        Task::Demo {
            scenario,
            headless: true,
            ..
        } => headless(&Scenario::load(&scenario)?),
        Task::Demo {
            scenario, seconds, ..
        } => live(
            &Scenario::load(&scenario)?,
            seconds.map(Duration::from_secs),
        ),
        Task::Wires { scenario } => wires(&Scenario::load(&scenario)?),
        Task::Up => up(),
    }
}

fn headless(scenario: &Scenario) -> Result<ExitCode> {
    let lab = Lab::create()?;
    let daemon = Daemon::start(&lab, &scenario.policy_text()?)?;
    let outcomes = play(&lab, &daemon, scenario)?;
    let report = Report::new(&scenario.title, &outcomes);
    print!("{report}");
    if !report.is_good() {
        println!("\nthe daemon's log ends:\n{}", daemon.end_of_log());
    }
    daemon.stop()?;
    finish(lab, report.is_good())
}

fn wires(scenario: &Scenario) -> Result<ExitCode> {
    let lab = Lab::create()?;
    let outcomes = play_without_gate(&lab, scenario)?;
    let report = Report::new("Without a gate", &outcomes);
    print!("{report}");
    finish(lab, report.is_good())
}

fn live(scenario: &Scenario, most: Option<Duration>) -> Result<ExitCode> {
    if !std::io::stdout().is_terminal() {
        bail!("the dashboard needs a terminal: use --headless without one");
    }
    println!("building the lab...");
    let lab = Lab::create()?;
    let daemon = Daemon::start(&lab, &scenario.policy_text()?)?;
    let (ended, traffic) = traffic::during(&lab, scenario, || dashboard(&daemon, most))?;
    let good = ended?;
    daemon.stop()?;
    println!(
        "{} connections were tried while the dashboard ran",
        traffic.attempts
    );
    finish(lab, good)
}

/// Runs `octroi tui` on this terminal until it ends, or for some time.
fn dashboard(daemon: &Daemon, most: Option<Duration>) -> Result<bool> {
    // SIGTERM, not SIGKILL, when this process dies: the dashboard must give the terminal back.
    let mut tui = command::bound_to_us("TERM", binary("octroi")?);
    tui.args(["tui", "--socket"])
        .arg(&daemon.files().socket)
        .stdin(Stdio::inherit());
    let mut tui = Owned::spawn("octroi tui", &mut tui)?;
    let start = Instant::now();
    while tui.is_running()? {
        if most.is_some_and(|most| start.elapsed() > most) {
            tui.signal(Signal::SIGTERM)?;
            tui.end(Duration::from_secs(5))
                .context("the dashboard does not end")?;
            return Ok(true);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let status = tui
        .child()
        .wait()
        .context("cannot wait for the dashboard")?;
    Ok(status.success())
}

fn up() -> Result<ExitCode> {
    let lab = Lab::create()?;
    let names = lab.namespaces();
    println!(
        "the lab {} is up; files in {}",
        lab.id(),
        lab.directory().display()
    );
    for namespace in names.all() {
        println!("  ip netns exec {} bash", namespace.name());
    }
    println!(
        "  curl --cacert {} https://www.ovhcloud.com/",
        lab.authority().display()
    );
    println!(
        "the gateway's own commands: nsenter --net={} ...",
        names.gateway.path().display()
    );
    println!("Ctrl-C removes it");
    std::io::stdout().flush()?;
    loop {
        // The lab's signal watcher ends the process.
        std::thread::park();
    }
}

/// Removes the lab and looks for what is left of it.
fn finish(lab: Lab, good: bool) -> Result<ExitCode> {
    let traces = lab.traces().clone();
    drop(lab);
    octroi_tests::lab::remove_loader_directories();
    let left = traces.residue()?;
    if !left.is_empty() {
        bail!("the lab left behind: {}", left.join("; "));
    }
    println!("\nnothing is left: no namespace, no process, no pin, no file");
    Ok(if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_holds_together() {
        Arguments::command().debug_assert();
    }
}
