//! IEEE 802.11 data frames, as access points hand them on: not encrypted any more.

use octroi_abi::opaque::Opaque;

use super::link::{self, Network};

/// Frame control, duration, three addresses, sequence.
const HEADER_BYTES: usize = 24;
const ADDRESS_BYTES: usize = 6;
const QUALITY_BYTES: usize = 2;
const THROUGHPUT_BYTES: usize = 4;

/// Version 0 and "data", of the first byte.
const VERSION_AND_TYPE: u8 = 0x0f;
const DATA: u8 = 0x08;
const WITHOUT_DATA: u8 = 0x40;
const WITH_QUALITY: u8 = 0x80;
/// Of the second byte.
const BOTH_SYSTEMS: u8 = 0x03;
const MORE_FRAGMENTS: u8 = 0x04;
const PROTECTED: u8 = 0x40;
const ORDER: u8 = 0x80;
/// Of the quality field: several frames in one.
const AGGREGATED: u8 = 0x80;

/// What a data frame carries. Some controllers swap the two bytes of the frame control: the flags
/// of a frame to or from an access point are no valid first byte, so that shows.
pub(super) fn frame(data: &[u8]) -> Result<Network<'_>, Opaque> {
    let &[a, b] = data.first_chunk::<2>().ok_or(Opaque::Truncated)?;
    let is_data = |byte| byte & VERSION_AND_TYPE == DATA;
    let (kind, flags) = match (is_data(a), is_data(b)) {
        (true, _) => (a, b),
        (false, true) if a & BOTH_SYSTEMS != 0 => (b, a),
        _ => return Err(Opaque::NotIp),
    };
    if kind & WITHOUT_DATA != 0 || flags & (PROTECTED | MORE_FRAGMENTS) != 0 {
        return Err(Opaque::NotIp);
    }
    let mut at = HEADER_BYTES;
    if flags & BOTH_SYSTEMS == BOTH_SYSTEMS {
        at += ADDRESS_BYTES;
    }
    if kind & WITH_QUALITY != 0 {
        if data.get(at).ok_or(Opaque::Truncated)? & AGGREGATED != 0 {
            return Err(Opaque::NotIp);
        }
        at += QUALITY_BYTES;
        at += if flags & ORDER == 0 {
            0
        } else {
            THROUGHPUT_BYTES
        };
    }
    link::snap(data.get(at..).ok_or(Opaque::Truncated)?, 0)
}
