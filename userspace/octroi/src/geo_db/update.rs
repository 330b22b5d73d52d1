//! `octroi geo-db update`: fetch what changed, build, hold the result against the guards, and
//! replace the atlas file, or keep it.
//!
//! Nothing is replaced before everything is known to be good: fetched files wait in a staging
//! place, the atlas is built from there, opened, compiled for the kernel and held against the
//! guards; then the files become the last good ones and the atlas file is renamed into place.

mod report;

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use octroi_geo_db::Atlas;
use octroi_geo_db::compare::{self, Changed};
use octroi_geo_db::source::declaration::{DeclaredSource, Origin, Places};

pub(crate) use self::report::{Outcome, Report};

use super::arguments::UpdateArguments;
use super::build::{self, Read, SourceReport, SourceState};
use super::fetch::{Cache, Patience, Staged};
use super::files::write_whole;
use crate::judge::today;

/// All of a download may take this many times the silence that is allowed.
const WHOLE_OF_SILENCE: u32 = 30;

/// Updates an atlas file.
pub(super) fn run(arguments: &UpdateArguments) -> Result<ExitCode> {
    let report = update(arguments)?;
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{}", report.render());
    }
    Ok(ExitCode::from(report.exit_status()))
}

fn update(arguments: &UpdateArguments) -> Result<Report> {
    let began = Instant::now();
    let (declaration, guards) = build::declared(&arguments.sources)?;
    let directory = build::cache_directory(arguments.cache.as_deref(), &arguments.output);
    let cache = Cache::open(&directory)?;
    let silence = Duration::from_secs(arguments.timeout);
    let work = Work {
        places: build::places(
            &arguments.sources,
            arguments.packages.as_deref(),
            cache.staging(),
        ),
        cache,
        patience: Patience {
            silence,
            whole: silence * WHOLE_OF_SILENCE,
        },
    };
    let mut report = Report::default();
    let mut sources = Vec::new();
    for (source, taken) in work.take_all(&declaration.sources)? {
        report.sources.push(taken.report);
        sources.extend(taken.read.map(|read| (source.clone(), read.statements)));
    }
    let before = present(&arguments.output, &mut report);
    report.previous = before
        .as_ref()
        .map(|(atlas, _)| atlas.meta().version.clone());
    if sources.len() < declaration.sources.len() {
        report.took(began);
        return Ok(report);
    }
    let (bytes, version) = build::put_together(sources)?;
    report.version = Some(version);
    if before
        .as_ref()
        .is_some_and(|(_, present)| *present == bytes)
    {
        report.outcome = Outcome::Unchanged;
    } else {
        let file = format!("{} (new)", arguments.output.display());
        let new = Atlas::from_bytes(&file, bytes.clone())?;
        // What the kernel has no room for would be refused by the daemon.
        drop(new.kernel_tables()?);
        let old = before.as_ref().map(|(atlas, _)| atlas);
        match guards.check(old, &new, today()) {
            Err(refusals) if !arguments.accept => {
                report.refusals = refusals;
                report.took(began);
                return Ok(report);
            }
            Err(refusals) => report.accepted = refusals,
            Ok(()) => {}
        }
        if let Some(old) = old {
            let diff = compare::diff(old, &new, today());
            report.moved = Some(diff.moved);
            report.crossed = Some(diff.total(Changed::Side));
        }
        write_whole(&arguments.output, &bytes)
            .with_context(|| format!("cannot write the atlas {}", arguments.output.display()))?;
        report.outcome = Outcome::Updated;
    }
    let good = report
        .sources
        .iter()
        .filter(|source| matches!(source.state, SourceState::Updated | SourceState::Unchanged));
    work.cache.promote(good.map(|source| source.id.as_str()))?;
    report.took(began);
    Ok(report)
}

