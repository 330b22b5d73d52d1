//! TCP: where a hello or a request begins, and putting it together.

use super::order::{end_of, in_stream, is_before, unread};
use super::{Namer, PORT_DNS, State, Told};
use crate::name::assembler::Refused;
use crate::name::memo::{FirstByte, Kind, Memo, Side, Stream, Wants};
use crate::name::start::{self, Start};
use crate::name::talk::{self, Greeting, Words};
use crate::name::tls::server::{self, Shown};
use crate::name::tls::{self, ClientHello, Progress};
use crate::name::{AppProtocol, Head, NameEvent, NameSource, Sample, http, http2};

/// Segments, and bytes of them, held of one direction while its start is waited for.
const MAX_WAITING: usize = 6;
const MAX_WAITING_BYTES: usize = 12_288;
/// Most lines of a conversation before its handshake.
const MAX_LINES: u16 = 64;

impl Namer {
    pub(super) fn segment(
        &mut self,
        sample: &Sample<'_>,
        memo: &mut Memo,
        out: &mut Vec<NameEvent>,
    ) -> State {
        let Some(sample) = in_stream(sample, memo) else {
            return State::Talk;
        };
        let Some(sample) = &unread(sample, memo) else {
            return State::Silent;
        };
        let side = std::mem::take(&mut memo.sides[usize::from(sample.outbound)]);
        let side = match side {
            Side::Done => Side::Done,
            Side::Fresh | Side::Waiting(_) | Side::Middle
                if !sample.outbound
                    && memo.wants != Wants::Nothing
                    && server::begins(sample.payload) =>
            {
                let stream = Box::new(Stream::new(Kind::Server, sample.sequence));
                self.go_on(stream, sample, memo, out)
            }
            // A server's word before its handshake (one byte of PostgreSQL's) begins nothing.
            Side::Reading(stream)
                if stream.kind == Kind::Start
                    && !sample.outbound
                    && memo.wants != Wants::Nothing
                    && server::begins(sample.payload) =>
            {
                let stream = Box::new(Stream::new(Kind::Server, sample.sequence));
                self.go_on(stream, sample, memo, out)
            }
            Side::Reading(stream)
                if stream.kind == Kind::Start && is_before(sample.sequence, stream.start) =>
            {
                // What was held is no start: this segment was overtaken by it.
                self.begin(Side::Waiting(stream.into_segments()), sample, memo, out)
            }
            Side::Reading(stream) => self.go_on(stream, sample, memo, out),
            side => self.begin(side, sample, memo, out),
        };
        let state = match &side {
            _ if !sample.outbound => State::Talk,
            Side::Reading(stream) => match stream.kind {
                Kind::Talk(_) if stream.bytes.held() == 0 => State::Talk,
                Kind::Dns if stream.bytes.held() == 0 => State::Silent,
                _ => State::Open,
            },
            _ => State::Silent,
        };
        memo.sides[usize::from(sample.outbound)] = side;
        // The server answers a hello that it has whole: what is missing here will not come.
        let other = &mut memo.sides[usize::from(!sample.outbound)];
        if let Side::Reading(stream) = other
            && stream.kind == Kind::Tls
            && stream.partial.name.is_some()
            && tls::is_record(sample.payload)
            && let Side::Reading(stream) = std::mem::replace(other, Side::Done)
        {
            self.give_up(&stream, sample, memo, out);
        }
        state
    }

