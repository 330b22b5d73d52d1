//! Packets from one capture, or from several in the order of their times.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Result, bail};
use octroi_inspect::capture::{Capture, CaptureError, Placed, RawPacket};

use super::input::Input;

/// Most captures that are merged at once: each has a read buffer.
pub(super) const MAX_MERGED: usize = 256;
/// Bytes of all read buffers of merged captures.
const MERGED_BYTES: usize = 32 << 20;
const LEAST_BUFFER_BYTES: usize = 1 << 16;

/// An opened capture.
pub(super) struct Source {
    pub(super) capture: Capture<Box<dyn std::io::Read>>,
    read: Arc<AtomicU64>,
    /// Length of the file, when it has one.
    pub(super) length: Option<u64>,
}

impl Source {
    /// Opens a capture.
    ///
    /// # Errors
    /// When it cannot be opened, unpacked, or is no capture.
    pub(super) fn open(path: &Path) -> Result<Self> {
        Self::open_with(path, None)
    }

    fn open_with(path: &Path, buffer_bytes: Option<usize>) -> Result<Self> {
        let input = Input::open(path)?;
        let capture = match buffer_bytes {
            None => Capture::open(input.reader)?,
            Some(bytes) => Capture::open_with(input.reader, bytes)?,
        };
        Ok(Self {
            capture,
            read: input.read,
            length: input.length,
        })
    }

    /// Bytes of the file that were read.
    pub(super) fn position(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }
}

/// Several captures as one, packet by packet in the order of their times. Where times are equal,
/// the capture that was named first comes first; inside one capture the order stays.
pub(super) struct Merged {
    sources: Vec<Merging>,
    /// The capture whose packet was told last.
    last: Option<usize>,
    /// What was wrong with which capture.
    errors: Vec<(PathBuf, anyhow::Error)>,
}

struct Merging {
    path: PathBuf,
    source: Source,
    next: Option<Placed>,
}

impl Merged {
    /// Opens all of them. One that cannot be opened is told at the end, the others go on.
    ///
    /// # Errors
    /// When there are too many.
    pub(super) fn open(paths: &[PathBuf]) -> Result<Self> {
        if paths.len() > MAX_MERGED {
            bail!(
                "{} captures are too many to be merged at once, {MAX_MERGED} are not (merge them \
                 in parts, for example with mergecap)",
                paths.len()
            );
        }
        let buffer_bytes = (MERGED_BYTES / paths.len().max(1)).max(LEAST_BUFFER_BYTES);
        let mut merged = Self {
            sources: Vec::new(),
            last: None,
            errors: Vec::new(),
        };
        for path in paths {
            match Source::open_with(path, Some(buffer_bytes.min(1 << 20))) {
                Ok(source) => {
                    merged.sources.push(Merging {
                        path: path.clone(),
                        source,
                        next: None,
                    });
                    merged.step(merged.sources.len() - 1);
                }
                Err(error) => merged.errors.push((path.clone(), error)),
            }
        }
        Ok(merged)
    }

    fn step(&mut self, number: usize) {
        let Some(merging) = self.sources.get_mut(number) else {
            return;
        };
        let stepped: Result<Option<Placed>, CaptureError> = merging.source.capture.step();
        merging.next = stepped.unwrap_or_else(|error| {
            self.errors.push((merging.path.clone(), error.into()));
            None
        });
    }

    /// The next packet.
    pub(super) fn next(&mut self) -> Option<RawPacket<'_>> {
        if let Some(last) = self.last.take() {
            self.step(last);
        }
        let time = |merging: &Merging| merging.next.as_ref().map(|placed| placed.time_ns);
        let first = self
            .sources
            .iter()
            .enumerate()
            .filter_map(|(number, merging)| Some((time(merging)?, number)))
            .min()?;
        self.last = Some(first.1);
        let merging = self.sources.get(first.1)?;
        Some(merging.source.capture.packet(merging.next.as_ref()?))
    }

    /// What was wrong.
    ///
    /// # Errors
    /// When some captures were not read to their ends.
    pub(super) fn into_error(self) -> Result<()> {
        if self.errors.is_empty() {
            return Ok(());
        }
        let each = self.errors.iter();
        let each = each.map(|(path, error)| format!("{}: {error:#}", path.display()));
        bail!("{}", each.collect::<Vec<_>>().join("; "))
    }
}
