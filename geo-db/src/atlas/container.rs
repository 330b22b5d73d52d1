//! The atlas file as a container: a header, a table of sections, and the sections, each compressed
//! and checksummed for itself.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use super::error::AtlasError;

const MAGIC: &[u8; 8] = b"OCTROIAT";
/// The format that this program reads and writes.
pub(crate) const FORMAT: u16 = 2;
/// Magic, format (u16), number of sections (u16), CRC-32C of all that follows up to the first
/// section (u32).
const HEADER_BYTES: usize = 16;
/// Kind (u32), CRC-32C of the compressed section (u32), its length (u64), its plain length (u64).
const ROW_BYTES: usize = 24;
/// No section has a reason to be larger: the largest of the embedded atlas is a tenth of it.
const PLAIN_LIMIT_BYTES: u64 = 96 << 20;
/// Built once, opened often: level 19 is the highest whose window every reader accepts.
const COMPRESSION_LEVEL: i32 = 19;

/// What a section holds. A file has each exactly once, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    /// Meta data and overrides.
    Head,
    /// What was joined with what, and the ids that keys refer to.
    JoinHead,
    /// Keys and pieces of IPv4.
    JoinV4,
    /// Keys and pieces of IPv6.
    JoinV6,
    /// Country codes and texts of lists.
    Texts,
    /// Autonomous systems.
    Systems,
    /// Layers of IPv4.
    LayersV4,
    /// Layers of IPv6.
    LayersV6,
}

const SECTIONS: [(Section, &str); 8] = [
    (Section::Head, "head"),
    (Section::JoinHead, "join"),
    (Section::JoinV4, "join of IPv4"),
    (Section::JoinV6, "join of IPv6"),
    (Section::Texts, "texts"),
    (Section::Systems, "systems"),
    (Section::LayersV4, "layers of IPv4"),
    (Section::LayersV6, "layers of IPv6"),
];

/// A file's bytes, all of whose checksums hold.
#[derive(Clone, Debug)]
pub(crate) struct Container {
    file: Arc<str>,
    bytes: Arc<Cow<'static, [u8]>>,
    /// Where each section lies, and its plain length.
    sections: [(Range<usize>, usize); SECTIONS.len()],
}

impl Container {
    /// Checks all of the bytes of `file` against their lengths and checksums. Nothing is
    /// decompressed.
    ///
    /// # Errors
    /// When they are no atlas, of another format, or not what was written.
    pub(crate) fn new(file: &str, bytes: Cow<'static, [u8]>) -> Result<Self, AtlasError> {
        let damaged = |what: String| AtlasError::Damaged {
            file: file.to_owned(),
            what,
        };
        if !bytes.starts_with(MAGIC) {
            return Err(AtlasError::NotAnAtlas {
                file: file.to_owned(),
            });
        }
        let mut fields = Fields(&bytes[MAGIC.len()..]);
        let short = || damaged(format!("{} bytes, the header alone has more", bytes.len()));
        let found = u16::from_le_bytes(fields.take().ok_or_else(short)?);
        if found != FORMAT {
            return Err(AtlasError::Format {
                file: file.to_owned(),
                found,
                expected: FORMAT,
            });
        }
        let count = u16::from_le_bytes(fields.take().ok_or_else(short)?);
        let checksum = u32::from_le_bytes(fields.take().ok_or_else(short)?);
        if usize::from(count) != SECTIONS.len() {
            let what = format!("{count} sections, {} are expected", SECTIONS.len());
            return Err(damaged(what));
        }
        let table_end = HEADER_BYTES + SECTIONS.len() * ROW_BYTES;
        let table = bytes.get(HEADER_BYTES..table_end).ok_or_else(short)?;
        if crc32c::crc32c(table) != checksum {
            return Err(damaged(
                "the checksum of its table does not match".to_owned(),
            ));
        }
        let mut rows = Fields(table);
        let mut at = table_end;
        let mut sections = std::array::from_fn(|_| (0..0, 0));
        for ((number, (_, name)), section) in (1_u32..).zip(SECTIONS).zip(&mut sections) {
            let kind = u32::from_le_bytes(rows.take().ok_or_else(short)?);
            let checksum = u32::from_le_bytes(rows.take().ok_or_else(short)?);
            let length = u64::from_le_bytes(rows.take().ok_or_else(short)?);
            let plain = u64::from_le_bytes(rows.take().ok_or_else(short)?);
            if kind != number {
                return Err(damaged(format!("section {kind} where {name} is expected")));
            }
            let plain_length = usize::try_from(plain)
                .ok()
                .filter(|_| plain <= PLAIN_LIMIT_BYTES)
                .ok_or_else(|| damaged(format!("{name}: {plain} bytes are announced")))?;
            let end = usize::try_from(length)
                .ok()
                .and_then(|length| at.checked_add(length));
            let body = end.and_then(|end| bytes.get(at..end)).ok_or_else(|| {
                let left = bytes.len() - at;
                damaged(format!("{name}: {left} bytes are left of {length}"))
            })?;
            if crc32c::crc32c(body) != checksum {
                return Err(damaged(format!("{name}: the checksum does not match")));
            }
            *section = (at..at + body.len(), plain_length);
            at += body.len();
        }
        if at != bytes.len() {
            let more = bytes.len() - at;
            return Err(damaged(format!("{more} bytes more than were announced")));
        }
        Ok(Self {
            file: file.into(),
            bytes: Arc::new(bytes),
            sections,
        })
    }

