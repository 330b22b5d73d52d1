//! The [`Namer`]: which reader a payload goes to, and what is told of what it read.

mod dns;
mod query;
mod stream;

use std::hash::BuildHasher as _;
use std::net::IpAddr;

use foldhash::fast::RandomState;
use octroi_abi::flow::FlowKey;

use self::query::Queries;
use super::memo::{Memo, Memos};
use super::quic::{self, Connection};
use super::tls::ClientHello;
use super::{AppProtocol, Bindings, NameEvent, NameSource, NamerLimits, NamerStats, Sample, dtls};
use crate::flow;
use crate::packet::protocol;

const PORT_DNS: u16 = 53;
const PORT_MDNS: u16 = 5353;
const PORT_LLMNR: u16 = 5355;

/// Names flows; see the module.
pub struct Namer {
    limits: NamerLimits,
    stats: NamerStats,
    now_ns: u64,
    memos: Memos,
    bindings: Bindings,
    queries: Queries,
    hasher: RandomState,
}

impl Namer {
    /// A namer that knows nothing yet.
    #[must_use]
    pub fn new(limits: NamerLimits) -> Self {
        Self {
            limits,
            stats: NamerStats::default(),
            now_ns: 0,
            memos: Memos::new(limits.flows),
            bindings: Bindings::new(limits.bindings),
            queries: Queries::new(limits.queries),
            hasher: RandomState::default(),
        }
    }

    /// Reads a payload and pushes the names it brings. The same name is told once for a flow;
    /// another name in the same flow (HTTP requests for several hosts) is told too.
    pub fn observe(&mut self, sample: &Sample<'_>, out: &mut Vec<NameEvent>) {
        self.now_ns = self.now_ns.max(sample.time_ns);
        if sample.payload.is_empty() {
            return;
        }
        self.stats.samples += 1;
        let before = out.len();
        let ports = [sample.key.inside_port, sample.key.outside_port];
        match sample.key.protocol {
            protocol::UDP if ports.contains(&PORT_DNS) => {
                self.dns(sample, sample.payload, AppProtocol::Dns, out);
            }
            protocol::UDP if ports.contains(&PORT_MDNS) => {
                self.dns(sample, sample.payload, AppProtocol::Mdns, out);
            }
            protocol::UDP if ports.contains(&PORT_LLMNR) => {
                self.dns(sample, sample.payload, AppProtocol::Llmnr, out);
            }
            protocol::UDP | protocol::TCP => self.flow(sample, out),
            _ => {}
        }
        self.stats.names += (out.len() - before) as u64;
    }

    /// Forgets flows, bindings and queries that are over. To be called now and then.
    pub fn expire(&mut self, now_ns: u64) {
        self.now_ns = self.now_ns.max(now_ns);
        self.memos
            .expire(self.now_ns.saturating_sub(self.limits.idle_ns));
        self.bindings.expire(self.now_ns);
    }

    /// Counters, and what is held now.
    #[must_use]
    pub fn stats(&self) -> NamerStats {
        NamerStats {
            incomplete: self.memos.incomplete,
            flows_evicted: self.memos.evicted,
            bindings_evicted: self.bindings.evicted(),
            flows: self.memos.len() as u64,
            bindings: self.bindings.len() as u64,
            held_bytes: self.memos.held as u64,
            ..self.stats
        }
    }

    /// The name under which a client knows a destination by DNS, when there is exactly one.
    #[must_use]
    pub fn name_of(&self, client: IpAddr, destination: IpAddr) -> Option<&str> {
        self.bindings.name(client, destination, self.now_ns)
    }

    /// Every name under which a client knows a destination by DNS, the latest last.
    pub fn names_of(&self, client: IpAddr, destination: IpAddr) -> impl Iterator<Item = &str> {
        self.bindings.names(client, destination, self.now_ns)
    }

    /// [`Namer::name_of`] for the ends of a flow: names it at its first packet.
    #[must_use]
    pub fn dns_name_for(&self, key: &FlowKey) -> Option<&str> {
        self.name_of(flow::inside(key), flow::outside(key))
    }

    fn flow(&mut self, sample: &Sample<'_>, out: &mut Vec<NameEvent>) {
        let (mut memo, is_new) = self.memos.take(&sample.key, sample.first_ns);
        memo.last_ns = sample.time_ns;
        if is_new && let Some(name) = self.dns_name_for(&sample.key) {
            let told = Told {
                name: name.to_owned(),
                source: NameSource::Dns,
                protocol: AppProtocol::Unknown,
                hello: ClientHello::default(),
            };
            self.tell(sample, &mut memo, told, out);
        }
        if sample.key.protocol == protocol::TCP {
            self.segment(sample, &mut memo, out);
        } else {
            self.datagram(sample, &mut memo, out);
        }
        if !self.room(memo.held()) {
            memo.let_go();
            self.stats.memory_refused += 1;
        }
        self.memos.put(sample.key, memo);
    }

    /// A datagram that is not DNS: QUIC or DTLS.
    fn datagram(&mut self, sample: &Sample<'_>, memo: &mut Memo, out: &mut Vec<NameEvent>) {
        if quic::may_be(sample.payload) {
            let connection = memo.quic.get_or_insert_with(Box::<Connection>::default);
            let read = connection.read(sample.payload, self.limits.stream_bytes);
            match read {
                quic::Read::Hello(hello) => {
                    self.hello(sample, memo, hello, AppProtocol::Quic, out);
                }
                quic::Read::Undecryptable => self.stats.quic_undecryptable += 1,
                quic::Read::UnknownVersion => self.stats.quic_unknown_version += 1,
                quic::Read::TooLong => self.stats.streams_too_long += 1,
                quic::Read::Malformed => self.stats.streams_malformed += 1,
                quic::Read::Nothing => {}
            }
        } else if let Some(hello) = dtls::client_hello(sample.payload) {
            self.hello(sample, memo, hello, AppProtocol::Dtls, out);
        }
    }

    fn room(&self, bytes: usize) -> bool {
        self.memos.held.saturating_add(bytes) <= self.limits.total_bytes
    }

    fn hello(
        &mut self,
        sample: &Sample<'_>,
        memo: &mut Memo,
        mut hello: ClientHello,
        protocol: AppProtocol,
        out: &mut Vec<NameEvent>,
    ) {
        self.stats.hellos += 1;
        self.stats.hellos_with_ech += u64::from(hello.ech);
        self.stats.invalid_names += u64::from(hello.name_is_invalid);
        let Some(name) = hello.name.take() else {
            self.stats.hellos_without_name += 1;
            return;
        };
        let source = if protocol == AppProtocol::Quic {
            NameSource::Quic
        } else {
            NameSource::Sni
        };
        let told = Told {
            name,
            source,
            protocol,
            hello,
        };
        self.tell(sample, memo, told, out);
    }

    fn tell(&mut self, sample: &Sample<'_>, memo: &mut Memo, told: Told, out: &mut Vec<NameEvent>) {
        let hash = self.hasher.hash_one((&told.name, told.source));
        if memo.told.replace(hash) == Some(hash) {
            return;
        }
        out.push(NameEvent {
            key: sample.key,
            first_ns: sample.first_ns,
            time_ns: sample.time_ns,
            name: told.name,
            source: told.source,
            protocol: told.protocol,
            alpn: told.hello.alpn,
            ech: told.hello.ech,
        });
    }
}

/// What an event will say.
struct Told {
    name: String,
    source: NameSource,
    protocol: AppProtocol,
    hello: ClientHello,
}
