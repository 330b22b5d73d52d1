//! The review of a catalogue that reads: what a lawyer should look at again, and what is wrong
//! although every entry is well formed.
//!
//! Faults of single files (syntax, fields, ids that lead nowhere, duplicates) never get here:
//! [`Catalogue::from_texts`] refuses them.

mod days;
mod iso;
mod shape;
mod table;

use std::fmt;

use jiff::civil::Date;
use serde::Serialize;

pub use self::table::{Counted, Review};
use super::Catalogue;

/// Facts that end within this many days are told.
pub const ENDS_SOON_DAYS: i32 = 90;
/// Facts that nobody checked for this many days are told.
pub const STALE_DAYS: i32 = 365;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The catalogue contradicts itself or the world's list of countries: it must be corrected.
    Error,
    /// Somebody should look.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

/// One thing that somebody should correct or look at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Kind of entry, as the files write it: `operator`, `law`...
    pub kind: &'static str,
    /// Id, code or host of the entry.
    pub id: String,
    /// File and line of the entry, when its text is known.
    pub place: Option<String>,
    /// What is so.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.severity)?;
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        write!(
            f,
            "{} \"{}\": {} ({})",
            self.kind, self.id, self.what, self.remedy
        )
    }
}

/// Where findings are put.
struct Findings<'t> {
    found: Vec<Finding>,
    today: Date,
    files: &'t [(&'t str, &'t str)],
}

impl Findings<'_> {
    fn add(
        &mut self,
        severity: Severity,
        kind: &'static str,
        id: &str,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.found.push(Finding {
            severity,
            kind,
            id: id.to_owned(),
            place: place_of(self.files, kind, id),
            what: what.into(),
            remedy: remedy.into(),
        });
    }
}

impl Catalogue {
    /// Reviews the catalogue as somebody would on a day.
    ///
    /// `files` are the texts it was read from (names as messages should show them), or none.
    /// `announced` says whether an autonomous system is in the routing data; without it systems
    /// are not checked.
    #[must_use]
    pub fn review(
        &self,
        today: Date,
        files: &[(&str, &str)],
        announced: Option<&dyn Fn(u32) -> bool>,
    ) -> Review {
        let mut findings = Findings {
            found: Vec::new(),
            today,
            files,
        };
        shape::check(self, &mut findings);
        days::check(self, &mut findings);
        if let Some(announced) = announced {
            shape::check_systems(self, announced, &mut findings);
        }
        Review::new(self, today, findings.found)
    }
}

/// `file:line` of an entry: the line of its id below a header of its kind.
fn place_of(files: &[(&str, &str)], kind: &str, id: &str) -> Option<String> {
    let header = format!("[[{kind}]]");
    let key = match kind {
        "country" => "code",
        "adequacy" => "country",
        "ip_logger" => "host",
        _ => "id",
    };
    let wanted = format!("{key} = \"{id}\"");
    files.iter().find_map(|(name, text)| {
        let mut inside = false;
        (1..).zip(text.lines()).find_map(|(number, line)| {
            if line.starts_with("[[") {
                inside = line.starts_with(&header);
            }
            (inside && line == wanted).then(|| format!("{name}:{number}"))
        })
    })
}
