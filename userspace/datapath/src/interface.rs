//! What the kernel says of an interface: index, hardware type, the XDP program it runs.

#![expect(
    unsafe_code,
    reason = "the hardware type is asked by an ioctl on a struct of unions, and rtnetlink messages \
              are read as bytes"
)]

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use nix::net::if_::if_nametoindex;

use crate::error::DatapathError;

/// `ARPHRD_*` numbers (`linux/if_arp.h`) of interfaces with Ethernet frames: ETHER, LOOPBACK.
const ETHERNET: [u16; 2] = [1, 772];
/// Of interfaces with IP packets: PPP, RAWIP, TUNNEL, TUNNEL6, SIT, IPGRE, IP6GRE, NONE (tun,
/// `WireGuard`, xfrm).
const BARE: [u16; 8] = [512, 519, 768, 769, 776, 778, 823, 0xfffe];

/// rtnetlink attributes (`linux/if_link.h`).
const IFLA_XDP: u16 = 43;
const IFLA_XDP_ATTACHED: u16 = 2;
const IFLA_XDP_PROG_ID: u16 = 4;
/// Flags in the type of an attribute.
const ATTRIBUTE_TYPE_MASK: u16 = 0x3fff;
const HEADER_BYTES: usize = 16;
const IFINFO_BYTES: usize = 16;

/// `XDP_ATTACHED_DRV`, `XDP_ATTACHED_SKB`.
pub(crate) const ATTACHED_NATIVE: u8 = 1;
pub(crate) const ATTACHED_GENERIC: u8 = 2;

/// The XDP program of an interface.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct RunningXdp {
    /// `XDP_ATTACHED_*`.
    pub(crate) mode: u8,
    pub(crate) program_id: u32,
}

/// What the frames of an interface begin with.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum LinkKind {
    /// An Ethernet header.
    Ethernet,
    /// An IP header: tun, PPP and tunnel devices.
    Bare,
}

impl LinkKind {
    /// The word used in messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ethernet => "Ethernet",
            Self::Bare => "no link header",
        }
    }

    fn of(hardware_type: u16) -> Option<Self> {
        if ETHERNET.contains(&hardware_type) {
            Some(Self::Ethernet)
        } else if BARE.contains(&hardware_type) {
            Some(Self::Bare)
        } else {
            None
        }
    }
}

/// Index and kind of an interface of this thread's network namespace.
pub(crate) fn find(interface: &str) -> Result<(u32, LinkKind), DatapathError> {
    let missing = || DatapathError::NoSuchInterface {
        interface: interface.to_owned(),
    };
    let index = if_nametoindex(interface).map_err(|_| missing())?;
    let hardware_type = hardware_type(interface).map_err(|_| missing())?;
    match LinkKind::of(hardware_type) {
        Some(kind) => Ok((index, kind)),
        None => Err(DatapathError::LinkUnknown {
            interface: interface.to_owned(),
            hardware_type,
        }),
    }
}

fn hardware_type(interface: &str) -> io::Result<u16> {
    // SAFETY: socket(2) with constants; the result is checked.
    let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just made it, for us alone.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    // SAFETY: integers and arrays of them: zero is a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    let name = request.ifr_name.iter_mut();
    // The last byte stays zero.
    for (slot, byte) in name.zip(interface.bytes().take(libc::IFNAMSIZ - 1)) {
        *slot = libc::c_char::from_ne_bytes([byte]);
    }
    // SAFETY: SIOCGIFHWADDR reads the name and writes the address of this struct.
    if unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFHWADDR, &raw mut request) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: SIOCGIFHWADDR fills this member.
    Ok(unsafe { request.ifr_ifru.ifru_hwaddr.sa_family })
}

/// The XDP program an interface runs, by `RTM_GETLINK`.
pub(crate) fn running_xdp(index: u32) -> io::Result<Option<RunningXdp>> {
    // SAFETY: socket(2) with constants; the result is checked.
    let fd = unsafe {
        libc::socket(
            libc::AF_NETLINK,
            libc::SOCK_RAW | libc::SOCK_CLOEXEC,
            libc::NETLINK_ROUTE,
        )
    };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just made it, for us alone.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    let request = get_link(index);
    // SAFETY: sends the bytes of `request`.
    let sent = unsafe {
        libc::send(
            socket.as_raw_fd(),
            request.as_ptr().cast(),
            request.len(),
            0,
        )
    };
    if sent < 0 {
        return Err(io::Error::last_os_error());
    }
    let mut answer = vec![0_u8; 65_536];
    // SAFETY: receives at most as many bytes as there is room for.
    let received = unsafe {
        libc::recv(
            socket.as_raw_fd(),
            answer.as_mut_ptr().cast(),
            answer.len(),
            0,
        )
    };
    let Ok(length) = usize::try_from(received) else {
        return Err(io::Error::last_os_error());
    };
    parse(answer.get(..length).unwrap_or_default())
}

