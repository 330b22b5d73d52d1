//! A read buffer that hands out contiguous slices and knows its place in the file.

use std::io::{ErrorKind, Read};

use super::CaptureError;

/// Bytes asked of the reader at once.
const CHUNK_BYTES: usize = 1 << 20;

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
}

impl<R: Read> Buffer<R> {
    pub(super) fn new(reader: R) -> Self {
        Self {
            reader,
            bytes: vec![0; CHUNK_BYTES],
            start: 0,
            end: 0,
            base: 0,
            at_end: false,
        }
    }

    /// Reads until `count` bytes are there or the file ends; returns how many are there.
    fn fill(&mut self, count: usize) -> Result<usize, CaptureError> {
        if self.end - self.start >= count {
            return Ok(self.end - self.start);
        }
        if self.bytes.len() - self.start < count {
            self.bytes.copy_within(self.start..self.end, 0);
            self.base += self.start as u64;
            self.end -= self.start;
            self.start = 0;
            if self.bytes.len() < count {
                self.bytes.resize(count, 0);
            }
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

    /// `length` bytes that were consumed last, and end `behind - length` bytes before the next one.
    pub(super) fn recent(&self, behind: usize, length: usize) -> &[u8] {
        let from = self.start.saturating_sub(behind);
        self.bytes.get(from..from + length).unwrap_or(&[])
    }
}

impl<R> Buffer<R> {
    /// Offset in the file of the next byte.
    pub(super) fn offset(&self) -> u64 {
        self.base + self.start as u64
    }
}
