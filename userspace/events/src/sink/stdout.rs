//! The standard output: for containers, pipes and people.

use std::io::{self, Write};

use super::{Sink, SinkError};

/// The standard output.
#[derive(Debug)]
pub struct StdoutSink {
    output: io::Stdout,
}

impl Default for StdoutSink {
    fn default() -> Self {
        Self {
            output: io::stdout(),
        }
    }
}

impl Sink for StdoutSink {
    fn name(&self) -> &'static str {
        "stdout"
    }

    fn write(&mut self, lines: &[u8]) -> Result<(), SinkError> {
        let mut output = self.output.lock();
        output
            .write_all(lines)
            .and_then(|()| output.flush())
            .map_err(|error| SinkError {
                operation: "write",
                path: "stdout".into(),
                error,
            })
    }

    fn reopen(&mut self) -> Result<(), SinkError> {
        Ok(())
    }
}
