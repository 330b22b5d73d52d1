//! The second stage: the flows of some lanes, and their names.

use crate::flow::{self, Flow, FlowTable, LANES};
use crate::name::{Evidence, NameEvent, NameSource, Namer, NamerLimits, NamerStats, Sample};
use crate::packet::{self, Parsed, tcp_flag};

use super::{Name, Naming, Routed, Sink};

/// Payloads read of each direction of a flow.
pub const SAMPLES_PER_DIRECTION: u8 = 48;
/// Replies among which a server's certificate is looked for.
const SAMPLES_OF_CERTIFICATE: u8 = 4;
/// Of the flows held at once, the part that DNS may take, and the flows inside tunnels.
const PART_OF_DNS: usize = 8;

/// Which lanes a shard has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Share {
    /// Number of the shard, from 0.
    pub number: u8,
    /// How many shards there are, at most [`LANES`].
    pub of: u8,
}

impl Share {
    /// Every lane.
    pub const ALL: Self = Self { number: 0, of: 1 };

    /// Whether a lane is in it.
    #[must_use]
    pub const fn has(self, lane: u8) -> bool {
        self.shard_of(lane) == self.number
    }

    /// The number of the shard that has a lane.
    #[must_use]
    pub const fn shard_of(self, lane: u8) -> u8 {
        if self.of == 0 { 0 } else { lane % self.of }
    }
}

/// Two flow tables: packets as they were captured, and what tunnels carry.
struct Tables {
    outer: FlowTable<Naming>,
    inner: FlowTable<Naming>,
}

impl Tables {
    fn new(limits: flow::Limits, flows: usize) -> Self {
        let table = |flows| FlowTable::new(flow::Limits { flows, ..limits });
        Self {
            outer: table(flows),
            inner: table(flows / 4),
        }
    }
}

/// The second stage of a survey; see the module.
pub struct Shard {
    share: Share,
    /// By lane; those of other shards stay empty.
    lanes: Vec<Tables>,
    /// Flows of DNS, of all lanes: every shard keeps the same ones.
    dns: Tables,
    namer: Namer,
    events: Vec<NameEvent>,
    tuples: u64,
}

impl Shard {
    /// A shard that has seen nothing. The bounds are those of the whole survey.
    #[must_use]
    pub fn new(share: Share, flows: flow::Limits, names: NamerLimits) -> Self {
        let dns = flows.flows / PART_OF_DNS;
        let in_lane = (flows.flows - dns) / usize::from(LANES);
        Self {
            share,
            lanes: (0..LANES).map(|_| Tables::new(flows, in_lane)).collect(),
            dns: Tables::new(flows, dns),
            namer: Namer::new(names.divided(share.of)),
            events: Vec::new(),
            tuples: 0,
        }
    }

    /// Takes one packet: of its own lanes, or one that all are to see.
    pub fn packet(&mut self, packet: &Routed<'_>, sink: &mut impl Sink) {
        let share = self.share;
        let is_mine = share.has(packet.lane);
        let lane = usize::from(packet.lane) % self.lanes.len();
        let tables = match (packet.for_all, is_mine) {
            (true, _) => &mut self.dns,
            (false, true) => &mut self.lanes[lane],
            (false, false) => return,
        };
        self.namer.pass_time(packet.clock_ns);
        let table = if packet.inside_tunnel {
            &mut tables.inner
        } else {
            &mut tables.outer
        };
        let seen = table.observe(&packet.parsed, packet.time_ns, |mut finished| {
            if share.has(finished.data.lane) && !packet.inside_tunnel {
                finished.data.ended = Some(packet.number);
                sink.flow(finished);
            }
        });
        if seen.is_new {
            seen.flow.data.began = packet.number;
            seen.flow.data.lane = packet.lane;
            if is_mine && !packet.inside_tunnel {
                self.tuples += u64::from(!seen.is_reused);
            }
            if let Some(binding) = self.namer.binding_for(&seen.flow.key) {
                seen.flow.data.name = Some(Box::new(Name {
                    name: binding.name.to_string(),
                    source: NameSource::Dns,
                    evidence: Evidence::Dns,
                    alpn: Vec::new(),
                    chain: binding.chain.iter().map(ToString::to_string).collect(),
                }));
            }
        }
        let Some(sample) = sample(seen.flow, &packet.parsed, packet.time_ns, seen.outbound) else {
            return;
        };
        self.namer.observe(&sample, &mut self.events);
        for event in self.events.drain(..) {
            if is_mine {
                sink.name(&event, packet.inside_tunnel);
            }
            seen.flow.data.learn(event);
        }
    }

