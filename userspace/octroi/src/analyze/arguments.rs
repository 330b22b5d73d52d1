//! What `octroi analyze` can be asked.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use jiff::civil::Date;

/// Arguments of `analyze`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit status: 0 when every capture was read to its end, 1 when one was not \
    (what was read of it counts, the others are analysed), 2 when the arguments or the policy \
    are wrong."
)]
pub(crate) struct AnalyzeArguments {
    /// Captures: pcap or pcapng, any byte order, plain or packed with gzip or zstd. "-" reads
    /// standard input.
    #[arg(required = true, value_name = "CAPTURE")]
    pub(crate) captures: Vec<PathBuf>,
    /// A policy file, or the name of a preset.
    #[arg(short, long, default_value = "observe", value_name = "FILE|PRESET")]
    pub(crate) policy: String,
    /// Judge sources that are in no zone of the policy as if they were in this one.
    #[arg(long, value_name = "NAME")]
    pub(crate) zone: Option<String>,
    /// An atlas file instead of the one inside the binary.
    #[arg(long, value_name = "FILE")]
    pub(crate) atlas: Option<PathBuf>,
    /// The day for which laws, adequacy and qualifications are read (default: today).
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub(crate) at: Option<Date>,
    /// Read the captures as one, in the order of their packets' times; flows may span them.
    #[arg(long)]
    pub(crate) merge: bool,
    /// Only flows for which this holds, in the language of `octroi flows --filter`.
    #[arg(long, value_name = "FILTER")]
    pub(crate) filter: Option<String>,
    /// Threads, 1 to 4 (default: as many as there are processors). With more than one, one reads and
    /// the others work on flows. What is found does not depend on it.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u8).range(1..))]
    pub(crate) threads: Option<u8>,
    /// What is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
    /// Short for --format json.
    #[arg(long, conflicts_with = "format")]
    pub(crate) json: bool,
    /// List the names that were observed too.
    #[arg(long)]
    pub(crate) names: bool,
    /// Most rows of each list (flows, alerts, names); 0: all, held in memory.
    #[arg(long, default_value_t = 20, value_name = "ROWS")]
    pub(crate) limit: usize,
}

/// What is printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Format {
    /// Tables for people.
    Text,
    /// One JSON document.
    Json,
    /// A JSON line for each flow as it ends, then one for each alert and capture.
    Jsonl,
    /// A row for each flow as it ends, comma-separated (RFC 4180).
    Csv,
    /// One page of HTML that stands alone.
    Html,
    /// EVE JSON: the alerts and flow records that the gate would have written.
    Eve,
    /// A JSON line for each capture: packets, flows, names, destinations. No policy is asked.
    SummaryJsonl,
}

impl AnalyzeArguments {
    pub(crate) fn format(&self) -> Format {
        if self.json { Format::Json } else { self.format }
    }

    /// Whether the whole reason of each alert is told.
    pub(crate) fn tells_reasons(&self) -> bool {
        matches!(self.format(), Format::Json | Format::Jsonl | Format::Html)
    }

    /// Whether flows are told, or looked for, with more than the atlas's tables say: with who announces
    /// their destinations.
    pub(crate) fn needs_evidence(&self) -> bool {
        !matches!(self.format(), Format::Text | Format::SummaryJsonl) || self.filter.is_some()
    }

    /// The limit of lists as a number of rows.
    pub(crate) fn rows(&self) -> usize {
        if self.limit == 0 {
            usize::MAX
        } else {
            self.limit
        }
    }
}
