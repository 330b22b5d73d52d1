//! Where things stand on the screen: a pure function of its size.

use ratatui::layout::Rect;

use crate::model::Screen;

/// The least size at which the whole dashboard is drawn, in columns.
pub const LEAST_WIDTH: u16 = 80;
/// The least size at which the whole dashboard is drawn, in rows.
pub const LEAST_HEIGHT: u16 = 24;

/// The parts of one screen, top to bottom. Parts without room are empty.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Areas {
    /// Tabs and the state of the gateway.
    pub header: Rect,
    /// Filter and counts, or the trail of a detail.
    pub bar: Rect,
    /// Column titles.
    pub titles: Rect,
    /// Rows of the list.
    pub rows: Rect,
    /// What is told of the row under the cursor.
    pub pane: Rect,
    /// Everything between the bar and the footer, for screens without a list.
    pub sheet: Rect,
    /// Keys.
    pub footer: Rect,
}

/// Whether the terminal is below the least size.
#[must_use]
pub const fn too_small(size: (u16, u16)) -> bool {
    size.0 < LEAST_WIDTH || size.1 < LEAST_HEIGHT
}

/// Rows of the pane under a list.
const fn pane_height(screen: Screen, height: u16) -> u16 {
    match screen {
        Screen::Flows if height < 30 => 1,
        Screen::Flows => 7,
        Screen::Jurisdictions if height < 30 => 9,
        Screen::Jurisdictions => 14,
        Screen::Alerts | Screen::Calls | Screen::Findings if height < 30 => 7,
        Screen::Alerts | Screen::Calls | Screen::Findings => 11,
        Screen::Status => 0,
    }
}

/// The parts of a screen on a terminal of `size` columns and rows.
#[must_use]
pub fn areas(size: (u16, u16), screen: Screen) -> Areas {
    let (width, height) = size;
    let line = |y: u16, rows: u16| {
        if y >= height {
            Rect::default()
        } else {
            Rect::new(0, y, width, rows.min(height - y))
        }
    };
    let footer_height = u16::from(height >= 3);
    let body = height.saturating_sub(2 + footer_height);
    let pane = if too_small(size) {
        0
    } else {
        pane_height(screen, height)
    };
    let titles = u16::from(body >= 2);
    let rows = body.saturating_sub(titles + pane);
    Areas {
        header: line(0, 1),
        bar: line(1, 1),
        titles: line(2, titles),
        rows: line(2 + titles, rows),
        pane: line(2 + titles + rows, pane),
        sheet: line(2, body),
        footer: line(height.saturating_sub(1), footer_height),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_the_screen_once_at_every_size() {
        for screen in Screen::ALL {
            for width in [1, 20, 80, 120, 300] {
                for height in 1..120 {
                    let areas = areas((width, height), screen);
                    let parts = [
                        areas.header,
                        areas.bar,
                        areas.titles,
                        areas.rows,
                        areas.pane,
                        areas.footer,
                    ];
                    let sum: u16 = parts.iter().map(|part| part.height).sum();
                    assert_eq!(sum, height, "{screen:?} {width}x{height}");
                    for pair in parts.windows(2) {
                        assert!(pair[1].is_empty() || pair[0].bottom() <= pair[1].y);
                    }
                }
            }
        }
    }
}
