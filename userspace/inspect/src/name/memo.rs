//! What is remembered of a flow while and after it is named, and the bound on all of it.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use octroi_abi::flow::FlowKey;

use super::assembler::Assembler;
use super::dtls::Fragments;
use super::fair::Fair;
use super::quic::Connection;
use super::shape::Rtp;
use super::talk::Greeting;
use super::tls::ClientHello;
use super::{AppProtocol, Sample};
use crate::packet::protocol;

/// What a TCP stream, or a stretch of it, is read as.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// Not recognised yet.
    Start,
    Tls,
    Http,
    Http2,
    Dns,
    /// A server's handshake, up to its certificate.
    Server,
    /// Lines before a handshake.
    Talk(AppProtocol),
}

/// A stretch of a TCP stream whose start was recognised, being put together.
pub(super) struct Stream {
    pub(super) kind: Kind,
    /// Sequence number of offset 0.
    pub(super) start: u32,
    pub(super) bytes: Assembler,
    /// What is known of an incomplete hello.
    pub(super) partial: ClientHello,
    /// Lines of conversation read.
    pub(super) lines: u16,
    /// Segments that came before this stretch, and lie before its start.
    pub(super) earlier: Vec<Segment>,
}

/// A segment that waits: its sequence number, and its bytes.
pub(super) type Segment = (u32, Box<[u8]>);

impl Stream {
    pub(super) fn new(kind: Kind, start: u32) -> Self {
        Self {
            kind,
            start,
            bytes: Assembler::default(),
            partial: ClientHello::default(),
            lines: 0,
            earlier: Vec::new(),
        }
    }

    /// Memory held, bytes: 0 when nothing is.
    pub(super) fn held(&self) -> usize {
        self.bytes.held() + held(&self.earlier)
    }

    /// All that came, in segments.
    pub(super) fn into_segments(self) -> Vec<Segment> {
        let pieces = self.bytes.into_pieces().map(|(offset, bytes)| {
            let offset = u32::try_from(offset).unwrap_or(0);
            (self.start.wrapping_add(offset), bytes)
        });
        self.earlier.into_iter().chain(pieces).collect()
    }

    /// The sequence number behind the bytes that came without a gap.
    pub(super) fn end(&self) -> u32 {
        let bytes = u32::try_from(self.bytes.data().len()).unwrap_or(0);
        self.start.wrapping_add(bytes)
    }

    /// The sequence number behind all bytes that came.
    pub(super) fn end_of_all(&self) -> u32 {
        let bytes = u32::try_from(self.bytes.end()).unwrap_or(0);
        self.start.wrapping_add(bytes)
    }

    /// Lets go of `count` bytes that were read.
    pub(super) fn consume(&mut self, count: usize) {
        self.bytes.consume(count);
        self.start = self.start.wrapping_add(u32::try_from(count).unwrap_or(0));
    }
}

/// What a segment that waits takes beside its bytes, about.
const SEGMENT_BYTES: usize = 48;

fn held(segments: &[Segment]) -> usize {
    let bytes = segments
        .iter()
        .map(|(_, bytes)| SEGMENT_BYTES + bytes.len());
    bytes.sum()
}

/// One direction of a TCP flow.
#[derive(Default)]
pub(super) enum Side {
    /// Nothing recognised yet.
    #[default]
    Fresh,
    /// Segments that may belong behind a start that was overtaken.
    Waiting(Vec<Segment>),
    /// Being put together.
    Reading(Box<Stream>),
    /// In the middle: only a new start is of interest.
    Middle,
    /// Encrypted from here on.
    Done,
}

impl Side {
    /// The sequence numbers behind the pieces that are held.
    pub(super) fn ends(&self) -> Vec<u32> {
        match self {
            Self::Waiting(segments) => { segments.iter() }
                .map(|(sequence, bytes)| {
                    sequence.wrapping_add(u32::try_from(bytes.len()).unwrap_or(0))
                })
                .collect(),
            Self::Reading(stream) => vec![stream.end_of_all()],
            Self::Fresh | Self::Middle | Self::Done => Vec::new(),
        }
    }

