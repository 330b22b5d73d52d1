//! Fragments: the later ones follow the first, and each byte of a datagram passes once.

use octroi_abi::opaque::Opaque;
use octroi_abi::outcome::Outcome;

use crate::common::frames::{INSIDE_V4, INSIDE_V6, SYN, TCP, UDP, V4, ethernet, key, tcp, udp, v6};
use crate::common::{self};
use crate::shapes::{ALLOWED_V4, ALLOWED_V6, BLOCKED_V4, PASSED, dropped, shape};

pub(crate) fn fragment_v4(
    destination: &str,
    identification: u16,
    offset: u16,
    more: bool,
    payload: &[u8],
) -> Vec<u8> {
    let mut packet = V4::new(INSIDE_V4, destination, UDP, payload.to_vec());
    (packet.identification, packet.offset, packet.more) = (identification, offset, more);
    packet.frame()
}

#[test]
fn later_fragments_follow_the_first() {
    if common::skipped() {
        return;
    }
    let rig = common::rig();
    let first = |bytes: usize| {
        let mut datagram = udp(1, 53, &vec![0; bytes - 8]);
        datagram[4..6].copy_from_slice(&200_u16.to_be_bytes());
        datagram
    };
    let lost = fragment_v4(ALLOWED_V4, 1, 64, false, &[0; 40]);
    assert_eq!(shape(&rig, &lost), dropped(Opaque::FragmentWithoutFirst));
    assert_eq!(
        shape(&rig, &fragment_v4(ALLOWED_V4, 2, 0, true, &first(64))),
        PASSED
    );
    assert_eq!(
        shape(&rig, &fragment_v4(ALLOWED_V4, 2, 64, true, &[0; 64])),
        PASSED
    );
    assert_eq!(
        shape(&rig, &fragment_v4(ALLOWED_V4, 2, 128, false, &[0; 72])),
        PASSED
    );
    let state = rig.flow(&key(ALLOWED_V4, 1, 53, UDP)).unwrap();
    assert_eq!(state.outbound_packets, 3, "one flow");
    // Another identification, another datagram.
    let other = fragment_v4(ALLOWED_V4, 3, 64, false, &[0; 40]);
    assert_eq!(shape(&rig, &other), dropped(Opaque::FragmentWithoutFirst));
    // A stopped first fragment stops the later ones.
    assert_eq!(
        shape(&rig, &fragment_v4(BLOCKED_V4, 4, 0, true, &first(64))).0,
        Outcome::Blocked
    );
    assert_eq!(
        shape(&rig, &fragment_v4(BLOCKED_V4, 4, 64, false, &[0; 40])).0,
        Outcome::Blocked
    );
    // Too small for its transport header (RFC 1858).
    let mut tiny = V4::new(
        INSIDE_V4,
        ALLOWED_V4,
        TCP,
        tcp(1, 443, SYN, b"")[..16].to_vec(),
    );
    tiny.more = true;
    assert_eq!(shape(&rig, &tiny.frame()), dropped(Opaque::FragmentTiny));
    // Beginning inside the TCP header (RFC 3128), with and without its first.
    let mut overlap = V4::new(INSIDE_V4, ALLOWED_V4, TCP, vec![0; 24]);
    (overlap.offset, overlap.identification) = (8, 9);
    assert_eq!(
        shape(&rig, &overlap.frame()),
        dropped(Opaque::FragmentOverlapping)
    );
    // Longer than any datagram can be.
    let beyond = fragment_v4(ALLOWED_V4, 2, 65_528, false, &[0; 72]);
    assert_eq!(shape(&rig, &beyond), dropped(Opaque::Malformed));
}

