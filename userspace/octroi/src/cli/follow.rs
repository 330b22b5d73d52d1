//! What commands that list and follow have in common.

use std::time::Duration;

use clap::Args;

use super::ClientArguments;

/// How often news is asked for when following.
pub(super) const INTERVAL: Duration = Duration::from_millis(500);

/// Arguments of `calls`, and of `findings`.
#[derive(Debug, Args)]
pub(crate) struct WatchedArguments {
    #[command(flatten)]
    pub(crate) client: ClientArguments,
    /// Only those that match, as in `service:zoom lasted>10m` or `family:grabify state:open`.
    #[arg(short, long, default_value = "")]
    pub(crate) filter: String,
    /// At most this many.
    #[arg(short, long, default_value_t = 100)]
    pub(crate) limit: usize,
    /// Go on as new ones come, one line each, until interrupted.
    #[arg(long)]
    pub(crate) follow: bool,
}

/// More rows matched than one answer holds: nothing is left out in silence.
pub(super) fn say_what_is_missing(matching: u64, shown: usize, what: &str) {
    let missing = matching.saturating_sub(shown as u64);
    if missing > 0 {
        eprintln!("{missing} more {what} match and are not shown here");
    }
}
