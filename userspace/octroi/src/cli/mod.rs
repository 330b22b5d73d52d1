//! The command line: each flag defined once, with its documentation.

mod alerts;
mod calls;
mod client;
mod detach;
mod explain;
mod findings;
mod flows;
mod follow;
mod policy;
mod status;
pub(crate) mod table;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use jiff::civil::Date;

use crate::config::{DEFAULT_PIN_ROOT, DEFAULT_SOCKET};

/// Data-residency egress firewall: under whose law is each packet about to fall?
#[derive(Debug, Parser)]
#[command(
    name = "octroi",
    version,
    max_term_width = 100,
    arg_required_else_help = true
)]
pub(crate) struct Arguments {
    /// Says more on standard error (twice: everything).
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the gateway's daemon in the foreground: load, attach, watch, alert.
    Run(RunArguments),
    /// Show what the daemon does: interfaces, policy, atlas, counters, losses, sinks.
    Status(ClientArguments),
    /// List live flows with their verdicts.
    Flows(FlowsArguments),
    /// List recent alerts, or follow them.
    Alerts(AlertsArguments),
    /// List calls of people that run and that are over (who, over which service, how long, how much),
    /// or follow them.
    Calls(follow::WatchedArguments),
    /// List findings (hits on tracking links), open ones first, follow or acknowledge them.
    Findings(FindingsArguments),
    /// Open the dashboard.
    Tui(TuiArguments),
    /// Say under whose law an address, a prefix, a name or a past flow stands, what the policy does with
    /// it, and why.
    Explain(ExplainArguments),
    /// Judge captures (pcap, pcapng) as if their packets crossed the gate now. Needs no root.
    Analyze(crate::analyze::AnalyzeArguments),
    /// Check, show or apply a policy.
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Build, look into, compare and update the atlas. Needs no daemon.
    #[command(subcommand)]
    GeoDb(crate::geo_db::GeoDbCommand),
    /// Take the programs off every interface and remove all pins: the gate stands open afterwards.
    Detach(DetachArguments),
}

/// Arguments of `run`.
#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    /// The configuration file.
    #[arg(short, long, default_value = "/etc/octroi/octroi.toml")]
    pub(crate) config: PathBuf,
}

/// Arguments of all that ask the daemon.
#[derive(Clone, Debug, Args)]
pub(crate) struct ClientArguments {
    /// The daemon's socket.
    #[arg(long, default_value = DEFAULT_SOCKET)]
    pub(crate) socket: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `flows`.
#[derive(Debug, Args)]
pub(crate) struct FlowsArguments {
    #[command(flatten)]
    pub(crate) client: ClientArguments,
    /// Only flows that match, as in `verdict:block,reject control:US bytes>1M`.
    #[arg(short, long, default_value = "")]
    pub(crate) filter: String,
    /// At most this many.
    #[arg(short, long, default_value_t = 100)]
    pub(crate) limit: usize,
    /// Order by this column (age, bytes, rate, destination, verdict, control...).
    #[arg(short, long)]
    pub(crate) sort: Option<String>,
}

/// Arguments of `alerts`.
#[derive(Debug, Args)]
pub(crate) struct AlertsArguments {
    #[command(flatten)]
    pub(crate) client: ClientArguments,
    /// Only alerts that match.
    #[arg(short, long, default_value = "")]
    pub(crate) filter: String,
    /// At most this many of the past.
    #[arg(short, long, default_value_t = 50)]
    pub(crate) limit: usize,
    /// Go on as new ones come, until interrupted.
    #[arg(long)]
    pub(crate) follow: bool,
}

/// Arguments of `findings`.
#[derive(Debug, Args)]
pub(crate) struct FindingsArguments {
    #[command(flatten)]
    pub(crate) watched: follow::WatchedArguments,
    /// Note that you look into these open findings; it is told in the event stream. Operators only.
    #[arg(long, value_name = "ID", num_args = 1.., conflicts_with_all = ["follow", "filter", "limit", "json"])]
    pub(crate) acknowledge: Vec<u64>,
}

/// Arguments of `tui`.
#[derive(Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub(crate) struct TuiArguments {
    /// The daemon's socket.
    #[arg(long, default_value = DEFAULT_SOCKET)]
    pub(crate) socket: PathBuf,
    /// Start with this filter.
    #[arg(short, long)]
    pub(crate) filter: Option<String>,
    /// One event per line instead of screens (pipes, screen readers).
    #[arg(long)]
    pub(crate) plain: bool,
    /// Only ASCII characters (serial consoles).
    #[arg(long)]
    pub(crate) ascii: bool,
    /// No colours (also: the environment variable `NO_COLOR`).
    #[arg(long)]
    pub(crate) no_color: bool,
    /// Leave the mouse to the terminal's own selection.
    #[arg(long)]
    pub(crate) no_mouse: bool,
}

