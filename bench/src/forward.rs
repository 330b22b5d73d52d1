//! Packets a second through the lab's gateway, with each contestant in the way in turn.
//!
//! One CPU does it all: it sends, the gateway's work is done in its softirqs, and the far end drops.
//! So every nanosecond that a filter takes is missed at the other end.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use octroi_tests::lab::{INSIDE, Lab, Namespace, OUTSIDE};

use crate::frames::{self, Ends};
use crate::rig::World;
use crate::row::{Budget, Row, median, number};
use crate::sender::{Sender, mac};
use crate::variants::{Sets, Standing, Variant};
use crate::world::{self, Numbers};
use crate::{Effort, progress};

const THROUGH: &str = "Packets a second through the gateway";
const COST: &str = "The same, as time for each packet above no filter";
/// Destinations, and so flows.
const DESTINATIONS: usize = 100_000;
/// Payload bytes: the smallest frame that Ethernet allows, 60 bytes without its checksum.
const PAYLOAD_BYTES: usize = 18;
/// How long a variant is warmed up at least, and until every destination was sent to so often, but not
/// for ever.
const WARM_UP: Duration = Duration::from_millis(500);
const WARM_UP_TIMES: usize = 2;
const WARM_UP_MOST: Duration = Duration::from_secs(5);

/// Runs the part with some contestants. What cannot be had has a row that says why.
///
/// # Errors
/// Not root, or the lab cannot be built.
pub fn run(effort: Effort, variants: &[Variant]) -> Result<Vec<Row>> {
    let world = World::open()?;
    let mut numbers = Numbers::new(0x006f_6374_726f_6931);
    let known = world::known_space(&world.atlas);
    let union = world::union_space(&world.atlas);
    let destinations = world::draw(&known, DESTINATIONS, &mut numbers);
    progress("forward: building the lab");
    let lab = Lab::create()?;
    let namespaces = lab.namespaces();
    sink(&namespaces.internet)?;
    let frames = Arc::new(frames_to(&lab, &destinations)?);
    progress("forward: loading nftables and ipset");
    let pieces = world::pieces(&world.atlas, effort);
    let (sets, missing) = Sets::load(&lab, variants, &union, &pieces)?;
    let mut missing: HashMap<&str, String> = missing
        .into_iter()
        .map(|(variant, why)| (variant.name(), why))
        .collect();
    let mut rates: HashMap<&str, Vec<f64>> = HashMap::new();
    for round in 1..=effort.rounds {
        for variant in variants.iter().copied() {
            if missing.contains_key(variant.name()) {
                continue;
            }
            progress(&format!("forward: round {round}, {}", variant.name()));
            match rate(&lab, &sets, variant, &frames, effort) {
                Ok(rate) => rates.entry(variant.name()).or_default().push(rate),
                Err(error) => {
                    missing.insert(variant.name(), format!("{error:#}"));
                }
            }
        }
    }
    Ok(table(variants, &rates, &missing))
}

/// The far end: packets arrive and are dropped by the route, without an answer.
fn sink(internet: &Namespace) -> Result<()> {
    internet.ip("route add blackhole default\n")?;
    Ok(())
}

fn frames_to(lab: &Lab, destinations: &[Ipv4Addr]) -> Result<Vec<Vec<u8>>> {
    let namespaces = lab.namespaces();
    let link = (
        mac(&namespaces.lan, "uplink")?,
        mac(&namespaces.gateway, INSIDE)?,
    );
    destinations
        .iter()
        .map(|destination| {
            let ends = Ends {
                link,
                addresses: (
                    IpAddr::V4(Ipv4Addr::new(10, 10, 0, 10)),
                    IpAddr::V4(*destination),
                ),
                ports: (40_000, 9),
            };
            frames::udp(&ends, &[0; PAYLOAD_BYTES]).context("a frame of one family")
        })
        .collect()
}

/// Packets a second that came out of the gateway with a variant in it.
fn rate(
    lab: &Lab,
    sets: &Sets,
    variant: Variant,
    frames: &Arc<Vec<Vec<u8>>>,
    effort: Effort,
) -> Result<f64> {
    let standing = sets.put(lab, variant)?;
    let measured = measure(lab, &standing, frames, effort);
    standing.take_out()?;
    measured
}

