//! Puts pieces of a byte stream together, bounded: TCP segments and QUIC CRYPTO frames.

/// Most pieces held beyond a gap.
const MAX_PENDING: usize = 64;
/// What a piece takes beside its bytes, about.
const PIECE_BYTES: usize = 48;

/// A stream from its first byte on. Pieces may come in any order and more than once; where they
/// overlap they must agree.
#[derive(Debug, Default)]
pub(super) struct Assembler {
    /// From offset 0, without gaps.
    data: Vec<u8>,
    /// Beyond a gap: offset and bytes, in order of offset.
    pending: Vec<(usize, Box<[u8]>)>,
}

/// Why a piece was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// It lies too far from the start, or is one too many.
    TooLong,
    /// Bytes in its place were others: which of them the receiver takes is not sure.
    Contradicts,
}

impl Assembler {
    /// The stream up to the first gap.
    pub(super) fn data(&self) -> &[u8] {
        &self.data
    }

    /// Memory held, bytes: 0 when nothing is.
    pub(super) fn held(&self) -> usize {
        self.data.len() + self.beyond() + self.pending.len() * PIECE_BYTES
    }

    /// The offset behind the last byte that is held.
    pub(super) fn end(&self) -> usize {
        let pending = self.pending.iter().map(|(at, bytes)| at + bytes.len());
        pending.max().unwrap_or(0).max(self.data.len())
    }

    /// Bytes held beyond a gap.
    fn beyond(&self) -> usize {
        self.pending.iter().map(|(_, bytes)| bytes.len()).sum()
    }

    /// Adds a piece. Nothing beyond offset `limit` is held.
    pub(super) fn insert(
        &mut self,
        offset: usize,
        bytes: &[u8],
        limit: usize,
    ) -> Result<(), Refused> {
        let end = offset.checked_add(bytes.len()).ok_or(Refused::TooLong)?;
        if end > limit {
            return Err(Refused::TooLong);
        }
        let known = [(0, &self.data[..])];
        let pending = self.pending.iter().map(|(at, bytes)| (*at, &bytes[..]));
        if known
            .into_iter()
            .chain(pending)
            .any(|other| contradict((offset, bytes), other))
        {
            return Err(Refused::Contradicts);
        }
        if end <= self.data.len() {
            return Ok(());
        }
        if offset > self.data.len() {
            let at = self.pending.partition_point(|(other, _)| *other < offset);
            if self
                .pending
                .get(at)
                .is_some_and(|(other, held)| *other == offset && held.len() >= bytes.len())
            {
                return Ok(());
            }
            if self.pending.len() >= MAX_PENDING
                || self.data.len() + self.beyond() + bytes.len() > limit.saturating_mul(2)
            {
                return Err(Refused::TooLong);
            }
            self.pending.insert(at, (offset, bytes.into()));
            return Ok(());
        }
        self.data
            .extend_from_slice(&bytes[self.data.len() - offset..]);
        let mut taken = 0;
        while let Some((offset, bytes)) = self.pending.get(taken) {
            if *offset > self.data.len() {
                break;
            }
            if let Some(rest) = bytes.get(self.data.len() - offset..) {
                self.data.extend_from_slice(rest);
            }
            taken += 1;
        }
        self.pending.drain(..taken);
        Ok(())
    }

    /// All that is held, in pieces with their offsets.
    pub(super) fn into_pieces(self) -> impl Iterator<Item = (usize, Box<[u8]>)> {
        std::iter::once((0, self.data.into_boxed_slice()))
            .filter(|(_, bytes)| !bytes.is_empty())
            .chain(self.pending)
    }

    /// Drops `count` bytes from the front; what stays is moved to offset 0.
    pub(super) fn consume(&mut self, count: usize) {
        let count = count.min(self.data.len());
        self.data.drain(..count);
        for (offset, _) in &mut self.pending {
            *offset -= count;
        }
    }
}

/// Whether two pieces overlap and differ there.
fn contradict((at, bytes): (usize, &[u8]), (other_at, other): (usize, &[u8])) -> bool {
    let from = at.max(other_at);
    let (Some(here), Some(there)) = (bytes.get(from - at..), other.get(from - other_at..)) else {
        return false;
    };
    let shared = here.len().min(there.len());
    here[..shared] != there[..shared]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_piece_beyond_the_limit_is_refused() {
        let mut assembler = Assembler::default();
        assert_eq!(assembler.insert(0, b"abc", 4), Ok(()));
        assert_eq!(assembler.insert(3, b"de", 4), Err(Refused::TooLong));
        assert_eq!(
            assembler.insert(usize::MAX, b"de", 4),
            Err(Refused::TooLong)
        );
        assert_eq!(assembler.data(), b"abc");
    }

    #[test]
    fn pieces_that_contradict_each_other_are_refused() {
        let mut assembler = Assembler::default();
        assembler.insert(0, b"abc", 64).unwrap();
        assert_eq!(assembler.insert(1, b"bcd", 64), Ok(()), "they agree");
        assert_eq!(assembler.insert(2, b"cXe", 64), Err(Refused::Contradicts));
        assembler.insert(10, b"klm", 64).unwrap();
        assert_eq!(assembler.insert(8, b"ijKl", 64), Err(Refused::Contradicts));
        assert_eq!(assembler.insert(12, b"X", 64), Err(Refused::Contradicts));
        assert_eq!(
            assembler.insert(2, b"cdefghijkX", 64),
            Err(Refused::Contradicts)
        );
        assert_eq!(assembler.insert(4, b"efghijklmn", 64), Ok(()));
        assert_eq!(assembler.data(), b"abcdefghijklmn");
        assembler.consume(2);
        assembler.insert(12, b"op", 64).unwrap();
        assert_eq!(assembler.data(), b"cdefghijklmnop");
    }

    proptest! {
        #[test]
        fn any_order_of_pieces_gives_the_stream(
            stream in proptest::collection::vec(any::<u8>(), 1..200),
            cuts in proptest::collection::vec((0_usize..200, 1_usize..40), 0..30),
            seed in any::<u64>(),
        ) {
            let mut pieces: Vec<(usize, &[u8])> = cuts
                .iter()
                .filter(|(at, _)| *at < stream.len())
                .map(|&(at, length)| (at, &stream[at..stream.len().min(at + length)]))
                .collect();
            for (index, chunk) in stream.chunks(17).enumerate() {
                pieces.push((index * 17, chunk));
            }
            let count = pieces.len();
            for index in 0..count {
                let other = usize::try_from(seed.rotate_left(u32::try_from(index).unwrap()) % 1000).unwrap() % count;
                pieces.swap(index, other);
            }
            let mut assembler = Assembler::default();
            for (offset, bytes) in pieces {
                prop_assert_eq!(assembler.insert(offset, bytes, 4096), Ok(()));
            }
            prop_assert_eq!(assembler.data(), &stream[..]);
        }
    }
}
