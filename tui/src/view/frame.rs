//! What every screen has: tabs and gateway above, filter and counts, keys below.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::regions::Regions;
use super::text::{after, columns, number, put, put_right, row, short, span, time_of_day};
use super::theme::Look;
use crate::layout::Areas;
use crate::message::{Key, Target};
use crate::model::list::{List, Row};
use crate::model::{Connection, Model, Screen, Subject};

/// Width from which the state of the gateway is told with more words.
const WIDE: u16 = 110;
/// Width from which tabs carry their whole names.
const WIDE_TABS: u16 = 132;

/// Each as it is written with much room, with little, and with hardly any.
const TABS: [[&str; 3]; 6] = [
    ["1 Flows", "1 Flow", "1"],
    ["2 Jurisd.", "2 Jur", "2"],
    ["3 Alerts", "3 Alrt", "3"],
    ["4 Calls", "4 Call", "4"],
    ["5 Findings", "5 Find", "5"],
    ["6 Status", "6 Stat", "6"],
];

const ACKNOWLEDGE: (&str, Key) = ("a acknowledge", Key::Char('a'));

/// Tabs at the left, gateway at the right.
pub(crate) fn header(
    model: &Model,
    area: Rect,
    look: Look,
    buffer: &mut Buffer,
    regions: &mut Regions,
) {
    let mut items = state(model, look, area.width >= WIDE);
    let width = |items: &[Item], ranks: u8| {
        let shown = items.iter().filter(|item| item.rank <= ranks);
        shown.map(|item| columns(&item.text) + 2).sum::<u16>()
    };
    // What must be seen needs its room: the tabs give way.
    let level = usize::from(area.width < WIDE_TABS);
    let level = (level..TABS[0].len() - 1)
        .find(|&level| {
            let tabs: u16 = Screen::ALL
                .map(|screen| columns(&tab(model, screen, level)))
                .iter()
                .sum();
            tabs + width(&items, 0) < area.width
        })
        .unwrap_or(TABS[0].len() - 1);
    let mut rest = area;
    for screen in Screen::ALL {
        let style = if screen == model.screen {
            look.strong()
        } else {
            Style::new()
        };
        let used = put(buffer, rest, &tab(model, screen, level), style);
        regions.add(
            Rect {
                width: used,
                ..rest
            },
            Target::Screen(screen),
        );
        rest = after(rest, used);
    }
    while width(&items, u8::MAX) > rest.width.saturating_sub(1) {
        let weakest = items
            .iter()
            .enumerate()
            .filter(|(_, item)| item.rank > 0)
            .max_by_key(|(_, item)| item.rank);
        let Some((position, _)) = weakest else { break };
        items.remove(position);
    }
    let needed = width(&items, u8::MAX).saturating_sub(1);
    let mut place = after(rest, rest.width.saturating_sub(needed));
    for item in &items {
        let used = put(buffer, place, &item.text, item.style);
        place = after(place, used + 2);
    }
}

/// A tab with what is new behind it; the open one in brackets, always with its name.
fn tab(model: &Model, screen: Screen, level: usize) -> String {
    let open = screen == model.screen;
    let names = TABS[screen.index()];
    let name = names[if open { level.min(1) } else { level }];
    let new = match screen {
        Screen::Alerts => model.alerts_new,
        Screen::Findings => model.findings_new,
        _ => 0,
    };
    let new = if new > 0 {
        format!("·{}", short(new))
    } else {
        String::new()
    };
    if open {
        format!("[{name}{new}]")
    } else {
        format!(" {name}{new} ")
    }
}

/// One word of the header: the highest rank goes first when room lacks, 0 stays.
struct Item {
    text: String,
    style: Style,
    rank: u8,
}

fn state(model: &Model, look: Look, wide: bool) -> Vec<Item> {
    let mut items = Vec::new();
    let mut item = |text: String, style: Style, rank: u8| {
        if !text.trim().is_empty() {
            items.push(Item { text, style, rank });
        }
    };
    let status = &model.status;
    let lost = model.lost();
    if lost > 0 {
        item(format!("LOST {}", short(lost)), look.alarm(), 0);
    }
    if let Some(frozen) = &model.frozen {
        let since = span(model.now_ms - frozen.since_ms);
        item(format!("FROZEN {since}"), look.badge(), 0);
    }
    if model.masked {
        item("MASKED".to_owned(), look.doubt(), 2);
    }
    item(status.gateway.clone(), look.strong(), 4);
    match &model.connection {
        Connection::Up => item("● up".to_owned(), look.good(), 1),
        Connection::Connecting => item("○ connecting".to_owned(), look.doubt(), 0),
        Connection::Down { retry_seconds, .. } => {
            let retry = if wide { ", retry" } else { "" };
            item(format!("○ away{retry} {retry_seconds} s"), look.bad(), 0);
        }
    }
    match status.enforcing {
        Some(true) => item("ENFORCE".to_owned(), look.good(), 0),
        Some(false) => item("MONITOR".to_owned(), look.badge(), 0),
        None => {}
    }
    let version = status.policy_version.as_deref().unwrap_or_default();
    item(
        format!("{} {version}", status.policy_name)
            .trim_end()
            .to_owned(),
        Style::new(),
        5,
    );
    if !status.atlas_version.is_empty() {
        item(format!("atlas {}", status.atlas_version), look.quiet(), 6);
    }
    if model.now_ms != 0 {
        item(format!("{}Z", time_of_day(model.now_ms)), Style::new(), 3);
    }
    items
}

