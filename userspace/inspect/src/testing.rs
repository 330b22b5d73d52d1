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
        // Outer, HKDF-SHA256, AES-128-GCM, configuration 7.
        let mut outer = vec![0, 0, 1, 0, 1, 7];
        outer.extend(with_length(&[3; 32]));
        outer.extend(with_length(&[4; 200]));
        extensions.extend(extension(0xfe0d, &outer));
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

/// An `ECHConfigList` of identifiers and public names.
pub(crate) fn ech_config_list(configs: &[(u8, &str)]) -> Vec<u8> {
    let mut list = Vec::new();
    for (id, name) in configs {
        let mut contents = vec![*id, 0, 0x20];
        contents.extend(with_length(&[5; 32]));
        contents.extend(with_length(&[0, 1, 0, 1]));
        contents.extend([64, u8::try_from(name.len()).unwrap()]);
        contents.extend_from_slice(name.as_bytes());
        contents.extend([0, 0]);
        list.extend([0xfe, 0x0d]);
        list.extend(with_length(&contents));
    }
    with_length(&list)
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

fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match u8::try_from(content.len()) {
        Ok(length) if length < 0x80 => out.push(length),
        _ => {
            out.push(0x82);
            out.extend_from_slice(&u16::try_from(content.len()).unwrap().to_be_bytes());
        }
    }
    out.extend_from_slice(content);
    out
}

/// A certificate with DNS names; its keys and signature are no keys and no signature.
pub(crate) fn certificate(names: &[&str]) -> Vec<u8> {
    let list: Vec<u8> = names
        .iter()
        .flat_map(|name| der(0x82, name.as_bytes()))
        .collect();
    let extension = |kind: u8, value: &[u8]| {
        let parts = [der(6, &[0x55, 0x1d, kind]), der(1, &[0xff]), der(4, value)];
        der(0x30, &parts.concat())
    };
    let mut extensions = extension(0x0f, &[3, 2, 5, 0xa0]);
    if !names.is_empty() {
        extensions.extend(extension(0x11, &der(0x30, &list)));
    }
    let parts = [
        der(0xa0, &der(2, &[2])),
        der(2, &[1, 2, 3]),
        der(0x30, &der(6, &[0x2a, 3])),
        der(0x30, &[]),
        der(
            0x30,
            &[der(0x17, b"250101000000Z"), der(0x17, b"350101000000Z")].concat(),
        ),
        der(0x30, &[]),
        der(0x30, &der(3, &[0; 80])),
        der(0xa3, &der(0x30, &extensions)),
    ];
    let signed = der(0x30, &parts.concat());
    der(
        0x30,
        &[signed, der(0x30, &der(6, &[0x2a, 3])), der(3, &[0; 72])].concat(),
    )
}

/// A certificate whose issuer and subject have a common name and nothing else.
pub(crate) fn tor_certificate(issuer: &str, subject: &str, extensions: bool) -> Vec<u8> {
    let name = |text: &str| {
        let attribute = der(
            0x30,
            &[der(6, &[0x55, 4, 3]), der(0x0c, text.as_bytes())].concat(),
        );
        der(0x30, &der(0x31, &attribute))
    };
    let times = [der(0x17, b"250101000000Z"), der(0x17, b"350101000000Z")].concat();
    let mut parts = vec![
        der(0xa0, &der(2, &[2])),
        der(2, &[1, 2, 3]),
        der(0x30, &der(6, &[0x2a, 3])),
        name(issuer),
        der(0x30, &times),
        name(subject),
        der(0x30, &der(3, &[0; 80])),
    ];
    if extensions {
        parts.push(der(0xa3, &der(0x30, &[])));
    }
    let signed = der(0x30, &parts.concat());
    let rest = [der(0x30, &der(6, &[0x2a, 3])), der(3, &[0; 72])].concat();
    der(0x30, &[signed, rest].concat())
}

