//! Community ID, version 1: one text for a flow that every tool computes alike
//! (github.com/corelight/community-id-spec).

use std::net::{IpAddr, Ipv6Addr};

use octroi_abi::flow::FlowKey;
use sha1::{Digest, Sha1};

use crate::packet::protocol;

/// The Community ID of a flow, seed 0.
///
/// The key of an ICMP flow has no type and code. It is computed as the echo request and reply that
/// such flows are; [`community_id_of`] takes the real ones.
#[must_use]
pub fn community_id(key: &FlowKey) -> String {
    let (source_port, destination_port) = match key.protocol {
        protocol::ICMP => (8, 0),
        protocol::ICMPV6 => (128, 0),
        _ => (key.inside_port, key.outside_port),
    };
    community_id_of(
        address(key.inside, key.family),
        address(key.outside, key.family),
        key.protocol,
        source_port,
        destination_port,
    )
}

/// The Community ID of a packet, seed 0. For ICMP the ports are its type and code.
#[must_use]
pub fn community_id_of(
    source: IpAddr,
    destination: IpAddr,
    protocol: u8,
    source_port: u16,
    destination_port: u16,
) -> String {
    let (source_port, destination_port, one_way) = match protocol {
        protocol::ICMP => icmp_ports(icmp_counterpart, source_port, destination_port),
        protocol::ICMPV6 => icmp_ports(icmpv6_counterpart, source_port, destination_port),
        _ => (source_port, destination_port, false),
    };
    let (from, to) = (octets(source), octets(destination));
    let in_order = one_way || (&from, source_port) <= (&to, destination_port);
    let (low, high) = if in_order {
        ((&from, source_port), (&to, destination_port))
    } else {
        ((&to, destination_port), (&from, source_port))
    };
    let mut hash = Sha1::new();
    hash.update([0, 0]);
    hash.update(low.0);
    hash.update(high.0);
    hash.update([protocol, 0]);
    if matches!(
        protocol,
        protocol::TCP | protocol::UDP | protocol::SCTP | protocol::ICMP | protocol::ICMPV6
    ) {
        hash.update(low.1.to_be_bytes());
        hash.update(high.1.to_be_bytes());
    }
    let mut text = String::from("1:");
    base64(&hash.finalize(), &mut text);
    text
}

/// Ports that stand for an ICMP type and code, and whether the type has no counterpart.
fn icmp_ports(counterpart: fn(u16) -> Option<u16>, kind: u16, code: u16) -> (u16, u16, bool) {
    match counterpart(kind) {
        Some(other) => (kind, other, false),
        None => (kind, code, true),
    }
}

fn icmp_counterpart(kind: u16) -> Option<u16> {
    Some(match kind {
        0 => 8,
        8 => 0,
        // Router advertisement and solicitation.
        9 => 10,
        10 => 9,
        // Timestamp, information, address mask.
        13 => 14,
        14 => 13,
        15 => 16,
        16 => 15,
        17 => 18,
        18 => 17,
        _ => return None,
    })
}

fn icmpv6_counterpart(kind: u16) -> Option<u16> {
    Some(match kind {
        128 => 129,
        129 => 128,
        // Multicast listener query and report.
        130 => 131,
        131 => 130,
        // Router, then neighbour, solicitation and advertisement.
        133 => 134,
        134 => 133,
        135 => 136,
        136 => 135,
        // Node information, home agent discovery.
        139 => 140,
        140 => 139,
        144 => 145,
        145 => 144,
        _ => return None,
    })
}

fn address(bytes: [u8; 16], family: u8) -> IpAddr {
    let address = Ipv6Addr::from(bytes);
    match address.to_ipv4_mapped() {
        Some(mapped) if family == 4 => IpAddr::V4(mapped),
        _ => IpAddr::V6(address),
    }
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

fn base64(bytes: &[u8], out: &mut String) {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for group in bytes.chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
        let word = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            if place <= group.len() {
                let index = (word >> (18 - 6 * place)) & 63;
                out.push(char::from(ALPHABET[index as usize]));
            } else {
                out.push('=');
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Vectors of the specification's baseline.
    #[test]
    fn published_vectors() {
        let cases: [(&str, &str, u8, u16, u16, &str); 8] = [
            (
                "128.232.110.120",
                "66.35.250.204",
                6,
                34855,
                80,
                "1:LQU9qZlK+B5F3KDmev6m5PMibrg=",
            ),
            (
                "66.35.250.204",
                "128.232.110.120",
                6,
                80,
                34855,
                "1:LQU9qZlK+B5F3KDmev6m5PMibrg=",
            ),
            (
                "192.168.1.52",
                "8.8.8.8",
                17,
                54585,
                53,
                "1:d/FP5EW3wiY1vCndhwleRRKHowQ=",
            ),
            (
                "8.8.8.8",
                "192.168.1.52",
                17,
                53,
                54585,
                "1:d/FP5EW3wiY1vCndhwleRRKHowQ=",
            ),
            (
                "192.168.0.89",
                "192.168.0.1",
                1,
                8,
                0,
                "1:X0snYXpgwiv9TZtqg64sgzUn6Dk=",
            ),
            (
                "192.168.0.1",
                "192.168.0.89",
                1,
                0,
                8,
                "1:X0snYXpgwiv9TZtqg64sgzUn6Dk=",
            ),
            (
                "fe80::200:86ff:fe05:80da",
                "fe80::260:97ff:fe07:69ea",
                58,
                135,
                0,
                "1:dGHyGvjMfljg6Bppwm3bg0LO8TY=",
            ),
            (
                "192.168.170.8",
                "192.168.170.56",
                132,
                7,
                80,
                "1:jQgCxbku+pNGw8WPbEc/TS/uTpQ=",
            ),
        ];
        for (source, destination, protocol, source_port, destination_port, expected) in cases {
            let (source, destination) = (source.parse().unwrap(), destination.parse().unwrap());
            assert_eq!(
                community_id_of(source, destination, protocol, source_port, destination_port),
                expected
            );
        }
    }

    #[test]
    fn a_key_gives_what_its_packets_give() {
        let key = crate::flow::key(
            "128.232.110.120".parse().unwrap(),
            "66.35.250.204".parse().unwrap(),
            6,
            34855,
            80,
        );
        assert_eq!(community_id(&key), "1:LQU9qZlK+B5F3KDmev6m5PMibrg=");
        let echo = crate::flow::key(
            "192.168.0.89".parse().unwrap(),
            "192.168.0.1".parse().unwrap(),
            1,
            4711,
            0,
        );
        assert_eq!(community_id(&echo), "1:X0snYXpgwiv9TZtqg64sgzUn6Dk=");
    }
}
