//! The namer over whole flows: QUIC, conversations before TLS, segments in any order.

use octroi_inspect::flow;
use octroi_inspect::name::{Heard, NameEvent, NameSource, Namer, NamerLimits, Sample};

const TCP: u8 = 6;
const UDP: u8 = 17;
const PORTS: [u16; 8] = [443, 80, 53, 25, 143, 5222, 500, 853];
const HELD_BYTES: usize = 4_096;

fn limits() -> NamerLimits {
    NamerLimits {
        flows: 4,
        total_bytes: HELD_BYTES,
        bindings: 8,
        services: 8,
        queries: 8,
        ..NamerLimits::default()
    }
}

/// A flow of the only client, with its own server for each number.
fn sample(protocol: u8, number: u8, payload: &[u8]) -> Sample<'_> {
    let server = [203, 0, 113, number & 3].into();
    let port = PORTS[usize::from(number >> 2 & 7)];
    let key = flow::key([10, 0, 0, 1].into(), server, protocol, 40_000, port);
    Sample {
        key,
        first_ns: 1,
        time_ns: 1_000_000_000,
        outbound: true,
        sequence: 0,
        tcp_flags: 0,
        payload,
        cut: false,
    }
}

struct Ear {
    namer: Namer,
    events: Vec<NameEvent>,
}

impl Ear {
    fn new() -> Self {
        Self {
            namer: Namer::new(limits()),
            events: Vec::new(),
        }
    }

    fn hear(&mut self, sample: &Sample<'_>) -> Heard {
        let before = self.events.len();
        let heard = self.namer.observe(sample, &mut self.events);
        let told = &self.events[before..];
        told.iter().for_each(crate::names::sound);
        let is_settling = told.iter().any(|event| {
            event.key == sample.key && !matches!(event.source, NameSource::Query | NameSource::Dns)
        });
        if is_settling && sample.outbound && sample.key.outside_port != 53 {
            assert_eq!(heard, Heard::Settled, "told, and not settled");
        }
        assert!(self.namer.stats().held_bytes <= HELD_BYTES as u64);
        heard
    }

    fn finish(mut self) {
        self.namer.expire(u64::MAX);
        let stats = self.namer.stats();
        assert_eq!((stats.held_bytes, stats.flows, stats.bindings), (0, 0, 0));
    }
}

/// Pieces behind their 16-bit lengths; the last one may be shorter.
fn pieces(mut data: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, rest) = data.split_first_chunk::<2>()?;
        let length = usize::from(u16::from_be_bytes(*length)).min(rest.len());
        let (piece, rest) = rest.split_at(length);
        data = rest;
        Some(piece)
    })
}

/// Datagrams of one client, behind their lengths: QUIC, and what else a namer takes for it.
///
/// # Panics
/// When a promise is broken.
pub fn quic(data: &[u8]) {
    let mut ear = Ear::new();
    for datagram in pieces(data) {
        ear.hear(&sample(UDP, 0, datagram));
    }
    ear.finish();
}

/// A client's stream, in pieces of the length that the first byte says: what is told does not
/// depend on where it is cut.
///
/// # Panics
/// When a promise is broken.
pub fn starttls(data: &[u8]) {
    let Some((&size, stream)) = data.split_first() else {
        return;
    };
    if stream.len() > HELD_BYTES / 2 {
        return;
    }
    let told = |size: usize| {
        let mut ear = Ear::new();
        let syn = Sample {
            tcp_flags: 2,
            sequence: u32::MAX - 9,
            ..sample(TCP, 12, &[])
        };
        ear.hear(&syn);
        let mut sequence = u32::MAX - 8;
        let mut last = Heard::Talk;
        for chunk in stream.chunks(size.max(1)) {
            let part = Sample {
                sequence,
                ..sample(TCP, 12, chunk)
            };
            let heard = ear.hear(&part);
            assert!(
                last != Heard::Settled || heard == Heard::Settled,
                "unsettled"
            );
            last = heard;
            sequence = sequence.wrapping_add(u32::try_from(chunk.len()).unwrap_or(0));
        }
        let first = ear
            .events
            .first()
            .map(|event| (event.source, event.name.clone()));
        ear.finish();
        first
    };
    let whole = told(stream.len());
    let cut = told(usize::from(size));
    // A stretch that begins with a start of its own is read anew: only the first name is compared.
    if let (Some((NameSource::Sni, whole)), Some((NameSource::Sni, cut))) = (&whole, &cut) {
        assert_eq!(whole, cut, "cut every {size} bytes");
    }
}

/// Samples of several flows, as they are described: flow, flags, place, length, bytes.
///
/// # Panics
/// When a promise is broken.
pub fn namer(mut data: &[u8]) {
    let mut ear = Ear::new();
    while let Some((head, rest)) = data.split_first_chunk::<7>() {
        let [number, flags, tcp_flags, a, b, c, d] = *head;
        let length = usize::from(u16::from_be_bytes([c, d])).min(rest.len());
        let (payload, rest) = rest.split_at(length);
        data = rest;
        let described = Sample {
            outbound: flags & 1 == 0,
            cut: flags & 2 != 0,
            first_ns: u64::from(flags >> 6),
            sequence: u32::from(u16::from_be_bytes([a, b])),
            tcp_flags,
            ..sample(if flags & 4 == 0 { TCP } else { UDP }, number, payload)
        };
        ear.hear(&described);
    }
    ear.finish();
}
