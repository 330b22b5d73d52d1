//! Why a new atlas is refused: which guard, which source, what was found, what is allowed, what to
//! do.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Guard {
    /// A source has fewer ranges than it must have.
    Size,
    /// A source lost too many of its ranges.
    Shrink,
    /// Too little is known of a family.
    Coverage,
    /// Too much space changed its standing at once.
    Reclassified,
    /// A well-known address is not what it must be.
    Sentinel,
    /// The data is too old.
    Age,
    /// A source is older than what is in force.
    Backwards,
}

impl Guard {
    /// The word used in messages and events.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Size => "size",
            Self::Shrink => "shrink",
            Self::Coverage => "coverage",
            Self::Reclassified => "reclassified",
            Self::Sentinel => "sentinel",
            Self::Age => "age",
            Self::Backwards => "backwards",
        }
    }
}

/// One reason against a new atlas.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// What looked.
    pub guard: Guard,
    /// The source it is about, when it is about one.
    pub source: Option<String>,
    /// What was found, with number and unit.
    pub found: String,
    /// What is allowed, with number and unit.
    pub allowed: String,
    /// What to do.
    pub remedy: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "guard {}: ", self.guard.name())?;
        if let Some(source) = &self.source {
            write!(f, "source {source}: ")?;
        }
        write!(
            f,
            "{}, allowed is: {} ({})",
            self.found, self.allowed, self.remedy
        )
    }
}
