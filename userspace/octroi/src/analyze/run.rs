//! From the arguments to the exit status: opens captures, shows progress, prints.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal as _, Read, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use indicatif::{ProgressBar, ProgressStyle};
use octroi_inspect::capture::Capture;
use octroi_inspect::flow;
use octroi_inspect::name::NamerLimits;
use octroi_inspect::survey::{Sink, Survey};

use super::arguments::{AnalyzeArguments, Format};
use super::judged::{Desk, Judging};
use super::report::CaptureLine;
use super::{eve, json, summary, text};
use crate::judge::{self, Judge};

/// Some captures could not be read to their end.
const INCOMPLETE: u8 = 1;
/// The arguments or the policy are wrong.
const USAGE: u8 = 2;
/// Packets between two looks at the progress bar.
const PACKETS_PER_TICK: u64 = 8_192;

/// Runs `octroi analyze`.
///
/// # Errors
///
/// The output cannot be written, or the atlas cannot be opened.
pub(crate) fn run(arguments: &AnalyzeArguments) -> Result<ExitCode> {
    let stdout = io::stdout();
    let mut out = BufWriter::with_capacity(1 << 16, stdout.lock());
    let complete = if arguments.format() == Format::SummaryJsonl {
        summaries(arguments, &mut out)?
    } else {
        let judge = match judge(arguments) {
            Ok(judge) => judge,
            Err(error) => {
                eprintln!("octroi analyze: {error:#}");
                return Ok(ExitCode::from(USAGE));
            }
        };
        report(arguments, judge, &mut out)?
    };
    out.flush().context("cannot write the report")?;
    Ok(if complete {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(INCOMPLETE)
    })
}

fn judge(arguments: &AnalyzeArguments) -> Result<Desk> {
    let at = arguments.at.unwrap_or_else(judge::day_of_law);
    let atlas = judge::open_atlas(arguments.atlas.as_deref(), at)?;
    let policy = judge::read_policy(&arguments.policy, atlas.catalogue())?;
    let zone = match &arguments.zone {
        None => 0,
        Some(name) => judge::zone_number(&policy, name)?,
    };
    Ok(Desk {
        judge: Judge {
            atlas,
            policy: policy.into(),
        },
        zone,
        at,
    })
}

/// True when every capture was read to its end.
fn report(arguments: &AnalyzeArguments, desk: Desk, out: &mut impl Write) -> Result<bool> {
    let mut sequence = 0;
    let mut judging = Judging::new(desk, arguments.rows(), arguments.names);
    let mut complete = true;
    for path in &arguments.captures {
        let mut survey = Survey::new(flow::Limits::default(), NamerLimits::default());
        judging.begin_capture();
        let read = match arguments.format() {
            Format::Jsonl => {
                let mut sink = json::Lines::new(&mut judging, out);
                let read = read(path, &mut survey, &mut sink);
                sink.finish().context("cannot write the report")?;
                read
            }
            Format::Eve => {
                let mut sink = eve::Eve::new(&mut judging, &mut sequence, out);
                let read = read(path, &mut survey, &mut sink);
                sink.finish().context("cannot write the events")?;
                read
            }
            _ => read(path, &mut survey, &mut judging),
        };
        if let (Format::Eve, Err(error)) = (arguments.format(), &read) {
            eprintln!("octroi analyze: {}: {error:#}", path.display());
        }
        complete &= read.is_ok();
        judging.end_capture(CaptureLine::new(path, &survey, read.err()));
    }
    let report = judging.into_report();
    match arguments.format() {
        Format::Json => json::document(&report, out),
        Format::Jsonl => json::last_lines(&report, out),
        Format::Eve => Ok(()),
        Format::Text | Format::SummaryJsonl => text::print(&report, arguments.names, out),
    }
    .context("cannot write the report")?;
    Ok(complete)
}

fn summaries(arguments: &AnalyzeArguments, out: &mut impl Write) -> Result<bool> {
    let mut complete = true;
    for path in &arguments.captures {
        let mut survey = Survey::new(flow::Limits::default(), NamerLimits::default());
        let mut summary = summary::Summary::default();
        let read = read(path, &mut survey, &mut summary);
        if let Err(error) = &read {
            complete = false;
            eprintln!("octroi analyze: {}: {error:#}", path.display());
        }
        summary
            .write(path, survey.counts(), out)
            .context("cannot write the report")?;
    }
    Ok(complete)
}

/// Reads one capture to its end, or as far as it goes.
fn read(path: &Path, survey: &mut Survey, sink: &mut impl Sink) -> Result<()> {
    let (input, length): (Box<dyn Read>, Option<u64>) = if path.as_os_str() == "-" {
        (Box::new(io::stdin().lock()), None)
    } else {
        let file = File::open(path).context("cannot open it")?;
        let length = file.metadata().ok().map(|metadata| metadata.len());
        (Box::new(file), length)
    };
    let progress = progress(path, length);
    let read = packets(input, survey, sink, &progress);
    survey.finish(sink);
    progress.finish_and_clear();
    read
}

fn packets(
    input: impl Read,
    survey: &mut Survey,
    sink: &mut impl Sink,
    progress: &ProgressBar,
) -> Result<()> {
    let mut capture = Capture::open(input)?;
    let mut left = PACKETS_PER_TICK;
    loop {
        let Some(packet) = capture.next()? else {
            return Ok(());
        };
        survey.packet(&packet, sink);
        left -= 1;
        if left == 0 {
            left = PACKETS_PER_TICK;
            progress.set_position(capture.offset());
        }
    }
}

/// A bar on the terminal; hidden when standard error is none.
fn progress(path: &Path, length: Option<u64>) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = length.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
    let template = if length.is_some() {
        "{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}"
    } else {
        "{spinner} {msg} {bytes} {bytes_per_sec}"
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    let name = path.file_name().unwrap_or(path.as_os_str());
    bar.set_message(name.to_string_lossy().into_owned());
    bar
}
