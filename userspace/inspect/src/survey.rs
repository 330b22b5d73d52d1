//! The offline path from packets to named flows: what `octroi analyze` runs over a capture.
//!
//! The same parser twin, flow key and [`Namer`] as live. Where the kernel samples the first
//! payloads of a flow, this reads the first [`SAMPLES_PER_DIRECTION`] of each direction, every DNS
//! message and every HTTP request. What unencrypted tunnels carry is read for names only.

use octroi_abi::opaque::Opaque;

use crate::capture::{LinkType, RawPacket};
use crate::flow::{self, Flow, FlowTable, FragmentTable};
use crate::name::{
    AppProtocol, Ech, NameEvent, NameSource, Namer, NamerLimits, NamerStats, Sample,
};
use crate::packet::{self, Parsed, tunnel};

/// Payloads read of each direction of a flow.
pub const SAMPLES_PER_DIRECTION: u8 = 48;
/// How often what is over is forgotten, capture time.
const EXPIRE_EVERY_NS: u64 = 30 * 1_000_000_000;
/// Most link types that are told apart in [`Counts::unread_links`].
const MAX_UNREAD_LINKS: usize = 16;

/// What a flow was named.
#[derive(Clone, Debug, Default)]
pub struct Naming {
    /// The best name: SNI before QUIC, Host and DNS; of one kind, the first.
    pub name: Option<Name>,
    /// Other names of this flow (HTTP requests for several hosts).
    pub other_names: u32,
    /// What it speaks.
    pub protocol: Option<AppProtocol>,
    /// Payloads read: replies, outbound.
    samples: [u8; 2],
}

/// A name of a flow.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Name {
    /// The name.
    pub name: String,
    /// How it was observed.
    pub source: NameSource,
    /// See [`NameEvent::ech`].
    pub ech: Ech,
    /// See [`NameEvent::alpn`].
    pub alpn: Vec<String>,
}

/// What became of the packets.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Packets.
    pub packets: u64,
    /// Their bytes on the wire.
    pub wire_bytes: u64,
    /// Packets that belong to a flow.
    pub in_flows: u64,
    /// The link's own traffic.
    pub link_control: u64,
    /// Packets by kind of opacity ([`Opaque::code`]), those in flows included.
    pub opaque: [u64; Opaque::ALL.len()],
    /// Packets without a flow by kind of opacity.
    pub without_flow: [u64; Opaque::ALL.len()],
    /// Packets of link types that are not read.
    pub unread_links: Vec<(LinkType, u64)>,
    /// Distinct five-tuples, as far as the flow table could hold them.
    pub tuples: u64,
    /// Packets inside tunnels that were read for names.
    pub inside_tunnels: u64,
    /// Time of the first packet.
    pub first_ns: Option<u64>,
    /// Latest time of a packet.
    pub last_ns: u64,
}

/// Where the results of a [`Survey`] go.
pub trait Sink {
    /// A flow ended.
    fn flow(&mut self, flow: Flow<Naming>);
    /// A name was observed; `inside_tunnel`: in a packet that a tunnel carries.
    fn name(&mut self, event: &NameEvent, inside_tunnel: bool);
    /// A packet has no flow, because it is opaque.
    fn without_flow(&mut self, time_ns: u64, wire_bytes: u32, unparsed: &packet::Unparsed);
}

/// A capture, or several in a row, on the way to named flows.
pub struct Survey {
    flows: FlowTable<Naming>,
    inner_flows: FlowTable<Naming>,
    fragments: FragmentTable,
    namer: Namer,
    events: Vec<NameEvent>,
    counts: Counts,
    next_expiry_ns: u64,
}

impl Survey {
    /// A survey that has seen nothing.
    #[must_use]
    pub fn new(flows: flow::Limits, names: NamerLimits) -> Self {
        Self {
            flows: FlowTable::new(flows),
            inner_flows: FlowTable::new(flow::Limits {
                flows: flows.flows.min(65_536),
                ..flows
            }),
            fragments: FragmentTable::default(),
            namer: Namer::new(names),
            events: Vec::new(),
            counts: Counts::default(),
            next_expiry_ns: 0,
        }
    }

