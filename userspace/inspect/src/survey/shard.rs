//! The second stage: the flows of some lanes, and their names.

use crate::flow::{self, Flow, FlowTable, LANES};
use crate::name::{
    self, Evidence, NameEvent, NameSource, Namer, NamerLimits, NamerStats, Rest, Sample,
};
use crate::packet::{self, Parsed, tcp_flag};

use super::{Name, Naming, Routed, Sink};

/// Payloads read of each direction of a flow.
pub const SAMPLES_PER_DIRECTION: u8 = 48;
/// Replies among which a server's certificate is looked for.
const SAMPLES_OF_CERTIFICATE: u8 = 4;
/// Of the flows held at once, the part that DNS may take, and the flows inside tunnels.
const PART_OF_DNS: usize = 8;
/// The lane of the namer in which every shard reads DNS, behind those of flows.
const LANE_OF_DNS: u8 = LANES;
/// Of what the namer may keep of flows, the part of one lane; another part is that of DNS.
const PART_OF_LANE: usize = LANES as usize + 1;
/// Of the queries that may wait for their answer, the part of mDNS in one lane.
const PART_OF_MDNS: usize = 8;
/// How long a flow in which all was read is not asked again what it is, unless something begins in it.
/// Shorter than its memory in the namer.
const QUIET_NS: u64 = 10 * 1_000_000_000;

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
    /// Streams of DNS that the namer gave up, which the first shard tells.
    streams_told_elsewhere: u64,
}

/// What naming gave up to stay within its bounds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct GivenUp {
    /// Flows whose beginnings were forgotten.
    pub flows: u64,
    /// Hellos and requests that were not put together.
    pub streams: u64,
    /// Addresses whose names by DNS were forgotten.
    pub bindings: u64,
}

/// A namer with the lanes of a survey.
fn namer(limits: NamerLimits) -> Namer {
    let of_lane = limits.divided(PART_OF_LANE);
    let of_flows = NamerLimits {
        queries: limits.queries / PART_OF_MDNS,
        ..of_lane
    };
    let mut namer = Namer::new(of_flows);
    for _ in 1..LANES {
        namer.add_lane(&of_flows);
    }
    namer.add_lane(&of_lane);
    namer
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
            namer: namer(names),
            events: Vec::new(),
            tuples: 0,
            streams_told_elsewhere: 0,
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
        if packet.for_all {
            let before = self.namer.streams_given_up();
            self.namer
                .observe_in(LANE_OF_DNS, &sample, &mut self.events);
            if share.number != 0 {
                self.streams_told_elsewhere += self.namer.streams_given_up() - before;
            }
        } else {
            let rest = self
                .namer
                .observe_in(packet.lane, &sample, &mut self.events);
            let data = &mut seen.flow.data;
            (data.quiet_until_ns, data.read_to) = match rest {
                Rest::All => (0, None),
                Rest::Beginnings { read_to } => (packet.time_ns.saturating_add(QUIET_NS), read_to),
            };
        }
        let key = seen.flow.key;
        let mut lost = None;
        for event in self.events.drain(..) {
            if is_mine {
                sink.name(&event, packet.inside_tunnel);
            }
            if event.key == key {
                seen.flow.data.learn(event);
            } else {
                lost = Some(event);
            }
        }
        // Another flow of the lane, which the namer forgot for this one: it stays nameless.
        if let Some(event) = lost
            && let Some(flow) = table.get_mut(&event.key)
            && flow.first_ns == event.first_ns
        {
            flow.data.learn(event);
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

    /// What naming gave up so far. Every shard gives up the same of DNS: the first one tells.
    #[must_use]
    pub fn given_up(&self) -> GivenUp {
        let stats = self.namer.stats();
        if self.share.number == 0 {
            return GivenUp {
                flows: stats.flows_evicted,
                streams: self.namer.streams_given_up(),
                bindings: stats.bindings_evicted,
            };
        }
        GivenUp {
            flows: stats.flows_evicted - self.namer.flows_evicted_in(LANE_OF_DNS),
            streams: self.namer.streams_given_up() - self.streams_told_elsewhere,
            bindings: 0,
        }
    }

    /// What the namer saw and gave up so far.
    #[must_use]
    pub fn namer_stats(&self) -> NamerStats {
        self.namer.stats()
    }
}

/// Whether a segment begins before the end of what was read.
fn repeats(parsed: &Parsed<'_>, read_to: Option<u32>) -> bool {
    let before = |(tcp, end): (packet::TcpInfo, u32)| end.wrapping_sub(tcp.sequence);
    let before = parsed.tcp.zip(read_to).map(before);
    before.is_some_and(|before| before != 0 && before < u32::MAX / 2)
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
            .is_some_and(|name| name::may_be_tor(&name.name));
    if is_named && !is_asked {
        flow.data.samples = [SAMPLES_PER_DIRECTION; 2];
    }
    let is_dns = ALWAYS.contains(&parsed.source_port) || ALWAYS.contains(&parsed.destination_port);
    let taken = &mut flow.data.samples[usize::from(outbound)];
    if *taken >= SAMPLES_PER_DIRECTION {
        if !is_dns && (parsed.tcp.is_none() || !name::begins_request(parsed.payload)) {
            return None;
        }
    } else {
        *taken += 1;
        let repeats = outbound && repeats(parsed, flow.data.read_to);
        let is_quiet = time_ns < flow.data.quiet_until_ns && !is_dns && !is_syn && !repeats;
        if is_quiet && !name::may_begin(parsed.protocol, parsed.payload) {
            return None;
        }
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
