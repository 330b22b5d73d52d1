//! A client's stream in segments of any size and order, with copies and overlaps: one name, or none.

use super::heard::{Ear, syn};
use super::*;

/// A client's stream, and what it is named.
fn streams() -> Vec<(u16, Vec<u8>, &'static str)> {
    let classic = hello("classic.example");
    let long = hello_message(Some("quantum.example"), &["h2", "http/1.1"], true, 1_640);
    let talk = [b"EHLO me\r\nSTARTTLS\r\n", &hello("mail.example")[..]].concat();
    let request = b"GET /a HTTP/1.1\r\nAccept: */*\r\nHost: web.example\r\n\r\n".to_vec();
    let mut http2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    http2.extend([0, 0, 16, 1, 5, 0, 0, 0, 1, 0x82, 0x86, 0x84, 0x41, 11]);
    http2.extend(b"two.example");
    vec![
        (443, classic, "classic.example"),
        (443, records(&long, 16_384), "quantum.example"),
        (443, records(&long, 500), "quantum.example"),
        (25, talk, "mail.example"),
        (80, request, "web.example"),
        (80, http2, "two.example"),
    ]
}

proptest! {
    #[test]
    fn any_segments_give_the_name_once(
        which in 0_usize..6,
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..12),
        extra in proptest::collection::vec(
            (any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..6),
        order in any::<u64>(),
        start in any::<u32>(),
    ) {
        let (port, stream, expected) = streams().swap_remove(which);
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len())).collect();
        ends.extend([0, stream.len()]);
        ends.sort_unstable();
        ends.dedup();
        let mut pieces: Vec<(usize, usize)> = ends.windows(2).map(|ends| (ends[0], ends[1])).collect();
        for (from, to) in extra {
            let (from, to) = (from.index(stream.len()), to.index(stream.len()));
            if from < to {
                pieces.push((from, to));
            }
        }
        let count = u64::try_from(pieces.len()).unwrap();
        for index in 0..pieces.len() {
            let other = order.rotate_left(u32::try_from(index).unwrap()) % count;
            pieces.swap(index, usize::try_from(other).unwrap());
        }
        let flow = key(protocol::TCP, 5000, port);
        let mut ear = Ear::new();
        ear.hear(&syn(flow, start));
        let mut named = false;
        for (from, to) in pieces {
            let sequence = start.wrapping_add(1).wrapping_add(u32::try_from(from).unwrap());
            let heard = ear.hear(&sample(flow, sequence, &stream[from..to]));
            let told = ear.told();
            prop_assert!(told.len() <= 1, "{told:?}");
            for (name, ..) in told {
                prop_assert_eq!(&name, expected);
                prop_assert!(!named, "told twice");
                named = true;
            }
            prop_assert_eq!(heard == Heard::Settled, named);
        }
        prop_assert!(named);
        // A copy of a request's first bytes may begin another request.
        prop_assert!(ear.namer.stats().held_bytes == 0 || port == 80);
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
