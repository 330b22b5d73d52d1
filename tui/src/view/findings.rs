//! Fifth screen: findings, open ones and those that are closed, and the evidence of the one under
//! the cursor.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::columns::Column;
use super::flows::nothing;
use super::inside;
use super::regions::Regions;
use super::sheet::{Fact, Section, Sheet};
use super::table::{self, draw_empty, draw_rule};
use super::text::{after, between, moment, number, row, when};
use super::theme::Look;
use crate::layout::Areas;
use crate::model::Model;
use crate::model::row::Severity;
use crate::model::watched::FindingRow;

const COLUMNS: [Column; 9] = [
    Column::text("LAST", 8, 0).sorting(0),
    Column::text("STATE", 6, 0).sorting(1),
    Column::text("SEV", 4, 0).sorting(2),
    Column::count("N", 4, 1).sorting(3),
    Column::text("ZONE", 10, 3),
    Column::text("CLIENT", 15, 0).growing(1).sorting(4),
    Column::text("FAMILY", 13, 0).growing(1).sorting(5),
    Column::text("NAME", 20, 0).growing(2),
    Column::text("SEEN BY", 12, 2).growing(1),
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
        &model.findings,
        &COLUMNS,
        areas,
        look,
        buffer,
        regions,
        |finding, column, _| cell(model, finding, column, look),
    );
    if model.findings.is_empty() {
        draw_empty(nothing(model, "finding"), areas.rows, look, buffer);
    }
    if let Some(finding) = model.findings.selected() {
        draw_pane(model, finding, areas.pane, look, buffer);
    }
}

fn cell(model: &Model, finding: &FindingRow, column: usize, look: Look) -> (String, Style) {
    let plain = Style::new();
    match column {
        0 => (when(finding.last_ms, model.shown_ms()), plain),
        1 => (finding.state_word().to_owned(), state(finding, look)),
        2 => (
            finding.severity.word().to_owned(),
            severity(finding.severity, look),
        ),
        3 => (number(finding.count), plain),
        4 => (finding.zone.clone(), plain),
        5 => (inside(model, finding.source, 0), plain),
        6 => (finding.family.clone(), plain),
        7 => (finding.name_text(), plain),
        _ => (finding.seen_by.join(","), plain),
    }
}

fn state(finding: &FindingRow, look: Look) -> Style {
    match &*finding.state {
        "open" => look.strong(),
        "closed" => look.quiet(),
        _ => Style::new(),
    }
}

fn severity(severity: Severity, look: Look) -> Style {
    match severity {
        Severity::High => look.bad(),
        Severity::Medium => look.doubt(),
        Severity::Low => Style::new(),
    }
}

/// What is said of a finding in the pane, and first in its detail.
fn facts(model: &Model, finding: &FindingRow, look: Look) -> Vec<Fact> {
    let zone = if finding.zone.is_empty() {
        "no zone".to_owned()
    } else {
        format!("zone {}", finding.zone)
    };
    let led = finding
        .destination
        .map_or_else(String::new, |address| format!(", the latest at {address}"));
    let stands = match (&finding.acknowledged, &*finding.state) {
        (Some((by, at_ms)), state) => {
            format!("{state}; looked into by {by} since {}", moment(*at_ms))
        }
        (None, "open") => "open: nobody looks into it yet (a acknowledges)".to_owned(),
        (None, state) => format!("{state}; nobody looked into it"),
    };
    let mut facts = vec![
        Fact::new(
            "who",
            format!("{}  {zone}", inside(model, finding.source, 0)),
        ),
        Fact::new(
            "what",
            format!("{} ({}){led}", finding.names.join(", "), finding.family),
        ),
        Fact::new(
            "when",
            format!(
                "{}, {} times, seen by {}",
                between(finding.first_ms, finding.last_ms),
                number(finding.count),
                finding.seen_by.join(", ")
            ),
        ),
        Fact::styled("state", stands, state(finding, look)),
    ];
    let mut label = "evidence";
    for sentence in &finding.evidence {
        facts.push(Fact::new(label, sentence.clone()));
        label = "";
    }
    facts
}

fn draw_pane(model: &Model, finding: &FindingRow, area: Rect, look: Look, buffer: &mut Buffer) {
    let title = format!("{} · {}", finding.severity.word(), finding.message);
    draw_rule(&title, row(area, 0), look, buffer);
    let sheet = Sheet {
        left: vec![Section::new("", 9, facts(model, finding, look))],
        right: Vec::new(),
    };
    let below = Rect {
        y: area.y + 1.min(area.height),
        height: area.height.saturating_sub(1),
        ..area
    };
    sheet.draw_cut(after(below, 1), look, buffer);
}

/// All that is known of a finding.
pub(super) fn sheet(model: &Model, finding: &FindingRow, look: Look) -> Sheet {
    let style = severity(finding.severity, look);
    let mut first = vec![Fact::styled(
        "severity",
        format!("{}  {}", finding.severity.word(), finding.message),
        style,
    )];
    first.extend(facts(model, finding, look));
    let next = [
        (
            "its flows",
            format!(
                "on the first screen: / name:{}",
                finding.names.first().map_or("", |name| name)
            ),
        ),
        (
            "its policy",
            "a rule with the condition tracking_link stops or flags such names".to_owned(),
        ),
        ("id", finding.id.to_string()),
    ];
    let next = next.map(|(label, text)| Fact::new(label, text)).to_vec();
    Sheet {
        left: vec![Section::new("Finding", 10, first)],
        right: vec![Section::new("Look further", 11, next)],
    }
}
