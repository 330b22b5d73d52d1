//! Google's QUIC before IETF's: the client hello is a list of tags, sent in the clear up to Q046.

use super::super::hostname::hostname;
use super::super::tls::ClientHello;

/// How far into a packet the hello may begin: packet number, hash and frame header before it.
const MAX_HELLO_AT: usize = 64;
/// Most tags of a hello.
const MAX_TAGS: usize = 256;

const FLAG_VERSION: u8 = 0x01;
const FLAG_RESET: u8 = 0x02;
const FLAG_CONNECTION: u8 = 0x08;

/// Whether a datagram names a version that sends its hello in the clear.
pub(super) fn has_version(datagram: &[u8]) -> bool {
    version_end(datagram).is_some()
}

/// Where the version ends: Q044 and Q046 have a long header, older ones the public header.
fn version_end(datagram: &[u8]) -> Option<usize> {
    match datagram {
        [first, version @ ..] if first & 0x80 != 0 => {
            is_clear_version(version.get(..4)?).then_some(5)
        }
        _ => public_header(datagram),
    }
}

/// Where the version ends in a public header.
fn public_header(datagram: &[u8]) -> Option<usize> {
    let flags = *datagram.first()?;
    if flags & (0x80 | 0x40 | FLAG_RESET) != 0 || flags & FLAG_VERSION == 0 {
        return None;
    }
    let at = if flags & FLAG_CONNECTION == 0 { 1 } else { 9 };
    is_clear_version(datagram.get(at..at + 4)?).then_some(at + 4)
}

/// Q000 to Q049.
fn is_clear_version(version: &[u8]) -> bool {
    matches!(version, [b'Q', b'0', b'0'..=b'4', b'0'..=b'9'])
}

/// What a datagram is to a reader of hellos in the clear.
pub(super) enum Clear {
    /// Of no version that sends them so.
    OtherVersion,
    /// Of such a version, without a whole hello.
    WithoutHello,
    /// With one.
    Hello(ClientHello),
}

/// Reads a datagram of a version that sends its hello in the clear.
pub(super) fn read(datagram: &[u8]) -> Clear {
    let Some(behind) = version_end(datagram) else {
        return Clear::OtherVersion;
    };
    let rest = &datagram[behind..];
    let window = &rest[..rest.len().min(MAX_HELLO_AT + 4)];
    let at = window.windows(4).position(|tag| tag == b"CHLO");
    match at.and_then(|at| hello(&rest[at..])) {
        Some(hello) => Clear::Hello(hello),
        None => Clear::WithoutHello,
    }
}

/// Reads the tag list of a hello: tag, count, then for each value its tag and where it ends.
pub(super) fn hello(bytes: &[u8]) -> Option<ClientHello> {
    let [b'C', b'H', b'L', b'O', low, high, _, _, rest @ ..] = bytes else {
        return None;
    };
    let count = usize::from(u16::from_le_bytes([*low, *high]));
    if count > MAX_TAGS {
        return None;
    }
    let (index, values) = rest.split_at_checked(count * 8)?;
    let mut from = 0;
    for entry in index.chunks_exact(8) {
        let end = u32::from_le_bytes([entry[4], entry[5], entry[6], entry[7]]) as usize;
        if entry[..4] == *b"SNI\0" {
            let name = hostname(values.get(from..end)?);
            return Some(ClientHello {
                name_is_invalid: name.is_none(),
                name,
                ..ClientHello::default()
            });
        }
        from = end;
    }
    Some(ClientHello::default())
}
