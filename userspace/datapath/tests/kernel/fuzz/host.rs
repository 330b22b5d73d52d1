//! Where a frame can end up, read the way a switch, a router and a host read it: no flows, no tables,
//! no mercy. Written apart from the kernel's parser, to be wrong in other places.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use octroi_abi::outcome::Outcome;

/// What becomes of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fate {
    /// It ends at this link: no router forwards it.
    Link,
    /// It is forwarded to this address, and can go nowhere else.
    Forwarded(IpAddr),
    /// To a station group that no bridge forwards (IEEE 802.1Q section 8.6.3), and no router: it takes
    /// only what is sent to its own station.
    Nowhere,
    /// Some router, or some host behind it, may read it in another way.
    Unsure,
}

impl Fate {
    /// Whether it may pass with this outcome, under the policy of the little world.
    pub(crate) fn may_pass(self, outcome: Outcome) -> bool {
        match self {
            Self::Link => outcome == Outcome::Control,
            Self::Forwarded(to) => {
                matches!(outcome, Outcome::Allowed | Outcome::Flagged) && is_allowed(to)
            }
            Self::Nowhere => true,
            Self::Unsure => false,
        }
    }
}

/// The destinations that the little world allows or flags; a prefix of Teredo is not among them.
fn is_allowed(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            (a, b) == (198, 18) && (matches!(c, 1 | 4 | 5 | 6)) && (c, d) != (1, 77)
        }
        IpAddr::V6(v6) => match embedded(v6) {
            Some(v4) => is_allowed(IpAddr::V4(v4)),
            None => {
                v6.segments()[..3] == [0x2001, 0xdb8, 1]
                    && v6 != "2001:db8:1::77".parse::<Ipv6Addr>().unwrap()
            }
        },
    }
}

/// RFC 6052 section 2.1, RFC 3056 section 2, RFC 4291 section 2.5.5.2.
fn embedded(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    let of = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match v6.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0, 0, 0, 0, 0, 0xffff, high, low] => {
            Some(of(high, low))
        }
        [0x2002, high, low, ..] => Some(of(high, low)),
        _ => None,
    }
}

/// Where the IP header begins, behind whatever link headers there are.
pub(crate) fn network(frame: &[u8]) -> Option<usize> {
    let mut at = 12;
    loop {
        let kind = [*frame.get(at)?, *frame.get(at + 1)?];
        at += 2;
        match kind {
            [0x81, 0] | [0x88, 0xa8] => at += 2,
            [8, 0] | [0x86, 0xdd] => return Some(at),
            [0x88, 0x47 | 0x48] => loop {
                let bottom = frame.get(at + 2)? & 1 != 0;
                at += 4;
                if bottom {
                    return Some(at);
                }
            },
            [0x88, 0x64] => {
                at += 6;
                return Some(if frame.get(at)? & 1 == 1 {
                    at + 1
                } else {
                    at + 2
                });
            }
            _ => return None,
        }
    }
}

/// Reads a frame.
pub(crate) fn read(frame: &[u8]) -> Fate {
    if frame[..5] == [1, 0x80, 0xc2, 0, 0] && frame[5] < 16 {
        return Fate::Nowhere;
    }
    let Some(at) = network(frame) else {
        return if is_link_kind(frame) {
            Fate::Link
        } else {
            Fate::Unsure
        };
    };
    if is_ppp_control(frame) {
        return Fate::Link;
    }
    let fate = match frame.get(at).map(|byte| byte >> 4) {
        Some(4) => ipv4(&frame[at..]),
        Some(6) => ipv6(&frame[at..]),
        _ => None,
    };
    fate.unwrap_or(Fate::Unsure)
}

/// ARP, and PPPoE discovery, behind any tags.
fn is_link_kind(frame: &[u8]) -> bool {
    let mut at = 12;
    while let Some([0x81, 0] | [0x88, 0xa8]) = frame.get(at..at + 2) {
        at += 4;
    }
    matches!(frame.get(at..at + 2), Some([8, 6] | [0x88, 0x63]))
}

/// A PPPoE session frame whose PPP protocol negotiates the link (0x8000 and up).
fn is_ppp_control(frame: &[u8]) -> bool {
    let mut at = 12;
    while let Some([0x81, 0] | [0x88, 0xa8]) = frame.get(at..at + 2) {
        at += 4;
    }
    frame.get(at..at + 2) == Some(&[0x88, 0x64])
        && frame
            .get(at + 8)
            .is_some_and(|byte| *byte >= 0x80 && byte & 1 == 0)
}

fn ipv4(ip: &[u8]) -> Option<Fate> {
    let head = usize::from(ip[0] & 15) * 4;
    let total = usize::from(u16::from_be_bytes([*ip.get(2)?, *ip.get(3)?]));
    // Such a packet no host takes (RFC 1812 section 5.2.2).
    if head < 20 || total < head || total > ip.len() {
        return None;
    }
    let options = ip.get(20..head)?;
    if has_route(options) {
        return None;
    }
    let to = Ipv4Addr::from(<[u8; 4]>::try_from(ip.get(16..20)?).ok()?);
    let link = to.is_link_local()
        || to.octets()[..3] == [224, 0, 0]
        || (to.is_broadcast() && ip[9] == 17)
        || (to.is_multicast() && ip[9] == 2 && ip[8] == 1);
    Some(if link {
        Fate::Link
    } else {
        Fate::Forwarded(to.into())
    })
}

fn has_route(options: &[u8]) -> bool {
    let mut at = 0;
    while let Some(kind) = options.get(at) {
        match kind {
            0 => return false,
            1 => at += 1,
            131 | 137 => return true,
            _ => match options.get(at + 1) {
                Some(length) if *length >= 2 => at += usize::from(*length),
                // Hosts differ in what they make of it.
                _ => return true,
            },
        }
    }
    false
}

fn ipv6(ip: &[u8]) -> Option<Fate> {
    let payload = usize::from(u16::from_be_bytes([*ip.get(4)?, *ip.get(5)?]));
    if 40 + payload > ip.len() {
        return None;
    }
    let address = |at: usize| {
        let bytes = <[u8; 16]>::try_from(ip.get(at..at + 16)?).ok()?;
        Some(Ipv6Addr::from(bytes))
    };
    let (from, to) = (address(8)?, address(24)?);
    let mut kind = ip[6];
    let mut at = 40;
    // As many headers as there are; a router that looks for a route follows the chain.
    while matches!(kind, 0 | 43 | 44 | 60 | 135 | 139 | 140) {
        let header = ip.get(at..at + 8)?;
        if kind == 43 && (header[2] == 0 || header[3] > 0) {
            return None;
        }
        if kind == 44 && u16::from_be_bytes([header[2], header[3]]) & 0xfff8 != 0 {
            break;
        }
        at += if kind == 44 {
            8
        } else {
            8 * (usize::from(header[1]) + 1)
        };
        kind = header[0];
    }
    if to.is_unicast_link_local() || to.segments()[0] == 0xff02 {
        return Some(Fate::Link);
    }
    let message = ip.get(at).copied().unwrap_or(0);
    // Neighbour discovery is dropped by routers, and taken only with the full hop limit; listener
    // reports go one hop.
    let discovery = kind == 58 && (133..=137).contains(&message) && ip[7] == 255;
    let near = from.is_unicast_link_local()
        || from.is_unspecified()
        || from.segments()[..4] == to.segments()[..4];
    let listener =
        kind == 58 && to.is_multicast() && ip[7] == 1 && matches!(message, 130..=132 | 143);
    if (discovery && near) || listener {
        return Some(Fate::Link);
    }
    Some(Fate::Forwarded(to.into()))
}