/// The atlas that is there, and its bytes.
fn present(path: &Path, report: &mut Report) -> Option<(Atlas, Vec<u8>)> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) => {
            report.note = Some(format!(
                "{}: {error}: the new atlas is held against no older one",
                path.display()
            ));
            return None;
        }
    };
    match Atlas::from_bytes(&path.display().to_string(), bytes.clone()) {
        Ok(atlas) => Some((atlas, bytes)),
        Err(error) => {
            report.note = Some(format!(
                "{error}: the new atlas is held against no older one"
            ));
            None
        }
    }
}

/// What an update works with.
struct Work {
    cache: Cache,
    places: Places,
    patience: Patience,
}

/// What was taken of a source.
struct Taken {
    report: SourceReport,
    read: Option<Read>,
}

impl Work {
    /// Fetches and reads every source, as many at once as there are processors.
    fn take_all<'a>(
        &self,
        sources: &'a [DeclaredSource],
    ) -> Result<Vec<(&'a DeclaredSource, Taken)>> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let mut all = Vec::with_capacity(sources.len());
        for group in sources.chunks(threads.max(1)) {
            let taken: Vec<_> = std::thread::scope(|scope| {
                let running: Vec<_> = group
                    .iter()
                    .map(|source| scope.spawn(|| self.take(source)))
                    .collect();
                let joined = running.into_iter().map(|thread| {
                    thread
                        .join()
                        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
                });
                joined.collect()
            });
            for (source, taken) in group.iter().zip(taken) {
                all.push((source, taken?));
            }
        }
        Ok(all)
    }

    fn take(&self, source: &DeclaredSource) -> Result<Taken> {
        let began = Instant::now();
        let mut taken = match &source.origin {
            Origin::Url(url) => self.take_fetched(source, url)?,
            Origin::Path(_) | Origin::Package(_) => match build::read_one(source, &self.places) {
                Ok(read) => Taken {
                    report: SourceReport::of(source, &read),
                    read: Some(read),
                },
                Err(error) => missing(source, error.to_string()),
            },
        };
        taken.report.took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        Ok(taken)
    }

    fn take_fetched(&self, source: &DeclaredSource, url: &str) -> Result<Taken> {
        let staged = self
            .cache
            .stage(&source.id, url, source.max_bytes, self.patience)?;
        let (state, problem) = match staged {
            Staged::Failed(error) => return self.keep(source, url, &error.to_string()),
            Staged::Unchanged => (SourceState::Unchanged, "the cached file"),
            Staged::New(fetched) => {
                tracing::debug!("{}: {} bytes fetched", source.id, fetched.bytes);
                (SourceState::Updated, "what the server sent")
            }
        };
        match build::read_one(source, &self.places) {
            Ok(read) => {
                let mut report = SourceReport::of(source, &read);
                report.state = state;
                Ok(Taken {
                    report,
                    read: Some(read),
                })
            }
            Err(error) => self.keep(
                source,
                url,
                &format!("{url}: {problem} is no data: {error}"),
            ),
        }
    }

    /// Takes the last good data of a source whose new data is none.
    fn keep(&self, source: &DeclaredSource, url: &str, problem: &str) -> Result<Taken> {
        let Some(fetched) = self.cache.fall_back(&source.id, url)? else {
            let problem = format!("{problem}; there is no older data to keep");
            return Ok(missing(source, problem));
        };
        match build::read_one(source, &self.places) {
            Ok(read) => {
                let mut report = SourceReport::of(source, &read);
                report.state = SourceState::Kept;
                report.problem = Some(format!(
                    "{problem}; the data fetched at {fetched:.0} is kept"
                ));
                Ok(Taken {
                    report,
                    read: Some(read),
                })
            }
            Err(error) => Ok(missing(
                source,
                format!("{problem}; the kept data: {error}"),
            )),
        }
    }
}

fn missing(source: &DeclaredSource, problem: String) -> Taken {
    let mut report = SourceReport::without_data(source, SourceState::Missing);
    report.problem = Some(problem);
    Taken { report, read: None }
}
