//! Which tunnel a packet is, by protocol number or by port and header: one rule for the kernel and
//! for userspace.
//!
//! Over UDP a tunnel is named only when port *and* header say so (Teredo: the server's port, which
//! nothing else uses). `WireGuard`, ESP in UDP, QUIC and VPNs inside TLS have no header that is sure
//! in every packet: they are judged by their destination, and userspace names what it can.

use crate::opaque::Opaque;

/// Layer 2 tunnelling (RFC 2661).
const L2TP: u16 = 1701;
/// GTP-U (3GPP TS 29.281).
const GTP_U: u16 = 2152;
/// Teredo servers (RFC 4380).
const TEREDO: u16 = 3544;
/// VXLAN (RFC 7348).
const VXLAN: u16 = 4789;
/// Geneve (RFC 8926).
const GENEVE: u16 = 6081;

/// What an IP protocol without readable ports is.
#[must_use]
pub const fn of_protocol(protocol: u8) -> Opaque {
    match protocol {
        4 => Opaque::Ipv4InIp,
        41 => Opaque::Ipv6InIp,
        47 => Opaque::Gre,
        50 => Opaque::Esp,
        51 => Opaque::Ah,
        97 => Opaque::EtherIp,
        115 => Opaque::L2tp,
        _ => Opaque::UnknownProtocol,
    }
}

/// Whether [`over_udp`] has to be asked for a destination port.
#[must_use]
pub const fn is_udp_port(port: u16) -> bool {
    matches!(port, L2TP | GTP_U | TEREDO | VXLAN | GENEVE)
}

/// The tunnel in a UDP datagram to `port` (host byte order) whose payload begins with `head`;
/// shorter payloads are filled up with zeros. `None`: no tunnel that is sure.
#[must_use]
pub const fn over_udp(port: u16, head: [u8; 8]) -> Opaque {
    let [first, second, third, fourth, _, _, _, last] = head;
    match port {
        TEREDO => Opaque::Teredo,
        // Version 2 or 3, reserved bits zero (RFC 2661 section 3.1, RFC 3931 section 4.1.2).
        L2TP if first & 0x34 == 0 && (second == 2 || second == 3) => Opaque::L2tp,
        // Version 1, GTP and not GTP', spare bit zero; echo, error, extension, end, user data.
        GTP_U if first & 0xf8 == 0x30 && matches!(second, 1 | 2 | 26 | 31 | 253..=255) => {
            Opaque::GtpU
        }
        // A network identifier, no bits but that and the group policy's; the last byte is reserved.
        VXLAN if first & 0x7f == 0x08 && last == 0 => Opaque::Vxlan,
        // Version 0, Ethernet or IP inside, reserved fields zero.
        GENEVE
            if first >> 6 == 0
                && second & 0x3f == 0
                && last == 0
                && matches!((third, fourth), (0x65, 0x58) | (0x08, 0x00) | (0x86, 0xdd)) =>
        {
            Opaque::Geneve
        }
        _ => Opaque::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tunnel_over_udp_needs_its_port_and_its_header() {
        let table = [
            (VXLAN, [8, 0, 0, 0, 0, 0, 7, 0], Opaque::Vxlan),
            (VXLAN, [0x88, 0, 1, 2, 0, 0, 7, 0], Opaque::Vxlan),
            (VXLAN, [0x88, 0, 1, 2, 0, 0, 7, 1], Opaque::None),
            (VXLAN, [0; 8], Opaque::None),
            (4_790, [8, 0, 0, 0, 0, 0, 7, 0], Opaque::None),
            (GENEVE, [0, 0, 0x65, 0x58, 0, 0, 7, 0], Opaque::Geneve),
            (GENEVE, [2, 0x40, 0x86, 0xdd, 0, 0, 7, 0], Opaque::Geneve),
            (GENEVE, [0x40, 0, 0x65, 0x58, 0, 0, 7, 0], Opaque::None),
            (GENEVE, [0, 0, 0x08, 0x06, 0, 0, 7, 0], Opaque::None),
            (GTP_U, [0x30, 255, 0, 40, 0, 0, 0, 1], Opaque::GtpU),
            (GTP_U, [0x32, 1, 0, 4, 0, 0, 0, 0], Opaque::GtpU),
            (GTP_U, [0x20, 255, 0, 40, 0, 0, 0, 1], Opaque::None),
            (L2TP, [0xc8, 2, 0, 20, 0, 0, 0, 0], Opaque::L2tp),
            (L2TP, [0x00, 2, 0, 1, 0, 1, 0, 0], Opaque::L2tp),
            (L2TP, [0x10, 2, 0, 1, 0, 1, 0, 0], Opaque::None),
            (L2TP, [0xc8, 1, 0, 20, 0, 0, 0, 0], Opaque::None),
            (TEREDO, [0; 8], Opaque::Teredo),
            (53, [0; 8], Opaque::None),
        ];
        for (port, head, kind) in table {
            assert_eq!(over_udp(port, head), kind, "{port} {head:02x?}");
            assert!(kind == Opaque::None || is_udp_port(port));
        }
    }
}
