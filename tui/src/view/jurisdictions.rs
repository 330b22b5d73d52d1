//! Second screen: bytes by (control, hosting), verdicts, and who operates the row under the
//! cursor.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::columns::Column;
use super::flows::{control, host, nothing};
use super::regions::Regions;
use super::sheet::{Fact, Section, Sheet};
use super::table::{self, draw_empty, draw_rule};
use super::text::{after, bytes, columns, number, rate, row};
use super::theme::Look;
use crate::layout::Areas;
use crate::model::Model;
use crate::model::row::{FlowRow, JurisdictionRow, Verdict};

const COLUMNS: [Column; 11] = [
    Column::text("CONTROL", 10, 0).sorting(1),
    Column::text("HOST", 8, 0).sorting(2),
    Column::text("SHARE OF BYTES", 16, 0).growing(1).sorting(0),
    Column::count("UP", 8, 5),
    Column::count("DOWN", 8, 6),
    Column::count("RATE", 9, 7),
    Column::count("FLOWS", 6, 4).sorting(3),
    Column::count("ALLOW", 5, 3),
    Column::count("FLAG", 5, 2),
    Column::count("REJECT", 6, 1),
    Column::count("BLOCK", 5, 1).sorting(4),
];

/// Draws the list and the pane.
pub(crate) fn draw(
    model: &Model,
    areas: &Areas,
    look: Look,
    buffer: &mut Buffer,
    regions: &mut Regions,
) {
    let total: u64 = model
        .jurisdictions
        .iter()
        .map(JurisdictionRow::bytes)
        .fold(0, u64::saturating_add);
    table::draw(
        &model.jurisdictions,
        &COLUMNS,
        areas,
        look,
        buffer,
        regions,
        |item, column, width| cell(item, column, width, total, look),
    );
    if model.jurisdictions.is_empty() {
        draw_empty(nothing(model, "jurisdiction"), areas.rows, look, buffer);
    }
    if let Some(item) = model.jurisdictions.selected() {
        draw_pane(model, item, areas.pane, look, buffer);
    }
}

fn cell(
    item: &JurisdictionRow,
    column: usize,
    width: u16,
    total: u64,
    look: Look,
) -> (String, Style) {
    let plain = Style::new();
    let verdict = |index: usize| {
        let count = item.verdicts[index];
        let style = if count == 0 {
            look.quiet()
        } else {
            look.verdict(Verdict::ALL[index])
        };
        (number(count), style)
    };
    match column {
        0 => control(&item.jurisdiction, look),
        1 => host(&item.jurisdiction, look),
        2 => (share(item.bytes(), total, width), look.bar()),
        3 => (bytes(item.bytes_out), plain),
        4 => (bytes(item.bytes_in), plain),
        5 => (rate(item.rate), plain),
        6 => (number(item.flows), plain),
        7 => verdict(0),
        8 => verdict(1),
        9 => verdict(2),
        _ => verdict(3),
    }
}

/// A bar in eighths of a column, and the percentage at the right end of `width` columns.
fn share(part: u64, total: u64, width: u16) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let total = u128::from(total.max(1));
    let part = u128::from(part);
    let thousandths = part * 1_000 / total;
    let percent = format!("{}.{} %", thousandths / 10, thousandths % 10);
    let room = width.saturating_sub(8);
    let eighths = part * u128::from(room) * 8 / total;
    let whole = usize::try_from(eighths / 8).unwrap_or(0);
    let rest = usize::try_from(eighths % 8).unwrap_or(0);
    let mut bar = "█".repeat(whole);
    bar.push_str(EIGHTHS[rest]);
    if bar.is_empty() && part > 0 {
        bar.push('▏');
    }
    let gap = usize::from(width.saturating_sub(columns(&bar) + columns(&percent)));
    format!("{bar}{}{percent}", " ".repeat(gap))
}