    pub(super) fn held(&self) -> usize {
        match self {
            Self::Waiting(segments) => held(segments),
            Self::Reading(stream) => stream.held(),
            Self::Fresh | Self::Middle | Self::Done => 0,
        }
    }
}

/// What was told of a client's words.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Said {
    /// Nothing yet.
    #[default]
    Nothing,
    /// That they carry no name.
    NoName,
    /// A name.
    Name,
}

/// What a server's certificate is read for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) enum Wants {
    #[default]
    Nothing,
    /// The client's hello had no name: it may tell one.
    Name,
    /// The client said this name, which may be made up: the certificate tells whether it is.
    Tor(Box<str>),
}

/// Sequence number of a client's first byte.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum FirstByte {
    /// Its SYN was not seen.
    #[default]
    Unknown,
    /// It is this one.
    At(u32),
    /// Two SYNs say different ones: which of them the server takes is not sure.
    Contradicted,
}

impl FirstByte {
    /// A SYN says this one.
    pub(super) fn note(&mut self, first: u32) {
        *self = match *self {
            Self::Unknown => Self::At(first),
            Self::At(known) if known == first => Self::At(known),
            Self::At(_) | Self::Contradicted => Self::Contradicted,
        };
    }
}

/// What is remembered of one flow.
#[derive(Default)]
pub(super) struct Memo {
    pub(super) first_ns: u64,
    pub(super) last_ns: u64,
    /// Hash of the last name told.
    pub(super) told: Option<u64>,
    /// The name that DNS gives was told, or there is none.
    pub(super) dns_is_told: bool,
    /// What was told of the client's words.
    pub(super) said: Said,
    /// What is spoken, as far as it is known.
    pub(super) speaks: AppProtocol,
    /// What the server's certificate is read for.
    pub(super) wants: Wants,
    /// TCP: where the client's stream begins.
    pub(super) first_byte: FirstByte,
    /// TCP: the sequence number behind what was read of the client's stream.
    pub(super) read_to: Option<u32>,
    /// TCP: replies, outbound.
    pub(super) sides: [Side; 2],
    pub(super) quic: Option<Box<Connection>>,
    pub(super) dtls: Option<Box<Fragments>>,
    /// The client's last datagram, when it had the shape of RTP.
    pub(super) rtp: Option<Rtp>,
    /// What a server's greeting says is spoken.
    pub(super) greeting: Option<Greeting>,
}

impl Memo {
    pub(super) fn held(&self) -> usize {
        let sides: usize = self.sides.iter().map(Side::held).sum();
        let quic = self.quic.as_ref().map_or(0, |quic| quic.held());
        sides + quic + self.dtls.as_ref().map_or(0, |dtls| dtls.held())
    }

    /// The client's stream was read as far as a sequence number.
    pub(super) fn read(&mut self, sample: &Sample<'_>, end: u32) {
        if sample.outbound {
            self.passed(end);
        }
    }

    /// The client's bytes before `end` are not read any more: copies of them may be others.
    fn passed(&mut self, end: u32) {
        let is_farther = |known: u32| end.wrapping_sub(known) < u32::MAX / 2;
        if self.read_to.is_none_or(is_farther) {
            self.read_to = Some(end);
        }
    }

    /// Lets go of all bytes held.
    pub(super) fn let_go(&mut self) {
        for end in self.sides[1].ends() {
            self.passed(end);
        }
        for side in &mut self.sides {
            if side.held() > 0 {
                *side = Side::Middle;
            }
        }
        self.quic = None;
        self.dtls = None;
    }

    /// Whether only the start of something new could tell more: all that was begun is read, and what
    /// the flow speaks will not be asked again.
    pub(super) fn is_quiet(&self, transport: u8) -> bool {
        let is_over = |side: &Side| matches!(side, Side::Middle | Side::Done);
        let is_silent = match transport {
            protocol::TCP => self.sides.iter().all(is_over) && self.wants == Wants::Nothing,
            protocol::UDP => {
                self.speaks != AppProtocol::Unknown && self.quic.is_none() && self.dtls.is_none()
            }
            _ => false,
        };
        is_silent && self.said != Said::Nothing && self.greeting.is_none()
    }