/// The filter at the left, counts at the right. Answers where the text cursor stands.
pub(crate) fn bar(
    model: &Model,
    areas: &Areas,
    look: Look,
    buffer: &mut Buffer,
) -> Option<(u16, u16)> {
    let area = areas.bar;
    if let Some(input) = &model.filter.editing {
        let used = put(buffer, area, " / ", look.strong());
        let place = after(area, used);
        let room = usize::from(place.width.saturating_sub(1));
        let scroll = input.visual_scroll(room);
        let shown: String = input.value().chars().skip(scroll).collect();
        put(buffer, place, &shown, Style::new());
        if shown.is_empty() {
            let example = "  verdict:block,reject control:US !name:example.org";
            put(buffer, place, example, look.quiet());
        }
        if let Some((why, caret)) = &model.filter.error {
            let line = row(areas.titles, 0);
            let shift = caret.saturating_sub(scroll).min(room);
            let shift = used + u16::try_from(shift).unwrap_or(0);
            let text = format!("^ {why}");
            // The remedy matters more than the column: the message moves left when it must.
            let message = after(line, shift.min(line.width.saturating_sub(columns(&text))));
            put(
                buffer,
                line,
                &" ".repeat(usize::from(line.width)),
                Style::new(),
            );
            if message.x == after(line, shift).x {
                put(buffer, message, &text, look.bad());
            } else {
                put(buffer, line, why, look.bad());
                buffer.set_style(
                    Rect {
                        width: 1,
                        ..after(place, shift - used)
                    },
                    look.alarm(),
                );
            }
        }
        let cursor = input.visual_cursor().saturating_sub(scroll).min(room);
        let x = place.x + u16::try_from(cursor).unwrap_or(0);
        return (!place.is_empty()).then_some((x, place.y));
    }
    let counts = match &model.connection {
        Connection::Down { why, .. } => (why.clone(), look.bad()),
        _ => (counts(model), look.quiet()),
    };
    let half = area.width / 2;
    let right = columns(&counts.0).min(area.width.saturating_sub(2));
    let left_width = area.width.saturating_sub(right + 3).max(half.min(12));
    let left = Rect {
        width: left_width,
        ..area
    };
    if model.filter.applied.is_empty() {
        if !matches!(model.screen, Screen::Jurisdictions | Screen::Status) {
            put(buffer, left, " no filter", look.quiet());
        }
    } else {
        let used = put(buffer, left, " / ", look.strong());
        put(
            buffer,
            after(left, used),
            &model.filter.applied,
            look.doubt(),
        );
    }
    let place = after(area, left_width + 1);
    let place = Rect {
        width: place.width.saturating_sub(1),
        ..place
    };
    put_right(buffer, place, &counts.0, counts.1);
    None
}

fn counts(model: &Model) -> String {
    match model.screen {
        Screen::Flows => {
            let mut text = format!("{} live", number(model.flows_total));
            if !model.filter.applied.is_empty() {
                text = format!("{text} · {} match", number(model.flows_matched));
            }
            if (model.flows.len() as u64) < model.flows_matched {
                text = format!("{text} · {} listed", number(model.flows.len() as u64));
            }
            text + &order(model, &model.flows)
        }
        Screen::Jurisdictions => {
            let count = number(model.jurisdictions.len() as u64);
            format!(
                "{count} jurisdictions{}",
                order(model, &model.jurisdictions)
            )
        }
        Screen::Alerts => {
            let count = number(model.alerts.len() as u64);
            format!("{count} alerts{}", order(model, &model.alerts))
        }
        Screen::Calls => {
            let running = model.calls.iter().filter(|call| call.running).count();
            let mut text = format!(
                "{} running · {} told since the start",
                number(running as u64),
                number(model.calls_told)
            );
            if model.calls_dropped > 0 {
                text = format!(
                    "{text} · {} parts not remembered",
                    number(model.calls_dropped)
                );
            }
            text + &cut_short(&model.calls, model.calls_matched) + &order(model, &model.calls)
        }
        Screen::Findings => {
            let text = format!("{} not closed", number(model.findings_open));
            text + &cut_short(&model.findings, model.findings_matched)
                + &order(model, &model.findings)
        }
        Screen::Status => String::new(),
    }
}

