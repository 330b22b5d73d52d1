//! One list on screen: titles, rows, cursor, and what a click on each hits.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::columns::{Column, solve};
use super::regions::Regions;
use super::text::{after, put, put_right, row};
use super::theme::Look;
use crate::layout::Areas;
use crate::message::Target;
use crate::model::list::{List, Row};

/// Columns before the first one: the cursor's sign and a gap.
const MARGIN: u16 = 2;

/// One cell: text and its style.
pub(crate) type Cell = (String, Style);

/// Draws a list. `cell` makes the text of a column of a row.
pub(crate) fn draw<R: Row>(
    list: &List<R>,
    columns: &[Column],
    areas: &Areas,
    look: Look,
    buffer: &mut Buffer,
    regions: &mut Regions,
    cell: impl Fn(&R, usize, u16) -> Cell,
) {
    let width = areas.rows.width.max(areas.titles.width);
    let solved = solve(columns, width.saturating_sub(MARGIN));
    draw_titles(list, columns, &solved, areas.titles, look, buffer, regions);
    let cursor = list.selected_id();
    for (index, item) in list.iter().skip(list.top()).enumerate() {
        let Ok(index) = u16::try_from(index) else {
            break;
        };
        let line = row(areas.rows, index);
        if line.is_empty() {
            break;
        }
        let under_cursor = cursor == Some(item.id());
        if under_cursor {
            put(buffer, line, "▸", look.strong());
        } else if list.is_ghost(item.id()) {
            put(buffer, line, "✗", look.quiet());
        }
        let mut rest = after(line, MARGIN);
        for &(column, width) in &solved {
            let width = width.min(rest.width);
            let place = Rect { width, ..rest };
            let (text, style) = cell(item, column, width);
            if columns[column].right {
                put_right(buffer, place, &text, style);
            } else {
                put(buffer, place, &text, style);
            }
            rest = after(rest, width + 1);
        }
        if under_cursor {
            buffer.set_style(line, look.cursor());
        }
        if list.is_ghost(item.id()) {
            buffer.set_style(line, look.quiet());
        }
        regions.add(line, Target::Row(item.id().clone()));
    }
}

fn draw_titles<R: Row>(
    list: &List<R>,
    columns: &[Column],
    solved: &[(usize, u16)],
    area: Rect,
    look: Look,
    buffer: &mut Buffer,
    regions: &mut Regions,
) {
    let sort = list.sort();
    let mut rest = after(row(area, 0), MARGIN);
    for &(column, width) in solved {
        let width = width.min(rest.width);
        let place = Rect { width, ..rest };
        let Column { title, right, .. } = columns[column];
        let sorted = columns[column].sort == Some(sort.column);
        let sign = match (sorted, sort.descending) {
            (false, _) => "",
            (true, true) => "▼",
            (true, false) => "▲",
        };
        let text = format!("{title}{sign}");
        let style = if sorted { look.strong() } else { look.quiet() };
        if right {
            put_right(buffer, place, &text, style);
        } else {
            put(buffer, place, &text, style);
        }
        if let Some(sort) = columns[column].sort {
            regions.add(place, Target::Sort(sort));
        }
        rest = after(rest, width + 1);
    }
}

/// A sentence where rows would be.
pub(crate) fn draw_empty(text: &str, area: Rect, look: Look, buffer: &mut Buffer) {
    let middle = row(area, (area.height / 2).min(area.height.saturating_sub(1)));
    let shift = middle.width.saturating_sub(super::text::columns(text)) / 2;
    put(buffer, after(middle, shift), text, look.quiet());
}

/// A line across the screen with a title in it.
pub(crate) fn draw_rule(title: &str, line: Rect, look: Look, buffer: &mut Buffer) {
    put(
        buffer,
        line,
        &"─".repeat(usize::from(line.width)),
        look.quiet(),
    );
    if !title.is_empty() {
        let inner = Rect {
            width: line.width.saturating_sub(6),
            ..after(line, 2)
        };
        let used = put(buffer, inner, &format!(" {title}"), look.strong());
        put(
            buffer,
            after(line, 2 + used).intersection(line),
            " ",
            Style::new(),
        );
    }
}
