//! First screen: live flows, and why the one under the cursor was judged so.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::columns::Column;
use super::regions::Regions;
use super::table::{self, draw_empty, draw_rule};
use super::text::{after, bytes, number, put, rate, row, span};
use super::theme::Look;
use super::{inside, verdict_text};
use crate::layout::Areas;
use crate::model::row::{Confidence, FlowRow, Judgement, Jurisdiction, Reach, endpoint};
use crate::model::{Connection, Model};

const COLUMNS: [Column; 13] = [
    Column::count("AGE", 6, 3).sorting(0),
    Column::text("VERDICT", 10, 0).sorting(1),
    Column::text("ZONE", 10, 9),
    Column::text("SOURCE", 21, 7),
    Column::text("DESTINATION", 22, 0).growing(3).sorting(2),
    Column::text("HOST", 7, 1).sorting(3),
    Column::text("CONTROL", 10, 2).sorting(4),
    Column::text("OPERATOR", 12, 8).growing(1),
    Column::text("APP", 5, 10),
    Column::count("UP", 7, 4).sorting(5),
    Column::count("DOWN", 7, 11),
    Column::count("RATE", 9, 5).sorting(6),
    Column::text("RULE", 12, 6).growing(1),
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
        &model.flows,
        &COLUMNS,
        areas,
        look,
        buffer,
        regions,
        |flow, column, _| cell(model, flow, column, look),
    );
    if model.flows.is_empty() {
        draw_empty(nothing(model, "flow"), areas.rows, look, buffer);
    }
    if let Some(flow) = model.flows.selected() {
        draw_pane(model, flow, areas.pane, look, buffer);
    }
}

/// Why a list is empty, and what to do about it.
pub(crate) fn nothing(model: &Model, what: &str) -> &'static str {
    match (&model.connection, model.filter.applied.is_empty(), what) {
        (Connection::Connecting, ..) => "waiting for the daemon",
        (Connection::Down { .. }, ..) => "the daemon does not answer; trying again",
        (Connection::Up, false, _) => "nothing passes the filter (Esc drops it)",
        (Connection::Up, true, "flow") => "no flow yet: nothing has crossed the gateway",
        (Connection::Up, true, "alert") => "no alert",
        (Connection::Up, true, "call") => "no call: none runs, and none is kept",
        (Connection::Up, true, "finding") => "no finding: no tracking link was met",
        (Connection::Up, true, _) => "no traffic yet",
    }
}

fn cell(model: &Model, flow: &FlowRow, column: usize, look: Look) -> (String, Style) {
    let plain = Style::new();
    match column {
        0 => (span(model.shown_ms() - flow.started_ms), plain),
        1 => verdict_text(&flow.judgement, look),
        2 => (flow.zone.clone(), plain),
        3 => (inside(model, flow.source, flow.source_port), plain),
        4 => (flow.destination_text(), plain),
        5 => host(&flow.jurisdiction, look),
        6 => control(&flow.jurisdiction, look),
        7 => (
            flow.jurisdiction.operator.clone().unwrap_or_default(),
            plain,
        ),
        8 => {
            let known = !flow.application.is_empty();
            let text = if known {
                &flow.application
            } else {
                &flow.protocol
            };
            (text.clone(), plain)
        }
        9 => (bytes(flow.bytes_out), plain),
        10 => (bytes(flow.bytes_in), plain),
        11 => (rate(flow.rate), plain),
        _ => (flow.judgement.rule.clone(), plain),
    }
}

/// The hosting axis as a cell.
pub(crate) fn host(jurisdiction: &Jurisdiction, look: Look) -> (String, Style) {
    let style = match jurisdiction.confidence {
        Confidence::Located => Style::new(),
        Confidence::Contested | Confidence::Anycast => look.doubt(),
        Confidence::Unknown => look.quiet(),
    };
    (jurisdiction.host_text(), style)
}

