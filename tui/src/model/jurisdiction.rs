//! What is known of a destination and what was decided about it, in the words shown.

use serde::Serialize;

/// A verdict, ordered by strictness.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Pass.
    #[default]
    Allow,
    /// Pass, and alert.
    Flag,
    /// Drop, and tell the sender.
    Reject,
    /// Drop in silence.
    Block,
}

impl Verdict {
    /// Every verdict, from the mildest.
    pub const ALL: [Self; 4] = [Self::Allow, Self::Flag, Self::Reject, Self::Block];

    /// The word shown, upper case.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Allow => "ALLOW",
            Self::Flag => "FLAG",
            Self::Reject => "REJECT",
            Self::Block => "BLOCK",
        }
    }

    /// The sign before the word: a verdict reads without colour.
    #[must_use]
    pub const fn glyph(self) -> &'static str {
        match self {
            Self::Allow => "·",
            Self::Flag => "!",
            Self::Reject => "←",
            Self::Block => "✗",
        }
    }
}

/// What was decided, and by which rule.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// `false` in monitor mode: decided, not enforced.
    pub enforced: bool,
    /// Name of the rule.
    pub rule: String,
    /// A shadow rule that would have decided otherwise, and how.
    pub shadow: Option<String>,
}

/// How sure the hosting country is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// The sources that speak agree.
    Located,
    /// Sources disagree.
    Contested,
    /// Announced from many places.
    Anycast,
    /// No source speaks.
    #[default]
    Unknown,
}

/// How far a foreign law reaches the operator.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// No extraterritorial law is known to reach it.
    NoneKnown,
    /// Nobody can say who the operator is.
    #[default]
    Unknown,
    /// A subsidiary, listing or data centre under such a law.
    Presence,
    /// Headquarters or parent under such a law.
    Controlled,
}

/// The three axes of a destination, as short text.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Jurisdiction {
    /// Country in which the destination stands (ISO 3166-1 alpha-2).
    pub host: Option<String>,
    /// How sure that is.
    pub confidence: Confidence,
    /// Country whose law reaches the operator.
    pub control: Option<String>,
    /// How far it reaches.
    pub reach: Reach,
    /// Rests on the country of the announcing AS only.
    pub presumed: bool,
    /// The two axes in one phrase of the catalogue: "hosted in France under non-EU control".
    pub class: String,
    /// Name of the operator.
    pub operator: Option<String>,
    /// Ids of the laws.
    pub laws: Vec<String>,
    /// Qualifications of the service.
    pub qualifications: Vec<String>,
    /// Autonomous system that announces the destination.
    pub asn: Option<u32>,
}

impl Jurisdiction {
    /// The hosting axis in at most seven columns: `FR`, `FR?` (contested), `anycast`, `unknown`.
    #[must_use]
    pub fn host_text(&self) -> String {
        match (self.confidence, &self.host) {
            (Confidence::Anycast, _) => "anycast".to_owned(),
            (Confidence::Contested, Some(country)) => format!("{country}?"),
            (Confidence::Located, Some(country)) => country.clone(),
            _ => "unknown".to_owned(),
        }
    }

    /// The control axis in at most ten columns: `US law` (controlled), `US link` (presence), with
    /// `?` when presumed, `none (FR)` (no extraterritorial law known, parent in France),
    /// `unknown`.
    #[must_use]
    pub fn control_text(&self) -> String {
        let sure = if self.presumed { "?" } else { "" };
        match (self.reach, &self.control) {
            (Reach::Controlled, Some(country)) => format!("{country} law{sure}"),
            (Reach::Presence, Some(country)) => format!("{country} link{sure}"),
            (Reach::Controlled, None) => "foreign law".to_owned(),
            (Reach::Presence, None) => "foreign link".to_owned(),
            (Reach::NoneKnown, Some(country)) => format!("none{sure} ({country})"),
            (Reach::NoneKnown, None) => "none known".to_owned(),
            (Reach::Unknown, _) => "unknown".to_owned(),
        }
    }
}