    /// A segment of a direction in which nothing is being put together.
    fn begin(
        &mut self,
        side: Side,
        sample: &Sample<'_>,
        memo: &mut Memo,
        out: &mut Vec<NameEvent>,
    ) -> Side {
        let is_first = matches!(side, Side::Fresh | Side::Waiting(_));
        if !sample.outbound && matches!(side, Side::Fresh) && memo.greeting.is_none() {
            memo.greeting = talk::greeting(sample.payload);
            if memo.greeting.is_some() {
                return Side::Middle;
            }
        }
        match (&side, sample.outbound, memo.first_byte) {
            (Side::Fresh, true, FirstByte::At(first)) if sample.sequence != first => {
                // It overtook the start of the stream.
                return self.go_on(Box::new(Stream::new(Kind::Start, first)), sample, memo, out);
            }
            (Side::Fresh, true, FirstByte::Contradicted) => {
                self.stats.streams_contradicted += 1;
                return Side::Middle;
            }
            _ => {}
        }
        let kind = match kind_of(sample, sample.payload, is_first) {
            Start::Is(kind) => kind,
            Start::More => Kind::Start,
            Start::Speaks(protocol) => {
                note(memo, protocol);
                memo.read(sample, end_of(sample));
                return Side::Middle;
            }
            Start::Not => {
                if sample.outbound
                    && let Some(greeting) = memo.greeting
                    && let Some(protocol) = talk::answers(greeting, sample.payload)
                {
                    note(memo, protocol);
                    memo.read(sample, end_of(sample));
                    return Side::Middle;
                }
                if sample.outbound && memo.first_byte != FirstByte::Unknown {
                    if is_first {
                        memo.read(sample, end_of(sample));
                    }
                    return Side::Middle;
                }
                let is_waiting = matches!(side, Side::Fresh | Side::Waiting(_));
                let ends = side.ends();
                let side = hold(side, sample);
                if is_waiting && matches!(side, Side::Middle) {
                    self.stats.starts_missed += 1;
                    // What was held cannot be compared any more: a start that comes now and reaches
                    // into it may be another one than the server read.
                    for end in ends.into_iter().chain([end_of(sample)]) {
                        memo.read(sample, end);
                    }
                }
                return side;
            }
        };
        if kind == Kind::Tls
            && !matches!(side, Side::Waiting(_))
            && let Progress::Whole(hello) = tls::client_hello(sample.payload)
        {
            // The usual hello: nothing is copied.
            self.hello(sample, memo, hello, AppProtocol::Tls, out);
            return Side::Done;
        }
        let mut stream = Box::new(Stream::new(kind, sample.sequence));
        if let Side::Waiting(segments) = side {
            for (sequence, bytes) in segments {
                // What lies before the start may reach beyond it.
                let is_earlier = is_before(sequence, stream.start);
                let (offset, reach) = if is_earlier {
                    let ahead = stream.start.wrapping_sub(sequence) as usize;
                    (0, bytes.get(ahead..).unwrap_or(&[]))
                } else {
                    (sequence.wrapping_sub(stream.start) as usize, &bytes[..])
                };
                let inserted = stream.bytes.insert(offset, reach, self.limits.stream_bytes);
                if inserted == Err(Refused::Contradicts) {
                    return self.contradicted(&stream, sample, memo);
                }
                // This stretch may turn out to be no start.
                if is_earlier || inserted == Err(Refused::TooLong) {
                    stream.earlier.push((sequence, bytes));
                }
            }
        }
        if kind != Kind::Start {
            stream.earlier = Vec::new();
        }
        self.go_on(stream, sample, memo, out)
    }

    /// Adds a segment to its stream, and reads that as far as it goes.
    fn go_on(
        &mut self,
        mut stream: Box<Stream>,
        sample: &Sample<'_>,
        memo: &mut Memo,
        out: &mut Vec<NameEvent>,
    ) -> Side {
        let mut payload = sample.payload;
        let mut offset = sample.sequence.wrapping_sub(stream.start);
        if offset > u32::MAX / 2 {
            // It begins before the start, which may be a retransmission that reaches beyond it.
            payload = payload.get(offset.wrapping_neg() as usize..).unwrap_or(&[]);
            offset = 0;
        }
        let inserted = stream
            .bytes
            .insert(offset as usize, payload, self.limits.stream_bytes);
        match inserted {
            Ok(()) => {
                memo.read(sample, stream.end());
                self.advance(stream, sample, memo, out)
            }
            Err(Refused::TooLong) => {
                self.stats.streams_too_long += 1;
                self.give_up(&stream, sample, memo, out);
                Side::Middle
            }
            Err(Refused::Contradicts) => self.contradicted(&stream, sample, memo),
        }
    }