/// The control axis as a cell.
pub(crate) fn control(jurisdiction: &Jurisdiction, look: Look) -> (String, Style) {
    let style = match jurisdiction.reach {
        Reach::NoneKnown => look.good(),
        Reach::Unknown => look.quiet(),
        Reach::Presence | Reach::Controlled => look.doubt(),
    };
    (jurisdiction.control_text(), style)
}

/// What was done, in words.
pub(crate) fn deed(judgement: &Judgement) -> &'static str {
    use crate::model::row::Verdict;
    match (judgement.verdict, judgement.enforced) {
        (Verdict::Allow, _) => "passes",
        (Verdict::Flag, _) => "passes, reported",
        (Verdict::Reject, true) => "stopped, the sender is told",
        (Verdict::Block, true) => "stopped in silence",
        (Verdict::Reject | Verdict::Block, false) => "passes: monitor mode only records",
    }
}

fn draw_pane(model: &Model, flow: &FlowRow, area: Rect, look: Look, buffer: &mut Buffer) {
    let (verdict, style) = verdict_text(&flow.judgement, look);
    let place = &flow.jurisdiction;
    let operator = place.operator.as_deref().unwrap_or("operator unknown");
    if area.height == 1 {
        let line = row(area, 0);
        let used = put(buffer, line, &format!(" {verdict}"), style);
        let text = format!(
            "  {}: host {}, control {} ({operator})",
            flow.judgement.rule,
            place.host_text(),
            place.control_text(),
        );
        put(buffer, after(line, used), &text, Style::new());
        return;
    }
    let title = format!("WHY · {}", flow.destination_text());
    draw_rule(&title, row(area, 0), look, buffer);
    let mut index = 1;
    let mut fact = |label: &str, text: &str, style: Style, more: &str| {
        let line = row(area, index);
        put(buffer, after(line, 2), label, look.quiet());
        let used = put(buffer, after(line, 12), text, style);
        put(buffer, after(line, 12 + used), more, Style::new());
        index += 1;
    };
    let judgement = &flow.judgement;
    let shadow = judgement
        .shadow
        .as_deref()
        .map_or_else(String::new, |shadow| format!(" (shadow: {shadow})"));
    let reason = format!("  {}, by rule {}{shadow}", deed(judgement), judgement.rule);
    fact("verdict", &verdict, style, &reason);
    let network = place
        .asn
        .map_or_else(String::new, |asn| format!(", AS{asn}"));
    let opaque = flow
        .opaque
        .as_deref()
        .map_or_else(String::new, |kind| format!("  opaque: {kind}"));
    fact(
        "where",
        &place.host_text(),
        host(place, look).1,
        &format!("  {}{network}{opaque}", place.class),
    );
    fact(
        "control",
        &place.control_text(),
        control(place, look).1,
        &format!("  {operator}"),
    );
    let zone = if flow.zone.is_empty() {
        "no zone"
    } else {
        &flow.zone
    };
    let who = format!(
        "{}  {zone}  since {}Z",
        inside(model, flow.source, flow.source_port),
        super::text::time_of_day(flow.started_ms),
    );
    fact("who", &who, Style::new(), "");
    let address = match (&flow.name, &flow.name_source) {
        (Some(_), Some(source)) => format!(
            "{} (name by {source})",
            endpoint(flow.destination, flow.destination_port)
        ),
        _ => endpoint(flow.destination, flow.destination_port),
    };
    fact(
        "to",
        &address,
        Style::new(),
        &format!("  {} {}", flow.protocol, flow.application),
    );
    let traffic = format!(
        "up {} in {} packets, down {} in {}",
        bytes(flow.bytes_out),
        number(flow.packets_out),
        bytes(flow.bytes_in),
        number(flow.packets_in),
    );
    let stopped = if flow.packets_stopped > 0 {
        format!(", {} stopped", number(flow.packets_stopped))
    } else {
        String::new()
    };
    fact("traffic", &traffic, Style::new(), &stopped);
}
