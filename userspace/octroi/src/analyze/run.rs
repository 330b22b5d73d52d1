//! From the arguments to the exit status: reads captures, prints what was found.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread::available_parallelism;

use anyhow::{Context as _, Result};
use octroi_api::filter::Filter;

use super::arguments::{AnalyzeArguments, Format};
use super::desk::Opening;
use super::eve::Eve;
use super::judged::Judging;
use super::outlet::{CHUNKS_WAITING, Printer, Remote, print_in_order};
use super::pipeline::{self, Outcome, Reading, Threads};
use super::progress::Progress;
use super::report::CaptureLine;
use super::summary::Summary;
use super::teller::{Style, Teller};
use super::{csv, html, json, text};

/// Some captures could not be read to their end.
const INCOMPLETE: u8 = 1;
/// The arguments or the policy are wrong.
const USAGE: u8 = 2;

/// Runs `octroi analyze`.
///
/// # Errors
///
/// The output cannot be written.
pub(crate) fn run(arguments: &AnalyzeArguments) -> Result<ExitCode> {
    let filter = match Filter::parse(arguments.filter.as_deref().unwrap_or_default()) {
        Ok(filter) => filter,
        Err(error) => {
            eprintln!("octroi analyze: --filter\n{error}");
            return Ok(ExitCode::from(USAGE));
        }
    };
    let out = BufWriter::with_capacity(1 << 16, io::stdout());
    let complete = if arguments.format() == Format::SummaryJsonl {
        Some(summaries(arguments, out)?)
    } else {
        report(arguments, filter, out)?
    };
    Ok(match complete {
        Some(true) => ExitCode::SUCCESS,
        Some(false) => ExitCode::from(INCOMPLETE),
        None => ExitCode::from(USAGE),
    })
}

/// What was asked for, or what the machine has.
fn threads(arguments: &AnalyzeArguments) -> Threads {
    Threads::new(arguments.threads.map_or_else(
        || available_parallelism().map_or(1, std::num::NonZero::get),
        usize::from,
    ))
}

