//! Packets: link headers, IP, tunnels and fragments.

use octroi_inspect::capture::LinkType;
use octroi_inspect::flow::FragmentTable;
use octroi_inspect::packet::{self, Parsed, tunnel};

/// Link types that are read, and one that is not.
const LINKS: [LinkType; 16] = [
    LinkType::ETHERNET,
    LinkType::RAW,
    LinkType::RAW_BSD,
    LinkType::RAW_OPENBSD,
    LinkType::IPV4,
    LinkType::IPV6,
    LinkType::NULL,
    LinkType::LOOP,
    LinkType::LINUX_SLL,
    LinkType::LINUX_SLL2,
    LinkType::PPP,
    LinkType::PPP_HDLC,
    LinkType::C_HDLC,
    LinkType::PPP_ETHER,
    LinkType::IPOIB,
    LinkType(65_535),
];

/// What holds for every packet that was read.
fn sound(parsed: &Parsed<'_>, data: &[u8]) {
    assert!(parsed.payload.len() <= data.len(), "payload from nowhere");
    assert_eq!(
        parsed.source.is_ipv4(),
        parsed.destination.is_ipv4(),
        "two families"
    );
    assert!(parsed.tcp.is_none() || parsed.icmp.is_none());
    if !parsed.payload.is_empty() {
        let range = data.as_ptr_range();
        assert!(range.contains(&parsed.payload.as_ptr()), "another buffer");
    }
}

/// A packet; the first byte chooses the link type, the second how much more was on the wire.
///
/// # Panics
/// When a promise is broken.
pub fn packet(data: &[u8]) {
    let Some((&[link, more], data)) = data.split_first_chunk::<2>() else {
        return;
    };
    let link = LINKS[usize::from(link) % LINKS.len()];
    let wire = u32::try_from(data.len() + usize::from(more) * 16).unwrap_or(u32::MAX);
    if let Ok(parsed) = packet::parse_captured(link, data, wire) {
        sound(&parsed, data);
        inner(parsed, data);
    }
}

/// A raw IP packet and what is inside of it.
///
/// # Panics
/// When a promise is broken.
pub fn tunnel(data: &[u8]) {
    if let Ok(parsed) = packet::parse(LinkType::RAW, data) {
        inner(parsed, data);
    }
}

fn inner(mut parsed: Parsed<'_>, data: &[u8]) {
    for _ in 0..tunnel::MAX_DEPTH {
        let Some(next) = tunnel::inside(&parsed) else {
            return;
        };
        sound(&next, data);
        parsed = next;
    }
}

/// Raw IP packets behind their 16-bit lengths, through one table of fragments.
///
/// # Panics
/// When a promise is broken.
pub fn fragment(mut data: &[u8]) {
    let mut table = FragmentTable::new(4);
    while let Some((length, rest)) = data.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length)).min(rest.len());
        let (bytes, rest) = rest.split_at(length);
        data = rest;
        let Ok(mut parsed) = packet::parse(LinkType::RAW, bytes) else {
            continue;
        };
        let before = parsed;
        if table.resolve(&mut parsed, 1).is_ok() {
            assert_eq!(parsed.payload, before.payload);
            assert!(
                parsed.fragment.is_some() || parsed == before,
                "a whole packet was changed"
            );
        }
    }
}
