//! Whether a held frame will be heard by who it is for. A client could say one name in a segment that its
//! server drops, and another one in the next, which is not held any more: what is read must be what
//! arrives.

use octroi_abi::event::HeldHeader;

use crate::answers::link_head;
use crate::checksum::{self, fold, sum};

const TCP: u8 = 6;
const TCP_SYN: u8 = 0x02;
const TCP_RST: u8 = 0x04;
const TCP_ACK: u8 = 0x10;
const IPV4_BYTES: usize = 20;
const UDP_BYTES: usize = 8;
/// Where the checksum stands in a UDP header.
const UDP_CHECKSUM: usize = 6;
/// Hosts send with 64 hops or more; with so few left a packet is made to die on its way.
const FEWEST_HOPS: u8 = 32;

/// Whether the receiver of a held frame (link header first; it may be cut) will take what it says: its checksums
/// are right, or left to the network card; it has hops to spare; and a TCP segment acknowledges, or opens.
#[must_use]
pub fn is_sound(header: &HeldHeader, frame: &[u8]) -> bool {
    let Some(network) = link_head(frame).map(<[u8]>::len) else {
        return false;
    };
    is_sound_ip(header.key.family, frame.get(network..).unwrap_or_default())
        && is_sound_tcp(header)
        && has_right_checksum(header, frame)
}

fn is_sound_ip(family: u8, packet: &[u8]) -> bool {
    if family != 4 {
        return packet.get(7).is_some_and(|&hops| hops >= FEWEST_HOPS);
    }
    let length = packet
        .first()
        .map_or(0, |first| usize::from(first & 15) * 4);
    let Some(header) = packet
        .get(..length)
        .filter(|header| header.len() >= IPV4_BYTES)
    else {
        return false;
    };
    header[8] >= FEWEST_HOPS && fold(sum(header)) == u16::MAX
}

/// A server drops a segment that neither opens nor acknowledges (RFC 9293 section 3.10.7.4).
fn is_sound_tcp(header: &HeldHeader) -> bool {
    let flags = header.tcp_flags;
    header.key.protocol != TCP
        || flags & TCP_RST == 0 && (flags & TCP_ACK != 0) != (flags & TCP_SYN != 0)
}

fn has_right_checksum(header: &HeldHeader, frame: &[u8]) -> bool {
    let payload = usize::from(header.payload);
    let start = if header.key.protocol == TCP {
        usize::from(header.transport)
    } else {
        payload.saturating_sub(UDP_BYTES)
    };
    if header.key.protocol == TCP && payload == 0 {
        // An opening: it says nothing.
        return true;
    }
    let end = payload + header.payload_bytes as usize;
    let Some(segment) = frame.get(start..end) else {
        // Cut: what was merged on this host was never summed.
        return checksum::is_unfinished(header, frame);
    };
    if header.key.protocol != TCP
        && header.key.family == 4
        && segment.get(UDP_CHECKSUM..UDP_BYTES) == Some(&[0, 0])
    {
        return true;
    }
    let pseudo = checksum::pseudo(header, segment.len());
    let found = fold(pseudo + sum(segment));
    found == u16::MAX || checksum::is_unfinished(header, frame)
}

#[cfg(test)]
mod tests {
    use octroi_abi::flow::FlowKey;

    use super::*;

    /// A TCP segment over IPv4 from 10.0.0.1 to 10.0.0.2, whole and right.
    fn segment(payload: &[u8]) -> (HeldHeader, Vec<u8>) {
        let mapped = |last: u8| [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, last];
        let total = u16::try_from(40 + payload.len()).unwrap();
        let mut frame = vec![2; 12];
        frame.extend_from_slice(&[8, 0, 0x45, 0]);
        frame.extend_from_slice(&total.to_be_bytes());
        frame.extend_from_slice(&[0, 1, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
        frame.extend_from_slice(&[
            0x9c, 0x40, 1, 0xbb, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x18, 1, 0,
        ]);
        frame.extend_from_slice(&[0, 0, 0, 0]);
        frame.extend_from_slice(payload);
        let length = u32::try_from(frame.len()).unwrap();
        let header = HeldHeader {
            time_ns: 0,
            key: FlowKey {
                inside: mapped(1),
                outside: mapped(2),
                inside_port: 40_000,
                outside_port: 443,
                protocol: TCP,
                family: 4,
                reserved: [0; 2],
            },
            ifindex: 1,
            frame_bytes: length,
            length,
            first: 0,
            sequence: 1,
            payload_bytes: u32::try_from(payload.len()).unwrap(),
            payload: 54,
            transport: 34,
            tcp_flags: 0x18,
            reserved: [0; 3],
        };
        right(&header, &mut frame);
        (header, frame)
    }

    fn right(header: &HeldHeader, frame: &mut [u8]) {
        frame[24..26].fill(0);
        let check = !fold(sum(&frame[14..34]));
        frame[24..26].copy_from_slice(&check.to_be_bytes());
        frame[50..52].fill(0);
        let check = !fold(checksum::pseudo(header, frame.len() - 34) + sum(&frame[34..]));
        frame[50..52].copy_from_slice(&check.to_be_bytes());
    }

    #[test]
    fn what_arrives_is_sound() {
        let (header, mut frame) = segment(b"hello");
        assert!(is_sound(&header, &frame));
        // Left to the network card.
        let pseudo = fold(checksum::pseudo(&header, frame.len() - 34));
        frame[50..52].copy_from_slice(&pseudo.to_be_bytes());
        assert!(is_sound(&header, &frame));
    }

    #[test]
    fn what_its_receiver_drops_is_not() {
        let damaged = |change: &dyn Fn(&mut HeldHeader, &mut Vec<u8>)| {
            let (mut header, mut frame) = segment(b"hello");
            change(&mut header, &mut frame);
            is_sound(&header, &frame)
        };
        assert!(damaged(&|_, _| {}));
        assert!(!damaged(&|_, frame| frame[56] ^= 1), "payload");
        assert!(!damaged(&|_, frame| frame[51] ^= 1), "checksum");
        assert!(!damaged(&|_, frame| frame[25] ^= 1), "IP checksum");
        assert!(
            !damaged(&|header, frame| {
                frame[22] = 5;
                right(header, frame);
            }),
            "hops"
        );
        assert!(!damaged(&|header, _| header.tcp_flags = 0x08), "no ACK");
        assert!(!damaged(&|header, _| header.tcp_flags = 0x14), "RST");
        assert!(!damaged(&|_, frame| frame[12] = 0x88), "no IP");
        assert!(!damaged(&|_, frame| frame.truncate(56)), "cut");
    }
}
