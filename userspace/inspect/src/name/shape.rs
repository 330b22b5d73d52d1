//! Protocols without names, told by the shape of their first packets: STUN and TURN, `WireGuard`,
//! `OpenVPN`, IKE, RTP. Only shapes that are sure: what merely may be one of them is none.

use super::AppProtocol;

const STUN_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const STUN_HEADER: usize = 20;
const IKE_PORTS: [u16; 2] = [500, 4500];
const IKE_HEADER: usize = 28;
const WIREGUARD_INITIATION: usize = 148;
const WIREGUARD_RESPONSE: usize = 92;
const RTP_HEADER: usize = 12;
/// How far the numbers of two RTP packets in a row may be apart.
const RTP_STEP: u16 = 16;

/// What a UDP datagram is, when its shape alone is sure.
pub(super) fn datagram(bytes: &[u8], ports: [u16; 2]) -> Option<AppProtocol> {
    if let Some(protocol) = stun(bytes) {
        Some(protocol)
    } else if is_wireguard(bytes) {
        Some(AppProtocol::Wireguard)
    } else if is_openvpn(bytes) {
        Some(AppProtocol::Openvpn)
    } else if ports.iter().any(|port| IKE_PORTS.contains(port)) && is_ike(bytes) {
        Some(AppProtocol::Ike)
    } else {
        None
    }
}

/// What a TCP stream begins with, likewise.
pub(super) fn stream(bytes: &[u8]) -> Option<AppProtocol> {
    if let Some(protocol) = stun(bytes) {
        return Some(protocol);
    }
    // OpenVPN over TCP has the length of each packet before it.
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    (rest.len() == usize::from(u16::from_be_bytes(*length)) && is_openvpn(rest))
        .then_some(AppProtocol::Openvpn)
}

/// RFC 8489 section 5; methods of RFC 8656 section 17 ask for a relay.
fn stun(bytes: &[u8]) -> Option<AppProtocol> {
    let header = bytes.first_chunk::<STUN_HEADER>()?;
    let kind = u16::from_be_bytes([header[0], header[1]]);
    let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
    if kind & 0xc000 != 0
        || header[4..8] != STUN_COOKIE
        || !length.is_multiple_of(4)
        || length != bytes.len() - STUN_HEADER
    {
        return None;
    }
    let method = kind & 0xf | kind >> 1 & 0x70 | kind >> 2 & 0xf80;
    Some(match method {
        3 | 4 | 6..=9 => AppProtocol::Turn,
        _ => AppProtocol::Stun,
    })
}

/// The handshake's two messages (the paper of `WireGuard`, section 5.4): type, three zeros, and a
/// length that is always the same.
fn is_wireguard(bytes: &[u8]) -> bool {
    match bytes {
        [1, 0, 0, 0, ..] => bytes.len() == WIREGUARD_INITIATION,
        [2, 0, 0, 0, ..] => bytes.len() == WIREGUARD_RESPONSE,
        _ => false,
    }
}

/// A client's first packet of a control channel (`OpenVPN`'s network protocol): plain, under
/// `tls-auth`, `tls-crypt` or `tls-crypt-v2`.
fn is_openvpn(bytes: &[u8]) -> bool {
    const RESET: u8 = 7 << 3;
    const RESET_WRAPPED: u8 = 10 << 3;
    /// Operation and session.
    const HEAD: usize = 9;
    const CRYPT: usize = HEAD + 8 + 32 + 5;
    /// Sizes of the digests that `auth` may name.
    const DIGESTS: [usize; 6] = [16, 20, 28, 32, 48, 64];
    /// Number of the first packet.
    const FIRST: &[u8] = &[0, 0, 0, 1];
    let numbered = |at: usize| bytes.get(at..at + 4) == Some(FIRST);
    let ends_unacknowledged = bytes.ends_with(&[0; 5]);
    match bytes.first() {
        Some(&RESET) => {
            let session = bytes.get(1..HEAD).unwrap_or(&[0]);
            let plain = bytes.len() == HEAD + 5 && ends_unacknowledged;
            let signed = DIGESTS.iter().any(|digest| {
                bytes.len() == HEAD + digest + 13 && ends_unacknowledged && numbered(HEAD + digest)
            });
            let encrypted = bytes.len() == CRYPT && numbered(HEAD);
            session.iter().any(|byte| *byte != 0) && (plain || signed || encrypted)
        }
        // The wrapped key of the client follows, its own length last.
        Some(&RESET_WRAPPED) => match bytes {
            [.., high, low] if bytes.len() > CRYPT => {
                usize::from(u16::from_be_bytes([*high, *low])) == bytes.len() - CRYPT
            }
            _ => false,
        },
        _ => false,
    }
}

/// RFC 7296 section 3.1, RFC 2408 section 3.1; on port 4500 behind four zeros (RFC 3948).
fn is_ike(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix(&[0; 4]).unwrap_or(bytes);
    let Some(header) = bytes.first_chunk::<IKE_HEADER>() else {
        return false;
    };
    let length = u32::from_be_bytes([header[24], header[25], header[26], header[27]]);
    let exchange = match header[17] {
        0x10 => matches!(header[18], 1..=6 | 32..=34),
        0x20 => matches!(header[18], 34..=44),
        _ => false,
    };
    exchange && header[..8] != [0; 8] && u32::try_from(bytes.len()) == Ok(length)
}

