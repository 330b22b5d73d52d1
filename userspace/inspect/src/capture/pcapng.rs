//! The block format of captures (draft-ietf-opsawg-pcapng): sections, interfaces, packets.

use std::io::Read;

use super::buffer::Buffer;
use super::{
    CaptureError, Found, LinkType, MAX_HEADER_BLOCK_BYTES, MAX_INTERFACES, MAX_PACKET_BYTES, Order,
};

pub(super) const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const OBSOLETE_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;
const OPTION_END: u16 = 0;
const OPTION_TIME_RESOLUTION: u16 = 9;
const OPTION_TIME_OFFSET: u16 = 14;

/// Block type and total length before the body; total length again after it.
const BLOCK_HEAD_BYTES: usize = 8;
const BLOCK_TAIL_BYTES: usize = 4;
/// Longest packet block: its fixed part and options beside the packet.
const MAX_PACKET_BLOCK_BYTES: u32 = MAX_PACKET_BYTES + MAX_HEADER_BLOCK_BYTES;

#[derive(Clone, Copy)]
struct Interface {
    link: LinkType,
    /// Bytes of each packet that were captured; 0: all.
    snap_bytes: u32,
    clock: Clock,
    offset_seconds: i64,
}

/// What one unit of an interface's time stamps is.
#[derive(Clone, Copy)]
enum Clock {
    /// 10^-n seconds.
    Decimal(u8),
    /// 2^-n seconds.
    Binary(u8),
}

impl Clock {
    fn to_ns(self, stamp: u64) -> u128 {
        let stamp = u128::from(stamp);
        match self {
            Self::Decimal(n @ 0..=9) => stamp * 10_u128.pow(u32::from(9 - n)),
            // 10^29 is beyond any stamp: the time is then within the first nanosecond of 1970.
            Self::Decimal(n) => stamp / 10_u128.pow(u32::from(n - 9).min(29)),
            Self::Binary(n) => (stamp * 1_000_000_000) >> n.min(94),
        }
    }
}

pub(super) struct Pcapng {
    order: Order,
    interfaces: Vec<Interface>,
    in_section: bool,
}

impl Pcapng {
    pub(super) fn new() -> Self {
        Self {
            order: Order::Little,
            interfaces: Vec::new(),
            in_section: false,
        }
    }

    pub(super) fn next<R: Read>(
        &mut self,
        buffer: &mut Buffer<R>,
    ) -> Result<Option<Found>, CaptureError> {
        loop {
            if buffer.is_at_end()? {
                return Ok(None);
            }
            let offset = buffer.offset();
            let head = buffer.need(BLOCK_HEAD_BYTES, "a block header")?;
            // The type of a section header reads the same in both byte orders.
            if self.order.u32(head, 0) == SECTION_HEADER {
                self.section(buffer, offset)?;
                continue;
            }
            if !self.in_section {
                return Err(CaptureError::Malformed {
                    offset,
                    what: "a block before any section header",
                });
            }
            let kind = self.order.u32(head, 0);
            let total = self.order.u32(head, 4);
            check_length(total, offset)?;
            match kind {
                INTERFACE => {
                    let block = self.block(buffer, offset, total, MAX_HEADER_BLOCK_BYTES)?;
                    let interface = interface(self.order, block, offset)?;
                    if self.interfaces.len() >= MAX_INTERFACES {
                        return Err(CaptureError::Malformed {
                            offset,
                            what: "more than 65,536 interfaces in one section",
                        });
                    }
                    self.interfaces.push(interface);
                    buffer.consume(total as usize);
                }
                ENHANCED_PACKET | OBSOLETE_PACKET | SIMPLE_PACKET => {
                    let block = self.block(buffer, offset, total, MAX_PACKET_BLOCK_BYTES)?;
                    let found = self.packet(kind, block, offset)?;
                    buffer.consume(total as usize);
                    return Ok(Some(found));
                }
                _ => buffer.skip(u64::from(total), "a block")?,
            }
        }
    }

    /// A section header: sets the byte order, forgets the interfaces.
    fn section<R: Read>(
        &mut self,
        buffer: &mut Buffer<R>,
        offset: u64,
    ) -> Result<(), CaptureError> {
        let head = buffer.need(16, "a section header")?;
        let order = if Order::Little.u32(head, 8) == BYTE_ORDER_MAGIC {
            Order::Little
        } else if Order::Big.u32(head, 8) == BYTE_ORDER_MAGIC {
            Order::Big
        } else {
            return Err(CaptureError::Malformed {
                offset: offset + 8,
                what: "a section header without the byte-order magic",
            });
        };
        self.order = order;
        let total = order.u32(head, 4);
        if total < 28 {
            return Err(CaptureError::Malformed {
                offset,
                what: "a section header shorter than 28 bytes",
            });
        }
        check_length(total, offset)?;
        if order.u16(head, 12) != 1 {
            return Err(CaptureError::Malformed {
                offset: offset + 12,
                what: "a pcapng section of another major version than 1",
            });
        }
        self.block(buffer, offset, total, MAX_HEADER_BLOCK_BYTES)?;
        buffer.consume(total as usize);
        self.interfaces.clear();
        self.in_section = true;
        Ok(())
    }

