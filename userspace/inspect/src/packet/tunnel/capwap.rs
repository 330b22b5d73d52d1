//! CAPWAP's data channel (RFC 5415): what access points send to their controller.

use crate::packet::link::{self, Network};
use crate::packet::wireless;

/// The binding of IEEE 802.11 (RFC 5416).
const WIRELESS: u32 = 1;

/// What a datagram carries: an Ethernet frame, or a wireless one. Nothing when it is encrypted
/// (DTLS), keeps the channel alive, or is a later fragment.
pub(super) fn inside(bytes: &[u8]) -> Option<Network<'_>> {
    const NATIVE: u32 = 0x100;
    const FRAGMENT: u32 = 0x80;
    const KEEP_ALIVE: u32 = 0x08;
    let (head, rest) = bytes.split_first_chunk::<4>()?;
    let word = u32::from_be_bytes(*head);
    // Version and type (section 4.1): both 0.
    if word >> 24 != 0 || word & KEEP_ALIVE != 0 {
        return None;
    }
    let header = (word >> 19 & 0x1f) as usize * 4;
    let offset = u16::from_be_bytes([*rest.get(2)?, *rest.get(3)?]) >> 3;
    if header < 8 || word & FRAGMENT != 0 && offset != 0 {
        return None;
    }
    let frame = bytes.get(header..)?;
    if word & NATIVE == 0 {
        link::ethernet(frame).ok()
    } else if word >> 9 & 0x1f == WIRELESS {
        wireless::frame(frame).ok()
    } else {
        None
    }
}