fn draw_pane(model: &Model, item: &JurisdictionRow, area: Rect, look: Look, buffer: &mut Buffer) {
    let place = &item.jurisdiction;
    let title = format!(
        "control {} · host {} · {}",
        place.control_text(),
        place.host_text(),
        rate(item.rate)
    );
    draw_rule(&title, row(area, 0), look, buffer);
    let all: u64 = item.bytes().max(1);
    let operators = item.operators.iter().map(|(operator, count)| {
        let percent = u128::from(*count) * 100 / u128::from(all);
        Fact::new(operator.clone(), format!("{}  {percent} %", bytes(*count)))
            .label_style(Style::new())
    });
    let flows: Vec<&FlowRow> = model
        .flows
        .iter()
        .filter(|flow| alike(flow, item))
        .collect();
    let mut rules: Vec<(String, Verdict, u64)> = Vec::new();
    let mut destinations: Vec<(String, u64)> = Vec::new();
    for flow in &flows {
        let verdict = flow.judgement.verdict;
        match rules
            .iter_mut()
            .find(|(rule, known, _)| *rule == flow.judgement.rule && *known == verdict)
        {
            Some((_, _, count)) => *count += 1,
            None => rules.push((flow.judgement.rule.clone(), verdict, 1)),
        }
        let text = flow
            .name
            .clone()
            .unwrap_or_else(|| flow.destination.to_string());
        let size = flow.bytes_out.saturating_add(flow.bytes_in);
        match destinations.iter_mut().find(|(known, _)| *known == text) {
            Some((_, count)) => *count += size,
            None => destinations.push((text, size)),
        }
    }
    rules.sort_by(|a, b| b.2.cmp(&a.2).then_with(|| a.0.cmp(&b.0)));
    destinations.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let mut facts = Vec::new();
    for (rule, verdict, count) in rules.into_iter().take(4) {
        let flows = if count == 1 { "flow" } else { "flows" };
        facts.push(
            Fact::styled(
                "why",
                format!("{} {:<7}", verdict.glyph(), verdict.word()),
                look.verdict(verdict),
            )
            .and(
                format!("rule {rule}, {} {flows} listed", number(count)),
                Style::new(),
            ),
        );
    }
    for (destination, size) in destinations.into_iter().take(4) {
        facts.push(Fact::new("to", format!("{destination}  {}", bytes(size))));
    }
    if facts.is_empty() {
        facts.push(Fact::new(
            "why",
            "none of its flows is listed now: Enter asks for them",
        ));
    }
    let mut operators: Vec<Fact> = operators.collect();
    if operators.is_empty() {
        operators.push(Fact::new("operator", "unknown"));
    }
    let below = Rect {
        y: area.y + 1.min(area.height),
        height: area.height.saturating_sub(1),
        ..area
    };
    let left = below.width * 2 / 5;
    let operators = Sheet {
        left: vec![Section::new("", 18, operators)],
        right: Vec::new(),
    };
    let reasons = Sheet {
        left: vec![Section::new("", 5, facts)],
        right: Vec::new(),
    };
    operators.draw_cut(
        Rect {
            width: left,
            ..below
        },
        look,
        buffer,
    );
    reasons.draw_cut(after(below, left), look, buffer);
}

/// Whether a flow is counted in a row: both axes alike.
fn alike(flow: &FlowRow, item: &JurisdictionRow) -> bool {
    let (a, b) = (&flow.jurisdiction, &item.jurisdiction);
    a.host == b.host && a.confidence == b.confidence && a.control == b.control && a.reach == b.reach
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_fill_their_width_and_never_more() {
        assert_eq!(share(0, 100, 16), "           0.0 %");
        assert_eq!(share(100, 100, 16), "████████ 100.0 %");
        assert_eq!(share(1, 1_000_000, 16), "▏          0.0 %");
        for part in 0..=100 {
            assert_eq!(columns(&share(part, 100, 30)), 30);
        }
        assert!(!share(u64::MAX, u64::MAX, 1).is_empty());
    }
}
