//! Answering a client in the place of a resolver: a frame that turns round, and the socket that sends it
//! out of the interface it came in by.

#![expect(
    unsafe_code,
    reason = "packet sockets (packet(7)) take an address that no safe wrapper builds"
)]

use std::io;
use std::net::Ipv6Addr;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

use octroi_abi::flow::FlowKey;

use crate::checksum::{fold, sum};

const ETHERNET_BYTES: usize = 14;
const TAG_BYTES: usize = 4;
/// 802.1Q, 802.1ad, and the older number for outer tags.
const TAGS: [u16; 3] = [0x8100, 0x88a8, 0x9100];
/// No frame has more.
const MAX_TAGS: usize = 2;
const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
const IPV4_BYTES: usize = 20;
const IPV6_BYTES: usize = 40;
const UDP_BYTES: usize = 8;
const UDP: u8 = 17;
const HOPS: u8 = 64;

/// The frame that carries `message` back to who sent `frame`, over UDP; `None`: not an Ethernet frame
/// around an IP packet of the key's family, or the message is too long for one.
#[must_use]
pub fn answer(frame: &[u8], key: &FlowKey, message: &[u8]) -> Option<Vec<u8>> {
    let head = link_head(frame)?;
    let is_v4 = key.family == 4;
    // An answer of one family in a frame of the other would be read as something else.
    if head.ends_with(&IPV4.to_be_bytes()) != is_v4 {
        return None;
    }
    let ip_bytes = if is_v4 { IPV4_BYTES } else { IPV6_BYTES };
    let udp_length = u16::try_from(UDP_BYTES + message.len()).ok()?;
    let mut out = Vec::with_capacity(head.len() + ip_bytes + usize::from(udp_length));
    // To the sender, from who was asked.
    out.extend_from_slice(frame.get(6..12)?);
    out.extend_from_slice(frame.get(0..6)?);
    out.extend_from_slice(head.get(12..)?);
    let mut segment = Vec::with_capacity(usize::from(udp_length));
    segment.extend_from_slice(&key.outside_port.to_be_bytes());
    segment.extend_from_slice(&key.inside_port.to_be_bytes());
    segment.extend_from_slice(&udp_length.to_be_bytes());
    segment.extend_from_slice(&[0, 0]);
    segment.extend_from_slice(message);
    let (from, to) = (Ipv6Addr::from(key.outside), Ipv6Addr::from(key.inside));
    let pseudo;
    if is_v4 {
        let (from, to) = (from.to_ipv4_mapped()?, to.to_ipv4_mapped()?);
        let total = udp_length.checked_add(u16::try_from(IPV4_BYTES).ok()?)?;
        let mut header = vec![0x45, 0];
        header.extend_from_slice(&total.to_be_bytes());
        header.extend_from_slice(&[0, 0, 0x40, 0, HOPS, UDP, 0, 0]);
        header.extend_from_slice(&from.octets());
        header.extend_from_slice(&to.octets());
        let check = !fold(sum(&header));
        header
            .get_mut(10..12)?
            .copy_from_slice(&check.to_be_bytes());
        pseudo = sum(&from.octets()) + sum(&to.octets());
        out.extend_from_slice(&header);
    } else {
        out.extend_from_slice(&[0x60, 0, 0, 0]);
        out.extend_from_slice(&udp_length.to_be_bytes());
        out.extend_from_slice(&[UDP, HOPS]);
        out.extend_from_slice(&key.outside);
        out.extend_from_slice(&key.inside);
        pseudo = sum(&key.outside) + sum(&key.inside);
    }
    let whole = pseudo + u64::from(UDP) + u64::from(udp_length) + sum(&segment);
    // Zero would mean "no checksum" (RFC 768).
    let check = match !fold(whole) {
        0 => u16::MAX,
        check => check,
    };
    segment.get_mut(6..8)?.copy_from_slice(&check.to_be_bytes());
    out.extend_from_slice(&segment);
    Some(out)
}

/// The Ethernet header with its tags, when an IP packet follows.
pub(crate) fn link_head(frame: &[u8]) -> Option<&[u8]> {
    let mut end = ETHERNET_BYTES;
    for _ in 0..=MAX_TAGS {
        let kind = frame.get(end - 2..end)?;
        let kind = u16::from_be_bytes([kind[0], kind[1]]);
        if kind == IPV4 || kind == IPV6 {
            return frame.get(..end);
        }
        if !TAGS.contains(&kind) {
            return None;
        }
        end += TAG_BYTES;
    }
    None
}

