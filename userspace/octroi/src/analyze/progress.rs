//! A bar on the terminal while captures are read; hidden when standard error is none.

use std::io::IsTerminal as _;
use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};

/// How far the reading is.
pub(super) struct Progress {
    bar: ProgressBar,
    is_shown: bool,
}

impl Progress {
    pub(super) fn new() -> Self {
        let is_shown = std::io::stderr().is_terminal();
        let bar = if is_shown {
            ProgressBar::new_spinner()
        } else {
            ProgressBar::hidden()
        };
        Self { bar, is_shown }
    }

    /// A capture is begun; `length` in bytes, where it is known.
    pub(super) fn begin(&self, path: &Path, length: Option<u64>) {
        if !self.is_shown {
            return;
        }
        self.bar.reset();
        let template = if let Some(length) = length {
            self.bar.set_length(length);
            "{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}"
        } else {
            "{spinner} {msg} {bytes} {bytes_per_sec}"
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.bar.set_style(style);
        }
        let name = path.file_name().unwrap_or(path.as_os_str());
        self.bar.set_message(name.to_string_lossy().into_owned());
    }

    /// So many bytes of the file were read.
    pub(super) fn at(&self, bytes: u64) {
        self.bar.set_position(bytes);
    }

    /// The bar goes away.
    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
    }
}
