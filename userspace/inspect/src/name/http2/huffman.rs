//! The Huffman code of HPACK (RFC 7541 section 5.2 and appendix B).

/// Length in bits of each byte's code. The codes themselves follow: they are counted up in order of
/// length and, for equal lengths, of the byte.
const LENGTHS: [u8; 256] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28,
    28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5,
    5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6,
    6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22,
    23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22,
    21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20,
    22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19,
    21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22,
    22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
];
/// Longest code, that of the end of the string (which never stands in one).
const LONGEST: usize = 30;
/// Longest padding, bits.
const MAX_PADDING: u32 = 7;

/// The code, by length: its first value, how many there are, and where their bytes are in `order`.
struct Code {
    first: [u32; LONGEST + 1],
    count: [u32; LONGEST + 1],
    at: [usize; LONGEST + 1],
    order: [u8; 256],
}

static CODE: Code = code();

#[expect(
    clippy::cast_possible_truncation,
    reason = "const: no TryFrom; the index is below 256"
)]
const fn code() -> Code {
    let mut code = Code {
        first: [0; LONGEST + 1],
        count: [0; LONGEST + 1],
        at: [0; LONGEST + 1],
        order: [0; 256],
    };
    let mut placed = 0;
    let mut next = 0_u32;
    let mut length = 1;
    while length <= LONGEST {
        next <<= 1;
        code.first[length] = next;
        code.at[length] = placed;
        let mut byte = 0;
        while byte < LENGTHS.len() {
            if LENGTHS[byte] as usize == length {
                code.order[placed] = byte as u8;
                placed += 1;
                next += 1;
                code.count[length] += 1;
            }
            byte += 1;
        }
        length += 1;
    }
    code
}

/// The bytes a string stands for. `None`: it is none, or longer than `limit`.
pub(super) fn decode(bytes: &[u8], limit: usize) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let (mut value, mut length) = (0_u32, 0_usize);
    for byte in bytes {
        for shift in (0..8).rev() {
            value = value << 1 | u32::from(byte >> shift & 1);
            length += 1;
            if length > LONGEST {
                return None;
            }
            let index = value.wrapping_sub(CODE.first[length]);
            if index < CODE.count[length] {
                if out.len() >= limit {
                    return None;
                }
                out.push(CODE.order[CODE.at[length] + index as usize]);
                (value, length) = (0, 0);
            }
        }
    }
    // The rest is padding: the first bits of the end's code, which are all ones.
    let padding = u32::try_from(length).ok()?;
    (padding <= MAX_PADDING && value == (1 << padding) - 1).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7541 appendix C.4 and C.6.
    #[test]
    fn published_strings() {
        let cases: [(&[u8], &str); 5] = [
            (
                &[
                    0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff,
                ],
                "www.example.com",
            ),
            (&[0xa8, 0xeb, 0x10, 0x64, 0x9c, 0xbf], "no-cache"),
            (
                &[0x25, 0xa8, 0x49, 0xe9, 0x5b, 0xa9, 0x7d, 0x7f],
                "custom-key",
            ),
            (
                &[
                    0xd0, 0x7a, 0xbe, 0x94, 0x10, 0x54, 0xd4, 0x44, 0xa8, 0x20, 0x05, 0x95, 0x04,
                    0x0b, 0x81, 0x66, 0xe0, 0x82, 0xa6, 0x2d, 0x1b, 0xff,
                ],
                "Mon, 21 Oct 2013 20:13:21 GMT",
            ),
            (
                &[
                    0x9d, 0x29, 0xad, 0x17, 0x18, 0x63, 0xc7, 0x8f, 0x0b, 0x97, 0xc8, 0xe9, 0xae,
                    0x82, 0xae, 0x43, 0xd3,
                ],
                "https://www.example.com",
            ),
        ];
        for (bytes, expected) in cases {
            let text = decode(bytes, 100).unwrap();
            assert_eq!(std::str::from_utf8(&text), Ok(expected));
            assert_eq!(decode(bytes, expected.len() - 1), None);
        }
    }

    /// With the end of the string, every sequence of bits is a code or the start of one.
    #[test]
    fn the_code_is_full() {
        let sum: u64 = LENGTHS.iter().map(|length| 1_u64 << (30 - length)).sum();
        assert_eq!(sum + 1, 1 << 30);
    }

    #[test]
    fn padding_is_ones_and_short() {
        assert_eq!(decode(&[0x07], 9), Some(b"0".to_vec()));
        assert_eq!(decode(&[0x06], 9), None);
        assert_eq!(decode(&[0xff], 9), None, "a byte of padding");
        assert_eq!(decode(&[0xff, 0xff, 0xff, 0xff], 9), None, "the end itself");
    }
}
