//! TCP: where a hello or a request begins, and putting it together.

use super::{Namer, PORT_DNS, Told};
use crate::name::assembler::Assembler;
use crate::name::memo::{Kind, Memo, Side, Stream};
use crate::name::tls::{self, ClientHello, Progress};
use crate::name::{AppProtocol, Head, NameEvent, NameSource, Sample, http};

/// Segments, and bytes of them, held of one direction while its start is waited for.
const MAX_WAITING: usize = 6;
const MAX_WAITING_BYTES: usize = 12_288;

impl Namer {
    pub(super) fn segment(
        &mut self,
        sample: &Sample<'_>,
        memo: &mut Memo,
        out: &mut Vec<NameEvent>,
    ) {
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
                None => Self::hold(side, sample),
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
            bytes: Assembler::default(),
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
