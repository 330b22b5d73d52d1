//! `octroi geo-db build`: from declared sources to an atlas file. The update builds by the same
//! steps.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use jiff::civil::Date;
use octroi_geo_db::Catalogue;
use octroi_geo_db::build::assemble;
use octroi_geo_db::guard::Guards;
use octroi_geo_db::source::SourceError;
use octroi_geo_db::source::declaration::{Declaration, DeclaredSource, Places};
use octroi_geo_db::source::statements::{Spoken, Statements};
use serde::{Deserialize, Serialize};

use super::arguments::BuildArguments;
use super::files::write_whole;
use crate::cli::table::{Table, bytes};

/// Warnings of one source that are told one by one.
const TOLD_WARNINGS: usize = 5;

/// Builds an atlas file.
pub(super) fn run(arguments: &BuildArguments) -> Result<ExitCode> {
    let began = Instant::now();
    let (declaration, _) = declared(&arguments.sources)?;
    let places = places(
        &arguments.sources,
        arguments.packages.as_deref(),
        &cache_directory(arguments.cache.as_deref(), &arguments.output),
    );
    let mut reports = Vec::new();
    let mut sources = Vec::new();
    for (source, read) in declaration
        .sources
        .iter()
        .zip(read_all(&declaration.sources, &places))
    {
        let read = read?;
        reports.push(SourceReport::of(source, &read));
        sources.push((source.clone(), read.statements));
    }
    let (file, version) = put_together(sources)?;
    write_whole(&arguments.output, &file)
        .with_context(|| format!("cannot write the atlas {}", arguments.output.display()))?;
    let done = Done {
        file: arguments.output.clone(),
        bytes: file.len() as u64,
        version,
        took_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        sources: reports,
    };
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&done)?);
    } else {
        print!("{}", render_sources(&done.sources));
        println!(
            "\n{}: version {}, {}, built in {:.1} s",
            done.file.display(),
            done.version,
            bytes(done.bytes),
            began.elapsed().as_secs_f64()
        );
    }
    Ok(ExitCode::SUCCESS)
}

#[derive(Debug, Serialize)]
struct Done {
    file: PathBuf,
    bytes: u64,
    version: String,
    took_ms: u64,
    sources: Vec<SourceReport>,
}

/// What was read of one source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SourceReport {
    /// Its id.
    pub(crate) id: String,
    /// The word of its kind.
    pub(crate) kind: String,
    /// What became of it.
    pub(crate) state: SourceState,
    /// Day of its data.
    pub(crate) date: Option<Date>,
    /// Rows that were read.
    pub(crate) rows: u64,
    /// What was left out and why.
    pub(crate) warnings: Vec<String>,
    /// Time it took to fetch and read, milliseconds.
    pub(crate) took_ms: u64,
    /// Where it comes from: address, or path.
    pub(crate) place: String,
    /// Why its new data was not taken, with the remedy.
    pub(crate) problem: Option<String>,
}

/// What became of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SourceState {
    /// A local file or package was read.
    Read,
    /// The server has nothing new.
    Unchanged,
    /// New data was fetched.
    Updated,
    /// New data was not to be had, or not to be used: the last good data was kept.
    Kept,
    /// There is no data at all.
    Missing,
}

impl SourceState {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Unchanged => "unchanged",
            Self::Updated => "updated",
            Self::Kept => "kept",
            Self::Missing => "missing",
        }
    }
}

impl SourceReport {
    pub(super) fn of(source: &DeclaredSource, read: &Read) -> Self {
        Self {
            date: read.statements.date,
            rows: rows(&read.statements),
            warnings: read.statements.warnings.clone(),
            took_ms: u64::try_from(read.took.as_millis()).unwrap_or(u64::MAX),
            ..Self::without_data(source, SourceState::Read)
        }
    }

    pub(super) fn without_data(source: &DeclaredSource, state: SourceState) -> Self {
        Self {
            id: source.id.clone(),
            kind: source.kind.name().to_owned(),
            state,
            date: None,
            rows: 0,
            warnings: Vec::new(),
            took_ms: 0,
            place: place(source),
            problem: None,
        }
    }
}

/// Where a source comes from, for people.
fn place(source: &DeclaredSource) -> String {
    use octroi_geo_db::source::declaration::Origin;
    match &source.origin {
        Origin::Path(path) => path.display().to_string(),
        Origin::Url(url) => url.clone(),
        Origin::Package(package) => format!(
            "{}:{} {}",
            package.registry.name(),
            package.name,
            package.version
        ),
    }
}