    /// Pieces of a stream contradict each other: nothing that they may have said is read.
    fn contradicted(&mut self, stream: &Stream, sample: &Sample<'_>, memo: &mut Memo) -> Side {
        self.stats.streams_contradicted += 1;
        memo.read(sample, stream.end_of_all());
        memo.read(sample, end_of(sample));
        // Where the next message of DNS begins is not known.
        if stream.kind == Kind::Dns {
            Side::Done
        } else {
            Side::Middle
        }
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
            Kind::Start => match kind_of(sample, stream.bytes.data(), true) {
                Start::Is(kind) => {
                    stream.kind = kind;
                    stream.earlier = Vec::new();
                    self.advance(stream, sample, memo, out)
                }
                Start::More if !sample.cut => Side::Reading(stream),
                Start::Speaks(protocol) => {
                    note(memo, protocol);
                    Side::Middle
                }
                Start::More | Start::Not => Side::Middle,
            },
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
            Kind::Server => {
                let shown = server::certificate(stream.bytes.data());
                match shown {
                    Shown::More if !sample.cut => return Side::Reading(stream),
                    Shown::Leaf(der) => self.certificate(sample, memo, &der, out),
                    Shown::More | Shown::Nothing => {}
                }
                memo.wants = Wants::Nothing;
                Side::Done
            }
            Kind::Http => {
                let bytes = stream.bytes.data();
                let read = (http::request_head(bytes), http::speaks(bytes));
                self.request(read, stream, sample, memo, out)
            }
            Kind::Http2 => {
                let read = http2::first_request(stream.bytes.data());
                self.request(read, stream, sample, memo, out)
            }
            Kind::Dns => self.dns_stream(stream, sample, memo, out),
            Kind::Talk(protocol) => self.talk(stream, protocol, sample, memo, out),
        }
    }

    fn request(
        &mut self,
        (head, speaks): (Head, AppProtocol),
        stream: Box<Stream>,
        sample: &Sample<'_>,
        memo: &mut Memo,
        out: &mut Vec<NameEvent>,
    ) -> Side {
        match head {
            Head::Host(name) => {
                note(memo, speaks);
                let told = Told {
                    name,
                    source: NameSource::Host,
                    protocol: memo.speaks,
                    hello: ClientHello::default(),
                };
                self.tell(sample, memo, told, out);
                Side::Middle
            }
            Head::InvalidHost => {
                note(memo, speaks);
                self.stats.invalid_names += 1;
                Side::Middle
            }
            Head::More if !sample.cut => Side::Reading(stream),
            Head::WithoutHost => {
                note(memo, speaks);
                Side::Middle
            }
            Head::More | Head::Not => {
                self.stats.streams_malformed += u64::from(head == Head::Not);
                Side::Middle
            }
        }
    }

    /// Lines of a conversation, up to the handshake they ask for.
    fn talk(
        &mut self,
        mut stream: Box<Stream>,
        mut protocol: AppProtocol,
        sample: &Sample<'_>,
        memo: &mut Memo,
        out: &mut Vec<NameEvent>,
    ) -> Side {
        if let (AppProtocol::Unknown, Some(Greeting::Of(greeted))) = (protocol, memo.greeting) {
            protocol = greeted;
            stream.kind = Kind::Talk(greeted);
        }
        note(memo, protocol);
        loop {
            if tls::may_begin(stream.bytes.data()) {
                if stream.bytes.data().len() < tls::START_BYTES {
                    return Side::Reading(stream);
                }
                stream.kind = Kind::Tls;
                return self.advance(stream, sample, memo, out);
            }
            match talk::words(protocol, stream.bytes.data()) {
                Words::Before(count) if stream.lines < MAX_LINES => {
                    stream.lines += 1;
                    stream.consume(count);
                }
                Words::Before(_) => {
                    self.stats.streams_too_long += 1;
                    return Side::Middle;
                }
                Words::Clear => return Side::Middle,
                Words::More if sample.cut => return Side::Middle,
                Words::More => return Side::Reading(stream),
            }
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
}

/// Notes what is spoken, when that is not known yet.
fn note(memo: &mut Memo, protocol: AppProtocol) {
    if memo.speaks == AppProtocol::Unknown {
        memo.speaks = protocol;
    }
}

/// Holds a segment that may belong behind a start that is still to come.
fn hold(side: Side, sample: &Sample<'_>) -> Side {
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
    {
        return Side::Middle;
    }
    segments.push((sample.sequence, sample.payload.into()));
    Side::Waiting(segments)
}

/// What the first bytes of a stretch begin, when that can be told.
fn kind_of(sample: &Sample<'_>, bytes: &[u8], is_first: bool) -> Start {
    if [sample.key.inside_port, sample.key.outside_port].contains(&PORT_DNS) {
        // Other protocols hide there: the first bytes of these are no length of a query.
        return match start::of(bytes, false) {
            _ if bytes.is_empty() => Start::More,
            known @ (Start::Is(_) | Start::More) if is_first && sample.outbound => known,
            _ => Start::Is(Kind::Dns),
        };
    }
    start::of(bytes, is_first)
}
