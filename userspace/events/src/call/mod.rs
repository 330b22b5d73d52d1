//! Calls: which flows were one conversation of people, over which service, and for how long.
//!
//! A conference tool opens a connection to its own names (signalling) and sends sound and pictures
//! over UDP (media) to relays of its own prefixes, to relays of whoever it rents them from, or to
//! the other people's own addresses. So:
//!
//! - a **media leg** is a UDP flow with traffic both ways that lasts at least [`LEAST_SECONDS`]
//!   (unless [`CallOptions`] say otherwise), at [`LEAST_RATE`] packets per second or more, of packets small enough for sound and pictures
//!   ([`LARGEST_MEAN`]). Downloads over QUIC are full packets one way; a DNS or NTP client is slow;
//! - it belongs to a service when its address does by a prefix of the catalogue, or when it speaks
//!   STUN, TURN, DTLS or RTP and the same client signalled to the service within
//!   [`SIGNAL_BEFORE_S`] before it. A shape without either is no call: a game or a VPN beside an open
//!   chat window looks like that;
//! - legs of one client to one service that overlap, or are less than [`GAP_S`] apart, are one call.
//!
//! Media over TCP (a client behind a proxy) is not recognised: it cannot be told from a file.
//! Everything is kept in bounds; what does not fit is counted.

mod client;
mod record;
mod told;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use octroi_abi::verdict::Verdict;
use octroi_geo_db::catalogue::{Category, Service};

use client::{Client, Signal};
pub use record::{Call, CallEvidence, Certainty};
pub use told::CallRecord;

/// Shortest media flow that counts, seconds.
pub const LEAST_SECONDS: u64 = 20;
/// Fewest packets per second, both ways together: sound alone is 50 each way with the usual 20 ms
/// packets, less with silence suppression.
pub const LEAST_RATE: u64 = 30;
/// Largest mean size of packets in the direction that carries more, bytes with headers: pictures
/// come in packets of 1,100 to 1,250 bytes among small ones, downloads in nothing but full ones.
pub const LARGEST_MEAN: u64 = 1_260;
/// How long before its media a service must have been signalled to, seconds.
pub const SIGNAL_BEFORE_S: u64 = 120;
/// Longest silence inside one call, seconds.
pub const GAP_S: u64 = 30;
/// Clients that are remembered.
const CLIENTS: usize = 16_384;
/// Legs and signals of one client.
const PER_CLIENT: usize = 64;
/// Flows and names that a record lists.
const LISTED: usize = 16;

const SECOND_NS: u64 = 1_000_000_000;
const UDP: u8 = 17;

/// One flow that may be part of a call, as it is known when it ended.
#[derive(Clone, Debug)]
pub struct Leg {
    /// See [`crate::flow_id`].
    pub flow_id: u64,
    /// Who is inside.
    pub client: IpAddr,
    /// Zone of the client.
    pub zone: Option<Arc<str>>,
    /// Where the media goes.
    pub destination: IpAddr,
    /// IP protocol number.
    pub protocol: u8,
    /// What was recognised on it (`stun`, `turn`, `rtp`, `dtls`...).
    pub speaks: Option<Arc<str>>,
    /// Service that the address belongs to.
    pub service: Option<ServiceOf>,
    /// First packet, nanoseconds of any one clock.
    pub first_ns: u64,
    /// Last packet, same clock.
    pub last_ns: u64,
    /// Packets and bytes outbound.
    pub outbound: (u64, u64),
    /// Packets and bytes of replies.
    pub reply: (u64, u64),
    /// What was done with it, and whether that is enforced.
    pub verdict: Verdict,
    /// See [`Leg::verdict`].
    pub enforced: bool,
}

/// A service over which people talk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServiceOf {
    /// Id in the catalogue.
    pub id: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// Id of its operator.
    pub operator: Arc<str>,
}

