//! A file of lines, rotated by size.
//!
//! `eve.json` becomes `eve.json.1`, that becomes `eve.json.2`, and so on; the oldest of the kept
//! ones is removed. A line is never split between two files.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::{Sink, SinkError};

/// How a file is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileOptions {
    /// The file. Its directory must exist.
    pub path: PathBuf,
    /// Rotate before the file grows over this many bytes; 0: never (another program rotates).
    pub max_bytes: u64,
    /// Rotated files kept.
    pub keep: u32,
}

impl FileOptions {
    /// 256 MiB a file, eight rotated files kept.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            max_bytes: 256 << 20,
            keep: 8,
        }
    }
}

/// A file of lines.
#[derive(Debug)]
pub struct FileSink {
    name: String,
    options: FileOptions,
    /// `None` after an error: opened again at the next write.
    open: Option<Open>,
    rotations: u64,
}

#[derive(Debug)]
struct Open {
    file: File,
    /// Bytes of whole lines in it.
    bytes: u64,
}

impl FileSink {
    /// Opens the file for appending, mode 0640.
    ///
    /// # Errors
    /// The file cannot be opened: said at once, not at the first alert.
    pub fn open(options: FileOptions) -> Result<Self, SinkError> {
        let mut sink = Self {
            name: format!("file:{}", options.path.display()),
            options,
            open: None,
            rotations: 0,
        };
        sink.open = Some(sink.open_file()?);
        Ok(sink)
    }

    fn failed(&self, operation: &'static str, error: io::Error) -> SinkError {
        SinkError {
            operation,
            path: self.options.path.clone(),
            error,
        }
    }

    fn open_file(&self) -> Result<Open, SinkError> {
        let opened = OpenOptions::new()
            .create(true)
            .append(true)
            .read(true)
            .mode(0o640)
            .open(&self.options.path)
            .and_then(|file| {
                let bytes = whole_lines(&file)?;
                Ok(Open { file, bytes })
            });
        opened.map_err(|error| self.failed("open", error))
    }

    fn rotate(&mut self) -> Result<(), SinkError> {
        self.open = None;
        let path = self.options.path.clone();
        let shift = |from: &Path, to: &Path| match std::fs::rename(from, to) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        };
        let shifted = if self.options.keep == 0 {
            std::fs::remove_file(&path)
        } else {
            (1..self.options.keep)
                .rev()
                .try_for_each(|number| {
                    shift(&numbered(&path, number), &numbered(&path, number + 1))
                })
                .and_then(|()| shift(&path, &numbered(&path, 1)))
        };
        shifted.map_err(|error| self.failed("rotate", error))?;
        self.rotations += 1;
        self.open = Some(self.open_file()?);
        Ok(())
    }

    /// Writes lines that go to one file.
    fn append(&mut self, lines: &[u8]) -> Result<(), SinkError> {
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.open_file()?,
        };
        match open.file.write_all(lines) {
            Ok(()) => {
                open.bytes += lines.len() as u64;
                self.open = Some(open);
                Ok(())
            }
            Err(error) => {
                // Half a line must not run into the next one. If this fails too, opening the file
                // again finds and cuts it.
                let longer = open
                    .file
                    .metadata()
                    .is_ok_and(|metadata| metadata.len() > open.bytes);
                if longer {
                    let _ = open.file.set_len(open.bytes);
                }
                Err(self.failed("write", error))
            }
        }
    }

    fn room(&self) -> u64 {
        match &self.open {
            _ if self.options.max_bytes == 0 => u64::MAX,
            Some(open) => self.options.max_bytes.saturating_sub(open.bytes),
            None => self.options.max_bytes,
        }
    }
}

impl Sink for FileSink {
    fn name(&self) -> &str {
        &self.name
    }

    fn write(&mut self, lines: &[u8]) -> Result<(), SinkError> {
        if self.open.is_none() {
            self.open = Some(self.open_file()?);
        }
        let mut rest = lines;
        while !rest.is_empty() {
            let fitting = fitting(rest, self.room());
            if fitting > 0 {
                self.append(&rest[..fitting])?;
                rest = &rest[fitting..];
            } else if self.open.as_ref().is_some_and(|open| open.bytes > 0) {
                self.rotate()?;
            } else {
                // One line is longer than a whole file may be: it gets a file of its own.
                let end = line_end(rest);
                self.append(&rest[..end])?;
                rest = &rest[end..];
            }
        }
        Ok(())
    }

    fn reopen(&mut self) -> Result<(), SinkError> {
        self.open = None;
        self.open = Some(self.open_file()?);
        Ok(())
    }

    fn rotations(&self) -> u64 {
        self.rotations
    }
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(format!(".{number}"));
    name.into()
}

/// Bytes up to and including the first newline.
fn line_end(lines: &[u8]) -> usize {
    lines
        .iter()
        .position(|byte| *byte == b'\n')
        .map_or(lines.len(), |at| at + 1)
}

/// Bytes of the whole lines at the front that fit into `room`.
fn fitting(lines: &[u8], room: u64) -> usize {
    match usize::try_from(room) {
        Ok(room) if room < lines.len() => lines[..room]
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1),
        _ => lines.len(),
    }
}

