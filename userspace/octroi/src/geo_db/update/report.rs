//! What an update did: for people, for the daemon, and as an exit status.

use std::fmt::Write as _;
use std::time::Instant;

use octroi_geo_db::compare::Space;
use octroi_geo_db::guard::Refusal;
use serde::{Deserialize, Serialize};

use crate::geo_db::build::{SourceReport, SourceState, render_sources};

/// What became of the atlas file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// It was replaced.
    Updated,
    /// The sources make the atlas that is there.
    Unchanged,
    /// It was kept: a guard, or a source without any data, speaks against the new one.
    #[default]
    Refused,
}

/// What an update did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Report {
    /// What became of the atlas file.
    pub(crate) outcome: Outcome,
    /// Version that the sources make, when they make one.
    pub(crate) version: Option<String>,
    /// Version that was there.
    pub(crate) previous: Option<String>,
    /// What became of each source.
    pub(crate) sources: Vec<SourceReport>,
    /// What the guards have against it.
    pub(crate) refusals: Vec<Refusal>,
    /// The same, when the administrator accepted it.
    pub(crate) accepted: Vec<Refusal>,
    /// What else should be known.
    pub(crate) note: Option<String>,
    /// Space that moved.
    pub(crate) moved: Option<Space>,
    /// Space that moved across the border that law draws.
    pub(crate) crossed: Option<Space>,
    /// Time it took, milliseconds.
    pub(crate) took_ms: u64,
}

impl Report {
    pub(super) fn took(&mut self, began: Instant) {
        self.took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    }

    /// The sources whose new data was not taken.
    pub(crate) fn failed(&self) -> impl Iterator<Item = &SourceReport> {
        self.sources
            .iter()
            .filter(|source| matches!(source.state, SourceState::Kept | SourceState::Missing))
    }

    /// The sources that sent new data.
    pub(crate) fn updated(&self) -> impl Iterator<Item = &SourceReport> {
        let new = |source: &&SourceReport| source.state == SourceState::Updated;
        self.sources.iter().filter(new)
    }

    /// The exit status of the command; see its help.
    pub(crate) fn exit_status(&self) -> u8 {
        match self.outcome {
            Outcome::Refused => 4,
            _ if self.failed().next().is_some() => 5,
            Outcome::Unchanged => 3,
            Outcome::Updated => 0,
        }
    }

    /// What became of the atlas, in one sentence.
    pub(crate) fn summary(&self) -> String {
        let version = self.version.as_deref().unwrap_or("of no version");
        match (self.outcome, &self.previous) {
            (Outcome::Updated, Some(previous)) => {
                format!("atlas {version} replaces {previous}")
            }
            (Outcome::Updated, None) => format!("atlas {version} is written"),
            (Outcome::Unchanged, _) => format!("atlas {version} is up to date"),
            (Outcome::Refused, Some(previous)) => {
                format!("the new atlas was refused, {previous} stays")
            }
            (Outcome::Refused, None) => "the new atlas was refused; there was none".to_owned(),
        }
    }

    /// Everything, for people.
    pub(super) fn render(&self) -> String {
        let mut text = render_sources(&self.sources);
        // Writing to a String cannot fail.
        for refusal in &self.refusals {
            let _ = writeln!(text, "\n{refusal}");
        }
        for refusal in &self.accepted {
            let _ = writeln!(text, "\naccepted: {refusal}");
        }
        if let Some(note) = &self.note {
            let _ = writeln!(text, "\n{note}");
        }
        let _ = writeln!(text, "\n{}", self.summary());
        if let (Some(moved), Some(crossed)) = (self.moved, self.crossed) {
            let _ = writeln!(
                text,
                "moved: {} IPv4 addresses and {} IPv6 /64 networks; across the border of law: {} \
                 and {}",
                moved.v4_addresses,
                moved.v6_networks_64,
                crossed.v4_addresses,
                crossed.v6_networks_64
            );
        }
        text
    }
}