#[test]
fn each_byte_of_a_datagram_passes_once() {
    if common::skipped() {
        return;
    }
    let rig = common::rig();
    let head = |bytes: usize| {
        let mut datagram = udp(1, 53, &vec![0; bytes - 8]);
        datagram[4..6].copy_from_slice(&4_000_u16.to_be_bytes());
        datagram
    };
    // Numbers of their own: other tests share the table.
    let piece = |number: u16, offset, more, bytes: usize| {
        let number = 1_000 + number;
        let payload = if offset == 0 {
            head(bytes)
        } else {
            vec![7; bytes]
        };
        shape(
            &rig,
            &fragment_v4(ALLOWED_V4, number, offset, more, &payload),
        )
    };
    let overlapping = dropped(Opaque::FragmentOverlapping);
    // In any order, with a gap of words in between: whole again.
    assert_eq!(piece(1, 0, true, 1_400), PASSED);
    assert_eq!(piece(1, 2_800, false, 333), PASSED);
    assert_eq!(piece(1, 1_400, true, 1_400), PASSED);
    // A duplicate is not passed on, and spoils nothing; the datagram is over, its number is free.
    assert_eq!(piece(1, 1_400, true, 1_400), overlapping);
    assert_eq!(piece(1, 0, true, 64), PASSED);
    assert_eq!(piece(1, 64, false, 8), PASSED);
    // A duplicate while it is not over.
    assert_eq!(piece(2, 0, true, 512), PASSED);
    assert_eq!(piece(2, 0, true, 512), overlapping);
    assert_eq!(piece(2, 8, true, 64), overlapping);
    assert_eq!(piece(2, 512, false, 8), PASSED);
    // One unit too many, before, behind, around; after that nothing.
    for (number, offset, bytes) in [(3, 504, 16), (4, 1_016, 16), (5, 504, 600)] {
        assert_eq!(piece(number, 0, true, 512), PASSED);
        assert_eq!(piece(number, 1_024, true, 512), PASSED);
        assert_eq!(piece(number, offset, true, bytes), overlapping, "{number}");
        assert_eq!(
            piece(number, 2_048, true, 8),
            overlapping,
            "{number} is spoiled"
        );
        assert_eq!(
            piece(number, 0, true, 512),
            overlapping,
            "{number} is spoiled"
        );
    }
    // Behind the end, or another end.
    assert_eq!(piece(6, 0, true, 512), PASSED);
    assert_eq!(piece(6, 1_024, false, 8), PASSED);
    assert_eq!(piece(6, 1_032, true, 8), overlapping);
    assert_eq!(piece(7, 0, true, 512), PASSED);
    assert_eq!(piece(7, 1_024, true, 8), PASSED);
    assert_eq!(piece(7, 512, false, 8), overlapping);
    // To the last byte of the longest datagram, an odd end.
    assert_eq!(piece(8, 0, true, 1_400), PASSED);
    assert_eq!(piece(8, 64_768, false, 747), PASSED);
    assert_eq!(piece(8, 64_760, true, 16), overlapping);
    // Not in units of eight bytes, or empty.
    assert_eq!(piece(9, 0, true, 100), dropped(Opaque::Malformed));
    assert_eq!(piece(2, 520, true, 0), dropped(Opaque::Malformed));
    // Replies are told apart from what goes out.
    let state = rig.flow(&key(ALLOWED_V4, 1, 53, UDP)).unwrap();
    assert_eq!(state.opaque, 0);
}

#[test]
fn ipv6_fragments_follow_the_first() {
    if common::skipped() {
        return;
    }
    let rig = common::rig();
    let fragment = |next: u8, identification: u32, offset: u16, more: bool, payload: &[u8]| {
        let mut bytes = vec![next, 0];
        bytes.extend_from_slice(&(offset | u16::from(more)).to_be_bytes());
        bytes.extend_from_slice(&identification.to_be_bytes());
        bytes.extend_from_slice(payload);
        shape(&rig, &ethernet(&v6(INSIDE_V6, ALLOWED_V6, 44, 64, &bytes)))
    };
    let segment = tcp(1, 443, SYN, &[0; 44]);
    assert_eq!(
        fragment(TCP, 1, 0, false, &segment),
        PASSED,
        "atomic (RFC 6946)"
    );
    assert_eq!(
        fragment(TCP, 2, 64, false, &[0; 16]),
        dropped(Opaque::FragmentWithoutFirst)
    );
    assert_eq!(fragment(TCP, 2, 0, true, &segment), PASSED);
    assert_eq!(fragment(TCP, 2, 64, false, &[0; 16]), PASSED);
    assert_eq!(
        fragment(TCP, 2, 16, false, &[0; 16]),
        dropped(Opaque::FragmentOverlapping)
    );
    assert_eq!(
        fragment(TCP, 3, 0, true, &segment[..16]),
        dropped(Opaque::FragmentTiny)
    );
    // A chain that does not fit into the first fragment (RFC 7112).
    let chain = [&[TCP, 1, 0, 0, 0, 0, 0, 0][..]].concat();
    assert_eq!(
        fragment(60, 4, 0, true, &chain),
        dropped(Opaque::FragmentTiny)
    );
    // A second fragment header.
    let nested = [&[TCP, 0, 0, 0, 0, 0, 0, 1][..], &segment].concat();
    assert_eq!(
        fragment(44, 5, 0, false, &nested),
        dropped(Opaque::FragmentNested)
    );
    // Options behind the fragment header: the end of the headers is remembered.
    let options = [&[TCP, 0, 1, 4, 0, 0, 0, 0][..], &segment].concat();
    assert_eq!(fragment(60, 6, 0, true, &options), PASSED);
    assert_eq!(
        fragment(60, 6, 24, false, &[0; 16]),
        dropped(Opaque::FragmentOverlapping)
    );
    assert_eq!(
        fragment(60, 6, 72, false, &[0; 16]),
        dropped(Opaque::FragmentOverlapping),
        "the datagram is spoiled: it ended at 40 and had 72 bytes"
    );
}
