//! Finishing a checksum that the sender left to its network card.
//!
//! Frames that never saw a card (from a container or a virtual machine on this host, by veth or virtio)
//! carry the sum of the pseudo-header alone, for whoever puts them on a wire to finish
//! (`CHECKSUM_PARTIAL`). The kernel notes that beside the frame, and a frame that was held has lost the
//! note.

use octroi_abi::event::HeldHeader;

const TCP: u8 = 6;
const UDP_HEADER_BYTES: usize = 8;
/// Where the checksum stands in either header.
const IN_TCP: usize = 16;
const IN_UDP: usize = 6;

/// Finishes the checksum of a held TCP segment or UDP datagram, if it was left unfinished: a right one
/// stays right, and one that is wrong in any other way stays wrong.
pub(crate) fn finish(header: &HeldHeader, frame: &mut [u8]) {
    let Some((start, place, end)) = places(header) else {
        return;
    };
    if !is_unfinished(header, frame) {
        return;
    }
    let Some(segment) = frame.get_mut(start..end) else {
        return;
    };
    // The field holds the pseudo-header's sum already.
    let check = !fold(sum(segment));
    // UDP: zero means "none", and stands for the same sum as all ones (RFC 768).
    let check = if check == 0 && place == IN_UDP {
        u16::MAX
    } else {
        check
    };
    if let Some(field) = segment.get_mut(place..place + 2) {
        field.copy_from_slice(&check.to_be_bytes());
    }
}

/// Whether the checksum of a held frame was left to the network card: it is the sum of the pseudo-header.
pub(crate) fn is_unfinished(header: &HeldHeader, frame: &[u8]) -> bool {
    let Some((start, place, end)) = places(header) else {
        return false;
    };
    let found = frame.get(start + place..start + place + 2);
    found == Some(&fold(pseudo(header, end - start)).to_be_bytes())
}

/// Where the transport header begins, where in it the checksum stands, and where the payload ends.
fn places(header: &HeldHeader) -> Option<(usize, usize, usize)> {
    let payload = usize::from(header.payload);
    let (start, place) = if header.key.protocol == TCP {
        (usize::from(header.transport), IN_TCP)
    } else {
        (payload.saturating_sub(UDP_HEADER_BYTES), IN_UDP)
    };
    let end = payload + header.payload_bytes as usize;
    (start != 0 && payload >= start).then_some((start, place, end))
}

/// Sum of the pseudo-header of a segment (RFC 9293 section 3.1, RFC 8200 section 8.1).
pub(crate) fn pseudo(header: &HeldHeader, length: usize) -> u64 {
    let key = &header.key;
    let addresses = if key.family == 4 { 12..16 } else { 0..16 };
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    sum(&key.inside[addresses.clone()])
        + sum(&key.outside[addresses])
        + sum(&length.to_be_bytes())
        + u64::from(key.protocol)
}

/// Sum of the 16-bit words (RFC 1071).
pub(crate) fn sum(bytes: &[u8]) -> u64 {
    let pairs = bytes.chunks(2);
    let words = pairs.map(|pair| match *pair {
        [high, low] => u64::from(u16::from_be_bytes([high, low])),
        [high] => u64::from(high) << 8,
        _ => 0,
    });
    words.sum()
}

/// To 16 bits.
pub(crate) fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    u16::try_from(sum).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use octroi_abi::flow::FlowKey;

    use super::*;

    const ETHERNET: usize = 14;

    fn key(protocol: u8) -> FlowKey {
        let mapped = |d: u8| [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, d];
        FlowKey {
            inside: mapped(1),
            outside: mapped(2),
            inside_port: 1,
            outside_port: 2,
            protocol,
            family: 4,
            reserved: [0; 2],
        }
    }

    fn held(protocol: u8, header_bytes: usize, payload: &[u8]) -> (HeldHeader, Vec<u8>) {
        let start = ETHERNET + 20;
        let mut frame = vec![0; start + header_bytes];
        frame.extend_from_slice(payload);
        let header = HeldHeader {
            time_ns: 0,
            key: key(protocol),
            ifindex: 1,
            frame_bytes: u32::try_from(frame.len()).unwrap(),
            length: u32::try_from(frame.len()).unwrap(),
            first: 0,
            sequence: 0,
            payload_bytes: u32::try_from(payload.len()).unwrap(),
            payload: u16::try_from(start + header_bytes).unwrap(),
            transport: if protocol == TCP { 34 } else { 0 },
            tcp_flags: 0,
            reserved: [0; 3],
        };
        (header, frame)
    }

    /// What a receiver sums: pseudo-header and segment come to all ones.
    fn is_right(protocol: u8, segment: &[u8]) -> bool {
        let pseudo = [10, 0, 0, 1, 10, 0, 0, 2, 0, protocol];
        let length = u64::try_from(segment.len()).unwrap();
        fold(sum(&pseudo) + length + sum(segment)) == 0xffff
    }

    fn pseudo_sum(protocol: u8, length: usize) -> [u8; 2] {
        let pseudo = [10, 0, 0, 1, 10, 0, 0, 2, 0, protocol];
        fold(sum(&pseudo) + length as u64).to_be_bytes()
    }

    #[test]
    fn what_was_left_to_the_card_is_finished() {
        for (protocol, header_bytes, place) in [(6, 20, IN_TCP), (17, 8, IN_UDP)] {
            for payload in [b"hello".as_slice(), b"odd", &[0xff; 1_400]] {
                let (header, mut frame) = held(protocol, header_bytes, payload);
                let partial = pseudo_sum(protocol, header_bytes + payload.len());
                frame[34 + place..34 + place + 2].copy_from_slice(&partial);
                finish(&header, &mut frame);
                assert!(is_right(protocol, &frame[34..]), "{protocol} {payload:?}");
                let right = frame.clone();
                finish(&header, &mut frame);
                assert_eq!(frame, right, "a right one stays");
            }
        }
    }

    #[test]
    fn a_wrong_one_stays_wrong_and_a_cut_one_is_left_alone() {
        let (header, mut frame) = held(6, 20, b"hello");
        frame[34 + IN_TCP] = 0x12;
        let before = frame.clone();
        finish(&header, &mut frame);
        assert_eq!(frame, before);
        let (header, mut frame) = held(17, 8, b"hello");
        frame.truncate(40);
        let before = frame.clone();
        finish(&header, &mut frame);
        assert_eq!(frame, before);
    }
}
