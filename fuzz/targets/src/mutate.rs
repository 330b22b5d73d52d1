//! Fixed mutations of seeds: the same ones on every machine and every run.

/// A source of numbers that repeats itself from the same seed (xorshift64*, Vigna 2016).
pub struct Numbers(u64);

impl Numbers {
    /// From a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number below `bound`; 0 when that is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        let number = usize::try_from(self.next() >> 32).unwrap_or(0);
        number.checked_rem(bound).unwrap_or(0)
    }
}

/// What often breaks a reader.
const PIECES: [&[u8]; 16] = [
    b"\xff\xff\xff\xff",
    b"\x00\x00\x00\x00",
    b"\x80",
    b"\x7f",
    b"-1",
    b"99999999999999999999999999999999999999999",
    b"::/0",
    b"0.0.0.0/0",
    b"\"",
    b",,,,,,,,",
    b"[[[[[[[[[[[[[[[[",
    b"{\"a\":",
    b"\r\n",
    b"\xc3\x28",
    b"null",
    b"2026-02-30",
];

/// One mutation of `seed`, sometimes with a piece of `other`.
#[must_use]
pub fn mutate(seed: &[u8], other: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    let mut out = seed.to_vec();
    for _ in 0..=numbers.below(3) {
        let at = numbers.below(out.len() + 1);
        match numbers.below(8) {
            0 => out.truncate(at),
            1 => flip(&mut out, at, 1 << numbers.below(8)),
            2 => flip(&mut out, at, 0xff),
            3 => {
                let end = (at + 1 + numbers.below(16)).min(out.len());
                out.drain(at.min(end)..end);
            }
            4 => {
                let piece = PIECES[numbers.below(PIECES.len())];
                out.splice(at..at, piece.iter().copied());
            }
            5 => {
                let piece = PIECES[numbers.below(PIECES.len())];
                let end = (at + piece.len()).min(out.len());
                out.splice(at..end, piece.iter().copied());
            }
            6 => {
                let end = (at + 1 + numbers.below(64)).min(out.len());
                let copy = out[at..end].to_vec();
                let to = numbers.below(out.len() + 1);
                out.splice(to..to, copy);
            }
            _ => {
                let from = numbers.below(other.len() + 1);
                let piece = &other[from..(from + numbers.below(64)).min(other.len())];
                out.splice(at..at, piece.iter().copied());
            }
        }
    }
    out
}

fn flip(bytes: &mut [u8], at: usize, mask: u8) {
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= mask;
    }
}
