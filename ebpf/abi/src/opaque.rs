//! Traffic whose destination or shape hides the answer.

/// Why a packet is opaque. `None` is the code of traffic that is not.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Opaque {
    /// Not opaque.
    None = 0,
    /// Shorter than its headers say, or than they must be.
    Truncated = 1,
    /// A header contradicts itself (version, header length, total length).
    Malformed = 2,
    /// Neither IPv4, IPv6 nor ARP behind at most two VLAN tags.
    NotIp = 3,
    /// A later fragment whose first one was not seen.
    FragmentWithoutFirst = 4,
    /// A fragment too small to hold the transport header, or overlapping it (RFC 1858, RFC 3128).
    FragmentEvasive = 5,
    /// More than eight IPv6 extension headers, or one that is not known.
    ExtensionHeaders = 6,
    /// IP in IP: IPv4 or IPv6 inside (protocols 4 and 41).
    IpInIp = 7,
    /// GRE (protocol 47).
    Gre = 8,
    /// ESP or AH (protocols 50 and 51).
    Ipsec = 9,
    /// Any other transport that is not TCP, UDP, UDP-Lite, SCTP, DCCP or ICMP.
    UnknownProtocol = 10,
    /// Loose or strict source routing (IPv4 options 131 and 137; IPv6 routing header type 0,
    /// RFC 5095, or any type with segments left): the destination in the header is not where the
    /// packet goes.
    SourceRouted = 11,
}

impl Opaque {
    /// Every code, by number.
    pub const ALL: [Self; 12] = [
        Self::None,
        Self::Truncated,
        Self::Malformed,
        Self::NotIp,
        Self::FragmentWithoutFirst,
        Self::FragmentEvasive,
        Self::ExtensionHeaders,
        Self::IpInIp,
        Self::Gre,
        Self::Ipsec,
        Self::UnknownProtocol,
        Self::SourceRouted,
    ];

    /// Number of codes.
    pub const COUNT: u32 = Self::ALL.len() as u32;

    /// The code that crosses the kernel boundary.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The kind of a code.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        if (code as usize) < Self::ALL.len() {
            Some(Self::ALL[code as usize])
        } else {
            None
        }
    }

    /// Whether packets of this kind belong to a flow of their own (the shape is known, what is
    /// inside is not). The others are judged packet by packet, with port 0.
    #[must_use]
    pub const fn has_flow(self) -> bool {
        matches!(
            self,
            Self::None
                | Self::IpInIp
                | Self::Gre
                | Self::Ipsec
                | Self::UnknownProtocol
                | Self::SourceRouted
        )
    }

    /// The word used in policies, messages and alerts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Truncated => "truncated",
            Self::Malformed => "malformed",
            Self::NotIp => "not_ip",
            Self::FragmentWithoutFirst => "fragment_without_first",
            Self::FragmentEvasive => "fragment_evasive",
            Self::ExtensionHeaders => "extension_headers",
            Self::IpInIp => "ip_in_ip",
            Self::Gre => "gre",
            Self::Ipsec => "ipsec",
            Self::UnknownProtocol => "unknown_protocol",
            Self::SourceRouted => "source_routed",
        }
    }
}
