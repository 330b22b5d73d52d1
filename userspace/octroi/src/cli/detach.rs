//! `octroi detach`: the gate comes down.

use std::process::ExitCode;

use anyhow::Result;
use octroi_datapath::Datapath;

use super::DetachArguments;

/// Detaches and removes every pin under the pin root.
pub(super) fn run(arguments: &DetachArguments) -> Result<ExitCode> {
    let report = Datapath::detach(&arguments.pin_root)?;
    println!("{report}");
    Ok(ExitCode::SUCCESS)
}