/// What a source said, and how long reading it took.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) statements: Statements,
    pub(super) took: Duration,
}

/// Reads a declaration: its sources, and its guards.
pub(super) fn declared(path: &Path) -> Result<(Declaration, Guards)> {
    let file = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the declaration of sources {file}"))?;
    let declaration = Declaration::parse(&file, &text)?;
    let ids: Vec<&str> = declaration
        .sources
        .iter()
        .map(|source| source.id.as_str())
        .collect();
    let guards = Guards::parse(&file, &text, &ids)?;
    Ok((declaration, guards))
}

/// The cache that is meant: as given, or `sources` beside the output.
pub(super) fn cache_directory(given: Option<&Path>, output: &Path) -> PathBuf {
    given.map_or_else(|| output.with_file_name("sources"), Path::to_owned)
}

pub(super) fn places(declaration: &Path, packages: Option<&Path>, cache: &Path) -> Places {
    let directory = match declaration.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    Places {
        packages: packages.map_or_else(|| directory.clone(), Path::to_owned),
        declaration: directory,
        cache: cache.to_owned(),
    }
}

/// Reads sources, as many at once as there are processors; in their order.
pub(super) fn read_all(
    sources: &[DeclaredSource],
    places: &Places,
) -> Vec<Result<Read, SourceError>> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut all = Vec::with_capacity(sources.len());
    for group in sources.chunks(threads.max(1)) {
        all.extend(std::thread::scope(|scope| {
            let running: Vec<_> = group
                .iter()
                .map(|source| scope.spawn(|| read_one(source, places)))
                .collect();
            let joined = running.into_iter().map(|thread| {
                thread
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            });
            joined.collect::<Vec<_>>()
        }));
    }
    all
}

/// Reads one source.
pub(super) fn read_one(source: &DeclaredSource, places: &Places) -> Result<Read, SourceError> {
    let began = Instant::now();
    let statements = source.read(places)?;
    Ok(Read {
        statements,
        took: began.elapsed(),
    })
}

/// The bytes of the atlas that sources make, and its version. The day of the atlas is that of its
/// newest data, never the clock's.
pub(super) fn put_together(
    sources: Vec<(DeclaredSource, Statements)>,
) -> Result<(Vec<u8>, String)> {
    let days = sources.iter().filter_map(|(_, statements)| statements.date);
    let newest = days.max().context(
        "no source says the day of its data: give at least one a `date` in the declaration",
    )?;
    let layers = assemble(sources, newest)?;
    let version = layers.meta.version.clone();
    let bytes = layers.to_bytes(Catalogue::embedded()?.as_ref())?;
    Ok((bytes, version))
}

fn rows(statements: &Statements) -> u64 {
    fn spoken<A>(spoken: &Spoken<A>) -> usize {
        spoken.locations.len()
            + spoken.registrations.len()
            + spoken.systems.len()
            + spoken.system_countries.len()
    }
    let all = spoken(&statements.v4)
        + spoken(&statements.v6)
        + statements.listed.len()
        + statements.services.len()
        + statements.overrides.len();
    all as u64
}

/// A row for each source, and below it what was left out of it.
pub(super) fn render_sources(sources: &[SourceReport]) -> String {
    let mut table = Table::new(&[
        "SOURCE",
        "KIND",
        "STATE",
        "DATE",
        "ROWS>",
        "WARNINGS>",
        "MS>",
    ]);
    for source in sources {
        table.row(vec![
            source.id.clone(),
            source.kind.clone(),
            source.state.name().to_owned(),
            source
                .date
                .map_or_else(|| "-".to_owned(), |date| date.to_string()),
            source.rows.to_string(),
            source.warnings.len().to_string(),
            source.took_ms.to_string(),
        ]);
    }
    let mut text = table.render();
    // Writing to a String cannot fail.
    for source in sources {
        if let Some(problem) = &source.problem {
            let _ = writeln!(text, "\n{}: {problem}", source.id);
        }
        for warning in source.warnings.iter().take(TOLD_WARNINGS) {
            let _ = write!(text, "\n{}: {warning}", source.id);
        }
        let more = source.warnings.len().saturating_sub(TOLD_WARNINGS);
        if more > 0 {
            let _ = write!(text, "\n{}: and {more} more (--json for all)", source.id);
        }
        if !source.warnings.is_empty() {
            text.push('\n');
        }
    }
    text
}
