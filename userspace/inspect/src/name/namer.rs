//! The [`Namer`]: which reader a payload goes to, and what is told of what it read.

use std::collections::{HashSet, VecDeque};
use std::hash::BuildHasher;
use std::net::IpAddr;

use foldhash::fast::RandomState;
use octroi_abi::flow::FlowKey;

use super::memo::{Kind, Memo, Memos, Side, Stream};
use super::quic::{self, Connection};
use super::tls::{self, ClientHello, Progress};
use super::{
    AppProtocol, Bindings, Head, Message, NameEvent, NameSource, NamerLimits, NamerStats, Sample,
    http, is_hostname,
};
use crate::flow;
use crate::packet::protocol;

const PORT_DNS: u16 = 53;
const PORT_MDNS: u16 = 5353;
const PORT_LLMNR: u16 = 5355;

/// Segments, and bytes of them, held of one direction while its start is waited for.
const MAX_WAITING: usize = 6;
const MAX_WAITING_BYTES: usize = 12_288;

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
        self.memos.put(sample.key, memo);
    }

    /// A datagram that is not DNS: QUIC or DTLS.
    fn datagram(&mut self, sample: &Sample<'_>, memo: &mut Memo, out: &mut Vec<NameEvent>) {
        if quic::may_be(sample.payload) {
            let room = self.room(sample.payload.len());
            let connection = memo.quic.get_or_insert_with(Box::<Connection>::default);
            let read = connection.read(
                sample.payload,
                if room { self.limits.stream_bytes } else { 0 },
            );
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
        } else if let Some(hello) = super::dtls::client_hello(sample.payload) {
            self.hello(sample, memo, hello, AppProtocol::Dtls, out);
        }
    }

    fn segment(&mut self, sample: &Sample<'_>, memo: &mut Memo, out: &mut Vec<NameEvent>) {
        let side = std::mem::take(&mut memo.sides[usize::from(sample.outbound)]);
        let side = match side {
            Side::Done => Side::Done,
            Side::Reading(mut stream) => {
                if self.extend(&mut stream, sample) {
                    self.advance(stream, sample, memo, out)
                } else {
                    self.give_up(&stream, sample, memo, out);
                    Side::Middle
                }
            }
            side => match kind_of(sample) {
                Some(kind) => self.begin(kind, side, sample, memo, out),
                None => self.hold(side, sample),
            },
        };
        memo.sides[usize::from(sample.outbound)] = side;
        // The server answers a hello that it has whole: what is missing here will not come.
        let other = &mut memo.sides[usize::from(!sample.outbound)];
        if let Side::Reading(stream) = other
            && stream.kind == Kind::Tls
            && stream.partial.name.is_some()
            && tls::is_record(sample.payload)
        {
            let Side::Reading(stream) = std::mem::replace(other, Side::Done) else {
                return;
            };
            self.give_up(&stream, sample, memo, out);
        }
    }

    /// A recognised start, and the segments that overtook it.
    fn begin(
        &mut self,
        kind: Kind,
        side: Side,
        sample: &Sample<'_>,
        memo: &mut Memo,
        out: &mut Vec<NameEvent>,
    ) -> Side {
        if kind == Kind::Tls
            && let Progress::Whole(hello) = tls::client_hello(sample.payload)
        {
            // The usual hello: nothing is copied.
            self.hello(sample, memo, hello, AppProtocol::Tls, out);
            return Side::Done;
        }
        let mut stream = Box::new(Stream {
            kind,
            start: sample.sequence,
            bytes: super::assembler::Assembler::default(),
            partial: ClientHello::default(),
        });
        if !self.extend(&mut stream, sample) {
            return Side::Middle;
        }
        if let Side::Waiting(segments) = side {
            for (sequence, bytes) in segments {
                let offset = sequence.wrapping_sub(stream.start) as usize;
                // What does not fit is no part of this stretch.
                let _ = stream
                    .bytes
                    .insert(offset, &bytes, self.limits.stream_bytes);
            }
        }
        self.advance(stream, sample, memo, out)
    }

    /// Adds a segment to its stream; false when it cannot be held.
    fn extend(&mut self, stream: &mut Stream, sample: &Sample<'_>) -> bool {
        let mut payload = sample.payload;
        let mut offset = sample.sequence.wrapping_sub(stream.start);
        if offset > u32::MAX / 2 {
            // It begins before the start, which may be a retransmission that reaches beyond it.
            payload = payload.get(offset.wrapping_neg() as usize..).unwrap_or(&[]);
            offset = 0;
        }
        if !self.room(payload.len() + stream.bytes.held()) {
            self.stats.memory_refused += 1;
            return false;
        }
        let inserted = stream
            .bytes
            .insert(offset as usize, payload, self.limits.stream_bytes);
        self.stats.streams_too_long += u64::from(inserted.is_err());
        inserted.is_ok()
    }

    /// Reads a stream as far as it goes.
    fn advance(
        &mut self,
        mut stream: Box<Stream>,
        sample: &Sample<'_>,
        memo: &mut Memo,
        out: &mut Vec<NameEvent>,
    ) -> Side {
        match stream.kind {
            Kind::Tls => match tls::client_hello(stream.bytes.data()) {
                Progress::Whole(hello) => {
                    self.hello(sample, memo, hello, AppProtocol::Tls, out);
                    Side::Done
                }
                Progress::More(partial) => {
                    stream.partial = partial;
                    if sample.cut {
                        self.give_up(&stream, sample, memo, out);
                        return Side::Middle;
                    }
                    Side::Reading(stream)
                }
                Progress::Not => {
                    self.stats.streams_malformed += 1;
                    Side::Middle
                }
            },
            Kind::Http => match http::request_head(stream.bytes.data()) {
                Head::Host(name) => {
                    let told = Told {
                        name,
                        source: NameSource::Host,
                        protocol: AppProtocol::Http,
                        hello: ClientHello::default(),
                    };
                    self.tell(sample, memo, told, out);
                    Side::Middle
                }
                Head::InvalidHost => {
                    self.stats.invalid_names += 1;
                    Side::Middle
                }
                Head::More if !sample.cut => Side::Reading(stream),
                Head::More | Head::WithoutHost | Head::Not => Side::Middle,
            },
            Kind::Dns => self.dns_stream(stream, sample, out),
        }
    }

    /// DNS over TCP: messages behind their lengths (RFC 7766 section 8).
    fn dns_stream(
        &mut self,
        mut stream: Box<Stream>,
        sample: &Sample<'_>,
        out: &mut Vec<NameEvent>,
    ) -> Side {
        let mut read = 0;
        while let Some([high, low, rest @ ..]) = stream.bytes.data().get(read..) {
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            let Some(message) = rest.get(..length) else {
                break;
            };
            self.dns(sample, message, AppProtocol::Dns, out);
            read += 2 + length;
        }
        stream.bytes.consume(read);
        stream.start = stream.start.wrapping_add(u32::try_from(read).unwrap_or(0));
        if stream.bytes.held() == 0 || sample.cut {
            Side::Middle
        } else {
            Side::Reading(stream)
        }
    }

    /// A stream that will not become whole: its name is told when it was read already.
    fn give_up(
        &mut self,
        stream: &Stream,
        sample: &Sample<'_>,
        memo: &mut Memo,
        out: &mut Vec<NameEvent>,
    ) {
        if stream.partial.name.is_some() {
            self.hello(sample, memo, stream.partial.clone(), AppProtocol::Tls, out);
        }
    }

    /// Holds a segment that may belong behind a start that is still to come.
    fn hold(&mut self, side: Side, sample: &Sample<'_>) -> Side {
        let mut segments = match side {
            Side::Fresh => Vec::new(),
            Side::Waiting(segments) => segments,
            side => return side,
        };
        let held: usize = segments.iter().map(|(_, bytes)| bytes.len()).sum();
        if tls::is_record(sample.payload)
            || sample.cut
            || segments.len() >= MAX_WAITING
            || held + sample.payload.len() > MAX_WAITING_BYTES
            || !self.room(held + sample.payload.len())
        {
            return Side::Middle;
        }
        segments.push((sample.sequence, sample.payload.into()));
        Side::Waiting(segments)
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

    fn dns(
        &mut self,
        sample: &Sample<'_>,
        bytes: &[u8],
        protocol: AppProtocol,
        out: &mut Vec<NameEvent>,
    ) {
        let Ok(message) = Message::read(bytes) else {
            self.stats.dns_malformed += 1;
            return;
        };
        self.stats.dns_messages += 1;
        let Some(asked) = message.questions.first() else {
            return;
        };
        let query = (
            sample.key,
            message.id,
            self.hasher.hash_one((&asked.name, asked.kind)),
        );
        let answers_query = message.is_response && self.queries.contains(&query);
        if !message.is_response {
            self.queries.insert(query);
        }
        if !answers_query {
            self.tell_questions(sample, &message, protocol, out);
        }
        if !message.is_response || protocol != AppProtocol::Dns || message.response_code != 0 {
            return;
        }
        if self.limits.answers_need_queries && !answers_query {
            self.stats.dns_unasked += 1;
            return;
        }
        let Some(name) = asked.name.as_deref().filter(|name| is_hostname(name)) else {
            return;
        };
        // The receiver of the answer asked.
        let client = if sample.outbound {
            flow::outside(&sample.key)
        } else {
            flow::inside(&sample.key)
        };
        for (address, ttl_seconds) in message.addresses() {
            self.bindings
                .bind(client, address, name, ttl_seconds, sample.time_ns);
        }
    }

    fn tell_questions(
        &mut self,
        sample: &Sample<'_>,
        message: &Message,
        protocol: AppProtocol,
        out: &mut Vec<NameEvent>,
    ) {
        for asked in &message.questions {
            match &asked.name {
                Some(name) if !name.is_empty() => out.push(NameEvent {
                    key: sample.key,
                    first_ns: sample.first_ns,
                    time_ns: sample.time_ns,
                    name: name.clone(),
                    source: NameSource::Query,
                    protocol,
                    alpn: Vec::new(),
                    ech: false,
                }),
                Some(_) => {}
                None => self.stats.invalid_names += 1,
            }
        }
    }
}

