//! Text files line by line: LF or CRLF, comments, bounded length, valid UTF-8.

use super::SourceError;
use super::draft::{Draft, Input};
use super::error::Spot;

/// Longest line, in bytes.
const MAX_LINE_BYTES: usize = 4096;

/// Calls `row` with each line that is neither blank nor a comment, without white space around it;
/// what it finds wrong makes a bad row.
pub(super) fn each(
    input: Input<'_>,
    draft: &mut Draft<'_>,
    mut row: impl FnMut(&mut Draft<'_>, u64, &str) -> Result<(), String>,
) -> Result<(), SourceError> {
    let bytes = input.bytes;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    for (number, line) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        draft.row()?;
        let read = if line.len() > MAX_LINE_BYTES {
            Err(format!(
                "a line of {} bytes, at most {MAX_LINE_BYTES} are read",
                line.len()
            ))
        } else {
            match std::str::from_utf8(line) {
                Ok(text) => row(draft, number, text),
                Err(_) => Err("not UTF-8 text".to_owned()),
            }
        };
        if let Err(what) = read {
            draft.bad_row(Spot::Line(number), what)?;
        }
    }
    Ok(())
}