/// How far back an incomplete last line is looked for. A crash can only leave one.
const LONGEST_LINE: u64 = 1 << 20;

/// Cuts an incomplete last line that a crash or a full disk left; the bytes that stay.
fn whole_lines(file: &File) -> io::Result<u64> {
    use std::os::unix::fs::FileExt;
    let metadata = file.metadata()?;
    let bytes = metadata.len();
    if bytes == 0 || !metadata.is_file() {
        return Ok(0);
    }
    let from = bytes.saturating_sub(LONGEST_LINE);
    let mut tail = vec![0; usize::try_from(bytes - from).unwrap_or(0)];
    file.read_exact_at(&mut tail, from)?;
    match tail.iter().rposition(|byte| *byte == b'\n') {
        Some(at) if at + 1 == tail.len() => Ok(bytes),
        Some(at) => {
            let whole = from + at as u64 + 1;
            file.set_len(whole)?;
            Ok(whole)
        }
        // Nothing here looks like ours: it is left as it is, on a line of its own.
        None => {
            let mut file = file;
            file.write_all(b"\n")?;
            Ok(bytes + 1)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &Path) -> String {
        std::fs::read_to_string(path).unwrap()
    }

    fn sink(path: &Path, max_bytes: u64, keep: u32) -> FileSink {
        FileSink::open(FileOptions {
            path: path.to_owned(),
            max_bytes,
            keep,
        })
        .unwrap()
    }

    #[test]
    fn files_rotate_at_lines_and_the_oldest_goes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("eve.json");
        let mut sink = sink(&path, 10, 2);
        for number in 0..9 {
            sink.write(format!("line{number}\n").as_bytes()).unwrap();
        }
        sink.write(b"a\nb\nc\nd\n").unwrap();
        assert_eq!(read(&path), "c\nd\n");
        assert_eq!(read(&numbered(&path, 1)), "line8\na\nb\n");
        assert_eq!(read(&numbered(&path, 2)), "line7\n");
        assert!(!numbered(&path, 3).exists());
        assert_eq!(sink.rotations(), 9);
    }

    #[test]
    fn a_batch_is_spread_over_files_and_loses_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("eve.json");
        let mut sink = sink(&path, 64, 100);
        let lines = (0..200).fold(String::new(), |lines, number| {
            lines + &format!("{number:05}\n")
        });
        sink.write(lines.as_bytes()).unwrap();
        let mut all = String::new();
        for number in (1..=sink.rotations()).rev() {
            let text = read(&numbered(&path, u32::try_from(number).unwrap()));
            assert!(text.len() <= 64 && text.ends_with('\n'));
            all.push_str(&text);
        }
        all.push_str(&read(&path));
        assert_eq!(all, lines);
    }

    #[test]
    fn a_line_longer_than_a_file_is_kept_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("eve.json");
        let mut sink = sink(&path, 8, 3);
        sink.write(b"short\nmuch longer than eight\nend\n").unwrap();
        assert_eq!(read(&numbered(&path, 2)), "short\n");
        assert_eq!(read(&numbered(&path, 1)), "much longer than eight\n");
        assert_eq!(read(&path), "end\n");
    }

    #[test]
    fn without_kept_files_the_file_is_emptied() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("eve.json");
        let mut sink = sink(&path, 4, 0);
        sink.write(b"abc\ndef\n").unwrap();
        assert_eq!(read(&path), "def\n");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_moved_file_is_left_and_a_new_one_begun_on_reopen() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("eve.json");
        let moved = directory.path().join("moved");
        let mut sink = sink(&path, 0, 0);
        sink.write(b"one\n").unwrap();
        std::fs::rename(&path, &moved).unwrap();
        sink.write(b"two\n").unwrap();
        sink.reopen().unwrap();
        sink.write(b"three\n").unwrap();
        assert_eq!(read(&moved), "one\ntwo\n");
        assert_eq!(read(&path), "three\n");
    }

    #[test]
    fn what_a_crash_left_of_a_line_is_cut() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("eve.json");
        std::fs::write(&path, "whole\nhal").unwrap();
        sink(&path, 0, 0).write(b"next\n").unwrap();
        assert_eq!(read(&path), "whole\nnext\n");
        std::fs::write(&path, "no line at all").unwrap();
        sink(&path, 0, 0).write(b"next\n").unwrap();
        assert_eq!(read(&path), "no line at all\nnext\n");
    }

    #[test]
    fn errors_name_the_file_and_the_remedy() {
        let error = FileSink::open(FileOptions::new("/nonexistent/eve.json")).unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("open /nonexistent/eve.json:"), "{text}");
        assert!(text.contains("create the directory"), "{text}");
    }

    #[test]
    fn a_full_disk_is_said_with_its_remedy() {
        let mut sink = sink(Path::new("/dev/full"), 0, 0);
        let error = sink.write(b"line\n").unwrap_err().to_string();
        assert!(error.starts_with("write /dev/full:"), "{error}");
        assert!(error.contains("free space"), "{error}");
    }
}
