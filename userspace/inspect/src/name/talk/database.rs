//! Databases before their handshakes: `PostgreSQL`, `MySQL`, and TDS (Microsoft SQL Server, Azure SQL).

use super::{AppProtocol, Begins, Fit, MAX_LINE, Words, shape};

/// "Message formats" of `PostgreSQL`: length 8, and the code of a request for TLS, for GSSAPI
/// encryption; length 16 and the code of a request to cancel.
const REQUESTS: [[u8; 8]; 3] = [
    [0, 0, 0, 8, 4, 210, 22, 47],
    [0, 0, 0, 8, 4, 210, 22, 48],
    [0, 0, 0, 16, 4, 210, 22, 46],
];
/// The longest start message that is believed.
const MAX_START: u32 = 10_000;

pub(super) fn postgresql_begins(bytes: &[u8]) -> Begins {
    let mut maybe = false;
    for request in REQUESTS {
        match shape(bytes, &request.map(Some)) {
            Fit::Whole => return Begins::Yes(AppProtocol::Postgresql),
            Fit::SoFar => maybe = true,
            Fit::Not => {}
        }
    }
    match start_message(bytes) {
        Begins::No if maybe => Begins::Maybe,
        other => other,
    }
}

/// A start message in the clear: its length, version 3, and a first parameter with a name.
fn start_message(bytes: &[u8]) -> Begins {
    const KEYS: [&[u8]; 3] = [b"user\0", b"database\0", b"application_name\0"];
    let head = [
        Some(0),
        Some(0),
        None,
        None,
        Some(0),
        Some(3),
        Some(0),
        None,
    ];
    match shape(bytes, &head) {
        Fit::Not => return Begins::No,
        Fit::SoFar => return Begins::Maybe,
        Fit::Whole => {}
    }
    let length = u32::from(bytes[2]) << 8 | u32::from(bytes[3]);
    let key = &bytes[head.len()..];
    if !(16..=MAX_START).contains(&length) || bytes.len() > length as usize {
        return Begins::No;
    }
    let mut maybe = false;
    for known in KEYS {
        let shared = known.len().min(key.len());
        if known[..shared] == key[..shared] {
            if shared == known.len() {
                return Begins::Yes(AppProtocol::Postgresql);
            }
            maybe = true;
        }
    }
    if maybe { Begins::Maybe } else { Begins::No }
}

pub(super) fn postgresql_words(bytes: &[u8]) -> Words {
    let mut more = false;
    for request in &REQUESTS[..2] {
        match shape(bytes, &request.map(Some)) {
            Fit::Whole => return Words::Before(request.len()),
            Fit::SoFar => more = true,
            Fit::Not => {}
        }
    }
    if more { Words::More } else { Words::Clear }
}

/// Bytes of `MySQL`'s request for TLS behind its packet header.
const MYSQL_REQUEST: usize = 32;
const MYSQL_HEADER: usize = 4;
/// `CLIENT_PROTOCOL_41` and `CLIENT_SSL`, in the second byte of the capabilities.
const MYSQL_FLAGS: u8 = 0x0a;

/// A server's first packet: number 0, protocol 10, its version as text that ends.
pub(super) fn is_mysql_greeting(bytes: &[u8]) -> bool {
    const LEAST: usize = 30;
    let [a, b, 0, 0, 10, version @ ..] = bytes else {
        return false;
    };
    let length = usize::from(*a) | usize::from(*b) << 8;
    let Some(end) = version.iter().take(64).position(|byte| *byte == 0) else {
        return false;
    };
    length >= LEAST
        && bytes.len() == MYSQL_HEADER + length
        && end >= 3
        && version[0].is_ascii_digit()
        && version[..end].iter().all(u8::is_ascii_graphic)
}

