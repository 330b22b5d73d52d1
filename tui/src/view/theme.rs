//! Colours carry signals only, and never alone: each has a glyph or a word beside it.

use ratatui::style::{Color, Modifier, Style};

use crate::model::row::Verdict;

/// How things are drawn on this terminal.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Look {
    /// Sixteen colours, or only bold, dim and reverse.
    pub color: bool,
    /// Only ASCII characters.
    pub ascii: bool,
}

impl Look {
    fn signal(self, color: Color) -> Style {
        if self.color {
            Style::new().fg(color)
        } else {
            Style::new()
        }
    }

    pub(crate) fn verdict(self, verdict: Verdict) -> Style {
        match verdict {
            Verdict::Allow => Style::new(),
            Verdict::Flag => self.signal(Color::Yellow),
            Verdict::Reject => self.signal(Color::Magenta).add_modifier(Modifier::BOLD),
            Verdict::Block => self.signal(Color::Red).add_modifier(Modifier::BOLD),
        }
    }

    pub(crate) fn good(self) -> Style {
        self.signal(Color::Green)
    }

    pub(crate) fn doubt(self) -> Style {
        self.signal(Color::Yellow)
    }

    pub(crate) fn bad(self) -> Style {
        self.signal(Color::Red).add_modifier(Modifier::BOLD)
    }

    /// A word that must be seen: reversed.
    pub(crate) fn badge(self) -> Style {
        self.signal(Color::Yellow)
            .add_modifier(Modifier::REVERSED | Modifier::BOLD)
    }

    /// A loss that must be seen.
    pub(crate) fn alarm(self) -> Style {
        self.signal(Color::Red)
            .add_modifier(Modifier::REVERSED | Modifier::BOLD)
    }

    #[expect(
        clippy::unused_self,
        reason = "all styles come from the look, as methods"
    )]
    pub(crate) fn quiet(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    #[expect(
        clippy::unused_self,
        reason = "all styles come from the look, as methods"
    )]
    pub(crate) fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    #[expect(
        clippy::unused_self,
        reason = "all styles come from the look, as methods"
    )]
    pub(crate) fn cursor(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    pub(crate) fn bar(self) -> Style {
        self.signal(Color::Cyan)
    }
}
