//! TCP: where a segment stands in its stream, and what of it was read before.

use crate::name::Sample;
use crate::name::memo::{FirstByte, Memo, Side};
use crate::packet::tcp_flag;

/// How far back a segment may reach that repeats what was read, bytes.
const MAX_REPEATED: u32 = 1 << 20;

/// The sequence number behind a segment.
pub(super) fn end_of(sample: &Sample<'_>) -> u32 {
    let bytes = u32::try_from(sample.payload.len()).unwrap_or(0);
    sample.sequence.wrapping_add(bytes)
}

/// A client's segment without what was read already: its server read that too, and takes no other
/// bytes in its place. `None` when nothing is left.
pub(super) fn unread<'a>(mut sample: Sample<'a>, memo: &Memo) -> Option<Sample<'a>> {
    if let Some(end) = memo.read_to
        && sample.outbound
        && matches!(memo.sides[1], Side::Middle)
        && is_before(sample.sequence, end)
    {
        let before = end.wrapping_sub(sample.sequence);
        // Farther back, the numbers went round.
        if before <= MAX_REPEATED {
            sample.payload = sample.payload.get(before as usize..)?;
            sample.sequence = end;
        }
    }
    (!sample.payload.is_empty()).then_some(sample)
}

/// Whether a sequence number lies before another one.
pub(super) fn is_before(sequence: u32, other: u32) -> bool {
    sequence != other && other.wrapping_sub(sequence) < u32::MAX / 2
}

/// The sample without what lies before the client's first byte; `None` when nothing is left.
pub(super) fn in_stream<'a>(sample: &Sample<'a>, memo: &mut Memo) -> Option<Sample<'a>> {
    let mut sample = *sample;
    if sample.tcp_flags & tcp_flag::SYN != 0 {
        // Data on a SYN (RFC 7413) begins behind the number of the SYN.
        sample.sequence = sample.sequence.wrapping_add(1);
        if sample.outbound {
            memo.first_byte.note(sample.sequence);
        }
    }
    if sample.outbound
        && let FirstByte::At(first) = memo.first_byte
        && matches!(memo.sides[1], Side::Fresh)
        && is_before(sample.sequence, first)
    {
        let before = first.wrapping_sub(sample.sequence) as usize;
        sample.payload = sample.payload.get(before..)?;
        sample.sequence = first;
    }
    (!sample.payload.is_empty()).then_some(sample)
}
