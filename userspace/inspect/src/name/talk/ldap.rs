//! LDAP before its handshake: messages in BER (RFC 4511), and the operation that starts TLS
//! (section 4.14).

use super::{AppProtocol, Begins, MAX_LINE, Words};

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const ENUMERATED: u8 = 0x0a;
const BIND: u8 = 0x60;
const SEARCH: u8 = 0x63;
const EXTENDED: u8 = 0x77;
/// `requestName [0]` of an extended request.
const REQUEST_NAME: u8 = 0x80;
/// `1.3.6.1.4.1.1466.20037`, as LDAP writes it.
const START_TLS: &[u8] = b"1.3.6.1.4.1.1466.20037";

/// A client's message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Message {
    /// It asks for TLS, or reads what the server says of itself (the root DSE): bytes it takes.
    Before(usize),
    /// Another request.
    Other,
    /// Too few bytes to tell.
    More,
    /// None.
    Not,
}

/// Why reading ended early.
enum Stop {
    CutShort,
    Not,
}

/// An element: tag, and content length; what follows its header.
fn element(bytes: &[u8]) -> Result<(u8, usize, &[u8]), Stop> {
    let (&[tag, first], rest) = bytes.split_first_chunk::<2>().ok_or(Stop::CutShort)?;
    match first {
        0..=0x7f => Ok((tag, usize::from(first), rest)),
        // Definite lengths only (RFC 4511 section 5.1).
        0x81..=0x84 => {
            let (length, rest) = rest
                .split_at_checked(usize::from(first & 0x7f))
                .ok_or(Stop::CutShort)?;
            let length = length
                .iter()
                .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
            Ok((tag, length, rest))
        }
        _ => Err(Stop::Not),
    }
}

/// An element of this tag, whole: its content, and what follows.
fn content(bytes: &[u8], expected: u8) -> Result<(&[u8], &[u8]), Stop> {
    if bytes.first().is_some_and(|tag| *tag != expected) {
        return Err(Stop::Not);
    }
    let (_, length, rest) = element(bytes)?;
    rest.split_at_checked(length).ok_or(Stop::CutShort)
}

fn message(bytes: &[u8]) -> Message {
    match read(bytes) {
        Ok(message) => message,
        Err(Stop::CutShort) => Message::More,
        Err(Stop::Not) => Message::Not,
    }
}

fn read(bytes: &[u8]) -> Result<Message, Stop> {
    if bytes.first().is_some_and(|tag| *tag != SEQUENCE) {
        return Err(Stop::Not);
    }
    let (_, length, rest) = element(bytes)?;
    if !(7..=MAX_LINE).contains(&length) {
        return Err(Stop::Not);
    }
    let whole = bytes.len() - rest.len() + length;
    let body = rest.get(..length).unwrap_or(rest);
    // What is cut inside a message that is all there contradicts itself.
    let cut_is_wrong = body.len() == length;
    let read = || {
        let (number, operation) = content(body, INTEGER)?;
        if number.is_empty() || number.len() > 4 || number[0] & 0x80 != 0 {
            return Err(Stop::Not);
        }
        request(operation, whole)
    };
    match read() {
        Err(Stop::CutShort) if cut_is_wrong => Err(Stop::Not),
        Ok(Message::Before(_)) if !cut_is_wrong => Err(Stop::CutShort),
        other => other,
    }
}

fn request(operation: &[u8], whole: usize) -> Result<Message, Stop> {
    let tag = *operation.first().ok_or(Stop::CutShort)?;
    let (body, _) = content(operation, tag)?;
    match tag {
        EXTENDED => {
            let (name, _) = content(body, REQUEST_NAME)?;
            Ok(if name == START_TLS {
                Message::Before(whole)
            } else {
                Message::Other
            })
        }
        BIND => {
            let (version, _) = content(body, INTEGER)?;
            match version {
                [1..=3] => Ok(Message::Other),
                _ => Err(Stop::Not),
            }
        }
        SEARCH => {
            let (base, rest) = content(body, OCTET_STRING)?;
            let (scope, _) = content(rest, ENUMERATED)?;
            match scope {
                [0] if base.is_empty() => Ok(Message::Before(whole)),
                [0..=3] => Ok(Message::Other),
                _ => Err(Stop::Not),
            }
        }
        _ => Err(Stop::Not),
    }
}

pub(super) fn begins(bytes: &[u8]) -> Begins {
    match message(bytes) {
        Message::Before(_) | Message::Other => Begins::Yes(AppProtocol::Ldap),
        Message::More => Begins::Maybe,
        Message::Not => Begins::No,
    }
}

pub(super) fn words(bytes: &[u8]) -> Words {
    match message(bytes) {
        Message::Before(count) => Words::Before(count),
        Message::More => Words::More,
        Message::Other | Message::Not => Words::Clear,
    }
}
