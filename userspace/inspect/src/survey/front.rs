//! The first stage: packets in order, to the lanes they belong to.

use octroi_abi::opaque::Opaque;

use crate::capture::{LinkType, RawPacket};
use crate::flow::{FragmentTable, lane_of};
use crate::packet::{self, Parsed, Unparsed, tunnel};

/// How often what is over is forgotten, capture time.
const EXPIRE_EVERY_NS: u64 = 30 * 1_000_000_000;
/// Most link types that are told apart in [`Counts::unread_links`].
const MAX_UNREAD_LINKS: usize = 16;
const PORT_DNS: u16 = 53;

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
    /// Packets inside tunnels that were read for names.
    pub inside_tunnels: u64,
    /// Time of the first packet.
    pub first_ns: Option<u64>,
    /// Latest time of a packet.
    pub last_ns: u64,
}

/// A packet, and where it belongs.
#[derive(Clone, Copy, Debug)]
pub struct Routed<'a> {
    /// What was read.
    pub parsed: Parsed<'a>,
    /// Number of the captured packet, from 0.
    pub number: u64,
    /// When it was captured.
    pub time_ns: u64,
    /// Latest time of a packet so far: what a binding by DNS is compared with.
    pub clock_ns: u64,
    /// The lane of its flow.
    pub lane: u8,
    /// A tunnel carries it.
    pub inside_tunnel: bool,
    /// Every shard is to see it.
    pub for_all: bool,
}

impl Routed<'_> {
    /// The same without its payload: what can outlive the bytes it was read from.
    #[must_use]
    pub fn without_payload(&self) -> Routed<'static> {
        Routed {
            parsed: self.parsed.without_payload(),
            number: self.number,
            time_ns: self.time_ns,
            clock_ns: self.clock_ns,
            lane: self.lane,
            inside_tunnel: self.inside_tunnel,
            for_all: self.for_all,
        }
    }
}

/// What a [`Front`] makes of packets, in order.
pub trait Dispatch {
    /// A packet for the shard of its lane, or for all of them.
    fn packet(&mut self, packet: &Routed<'_>);
    /// A packet without a flow.
    fn without_flow(&mut self, time_ns: u64, wire_bytes: u32, unparsed: &Unparsed);
    /// Every shard is to forget what is over.
    fn expire(&mut self, now_ns: u64);
}

/// The first stage of a survey; see the module.
#[derive(Default)]
pub struct Front {
    fragments: FragmentTable,
    counts: Counts,
    next_expiry_ns: u64,
}

impl Front {
    /// Takes one packet.
    pub fn read(&mut self, raw: &RawPacket<'_>, to: &mut impl Dispatch) {
        let number = self.counts.packets;
        self.counts.packets += 1;
        self.counts.wire_bytes += u64::from(raw.wire_bytes);
        self.counts.first_ns.get_or_insert(raw.time_ns);
        self.counts.last_ns = self.counts.last_ns.max(raw.time_ns);
        if raw.time_ns >= self.next_expiry_ns {
            to.expire(raw.time_ns);
            self.next_expiry_ns = raw.time_ns.saturating_add(EXPIRE_EVERY_NS);
        }
        match self.parse(raw) {
            Ok(parsed) => {
                self.counts.in_flows += 1;
                if parsed.opaque != Opaque::None {
                    self.counts.opaque[usize::from(parsed.opaque.code())] += 1;
                }
                let mut packet = Routed {
                    lane: lane_of(&parsed),
                    for_all: tells_of_others(&parsed),
                    parsed,
                    number,
                    time_ns: raw.time_ns,
                    clock_ns: self.counts.last_ns,
                    inside_tunnel: false,
                };
                to.packet(&packet);
                if parsed.opaque != Opaque::None || tunnel::may_be(&parsed) {
                    self.tunnel(&mut packet, to);
                }
            }
            Err(unparsed) if unparsed.opaque == Opaque::None => self.counts.link_control += 1,
            Err(unparsed) => {
                self.unparsed(raw.link, unparsed.opaque);
                to.without_flow(raw.time_ns, raw.wire_bytes, &unparsed);
            }
        }
    }

    /// What became of the packets so far.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    fn parse<'a>(&mut self, raw: &RawPacket<'a>) -> Result<Parsed<'a>, Unparsed> {
        let mut parsed = packet::parse_captured(raw.link, raw.data, raw.wire_bytes)?;
        self.fragments
            .resolve(&mut parsed, raw.time_ns)
            .map_err(|opaque| Unparsed {
                opaque,
                addresses: Some((parsed.source, parsed.destination)),
            })?;
        Ok(parsed)
    }

    fn unparsed(&mut self, link: LinkType, opaque: Opaque) {
        let kind = usize::from(opaque.code());
        self.counts.opaque[kind] += 1;
        self.counts.without_flow[kind] += 1;
        if link.is_supported() {
            return;
        }
        let links = &mut self.counts.unread_links;
        if let Some((_, packets)) = links.iter_mut().find(|(other, _)| *other == link) {
            *packets += 1;
        } else if links.len() < MAX_UNREAD_LINKS {
            links.push((link, 1));
        }
    }

    /// What is inside tunnels. The outer flow keeps its own name, or none.
    fn tunnel(&mut self, packet: &mut Routed<'_>, to: &mut impl Dispatch) {
        packet.inside_tunnel = true;
        for _ in 0..tunnel::MAX_DEPTH {
            let Some(inner) = tunnel::inside(&packet.parsed) else {
                return;
            };
            self.counts.inside_tunnels += 1;
            if inner
                .fragment
                .is_some_and(|fragment| fragment.offset_bytes != 0)
            {
                return;
            }
            packet.lane = lane_of(&inner);
            packet.for_all = tells_of_others(&inner);
            packet.parsed = inner;
            to.packet(packet);
        }
    }
}

/// Whether the packet may tell what flows of other lanes are called: DNS answers do.
fn tells_of_others(parsed: &Parsed<'_>) -> bool {
    parsed.source_port == PORT_DNS || parsed.destination_port == PORT_DNS
}
