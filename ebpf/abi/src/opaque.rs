//! Traffic whose destination or shape hides the answer.
//!
//! Kinds before [`Opaque::SourceRouted`] have no flow of their own: each packet is judged alone.
//! Tunnels are told apart as far as the kernel can do so cheaply and surely: [`crate::tunnel`].

/// Why a packet is opaque. `None` is the code of traffic that is not.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Opaque {
    /// Not opaque.
    None = 0,
    /// Shorter than its headers say, or than they must be.
    Truncated = 1,
    /// A header contradicts itself (version, header length, total length, an empty fragment).
    Malformed = 2,
    /// Neither IPv4, IPv6 nor the link's own behind the link headers that are read.
    NotIp = 3,
    /// A later fragment whose first one was not seen.
    FragmentWithoutFirst = 4,
    /// A first fragment too small to hold its headers (RFC 1858 section 3, RFC 7112).
    FragmentTiny = 5,
    /// A fragment with bytes that another one of its datagram had already, or behind the datagram's
    /// end, or of a datagram in which that was found (RFC 1858, RFC 3128, RFC 5722).
    FragmentOverlapping = 6,
    /// A second fragment header in one packet.
    FragmentNested = 7,
    /// More than eight IPv6 extension headers, or one that stands where it must not.
    ExtensionHeaders = 8,
    /// Loose or strict source routing (IPv4 options 131 and 137; IPv6 routing header type 0,
    /// RFC 5095, or any type with segments left): the destination in the header is not where the
    /// packet goes.
    SourceRouted = 9,
    /// Any transport that is not TCP, UDP, UDP-Lite, SCTP, DCCP, ICMP or a tunnel below.
    UnknownProtocol = 10,
    /// IPv4 in IP (protocol 4, RFC 2003, RFC 2473).
    Ipv4InIp = 11,
    /// IPv6 in IP (protocol 41): 6in4, 6to4, 6rd, ISATAP (RFC 4213), IPv6 in IPv6 (RFC 2473).
    Ipv6InIp = 12,
    /// GRE (protocol 47, RFC 2784, PPTP).
    Gre = 13,
    /// IPsec's encrypted payload (protocol 50, RFC 4303).
    Esp = 14,
    /// IPsec's authentication header (protocol 51, RFC 4302).
    Ah = 15,
    /// Layer 2 tunnelling: protocol 115 (RFC 3931), or its header on UDP port 1701 (RFC 2661).
    L2tp = 16,
    /// Ethernet in IP (protocol 97, RFC 3378).
    EtherIp = 17,
    /// Teredo: to a server's UDP port 3544 (RFC 4380).
    Teredo = 18,
    /// VXLAN's header on UDP port 4789 (RFC 7348).
    Vxlan = 19,
    /// Geneve's header on UDP port 6081 (RFC 8926).
    Geneve = 20,
    /// The header of GTP-U version 1 on UDP port 2152 (3GPP TS 29.281).
    GtpU = 21,
}

/// Words that stand for several kinds in a policy, the wider ones first: a narrower word wins, and
/// the word of a kind wins over all of them.
pub const GROUPS: [(&str, &[Opaque]); 5] = [
    (
        "tunnel",
        &[
            Opaque::Ipv4InIp,
            Opaque::Ipv6InIp,
            Opaque::Gre,
            Opaque::Esp,
            Opaque::Ah,
            Opaque::L2tp,
            Opaque::EtherIp,
            Opaque::Teredo,
            Opaque::Vxlan,
            Opaque::Geneve,
            Opaque::GtpU,
        ],
    ),
    (
        "unknown_protocol",
        &[Opaque::UnknownProtocol, Opaque::L2tp, Opaque::EtherIp],
    ),
    ("ip_in_ip", &[Opaque::Ipv4InIp, Opaque::Ipv6InIp]),
    ("ipsec", &[Opaque::Esp, Opaque::Ah]),
    (
        "fragment_evasive",
        &[
            Opaque::FragmentTiny,
            Opaque::FragmentOverlapping,
            Opaque::FragmentNested,
        ],
    ),
];

impl Opaque {
    /// Every code, by number.
    pub const ALL: [Self; 22] = [
        Self::None,
        Self::Truncated,
        Self::Malformed,
        Self::NotIp,
        Self::FragmentWithoutFirst,
        Self::FragmentTiny,
        Self::FragmentOverlapping,
        Self::FragmentNested,
        Self::ExtensionHeaders,
        Self::SourceRouted,
        Self::UnknownProtocol,
        Self::Ipv4InIp,
        Self::Ipv6InIp,
        Self::Gre,
        Self::Esp,
        Self::Ah,
        Self::L2tp,
        Self::EtherIp,
        Self::Teredo,
        Self::Vxlan,
        Self::Geneve,
        Self::GtpU,
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
        matches!(self, Self::None) || self as u8 >= Self::SourceRouted as u8
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
            Self::FragmentTiny => "fragment_tiny",
            Self::FragmentOverlapping => "fragment_overlapping",
            Self::FragmentNested => "fragment_nested",
            Self::ExtensionHeaders => "extension_headers",
            Self::SourceRouted => "source_routed",
            Self::UnknownProtocol => "unknown_protocol",
            Self::Ipv4InIp => "ipv4_in_ip",
            Self::Ipv6InIp => "ipv6_in_ip",
            Self::Gre => "gre",
            Self::Esp => "esp",
            Self::Ah => "ah",
            Self::L2tp => "l2tp",
            Self::EtherIp => "ether_ip",
            Self::Teredo => "teredo",
            Self::Vxlan => "vxlan",
            Self::Geneve => "geneve",
            Self::GtpU => "gtp_u",
        }
    }
}
