//! Header blocks of HTTP/2 (RFC 7541), as far as the first block of a connection needs them.

use super::huffman;

/// Entries of the static table.
const STATIC_ENTRIES: usize = 61;
/// Longest value read, bytes; a longer one cannot be a host and makes the block unreadable.
const MAX_VALUE: usize = 16_384;
/// Most fields read.
const MAX_FIELDS: usize = 512;

/// Fields that are of interest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Field {
    Authority,
    Host,
    Path,
    /// `accept` and `content-type`.
    MediaType,
    Other,
}

/// A block that cannot be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Malformed;

/// Calls `found` with each field of a block, in order. The block is the first of its connection:
/// the dynamic table holds what the block itself put there.
pub(super) fn fields(
    mut block: &[u8],
    mut found: impl FnMut(Field, &[u8]),
) -> Result<(), Malformed> {
    let mut table: Vec<(Field, Vec<u8>)> = Vec::new();
    for _ in 0..MAX_FIELDS {
        let Some(&first) = block.first() else {
            return Ok(());
        };
        if first & 0x80 != 0 {
            let index = integer(&mut block, 7)?;
            let (field, value) = match index {
                0 => return Err(Malformed),
                1..=STATIC_ENTRIES => (named(index), static_value(index)),
                _ => {
                    let at = table.len().checked_sub(index - STATIC_ENTRIES);
                    let entry = at.and_then(|at| table.get(at)).ok_or(Malformed)?;
                    (entry.0, &entry.1[..])
                }
            };
            found(field, value);
        } else if first & 0xe0 == 0x20 {
            // The size of the dynamic table changes.
            integer(&mut block, 5)?;
        } else {
            let is_kept = first & 0x40 != 0;
            let index = integer(&mut block, if is_kept { 6 } else { 4 })?;
            let field = match index {
                0 => by_name(&string(&mut block)?),
                1..=STATIC_ENTRIES => named(index),
                _ => {
                    let at = table.len().checked_sub(index - STATIC_ENTRIES);
                    at.and_then(|at| table.get(at)).ok_or(Malformed)?.0
                }
            };
            let value = string(&mut block)?;
            found(field, &value);
            if is_kept {
                table.push((field, value));
            }
        }
    }
    Err(Malformed)
}

/// An integer whose first byte has `prefix` bits of it (RFC 7541 section 5.1).
fn integer(block: &mut &[u8], prefix: u8) -> Result<usize, Malformed> {
    let (&first, mut rest) = block.split_first().ok_or(Malformed)?;
    let full = (1_usize << prefix) - 1;
    let mut value = usize::from(first) & full;
    if value == full {
        for shift in [0, 7, 14] {
            let (&byte, after) = rest.split_first().ok_or(Malformed)?;
            rest = after;
            value += usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                *block = rest;
                return Ok(value);
            }
        }
        // Nothing that is readable here is as long.
        return Err(Malformed);
    }
    *block = rest;
    Ok(value)
}

fn string(block: &mut &[u8]) -> Result<Vec<u8>, Malformed> {
    let is_coded = block.first().ok_or(Malformed)? & 0x80 != 0;
    let length = integer(block, 7)?;
    let (bytes, rest) = block.split_at_checked(length).ok_or(Malformed)?;
    *block = rest;
    if is_coded {
        huffman::decode(bytes, MAX_VALUE).ok_or(Malformed)
    } else if length <= MAX_VALUE {
        Ok(bytes.to_vec())
    } else {
        Err(Malformed)
    }
}

fn by_name(name: &[u8]) -> Field {
    match name {
        b":authority" => Field::Authority,
        b":path" => Field::Path,
        b"host" => Field::Host,
        b"accept" | b"content-type" => Field::MediaType,
        _ => Field::Other,
    }
}

/// The fields of interest of the static table (RFC 7541 appendix A).
fn named(index: usize) -> Field {
    match index {
        1 => Field::Authority,
        4 | 5 => Field::Path,
        19 | 31 => Field::MediaType,
        38 => Field::Host,
        _ => Field::Other,
    }
}

fn static_value(index: usize) -> &'static [u8] {
    match index {
        4 => b"/",
        5 => b"/index.html",
        _ => b"",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(block: &[u8]) -> Result<Vec<(Field, String)>, Malformed> {
        let mut out = Vec::new();
        fields(block, |field, value| {
            out.push((field, String::from_utf8_lossy(value).into_owned()));
        })?;
        Ok(out)
    }

    /// RFC 7541 appendix C.3.1 and C.4.1: the same request, plain and coded.
    #[test]
    fn published_requests() {
        let plain = [&[0x82, 0x86, 0x84, 0x41, 0x0f][..], b"www.example.com"].concat();
        let coded = [
            0x82, 0x86, 0x84, 0x41, 0x8c, 0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab,
            0x90, 0xf4, 0xff,
        ];
        for block in [&plain[..], &coded] {
            let fields = all(block).unwrap();
            assert_eq!(fields.len(), 4);
            assert_eq!(fields[2], (Field::Path, "/".to_owned()));
            assert_eq!(fields[3], (Field::Authority, "www.example.com".to_owned()));
        }
    }

    #[test]
    fn entries_of_the_block_itself() {
        // Kept under a literal name, then said again by its index.
        let mut block = vec![0x40, 4];
        block.extend(b"host");
        block.push(3);
        block.extend(b"a.b");
        block.extend([0xbe, 0x20]);
        let host = (Field::Host, "a.b".to_owned());
        assert_eq!(all(&block), Ok(vec![host.clone(), host]));
        block.push(0xbf);
        assert_eq!(all(&block), Err(Malformed), "no such entry");
    }

    #[test]
    fn what_is_malformed_is_refused() {
        for block in [
            &[0x80][..],
            &[0xff, 0xff, 0xff, 0xff, 0xff],
            &[0x41, 0x05, b'a'],
            &[0x41, 0x81, 0x00],
            &[0x00],
            &[0x0f],
        ] {
            assert_eq!(all(block), Err(Malformed), "{block:02x?}");
        }
        assert_eq!(all(&[0x82; MAX_FIELDS + 1]), Err(Malformed), "too many");
    }

    proptest! {
        #[test]
        fn never_panics(block in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = all(&block);
        }
    }
}