/// A request for TLS (`SSLRequest`): 32 bytes, packet number 1; capabilities, the longest packet, a
/// character set, and 19 bytes of zeros (the four behind them are `MariaDB`'s own).
fn mysql_request(bytes: &[u8]) -> Fit {
    const ZEROS: std::ops::Range<usize> = 13..32;
    let mut expected = [None; MYSQL_HEADER + MYSQL_REQUEST];
    for (at, byte) in [32, 0, 0, 1].into_iter().enumerate() {
        expected[at] = Some(byte);
    }
    for place in &mut expected[ZEROS] {
        *place = Some(0);
    }
    if bytes
        .get(5)
        .is_some_and(|flags| flags & MYSQL_FLAGS != MYSQL_FLAGS)
    {
        return Fit::Not;
    }
    shape(bytes, &expected)
}

pub(super) fn mysql_begins(bytes: &[u8]) -> Begins {
    match mysql_request(bytes) {
        Fit::Whole => Begins::Yes(AppProtocol::Mysql),
        Fit::SoFar => Begins::Maybe,
        Fit::Not => Begins::No,
    }
}

pub(super) fn mysql_words(bytes: &[u8]) -> Words {
    match mysql_request(bytes) {
        Fit::Whole => Words::Before(MYSQL_HEADER + MYSQL_REQUEST),
        Fit::SoFar => Words::More,
        Fit::Not => Words::Clear,
    }
}

/// A packet header of TDS (MS-TDS section 2.2.3.1): type, status, length, two of process, number,
/// window.
const TDS_HEADER: usize = 8;
/// The type of the packets before the handshake, and of the handshake's own; the last of a message.
const TDS_PRELOGIN: u8 = 0x12;
const TDS_LAST: u8 = 1;

/// What a packet of TDS holds.
enum Tds {
    /// What comes before the handshake (section 2.2.6.5); bytes of the packet.
    Prelogin(usize),
    /// A handshake's record (section 2.2.6.5: inside packets of the same type).
    Handshake,
    Other,
    More,
}

fn tds(bytes: &[u8]) -> Tds {
    let head = [
        Some(TDS_PRELOGIN),
        Some(TDS_LAST),
        None,
        None,
        None,
        None,
        None,
        Some(0),
    ];
    match shape(bytes, &head) {
        Fit::Not => return Tds::Other,
        Fit::SoFar => return Tds::More,
        Fit::Whole => {}
    }
    let length = usize::from(u16::from_be_bytes([bytes[2], bytes[3]]));
    if length <= TDS_HEADER || length > MAX_LINE {
        return Tds::Other;
    }
    let content = &bytes[TDS_HEADER..bytes.len().min(length)];
    // A record of a handshake; or the first option: the version, behind the list, of six bytes.
    let record = [Some(22), Some(3), None, None, None, Some(1)];
    let version = [Some(0), Some(0), None, Some(0), Some(6)];
    match (shape(content, &record), shape(content, &version)) {
        (Fit::Whole, _) => Tds::Handshake,
        (_, Fit::Whole)
            if bytes.len() >= length && usize::from(content[2]) + 6 <= content.len() =>
        {
            Tds::Prelogin(length)
        }
        (Fit::SoFar, _) | (_, Fit::SoFar | Fit::Whole) if bytes.len() < length => Tds::More,
        _ => Tds::Other,
    }
}

pub(super) fn tds_begins(bytes: &[u8]) -> Begins {
    match tds(bytes) {
        Tds::Prelogin(_) => Begins::Yes(AppProtocol::Tds),
        Tds::More => Begins::Maybe,
        Tds::Handshake | Tds::Other => Begins::No,
    }
}

/// A hello that one packet does not hold goes on behind another header, and is not read.
pub(super) fn tds_words(bytes: &[u8]) -> Words {
    match tds(bytes) {
        Tds::Prelogin(length) => Words::Before(length),
        Tds::Handshake => Words::Before(TDS_HEADER),
        Tds::More => Words::More,
        Tds::Other => Words::Clear,
    }
}
