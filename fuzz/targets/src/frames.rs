//! Frames that the gate holds: whether their receiver hears them, and answers in a resolver's
//! place.

use octroi_abi::event::HeldHeader;
use octroi_abi::flow::FlowKey;
use octroi_inspect::capture::LinkType;
use octroi_inspect::flow;
use octroi_inspect::packet::{self, Parsed, protocol, tcp_flag};

/// Where the checksum stands in a header of UDP, and of TCP.
const IN_UDP: usize = 6;
const IN_TCP: usize = 16;
const FEWEST_HOPS: u8 = 32;

/// Sum of 16-bit words in ones' complement (RFC 1071), the plain way.
fn sum(parts: &[&[u8]]) -> u16 {
    let mut sum = 0_u32;
    for part in parts {
        for (at, byte) in part.iter().enumerate() {
            let word = u32::from(*byte) << if at % 2 == 0 { 8 } else { 0 };
            sum += word;
            if sum > 0xffff {
                sum = (sum & 0xffff) + 1;
            }
        }
    }
    u16::try_from(sum).unwrap_or(u16::MAX)
}

/// Sum of the pseudo-header before a segment.
fn pseudo(parsed: &Parsed<'_>, length: usize) -> u16 {
    let [source, destination] = [parsed.source, parsed.destination].map(octets);
    let length = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    sum(&[&source, &destination, &length, &[0, parsed.protocol]])
}

