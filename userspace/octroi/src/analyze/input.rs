//! Where captures are read from: files and standard input, unpacked when they are compressed.
//!
//! Compression is recognised by its first bytes, and may be nested. What unpacks is streamed: a
//! small file that unpacks to a very long capture takes time and no memory.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, Result};
use flate2::bufread::MultiGzDecoder;

/// Bytes of a file held before unpacking.
const BUFFER_BYTES: usize = 1 << 18;
/// Compressed within compressed, that is followed.
const MAX_NESTED: usize = 3;
/// Base-two logarithm of the largest window that a zstd stream may ask for: 64 MiB. Levels up to
/// 19 ask for 8 MiB at most.
const ZSTD_WINDOW_LOG: u32 = 26;

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// RFC 8878 section 3.1.2: 0x184D2A50 to 0x184D2A5F, little endian.
const ZSTD_SKIPPABLE: [u8; 3] = [0x2a, 0x4d, 0x18];

/// A capture to be read.
pub(super) struct Input {
    /// Unpacked.
    pub(super) reader: Box<dyn Read>,
    /// Bytes of the file read so far, before unpacking.
    pub(super) read: Arc<AtomicU64>,
    /// Length of the file, when it has one.
    pub(super) length: Option<u64>,
}

impl Input {
    /// Opens a file, or standard input for `-`.
    ///
    /// # Errors
    /// When it cannot be opened or its first bytes cannot be read.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let read = Arc::new(AtomicU64::new(0));
        let (file, length): (Box<dyn Read>, Option<u64>) = if path.as_os_str() == "-" {
            (Box::new(io::stdin()), None)
        } else {
            let file = File::open(path).context("cannot open it")?;
            let length = file.metadata().ok().filter(std::fs::Metadata::is_file);
            (Box::new(file), length.map(|metadata| metadata.len()))
        };
        let counted = Counted {
            inner: file,
            read: Arc::clone(&read),
        };
        let reader = unpacked(Box::new(counted), &read).context("cannot read it")?;
        Ok(Self {
            reader,
            read,
            length,
        })
    }
}

