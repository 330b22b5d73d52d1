//! A client's stream in segments of any size and order, with copies and overlaps: one name, or none.

use super::heard::{Ear, syn};
use super::*;
use crate::testing::{in_prelogin, prelogin, start_tls};

/// A client's stream, and what it is named.
fn streams() -> Vec<(u16, Vec<u8>, &'static str)> {
    let classic = hello("classic.example");
    let long = hello_message(Some("quantum.example"), &["h2", "http/1.1"], true, 1_640);
    let talk = [b"EHLO me\r\nSTARTTLS\r\n", &hello("mail.example")[..]].concat();
    let directory = [start_tls(true), hello("ldap.example")].concat();
    let database = [prelogin(), in_prelogin(&hello("sql.example"))].concat();
    let request = b"GET /a HTTP/1.1\r\nAccept: */*\r\nHost: web.example\r\n\r\n".to_vec();
    let mut http2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    http2.extend([0, 0, 16, 1, 5, 0, 0, 0, 1, 0x82, 0x86, 0x84, 0x41, 11]);
    http2.extend(b"two.example");
    let query = dns(7, false, ("asked.example", 1), &[]);
    let query = [
        &u16::try_from(query.len()).unwrap().to_be_bytes()[..],
        &query,
    ]
    .concat();
    vec![
        (443, classic, "classic.example"),
        (443, records(&long, 16_384), "quantum.example"),
        (443, records(&long, 500), "quantum.example"),
        (25, talk, "mail.example"),
        (389, directory, "ldap.example"),
        (1433, database, "sql.example"),
        (80, request, "web.example"),
        (80, http2, "two.example"),
        (53, query, "asked.example"),
    ]
}
const STREAMS: usize = 9;

/// A stream in pieces that were cut somewhere, and more pieces beside them.
fn pieces(
    length: usize,
    cuts: &[prop::sample::Index],
    extra: &[(prop::sample::Index, prop::sample::Index)],
) -> Vec<(usize, usize)> {
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(length)).collect();
    ends.extend([0, length]);
    ends.sort_unstable();
    ends.dedup();
    let mut pieces: Vec<(usize, usize)> = ends.windows(2).map(|ends| (ends[0], ends[1])).collect();
    for (from, to) in extra {
        let (from, to) = (from.index(length), to.index(length));
        if from < to {
            pieces.push((from, to));
        }
    }
    pieces
}

fn shuffle<T>(pieces: &mut [T], order: u64) {
    let count = u64::try_from(pieces.len()).unwrap();
    for index in 0..pieces.len() {
        let other = order.rotate_left(u32::try_from(index).unwrap()) % count;
        pieces.swap(index, usize::try_from(other).unwrap());
    }
}

/// The names that a stream says when it comes in one piece.
fn said_by(flow: FlowKey, stream: &[u8]) -> Vec<String> {
    let mut ear = Ear::new();
    ear.hear(&syn(flow, 9));
    ear.hear(&sample(flow, 10, stream));
    names_told(&mut ear)
}

fn names_told(ear: &mut Ear) -> Vec<String> {
    let told = ear.told().into_iter();
    told.filter(|(_, source, _)| *source != NameSource::Nameless)
        .map(|(name, ..)| name)
        .collect()
}

