//! Sections of labelled facts, wrapped to the width, in one column or two: the detail, the
//! status and the help are such sheets.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::table::draw_rule;
use super::text::{after, clean, put, row};
use super::theme::Look;

/// Width from which sections stand side by side.
const TWO_COLUMNS: u16 = 120;
/// Columns between the two.
const GUTTER: u16 = 2;

/// Words of one style.
pub(crate) type Span = (String, Style);

/// A label and what is said of it.
#[derive(Clone, Debug)]
pub(crate) struct Fact {
    label: String,
    label_style: Style,
    spans: Vec<Span>,
}

impl Fact {
    pub(crate) fn new(label: impl Into<String>, text: impl Into<String>) -> Self {
        Self::styled(label, text, Style::new())
    }

    pub(crate) fn styled(label: impl Into<String>, text: impl Into<String>, style: Style) -> Self {
        Self {
            label: label.into(),
            label_style: Style::new().add_modifier(ratatui::style::Modifier::DIM),
            spans: vec![(text.into(), style)],
        }
    }

    /// More text, in another style.
    pub(crate) fn and(mut self, text: impl Into<String>, style: Style) -> Self {
        self.spans.push((text.into(), style));
        self
    }

    /// Another style for the label.
    pub(crate) fn label_style(mut self, style: Style) -> Self {
        self.label_style = style;
        self
    }
}

/// A titled group of facts.
#[derive(Clone, Debug)]
pub(crate) struct Section {
    pub(crate) title: String,
    pub(crate) label_width: u16,
    pub(crate) facts: Vec<Fact>,
}

impl Section {
    pub(crate) fn new(title: impl Into<String>, label_width: u16, facts: Vec<Fact>) -> Self {
        Self {
            title: title.into(),
            label_width,
            facts,
        }
    }
}

/// Sections on the left and on the right; one under the other when the terminal is narrow.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sheet {
    pub(crate) left: Vec<Section>,
    pub(crate) right: Vec<Section>,
}

/// One row of a sheet, laid out.
enum Row {
    Blank,
    Title(String),
    Text {
        label: Option<Span>,
        indent: u16,
        spans: Vec<Span>,
    },
}

impl Sheet {
    /// Rows the whole sheet takes at a width.
    pub(crate) fn height(&self, width: u16) -> usize {
        self.lay(width)
            .iter()
            .map(|(_, _, rows)| rows.len())
            .max()
            .unwrap_or(0)
    }

    /// Draws from row `scroll` on. Answers how many rows are hidden below.
    pub(crate) fn draw(&self, area: Rect, scroll: usize, look: Look, buffer: &mut Buffer) -> usize {
        self.draw_rows(area, scroll, look, buffer);
        self.height(area.width)
            .saturating_sub(scroll + usize::from(area.height))
    }

    /// Draws the first rows; the rest is elsewhere.
    pub(crate) fn draw_cut(&self, area: Rect, look: Look, buffer: &mut Buffer) {
        self.draw_rows(area, 0, look, buffer);
    }

    fn draw_rows(&self, area: Rect, scroll: usize, look: Look, buffer: &mut Buffer) {
        for (x, width, rows) in self.lay(area.width) {
            let column = Rect {
                x: area.x + x,
                width,
                ..area
            };
            for (index, line) in rows.iter().skip(scroll).enumerate() {
                let Ok(index) = u16::try_from(index) else {
                    break;
                };
                let place = row(column, index);
                if place.is_empty() {
                    break;
                }
                line.draw(place, look, buffer);
            }
        }
    }

    /// Columns of the sheet: offset, width, rows.
    fn lay(&self, width: u16) -> Vec<(u16, u16, Vec<Row>)> {
        if width < TWO_COLUMNS || self.right.is_empty() {
            let mut rows = lay_sections(&self.left, width);
            rows.extend(lay_sections(&self.right, width));
            vec![(0, width, rows)]
        } else {
            let left = (width - GUTTER) / 2;
            let right = width - GUTTER - left;
            vec![
                (0, left, lay_sections(&self.left, left)),
                (left + GUTTER, right, lay_sections(&self.right, right)),
            ]
        }
    }
}

impl Row {
    fn draw(&self, place: Rect, look: Look, buffer: &mut Buffer) {
        match self {
            Self::Blank => {}
            Self::Title(title) => draw_rule(title, place, look, buffer),
            Self::Text {
                label,
                indent,
                spans,
            } => {
                if let Some((text, style)) = label {
                    put(buffer, after(place, 1), text, *style);
                }
                let mut rest = after(place, *indent);
                for (text, style) in spans {
                    let used = put(buffer, rest, text, *style);
                    rest = after(rest, used);
                }
            }
        }
    }
}

fn lay_sections(sections: &[Section], width: u16) -> Vec<Row> {
    let mut rows = Vec::new();
    for section in sections {
        if !section.title.is_empty() {
            rows.push(Row::Title(section.title.clone()));
        }
        let label_width = section.label_width.min(width / 2);
        let indent = if label_width == 0 { 1 } else { label_width + 2 };
        for fact in &section.facts {
            let room = usize::from(width.saturating_sub(indent)).max(1);
            let mut label = Some(fact.label.clone());
            for spans in wrap(&fact.spans, room) {
                let label = label.take().map(|text| {
                    let text =
                        super::text::cut(&clean(&text), usize::from(label_width)).into_owned();
                    (text, fact.label_style)
                });
                rows.push(Row::Text {
                    label,
                    indent,
                    spans,
                });
            }
        }
        rows.push(Row::Blank);
    }
    rows
}

/// Breaks words into rows of at most `room` characters; a longer word is broken where it must.
fn wrap(spans: &[Span], room: usize) -> Vec<Vec<Span>> {
    let mut rows: Vec<Vec<Span>> = vec![Vec::new()];
    let mut used = 0;
    for (text, style) in spans {
        let text = clean(text);
        for word in text.split_inclusive(' ') {
            let bare = word.trim_end_matches(' ').chars().count();
            if used > 0 && used + bare > room {
                rows.push(Vec::new());
                used = 0;
            }
            let mut characters = word.chars();
            loop {
                let piece: String = characters.by_ref().take(room - used.min(room)).collect();
                if piece.is_empty() {
                    if characters.as_str().trim_end().is_empty() {
                        break;
                    }
                    rows.push(Vec::new());
                    used = 0;
                    continue;
                }
                used += piece.chars().count();
                if let Some(last) = rows.last_mut() {
                    last.push((piece, *style));
                }
            }
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrapped(text: &str, room: usize) -> Vec<String> {
        wrap(&[(text.to_owned(), Style::new())], room)
            .into_iter()
            .map(|row| row.into_iter().map(|span| span.0).collect::<String>())
            .map(|row| row.trim_end().to_owned())
            .collect()
    }

    #[test]
    fn words_wrap_and_long_ones_break() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("abcdefgh", 3), ["abc", "def", "gh"]);
        assert_eq!(wrapped("a bcdefgh", 3), ["a", "bcd", "efg", "h"]);
        assert_eq!(wrapped("", 5), [""]);
        assert_eq!(wrapped("x", 1), ["x"]);
    }

    #[test]
    fn no_row_is_wider_than_the_room() {
        for room in 1..30 {
            for row in wrapped(
                "the CLOUD Act reaches what the operator holds, wherever",
                room,
            ) {
                assert!(row.chars().count() <= room, "{room}: {row}");
            }
        }
    }
}