/// Counts what is read.
struct Counted<R> {
    inner: R,
    read: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Packing {
    Gzip,
    Zstd,
}

impl Packing {
    fn of(magic: &[u8]) -> Option<Self> {
        if magic.starts_with(&GZIP) {
            Some(Self::Gzip)
        } else if magic.starts_with(&ZSTD)
            || (magic.len() > 3 && magic[0] & 0xf0 == 0x50 && magic[1..4] == ZSTD_SKIPPABLE)
        {
            Some(Self::Zstd)
        } else {
            None
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

/// Unpacks until something else is there.
fn unpacked(mut reader: Box<dyn Read>, read: &Arc<AtomicU64>) -> io::Result<Box<dyn Read>> {
    for _ in 0..MAX_NESTED {
        let (magic, whole) = first_bytes(reader)?;
        reader = match Packing::of(&magic) {
            None => return Ok(whole),
            Some(packing) => {
                let buffered = BufReader::with_capacity(BUFFER_BYTES, whole);
                Box::new(Unpacking {
                    inner: decoder(packing, buffered)?,
                    packing,
                    read: Arc::clone(read),
                })
            }
        };
    }
    Ok(reader)
}

/// The first four bytes, fewer when there are no more, and a reader that begins with them.
fn first_bytes(mut reader: Box<dyn Read>) -> io::Result<(Vec<u8>, Box<dyn Read>)> {
    let mut magic = Vec::new();
    reader.by_ref().take(4).read_to_end(&mut magic)?;
    let whole = io::Cursor::new(magic.clone()).chain(reader);
    Ok((magic, Box::new(whole)))
}

fn decoder(packing: Packing, packed: impl BufRead + 'static) -> io::Result<Box<dyn Read>> {
    Ok(match packing {
        Packing::Gzip => Box::new(MultiGzDecoder::new(packed)),
        Packing::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(packed)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG)?;
            Box::new(decoder)
        }
    })
}

/// Says in its errors what was being unpacked, and where.
struct Unpacking {
    inner: Box<dyn Read>,
    packing: Packing,
    read: Arc<AtomicU64>,
}

impl Read for Unpacking {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buffer).map_err(|error| {
            if error.kind() == io::ErrorKind::Interrupted {
                return error;
            }
            let packing = self.packing.name();
            let at = self.read.load(Ordering::Relaxed);
            let text = error.to_string();
            let why = if error.kind() == io::ErrorKind::UnexpectedEof || text.contains("incomplete")
            {
                "is cut short".to_owned()
            } else if text.contains("too much memory") {
                format!(
                    "asks for a window of more than {} MiB (unpack it: `zstd -dc --long=31 FILE | \
                     octroi analyze -`)",
                    (1_u64 << ZSTD_WINDOW_LOG) >> 20
                )
            } else {
                format!("is damaged: {text}")
            };
            io::Error::other(format!(
                "the {packing} stream {why} (at most {at} bytes into the file; packets before this \
                 point are intact)"
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = zstd::stream::Encoder::new(Vec::new(), 3).unwrap();
        encoder.include_checksum(true).unwrap();
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// What comes out, and the error that ended it.
    fn read(packed: Vec<u8>) -> (Vec<u8>, Option<String>) {
        let read = Arc::new(AtomicU64::new(0));
        let counted = Counted {
            inner: io::Cursor::new(packed),
            read: Arc::clone(&read),
        };
        let mut out = Vec::new();
        match unpacked(Box::new(counted), &read) {
            Ok(mut reader) => {
                let error = reader.read_to_end(&mut out).err();
                (out, error.map(|error| error.to_string()))
            }
            Err(error) => (out, Some(error.to_string())),
        }
    }

    fn sample() -> Vec<u8> {
        (0_u32..100_000).flat_map(u32::to_le_bytes).collect()
    }

    #[test]
    fn what_is_packed_is_told_by_its_first_bytes() {
        let plain = sample();
        for packed in [
            plain.clone(),
            gzip(&plain),
            zstd(&plain),
            gzip(&zstd(&plain)),
            zstd(&gzip(&gzip(&plain))),
        ] {
            assert_eq!(read(packed), (plain.clone(), None));
        }
        for short in [&b""[..], b"a", b"\x1f", b"abc"] {
            assert_eq!(read(short.to_vec()), (short.to_vec(), None));
        }
    }

    #[test]
    fn several_streams_in_a_row_are_one() {
        let plain = sample();
        let (first, second) = plain.split_at(70_000);
        assert_eq!(
            read([gzip(first), gzip(second)].concat()),
            (plain.clone(), None)
        );
        let mut frames = vec![0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
        frames.extend(zstd(first));
        frames.extend(zstd(second));
        assert_eq!(read(frames), (plain.clone(), None));
    }

    #[test]
    fn a_stream_cut_short_counts_as_far_as_it_goes() {
        let plain: Vec<u8> = sample().iter().map(|byte| byte.wrapping_mul(151)).collect();
        for (name, packed) in [("gzip", gzip(&plain)), ("zstd", zstd(&plain))] {
            let half = packed.len() / 2;
            let (out, error) = read(packed[..half].to_vec());
            let error = error.unwrap_or_else(|| panic!("{name} has no error"));
            assert!(plain.starts_with(&out), "{name}");
            assert!(
                error.contains(name) && error.contains("cut short") && error.contains("bytes into"),
                "{error}"
            );
            let mut damaged = packed.clone();
            for byte in &mut damaged[half..half + 64] {
                *byte ^= 0x5a;
            }
            let (_, error) = read(damaged);
            assert!(error.is_some_and(|error| error.contains(name)), "{name}");
        }
    }

    #[test]
    fn a_window_that_takes_too_much_memory_is_refused() {
        let mut encoder = zstd::stream::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(27).unwrap();
        encoder.include_contentsize(false).unwrap();
        encoder.write_all(&sample()).unwrap();
        let (out, error) = read(encoder.finish().unwrap());
        assert!(out.is_empty());
        let error = error.unwrap();
        assert!(
            error.contains("64 MiB") && error.contains("zstd -dc"),
            "{error}"
        );
    }
}