proptest! {
    #[test]
    fn any_segments_give_the_name_once(
        which in 0_usize..STREAMS,
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..12),
        extra in proptest::collection::vec(
            (any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..6),
        order in any::<u64>(),
        start in any::<u32>(),
    ) {
        let (port, stream, expected) = streams().swap_remove(which);
        let mut pieces = pieces(stream.len(), &cuts, &extra);
        shuffle(&mut pieces, order);
        let flow = key(protocol::TCP, 5000, port);
        let mut ear = Ear::new();
        ear.hear(&syn(flow, start));
        let mut named = false;
        for (from, to) in pieces {
            let sequence = start.wrapping_add(1).wrapping_add(u32::try_from(from).unwrap());
            let heard = ear.hear(&sample(flow, sequence, &stream[from..to]));
            let told = names_told(&mut ear);
            prop_assert!(told.len() <= 1, "{told:?}");
            for name in told {
                prop_assert_eq!(&name, expected);
                prop_assert!(!named, "told twice");
                named = true;
            }
            prop_assert_eq!(heard == Heard::Settled, named);
        }
        prop_assert!(named);
        prop_assert_eq!(ear.namer.stats().held_bytes, 0);
    }

    /// One piece says something else than the others, wherever it lies and whenever it comes: the
    /// flow has one name at most, and that is the one which a server reads that takes what came
    /// first.
    #[test]
    fn a_piece_that_lies_gives_no_wrong_name(
        which in 0_usize..STREAMS,
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..8),
        extra in proptest::collection::vec(
            (any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..4),
        lie in (any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<prop::sample::Index>()),
        mask in 1_u8..,
        order in any::<u64>(),
        with_syn in any::<bool>(),
    ) {
        let (port, stream, _) = streams().swap_remove(which);
        let ends = [lie.0.index(stream.len()), lie.1.index(stream.len())];
        let (from, to) = (ends[0].min(ends[1]), ends[0].max(ends[1]) + 1);
        let mut other = stream.clone();
        other[from + lie.2.index(to - from)] ^= mask;
        let mut pieces: Vec<(usize, usize, &[u8])> = pieces(stream.len(), &cuts, &extra)
            .into_iter()
            .map(|(from, to)| (from, to, &stream[..]))
            .collect();
        pieces.push((from, to, &other));
        shuffle(&mut pieces, order);
        let mut first = vec![None; stream.len()];
        for (from, to, source) in &pieces {
            for at in *from..*to {
                first[at].get_or_insert(source[at]);
            }
        }
        let first: Vec<u8> = first.into_iter().flatten().collect();
        let flow = key(protocol::TCP, 5000, port);
        // A hello behind words that cannot be read is one, too.
        let start = b"\x16\x03\x01";
        let handshake = first.windows(3).position(|part| part == start).unwrap_or(0);
        let mut server = said_by(flow, &first);
        server.extend(said_by(flow, &first[handshake..]));
        let mut ear = Ear::new();
        if with_syn {
            ear.hear(&syn(flow, 9));
        }
        for (from, to, source) in &pieces {
            let sequence = 10 + u32::try_from(*from).unwrap();
            ear.hear(&sample(flow, sequence, &source[*from..*to]));
        }
        let told = names_told(&mut ear);
        prop_assert!(told.len() <= 1, "{told:?}");
        prop_assert!(told.iter().all(|name| server.contains(name)), "{told:?} {server:?}");
    }

    /// One bit is another one in a copy of a part of the stream: its name, or none; never another.
    #[test]
    fn a_copy_that_differs_gives_no_other_name(
        cut in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        bit in 0_u8..8,
        copy_first in any::<bool>(),
    ) {
        let stream = hello("classic.example");
        let cut = cut.index(stream.len() - 1) + 1;
        let mut copy = stream[cut..].to_vec();
        prop_assume!(!copy.is_empty());
        let at = at.index(copy.len());
        copy[at] ^= 1 << bit;
        let flow = key(protocol::TCP, 5000, 443);
        let mut ear = Ear::new();
        ear.hear(&syn(flow, 9));
        let tail = 10 + u32::try_from(cut).unwrap();
        let parts = if copy_first {
            [(tail, &copy[..]), (tail, &stream[cut..]), (10, &stream[..cut])]
        } else {
            [(tail, &stream[cut..]), (tail, &copy[..]), (10, &stream[..cut])]
        };
        for (sequence, bytes) in parts {
            ear.hear(&sample(flow, sequence, bytes));
        }
        for (name, source, _) in ear.told() {
            prop_assert!(source == NameSource::Nameless, "{name}");
        }
        prop_assert_eq!(ear.namer.stats().streams_contradicted, 1);
    }
}