/// Arguments of `explain`.
#[derive(Debug, Args)]
pub(crate) struct ExplainArguments {
    /// Addresses, prefixes and host names; `-` reads more of them from standard input.
    #[arg(required_unless_present = "flow", value_name = "WHAT")]
    pub(crate) what: Vec<String>,
    /// A past or live flow, by its flow id, Community ID or event id: explained as it was told then,
    /// with what would be decided today.
    #[arg(long, value_name = "ID")]
    pub(crate) flow: Vec<String>,
    /// Read past flows from these event files (EVE JSON, rotated and gzipped ones included) instead of
    /// asking the daemon.
    #[arg(long, value_name = "FILE", num_args = 1.., requires = "flow")]
    pub(crate) from: Vec<PathBuf>,
    /// The policy: a file or a preset (observe, gdpr, cloud-au-centre, france-only); cloud-au-centre
    /// when absent, for flows of the daemon its own.
    #[arg(short, long)]
    pub(crate) policy: Option<String>,
    /// The source's zone, by name; the policy's first one when absent.
    #[arg(short, long)]
    pub(crate) zone: Option<String>,
    /// The name the client asked for (DNS, SNI or Host), for addresses and prefixes.
    #[arg(short, long)]
    pub(crate) name: Option<String>,
    /// Protocol: tcp, udp or a number.
    #[arg(long, default_value = "tcp")]
    pub(crate) protocol: String,
    /// Destination port.
    #[arg(long, default_value_t = 443)]
    pub(crate) port: u16,
    /// The day for which laws, parents, adequacy and qualifications are read; today when absent.
    #[arg(long, value_name = "DATE")]
    pub(crate) at: Option<Date>,
    /// An atlas file; the one inside the binary when absent.
    #[arg(long, value_name = "FILE")]
    pub(crate) atlas: Option<PathBuf>,
    /// Language of the page and of the sentences in JSON.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) lang: Lang,
    /// The daemon's socket, for flows.
    #[arg(long, default_value = DEFAULT_SOCKET)]
    pub(crate) socket: PathBuf,
    /// Print JSON: an array with one object for each thing asked about.
    #[arg(long)]
    pub(crate) json: bool,
}

/// A language of people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Lang {
    /// English.
    #[default]
    En,
    /// French.
    Fr,
}

impl From<Lang> for octroi_geo_db::catalogue::Language {
    fn from(lang: Lang) -> Self {
        match lang {
            Lang::En => Self::En,
            Lang::Fr => Self::Fr,
        }
    }
}

/// `policy check|show|apply`.
#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Parse and compile a policy; every problem with its line, column and remedy. Needs no daemon.
    Check {
        /// A file, or a preset.
        policy: String,
        /// An atlas file; the one inside the binary when absent.
        #[arg(long)]
        atlas: Option<PathBuf>,
    },
    /// Show a policy's zones and rules: the daemon's, or a file's or preset's.
    Show {
        /// A file, or a preset; the running daemon's policy when absent.
        policy: Option<String>,
        /// Print the text as it was written, to copy and edit.
        #[arg(long)]
        source: bool,
        #[command(flatten)]
        client: ClientArguments,
    },
    /// Have the daemon check, compile and switch to a policy. On any error the old one stays.
    Apply {
        /// A file, or a preset.
        policy: String,
        #[command(flatten)]
        client: ClientArguments,
    },
}

/// Arguments of `detach`.
#[derive(Debug, Args)]
pub(crate) struct DetachArguments {
    /// Directory of the pins.
    #[arg(long, default_value = DEFAULT_PIN_ROOT)]
    pub(crate) pin_root: PathBuf,
}

/// Does it.
///
/// # Errors
/// Whatever went wrong, with the operation, the object and the remedy.
pub(crate) fn dispatch(arguments: Arguments) -> Result<ExitCode> {
    match arguments.command {
        Command::Run(run) => crate::daemon::run(&run.config),
        Command::Status(client) => status::run(&client),
        Command::Flows(flows) => flows::run(&flows),
        Command::Alerts(alerts) => alerts::run(&alerts),
        Command::Calls(calls) => calls::run(&calls),
        Command::Findings(findings) => findings::run(&findings),
        Command::Tui(tui) => client::tui(tui),
        Command::Explain(explain) => explain::run(&explain),
        Command::Analyze(analyze) => crate::analyze::run(&analyze),
        Command::Policy(policy) => policy::run(policy),
        Command::GeoDb(command) => crate::geo_db::run(&command),
        Command::Detach(detach) => detach::run(&detach),
    }
}
