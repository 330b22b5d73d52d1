//! The head of an HTTP/1 request (RFC 9112): the host it is meant for.

use super::AppProtocol;
use super::hostname::authority;

/// Longest request head accepted, bytes.
pub(super) const MAX_HEAD: usize = 32_768;

const METHODS: [&[u8]; 17] = [
    b"GET ",
    b"POST ",
    b"HEAD ",
    b"PUT ",
    b"DELETE ",
    b"OPTIONS ",
    b"CONNECT ",
    b"PATCH ",
    b"TRACE ",
    b"PROPFIND ",
    b"PROPPATCH ",
    b"MKCOL ",
    b"COPY ",
    b"MOVE ",
    b"LOCK ",
    b"UNLOCK ",
    b"REPORT ",
];

/// How far a request head was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Head {
    /// The host: a host name or an IP address.
    Host(String),
    /// The head is whole and names no host.
    WithoutHost,
    /// The host it names is none.
    InvalidHost,
    /// More bytes are needed.
    More,
    /// It is no request.
    Not,
}

/// Reads a request from the start of a stream. An absolute target and the authority of `CONNECT`
/// go before the `Host` field (RFC 9112 section 3.2).
#[must_use]
pub fn request_head(stream: &[u8]) -> Head {
    if !begins_request(stream) {
        return Head::Not;
    }
    let Some((line, mut rest)) = line(stream) else {
        return if stream.len() > MAX_HEAD {
            Head::Not
        } else {
            Head::More
        };
    };
    let mut parts = line.splitn(3, |&byte| byte == b' ');
    let (method, target) = (parts.next().unwrap_or(&[]), parts.next().unwrap_or(&[]));
    if !parts.next().unwrap_or(&[]).starts_with(b"HTTP/1.") {
        return Head::Not;
    }
    if method == b"CONNECT" {
        return told(target);
    }
    if let Some(target) = absolute(target) {
        return told(target);
    }
    while let Some((field, after)) = self::line(rest) {
        rest = after;
        if field.is_empty() {
            return Head::WithoutHost;
        }
        let Some(colon) = field.iter().position(|&byte| byte == b':') else {
            continue;
        };
        if field[..colon].eq_ignore_ascii_case(b"host") {
            return told(field[colon + 1..].trim_ascii());
        }
    }
    if stream.len() > MAX_HEAD {
        Head::Not
    } else {
        Head::More
    }
}

fn told(host: &[u8]) -> Head {
    if host.is_empty() {
        return Head::WithoutHost;
    }
    match authority(host) {
        Some(host) => Head::Host(host),
        None => Head::InvalidHost,
    }
}

/// The authority of an absolute-form target.
fn absolute(target: &[u8]) -> Option<&[u8]> {
    let at = target.windows(3).position(|part| part == b"://")?;
    if at == 0 || !target[..at].iter().all(u8::is_ascii_alphanumeric) {
        return None;
    }
    let rest = &target[at + 3..];
    let end = rest
        .iter()
        .position(|byte| matches!(byte, b'/' | b'?' | b'#'))
        .unwrap_or(rest.len());
    Some(&rest[..end])
}

/// A line without its end, and what follows it.
fn line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|&byte| byte == b'\n')?;
    let line = &bytes[..end];
    Some((line.strip_suffix(b"\r").unwrap_or(line), &bytes[end + 1..]))
}

/// Whether bytes can be the start of a request.
#[must_use]
pub fn begins_request(bytes: &[u8]) -> bool {
    !bytes.is_empty()
        && METHODS.iter().any(|method| {
            let shared = method.len().min(bytes.len());
            method[..shared] == bytes[..shared]
        })
}

/// What a request speaks: DNS over HTTP and Tor's directory protocol show it in their head.
pub(super) fn speaks(stream: &[u8]) -> AppProtocol {
    let Some((line, mut rest)) = line(stream) else {
        return AppProtocol::Http;
    };
    let target = line.split(|&byte| byte == b' ').nth(1).unwrap_or(&[]);
    if asks_dns(target) {
        return AppProtocol::Doh;
    }
    if asks_tor(target) {
        return AppProtocol::Tor;
    }
    while let Some((field, after)) = self::line(rest) {
        rest = after;
        let Some(colon) = field.iter().position(|&byte| byte == b':') else {
            break;
        };
        let name = &field[..colon];
        if (name.eq_ignore_ascii_case(b"accept") || name.eq_ignore_ascii_case(b"content-type"))
            && is_dns_message(&field[colon + 1..])
        {
            return AppProtocol::Doh;
        }
    }
    AppProtocol::Http
}

/// Whether a target is a query of DNS over HTTP (RFC 8484 section 4.1).
pub(super) fn asks_dns(target: &[u8]) -> bool {
    let Some(at) = target.iter().position(|&byte| byte == b'?') else {
        return false;
    };
    target[..at].ends_with(b"/dns-query") && target[at + 1..].starts_with(b"dns=")
}

/// Whether a target is a document of Tor's directories (dir-spec, "URLs").
fn asks_tor(target: &[u8]) -> bool {
    const DOCUMENTS: [&[u8]; 6] = [
        b"/tor/status-vote/",
        b"/tor/server/",
        b"/tor/extra/",
        b"/tor/keys/",
        b"/tor/micro/",
        b"/tor/hs/",
    ];
    DOCUMENTS.iter().any(|start| target.starts_with(start))
}

/// Whether a media type is that of DNS messages (RFC 8484 section 6).
pub(super) fn is_dns_message(value: &[u8]) -> bool {
    const TYPE: &[u8] = b"application/dns-message";
    let value = value.trim_ascii();
    value
        .get(..TYPE.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(TYPE))
}

/// Whether bytes begin with a method and the space behind it.
pub(super) fn has_method(bytes: &[u8]) -> bool {
    METHODS.iter().any(|method| bytes.starts_with(method))
}
