//! The report as one page of HTML.

use std::io::{self, Write};

use super::report::Report;

/// Writes the page.
pub(super) fn page(_report: &Report, out: &mut impl Write) -> io::Result<()> {
    out.write_all(b"")
}