/// A server's first handshake messages: hello, certificate and done, or a hello of TLS 1.3.
pub(crate) fn server_messages(certificate: &[u8], tls_1_3: bool) -> Vec<u8> {
    let message = |kind: u8, body: &[u8]| {
        let mut out = vec![kind];
        out.extend_from_slice(&u32::try_from(body.len()).unwrap().to_be_bytes()[1..]);
        out.extend_from_slice(body);
        out
    };
    let behind_u24 = |bytes: &[u8]| {
        let mut out = u32::try_from(bytes.len()).unwrap().to_be_bytes()[1..].to_vec();
        out.extend_from_slice(bytes);
        out
    };
    let mut hello = vec![3, 3];
    hello.extend([6; 32]);
    hello.extend([0, 0x13, 1, 0]);
    if tls_1_3 {
        hello.extend(with_length(&extension(43, &[3, 4])));
        return message(2, &hello);
    }
    [
        message(2, &hello),
        message(11, &behind_u24(&behind_u24(certificate))),
        message(14, &[]),
    ]
    .concat()
}

/// The body of a hello of DTLS, padded.
pub(crate) fn dtls_hello_body(name: &str, padding: usize) -> Vec<u8> {
    let message = hello_message(Some(name), &[], false, padding);
    let mut body = message[4..].to_vec();
    body[..2].copy_from_slice(&[0xfe, 0xfd]);
    // An empty cookie behind the session.
    body.insert(2 + 32 + 33, 0);
    body
}

/// The body of a hello of DTLS in fragments of at most `size` bytes, a datagram each.
pub(crate) fn dtls_fragments(body: &[u8], size: usize) -> Vec<Vec<u8>> {
    let u24 = |value: usize| u32::try_from(value).unwrap().to_be_bytes()[1..].to_vec();
    body.chunks(size)
        .enumerate()
        .map(|(index, piece)| {
            let mut message = vec![1];
            message.extend(u24(body.len()));
            message.extend([0, 0]);
            message.extend(u24(index * size));
            message.extend(u24(piece.len()));
            message.extend_from_slice(piece);
            let mut datagram = vec![22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0];
            datagram.push(u8::try_from(index).unwrap());
            datagram.extend(with_length(&message));
            datagram
        })
        .collect()
}

/// LDAP's request for TLS; its length in one byte, or in four.
pub(crate) fn start_tls(long: bool) -> Vec<u8> {
    let mut body = vec![2, 1, 1, 0x77, 24, 0x80, 22];
    body.extend_from_slice(b"1.3.6.1.4.1.1466.20037");
    let mut out = vec![0x30];
    if long {
        out.extend([0x84, 0, 0, 0]);
    }
    out.push(u8::try_from(body.len()).unwrap());
    out.extend(body);
    out
}

/// `MySQL`'s request for TLS.
pub(crate) fn mysql_request() -> Vec<u8> {
    let mut out = vec![32, 0, 0, 1, 0x85, 0xae, 0xff, 0x19, 0, 0, 0, 1, 45];
    out.resize(36, 0);
    out
}

/// What TDS says before its handshake: version, and whether it wants to encrypt.
pub(crate) fn prelogin() -> Vec<u8> {
    let mut out = vec![0x12, 1, 0, 26, 0, 0, 1, 0];
    out.extend([0, 0, 11, 0, 6, 1, 0, 17, 0, 1, 0xff]);
    out.extend([17, 0, 0, 0, 0, 0, 1]);
    out
}

/// A packet of TDS around a record of a handshake.
pub(crate) fn in_prelogin(record: &[u8]) -> Vec<u8> {
    let mut out = vec![0x12, 1];
    out.extend(u16::try_from(8 + record.len()).unwrap().to_be_bytes());
    out.extend([0, 0, 0, 0]);
    out.extend_from_slice(record);
    out
}

/// RDP's connection request: a cookie, and a negotiation request for TLS.
pub(crate) fn connection_request(cookie: &[u8], negotiates: bool) -> Vec<u8> {
    let mut variable = cookie.to_vec();
    if negotiates {
        variable.extend([1, 0, 8, 0, 3, 0, 0, 0]);
    }
    let length = u8::try_from(11 + variable.len()).unwrap();
    let mut out = vec![3, 0, 0, length, length - 5, 0xe0, 0, 0, 0, 0, 0];
    out.extend(variable);
    out
}
