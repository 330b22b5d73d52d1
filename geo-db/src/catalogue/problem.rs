//! What is wrong with a catalogue file, where, and what to do about it.

use std::fmt;
use std::ops::Range;

/// One thing wrong in one file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Name of the file as it was given to the loader.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}:{}: {} ({})",
            self.file, self.line, self.column, self.what, self.remedy
        )
    }
}

/// Everything wrong with a catalogue, in the order of files and lines.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", lines(problems))]
pub struct CatalogueError {
    /// At least one.
    pub problems: Vec<Problem>,
}

fn lines(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
    lines.join("\n")
}

/// One text of the catalogue, able to turn byte offsets into lines and columns.
pub(crate) struct SourceFile<'a> {
    pub(crate) name: &'a str,
    pub(crate) text: &'a str,
    line_starts: Vec<usize>,
}

impl<'a> SourceFile<'a> {
    pub(crate) fn new(name: &'a str, text: &'a str) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let line_starts = std::iter::once(0)
            .chain(breaks.map(|(offset, _)| offset + 1))
            .collect();
        Self {
            name,
            text,
            line_starts,
        }
    }

    /// Line and column (in characters), both from 1.
    pub(crate) fn position(&self, offset: usize) -> (usize, usize) {
        let offset = offset.min(self.text.len());
        let line = self.line_starts.partition_point(|start| *start <= offset);
        let start = self.line_starts.get(line - 1).copied().unwrap_or(0);
        let before = self.text.get(start..offset).unwrap_or_default();
        (line, before.chars().count() + 1)
    }
}

/// Collects problems of all files; positions are kept as (file, offset) until they are told.
pub(super) struct Problems<'a> {
    pub(super) files: &'a [SourceFile<'a>],
    found: Vec<Problem>,
}

/// A place in a file of the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) file: usize,
    pub(super) offset: usize,
}

impl Place {
    pub(super) fn at(file: usize, span: &Range<usize>) -> Self {
        Self {
            file,
            offset: span.start,
        }
    }
}

impl<'a> Problems<'a> {
    pub(super) fn new(files: &'a [SourceFile<'a>]) -> Self {
        Self {
            files,
            found: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, place: Place, what: String, remedy: impl Into<String>) {
        let Some(file) = self.files.get(place.file) else {
            return;
        };
        let (line, column) = file.position(place.offset);
        self.found.push(Problem {
            file: file.name.to_owned(),
            line,
            column,
            what,
            remedy: remedy.into(),
        });
    }

    /// `file:line` for "first defined at".
    pub(super) fn tell(&self, place: Place) -> String {
        self.files.get(place.file).map_or_else(String::new, |file| {
            format!("{}:{}", file.name, file.position(place.offset).0)
        })
    }

    pub(super) fn finish(mut self) -> Result<(), CatalogueError> {
        if self.found.is_empty() {
            return Ok(());
        }
        let order =
            |problem: &Problem| self.files.iter().position(|file| file.name == problem.file);
        self.found
            .sort_by_key(|problem| (order(problem), problem.line, problem.column));
        Err(CatalogueError {
            problems: self.found,
        })
    }
}

/// "did you mean ...?" when one of the known words is near, else what can be written.
pub(crate) fn did_you_mean<'w>(
    word: &str,
    known: impl IntoIterator<Item = &'w str>,
    otherwise: &str,
) -> String {
    let nearest = known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .min();
    match nearest {
        Some((distance, candidate)) if distance <= 1 + word.len() / 4 => {
            format!("did you mean \"{candidate}\"?")
        }
        _ => otherwise.to_owned(),
    }
}
