//! What a click hits: rebuilt with every frame.

use ratatui::layout::{Position, Rect};

use crate::message::Target;

/// The places of a frame that answer to a click.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Regions {
    places: Vec<(Rect, Target)>,
}

impl Regions {
    pub(crate) fn add(&mut self, place: Rect, target: Target) {
        if !place.is_empty() {
            self.places.push((place, target));
        }
    }

    /// What lies at a cell; of two things the one drawn last.
    #[must_use]
    pub fn at(&self, column: u16, row: u16) -> Option<&Target> {
        let position = Position::new(column, row);
        self.places
            .iter()
            .rev()
            .find(|(place, _)| place.contains(position))
            .map(|(_, target)| target)
    }

    pub(crate) fn clear(&mut self) {
        self.places.clear();
    }
}
