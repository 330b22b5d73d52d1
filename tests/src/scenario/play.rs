//! Playing a scenario: real connections, and the flows the daemon made of them.

use std::net::IpAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Scenario, Trip, Via};
use crate::client::curl::Request;
use crate::client::{Attempt, Seen, socket};
use crate::lab::daemon::Daemon;
use crate::lab::{Lab, LabError, Result};

/// Connections under way at once: enough to hide silences, few enough for a small machine.
const AT_ONCE: usize = 4;
/// How long the daemon may take until a flow is in its table with its last verdict.
const FLOW_PATIENCE: Duration = Duration::from_secs(3);
const POLL: Duration = Duration::from_millis(100);

/// What came of a row.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The row.
    pub trip: Trip,
    /// What the client saw.
    pub attempt: Attempt,
    /// What the daemon says of the flow; nothing when it does not know it, or no daemon was asked.
    pub flow: Option<Flow>,
    /// Everything that is not as expected, in words.
    pub mismatches: Vec<String>,
}

/// A flow in the words of `octroi flows --json`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    /// Country and confidence.
    pub hosting: String,
    /// Country and reach.
    pub control: String,
    /// Id of the operator.
    pub operator: String,
    /// Id of the service.
    pub service: String,
    /// What was decided.
    pub verdict: String,
    /// Id of the rule that decided.
    pub rule: String,
}

/// Plays every row against a daemon.
///
/// # Errors
/// The lab itself fails; what is only not as expected is in the outcomes.
pub fn play(lab: &Lab, daemon: &Daemon, scenario: &Scenario) -> Result<Vec<Outcome>> {
    each(&scenario.trips(lab.world())?, |trip| {
        let attempt = attempt(lab, trip)?;
        let flow = flow_of(daemon, trip, &attempt)?;
        let mut mismatches = client_mismatches(trip, &attempt);
        mismatches.extend(flow_mismatches(trip, flow.as_ref()));
        Ok(Outcome {
            trip: trip.clone(),
            attempt,
            flow,
            mismatches,
        })
    })
}

/// Plays every row with nothing in the way: each must be answered.
///
/// # Errors
/// The lab itself fails.
pub fn play_without_gate(lab: &Lab, scenario: &Scenario) -> Result<Vec<Outcome>> {
    each(&scenario.trips(lab.world())?, |trip| {
        let attempt = attempt(lab, trip)?;
        let mismatches = match attempt.seen {
            Seen::Answered => Vec::new(),
            other => vec![format!(
                "the client saw: {other}, without a gate ({})",
                attempt.words
            )],
        };
        Ok(Outcome {
            trip: trip.clone(),
            attempt,
            flow: None,
            mismatches,
        })
    })
}

/// Makes one row's connection.
///
/// # Errors
/// The client cannot run.
pub fn attempt(lab: &Lab, trip: &Trip) -> Result<Attempt> {
    let from = lab.zone(&trip.row.zone)?;
    let scheme = match trip.row.via {
        Via::Tcp(_) => return socket::tcp_echo(from, trip.target),
        Via::Udp(_) => return socket::udp_echo(from, trip.target),
        Via::Http => "http",
        Via::Https => "https",
    };
    let authority = lab.authority();
    let address = trip.target.ip();
    let known_address = (trip.name.is_some() && !trip.row.resolve).then_some(address);
    let host = match (&trip.name, address) {
        (Some(name), _) => name.clone(),
        (None, IpAddr::V6(address)) => format!("[{address}]"),
        (None, IpAddr::V4(address)) => address.to_string(),
    };
    let url = format!("{scheme}://{host}/");
    Request {
        url,
        address: known_address,
        authority: &authority,
    }
    .fetch(from)
}

