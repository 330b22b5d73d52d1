//! The classic capture format: a file header, then records (draft-ietf-opsawg-pcap).

use std::io::Read;

use super::buffer::Buffer;
use super::{CaptureError, Found, LinkType, MAX_PACKET_BYTES, Order};

const MAGIC_MICRO: u32 = 0xa1b2_c3d4;
const MAGIC_NANO: u32 = 0xa1b2_3c4d;
/// Alexey Kuznetsov's variant: eight more bytes in each record header.
const MAGIC_MODIFIED: u32 = 0xa1b2_cd34;

const FILE_HEADER_BYTES: usize = 24;
const RECORD_HEADER_BYTES: usize = 16;
const MODIFIED_RECORD_HEADER_BYTES: usize = 24;

pub(super) struct Pcap {
    order: Order,
    /// Nanoseconds of one unit of the sub-second field.
    unit_ns: u64,
    record_header_bytes: usize,
    link: LinkType,
}

impl Pcap {
    pub(super) fn open<R: Read>(
        buffer: &mut Buffer<R>,
        magic: [u8; 4],
    ) -> Result<Self, CaptureError> {
        let known = |value: u32| match value {
            MAGIC_MICRO => Some((1_000, RECORD_HEADER_BYTES)),
            MAGIC_NANO => Some((1, RECORD_HEADER_BYTES)),
            MAGIC_MODIFIED => Some((1_000, MODIFIED_RECORD_HEADER_BYTES)),
            _ => None,
        };
        let (order, (unit_ns, record_header_bytes)) =
            if let Some(shape) = known(u32::from_le_bytes(magic)) {
                (Order::Little, shape)
            } else if let Some(shape) = known(u32::from_be_bytes(magic)) {
                (Order::Big, shape)
            } else {
                return Err(CaptureError::NotACapture { magic });
            };
        let header = buffer.need(FILE_HEADER_BYTES, "the pcap file header")?;
        let (major, minor) = (order.u16(header, 4), order.u16(header, 6));
        if major != 2 {
            return Err(CaptureError::Version { major, minor });
        }
        // The upper half holds the length of the frame check sequence, not the link type.
        let link = LinkType((order.u32(header, 20) & 0xffff) as u16);
        buffer.consume(FILE_HEADER_BYTES);
        Ok(Self {
            order,
            unit_ns,
            record_header_bytes,
            link,
        })
    }

    pub(super) fn next<R: Read>(
        &mut self,
        buffer: &mut Buffer<R>,
    ) -> Result<Option<Found>, CaptureError> {
        if buffer.is_at_end()? {
            return Ok(None);
        }
        let offset = buffer.offset();
        let header = buffer.need(self.record_header_bytes, "a pcap record header")?;
        let seconds = u64::from(self.order.u32(header, 0));
        let fraction = u64::from(self.order.u32(header, 4));
        let captured = self.order.u32(header, 8);
        let wire_bytes = self.order.u32(header, 12);
        if captured > MAX_PACKET_BYTES {
            return Err(CaptureError::TooLong {
                offset,
                what: "a packet",
                bytes: u64::from(captured),
                limit: u64::from(MAX_PACKET_BYTES),
            });
        }
        let length = captured as usize;
        buffer.consume(self.record_header_bytes);
        buffer.need(length, "a packet")?;
        buffer.consume(length);
        Ok(Some(Found {
            // 2^32 seconds in nanoseconds fit into 63 bits; the fraction of a damaged record too.
            time_ns: seconds * 1_000_000_000 + fraction * self.unit_ns,
            link: self.link,
            wire_bytes: wire_bytes.max(captured),
            behind: length,
            length,
        }))
    }
}
