//! L2TP, versions 2 (RFC 2661) and 3 (RFC 3931), over UDP and over IP.

use crate::packet::link::{self, Network};
use crate::packet::u16_at;

/// A datagram on L2TP's port.
pub(super) fn over_udp(bytes: &[u8]) -> Option<Network<'_>> {
    const CONTROL: u16 = 0x8000;
    const VERSION: u16 = 0x000f;
    let flags = u16_at(bytes.get(..2)?, 0);
    match flags & VERSION {
        _ if flags & CONTROL != 0 => None,
        2 => version_2(bytes, flags),
        // All other bits are reserved, and so are two bytes more (section 4.1.2.1).
        3 if flags == 3 && u16_at(bytes.get(..4)?, 2) == 0 => session(bytes.get(4..)?),
        _ => None,
    }
}

/// An IP packet of L2TP version 3 (section 4.1.1): session 0 is its control connection.
pub(super) fn over_ip(bytes: &[u8]) -> Option<Network<'_>> {
    session(bytes)
}

/// Data messages of version 2 carry PPP (section 3.1).
fn version_2(bytes: &[u8], flags: u16) -> Option<Network<'_>> {
    let (length, sequence, offset) = (flags & 0x4000, flags & 0x0800, flags & 0x0200);
    // Tunnel and session, with the fields that the flags announce around them.
    let mut at = 6;
    at += if length == 0 { 0 } else { 2 };
    at += if sequence == 0 { 0 } else { 4 };
    if offset != 0 {
        at += 2 + usize::from(u16_at(bytes.get(..at + 2)?, at));
    }
    link::ppp(bytes.get(at..)?).ok()
}

/// A data message of version 3. Only the two ends know how long its cookie is (0, 4 or 8 bytes),
/// whether a sublayer of 4 bytes follows, and what is carried: it is read only when exactly one of
/// these leads to an IP packet that bears itself out.
fn session(bytes: &[u8]) -> Option<Network<'_>> {
    const LENGTHS: [usize; 4] = [0, 4, 8, 12];
    let (session, rest) = bytes.split_first_chunk::<4>()?;
    if *session == [0; 4] {
        return None;
    }
    let mut found = None;
    for length in LENGTHS {
        let Some(frame) = rest.get(length..) else {
            break;
        };
        for network in [link::ethernet(frame), link::ppp(frame)] {
            let Some(network) = network.ok().filter(is_sure) else {
                continue;
            };
            if found.replace(network).is_some() {
                return None;
            }
        }
    }
    found
}

/// Whether bytes are an IP packet beyond doubt: an IPv4 header whose checksum is right, or an IPv6
/// header that says how many bytes follow it, and no other number.
fn is_sure(network: &Network<'_>) -> bool {
    const SHORTEST_FRAME: usize = 46;
    match network {
        Network::V4(bytes) => {
            let header = usize::from(bytes.first().map_or(0, |first| first & 15)) * 4;
            let Some(header) = bytes.get(..header).filter(|header| header.len() >= 20) else {
                return false;
            };
            bytes[0] >> 4 == 4 && sums_up(header)
        }
        Network::V6(bytes) => {
            let Some(header) = bytes.first_chunk::<40>() else {
                return false;
            };
            let length = 40 + usize::from(u16_at(header, 4));
            // Short frames may be padded.
            let fits =
                length == bytes.len() || length < bytes.len() && bytes.len() <= SHORTEST_FRAME;
            header[0] >> 4 == 6 && fits
        }
        Network::Link(_) => false,
    }
}

/// RFC 1071.
fn sums_up(header: &[u8]) -> bool {
    let (pairs, _) = header.as_chunks::<2>();
    let sum: u32 = pairs
        .iter()
        .map(|pair| u32::from(u16::from_be_bytes(*pair)))
        .sum();
    (sum & 0xffff) + (sum >> 16) == 0xffff
}