    /// A whole block, its two lengths compared, not consumed.
    fn block<'b, R: Read>(
        &self,
        buffer: &'b mut Buffer<R>,
        offset: u64,
        total: u32,
        limit: u32,
    ) -> Result<&'b [u8], CaptureError> {
        if total > limit {
            return Err(CaptureError::TooLong {
                offset,
                what: "a block",
                bytes: u64::from(total),
                limit: u64::from(limit),
            });
        }
        let order = self.order;
        let block = buffer.need(total as usize, "a block")?;
        if order.u32(block, total as usize - BLOCK_TAIL_BYTES) != total {
            return Err(CaptureError::Malformed {
                offset,
                what: "a block whose two lengths differ",
            });
        }
        Ok(block)
    }

    fn packet(&self, kind: u32, block: &[u8], offset: u64) -> Result<Found, CaptureError> {
        let order = self.order;
        let fixed = if kind == SIMPLE_PACKET { 12 } else { 28 };
        let Some(room) = block.len().checked_sub(fixed + BLOCK_TAIL_BYTES) else {
            return Err(CaptureError::Malformed {
                offset,
                what: "a packet block shorter than its fixed part",
            });
        };
        let number = match kind {
            ENHANCED_PACKET => order.u32(block, 8) as usize,
            OBSOLETE_PACKET => usize::from(order.u16(block, 8)),
            _ => 0,
        };
        let Some(interface) = self.interfaces.get(number) else {
            return Err(CaptureError::Malformed {
                offset,
                what: "a packet of an interface that was not described",
            });
        };
        let (time_ns, captured, wire_bytes) = if kind == SIMPLE_PACKET {
            let wire_bytes = order.u32(block, 8);
            let snap = match interface.snap_bytes {
                0 => wire_bytes,
                snap => wire_bytes.min(snap),
            };
            // Padding may follow: the captured length is not written in this kind of block.
            (0, snap, wire_bytes)
        } else {
            let stamp = u64::from(order.u32(block, 12)) << 32 | u64::from(order.u32(block, 16));
            (
                interface.time_ns(stamp),
                order.u32(block, 20),
                order.u32(block, 24),
            )
        };
        if captured > MAX_PACKET_BYTES {
            return Err(CaptureError::TooLong {
                offset,
                what: "a packet",
                bytes: u64::from(captured),
                limit: u64::from(MAX_PACKET_BYTES),
            });
        }
        let length = captured as usize;
        if length > room {
            return Err(CaptureError::Malformed {
                offset,
                what: "a packet longer than its block",
            });
        }
        Ok(Found {
            time_ns,
            link: interface.link,
            wire_bytes: wire_bytes.max(captured),
            behind: block.len() - fixed,
            length,
        })
    }
}

impl Interface {
    fn time_ns(&self, stamp: u64) -> u64 {
        let ns = self.clock.to_ns(stamp);
        let shift = i128::from(self.offset_seconds) * 1_000_000_000;
        let ns = i128::try_from(ns)
            .unwrap_or(i128::MAX)
            .saturating_add(shift);
        u64::try_from(ns.max(0)).unwrap_or(u64::MAX)
    }
}

fn check_length(total: u32, offset: u64) -> Result<(), CaptureError> {
    if total < 12 || !total.is_multiple_of(4) {
        return Err(CaptureError::Malformed {
            offset,
            what: "a block whose length is less than 12 or no multiple of 4",
        });
    }
    Ok(())
}

fn interface(order: Order, block: &[u8], offset: u64) -> Result<Interface, CaptureError> {
    if block.len() < 20 {
        return Err(CaptureError::Malformed {
            offset,
            what: "an interface block shorter than 20 bytes",
        });
    }
    let mut interface = Interface {
        link: LinkType(order.u16(block, 8)),
        snap_bytes: order.u32(block, 12),
        clock: Clock::Decimal(6),
        offset_seconds: 0,
    };
    let mut options = &block[16..block.len() - BLOCK_TAIL_BYTES];
    while options.len() >= 4 {
        let (code, length) = (order.u16(options, 0), usize::from(order.u16(options, 2)));
        let Some(value) = options.get(4..4 + length) else {
            return Err(CaptureError::Malformed {
                offset,
                what: "an interface option longer than its block",
            });
        };
        match (code, value) {
            (OPTION_END, _) => break,
            (OPTION_TIME_RESOLUTION, [resolution, ..]) => {
                interface.clock = if resolution & 0x80 == 0 {
                    Clock::Decimal(*resolution)
                } else {
                    Clock::Binary(resolution & 0x7f)
                };
            }
            (OPTION_TIME_OFFSET, value) if value.len() == 8 => {
                interface.offset_seconds = order.u64(value, 0).cast_signed();
            }
            _ => {}
        }
        options = options.get(4 + length.next_multiple_of(4)..).unwrap_or(&[]);
    }
    Ok(interface)
}
