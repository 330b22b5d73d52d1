//! Link types: what the bytes of a captured packet begin with (tcpdump.org/linktypes.html).

use std::fmt;

/// A link type, by its number in capture files.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct LinkType(pub u16);

impl LinkType {
    /// BSD loopback: 4-byte address family in the byte order of the capturing machine.
    pub const NULL: Self = Self(0);
    /// Ethernet.
    pub const ETHERNET: Self = Self(1);
    /// PPP, with or without the HDLC address and control bytes.
    pub const PPP: Self = Self(9);
    /// Raw IP, as some systems numbered it.
    pub const RAW_BSD: Self = Self(12);
    /// Raw IP, as OpenBSD numbered it.
    pub const RAW_OPENBSD: Self = Self(14);
    /// PPP in HDLC-like framing (RFC 1662), or Cisco HDLC when the first byte is 0x0f or 0x8f.
    pub const PPP_HDLC: Self = Self(50);
    /// PPPoE session packets (RFC 2516), without Ethernet header.
    pub const PPP_ETHER: Self = Self(51);
    /// Raw IP: the version is in the first nibble.
    pub const RAW: Self = Self(101);
    /// Cisco HDLC.
    pub const C_HDLC: Self = Self(104);
    /// OpenBSD loopback: as NULL, network byte order.
    pub const LOOP: Self = Self(108);
    /// Linux "cooked" capture.
    pub const LINUX_SLL: Self = Self(113);
    /// Raw IPv4.
    pub const IPV4: Self = Self(228);
    /// Raw IPv6.
    pub const IPV6: Self = Self(229);
    /// IP over InfiniBand.
    pub const IPOIB: Self = Self(242);
    /// Linux "cooked" capture, version 2.
    pub const LINUX_SLL2: Self = Self(276);

    /// Whether [`crate::packet::parse`] reads it; the packets of others count as `not_ip`.
    #[must_use]
    pub fn is_supported(self) -> bool {
        self.known_name().is_some()
    }

    fn known_name(self) -> Option<&'static str> {
        Some(match self {
            Self::NULL => "NULL",
            Self::ETHERNET => "EN10MB",
            Self::PPP => "PPP",
            Self::RAW_BSD | Self::RAW_OPENBSD | Self::RAW => "RAW",
            Self::PPP_HDLC => "PPP_SERIAL",
            Self::PPP_ETHER => "PPP_ETHER",
            Self::C_HDLC => "C_HDLC",
            Self::LOOP => "LOOP",
            Self::LINUX_SLL => "LINUX_SLL",
            Self::IPV4 => "IPV4",
            Self::IPV6 => "IPV6",
            Self::IPOIB => "IPOIB",
            Self::LINUX_SLL2 => "LINUX_SLL2",
            _ => return None,
        })
    }

    /// Names of common types that are not read, for the note about them.
    fn other_name(self) -> Option<&'static str> {
        Some(match self.0 {
            6 => "IEEE802_5",
            105 => "IEEE802_11",
            107 => "FRELAY",
            117 => "PFLOG",
            119 => "IEEE802_11_PRISM",
            127 => "IEEE802_11_RADIO",
            132 => "JUNIPER_ES",
            147..=162 => "USER",
            189 => "USB_LINUX",
            192 => "PPI",
            195 => "IEEE802_15_4",
            201 => "BLUETOOTH_HCI_H4_WITH_PHDR",
            220 => "USB_LINUX_MMAPPED",
            239 => "NFLOG",
            247 => "INFINIBAND",
            253 => "NETLINK",
            _ => return None,
        })
    }
}

impl fmt::Display for LinkType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.known_name().or_else(|| self.other_name()) {
            Some(name) => write!(f, "{name} ({})", self.0),
            None => write!(f, "link type {}", self.0),
        }
    }
}