    /// Name of the file.
    pub(crate) fn file(&self) -> &str {
        &self.file
    }

    /// Decompresses a section and reads it.
    ///
    /// # Errors
    /// When it cannot be decompressed, or `read` says what is wrong with it.
    pub(crate) fn read<T>(
        &self,
        section: Section,
        read: impl FnOnce(&[u8]) -> Result<T, String>,
    ) -> Result<T, AtlasError> {
        let index = section as usize;
        let (range, plain_length) = self.sections[index].clone();
        let decompressed = || {
            let body = self.bytes.get(range).unwrap_or_default();
            let plain = zstd::bulk::decompress(body, plain_length)
                .map_err(|error| format!("cannot be decompressed: {error}"))?;
            if plain.len() == plain_length {
                Ok(plain)
            } else {
                Err(format!(
                    "{} bytes after decompression, {plain_length} were written",
                    plain.len()
                ))
            }
        };
        decompressed()
            .and_then(|plain| read(&plain))
            .map_err(|what| AtlasError::Damaged {
                file: self.file.to_string(),
                what: format!("{}: {what}", SECTIONS[index].1),
            })
    }
}

/// The bytes of a file with these plain sections, in the order of [`Section`].
///
/// # Errors
/// When compression fails.
pub(crate) fn write(plain: &[Vec<u8>; SECTIONS.len()]) -> Result<Vec<u8>, AtlasError> {
    write_at(plain, COMPRESSION_LEVEL)
}

/// As [`write`], with another level of compression.
pub(crate) fn write_at(
    plain: &[Vec<u8>; SECTIONS.len()],
    level: i32,
) -> Result<Vec<u8>, AtlasError> {
    let failed = |what: String| AtlasError::Damaged {
        file: "(new)".to_owned(),
        what,
    };
    // Sections are independent: a large one beside the small ones.
    let compressed: Vec<Result<Vec<u8>, String>> = std::thread::scope(|scope| {
        let workers: Vec<_> = plain
            .iter()
            .map(|section| {
                scope.spawn(|| {
                    zstd::bulk::compress(section, level).map_err(|error| error.to_string())
                })
            })
            .collect();
        workers
            .into_iter()
            .map(|worker| {
                worker
                    .join()
                    .unwrap_or_else(|_| Err("the compressor stopped".to_owned()))
            })
            .collect()
    });
    let mut table = Vec::with_capacity(SECTIONS.len() * ROW_BYTES);
    let mut bodies = Vec::new();
    for ((number, plain), body) in (1_u32..).zip(plain).zip(compressed) {
        let body = body.map_err(failed)?;
        table.extend_from_slice(&number.to_le_bytes());
        table.extend_from_slice(&crc32c::crc32c(&body).to_le_bytes());
        table.extend_from_slice(&(body.len() as u64).to_le_bytes());
        table.extend_from_slice(&(plain.len() as u64).to_le_bytes());
        bodies.extend_from_slice(&body);
    }
    let mut out = Vec::with_capacity(HEADER_BYTES + table.len() + bodies.len());
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&FORMAT.to_le_bytes());
    // There are eight.
    out.extend_from_slice(&u16::try_from(SECTIONS.len()).unwrap_or(0).to_le_bytes());
    out.extend_from_slice(&crc32c::crc32c(&table).to_le_bytes());
    out.extend_from_slice(&table);
    out.extend_from_slice(&bodies);
    Ok(out)
}

/// Takes fields of fixed width from the front.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.0.split_first_chunk::<N>()?;
        self.0 = tail;
        Some(*head)
    }
}