/// Sends frames out of interfaces of this network namespace. They pass the gate's reply program, which
/// counts them as what they are: answers.
#[derive(Debug)]
pub struct Answers(OwnedFd);

impl Answers {
    /// Opens the socket.
    ///
    /// # Errors
    /// Without `CAP_NET_RAW`.
    pub fn open() -> io::Result<Self> {
        // SAFETY: socket(2) with constants; the result is checked. Protocol 0: it receives nothing.
        let fd = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel just made it, for us alone.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Sends a frame.
    ///
    /// # Errors
    /// When the interface is gone, or its queue is full.
    pub fn send(&self, ifindex: u32, frame: &[u8]) -> io::Result<()> {
        // SAFETY: integers and arrays of them: zero is a value.
        let mut to: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        to.sll_family = u16::try_from(libc::AF_PACKET).unwrap_or(0);
        to.sll_ifindex = i32::try_from(ifindex).unwrap_or(0);
        let length = u32::try_from(size_of::<libc::sockaddr_ll>()).unwrap_or(0);
        // SAFETY: the frame and the address live for the call, and their lengths are theirs.
        let sent = unsafe {
            libc::sendto(
                self.0.as_raw_fd(),
                frame.as_ptr().cast(),
                frame.len(),
                libc::MSG_DONTWAIT,
                (&raw const to).cast(),
                length,
            )
        };
        if sent < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(family: u8) -> FlowKey {
        let address = |last: u8| {
            if family == 4 {
                std::net::Ipv4Addr::new(10, 0, 0, last)
                    .to_ipv6_mapped()
                    .octets()
            } else {
                let mut bytes = [0xfd; 16];
                bytes[15] = last;
                bytes
            }
        };
        FlowKey {
            inside: address(1),
            outside: address(2),
            inside_port: 40_000,
            outside_port: 53,
            protocol: UDP,
            family,
            reserved: [0; 2],
        }
    }

    fn query(tags: &[u16], family: u8) -> Vec<u8> {
        let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
        for tag in tags {
            frame.extend_from_slice(&tag.to_be_bytes());
            frame.extend_from_slice(&[0, 5]);
        }
        let kind = if family == 4 { IPV4 } else { IPV6 };
        frame.extend_from_slice(&kind.to_be_bytes());
        frame.extend_from_slice(&[0; 60]);
        frame
    }

    #[test]
    fn an_answer_goes_back_where_the_question_came_from() {
        for family in [4, 6] {
            for tags in [&[][..], &[0x8100], &[0x88a8, 0x8100]] {
                let key = key(family);
                let frame = query(tags, family);
                let out = answer(&frame, &key, b"refused").unwrap();
                assert_eq!(out[..6], frame[6..12]);
                assert_eq!(out[6..12], frame[..6]);
                let network = 14 + 4 * tags.len();
                let (ip_bytes, addresses) = if family == 4 {
                    (20, 12..16)
                } else {
                    (40, 0..16)
                };
                let at = network + ip_bytes;
                assert_eq!(out[at..at + 4], [0, 53, 0x9c, 0x40], "ports, turned round");
                assert_eq!(&out[at + 8..], b"refused");
                let ends = [key.outside, key.inside].map(|end| end[addresses.clone()].to_vec());
                assert_eq!(out[at - 2 * addresses.len()..at], ends.concat());
                if family == 4 {
                    assert_eq!(fold(sum(&out[network..at])), 0xffff);
                }
                let segment = &out[out.len() - UDP_BYTES - 7..];
                let pseudo = if family == 4 {
                    sum(&key.outside[12..]) + sum(&key.inside[12..])
                } else {
                    sum(&key.outside) + sum(&key.inside)
                };
                let whole = pseudo + 17 + segment.len() as u64 + sum(segment);
                assert_eq!(fold(whole), 0xffff, "the checksum is right");
            }
        }
    }

    #[test]
    fn what_is_no_ip_in_ethernet_is_not_answered() {
        assert_eq!(answer(&[0; 10], &key(4), b"x"), None);
        assert_eq!(answer(&query(&[0x8847], 4), &key(4), b"x"), None);
        assert_eq!(answer(&query(&[0x8100; 5], 4), &key(4), b"x"), None);
        assert_eq!(answer(&query(&[], 4), &key(4), &vec![0; 70_000]), None);
        assert_eq!(
            answer(&query(&[], 4), &key(6), b"x"),
            None,
            "another family"
        );
    }
}