impl ServiceOf {
    /// `None` for services without calls.
    #[must_use]
    pub fn of(service: &Service) -> Option<Self> {
        matches!(service.category, Category::Video | Category::Chat).then(|| Self {
            id: Arc::clone(&service.id),
            name: service.name.as_str().into(),
            operator: Arc::clone(&service.operator),
        })
    }
}

impl Leg {
    fn seconds(&self) -> u64 {
        self.last_ns.saturating_sub(self.first_ns) / SECOND_NS
    }

    /// Sound or pictures, by what it speaks.
    fn speaks_media(&self) -> Option<CallEvidence> {
        match self.speaks.as_deref()? {
            "stun" => Some(CallEvidence::Stun),
            "turn" => Some(CallEvidence::Turn),
            "dtls" => Some(CallEvidence::Dtls),
            "rtp" => Some(CallEvidence::Rtp),
            _ => None,
        }
    }

    /// Sound or pictures by its shape, and of somebody's by its address or its language.
    #[must_use]
    pub fn is_media(&self, options: CallOptions) -> bool {
        self.has_media_shape(options.least_seconds)
            && (self.service.is_some() || self.speaks_media().is_some())
    }

    /// Sound or pictures, by its shape.
    fn has_media_shape(&self, least_seconds: u64) -> bool {
        let packets = self.outbound.0 + self.reply.0;
        let seconds = self.seconds();
        let (wide, bytes) = if self.outbound.1 > self.reply.1 {
            self.outbound
        } else {
            self.reply
        };
        self.protocol == UDP
            && seconds >= least_seconds.max(1)
            && packets / seconds.max(1) >= LEAST_RATE
            && self.outbound.0 > 0
            && self.reply.0 > 0
            && bytes / wide.max(1) <= LARGEST_MEAN
    }
}

/// What is taken for a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CallOptions {
    /// Shortest media flow that counts, seconds (at least 1).
    pub least_seconds: u64,
    /// Longest silence inside one call, seconds.
    pub gap_s: u64,
}

impl Default for CallOptions {
    fn default() -> Self {
        Self {
            least_seconds: LEAST_SECONDS,
            gap_s: GAP_S,
        }
    }
}

impl CallOptions {
    /// Packets below which a flow cannot be media.
    #[must_use]
    pub const fn least_packets(self) -> u64 {
        self.least_seconds.saturating_mul(LEAST_RATE)
    }

    const fn gap_ns(self) -> u64 {
        self.gap_s.saturating_mul(SECOND_NS)
    }
}

/// Finds calls. Legs may come in any order; calls are told when they are surely over.
#[derive(Debug, Default)]
pub struct Calls {
    options: CallOptions,
    clients: HashMap<IpAddr, Client>,
    dropped: u64,
}

impl Calls {
    /// Finds nothing yet.
    #[must_use]
    pub fn new(options: CallOptions) -> Self {
        Self {
            options,
            ..Self::default()
        }
    }

    /// What is taken for a call.
    #[must_use]
    pub const fn options(&self) -> CallOptions {
        self.options
    }

    /// Flows and names that could not be kept.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// A client named a service in a handshake, or a DNS answer did for it.
    pub fn signalled(&mut self, client: IpAddr, service: ServiceOf, name: &str, at_ns: u64) {
        let Some(known) = client_of(&mut self.clients, client) else {
            self.dropped += 1;
            return;
        };
        // One signal for each service and minute is enough to date the media after it.
        let same = known.signals.iter_mut().rev().find(|signal| {
            signal.service.id == service.id && signal.at_ns.abs_diff(at_ns) < 60 * SECOND_NS
        });
        if same.is_some() {
            return;
        }
        if known.signals.len() >= PER_CLIENT {
            known.signals.remove(0);
            self.dropped += 1;
        }
        known.signals.push(Signal {
            service,
            name: name.into(),
            at_ns,
        });
    }