fn octets(address: std::net::IpAddr) -> Vec<u8> {
    match address {
        std::net::IpAddr::V4(address) => address.octets().to_vec(),
        std::net::IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// Where in `frame` a part of it begins.
fn place(frame: &[u8], part: &[u8]) -> usize {
    part.as_ptr().addr() - frame.as_ptr().addr()
}

/// What the kernel says of a frame that is whole, or nothing when it would not hold it.
fn header(frame: &[u8], parsed: &Parsed<'_>) -> Option<HeldHeader> {
    let is_tcp = parsed.protocol == protocol::TCP;
    if parsed.fragment.is_some()
        || parsed.cut
        || !is_tcp && (parsed.protocol != protocol::UDP || parsed.payload.is_empty())
    {
        return None;
    }
    let length = u32::try_from(frame.len()).ok()?;
    let payload = if parsed.payload.is_empty() {
        0
    } else {
        place(frame, parsed.payload)
    };
    let before = usize::try_from(parsed.header_bytes).ok()?;
    let transport = if is_tcp && payload > 0 {
        payload - before
    } else {
        0
    };
    Some(HeldHeader {
        time_ns: 1,
        key: flow::key(
            parsed.source,
            parsed.destination,
            parsed.protocol,
            parsed.source_port,
            parsed.destination_port,
        ),
        ifindex: 1,
        frame_bytes: length,
        length,
        first: 1,
        sequence: parsed.tcp.map_or(0, |tcp| tcp.sequence),
        payload_bytes: u32::try_from(parsed.payload.len()).ok()?,
        payload: u16::try_from(payload).ok()?,
        transport: u16::try_from(transport).ok()?,
        tcp_flags: parsed.tcp.map_or(0, |tcp| tcp.flags),
        reserved: [0; 3],
    })
}

/// Whether a receiver takes a whole frame, reckoned a second time.
fn is_heard(frame: &[u8], parsed: &Parsed<'_>, header: &HeldHeader) -> bool {
    let mut network = 14;
    while frame[network - 2..network] != [8, 0] && frame[network - 2..network] != [0x86, 0xdd] {
        network += 4;
    }
    let packet = &frame[network..];
    let lives = if parsed.source.is_ipv4() {
        let options = usize::from(packet[0] & 15) * 4;
        packet[8] >= FEWEST_HOPS && sum(&[&packet[..options]]) == 0xffff
    } else {
        packet[7] >= FEWEST_HOPS
    };
    let is_tcp = parsed.protocol == protocol::TCP;
    let flags = header.tcp_flags;
    let is_said = !is_tcp
        || flags & tcp_flag::RST == 0
            && (flags & tcp_flag::ACK == 0) == (flags & tcp_flag::SYN != 0);
    if !lives || !is_said || is_tcp && parsed.payload.is_empty() {
        return lives && is_said;
    }
    let end = place(frame, parsed.payload) + parsed.payload.len();
    let before = usize::try_from(parsed.header_bytes).unwrap_or(0);
    let segment = &frame[place(frame, parsed.payload) - before..end];
    let at = if is_tcp { IN_TCP } else { IN_UDP };
    let check = [segment[at], segment[at + 1]];
    let pseudo = pseudo(parsed, segment.len());
    check == pseudo.to_be_bytes()
        || !is_tcp && parsed.source.is_ipv4() && check == [0, 0]
        || sum(&[&pseudo.to_be_bytes(), segment]) == 0xffff
}

/// Puts the checksums of a frame right: 1, or leaves the segment's to the network card: 2.
fn repair(frame: &mut [u8], how: u8) {
    let before = frame.to_vec();
    let Ok(parsed) = packet::parse(LinkType::ETHERNET, &before) else {
        return;
    };
    let Some(header) = header(&before, &parsed) else {
        return;
    };
    let header_bytes = usize::try_from(parsed.header_bytes).unwrap_or(0);
    let payload = usize::from(header.payload);
    if payload == 0 {
        return;
    }
    let start = payload - header_bytes;
    if parsed.source.is_ipv4()
        && let Some(at) = (14..=22)
            .step_by(4)
            .find(|at| before[at - 2..*at] == [8, 0])
        && at + 20 <= start
    {
        frame[at + 10..at + 12].fill(0);
        let check = !sum(&[&frame[at..start]]);
        frame[at + 10..at + 12].copy_from_slice(&check.to_be_bytes());
    }
    let end = payload + parsed.payload.len();
    let at = start
        + if parsed.protocol == protocol::TCP {
            IN_TCP
        } else {
            IN_UDP
        };
    let pseudo = pseudo(&parsed, end - start);
    frame[at..at + 2].fill(0);
    let check = if how == 1 {
        !sum(&[&pseudo.to_be_bytes(), &frame[start..end]])
    } else {
        pseudo
    };
    frame[at..at + 2].copy_from_slice(&check.to_be_bytes());
}

/// A held frame. The first byte: 0 as it is, 1 with its checksums put right, 2 with the segment's
/// left to the network card, else with the next 12 bytes for what the kernel says of it.
///
/// # Panics
/// When a promise is broken.
pub fn sound(data: &[u8]) {
    let Some((&how, rest)) = data.split_first() else {
        return;
    };
    if how > 2 {
        if let Some((said, frame)) = rest.split_first_chunk::<12>() {
            let _ = octroi_datapath::is_sound(&as_said(said, frame), frame);
        }
        return;
    }
    let mut frame = rest.to_vec();
    if how > 0 {
        repair(&mut frame, how);
    }
    let Ok(parsed) = packet::parse(LinkType::ETHERNET, &frame) else {
        return;
    };
    let Some(header) = header(&frame, &parsed) else {
        return;
    };
    let is_sound = octroi_datapath::is_sound(&header, &frame);
    assert_eq!(is_sound, is_heard(&frame, &parsed, &header), "{parsed:?}");
    // What is missing of it decides nothing, unless it was never summed.
    for length in [frame.len() / 2, frame.len() - 1] {
        let cut = HeldHeader {
            length: u32::try_from(length).unwrap_or(0),
            ..header
        };
        if octroi_datapath::is_sound(&cut, &frame[..length]) {
            assert!(is_sound, "a part is believed, and the whole is not");
        }
    }
}

/// A header that may contradict its frame.
fn as_said(said: &[u8; 12], frame: &[u8]) -> HeldHeader {
    let word = |at: usize| u16::from_be_bytes([said[at], said[at + 1]]);
    let length = u32::try_from(frame.len()).unwrap_or(u32::MAX);
    HeldHeader {
        time_ns: 1,
        key: FlowKey {
            inside: [said[3]; 16],
            outside: [said[4]; 16],
            inside_port: 1,
            outside_port: 2,
            protocol: said[1],
            family: said[0],
            reserved: [0; 2],
        },
        ifindex: 1,
        frame_bytes: length,
        length,
        first: 1,
        sequence: 1,
        payload_bytes: u32::from(word(5)) << 16 | u32::from(word(7)),
        payload: word(9),
        transport: word(10),
        tcp_flags: said[2],
        reserved: [0; 3],
    }
}

/// An answer in a resolver's place: family, addresses, ports, the length of the frame, the frame,
/// and the message.
///
/// # Panics
/// When a promise is broken.
pub fn answer(data: &[u8]) {
    let Some((head, rest)) = data.split_first_chunk::<38>() else {
        return;
    };
    let (Some(inside), Some(outside)) = (head[1..].first_chunk(), head[17..].first_chunk()) else {
        return;
    };
    let key = FlowKey {
        inside: *inside,
        outside: *outside,
        inside_port: u16::from_be_bytes([head[33], head[34]]),
        outside_port: u16::from_be_bytes([head[35], head[36]]),
        protocol: protocol::UDP,
        family: head[0],
        reserved: [0; 2],
    };
    let (frame, message) = rest.split_at(usize::from(head[37]).min(rest.len()));
    let Some(out) = octroi_datapath::answer(frame, &key, message) else {
        return;
    };
    assert_eq!(out[..6], frame[6..12], "to another one");
    assert_eq!(out[6..12], frame[..6], "from another one");
    let parsed = packet::parse(LinkType::ETHERNET, &out).expect("a packet");
    assert_eq!(flow::mapped(parsed.source), key.outside);
    assert_eq!(flow::mapped(parsed.destination), key.inside);
    assert_eq!(
        (parsed.source_port, parsed.destination_port),
        (key.outside_port, key.inside_port)
    );
    assert_eq!((parsed.payload, parsed.cut), (message, false));
    let header = usize::try_from(parsed.header_bytes).expect("a few bytes");
    let segment = &out[out.len() - message.len() - header..];
    let pseudo = pseudo(&parsed, segment.len());
    assert_eq!(sum(&[&pseudo.to_be_bytes(), segment]), 0xffff, "checksum");
    assert_ne!(segment[IN_UDP..IN_UDP + 2], [0, 0], "no checksum");
    if !message.is_empty() {
        let said = self::header(&out, &parsed).expect("a datagram");
        assert!(
            octroi_datapath::is_sound(&said, &out),
            "it would not be heard"
        );
    }
}

/// Seeds: made here, from the frames that the bodies are about.
#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn ethernet(tags: &[u16], kind: u16, packet: &[u8]) -> Vec<u8> {
        let mut out = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
        for tag in tags {
            out.extend(tag.to_be_bytes());
            out.extend([0, 5]);
        }
        out.extend(kind.to_be_bytes());
        out.extend_from_slice(packet);
        out
    }

    fn v4(kind: u8, hops: u8, segment: &[u8]) -> Vec<u8> {
        let length = u16::try_from(20 + segment.len()).unwrap().to_be_bytes();
        let mut out = vec![
            0x45, 0, length[0], length[1], 0, 1, 0x40, 0, hops, kind, 0, 0,
        ];
        out.extend([10, 0, 0, 1, 203, 0, 113, 9]);
        out.extend_from_slice(segment);
        out
    }

    fn v6(kind: u8, segment: &[u8]) -> Vec<u8> {
        let length = u16::try_from(segment.len()).unwrap().to_be_bytes();
        let mut out = vec![0x60, 0, 0, 0, length[0], length[1], kind, 64];
        out.extend([0xfd; 16]);
        out.extend([0x20; 16]);
        out.extend_from_slice(segment);
        out
    }

    fn tcp(flags: u8, payload: &[u8]) -> Vec<u8> {
        let mut out = vec![0x9c, 0x40, 1, 0xbb, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, flags];
        out.extend([1, 0, 0, 0, 0, 0]);
        out.extend_from_slice(payload);
        out
    }

    fn udp(payload: &[u8]) -> Vec<u8> {
        let length = u16::try_from(8 + payload.len()).unwrap().to_be_bytes();
        let mut out = vec![0x9c, 0x40, 0, 53, length[0], length[1], 0, 0];
        out.extend_from_slice(payload);
        out
    }

    fn seeds() -> Vec<(&'static str, &'static str, Vec<u8>)> {
        let segment = ethernet(&[], 0x0800, &v4(6, 64, &tcp(0x18, b"hello")));
        let opening = ethernet(&[], 0x0800, &v4(6, 64, &tcp(0x02, b"")));
        let tagged = ethernet(&[0x88a8, 0x8100], 0x86dd, &v6(17, &udp(b"odd")));
        let dying = ethernet(&[], 0x0800, &v4(17, 5, &udp(b"hello")));
        let with = |how: u8, frame: &[u8]| [&[how][..], frame].concat();
        let asked = |family: u8, frame: &[u8]| {
            let mut out = vec![family];
            for last in [1, 2] {
                let mapped = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, last];
                out.extend(if family == 4 { mapped } else { [last; 16] });
            }
            out.extend([0x9c, 0x40, 0, 53, u8::try_from(frame.len()).unwrap()]);
            out.extend_from_slice(frame);
            out.extend(b"refused");
            out
        };
        vec![
            ("sound", "segment", with(1, &segment)),
            ("sound", "segment-unfinished", with(2, &segment)),
            ("sound", "segment-wrong", with(0, &segment)),
            ("sound", "opening", with(1, &opening)),
            ("sound", "tagged-v6", with(1, &tagged)),
            ("sound", "few-hops", with(1, &dying)),
            (
                "sound",
                "contradicts",
                [&[3, 4, 6, 0x18, 1, 2, 0, 0, 0, 5, 0, 54, 34][..], &segment].concat(),
            ),
            ("answer", "v4", asked(4, &segment)),
            ("answer", "tagged-v6", asked(6, &tagged)),
            ("answer", "families-differ", asked(6, &segment)),
        ]
    }

    #[test]
    fn the_seeds_are_these() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus");
        for (target, name, bytes) in seeds() {
            let path = corpus.join(target).join(name);
            if std::env::var_os("OCTROI_BLESS").is_some() {
                std::fs::create_dir_all(corpus.join(target)).unwrap();
                std::fs::write(&path, &bytes).unwrap();
            }
            let found =
                std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert!(found == bytes, "{} is another one", path.display());
        }
    }

    /// The second reckoning says yes and no, so that comparing with it says something.
    #[test]
    fn both_answers_are_reached() {
        let heard = |how: u8, frame: &[u8]| {
            let mut frame = frame.to_vec();
            if how > 0 {
                repair(&mut frame, how);
            }
            let parsed = packet::parse(LinkType::ETHERNET, &frame).unwrap();
            is_heard(&frame, &parsed, &header(&frame, &parsed).unwrap())
        };
        let segment = ethernet(&[], 0x0800, &v4(6, 64, &tcp(0x18, b"hello")));
        assert_eq!(
            [0, 1, 2].map(|how| heard(how, &segment)),
            [false, true, true]
        );
        let tagged = ethernet(&[0x8100], 0x86dd, &v6(17, &udp(b"odd")));
        assert_eq!(
            [0, 1, 2].map(|how| heard(how, &tagged)),
            [false, true, true]
        );
        let dying = ethernet(&[], 0x0800, &v4(17, 5, &udp(b"hello")));
        assert!(!heard(1, &dying));
    }
}
