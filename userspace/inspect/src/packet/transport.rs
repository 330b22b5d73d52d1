//! Transport headers: ports, TCP flags, ICMP types, and where the payload begins.

use std::net::IpAddr;

use octroi_abi::opaque::Opaque;
use octroi_abi::tunnel;
use pnet_packet::tcp::TcpPacket;
use pnet_packet::udp::UdpPacket;

use super::{Fragment, IcmpInfo, Parsed, TcpInfo, Unparsed, protocol, u16_at};

const TCP_BYTES: usize = 20;
const UDP_BYTES: usize = 8;
const SCTP_BYTES: usize = 12;
const DCCP_BYTES: usize = 12;
const ICMP_BYTES: usize = 4;
const ICMP_ECHO_BYTES: usize = 8;

/// What an IP header says of its payload.
pub(super) struct Datagram<'a> {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    pub(super) protocol: u8,
    pub(super) fragment: Option<Fragment>,
    pub(super) ip_bytes: u32,
    /// Payload bytes at hand.
    pub(super) payload: &'a [u8],
    /// Payload bytes on the wire.
    pub(super) payload_wire: usize,
}

pub(super) fn parse<'a>(datagram: &Datagram<'a>) -> Result<Parsed<'a>, Unparsed> {
    let payload = datagram.payload;
    let mut parsed = Parsed {
        source: datagram.source,
        destination: datagram.destination,
        protocol: datagram.protocol,
        source_port: 0,
        destination_port: 0,
        tcp: None,
        icmp: None,
        header_bytes: 0,
        payload,
        cut: payload.len() < datagram.payload_wire,
        fragment: datagram.fragment,
        opaque: Opaque::None,
        ip_bytes: datagram.ip_bytes,
    };
    if datagram
        .fragment
        .is_some_and(|fragment| fragment.offset_bytes != 0)
    {
        return Ok(parsed);
    }
    let header = match datagram.protocol {
        protocol::TCP => tcp(datagram, &mut parsed)?,
        protocol::UDP | protocol::UDP_LITE => {
            let view = need(datagram, UDP_BYTES).map(UdpPacket::new)?;
            if let Some(view) = view {
                parsed.source_port = view.get_source();
                parsed.destination_port = view.get_destination();
                if datagram.protocol == protocol::UDP && datagram.fragment.is_none() {
                    udp_length(usize::from(view.get_length()), datagram, &mut parsed);
                }
            }
            UDP_BYTES
        }
        protocol::SCTP => ports(datagram, &mut parsed, SCTP_BYTES)?,
        protocol::DCCP => ports(datagram, &mut parsed, DCCP_BYTES)?,
        protocol::ICMP | protocol::ICMPV6 => icmp(datagram, &mut parsed)?,
        other => {
            parsed.opaque = tunnel::of_protocol(other);
            0
        }
    };
    parsed.header_bytes = u32::try_from(header).unwrap_or(0);
    parsed.payload = parsed.payload.get(header..).unwrap_or(&[]);
    if datagram.protocol == protocol::UDP {
        let mut head = [0; 8];
        if let Some(bytes) = parsed.payload.get(..head.len()) {
            head.copy_from_slice(bytes);
        }
        parsed.opaque = tunnel::over_udp(parsed.destination_port, head);
    }
    Ok(parsed)
}

fn refuse(datagram: &Datagram<'_>, opaque: Opaque) -> Unparsed {
    Unparsed {
        opaque,
        addresses: Some((datagram.source, datagram.destination)),
    }
}

/// The payload, when it holds a header of `bytes`. A first fragment that is too small to hold it
/// is made to evade (RFC 1858).
fn need<'a>(datagram: &Datagram<'a>, bytes: usize) -> Result<&'a [u8], Unparsed> {
    if datagram.payload.len() >= bytes {
        return Ok(datagram.payload);
    }
    Err(refuse(
        datagram,
        if datagram.fragment.is_some() && datagram.payload_wire < bytes {
            Opaque::FragmentTiny
        } else {
            Opaque::Truncated
        },
    ))
}

fn tcp(datagram: &Datagram<'_>, parsed: &mut Parsed<'_>) -> Result<usize, Unparsed> {
    let bytes = need(datagram, TCP_BYTES)?;
    let Some(view) = TcpPacket::new(bytes) else {
        return Err(refuse(datagram, Opaque::Truncated));
    };
    let header_bytes = usize::from(view.get_data_offset()) * 4;
    if header_bytes < TCP_BYTES {
        return Err(refuse(datagram, Opaque::Malformed));
    }
    if header_bytes > datagram.payload_wire {
        return Err(refuse(
            datagram,
            if datagram.fragment.is_some() {
                Opaque::FragmentTiny
            } else {
                Opaque::Truncated
            },
        ));
    }
    parsed.source_port = view.get_source();
    parsed.destination_port = view.get_destination();
    parsed.tcp = Some(TcpInfo {
        flags: view.get_flags(),
        sequence: view.get_sequence(),
        acknowledgement: view.get_acknowledgement(),
    });
    Ok(header_bytes)
}

/// A UDP length that is shorter than the IP payload ends the payload; zero is a jumbogram
/// (RFC 2675), and a longer or impossible one is left to the IP length.
fn udp_length<'a>(length: usize, datagram: &Datagram<'a>, parsed: &mut Parsed<'a>) {
    if (UDP_BYTES..datagram.payload_wire).contains(&length) {
        parsed.cut = datagram.payload.len() < length;
        parsed.payload = &datagram.payload[..datagram.payload.len().min(length)];
    }
}

fn ports(
    datagram: &Datagram<'_>,
    parsed: &mut Parsed<'_>,
    header_bytes: usize,
) -> Result<usize, Unparsed> {
    let bytes = need(datagram, header_bytes)?;
    parsed.source_port = u16_at(bytes, 0);
    parsed.destination_port = u16_at(bytes, 2);
    Ok(header_bytes)
}

fn icmp(datagram: &Datagram<'_>, parsed: &mut Parsed<'_>) -> Result<usize, Unparsed> {
    let bytes = need(datagram, ICMP_BYTES)?;
    let (kind, code) = (bytes[0], bytes[1]);
    let is_echo = match datagram.protocol {
        protocol::ICMP => matches!(kind, 0 | 8),
        _ => matches!(kind, 128 | 129),
    };
    let echo_identifier = if is_echo {
        Some(u16_at(need(datagram, ICMP_ECHO_BYTES)?, 4))
    } else {
        None
    };
    parsed.icmp = Some(IcmpInfo {
        kind,
        code,
        echo_identifier,
    });
    Ok(if is_echo { ICMP_ECHO_BYTES } else { ICMP_BYTES })
}
