//! UDP frames, built byte by byte: what the contestants are fed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Six bytes of an Ethernet address.
pub type Mac = [u8; 6];

/// Where a frame comes from and goes to.
#[derive(Clone, Copy, Debug)]
pub struct Ends {
    /// Ethernet source and destination.
    pub link: (Mac, Mac),
    /// Addresses of one family, source and destination.
    pub addresses: (IpAddr, IpAddr),
    /// UDP ports, source and destination.
    pub ports: (u16, u16),
}

const UDP: u8 = 17;
const HOPS: u8 = 64;

/// A frame without a VLAN tag; `None` when the families differ or the payload is too long. The UDP
/// checksum is left out where the protocol allows it (IPv4, RFC 768) and right where it must be
/// (RFC 8200 section 8.1).
#[must_use]
pub fn udp(ends: &Ends, payload: &[u8]) -> Option<Vec<u8>> {
    let length = u16::try_from(8 + payload.len()).ok()?;
    let mut datagram = Vec::with_capacity(usize::from(length));
    datagram.extend(ends.ports.0.to_be_bytes());
    datagram.extend(ends.ports.1.to_be_bytes());
    datagram.extend(length.to_be_bytes());
    datagram.extend([0, 0]);
    datagram.extend(payload);
    let (ethertype, header) = match ends.addresses {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            (0x0800_u16, header_v4(source, destination, length)?)
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let sum = checksum_v6(source, destination, length, &datagram);
            datagram[6..8].copy_from_slice(&sum.to_be_bytes());
            (0x86dd, header_v6(source, destination, length))
        }
        _ => return None,
    };
    let mut frame = Vec::with_capacity(14 + header.len() + datagram.len());
    frame.extend(ends.link.1);
    frame.extend(ends.link.0);
    frame.extend(ethertype.to_be_bytes());
    frame.extend(header);
    frame.extend(datagram);
    Some(frame)
}

fn header_v4(source: Ipv4Addr, destination: Ipv4Addr, length: u16) -> Option<Vec<u8>> {
    let total = length.checked_add(20)?;
    let mut header = vec![0x45, 0];
    header.extend(total.to_be_bytes());
    header.extend([0, 0, 0x40, 0, HOPS, UDP, 0, 0]);
    header.extend(source.octets());
    header.extend(destination.octets());
    let sum = folded(&header);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    Some(header)
}

fn header_v6(source: Ipv6Addr, destination: Ipv6Addr, length: u16) -> Vec<u8> {
    let mut header = vec![0x60, 0, 0, 0];
    header.extend(length.to_be_bytes());
    header.extend([UDP, HOPS]);
    header.extend(source.octets());
    header.extend(destination.octets());
    header
}

fn checksum_v6(source: Ipv6Addr, destination: Ipv6Addr, length: u16, datagram: &[u8]) -> u16 {
    let mut all = Vec::with_capacity(40 + datagram.len());
    all.extend(source.octets());
    all.extend(destination.octets());
    all.extend(u32::from(length).to_be_bytes());
    all.extend([0, 0, 0, UDP]);
    all.extend(datagram);
    // Zero would say "no checksum" (RFC 768).
    match folded(&all) {
        0 => 0xffff,
        sum => sum,
    }
}

/// The Internet checksum (RFC 1071).
fn folded(bytes: &[u8]) -> u16 {
    let mut sum = 0_u32;
    for pair in bytes.chunks(2) {
        let low = pair.get(1).copied().unwrap_or(0);
        sum += u32::from(u16::from_be_bytes([pair[0], low]));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(source: &str, destination: &str) -> Ends {
        Ends {
            link: ([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]),
            addresses: (source.parse().unwrap(), destination.parse().unwrap()),
            ports: (40_000, 4_433),
        }
    }

    #[test]
    fn an_ipv4_header_sums_to_nothing() {
        let frame = udp(&ends("10.1.2.3", "51.210.0.1"), b"hello").unwrap();
        assert_eq!(frame.len(), 14 + 20 + 8 + 5);
        assert_eq!(frame[..6], [2, 0, 0, 0, 0, 2]);
        assert_eq!(frame[12..15], [8, 0, 0x45]);
        assert_eq!(folded(&frame[14..34]), 0);
        assert_eq!(frame[30..34], [51, 210, 0, 1]);
    }

    #[test]
    fn an_ipv6_datagram_sums_to_nothing_with_its_pseudo_header() {
        let frame = udp(&ends("fd00::1", "2a01:e0a::1"), b"odd").unwrap();
        assert_eq!(frame.len(), 14 + 40 + 8 + 3);
        assert_eq!(frame[12..15], [0x86, 0xdd, 0x60]);
        let mut pseudo = frame[22..54].to_vec();
        pseudo.extend([0, 0, 0, 11, 0, 0, 0, 17]);
        pseudo.extend(&frame[54..]);
        assert_eq!(folded(&pseudo), 0);
    }

    #[test]
    fn what_cannot_be_a_packet_is_none() {
        assert!(udp(&ends("10.0.0.1", "fd00::1"), b"").is_none());
        assert!(udp(&ends("10.0.0.1", "10.0.0.2"), &vec![0; 65_535]).is_none());
    }
}
