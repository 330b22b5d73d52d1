//! Who began a flow that is seen from its middle or in disorder.

use std::net::IpAddr;

use crate::packet::{Parsed, protocol, tcp_flag};

/// Whether the source of a flow's first seen packet began the flow. In this order:
///
/// 1. TCP: the sender of SYN did; the sender of SYN and ACK did not.
/// 2. ICMP echo: the sender of the request did.
/// 3. When exactly one port is a well-known server port, the other side did.
/// 4. When exactly one address is of a private network, that side did.
/// 5. Else the source of the first packet seen.
pub(super) fn source_began(packet: &Parsed<'_>) -> bool {
    if let Some(tcp) = packet.tcp
        && tcp.flags & tcp_flag::SYN != 0
    {
        return tcp.flags & tcp_flag::ACK == 0;
    }
    if let Some(icmp) = packet.icmp {
        let is_reply = matches!(
            (packet.protocol, icmp.kind),
            (protocol::ICMP, 0) | (protocol::ICMPV6, 129)
        );
        return !is_reply;
    }
    let source = is_server_port(packet.source_port);
    let destination = is_server_port(packet.destination_port);
    if source != destination {
        return destination;
    }
    let source = is_private(packet.source);
    let destination = is_private(packet.destination);
    if source != destination {
        return source;
    }
    true
}

/// System ports (RFC 6335 section 6), and registered ones that servers commonly listen on.
fn is_server_port(port: u16) -> bool {
    matches!(
        port,
        1..=1023
            | 1194
            | 1433
            | 1723
            | 1883
            | 1935
            | 2049
            | 3128
            | 3268
            | 3306
            | 3389
            | 3478
            | 4500
            | 5060
            | 5061
            | 5222
            | 5223
            | 5228
            | 5353
            | 5355
            | 5432
            | 5671
            | 5672
            | 6379
            | 6443
            | 8000
            | 8008
            | 8080
            | 8081
            | 8443
            | 8883
            | 8888
            | 9092
            | 9200
            | 27017
    )
}

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_private() || address.is_link_local(),
        IpAddr::V6(address) => address.is_unique_local() || address.is_unicast_link_local(),
    }
}
