//! A read buffer that hands out contiguous slices and knows its place in the file.

use std::io::{ErrorKind, Read};
use std::ops::Range;

use super::CaptureError;

/// Bytes asked of the reader at once: few enough that what is read is still in the processor's cache
/// when it is parsed.
pub(super) const CHUNK_BYTES: usize = 1 << 18;

pub(super) struct Buffer<R> {
    reader: R,
    bytes: Vec<u8>,
    /// Next byte to hand out.
    start: usize,
    /// End of what was read.
    end: usize,
    /// Offset in the file of `bytes[0]`.
    base: u64,
    at_end: bool,
    /// To go on with instead of moving bytes, when whoever reads keeps the full buffer.
    spare: Option<Vec<u8>>,
    /// The full buffer that a spare one took the place of.
    retired: Option<Vec<u8>>,
}

impl<R: Read> Buffer<R> {
    pub(super) fn new(reader: R, bytes: usize) -> Self {
        Self {
            reader,
            bytes: vec![0; bytes],
            start: 0,
            end: 0,
            base: 0,
            at_end: false,
            spare: None,
            retired: None,
        }
    }

    /// Reads until `count` bytes are there or the file ends; returns how many are there.
    fn fill(&mut self, count: usize) -> Result<usize, CaptureError> {
        if self.end - self.start >= count {
            return Ok(self.end - self.start);
        }
        if self.bytes.len() - self.start < count {
            self.make_room(count);
        }
        while !self.at_end && self.end - self.start < count {
            match self.reader.read(&mut self.bytes[self.end..]) {
                Ok(0) => self.at_end = true,
                Ok(read) => self.end = (self.end + read).min(self.bytes.len()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(source) => {
                    return Err(CaptureError::Read {
                        offset: self.base + self.end as u64,
                        source,
                    });
                }
            }
        }
        Ok(self.end - self.start)
    }

    /// Makes room for `count` bytes behind what was not consumed yet.
    fn make_room(&mut self, count: usize) {
        let rest = self.start..self.end;
        if let Some(mut fresh) = self.spare.take() {
            if fresh.len() < count.max(CHUNK_BYTES) {
                fresh.resize(count.max(CHUNK_BYTES), 0);
            }
            fresh[..rest.len()].copy_from_slice(&self.bytes[rest.clone()]);
            self.retired = Some(std::mem::replace(&mut self.bytes, fresh));
        } else {
            self.bytes.copy_within(rest.clone(), 0);
            if self.bytes.len() < count {
                self.bytes.resize(count, 0);
            }
        }
        self.base += self.start as u64;
        self.start = 0;
        self.end = rest.len();
    }

    /// The next `count` bytes, not consumed. `what` says in the error what was being read.
    pub(super) fn need(&mut self, count: usize, what: &'static str) -> Result<&[u8], CaptureError> {
        let found = self.fill(count)?;
        if found < count {
            return Err(CaptureError::CutShort {
                offset: self.offset(),
                what,
                needed: count as u64,
                found: found as u64,
            });
        }
        Ok(&self.bytes[self.start..self.start + count])
    }

    /// Whether nothing is left.
    pub(super) fn is_at_end(&mut self) -> Result<bool, CaptureError> {
        Ok(self.fill(1)? == 0)
    }

    /// Consumes `count` bytes that `need` returned.
    pub(super) fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
    }

    /// Consumes `count` bytes without holding them.
    pub(super) fn skip(&mut self, count: u64, what: &'static str) -> Result<(), CaptureError> {
        let offset = self.offset();
        let mut left = count;
        while left > 0 {
            let step = left.min(CHUNK_BYTES as u64);
            let found = self.fill(1)? as u64;
            if found == 0 {
                return Err(CaptureError::CutShort {
                    offset,
                    what,
                    needed: count,
                    found: count - left,
                });
            }
            let step = step.min(found);
            self.start += usize::try_from(step).unwrap_or(0);
            left -= step;
        }
        Ok(())
    }
}

impl<R> Buffer<R> {
    /// Place in [`Buffer::bytes`] of the `length` bytes that were consumed last, and end
    /// `behind - length` bytes before the next one.
    pub(super) fn recent(&self, behind: usize, length: usize) -> Range<usize> {
        let from = self.start.saturating_sub(behind);
        from..from + length
    }

    /// The whole buffer.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// A buffer to go on with when this one is full.
    pub(super) fn offer(&mut self, spare: Vec<u8>) {
        self.spare = Some(spare);
    }

    /// The full buffer, when an offered one took its place.
    pub(super) fn retired(&mut self) -> Option<Vec<u8>> {
        self.retired.take()
    }

    /// The buffer as it is; nothing more can be read.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Offset in the file of the next byte.
    pub(super) fn offset(&self) -> u64 {
        self.base + self.start as u64
    }
}