fn measure(
    lab: &Lab,
    _standing: &Standing,
    frames: &Arc<Vec<Vec<u8>>>,
    effort: Effort,
) -> Result<f64> {
    let namespaces = lab.namespaces();
    let sender = Sender::start(&namespaces.lan, "uplink", Arc::clone(frames))?;
    let started = Instant::now();
    let enough = u64::try_from(frames.len() * WARM_UP_TIMES).unwrap_or(u64::MAX);
    while started.elapsed() < WARM_UP
        || (sender.sent() < enough && started.elapsed() < WARM_UP_MOST)
    {
        std::thread::sleep(Duration::from_millis(20));
    }
    let (before, began) = (forwarded(&namespaces.gateway)?, Instant::now());
    std::thread::sleep(effort.forward_time);
    let (after, took) = (forwarded(&namespaces.gateway)?, began.elapsed());
    sender.finish()?;
    Ok(number(after.saturating_sub(before)) / took.as_secs_f64())
}

/// Packets that the gateway has sent out on its outside.
fn forwarded(gateway: &Namespace) -> Result<u64> {
    let path = "/proc/net/dev";
    let text = gateway
        .within(|| std::fs::read_to_string("/proc/thread-self/net/dev"))?
        .with_context(|| format!("cannot read {path}"))?;
    sent_packets(&text, OUTSIDE).with_context(|| format!("{path} does not list {OUTSIDE}"))
}

/// The tenth number behind an interface's name in `/proc/net/dev`.
fn sent_packets(text: &str, interface: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| {
        let (name, numbers) = line.split_once(':')?;
        (name.trim() == interface).then_some(numbers)
    })?;
    line.split_whitespace().nth(9)?.parse().ok()
}

fn table(
    variants: &[Variant],
    rates: &HashMap<&str, Vec<f64>>,
    missing: &HashMap<&str, String>,
) -> Vec<Row> {
    let of = |variant: Variant| rates.get(variant.name()).filter(|rates| !rates.is_empty());
    let nothing = of(Variant::Nothing);
    let mut rows = Vec::new();
    let mut costs = Vec::new();
    for variant in variants.iter().copied() {
        let name = variant.name();
        let Some(own) = of(variant) else {
            let why = missing.get(name).map_or("not measured", String::as_str);
            rows.push(Row::missing(THROUGH, name, why));
            continue;
        };
        let spread = own.iter().copied().fold(f64::INFINITY, f64::min)
            ..=own.iter().copied().fold(0.0, f64::max);
        let mut row = Row::new(THROUGH, name, median(own), "packets/s").note(format!(
            "{} rounds, {:.0} k to {:.0} k{}",
            own.len(),
            spread.start() / 1e3,
            spread.end() / 1e3,
            if variant == Variant::Suricata {
                ", with the second CPU to itself"
            } else {
                ""
            }
        ));
        if let Some(nothing) = nothing {
            // Round by round: what slows a round slows both.
            let pairs = || own.iter().zip(nothing);
            let shares: Vec<f64> = pairs().map(|(own, nothing)| own / nothing).collect();
            row = row.times(median(&shares), "of no filter");
            if variant == Variant::Octroi {
                row = row.budget(Budget::RatioAtLeast(0.95));
            }
            if variant != Variant::Nothing {
                let each: Vec<f64> = pairs()
                    .map(|(own, nothing)| 1e9 / own - 1e9 / nothing)
                    .collect();
                costs.push(Row::new(COST, name, median(&each), "ns"));
            }
        }
        rows.push(row);
    }
    rows.extend(costs);
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEV: &str = "Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0
outside0: 1000     10    0    0    0     0          0         0     2000      25    0    0    0     0       0          0
";

    #[test]
    fn sent_packets_are_the_tenth_number() {
        assert_eq!(sent_packets(DEV, "outside0"), Some(25));
        assert_eq!(sent_packets(DEV, "outside"), None);
        assert_eq!(sent_packets("outside0: 1 2", "outside0"), None);
    }

    #[test]
    fn shares_are_taken_round_by_round() {
        let rates = HashMap::from([
            (Variant::Nothing.name(), vec![1e6, 5e5]),
            (Variant::Octroi.name(), vec![9e5, 4.5e5]),
        ]);
        let missing = HashMap::from([(Variant::Suricata.name(), "not there".to_owned())]);
        let rows = table(&Variant::ALL, &rates, &missing);
        let octroi = rows
            .iter()
            .find(|row| row.what == Variant::Octroi.name())
            .unwrap();
        assert!((octroi.ratio.as_ref().unwrap().times - 0.9).abs() < 1e-9);
        assert_eq!(octroi.holds(), Some(false));
        let suricata = rows
            .iter()
            .find(|row| row.what == Variant::Suricata.name())
            .unwrap();
        assert_eq!(suricata.value(), None);
        let costs: Vec<&Row> = rows.iter().filter(|row| row.group == COST).collect();
        assert_eq!(costs.len(), 1);
        // 111 and 222 ns more.
        assert!((costs[0].value().unwrap() - 166.67).abs() < 0.1);
    }
}
