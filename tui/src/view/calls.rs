//! Fourth screen: calls of people, and what is known of the one under the cursor.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::columns::Column;
use super::flows::{control, deed, nothing};
use super::regions::Regions;
use super::sheet::{Fact, Section, Sheet};
use super::table::{self, draw_empty, draw_rule};
use super::text::{after, between, bytes, moment, number, row, span, when};
use super::theme::Look;
use super::{inside, verdict_text};
use crate::layout::Areas;
use crate::model::Model;
use crate::model::watched::CallRow;

const COLUMNS: [Column; 12] = [
    Column::text("START", 8, 0).sorting(0),
    Column::text("STATE", 7, 2),
    Column::count("LASTED", 7, 0).sorting(1),
    Column::text("ZONE", 10, 8),
    Column::text("CLIENT", 15, 0).growing(1).sorting(2),
    Column::text("SERVICE", 16, 0).growing(2).sorting(3),
    Column::text("CONTROL", 10, 4),
    Column::text("VERDICT", 10, 5).sorting(4),
    Column::count("UP", 8, 0).sorting(5),
    Column::count("DOWN", 8, 0).sorting(6),
    Column::text("SURE", 6, 6),
    Column::text("PEER", 15, 7).growing(1),
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
        &model.calls,
        &COLUMNS,
        areas,
        look,
        buffer,
        regions,
        |call, column, _| cell(model, call, column, look),
    );
    if model.calls.is_empty() {
        draw_empty(nothing(model, "call"), areas.rows, look, buffer);
    }
    if let Some(call) = model.calls.selected() {
        draw_pane(model, call, areas.pane, look, buffer);
    }
}

fn cell(model: &Model, call: &CallRow, column: usize, look: Look) -> (String, Style) {
    let plain = Style::new();
    match column {
        0 => (when(call.start_ms, model.shown_ms()), plain),
        1 if call.running => (call.state().to_owned(), look.good()),
        1 => (call.state().to_owned(), plain),
        2 => (lasted(call), plain),
        3 => (call.zone.clone(), plain),
        4 => (inside(model, call.source, 0), plain),
        5 => (call.service.clone(), plain),
        6 => control(&call.jurisdiction, look),
        7 => verdict_text(&call.judgement, look),
        8 => (bytes(call.bytes_out), plain),
        9 => (bytes(call.bytes_in), plain),
        10 if call.certainty == "high" => (call.certainty.clone(), plain),
        10 => (call.certainty.clone(), look.doubt()),
        _ => (peers(call, 1), plain),
    }
}

fn lasted(call: &CallRow) -> String {
    span(i64::try_from(call.seconds.saturating_mul(1_000)).unwrap_or(i64::MAX))
}

/// The first addresses, and how many more.
fn peers(call: &CallRow, shown: usize) -> String {
    let first: Vec<String> = { call.peers.iter().take(shown) }
        .map(ToString::to_string)
        .collect();
    match call.peers.len().saturating_sub(shown) {
        0 => first.join(", "),
        more => format!("{} +{more}", first.join(", ")),
    }
}

/// What is said of a call in the pane, and first in its detail.
fn facts(model: &Model, call: &CallRow, look: Look) -> Vec<Fact> {
    let zone = if call.zone.is_empty() {
        "no zone".to_owned()
    } else {
        format!("zone {}", call.zone)
    };
    let when = if call.running {
        format!("since {}, {} so far", moment(call.start_ms), lasted(call))
    } else {
        format!("{}, {}", between(call.start_ms, call.end_ms), lasted(call))
    };
    let (law, law_style) = control(&call.jurisdiction, look);
    let operator = call.jurisdiction.operator.as_deref().unwrap_or("unknown");
    let (verdict, verdict_style) = verdict_text(&call.judgement, look);
    let mut judged = Fact::styled("verdict", verdict, verdict_style)
        .and(format!("  {}", deed(&call.judgement)), Style::new());
    if !call.alternatives.is_empty() {
        judged = judged
            .and("; instead: ", Style::new())
            .and(call.alternatives.join(", "), look.good());
    }
    vec![
        Fact::new(
            "who",
            format!(
                "{}  {zone} → {}",
                inside(model, call.source, 0),
                peers(call, 3)
            ),
        ),
        Fact::new("when", when),
        Fact::new(
            "traffic",
            format!(
                "up {} in {} packets, down {} in {}",
                bytes(call.bytes_out),
                number(call.packets_out),
                bytes(call.bytes_in),
                number(call.packets_in)
            ),
        ),
        Fact::styled("service", call.service.clone(), look.strong())
            .and(format!(" of {operator}  "), Style::new())
            .and(law, law_style),
        Fact::new(
            "sure",
            format!("{}: {}", call.certainty, call.evidence.join(", ")),
        ),
        judged,
    ]
}

fn draw_pane(model: &Model, call: &CallRow, area: Rect, look: Look, buffer: &mut Buffer) {
    let title = format!("CALL · {} · {}", call.service, call.state());
    draw_rule(&title, row(area, 0), look, buffer);
    let sheet = Sheet {
        left: vec![Section::new("", 9, facts(model, call, look))],
        right: Vec::new(),
    };
    let below = Rect {
        y: area.y + 1.min(area.height),
        height: area.height.saturating_sub(1),
        ..area
    };
    sheet.draw_cut(after(below, 1), look, buffer);
}

/// All that is known of a call.
pub(super) fn sheet(model: &Model, call: &CallRow, look: Look) -> Sheet {
    let list = |items: Vec<String>| -> Vec<Fact> {
        items.into_iter().map(|item| Fact::new("", item)).collect()
    };
    let peers = call.peers.iter().map(ToString::to_string).collect();
    let mut flows: Vec<String> = call.flow_ids.iter().map(ToString::to_string).collect();
    let more = call.flows.saturating_sub(flows.len() as u64);
    if more > 0 {
        flows.push(format!("and {} more", number(more)));
    }
    let mut sheet = Sheet {
        left: vec![
            Section::new("Call", 10, facts(model, call, look)),
            Section::new("Peers", 0, list(peers)),
        ],
        right: vec![Section::new("Flows, by id", 0, list(flows))],
    };
    if !call.names.is_empty() {
        let names = list(call.names.clone());
        let title = "Names of the service that the client said";
        sheet.left.push(Section::new(title, 0, names));
    }
    if !call.jurisdiction.laws.is_empty() {
        let laws = list(call.jurisdiction.laws.clone());
        sheet
            .right
            .push(Section::new("Laws that reach it", 0, laws));
    }
    let told = "who talks with whom, when and for how long: this much the operator of the service \
                learns too, whatever is encrypted";
    let why = vec![Fact::new("", told)];
    sheet.right.push(Section::new("Why calls are told", 0, why));
    sheet
}