    /// A flow ended. Those that cannot be media are not kept.
    pub fn ended(&mut self, leg: Leg) {
        if !leg.is_media(self.options) {
            return;
        }
        let Some(known) = client_of(&mut self.clients, leg.client) else {
            self.dropped += 1;
            return;
        };
        if known.legs.len() >= PER_CLIENT {
            known.legs.remove(0);
            self.dropped += 1;
        }
        known.legs.push(leg);
    }

    /// Whether no flow waits to be told of.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.clients.values().all(|client| client.legs.is_empty())
    }

    /// The calls that are over at `now_ns`: the last of their flows that ended was silent for
    /// [`CallOptions::gap_s`], and `is_live` knows of no other that a client has with the service. Old signals are
    /// forgotten. With each call comes when its media began, by the clock of its flows.
    pub fn over(
        &mut self,
        now_ns: u64,
        is_live: impl Fn(IpAddr, &Arc<str>) -> bool,
    ) -> Vec<(u64, Call)> {
        let gap_ns = self.options.gap_ns();
        let quiet = |last_ns: u64| last_ns.saturating_add(gap_ns) <= now_ns;
        self.take(
            |client, service, last_ns| {
                quiet(last_ns) && !service.is_some_and(|service| is_live(client, service))
            },
            now_ns,
        )
    }

    /// Every call that is left, as [`Calls::over`]: there are no more flows.
    pub fn flush(&mut self) -> Vec<(u64, Call)> {
        self.take(|_, _, _| true, u64::MAX)
    }

    /// The calls that are not told yet: of the flows that ended, and of `live` ones as far as they
    /// have come. As [`Calls::over`]; nothing is forgotten or told by this.
    #[must_use]
    pub fn running(&self, live: impl IntoIterator<Item = Leg>) -> Vec<(u64, Call)> {
        let mut legs: HashMap<IpAddr, Vec<Leg>> = HashMap::new();
        for leg in live {
            if leg.is_media(self.options) {
                legs.entry(leg.client).or_default().push(leg);
            }
        }
        for (address, client) in &self.clients {
            if !client.legs.is_empty() {
                let known = legs.entry(*address).or_default();
                known.extend(client.legs.iter().cloned());
            }
        }
        let mut calls: Vec<(u64, Call)> = { legs.into_iter() }
            .flat_map(|(address, legs)| {
                let signals = self.clients.get(&address);
                let signals = signals.map_or_else(Vec::new, |client| client.signals.clone());
                Client { signals, legs }.take(self.options.gap_ns(), &|_, _| true)
            })
            .collect();
        calls.sort_by(in_order);
        calls
    }

    fn take(
        &mut self,
        is_over: impl Fn(IpAddr, Option<&Arc<str>>, u64) -> bool,
        now_ns: u64,
    ) -> Vec<(u64, Call)> {
        let mut calls = Vec::new();
        let gap_ns = self.options.gap_ns();
        self.clients.retain(|&address, client| {
            let over = |service: Option<&Arc<str>>, last_ns| is_over(address, service, last_ns);
            calls.extend(client.take(gap_ns, &over));
            let kept_ns = 24 * 3_600 * SECOND_NS;
            client
                .signals
                .retain(|signal| signal.at_ns.saturating_add(kept_ns) > now_ns);
            !client.signals.is_empty() || !client.legs.is_empty()
        });
        calls.sort_by(in_order);
        calls
    }
}

/// The one that began first is told first.
fn in_order((a_ns, a): &(u64, Call), (b_ns, b): &(u64, Call)) -> std::cmp::Ordering {
    (a_ns, a.client, &a.service).cmp(&(b_ns, b.client, &b.service))
}

fn client_of(clients: &mut HashMap<IpAddr, Client>, client: IpAddr) -> Option<&mut Client> {
    if clients.len() >= CLIENTS && !clients.contains_key(&client) {
        return None;
    }
    Some(clients.entry(client).or_default())
}

#[cfg(test)]
mod tests;