    /// Takes one packet.
    pub fn packet(&mut self, raw: &RawPacket<'_>, sink: &mut impl Sink) {
        self.counts.packets += 1;
        self.counts.wire_bytes += u64::from(raw.wire_bytes);
        self.counts.first_ns.get_or_insert(raw.time_ns);
        self.counts.last_ns = self.counts.last_ns.max(raw.time_ns);
        if raw.time_ns >= self.next_expiry_ns {
            self.namer.expire(raw.time_ns);
            self.next_expiry_ns = raw.time_ns.saturating_add(EXPIRE_EVERY_NS);
        }
        let parsed = packet::parse_captured(raw.link, raw.data, raw.wire_bytes);
        let parsed = parsed.and_then(|mut parsed| {
            self.fragments
                .resolve(&mut parsed)
                .map_err(|opaque| packet::Unparsed {
                    opaque,
                    addresses: Some((parsed.source, parsed.destination)),
                })?;
            Ok(parsed)
        });
        match parsed {
            Ok(parsed) => self.parsed(&parsed, raw.time_ns, sink),
            Err(unparsed) => self.unparsed(raw, &unparsed, sink),
        }
    }

    /// Ends every flow.
    pub fn finish(&mut self, sink: &mut impl Sink) {
        self.flows.finish(|flow| sink.flow(flow));
        self.inner_flows.finish(|_| {});
    }

    /// What became of the packets so far.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// What the namer saw and gave up so far.
    #[must_use]
    pub fn namer_stats(&self) -> NamerStats {
        self.namer.stats()
    }

    fn unparsed(&mut self, raw: &RawPacket<'_>, unparsed: &packet::Unparsed, sink: &mut impl Sink) {
        if unparsed.opaque == Opaque::None {
            self.counts.link_control += 1;
            return;
        }
        let kind = usize::from(unparsed.opaque.code());
        self.counts.opaque[kind] += 1;
        self.counts.without_flow[kind] += 1;
        if !raw.link.is_supported() {
            let links = &mut self.counts.unread_links;
            if let Some((_, packets)) = links.iter_mut().find(|(link, _)| *link == raw.link) {
                *packets += 1;
            } else if links.len() < MAX_UNREAD_LINKS {
                links.push((raw.link, 1));
            }
        }
        sink.without_flow(raw.time_ns, raw.wire_bytes, unparsed);
    }

    fn parsed(&mut self, parsed: &Parsed<'_>, time_ns: u64, sink: &mut impl Sink) {
        self.counts.in_flows += 1;
        if parsed.opaque != Opaque::None {
            self.counts.opaque[usize::from(parsed.opaque.code())] += 1;
        }
        let seen = self
            .flows
            .observe(parsed, time_ns, |finished| sink.flow(finished));
        if seen.is_new {
            self.counts.tuples += u64::from(!seen.is_reused);
            if let Some(name) = self.namer.dns_name_for(&seen.flow.key) {
                seen.flow.data.name = Some(Name {
                    name: name.to_owned(),
                    source: NameSource::Dns,
                    ech: Ech::None,
                    alpn: Vec::new(),
                });
            }
        }
        if let Some(sample) = sample(seen.flow, parsed, time_ns, seen.outbound) {
            self.namer.observe(&sample, &mut self.events);
            for event in self.events.drain(..) {
                sink.name(&event, false);
                seen.flow.data.learn(event);
            }
        }
        if parsed.opaque != Opaque::None || tunnel::may_be(parsed) {
            self.tunnel(parsed, time_ns, sink);
        }
    }

    /// Names inside tunnels. The outer flow keeps its own name, or none.
    fn tunnel(&mut self, outer: &Parsed<'_>, time_ns: u64, sink: &mut impl Sink) {
        let mut outer = *outer;
        for _ in 0..tunnel::MAX_DEPTH {
            let Some(inner) = tunnel::inside(&outer) else {
                return;
            };
            self.counts.inside_tunnels += 1;
            if inner
                .fragment
                .is_some_and(|fragment| fragment.offset_bytes != 0)
            {
                return;
            }
            let seen = self.inner_flows.observe(&inner, time_ns, |_| {});
            if let Some(sample) = sample(seen.flow, &inner, time_ns, seen.outbound) {
                self.namer.observe(&sample, &mut self.events);
                for event in self.events.drain(..) {
                    sink.name(&event, true);
                }
            }
            outer = inner;
        }
    }
}

impl Naming {
    fn learn(&mut self, event: NameEvent) {
        if event.protocol != AppProtocol::Unknown {
            self.protocol = Some(event.protocol);
        }
        if !event.source.names_destination() {
            return;
        }
        match &self.name {
            Some(known) if known.source >= event.source => {
                self.other_names += u32::from(known.name != event.name);
                return;
            }
            Some(_) | None => {}
        }
        self.name = Some(Name {
            name: event.name,
            source: event.source,
            ech: event.ech,
            alpn: event.alpn,
        });
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
    if parsed.payload.is_empty()
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
