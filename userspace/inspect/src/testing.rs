//! Builders of packets and messages for the tests of this crate.

use std::net::IpAddr;

/// Bytes of an Ethernet frame with an ethertype and payload.
pub(crate) fn ethernet(kind: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
    frame.extend_from_slice(&kind.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// An IPv4 or IPv6 packet, whichever the addresses are. The header checksum is zero: nothing here
/// reads it.
pub(crate) fn ip(source: &str, destination: &str, protocol: u8, payload: &[u8]) -> Vec<u8> {
    ip_with(source, destination, protocol, payload, 0, &[])
}

/// As [`ip`]; IPv4 only: the fragment word (flags and offset) and options.
pub(crate) fn ip_with(
    source: &str,
    destination: &str,
    protocol: u8,
    payload: &[u8],
    fragment: u16,
    options: &[u8],
) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap();
    match (source.parse().unwrap(), destination.parse().unwrap()) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let words = u8::try_from(5 + options.len() / 4).unwrap();
            let mut packet = vec![0x40 | words, 0];
            packet.extend_from_slice(&(length + u16::from(words) * 4).to_be_bytes());
            packet.extend_from_slice(&[0x12, 0x34]);
            packet.extend_from_slice(&fragment.to_be_bytes());
            packet.extend_from_slice(&[64, protocol, 0, 0]);
            packet.extend_from_slice(&source.octets());
            packet.extend_from_slice(&destination.octets());
            packet.extend_from_slice(options);
            packet.extend_from_slice(payload);
            packet
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let mut packet = vec![0x60, 0, 0, 0];
            packet.extend_from_slice(&length.to_be_bytes());
            packet.extend_from_slice(&[protocol, 64]);
            packet.extend_from_slice(&source.octets());
            packet.extend_from_slice(&destination.octets());
            packet.extend_from_slice(payload);
            packet
        }
        _ => panic!("two families"),
    }
}

/// A TCP segment without options.
pub(crate) fn tcp(from: u16, to: u16, sequence: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut segment = Vec::new();
    segment.extend_from_slice(&from.to_be_bytes());
    segment.extend_from_slice(&to.to_be_bytes());
    segment.extend_from_slice(&sequence.to_be_bytes());
    segment.extend_from_slice(&[0, 0, 0, 0, 0x50, flags, 4, 0, 0, 0, 0, 0]);
    segment.extend_from_slice(payload);
    segment
}

/// A UDP datagram.
pub(crate) fn udp(from: u16, to: u16, payload: &[u8]) -> Vec<u8> {
    let mut datagram = Vec::new();
    datagram.extend_from_slice(&from.to_be_bytes());
    datagram.extend_from_slice(&to.to_be_bytes());
    datagram.extend_from_slice(&u16::try_from(8 + payload.len()).unwrap().to_be_bytes());
    datagram.extend_from_slice(&[0, 0]);
    datagram.extend_from_slice(payload);
    datagram
}

fn with_length(bytes: &[u8]) -> Vec<u8> {
    let mut out = u16::try_from(bytes.len()).unwrap().to_be_bytes().to_vec();
    out.extend_from_slice(bytes);
    out
}

fn extension(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut out = kind.to_be_bytes().to_vec();
    out.extend(with_length(value));
    out
}

/// A `ClientHello` handshake message: padding first, so that the name lies late.
pub(crate) fn hello_message(
    name: Option<&str>,
    alpn: &[&str],
    ech: bool,
    padding: usize,
) -> Vec<u8> {
    let mut extensions = extension(21, &vec![0; padding]);
    if let Some(name) = name {
        let mut entry = vec![0];
        entry.extend(with_length(name.as_bytes()));
        extensions.extend(extension(0, &with_length(&entry)));
    }
    if !alpn.is_empty() {
        let mut list = Vec::new();
        for protocol in alpn {
            list.push(u8::try_from(protocol.len()).unwrap());
            list.extend_from_slice(protocol.as_bytes());
        }
        extensions.extend(extension(16, &with_length(&list)));
    }
    if ech {
        extensions.extend(extension(0xfe0d, &[0; 32]));
    }
    let mut body = vec![3, 3];
    body.extend_from_slice(&[7; 32]);
    body.push(32);
    body.extend_from_slice(&[9; 32]);
    body.extend(with_length(&[0x13, 1, 0x13, 2]));
    body.extend_from_slice(&[1, 0]);
    body.extend(with_length(&extensions));
    let mut message = vec![1];
    message.extend_from_slice(&u32::try_from(body.len()).unwrap().to_be_bytes()[1..]);
    message.extend(body);
    message
}

/// A handshake message in TLS records of at most `size` bytes each.
pub(crate) fn records(message: &[u8], size: usize) -> Vec<u8> {
    let mut out = Vec::new();
    for part in message.chunks(size) {
        out.extend_from_slice(&[22, 3, 1]);
        out.extend(with_length(part));
    }
    out
}

/// The first bytes of a client's TLS stream.
pub(crate) fn hello(name: &str) -> Vec<u8> {
    records(
        &hello_message(Some(name), &["h2", "http/1.1"], false, 40),
        16_384,
    )
}

/// A name as DNS writes it.
pub(crate) fn dns_name(name: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        out.push(u8::try_from(label.len()).unwrap());
        out.extend_from_slice(label.as_bytes());
    }
    out.push(0);
    out
}

/// A DNS message: one question, and records (owner, type, TTL, data).
pub(crate) fn dns(
    id: u16,
    response: bool,
    question: (&str, u16),
    answers: &[(Vec<u8>, u16, u32, Vec<u8>)],
) -> Vec<u8> {
    let mut out = id.to_be_bytes().to_vec();
    out.extend_from_slice(if response { &[0x81, 0x80] } else { &[1, 0] });
    out.extend_from_slice(&[0, 1]);
    out.extend_from_slice(&u16::try_from(answers.len()).unwrap().to_be_bytes());
    out.extend_from_slice(&[0, 0, 0, 0]);
    out.extend(dns_name(question.0));
    out.extend_from_slice(&question.1.to_be_bytes());
    out.extend_from_slice(&[0, 1]);
    for (owner, kind, ttl, data) in answers {
        out.extend_from_slice(owner);
        out.extend_from_slice(&kind.to_be_bytes());
        out.extend_from_slice(&[0, 1]);
        out.extend_from_slice(&ttl.to_be_bytes());
        out.extend(with_length(data));
    }
    out
}