/// What an event will say.
struct Told {
    name: String,
    source: NameSource,
    protocol: AppProtocol,
    hello: ClientHello,
}

/// What a TCP segment begins, when that can be told.
fn kind_of(sample: &Sample<'_>) -> Option<Kind> {
    let payload = sample.payload;
    if [sample.key.inside_port, sample.key.outside_port].contains(&PORT_DNS) {
        return Some(Kind::Dns);
    }
    if tls::may_begin(payload) {
        Some(Kind::Tls)
    } else if http::begins_request(payload) {
        Some(Kind::Http)
    } else {
        None
    }
}

/// A query: its flow, its identifier, the hash of what it asks.
type Query = (FlowKey, u16, u64);

/// Queries that were seen. Bounded: the oldest are forgotten.
#[derive(Default)]
struct Queries {
    seen: HashSet<Query, RandomState>,
    order: VecDeque<Query>,
    limit: usize,
}

impl Queries {
    fn new(limit: usize) -> Self {
        Self {
            limit: limit.max(1),
            ..Self::default()
        }
    }

    fn contains(&self, query: &Query) -> bool {
        self.seen.contains(query)
    }

    fn insert(&mut self, query: Query) {
        if !self.seen.insert(query) {
            return;
        }
        if self.order.len() >= self.limit
            && let Some(oldest) = self.order.pop_front()
        {
            self.seen.remove(&oldest);
        }
        self.order.push_back(query);
    }
}
