//! IPv4 (RFC 791): header, options, fragments.

use std::net::IpAddr;

use octroi_abi::opaque::Opaque;
use pnet_packet::ipv4::Ipv4Packet;

use super::transport::{self, Datagram};
use super::{Fragment, Parsed, Unparsed};

const HEADER_BYTES: usize = 20;
const MORE_FRAGMENTS: u8 = 0b001;

const OPTION_END: u8 = 0;
const OPTION_NO_OPERATION: u8 = 1;
const OPTION_LOOSE_SOURCE_ROUTE: u8 = 131;
const OPTION_STRICT_SOURCE_ROUTE: u8 = 137;

/// `wire`: bytes that were there on the wire, at least `bytes.len()`.
pub(super) fn parse(bytes: &[u8], wire: usize) -> Result<Parsed<'_>, Unparsed> {
    let Some(header) = Ipv4Packet::new(bytes) else {
        return Err(Unparsed::link(Opaque::Truncated));
    };
    if header.get_version() != 4 {
        return Err(Unparsed::link(Opaque::Malformed));
    }
    let source = IpAddr::V4(header.get_source());
    let destination = IpAddr::V4(header.get_destination());
    let refuse = |opaque| Unparsed {
        opaque,
        addresses: Some((source, destination)),
    };
    let header_bytes = usize::from(header.get_header_length()) * 4;
    // Zero stands for "longer than 65,535 bytes" in captures of unsegmented packets (BIG TCP,
    // Linux 6.3); on the wire it contradicts the header length.
    let total = match usize::from(header.get_total_length()) {
        0 if wire > usize::from(u16::MAX) => wire,
        total => total,
    };
    if header_bytes < HEADER_BYTES || total < header_bytes {
        return Err(refuse(Opaque::Malformed));
    }
    if total > wire || bytes.len() < header_bytes {
        return Err(refuse(Opaque::Truncated));
    }
    let source_routed = source_routed(&bytes[HEADER_BYTES..header_bytes]);
    let protocol = header.get_next_level_protocol().0;
    let offset_bytes = u32::from(header.get_fragment_offset()) * 8;
    let more = header.get_flags() & MORE_FRAGMENTS != 0;
    let fragment = (offset_bytes != 0 || more).then(|| Fragment {
        identification: u32::from(header.get_identification()),
        offset_bytes,
        more,
        protocol,
    });
    let datagram = Datagram {
        source,
        destination,
        protocol,
        fragment,
        ip_bytes: u32::try_from(total).unwrap_or(u32::MAX),
        payload: &bytes[header_bytes..bytes.len().min(total)],
        payload_wire: total - header_bytes,
    };
    let mut parsed = transport::parse(&datagram)?;
    if source_routed {
        parsed.opaque = Opaque::SourceRouted;
    }
    Ok(parsed)
}

/// Whether the options hold a source route. Options that contradict themselves end the walk: a
/// router reads no further either.
fn source_routed(mut options: &[u8]) -> bool {
    while let Some((&kind, rest)) = options.split_first() {
        match kind {
            OPTION_END => return false,
            OPTION_NO_OPERATION => options = rest,
            OPTION_LOOSE_SOURCE_ROUTE | OPTION_STRICT_SOURCE_ROUTE => return true,
            _ => match rest.first() {
                Some(&length) if length >= 2 => {
                    options = options.get(usize::from(length)..).unwrap_or(&[]);
                }
                _ => return false,
            },
        }
    }
    false
}