/// Runs rows a few at a time; the outcomes are in the order of the rows.
fn each(trips: &[Trip], work: impl Fn(&Trip) -> Result<Outcome> + Sync) -> Result<Vec<Outcome>> {
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, Result<Outcome>)>> = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(trips.len()) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(trip) = trips.get(index) else { return };
                    let outcome = work(trip);
                    done.lock()
                        .unwrap_or_else(std::sync::PoisonError::into_inner)
                        .push((index, outcome));
                }
            });
        }
    });
    let mut done = done
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, outcome)| outcome).collect()
}

/// The flow of an attempt, once it is as expected or patience is at its end.
fn flow_of(daemon: &Daemon, trip: &Trip, attempt: &Attempt) -> Result<Option<Flow>> {
    let deadline = Instant::now() + FLOW_PATIENCE;
    loop {
        let flows = daemon.ask_json(&["flows", "--limit", "10000"])?;
        let rows = flows.as_array().ok_or_else(|| LabError::Data {
            file: "octroi flows --json".to_owned(),
            problem: "an array of flows is expected".to_owned(),
        })?;
        let flow = rows
            .iter()
            .filter(|row| is_of(row, trip, attempt.local_port))
            .max_by_key(|row| text(row, "first").to_owned())
            .map(Flow::read);
        if flow_mismatches(trip, flow.as_ref()).is_empty() || Instant::now() > deadline {
            return Ok(flow);
        }
        std::thread::sleep(POLL);
    }
}

fn is_of(row: &Value, trip: &Trip, local_port: Option<u16>) -> bool {
    text(row, "source") == trip.source.to_string()
        && text(row, "destination") == trip.target.ip().to_string()
        && row["destination_port"] == trip.target.port()
        && row["protocol"] == trip.row.via.protocol()
        && local_port.is_none_or(|port| row["source_port"] == port)
}

fn text<'a>(row: &'a Value, key: &str) -> &'a str {
    row[key].as_str().unwrap_or_default()
}

impl Flow {
    fn read(row: &Value) -> Self {
        let pair = |country: &str, degree: &str| match text(row, country) {
            "" => text(row, degree).to_owned(),
            country => format!("{country} {}", text(row, degree)),
        };
        Self {
            hosting: pair("hosting", "confidence"),
            control: pair("control", "reach"),
            operator: text(row, "operator").to_owned(),
            service: text(row, "service").to_owned(),
            verdict: text(row, "verdict").to_owned(),
            rule: text(row, "rule").to_owned(),
        }
    }
}

fn flow_mismatches(trip: &Trip, flow: Option<&Flow>) -> Vec<String> {
    let Some(flow) = flow else {
        return vec!["the daemon knows no such flow".to_owned()];
    };
    let expect = &trip.row.expect;
    let service = expect.service.as_deref().unwrap_or(&flow.service);
    [
        ("hosting", &*expect.hosting, &*flow.hosting),
        ("control", &expect.control, &flow.control),
        ("service", service, &flow.service),
        ("verdict", &expect.verdict, &flow.verdict),
        ("rule", &expect.rule, &flow.rule),
    ]
    .into_iter()
    .filter(|(_, expected, found)| expected != found)
    .map(|(what, expected, found)| format!("{what} is \"{found}\", not \"{expected}\""))
    .collect()
}

fn client_mismatches(trip: &Trip, attempt: &Attempt) -> Vec<String> {
    let expect = &trip.row.expect;
    let mut mismatches = Vec::new();
    if !expect.sees.contains(&attempt.seen) {
        let expected: Vec<&str> = expect.sees.iter().map(|seen| seen.name()).collect();
        mismatches.push(format!(
            "the client saw: {}, not: {} ({})",
            attempt.seen,
            expected.join(" or "),
            attempt.words
        ));
    }
    if let Some(most) = expect.within_ms.map(Duration::from_millis)
        && attempt.took > most
    {
        mismatches.push(format!(
            "the client knew after {} ms, not within {} ms",
            attempt.took.as_millis(),
            most.as_millis()
        ));
    }
    mismatches
}
