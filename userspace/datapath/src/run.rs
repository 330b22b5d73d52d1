//! One packet through a loaded program without a network (`BPF_PROG_TEST_RUN`): what tests and
//! benches are made of. It counts and remembers flows as a real packet does.

use std::time::Duration;

use aya::programs::{SchedClassifier, TestRun as _, TestRunOptions, Xdp};
use octroi_abi::name;

use crate::error::DatapathError;
use crate::load::Datapath;

/// Room for a packet that comes out: a little longer than the longest that goes in.
const OUT_BYTES: usize = 4_096 + 256;

/// A program of the kernel object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Program {
    /// XDP: outbound packets.
    Outbound,
    /// TCX egress: replies.
    Reply,
    /// XDP: nothing.
    Noop,
    /// XDP: one look-up of the destination.
    Lookup,
}

impl Program {
    fn name(self) -> &'static str {
        match self {
            Self::Outbound => name::PROGRAM_OUTBOUND,
            Self::Reply => name::PROGRAM_REPLY,
            Self::Noop => name::PROGRAM_NOOP,
            Self::Lookup => name::PROGRAM_LOOKUP,
        }
    }
}

/// What came out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RunReport {
    /// `XDP_*`, `TCX_*` (as `u32`), or the program's own code.
    pub action: u32,
    /// The frame afterwards.
    pub frame: Vec<u8>,
    /// Mean time of one run.
    pub took: Duration,
}

impl Datapath {
    /// Runs a program `repeat` times on one frame (Ethernet header first; at least 14 bytes, at
    /// most a page less some headroom).
    ///
    /// # Errors
    /// When the kernel refuses the frame.
    pub fn run(
        &self,
        program: Program,
        frame: &[u8],
        repeat: u32,
    ) -> Result<RunReport, DatapathError> {
        let name = program.name();
        let missing = DatapathError::Object {
            what: "program",
            name,
        };
        let mut out = vec![0; OUT_BYTES];
        let options = TestRunOptions {
            data_in: Some(frame),
            data_out: Some(&mut out),
            repeat,
            ..TestRunOptions::default()
        };
        let Some(loaded) = self.programs.program(name) else {
            return Err(missing);
        };
        let result = if program == Program::Reply {
            let loaded: &SchedClassifier = loaded.try_into().map_err(|_| missing)?;
            loaded.test_run(options)
        } else {
            let loaded: &Xdp = loaded.try_into().map_err(|_| missing)?;
            loaded.test_run(options)
        };
        let result = result.map_err(|source| DatapathError::Program {
            program: name,
            source: Box::new(source),
        })?;
        out.truncate(usize::try_from(result.data_size_out).unwrap_or(0));
        Ok(RunReport {
            action: result.return_value,
            frame: out,
            took: result.duration,
        })
    }
}
