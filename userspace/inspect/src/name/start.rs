//! What the first bytes of a TCP stream begin.

use super::memo::Kind;
use super::{AppProtocol, http, http2, shape, talk, tls};

/// What first bytes are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Start {
    /// The start of something that is read on.
    Is(Kind),
    /// Of a protocol without names.
    Speaks(AppProtocol),
    /// Too few bytes to tell.
    More,
    /// Nothing that is known.
    Not,
}

/// First bytes that say all by themselves, and what they begin.
const WORDS: [(&[u8], AppProtocol); 1] = [(b"SSH-", AppProtocol::Ssh)];

/// Tells what a stream begins. `first`: these are the first bytes of their direction; conversations
/// are recognised there only.
pub(super) fn of(bytes: &[u8], first: bool) -> Start {
    if tls::may_begin(bytes) {
        return if bytes.len() >= tls::START_BYTES {
            Start::Is(Kind::Tls)
        } else {
            Start::More
        };
    }
    let shared = http2::PREFACE.len().min(bytes.len());
    if !bytes.is_empty() && http2::PREFACE[..shared] == bytes[..shared] {
        return if shared == http2::PREFACE.len() {
            Start::Is(Kind::Http2)
        } else {
            Start::More
        };
    }
    if http::begins_request(bytes) {
        return if http::has_method(bytes) {
            Start::Is(Kind::Http)
        } else {
            Start::More
        };
    }
    if !first {
        return Start::Not;
    }
    for (word, protocol) in WORDS {
        let shared = word.len().min(bytes.len());
        if word[..shared] == bytes[..shared] {
            return if shared == word.len() {
                Start::Speaks(protocol)
            } else {
                Start::More
            };
        }
    }
    if let Some(protocol) = shape::stream(bytes) {
        return Start::Speaks(protocol);
    }
    match talk::begins(bytes) {
        talk::Begins::Yes(protocol) => Start::Is(Kind::Talk(protocol)),
        talk::Begins::Maybe => Start::More,
        talk::Begins::No if tls::is_record(bytes) => Start::Speaks(AppProtocol::Tls),
        talk::Begins::No => Start::Not,
    }
}