/// `struct nlmsghdr` and `struct ifinfomsg`.
fn get_link(index: u32) -> [u8; HEADER_BYTES + IFINFO_BYTES] {
    let mut message = [0; HEADER_BYTES + IFINFO_BYTES];
    message[0..4].copy_from_slice(&32_u32.to_ne_bytes());
    message[4..6].copy_from_slice(&libc::RTM_GETLINK.to_ne_bytes());
    message[6..8].copy_from_slice(&1_u16.to_ne_bytes()); // NLM_F_REQUEST
    message[8..12].copy_from_slice(&1_u32.to_ne_bytes()); // sequence
    message[20..24].copy_from_slice(&index.to_ne_bytes());
    message
}

fn parse(message: &[u8]) -> io::Result<Option<RunningXdp>> {
    let kind = message.get(4..6).map(u16_of);
    if kind.map(i32::from) == Some(libc::NLMSG_ERROR) {
        let code = message.get(16..20).map_or(0, u32_of);
        return Err(io::Error::from_raw_os_error(
            code.cast_signed().wrapping_neg(),
        ));
    }
    if kind != Some(libc::RTM_NEWLINK) {
        return Err(io::Error::other("an answer of another kind to RTM_GETLINK"));
    }
    let attributes = message
        .get(HEADER_BYTES + IFINFO_BYTES..)
        .unwrap_or_default();
    let Some(xdp) = attribute(attributes, IFLA_XDP) else {
        return Ok(None);
    };
    let mode = attribute(xdp, IFLA_XDP_ATTACHED).and_then(|value| value.first().copied());
    let program_id = attribute(xdp, IFLA_XDP_PROG_ID)
        .and_then(|value| value.get(..4))
        .map(u32_of);
    Ok(match (mode, program_id) {
        (Some(mode), Some(program_id)) if mode != 0 => Some(RunningXdp { mode, program_id }),
        _ => None,
    })
}

/// The value of the first attribute of a type.
fn attribute(mut attributes: &[u8], wanted: u16) -> Option<&[u8]> {
    loop {
        let length = usize::from(u16_of(attributes.get(0..2)?));
        let kind = u16_of(attributes.get(2..4)?) & ATTRIBUTE_TYPE_MASK;
        let value = attributes.get(4..length)?;
        if kind == wanted {
            return Some(value);
        }
        attributes = attributes.get(length.next_multiple_of(4)..)?;
    }
}

fn u16_of(bytes: &[u8]) -> u16 {
    bytes.try_into().map_or(0, u16::from_ne_bytes)
}

fn u32_of(bytes: &[u8]) -> u32 {
    bytes.try_into().map_or(0, u32::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tlv(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(4 + value.len()).unwrap();
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend_from_slice(&kind.to_ne_bytes());
        bytes.extend_from_slice(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn answer(attributes: &[u8]) -> Vec<u8> {
        let mut message = vec![0; HEADER_BYTES + IFINFO_BYTES];
        message[4..6].copy_from_slice(&libc::RTM_NEWLINK.to_ne_bytes());
        message.extend_from_slice(attributes);
        message
    }

    #[test]
    fn the_program_is_found_among_other_attributes() {
        let mut xdp = tlv(IFLA_XDP_ATTACHED, &[ATTACHED_GENERIC]);
        xdp.extend(tlv(IFLA_XDP_PROG_ID, &77_u32.to_ne_bytes()));
        let mut attributes = tlv(3, b"eth0\0");
        // Nested attributes may carry a flag in their type.
        attributes.extend(tlv(IFLA_XDP | 0x8000, &xdp));
        let found = parse(&answer(&attributes)).unwrap();
        assert_eq!(
            found,
            Some(RunningXdp {
                mode: ATTACHED_GENERIC,
                program_id: 77
            })
        );
    }

    #[test]
    fn no_program_and_broken_answers() {
        let none = answer(&tlv(IFLA_XDP, &tlv(IFLA_XDP_ATTACHED, &[0])));
        assert_eq!(parse(&none).unwrap(), None);
        for cut in 0..none.len() {
            // Never a panic, never a program.
            assert!(!matches!(parse(&none[..cut]), Ok(Some(_))), "{cut}");
        }
        let zero_length = answer(&[0, 0, 0, 0]);
        assert_eq!(parse(&zero_length).unwrap(), None);
    }

    #[test]
    fn hardware_types_are_told_apart() {
        assert_eq!(LinkKind::of(1), Some(LinkKind::Ethernet));
        assert_eq!(LinkKind::of(0xfffe), Some(LinkKind::Bare));
        // InfiniBand.
        assert_eq!(LinkKind::of(32), None);
    }

    #[test]
    fn loopback_is_ethernet_and_nonsense_is_not_there() {
        assert!(matches!(find("lo"), Ok((_, LinkKind::Ethernet))));
        let error = find("no-such-if0").unwrap_err();
        assert!(
            error.to_string().contains("no interface \"no-such-if0\""),
            "{error}"
        );
    }
}
