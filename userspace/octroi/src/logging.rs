//! Diagnostics on standard error: what the daemon does, in lines for people and journals.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

/// Starts the log. `OCTROI_LOG` (the syntax of `tracing`'s filters) beats `-v`.
pub(crate) fn start(verbose: u8) {
    let default = match verbose {
        0 => "octroi=info,octroi_datapath=info,warn",
        1 => "octroi=debug,octroi_datapath=debug,octroi_events=debug,info",
        _ => "trace",
    };
    let filter = EnvFilter::try_from_env("OCTROI_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_span_events(FmtSpan::NONE)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        .with_writer(std::io::stderr)
        .init();
}
