//! The command line of `octroi geo-db`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// The name of the atlas inside the binary, wherever an atlas file is asked for.
pub(super) const EMBEDDED: &str = "embedded";

/// Build, look into, compare and update the atlas.
#[derive(Debug, Subcommand)]
pub(crate) enum GeoDbCommand {
    /// Build an atlas from declared sources. The same inputs make the same bytes.
    Build(BuildArguments),
    /// Say what an atlas is made of: sources, licences, attributions, age, size.
    Info(InfoArguments),
    /// Check an atlas file: format, checksum, contents, room in the kernel, signature.
    Verify(VerifyArguments),
    /// Look addresses up, fast: one line of tab-separated values (or JSON) each.
    Lookup(LookupArguments),
    /// Say what moved between jurisdictions from one atlas to another.
    Diff(DiffArguments),
    /// Fetch what changed, build, hold it against the guards, and replace the atlas or keep it.
    ///
    /// Exit status: 0 updated, 3 nothing is new, 4 refused (the old atlas stays), 5 some sources
    /// failed and their last good data was kept, 1 any other error.
    Update(UpdateArguments),
    /// Measure how right the countries are on the clouds' own published prefixes.
    Audit(AuditArguments),
}

/// Arguments of `build`.
#[derive(Debug, Args)]
pub(crate) struct BuildArguments {
    /// The declaration of sources (TOML).
    #[arg(long, value_name = "FILE")]
    pub(crate) sources: PathBuf,
    /// Directory of the packages; that of the declaration when absent.
    #[arg(long, value_name = "DIR")]
    pub(crate) packages: Option<PathBuf>,
    /// Directory of fetched files; `sources` beside the output when absent.
    #[arg(long, value_name = "DIR")]
    pub(crate) cache: Option<PathBuf>,
    /// The atlas file to write.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `info`.
#[derive(Debug, Args)]
pub(crate) struct InfoArguments {
    /// The atlas file; the one inside the binary when absent.
    pub(crate) file: Option<PathBuf>,
    /// Public key (its line, or a file): says whether the signature holds.
    #[arg(long, value_name = "KEY")]
    pub(crate) public_key: Option<String>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `verify`.
#[derive(Debug, Args)]
pub(crate) struct VerifyArguments {
    /// The atlas file.
    pub(crate) file: PathBuf,
    /// Public key (its line, or a file as minisign writes it): the signature must hold.
    #[arg(long, value_name = "KEY")]
    pub(crate) public_key: Option<String>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `lookup`.
#[derive(Debug, Args)]
pub(crate) struct LookupArguments {
    /// Addresses; `-` reads them from standard input, one a line.
    #[arg(required = true, value_name = "ADDRESS")]
    pub(crate) addresses: Vec<String>,
    /// The atlas file; the one inside the binary when absent.
    #[arg(long, value_name = "FILE")]
    pub(crate) atlas: Option<PathBuf>,
    /// Print JSON, one object a line.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `diff`.
#[derive(Debug, Args)]
pub(crate) struct DiffArguments {
    /// The older atlas file, or `embedded`.
    #[arg(value_name = "A")]
    pub(crate) old: PathBuf,
    /// The newer atlas file, or `embedded`.
    #[arg(value_name = "B")]
    pub(crate) new: PathBuf,
    /// Rows of each table.
    #[arg(short, long, default_value_t = 20)]
    pub(crate) limit: usize,
    /// Print JSON, every row.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `update`.
#[derive(Debug, Args)]
pub(crate) struct UpdateArguments {
    /// The declaration of sources and guards (TOML).
    #[arg(long, value_name = "FILE")]
    pub(crate) sources: PathBuf,
    /// The atlas file to replace.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// Directory of the packages; that of the declaration when absent.
    #[arg(long, value_name = "DIR")]
    pub(crate) packages: Option<PathBuf>,
    /// Directory of fetched files; `sources` beside the output when absent.
    #[arg(long, value_name = "DIR")]
    pub(crate) cache: Option<PathBuf>,
    /// Seconds of silence after which a server is left.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) timeout: u64,
    /// Accept, this once, what the guards refuse. Errors are errors still.
    #[arg(long)]
    pub(crate) accept: bool,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `audit`.
#[derive(Debug, Args)]
pub(crate) struct AuditArguments {
    /// The atlas file; the one inside the binary when absent.
    pub(crate) file: Option<PathBuf>,
    /// Rows of the table of the worst regions.
    #[arg(short, long, default_value_t = 20)]
    pub(crate) limit: usize,
    /// Print JSON, every row.
    #[arg(long)]
    pub(crate) json: bool,
}