/// What two RTP packets in a row share, and the number that grows (RFC 3550 section 5.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Rtp {
    source: u32,
    kind: u8,
    number: u16,
}

impl Rtp {
    /// Of a datagram that may be RTP.
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        let header = bytes.first_chunk::<RTP_HEADER>()?;
        let kind = header[1] & 0x7f;
        let sources = usize::from(header[0] & 0xf);
        // Version 2; types that are assigned or dynamic (RFC 3551), and not RTCP's (RFC 5761).
        let fits = header[0] >> 6 == 2
            && matches!(kind, 0..=34 | 96..=127)
            && bytes.len() > RTP_HEADER + 4 * sources;
        fits.then(|| Self {
            source: u32::from_be_bytes([header[8], header[9], header[10], header[11]]),
            kind,
            number: u16::from_be_bytes([header[2], header[3]]),
        })
    }

    /// Whether it follows another packet of the same stream.
    pub(super) fn follows(self, before: Self) -> bool {
        self.source == before.source
            && self.kind == before.kind
            && (1..=RTP_STEP).contains(&self.number.wrapping_sub(before.number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stun_message(kind: u16, attributes: usize) -> Vec<u8> {
        let mut out = kind.to_be_bytes().to_vec();
        out.extend(u16::try_from(attributes).unwrap().to_be_bytes());
        out.extend(STUN_COOKIE);
        out.extend(vec![7; 12 + attributes]);
        out
    }

    fn ike(version: u8, exchange: u8) -> Vec<u8> {
        let mut out = vec![9; 8];
        out.extend([0; 8]);
        out.extend([33, version, exchange, 8, 0, 0, 0, 0]);
        out.extend(40_u32.to_be_bytes());
        out.extend([0; 12]);
        out
    }

    #[test]
    fn shapes_that_are_sure() {
        let initiation = [&[1, 0, 0, 0][..], &[7; 144]].concat();
        let plain = [&[0x38][..], &[9; 8], &[0; 5]].concat();
        let signed = [
            &[0x38][..],
            &[9; 8],
            &[5; 20],
            &[0, 0, 0, 1, 1, 2, 3, 4],
            &[0; 5],
        ]
        .concat();
        let crypt = [&[0x38][..], &[9; 8], &[0, 0, 0, 1, 1, 2, 3, 4], &[5; 37]].concat();
        let wrapped = [&[0x50][..], &[9; 53], &[5; 300], &[1, 46]].concat();
        let nat = [&[0; 4][..], &ike(0x20, 34)].concat();
        let cases: [(Vec<u8>, Option<AppProtocol>); 12] = [
            (stun_message(0x0001, 8), Some(AppProtocol::Stun)),
            (stun_message(0x0101, 12), Some(AppProtocol::Stun)),
            (stun_message(0x0003, 8), Some(AppProtocol::Turn)),
            (stun_message(0x0113, 8), Some(AppProtocol::Turn)),
            (stun_message(0x0008, 8), Some(AppProtocol::Turn)),
            (initiation, Some(AppProtocol::Wireguard)),
            (plain, Some(AppProtocol::Openvpn)),
            (signed, Some(AppProtocol::Openvpn)),
            (crypt, Some(AppProtocol::Openvpn)),
            (wrapped, Some(AppProtocol::Openvpn)),
            (ike(0x20, 34), Some(AppProtocol::Ike)),
            (nat, Some(AppProtocol::Ike)),
        ];
        for (bytes, expected) in cases {
            assert_eq!(datagram(&bytes, [4500, 500]), expected, "{bytes:02x?}");
            for length in 0..bytes.len() {
                let cut = datagram(&bytes[..length], [4500, 500]);
                // The shorter forms of OpenVPN end where a longer one may be cut.
                assert!(
                    cut.is_none() || expected == Some(AppProtocol::Openvpn),
                    "{length}"
                );
            }
            let mut framed = u16::try_from(bytes.len()).unwrap().to_be_bytes().to_vec();
            framed.extend(&bytes);
            let on_tcp = stream(&framed) == Some(AppProtocol::Openvpn);
            assert_eq!(on_tcp, expected == Some(AppProtocol::Openvpn));
        }
        assert_eq!(datagram(&ike(0x20, 34), [1, 2]), None, "another port");
        assert_eq!(datagram(&ike(0x30, 34), [500, 500]), None);
        assert_eq!(datagram(&[1, 0, 0, 0, 9], [1, 2]), None);
        assert_eq!(datagram(&[], [500, 500]), None);
    }

    #[test]
    fn rtp_needs_two_packets() {
        let packet = |number: u16, source: u8, kind: u8| {
            let [high, low] = number.to_be_bytes();
            let mut out = vec![0x80, kind, high, low, 0, 0, 0, 1, 0, 0, 0, source];
            out.extend([5; 160]);
            Rtp::of(&out)
        };
        let first = packet(65_535, 1, 0xef).unwrap();
        assert!(
            packet(0, 1, 111).unwrap().follows(first),
            "the mark is no part of the type"
        );
        for other in [
            packet(65_535, 1, 111),
            packet(0, 2, 111),
            packet(0, 1, 96),
            packet(500, 1, 111),
        ] {
            assert!(!other.unwrap().follows(first));
        }
        assert_eq!(packet(1, 1, 72), None, "RTCP");
        assert_eq!(Rtp::of(&[0x40; 40]), None);
        assert_eq!(Rtp::of(&[0x8f; 20]), None, "its sources do not fit");
    }
}
