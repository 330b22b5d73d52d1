//! RDP before its handshake: a connection request of X.224 (MS-RDPBCGR section 2.2.1.1) in a TPKT
//! packet (RFC 1006).

use super::{AppProtocol, Begins, Fit, Words, shape};

const TPKT_HEADER: usize = 4;
/// X.224's own header: its length, code, two references, class.
const REQUEST_HEADER: usize = 7;
/// Behind which a user's name, or a token for a load balancer, stands.
const COOKIE: &[u8] = b"Cookie: ms";
/// A negotiation request: type 1, flags, length 8.
const NEGOTIATION: [Option<u8>; 4] = [Some(1), None, Some(8), Some(0)];

/// How far bytes are a client's connection request: so many bytes are.
fn request(bytes: &[u8]) -> (Fit, usize) {
    let head = [
        Some(3),
        Some(0),
        Some(0),
        None,
        None,
        Some(0xe0),
        Some(0),
        Some(0),
        None,
        None,
        Some(0),
    ];
    let fit = shape(bytes, &head);
    if fit != Fit::Whole {
        return (fit, 0);
    }
    let length = usize::from(bytes[3]);
    // Both lengths say the same, and that something follows.
    if usize::from(bytes[4]) + TPKT_HEADER + 1 != length || length <= TPKT_HEADER + REQUEST_HEADER {
        return (Fit::Not, 0);
    }
    let rest = &bytes[TPKT_HEADER + REQUEST_HEADER..bytes.len().min(length)];
    let shared = COOKIE.len().min(rest.len());
    let is_negotiation = shape(rest, &NEGOTIATION) != Fit::Not;
    if rest[..shared] != COOKIE[..shared] && !is_negotiation {
        return (Fit::Not, 0);
    }
    if bytes.len() < length {
        (Fit::SoFar, 0)
    } else {
        (Fit::Whole, length)
    }
}

pub(super) fn begins(bytes: &[u8]) -> Begins {
    match request(bytes).0 {
        Fit::Whole => Begins::Yes(AppProtocol::Rdp),
        Fit::SoFar => Begins::Maybe,
        Fit::Not => Begins::No,
    }
}

/// Without TLS the client goes on with T.125, in the clear.
pub(super) fn words(bytes: &[u8]) -> Words {
    match request(bytes) {
        (Fit::Whole, length) => Words::Before(length),
        (Fit::SoFar, _) => Words::More,
        (Fit::Not, _) => Words::Clear,
    }
}
