//! Diagnostics: what is wrong with a policy, where, and what to do about it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Most diagnostics that are told; a file that is not a policy at all would have thousands. One
/// more says that there are others.
pub const MAX_DIAGNOSTICS: usize = 200;

/// One finding about a policy file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// Name of the file as the caller gave it.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong, with the object it is wrong about.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            line,
            column,
            what,
            remedy,
        } = self;
        write!(f, "{file}:{line}:{column}: {what}")?;
        if remedy.is_empty() {
            Ok(())
        } else {
            write!(f, " ({remedy})")
        }
    }
}

/// All findings about a policy file, in the order of the file. One line each when displayed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostics(pub Vec<Diagnostic>);

impl Diagnostics {
    /// Whether nothing was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The findings, in the order of the file.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.0.iter()
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{diagnostic}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

/// Bytes from the start of the file to the first byte of what is meant.
pub(crate) type Offset = usize;

/// Collects findings about one file; turns byte offsets into lines and columns.
#[derive(Debug)]
pub(crate) struct Reporter<'t> {
    file: &'t str,
    text: &'t str,
    line_starts: Vec<usize>,
    errors: Vec<(Offset, Diagnostic)>,
    warnings: Vec<(Offset, Diagnostic)>,
}

impl<'t> Reporter<'t> {
    pub(crate) fn new(text: &'t str, file: &'t str) -> Self {
        let mut line_starts = vec![0];
        line_starts.extend(text.match_indices('\n').map(|(at, _)| at + 1));
        Self {
            file,
            text,
            line_starts,
            errors: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Line (from 1) and column (in characters, from 1) of a byte.
    pub(crate) fn position(&self, offset: Offset) -> (usize, usize) {
        let offset = offset.min(self.text.len());
        let line = self.line_starts.partition_point(|&start| start <= offset);
        let start = self.line_starts.get(line.wrapping_sub(1)).copied();
        let start = start.unwrap_or(0);
        let before = self.text.get(start..offset).unwrap_or("");
        (line.max(1), before.chars().count() + 1)
    }

    fn diagnostic(&self, offset: Offset, what: String, remedy: String) -> Diagnostic {
        let (line, column) = self.position(offset);
        Diagnostic {
            file: self.file.to_owned(),
            line,
            column,
            what: cut(what),
            remedy: cut(remedy),
        }
    }

    /// Whether no more errors are taken: looking for them is a waste.
    pub(crate) fn is_full(&self) -> bool {
        self.errors.len() > MAX_DIAGNOSTICS
    }

    pub(crate) fn error(
        &mut self,
        offset: Offset,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        match self.errors.len() {
            ..MAX_DIAGNOSTICS => {
                let found = self.diagnostic(offset, what.into(), remedy.into());
                self.errors.push((offset, found));
            }
            MAX_DIAGNOSTICS => {
                let what = "there are more errors than are told here".to_owned();
                let found = self.diagnostic(offset, what, "correct the others first".to_owned());
                self.errors.push((usize::MAX, found));
            }
            _ => {}
        }
    }

    pub(crate) fn warning(
        &mut self,
        offset: Offset,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        if self.warnings.len() < MAX_DIAGNOSTICS {
            let found = self.diagnostic(offset, what.into(), remedy.into());
            self.warnings.push((offset, found));
        }
    }

    pub(crate) fn has_errors(&self) -> bool {
        !self.errors.is_empty()
    }

    /// Errors, then warnings, each in the order of the file.
    pub(crate) fn finish(self) -> (Diagnostics, Diagnostics) {
        (in_order(self.errors), in_order(self.warnings))
    }
}

/// A message quotes the file, and the file can be one long word.
fn cut(mut text: String) -> String {
    const LONGEST: usize = 400;
    if let Some((end, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(end);
        text.push_str("...");
    }
    text
}

fn in_order(mut found: Vec<(Offset, Diagnostic)>) -> Diagnostics {
    found.sort_by_key(|(offset, _)| *offset);
    Diagnostics(
        found
            .into_iter()
            .map(|(_, diagnostic)| diagnostic)
            .collect(),
    )
}

/// The remedy for a word that is not known: the nearest known one, or all of them when few.
pub(crate) fn did_you_mean<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> String {
    const LISTED: usize = 14;
    const LONGEST: usize = 100;
    let known: Vec<&str> = known.collect();
    if word.len() > LONGEST {
        return "no known word is that long".to_owned();
    }
    let lower = word.to_lowercase();
    let nearest = known
        .iter()
        .map(|&candidate| {
            (
                strsim::osa_distance(&lower, &candidate.to_lowercase()),
                candidate,
            )
        })
        .min_by_key(|&(distance, _)| distance);
    match nearest {
        Some((distance, candidate)) if distance <= 1 + word.chars().count() / 4 => {
            format!("did you mean \"{candidate}\"?")
        }
        _ if known.is_empty() => "there is none to name".to_owned(),
        _ if known.len() <= LISTED => format!("known: {}", known.join(", ")),
        _ => {
            let mut near: Vec<_> = known
                .iter()
                .map(|&candidate| {
                    let likeness = strsim::jaro_winkler(&lower, &candidate.to_lowercase());
                    (likeness, candidate)
                })
                .filter(|&(likeness, _)| likeness > 0.72)
                .collect();
            near.sort_by(|a, b| b.0.total_cmp(&a.0));
            near.truncate(4);
            if near.is_empty() {
                "see the catalogue for what can be named".to_owned()
            } else {
                let names: Vec<_> = near.iter().map(|&(_, name)| name).collect();
                format!("the nearest known are: {}", names.join(", "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_characters_not_bytes() {
        let reporter = Reporter::new("a\néè = 1\n", "x.toml");
        assert_eq!(reporter.position(0), (1, 1));
        assert_eq!(reporter.position(2), (2, 1));
        assert_eq!(reporter.position(6), (2, 3));
        assert_eq!(reporter.position(999), (3, 1));
    }

    #[test]
    fn remedies_name_the_nearest_word() {
        let known = ["cabinet", "guests"];
        assert_eq!(
            did_you_mean("cabinett", known.into_iter()),
            "did you mean \"cabinet\"?"
        );
        assert_eq!(
            did_you_mean("zzz", known.into_iter()),
            "known: cabinet, guests"
        );
    }

    #[test]
    fn display_is_file_line_column_what_remedy() {
        let mut reporter = Reporter::new("\n  x", "p.toml");
        reporter.error(3, "zone \"x\" is not defined", "define it");
        let (errors, _) = reporter.finish();
        assert_eq!(
            errors.to_string(),
            "p.toml:2:3: zone \"x\" is not defined (define it)"
        );
    }
}
