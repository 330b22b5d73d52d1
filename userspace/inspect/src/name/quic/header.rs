//! Long headers (RFC 8999, RFC 9000 section 17.2).

use super::version::{self, Frames, Scheme};

/// Longest connection identifier of a known version.
const MAX_IDENTIFIER: usize = 20;
/// Header protection takes its sample behind the longest packet number.
const SAMPLE_AT: usize = 4;
const SAMPLE_BYTES: usize = 16;

/// A client's or server's Initial packet, protected.
pub(super) struct Initial<'a> {
    /// From the first byte of the header to the end of the packet.
    pub(super) packet: &'a [u8],
    /// Where the packet number begins.
    pub(super) number_at: usize,
    /// Connection identifier of the receiver.
    pub(super) destination: &'a [u8],
    pub(super) schemes: &'static [&'static Scheme],
    pub(super) frames: Frames,
}

pub(super) enum Packet<'a> {
    Initial(Initial<'a>),
    UnknownVersion,
    /// 0-RTT: sent with the hello, or before it arrives.
    Early,
    Other,
}

/// Whether a datagram begins with a long header that has room for an Initial packet.
pub(super) fn has_long_form(datagram: &[u8]) -> bool {
    matches!(datagram, [first, version @ ..] if first & 0x80 != 0
        && version.len() > 20
        && usize::from(version[4]) <= MAX_IDENTIFIER
        && version[..4] != [0; 4])
}

/// The packet a datagram begins with, and what follows it in the same datagram.
pub(super) fn next(datagram: &[u8]) -> Option<(Packet<'_>, &[u8])> {
    if !has_long_form(datagram) {
        return None;
    }
    let number = u32::from_be_bytes([datagram[1], datagram[2], datagram[3], datagram[4]]);
    let Some(version) = version::version(number) else {
        return Some((Packet::UnknownVersion, &[]));
    };
    let mut at = 5;
    let destination = identifier(datagram, &mut at)?;
    identifier(datagram, &mut at)?;
    let kind = datagram[0] >> 4 & 3;
    let is_initial = kind == version.initial_type;
    // Retry, the type before Initial, has no length: it fills the datagram.
    if kind == version.initial_type.wrapping_sub(1) & 3 {
        return Some((Packet::Other, &[]));
    }
    if is_initial {
        let token = usize::try_from(variable(datagram, &mut at)?).ok()?;
        at = at.checked_add(token)?;
    }
    let length = usize::try_from(variable(datagram, &mut at)?).ok()?;
    let end = at.checked_add(length)?;
    let packet = datagram.get(..end)?;
    let rest = &datagram[end..];
    // The type behind Initial.
    if kind == (version.initial_type + 1) & 3 && version.frames == Frames::Ietf {
        return Some((Packet::Early, rest));
    }
    if !is_initial || length < SAMPLE_AT + SAMPLE_BYTES {
        return Some((Packet::Other, rest));
    }
    let initial = Initial {
        packet,
        number_at: at,
        destination,
        schemes: version.schemes,
        frames: version.frames,
    };
    Some((Packet::Initial(initial), rest))
}

fn identifier<'a>(bytes: &'a [u8], at: &mut usize) -> Option<&'a [u8]> {
    let length = usize::from(*bytes.get(*at)?);
    if length > MAX_IDENTIFIER {
        return None;
    }
    let identifier = bytes.get(*at + 1..*at + 1 + length)?;
    *at += 1 + length;
    Some(identifier)
}

/// A variable-length integer (RFC 9000 section 16).
pub(super) fn variable(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let first = *bytes.get(*at)?;
    let length = 1_usize << (first >> 6);
    let mut value = u64::from(first & 0x3f);
    for byte in bytes.get(*at + 1..*at + length)? {
        value = value << 8 | u64::from(*byte);
    }
    *at += length;
    Some(value)
}