    /// Whether part of a DNS message is held.
    pub(super) fn is_dns_stream(&self) -> bool {
        matches!(&self.sides[1], Side::Reading(stream) if stream.kind == Kind::Dns)
    }

    fn is_incomplete(&self) -> bool {
        self.sides
            .iter()
            .any(|side| matches!(side, Side::Reading(stream)
                if stream.bytes.held() > 0 && matches!(stream.kind, Kind::Start | Kind::Tls | Kind::Http | Kind::Http2)))
            || self.quic.as_ref().is_some_and(|quic| quic.is_incomplete())
            || self.dtls.as_ref().is_some_and(|dtls| dtls.held() > 0)
    }
}

/// Memos by flow. Bounded: the client with most flows forgets its oldest.
pub(super) struct Memos {
    by_flow: Fair<FlowKey, Memo>,
    /// Bytes held by all.
    pub(super) held: usize,
    /// And by the flows of each client that holds any.
    by_client: HashMap<[u8; 16], usize, RandomState>,
    pub(super) incomplete: u64,
    /// The flow that was forgotten last, when its name was still to come: its key, when it began,
    /// what it speaks.
    pub(super) lost: Option<(FlowKey, u64, AppProtocol)>,
}

impl Memos {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            by_flow: Fair::of_things(limit),
            held: 0,
            by_client: HashMap::default(),
            incomplete: 0,
            lost: None,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.by_flow.len()
    }

    /// Flows forgotten to make room.
    pub(super) fn evicted(&self) -> u64 {
        self.by_flow.evicted
    }

    /// Takes the memo of a flow out, to be put back; true when the flow is new.
    pub(super) fn take(&mut self, key: &FlowKey, first_ns: u64) -> (Memo, bool) {
        if let Some(memo) = self.by_flow.get_mut(key) {
            let memo = std::mem::take(memo);
            self.release(key, memo.held());
            if memo.first_ns == first_ns {
                return (memo, false);
            }
            // The tuple was used again.
            self.incomplete += u64::from(memo.is_incomplete());
        } else if let Some((oldest, memo)) = self.by_flow.insert(&key.inside, *key, Memo::default())
        {
            self.release(&oldest, memo.held());
            self.incomplete += u64::from(memo.is_incomplete());
            if memo.said == Said::Nothing {
                self.lost = Some((oldest, memo.first_ns, memo.speaks));
            }
        }
        let memo = Memo {
            first_ns,
            ..Memo::default()
        };
        (memo, true)
    }

    pub(super) fn put(&mut self, key: FlowKey, memo: Memo) {
        let held = memo.held();
        if held > 0 {
            self.held += held;
            *self.by_client.entry(key.inside).or_default() += held;
        }
        if let Some(place) = self.by_flow.get_mut(&key) {
            *place = memo;
        }
    }

    /// Bytes held by the flows of a client.
    pub(super) fn held_by(&self, client: &[u8; 16]) -> usize {
        self.by_client.get(client).copied().unwrap_or(0)
    }

    fn release(&mut self, key: &FlowKey, held: usize) {
        release(&mut self.held, &mut self.by_client, key, held);
    }

    /// Forgets the flows that were silent since `before_ns`.
    pub(super) fn expire(&mut self, before_ns: u64) {
        let (held, by_client) = (&mut self.held, &mut self.by_client);
        let incomplete = &mut self.incomplete;
        self.by_flow.retain(|key, memo| {
            let keep = memo.last_ns >= before_ns;
            if !keep {
                release(held, by_client, key, memo.held());
                *incomplete += u64::from(memo.is_incomplete());
            }
            keep
        });
    }
}

/// Takes bytes off both accounts.
fn release(
    all: &mut usize,
    by_client: &mut HashMap<[u8; 16], usize, RandomState>,
    key: &FlowKey,
    held: usize,
) {
    if held == 0 {
        return;
    }
    *all -= held.min(*all);
    if let Some(client) = by_client.get_mut(&key.inside) {
        *client -= held.min(*client);
        if *client == 0 {
            by_client.remove(&key.inside);
        }
    }
}
