//! Streaming reader of packet captures: pcap and pcapng, told apart by their first bytes.
//!
//! A packet is handed out as a slice of the read buffer, without a copy. Memory is bounded: the
//! buffer grows to the longest packet or block allowed ([`MAX_PACKET_BYTES`],
//! [`MAX_HEADER_BLOCK_BYTES`]) and no further; blocks of pcapng that carry no packet are skipped
//! without being held. After an error the capture is at its end: what was read so far stands.

mod buffer;
mod error;
mod link;
mod pcap;
mod pcapng;

use std::io::Read;
use std::ops::Range;

use buffer::Buffer;
pub use error::CaptureError;
pub use link::LinkType;

/// Longest packet accepted, bytes: libpcap's own bound for all but a few bus captures.
pub const MAX_PACKET_BYTES: u32 = 262_144;
/// Longest pcapng section header or interface block accepted, bytes.
pub const MAX_HEADER_BLOCK_BYTES: u32 = 1 << 20;
/// Most interfaces of one pcapng section.
pub const MAX_INTERFACES: usize = 65_536;

/// One packet of a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawPacket<'a> {
    /// Nanoseconds since 1970-01-01 UTC; 0 when the capture has no time for this packet.
    pub time_ns: u64,
    /// What the bytes begin with.
    pub link: LinkType,
    /// The bytes captured.
    pub data: &'a [u8],
    /// Bytes on the wire: more than `data` when the capture was made with a snap length.
    pub wire_bytes: u32,
}

/// Where a packet of a capture lies in the read buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// See [`RawPacket::time_ns`].
    pub time_ns: u64,
    /// See [`RawPacket::link`].
    pub link: LinkType,
    /// See [`RawPacket::wire_bytes`].
    pub wire_bytes: u32,
    /// Its bytes in the buffer.
    pub place: Range<usize>,
}

/// The file format of a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The classic format, microsecond or nanosecond time stamps.
    Pcap,
    /// The block format.
    Pcapng,
}

enum State {
    Pcap(pcap::Pcap),
    Pcapng(pcapng::Pcapng),
    Ended,
}

/// A capture being read.
pub struct Capture<R> {
    buffer: Buffer<R>,
    format: Format,
    state: State,
}

impl<R: Read> Capture<R> {
    /// Reads the file header. The reader needs no buffer of its own.
    ///
    /// # Errors
    ///
    /// Not a capture, a header cut short, or a reader that fails.
    pub fn open(reader: R) -> Result<Self, CaptureError> {
        Self::open_with(reader, buffer::CHUNK_BYTES)
    }

    /// As [`Capture::open`], with a read buffer of so many bytes: for many captures at once.
    ///
    /// # Errors
    ///
    /// As [`Capture::open`].
    pub fn open_with(reader: R, buffer_bytes: usize) -> Result<Self, CaptureError> {
        let mut buffer = Buffer::new(reader, buffer_bytes);
        let magic = buffer.need(4, "the file header")?;
        let magic = [magic[0], magic[1], magic[2], magic[3]];
        let (format, state) = if magic == pcapng::SECTION_HEADER.to_be_bytes() {
            (Format::Pcapng, State::Pcapng(pcapng::Pcapng::new()))
        } else {
            let reader = pcap::Pcap::open(&mut buffer, magic)?;
            (Format::Pcap, State::Pcap(reader))
        };
        Ok(Self {
            buffer,
            format,
            state,
        })
    }

    /// The next packet, or `None` at the end.
    ///
    /// # Errors
    ///
    /// A record that is cut short, too long or contradicts itself, with its offset in the file;
    /// or a reader that fails. The capture is at its end then: the next call returns `None`.
    #[expect(
        clippy::should_implement_trait,
        reason = "a lending iterator: the packet borrows the buffer, which Iterator cannot say"
    )]
    pub fn next(&mut self) -> Result<Option<RawPacket<'_>>, CaptureError> {
        let placed = self.step()?;
        Ok(placed.map(|placed| self.packet(&placed)))
    }

    /// As [`Capture::next`], but tells only where the packet lies: [`Capture::packet`] reads it
    /// there until the next step, and longer when a buffer was offered.
    ///
    /// # Errors
    ///
    /// As [`Capture::next`].
    pub fn step(&mut self) -> Result<Option<Placed>, CaptureError> {
        let found = match &mut self.state {
            State::Pcap(reader) => reader.next(&mut self.buffer),
            State::Pcapng(reader) => reader.next(&mut self.buffer),
            State::Ended => return Ok(None),
        };
        match found {
            Ok(Some(found)) => Ok(Some(Placed {
                time_ns: found.time_ns,
                link: found.link,
                wire_bytes: found.wire_bytes,
                place: self.buffer.recent(found.behind, found.length),
            })),
            Ok(None) => {
                self.state = State::Ended;
                Ok(None)
            }
            Err(error) => {
                self.state = State::Ended;
                Err(error)
            }
        }
    }

    /// A packet whose place was told last.
    #[must_use]
    pub fn packet(&self, placed: &Placed) -> RawPacket<'_> {
        RawPacket {
            time_ns: placed.time_ns,
            link: placed.link,
            data: self.buffer.bytes().get(placed.place.clone()).unwrap_or(&[]),
            wire_bytes: placed.wire_bytes,
        }
    }

    /// Offers a buffer to go on with when the present one is full, so that packets stay where they
    /// are: after each step [`Capture::retired`] tells whether that happened, and then another
    /// buffer is to be offered. What the buffer holds does not matter.
    pub fn offer(&mut self, buffer: Vec<u8>) {
        self.buffer.offer(buffer);
    }

    /// The buffer of all packets before the one that was told last, when an offered buffer took
    /// its place.
    pub fn retired(&mut self) -> Option<Vec<u8>> {
        self.buffer.retired()
    }

    /// The buffer of the packets that were told since one was retired.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.buffer.into_bytes()
    }

    /// Bytes of the file read so far, for progress.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.buffer.offset()
    }

    /// The file format.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }
}

/// A packet that was consumed from the buffer and is still in it.
struct Found {
    time_ns: u64,
    link: LinkType,
    wire_bytes: u32,
    /// Bytes between the start of the data and what is read next.
    behind: usize,
    length: usize,
}

/// A fixed part of a header as an array, padded with zeros if the slice were short.
fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut out = [0; N];
    if let Some(part) = bytes.get(at..at + N) {
        out.copy_from_slice(part);
    }
    out
}

/// Byte order of a file or section.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Order {
    Little,
    Big,
}

impl Order {
    fn u16(self, bytes: &[u8], at: usize) -> u16 {
        match self {
            Self::Little => u16::from_le_bytes(array(bytes, at)),
            Self::Big => u16::from_be_bytes(array(bytes, at)),
        }
    }

    fn u32(self, bytes: &[u8], at: usize) -> u32 {
        match self {
            Self::Little => u32::from_le_bytes(array(bytes, at)),
            Self::Big => u32::from_be_bytes(array(bytes, at)),
        }
    }

    fn u64(self, bytes: &[u8], at: usize) -> u64 {
        match self {
            Self::Little => u64::from_le_bytes(array(bytes, at)),
            Self::Big => u64::from_be_bytes(array(bytes, at)),
        }
    }
}

#[cfg(test)]
mod tests;
