//! What `names = "strict"` costs those who wait for a decision: handshakes and DNS queries through the
//! lab's gateway, alone and while its daemon has a full table that somebody lists again and again.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use octroi_tests::client::{Seen, hello};
use octroi_tests::lab::daemon::{Daemon, wait_until};
use octroi_tests::lab::{INSIDE, Lab};
use octroi_tests::scenario::policy_text;

use crate::frames::{self, Ends};
use crate::row::{Budget, Row, median, number};
use crate::sender::{Sender, mac};
use crate::{Effort, progress};

const HANDSHAKES: &str = "Handshakes that wait for their name (names = \"strict\")";
const QUERIES: &str = "DNS queries that wait to be judged (names = \"strict\")";
/// An address that serves an administration and, by name, a banned tool.
const SHARED: &str = "51.210.0.80:443";
const ALLOWED: &str = "annuaire.ministere.example";
const RESOLVER: &str = "80.67.169.12:53";
/// Flows of a full table.
const FLOWS: u32 = 500_000;
/// Handshakes of a row in one turn.
const HANDSHAKES_IN_TURN: u32 = 40;
/// Queries on their way at a time: a household of clients.
const WINDOW: usize = 64;
const SOON: Duration = Duration::from_mins(2);

/// Runs the part.
///
/// # Errors
/// Not root, or the lab cannot be built.
pub fn run(effort: Effort) -> Result<Vec<Row>> {
    progress("held: building the lab");
    let lab = Lab::create()?;
    let observe = policy_text("lab")?;
    let strict = observe.replacen("[policy]", "[policy]\nnames = \"strict\"", 1);
    if strict == observe {
        bail!("the lab's policy has no [policy] line to make strict");
    }
    let daemon = Daemon::start(&lab, &observe)?;
    progress("held: names observed");
    let observed = handshakes(&lab, effort)?;
    let queries_observed = queries(&lab, effort)?;
    let apply = |text: &str| -> Result<()> {
        let file = lab.directory().join("held.toml");
        std::fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
        daemon.ask(&["policy", "apply", &file.display().to_string()])?;
        Ok(())
    };
    progress("held: names awaited");
    apply(&strict)?;
    let awaited = handshakes(&lab, effort)?;
    let quiet = Held::read(&daemon)?;
    let queries_awaited = queries(&lab, effort)?;
    let asked = Held::read(&daemon)?;
    progress("held: filling the flow table");
    apply(&observe)?;
    let flows = fill(&lab, &daemon, effort)?;
    apply(&strict)?;
    progress("held: names awaited while the flows are listed");
    let before = Held::read(&daemon)?;
    let (crowded, lists) = while_listed(&daemon, || handshakes(&lab, effort))?;
    let after = Held::read(&daemon)?;
    drop(daemon);
    Ok(vec![
        Row::new(
            HANDSHAKES,
            "names observed",
            observed * 1e3,
            "ms at the median",
        ),
        Row::new(
            HANDSHAKES,
            "names awaited",
            awaited * 1e3,
            "ms at the median",
        )
        .budget(Budget::AtMost(observed.mul_add(1e3, 2.0)))
        .note(format!(
            "{} frames held, {} decisions late, the latest after {} us",
            quiet.frames, quiet.late, quiet.slowest_us
        )),
        Row::new(
            HANDSHAKES,
            "the same, in a full table that is listed",
            crowded * 1e3,
            "ms at the median",
        )
        .budget(Budget::AtMost(observed.mul_add(1e3, 2.0)))
        .note(format!(
            "{flows} flows, listed {lists} times; {} of {} decisions late, the latest \
             after {} us",
            after.late - before.late,
            after.frames - before.frames,
            after.slowest_us
        )),
        Row::new(QUERIES, "names observed", queries_observed, "answers/s").note(format!(
            "{WINDOW} on their way; the lab's resolver is the limit"
        )),
        Row::new(QUERIES, "names awaited", queries_awaited, "answers/s")
            .times(queries_awaited / queries_observed, "of those observed")
            .note(format!(
                "the latest decision of all so far after {} us",
                asked.slowest_us
            )),
    ])
}

/// What the daemon says about held frames.
struct Held {
    frames: u64,
    late: u64,
    slowest_us: u64,
}

impl Held {
    fn read(daemon: &Daemon) -> Result<Self> {
        let status = daemon.status()?;
        let of = |name: &str| {
            let holds = status["holds"].as_array();
            let hold = holds.and_then(|holds| holds.iter().find(|hold| hold["name"] == name));
            hold.and_then(|hold| hold["value"].as_u64())
                .with_context(|| format!("the daemon does not tell {name} of what it holds"))
        };
        Ok(Self {
            frames: of("held")?,
            late: of("late")?,
            slowest_us: of("slowest_us")?,
        })
    }
}