    /// Forgets what is over.
    pub fn expire(&mut self, now_ns: u64) {
        self.namer.expire(now_ns);
    }

    /// Ends every flow, in the order of their first packets.
    pub fn finish(&mut self, sink: &mut impl Sink) {
        let share = self.share;
        for tables in self.lanes.iter_mut().chain([&mut self.dns]) {
            tables.inner.finish(drop);
        }
        let mut tables: Vec<_> = self
            .lanes
            .iter_mut()
            .chain([&mut self.dns])
            .map(|tables| {
                tables
                    .outer
                    .finish_by(|flow| flow.data.began)
                    .filter(|flow| share.has(flow.data.lane))
                    .peekable()
            })
            .collect();
        // Few tables, each in order: the one whose next flow began first is next.
        loop {
            let next = tables
                .iter_mut()
                .filter_map(|table| Some((table.peek()?.data.began, table)))
                .min_by_key(|(began, _)| *began);
            let Some(flow) = next.and_then(|(_, table)| table.next()) else {
                return;
            };
            sink.flow(flow);
        }
    }

    /// Distinct five-tuples of its lanes, as far as the flow tables could hold them.
    #[must_use]
    pub fn tuples(&self) -> u64 {
        self.tuples
    }

    /// Flows that ended early to make room.
    #[must_use]
    pub fn evicted(&self) -> u64 {
        let of_lanes: u64 = self.lanes.iter().map(|lane| lane.outer.evicted()).sum();
        let first = u64::from(self.share.number == 0);
        of_lanes + first * self.dns.outer.evicted()
    }

    /// What the namer saw and gave up so far.
    #[must_use]
    pub fn namer_stats(&self) -> NamerStats {
        self.namer.stats()
    }
}

/// The packet as a sample, when its payload is to be read.
fn sample<'a>(
    flow: &mut Flow<Naming>,
    parsed: &Parsed<'a>,
    time_ns: u64,
    outbound: bool,
) -> Option<Sample<'a>> {
    const ALWAYS: [u16; 3] = [53, 5353, 5355];
    // Where a client's stream begins is worth knowing.
    let is_syn = parsed
        .tcp
        .is_some_and(|tcp| tcp.flags & (tcp_flag::SYN | tcp_flag::ACK) == tcp_flag::SYN);
    if (parsed.payload.is_empty() && !is_syn)
        || !matches!(
            parsed.protocol,
            packet::protocol::TCP | packet::protocol::UDP
        )
        || parsed
            .fragment
            .is_some_and(|fragment| fragment.offset_bytes != 0)
    {
        return None;
    }
    // A server name of a hello is the best there is: what follows is encrypted.
    let is_named = flow
        .data
        .name
        .as_deref()
        .is_some_and(|name| matches!(name.source, NameSource::Sni | NameSource::Quic));
    // Except where the server's certificate may say that the name is made up.
    let is_asked = flow.data.samples[0] < SAMPLES_OF_CERTIFICATE
        && flow
            .data
            .name
            .as_deref()
            .is_some_and(|name| crate::name::may_be_tor(&name.name));
    if is_named && !is_asked {
        flow.data.samples = [SAMPLES_PER_DIRECTION; 2];
    }
    let taken = &mut flow.data.samples[usize::from(outbound)];
    if *taken >= SAMPLES_PER_DIRECTION {
        let is_dns =
            ALWAYS.contains(&parsed.source_port) || ALWAYS.contains(&parsed.destination_port);
        if !is_dns && (parsed.tcp.is_none() || !crate::name::begins_request(parsed.payload)) {
            return None;
        }
    } else {
        *taken += 1;
    }
    Some(Sample {
        key: flow.key,
        first_ns: flow.first_ns,
        time_ns,
        outbound,
        sequence: parsed.tcp.map_or(0, |tcp| tcp.sequence),
        tcp_flags: parsed.tcp.map_or(0, |tcp| tcp.flags),
        payload: parsed.payload,
        cut: parsed.cut || parsed.fragment.is_some(),
    })
}