/// What is read, one after the other.
fn readings(arguments: &AnalyzeArguments) -> Vec<(String, Reading)> {
    let captures = &arguments.captures;
    if arguments.merge && captures.len() > 1 {
        let names: Vec<String> = captures.iter().map(|path| shown(path)).collect();
        return vec![(names.join(" + "), Reading::Merged(captures.clone()))];
    }
    let one = |path: &PathBuf| (shown(path), Reading::One(path.clone()));
    captures.iter().map(one).collect()
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// True when every capture was read to its end; `None` when the policy or the atlas is wrong, which
/// was told then.
fn report(
    arguments: &AnalyzeArguments,
    filter: Filter,
    out: impl Write + Send,
) -> Result<Option<bool>> {
    let threads = threads(arguments);
    let opening = Arc::new(Opening::default());
    std::thread::scope(|scope| {
        if threads.is_one() {
            opening.open(arguments);
        } else {
            // The atlas is opened while the first packets are read.
            let opening = Arc::clone(&opening);
            scope.spawn(move || opening.open_ahead(arguments));
        }
        let filter = Arc::new(filter);
        let new = || {
            let (opening, filter) = (Arc::clone(&opening), Arc::clone(&filter));
            let (rows, names) = (arguments.rows(), arguments.names);
            Judging::new(opening, filter, rows, names, arguments.needs_evidence())
        };
        let mut shards: Vec<Judging> = (0..threads.workers()).map(|_| new()).collect();
        let mut printer = Printer::new(out);
        if arguments.format() == Format::Csv {
            printer.begin(&csv::head());
        }
        let mut lines = Vec::new();
        let mut complete = true;
        let progress = Progress::new();
        for (number, (name, reading)) in readings(arguments).iter().enumerate() {
            for shard in &mut shards {
                shard.begin_capture(number);
            }
            let outcome = analyze(
                reading,
                threads,
                &mut shards,
                arguments.format(),
                &mut printer,
                &progress,
                &opening,
            );
            if opening.has_failed() || printer.has_failed() {
                break;
            }
            if let Some(error) = &outcome.error {
                complete = false;
                if matches!(arguments.format(), Format::Eve | Format::Csv) {
                    eprintln!("octroi analyze: {name}: {error:#}");
                }
            }
            lines.push(CaptureLine::new(name.clone(), &outcome));
        }
        progress.end();
        let Some(desk) = opening.wait() else {
            if let Some(error) = opening.failure() {
                eprintln!("octroi analyze: {error:#}");
            }
            return Ok(None);
        };
        let (rows, with_reasons) = (arguments.rows(), arguments.tells_reasons());
        let mut report = Judging::into_report(shards, &desk, rows, with_reasons);
        if arguments.format() == Format::Eve {
            printer.end(report.watched.events());
        }
        let mut out = printer.finish().context("cannot write the report")?;
        report.captures = lines;
        report.filter.clone_from(&arguments.filter);
        match arguments.format() {
            Format::Json => json::document(&report, &mut out),
            Format::Jsonl => json::last_lines(&report, &mut out),
            Format::Html => html::page(&report, &mut out),
            Format::Eve | Format::Csv => {
                for bound in report.bounds() {
                    eprintln!("octroi analyze: {bound}");
                }
                Ok(())
            }
            Format::Text | Format::SummaryJsonl => text::print(&report, arguments.names, &mut out),
        }
        .and_then(|()| out.flush())
        .context("cannot write the report")?;
        Ok(Some(complete))
    })
}

/// One capture, by as many workers as there are shards.
fn analyze<W: Write + Send>(
    reading: &Reading,
    threads: Threads,
    shards: &mut [Judging],
    format: Format,
    printer: &mut Printer<W>,
    progress: &Progress,
    opening: &Opening,
) -> Outcome {
    let style = || match format {
        Format::Jsonl => Style::Json,
        Format::Csv => Style::Csv,
        Format::Eve => Style::Eve(Box::<Eve>::default()),
        Format::Text | Format::Json | Format::Html | Format::SummaryJsonl => Style::Report,
    };
    let has_failed = || opening.has_failed();
    if matches!(style(), Style::Report) {
        let teller = |shard| Teller::new(shard, Style::Report, ());
        let tellers = shards.iter_mut().map(teller).collect();
        return pipeline::run(reading, threads, tellers, progress, &has_failed, || {});
    }
    if let [only] = shards {
        let teller = Teller::new(only, style(), printer);
        return pipeline::run(reading, threads, vec![teller], progress, &has_failed, || {});
    }
    let mut tellers = Vec::new();
    let mut told = Vec::new();
    for shard in shards {
        let (to, from) = sync_channel(CHUNKS_WAITING);
        tellers.push(Teller::new(shard, style(), Remote::new(to)));
        told.push(from);
    }
    let stop = std::sync::atomic::AtomicBool::new(false);
    let has_to_stop = || opening.has_failed() || stop.load(std::sync::atomic::Ordering::Relaxed);
    pipeline::run(reading, threads, tellers, progress, &has_to_stop, || {
        print_in_order(told, printer);
        stop.store(printer.has_failed(), std::sync::atomic::Ordering::Relaxed);
    })
}

fn summaries(arguments: &AnalyzeArguments, mut out: impl Write) -> Result<bool> {
    let mut complete = true;
    let progress = Progress::new();
    for (name, reading) in readings(arguments) {
        let mut found: Vec<Summary> = Vec::new();
        let threads = threads(arguments);
        found.resize_with(threads.workers(), Summary::default);
        let outcome = {
            let workers = found.iter_mut().collect();
            pipeline::run::<&mut Summary>(&reading, threads, workers, &progress, &|| false, || {})
        };
        if let Some(error) = &outcome.error {
            complete = false;
            eprintln!("octroi analyze: {name}: {error:#}");
        }
        let mut whole = Summary::default();
        for part in found {
            whole.merge(part);
        }
        let name = match &reading {
            Reading::One(path) => file_name(path),
            Reading::Merged(paths) => {
                let names: Vec<String> = paths.iter().map(|path| file_name(path)).collect();
                names.join(" + ")
            }
        };
        whole
            .write(&name, &outcome, &mut out)
            .context("cannot write the report")?;
    }
    progress.end();
    out.flush().context("cannot write the report")?;
    Ok(complete)
}

fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}
