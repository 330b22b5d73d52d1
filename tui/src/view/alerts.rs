//! Third screen: alerts, and what the one under the cursor says.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::columns::Column;
use super::flows::{control, deed, host, nothing};
use super::regions::Regions;
use super::sheet::{Fact, Section, Sheet};
use super::table::{self, draw_empty, draw_rule};
use super::text::{after, number, row, time_of_day};
use super::theme::Look;
use super::{inside, verdict_text};
use crate::layout::Areas;
use crate::model::Model;
use crate::model::row::{AlertRow, Severity, endpoint};

const COLUMNS: [Column; 10] = [
    Column::text("TIME", 8, 4).sorting(0),
    Column::text("SEV", 4, 3).sorting(1),
    Column::count("N", 4, 7).sorting(5),
    Column::text("VERDICT", 10, 0).sorting(2),
    Column::text("ZONE", 10, 8),
    Column::text("SOURCE", 21, 6),
    Column::text("DESTINATION", 22, 0).growing(3).sorting(3),
    Column::text("HOST", 7, 1),
    Column::text("CONTROL", 10, 2),
    Column::text("RULE", 11, 5).growing(1).sorting(4),
];

/// Draws the list and the pane.
pub(crate) fn draw(
    model: &Model,
    areas: &Areas,
    look: Look,
    buffer: &mut Buffer,
    regions: &mut Regions,
) {
    table::draw(
        &model.alerts,
        &COLUMNS,
        areas,
        look,
        buffer,
        regions,
        |alert, column, _| cell(model, alert, column, look),
    );
    if model.alerts.is_empty() {
        draw_empty(nothing(model, "alert"), areas.rows, look, buffer);
    }
    if let Some(alert) = model.alerts.selected() {
        draw_pane(model, alert, areas.pane, look, buffer);
    }
}

fn cell(model: &Model, alert: &AlertRow, column: usize, look: Look) -> (String, Style) {
    let plain = Style::new();
    match column {
        0 => (time_of_day(alert.time_ms), plain),
        1 => (alert.severity.word().to_owned(), severity(alert, look)),
        2 => (number(alert.count), plain),
        3 => verdict_text(alert.judgement(), look),
        4 => (alert.zone.clone(), plain),
        5 => (inside(model, alert.source, alert.source_port), plain),
        6 => (alert.destination_text(), plain),
        7 => host(alert.jurisdiction(), look),
        8 => control(alert.jurisdiction(), look),
        _ => (alert.judgement().rule.clone(), plain),
    }
}

fn severity(alert: &AlertRow, look: Look) -> Style {
    match alert.severity {
        Severity::High => look.bad(),
        Severity::Medium => look.doubt(),
        Severity::Low => Style::new(),
    }
}

fn draw_pane(model: &Model, alert: &AlertRow, area: Rect, look: Look, buffer: &mut Buffer) {
    let reason = &alert.reason;
    draw_rule(
        &format!("{} · {}", alert.severity.word(), alert.message),
        row(area, 0),
        look,
        buffer,
    );
    let (verdict, style) = verdict_text(alert.judgement(), look);
    let mut facts = vec![
        Fact::styled("verdict", verdict, style).and(
            format!(
                "  {}, by rule {} {}",
                deed(alert.judgement()),
                alert.judgement().rule,
                reason.rule_title
            ),
            Style::new(),
        ),
        Fact::new(
            "who",
            format!(
                "{} {} → {} ({})",
                inside(model, alert.source, alert.source_port),
                alert.zone,
                endpoint(alert.destination, alert.destination_port),
                alert.protocol,
            ),
        ),
    ];
    if alert.count > 1 {
        facts.push(Fact::new(
            "folded",
            format!(
                "{} alike, {}Z to {}Z",
                number(alert.count),
                time_of_day(alert.first_ms),
                time_of_day(alert.time_ms)
            ),
        ));
    }
    if !reason.alternatives.is_empty() {
        facts.push(Fact::styled(
            "instead",
            reason.alternatives.join(", "),
            look.good(),
        ));
    }
    for (change, verdict) in reason.counterfactuals.iter().take(2) {
        facts.push(Fact::new(
            "would be",
            format!("{} if {change}", verdict.word()),
        ));
    }
    for (name, sentence) in reason.laws.iter().take(3) {
        facts.push(Fact::new("law", format!("{name}: {sentence}")));
    }
    let sheet = Sheet {
        left: vec![Section::new("", 9, facts)],
        right: Vec::new(),
    };
    let below = Rect {
        y: area.y + 1.min(area.height),
        height: area.height.saturating_sub(1),
        ..area
    };
    sheet.draw_cut(after(below, 1), look, buffer);
}
