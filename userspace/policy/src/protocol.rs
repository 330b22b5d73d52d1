//! Names of IP protocols (IANA "Protocol Numbers").

/// Names policies use. ICMP stands for both families: a rule that allows `icmp` must not forget
/// IPv6.
const PROTOCOLS: [(&str, &[u8]); 13] = [
    ("tcp", &[6]),
    ("udp", &[17]),
    ("icmp", &[1, 58]),
    ("icmpv4", &[1]),
    ("icmpv6", &[58]),
    ("igmp", &[2]),
    ("sctp", &[132]),
    ("dccp", &[33]),
    ("udplite", &[136]),
    ("gre", &[47]),
    ("esp", &[50]),
    ("ah", &[51]),
    ("ipip", &[4, 41]),
];

/// The numbers of a name.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static [u8]> {
    PROTOCOLS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|&(_, numbers)| numbers)
}

/// Every name.
pub fn names() -> impl Iterator<Item = &'static str> {
    PROTOCOLS.iter().map(|(name, _)| *name)
}

/// The name of a number, or the number.
#[must_use]
pub fn protocol_name(number: u8) -> String {
    PROTOCOLS
        .iter()
        .find(|(_, numbers)| *numbers == [number])
        .map_or_else(|| number.to_string(), |(name, _)| (*name).to_owned())
}

/// Whether packets of a protocol have a destination port.
#[must_use]
pub const fn has_ports(number: u8) -> bool {
    matches!(number, 6 | 17 | 33 | 132 | 136)
}
