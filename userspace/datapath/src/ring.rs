//! The rings: decisions, first payload bytes, and frames that wait for a decision.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use aya::maps::ring_buf::RingBufItem;
use aya::maps::{Map, MapData, RingBuf};
use octroi_abi::event::{FlowEvent, HeldHeader, SampleHeader};
use octroi_abi::name;

use crate::error::DatapathError;
use crate::load::Datapath;
use crate::wire;

impl Datapath {
    /// The ring of decisions. It has one reader.
    ///
    /// # Errors
    /// When it was taken before, or cannot be mapped into memory.
    pub fn take_events(&mut self) -> Result<EventRing, DatapathError> {
        let ring = ring(name::EVENTS, self.events.take())?;
        Ok(EventRing { ring, broken: 0 })
    }

    /// The ring of first payload bytes. It has one reader.
    ///
    /// # Errors
    /// When it was taken before, or cannot be mapped into memory.
    pub fn take_samples(&mut self) -> Result<SampleRing, DatapathError> {
        let ring = ring(name::SAMPLES, self.samples.take())?;
        Ok(SampleRing { ring })
    }

    /// The ring of frames that wait for their flow's name. It has one reader.
    ///
    /// # Errors
    /// When it was taken before, or cannot be mapped into memory.
    pub fn take_held(&mut self) -> Result<HeldRing, DatapathError> {
        let ring = ring(name::HELD, self.held.take())?;
        Ok(HeldRing { ring })
    }
}

fn ring(name: &'static str, data: Option<MapData>) -> Result<RingBuf<MapData>, DatapathError> {
    let data = data.ok_or(DatapathError::RingTaken { ring: name })?;
    RingBuf::try_from(Map::RingBuf(data)).map_err(|error| DatapathError::map("map", name, error))
}

/// Decisions, in the order the kernel took them on each CPU. Readable (poll, epoll) when one is
/// there.
pub struct EventRing {
    ring: RingBuf<MapData>,
    broken: u64,
}

impl EventRing {
    /// The next decision, if there is one; does not wait.
    #[expect(
        clippy::should_implement_trait,
        reason = "a later call may return a value again: not an iterator"
    )]
    pub fn next(&mut self) -> Option<FlowEvent> {
        loop {
            let item = self.ring.next()?;
            if let Some(event) = wire::read(&item) {
                return Some(event);
            }
            self.broken += 1;
        }
    }

    /// Records that were too short to be read: the kernel program is of another build.
    #[must_use]
    pub fn broken(&self) -> u64 {
        self.broken
    }
}

/// First payload bytes of flows.
pub struct SampleRing {
    ring: RingBuf<MapData>,
}

impl SampleRing {
    /// The next sample, if there is one; does not wait. Its bytes stay in the ring until the
    /// record is dropped.
    #[expect(
        clippy::should_implement_trait,
        reason = "a later call may return a value again: not an iterator"
    )]
    pub fn next(&mut self) -> Option<SampleRecord<'_>> {
        let item = self.ring.next()?;
        // A record too short for its header is read as an empty one: it names nothing.
        let header = wire::read(&item).unwrap_or_else(wire::zeroed);
        Some(SampleRecord { header, item })
    }
}

/// One sample.
pub struct SampleRecord<'a> {
    /// What it belongs to.
    pub header: SampleHeader,
    item: RingBufItem<'a>,
}

impl SampleRecord<'_> {
    /// The payload bytes.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        let bytes = self
            .item
            .get(size_of::<SampleHeader>()..)
            .unwrap_or_default();
        bytes
            .get(..usize::from(self.header.length))
            .unwrap_or(bytes)
    }
}

/// Frames that wait for their flow's name.
pub struct HeldRing {
    ring: RingBuf<MapData>,
}

impl HeldRing {
    /// The next frame, if there is one; does not wait. Its bytes stay in the ring until the record
    /// is dropped.
    #[expect(
        clippy::should_implement_trait,
        reason = "a later call may return a value again: not an iterator"
    )]
    pub fn next(&mut self) -> Option<HeldRecord<'_>> {
        let item = self.ring.next()?;
        // A record too short for its header belongs to no flow, and is never let go.
        let header = wire::read(&item).unwrap_or_else(wire::zeroed);
        Some(HeldRecord { header, item })
    }
}

/// One held frame.
pub struct HeldRecord<'a> {
    /// What it belongs to.
    pub header: HeldHeader,
    item: RingBufItem<'a>,
}

impl HeldRecord<'_> {
    /// The frame's bytes, link header first.
    #[must_use]
    pub fn frame(&self) -> &[u8] {
        let bytes = self.item.get(size_of::<HeldHeader>()..).unwrap_or_default();
        bytes.get(..self.header.length as usize).unwrap_or(bytes)
    }

    /// The payload bytes that are here.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        let from = usize::from(self.header.payload);
        let to = from.saturating_add(self.header.payload_bytes as usize);
        let frame = self.frame();
        if from == 0 {
            return &[];
        }
        frame.get(from..to.min(frame.len())).unwrap_or_default()
    }

    /// Whether the frame is longer than what is here.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.header.length < self.header.frame_bytes
    }
}

macro_rules! readable {
    ($($ring:ty),+) => {
        $(
            impl AsFd for $ring {
                fn as_fd(&self) -> BorrowedFd<'_> {
                    self.ring.as_fd()
                }
            }

            impl AsRawFd for $ring {
                fn as_raw_fd(&self) -> RawFd {
                    self.ring.as_raw_fd()
                }
            }

            impl std::fmt::Debug for $ring {
                fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.debug_struct(stringify!($ring)).finish_non_exhaustive()
                }
            }
        )+
    };
}

readable!(EventRing, SampleRing, HeldRing);