/// Says so when more rows match than the daemon sent.
fn cut_short<R: Row>(list: &List<R>, matched: u64) -> String {
    let listed = list.len() as u64;
    if listed < matched {
        format!(" · {} match, {} listed", number(matched), number(listed))
    } else {
        String::new()
    }
}

fn order<R: Row>(model: &Model, list: &List<R>) -> String {
    if let Some(frozen) = &model.frozen {
        format!(" · {} updates held back", number(frozen.updates))
    } else if list.pinned() {
        " · order pinned, values live".to_owned()
    } else if list.held() {
        " · order held, values live".to_owned()
    } else {
        String::new()
    }
}

/// Keys that work now.
pub(crate) fn footer(
    model: &Model,
    area: Rect,
    look: Look,
    buffer: &mut Buffer,
    regions: &mut Regions,
) {
    let area = row(area, 0);
    let always: &[(&str, Key)] = if model.filter.editing.is_some() {
        &[]
    } else {
        &[("? help", Key::Char('?')), ("q quit", Key::Char('q'))]
    };
    let right: u16 = always.iter().map(|(text, _)| columns(text) + 2).sum();
    let mut place = after(area, area.width.saturating_sub(right));
    for (text, key) in always {
        let used = put(buffer, place, text, Style::new());
        regions.add(
            Rect {
                width: used,
                ..place
            },
            Target::Key(*key),
        );
        place = after(place, used + 2);
    }
    let mut left = Rect {
        width: area.width.saturating_sub(right + 1),
        ..area
    };
    left = after(left, 1);
    if let Some((text, _)) = &model.notice {
        put(buffer, left, text, look.strong());
        return;
    }
    for (text, key) in keys(model) {
        if columns(text) > left.width {
            break;
        }
        let used = put(buffer, left, text, Style::new());
        regions.add(
            Rect {
                width: used,
                ..left
            },
            Target::Key(key),
        );
        left = after(left, used + 2);
    }
}

fn keys(model: &Model) -> Vec<(&'static str, Key)> {
    if model.filter.editing.is_some() {
        return vec![
            ("↵ apply", Key::Enter),
            ("Esc leave it", Key::Escape),
            ("^U clear", Key::Control('u')),
        ];
    }
    if model.help {
        return vec![("Esc close", Key::Escape), ("j/k scroll", Key::Down)];
    }
    let freeze = if model.frozen.is_some() {
        ("f unfreeze", Key::Char('f'))
    } else {
        ("f freeze", Key::Char('f'))
    };
    if let Some(detail) = &model.detail {
        let mut keys = vec![
            ("Esc back", Key::Escape),
            ("n next", Key::Char('n')),
            ("N previous", Key::Char('N')),
            ("j/k scroll", Key::Down),
            ("c copy", Key::Char('c')),
            freeze,
        ];
        if let Subject::Finding(finding) = &detail.subject
            && finding.state == "open"
        {
            keys.insert(1, ACKNOWLEDGE);
        }
        return keys;
    }
    let hold = if model.held() {
        ("o release", Key::Char('o'))
    } else {
        ("o hold", Key::Char('o'))
    };
    let sort = ("s/S sort", Key::Char('s'));
    let copy = ("c copy", Key::Char('c'));
    let filter = ("/ filter", Key::Char('/'));
    let mask = if model.masked {
        ("P unmask", Key::Char('P'))
    } else {
        ("P mask", Key::Char('P'))
    };
    match model.screen {
        Screen::Flows | Screen::Alerts => vec![
            ("↵ reason", Key::Enter),
            filter,
            sort,
            hold,
            freeze,
            copy,
            mask,
        ],
        Screen::Jurisdictions => vec![
            ("↵ its flows", Key::Enter),
            filter,
            sort,
            hold,
            freeze,
            copy,
        ],
        Screen::Calls => vec![
            ("↵ all of it", Key::Enter),
            filter,
            sort,
            hold,
            freeze,
            copy,
            mask,
        ],
        Screen::Findings => vec![
            ("↵ all of it", Key::Enter),
            ACKNOWLEDGE,
            filter,
            sort,
            hold,
            freeze,
            copy,
            mask,
        ],
        Screen::Status => vec![("j/k scroll", Key::Down), copy],
    }
}
