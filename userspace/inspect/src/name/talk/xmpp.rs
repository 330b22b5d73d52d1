//! XMPP: a stream's header and the request for TLS (RFC 6120 sections 4 and 5).

use super::{AppProtocol, Begins, MAX_LINE, Words};

/// Bytes in which a stream header must show what it is.
const MAX_HEAD: usize = 1_024;

/// XML is XMPP when its stream says so (RFC 6120 section 4.8.1).
pub(super) fn begins(bytes: &[u8]) -> Begins {
    let head = &bytes[..bytes.len().min(MAX_HEAD)];
    if head
        .windows(31)
        .any(|part| part == b"http://etherx.jabber.org/stream")
    {
        Begins::Yes(AppProtocol::Xmpp)
    } else if head.len() < MAX_HEAD && !head.windows(2).any(|part| part == b"</") {
        Begins::Maybe
    } else {
        Begins::No
    }
}

/// Words that may stand before the handshake: the stream's header and the request for TLS.
pub(super) fn words(bytes: &[u8]) -> Words {
    let bytes = &bytes[..bytes.len().min(MAX_LINE)];
    let blank = bytes.len() - bytes.trim_ascii_start().len();
    let rest = &bytes[blank..];
    if rest.is_empty() {
        return if blank == 0 {
            Words::More
        } else {
            Words::Before(blank)
        };
    }
    let known: [&[u8]; 4] = [b"<?xml", b"<stream:stream", b"<starttls", b"</starttls"];
    for word in known {
        let shared = word.len().min(rest.len());
        if word[..shared] == rest[..shared] {
            return match rest.iter().position(|&byte| byte == b'>') {
                Some(end) => Words::Before(blank + end + 1),
                None if bytes.len() < MAX_LINE => Words::More,
                None => Words::Clear,
            };
        }
    }
    Words::Clear
}