/// Median seconds from the opening of a connection to the first byte of its answer.
fn handshakes(lab: &Lab, effort: Effort) -> Result<f64> {
    let words = hello::post_quantum(ALLOWED);
    let to: SocketAddr = SHARED.parse()?;
    let mut took = Vec::new();
    for _ in 0..HANDSHAKES_IN_TURN * effort.rounds {
        let attempt = hello::say(lab.zone("cabinet")?, to, &words)?;
        if attempt.seen != Seen::Answered {
            bail!("an allowed handshake was not answered: {attempt:?}");
        }
        took.push(attempt.took.as_secs_f64());
    }
    Ok(median(&took))
}

/// Answers a second to queries of one client.
fn queries(lab: &Lab, effort: Effort) -> Result<f64> {
    let query = query(ALLOWED);
    let time = effort.forward_time;
    lab.zone("cabinet")?.within(|| {
        let socket = UdpSocket::bind("0.0.0.0:0")?;
        socket.connect(RESOLVER)?;
        socket.set_read_timeout(Some(Duration::from_millis(500)))?;
        let mut buffer = [0; 1_500];
        let (began, mut answers) = (Instant::now(), 0_u64);
        let mut under_way = 0;
        while began.elapsed() < time {
            while under_way < WINDOW {
                socket.send(&query)?;
                under_way += 1;
            }
            match socket.recv(&mut buffer) {
                Ok(_) => {
                    answers += 1;
                    under_way -= 1;
                }
                // Lost: asked again.
                Err(_) => under_way = 0,
            }
        }
        Ok(number(answers) / began.elapsed().as_secs_f64())
    })?
}

/// A query for the address of a name (RFC 1035 section 4.1).
fn query(name: &str) -> Vec<u8> {
    let mut message = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        message.extend(u8::try_from(label.len()).ok());
        message.extend(label.as_bytes());
    }
    message.extend([0, 0, 1, 0, 1]);
    message
}

/// Begins flows until the daemon knows nearly all of them; how many it knows.
fn fill(lab: &Lab, daemon: &Daemon, effort: Effort) -> Result<u64> {
    let namespaces = lab.namespaces();
    namespaces
        .internet
        .ip("route add blackhole 51.210.64.0/18\n")?;
    let link = (
        mac(&namespaces.lan, "uplink")?,
        mac(&namespaces.gateway, INSIDE)?,
    );
    let client = IpAddr::V4(Ipv4Addr::new(10, 10, 0, 10));
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a number of flows is one"
    )]
    let wanted = (f64::from(FLOWS) * effort.share) as u32;
    let frames: Option<Vec<Vec<u8>>> = (0..wanted)
        .map(|flow| {
            let [_, _, high, low] = flow.to_be_bytes();
            let destination = Ipv4Addr::new(51, 210, 64 + high % 64, low);
            let port = 10_000 + u16::try_from(flow >> 14).ok()?;
            let ends = Ends {
                link,
                addresses: (client, IpAddr::V4(destination)),
                ports: (port, 9),
            };
            frames::udp(&ends, &[0; 18])
        })
        .collect();
    let frames = frames.context("a frame of one family")?;
    let count = frames.len() as u64;
    let sender = Sender::start(&namespaces.lan, "uplink", Arc::new(frames))?;
    let mut known = 0;
    wait_until("the daemon knows the flows", SOON, || {
        known = daemon.status()?["flows"].as_u64().unwrap_or(0);
        Ok(known >= count * 9 / 10 && sender.sent() >= count)
    })?;
    sender.finish()?;
    Ok(known)
}

/// Does something while somebody lists the flows without a pause; how often they were listed.
fn while_listed<T>(daemon: &Daemon, work: impl FnOnce() -> Result<T>) -> Result<(T, u64)> {
    let stop = AtomicBool::new(false);
    let lists = AtomicU64::new(0);
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| -> Result<()> {
            while !stop.load(Ordering::Relaxed) {
                daemon.ask(&["flows", "--limit", "100"])?;
                lists.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        });
        let done = work();
        stop.store(true, Ordering::Relaxed);
        match watcher.join() {
            Ok(listed) => listed?,
            Err(_) => bail!("the thread that lists flows panicked"),
        }
        Ok((done?, lists.load(Ordering::Relaxed)))
    })
}
