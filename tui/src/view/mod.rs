//! The model on screen: a pure function that also answers what a click hits.

mod alerts;
mod ascii;
mod calls;
mod columns;
mod detail;
mod findings;
mod flows;
mod frame;
mod help;
mod jurisdictions;
mod regions;
mod sheet;
mod status;
mod table;
mod text;
mod theme;

use std::net::IpAddr;

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Position;
use ratatui::style::Style;

pub use regions::Regions;
pub use theme::Look;

use crate::layout::{self, Areas, LEAST_HEIGHT, LEAST_WIDTH};
use crate::model::row::{Judgement, endpoint};
use crate::model::{Model, Screen};

/// What stands in for an inside address while addresses are masked.
pub const MASK: &str = "(masked)";

/// Draws the model and answers what a click on each cell hits.
pub fn draw(model: &Model, look: Look, frame: &mut Frame<'_>) -> Regions {
    let area = frame.area();
    let size = (area.width, area.height);
    let areas = layout::areas(size, model.screen);
    let mut regions = Regions::default();
    let buffer = frame.buffer_mut();
    frame::header(model, areas.header, look, buffer, &mut regions);
    if layout::too_small(size) {
        let banner = format!(
            "needs {LEAST_WIDTH}x{LEAST_HEIGHT}, is {}x{}",
            size.0, size.1
        );
        let line = text::row(areas.header, 0);
        text::put(
            buffer,
            line,
            &" ".repeat(usize::from(line.width)),
            Style::new(),
        );
        text::put(buffer, line, &banner, look.doubt());
        regions.clear();
    }
    let caret = if model.detail.is_some() && model.filter.editing.is_none() {
        text::put(
            buffer,
            areas.bar,
            &format!(" {}", detail::trail(model)),
            look.strong(),
        );
        None
    } else {
        frame::bar(model, &areas, look, buffer)
    };
    body(model, &areas, look, buffer, &mut regions);
    if model.filter.error.is_some() {
        // The caret's line lies over the column titles.
        frame::bar(model, &areas, look, buffer);
    }
    frame::footer(model, areas.footer, look, buffer, &mut regions);
    if look.ascii {
        ascii::fold(buffer);
    }
    if let Some((x, y)) = caret {
        frame.set_cursor_position(Position::new(x, y));
    }
    regions
}

fn body(model: &Model, areas: &Areas, look: Look, buffer: &mut Buffer, regions: &mut Regions) {
    let (sheet, scroll) = if model.help {
        (help::sheet(model), model.help_scroll)
    } else if let Some(detail) = &model.detail {
        (detail::sheet(model, detail, look), detail.scroll)
    } else {
        match model.screen {
            Screen::Flows => return flows::draw(model, areas, look, buffer, regions),
            Screen::Jurisdictions => {
                return jurisdictions::draw(model, areas, look, buffer, regions);
            }
            Screen::Alerts => return alerts::draw(model, areas, look, buffer, regions),
            Screen::Calls => return calls::draw(model, areas, look, buffer, regions),
            Screen::Findings => return findings::draw(model, areas, look, buffer, regions),
            Screen::Status => (status::sheet(model, look), model.status_scroll),
        }
    };
    let hidden = sheet.draw(areas.sheet, scroll, look, buffer);
    let more = match (scroll > 0, hidden) {
        (_, 1..) => format!("{hidden} more rows ↓ "),
        (true, 0) => "end ".to_owned(),
        (false, 0) => return,
    };
    text::put_right(buffer, areas.bar, &more, look.strong());
}

/// Rows the open detail, or the status, takes in full.
#[must_use]
pub fn sheet_height(model: &Model) -> usize {
    let look = Look::default();
    match &model.detail {
        Some(detail) => detail::sheet(model, detail, look).height(model.size.0),
        None => status::sheet(model, look).height(model.size.0),
    }
}

/// Rows the help takes in full.
#[must_use]
pub fn help_height(model: &Model) -> usize {
    help::sheet(model).height(model.size.0)
}

/// An inside address, or the mask.
fn inside(model: &Model, address: IpAddr, port: u16) -> String {
    if model.masked {
        MASK.to_owned()
    } else {
        endpoint(address, port)
    }
}

/// Glyph and word of a verdict; in parentheses when it is only recorded.
fn verdict_text(judgement: &Judgement, look: Look) -> (String, Style) {
    let verdict = judgement.verdict;
    let (glyph, word) = (verdict.glyph(), verdict.word());
    let text = if judgement.enforced || verdict < crate::model::row::Verdict::Reject {
        format!("{glyph} {word}")
    } else {
        format!("{glyph} ({word})")
    };
    (text, look.verdict(verdict))
}
