//! What each key does, by what lies on top: filter line, help, detail, screen.

use serde_json::Value;
use tui_input::{Input, InputRequest};

use super::{data, go, notice};
use crate::adapter;
use crate::layout;
use crate::message::{Effect, Key};
use crate::model::list::{List, Row};
use crate::model::reason::Reason;
use crate::model::{Detail, Frozen, Loading, Model, Screen, Subject};

/// Longest filter the line takes, in characters.
const FILTER_MAX: usize = 1_000;

/// One key.
pub(super) fn press(model: &mut Model, key: Key) -> Vec<Effect> {
    if key == Key::Control('c') {
        return vec![Effect::Quit];
    }
    model.dirty = true;
    match key {
        Key::Control('l') => return vec![Effect::Redraw],
        Key::Control('z') => return vec![Effect::Suspend],
        _ => {}
    }
    if model.filter.editing.is_some() {
        return edit_filter(model, key);
    }
    if let Some(rows) = travel_of(model, key) {
        travel(model, rows);
        return Vec::new();
    }
    match key {
        Key::Char('q') => return vec![Effect::Quit],
        Key::Char('?') => {
            model.help = !model.help;
            model.help_scroll = 0;
        }
        Key::Char(digit @ '1'..='6') => {
            let index = digit as usize - '1' as usize;
            go(model, Screen::ALL[index]);
        }
        Key::Tab => go(model, neighbour(model.screen, 1)),
        Key::BackTab => go(model, neighbour(model.screen, Screen::ALL.len() - 1)),
        Key::Escape => return back(model),
        Key::Char('P') => model.masked = !model.masked,
        Key::Char('f') => freeze(model),
        Key::Char('c') => return copy(model),
        _ if model.help => {}
        Key::Char('a') => return acknowledge(model),
        Key::Char('n') if model.detail.is_some() => return neighbour_detail(model, 1),
        Key::Char('N') if model.detail.is_some() => return neighbour_detail(model, -1),
        _ if model.detail.is_some() => {}
        Key::Enter => return open(model),
        Key::Char('/') => {
            model.filter.editing = Some(Input::new(model.filter.applied.clone()));
            model.filter.error = None;
        }
        Key::Char('s') => return sort(model, ListKey::NextSort),
        Key::Char('S') => return sort(model, ListKey::TurnSort),
        Key::Char('o') => on_list(model, ListKey::TogglePin),
        _ => {}
    }
    Vec::new()
}

fn neighbour(screen: Screen, steps: usize) -> Screen {
    Screen::ALL[(screen.index() + steps) % Screen::ALL.len()]
}

/// How many rows a key travels: `isize::MIN` and `isize::MAX` are the ends.
fn travel_of(model: &Model, key: Key) -> Option<isize> {
    let areas = layout::areas(model.size, model.screen);
    let sheet = model.help || model.detail.is_some() || model.screen == Screen::Status;
    let page = if sheet { areas.sheet } else { areas.rows };
    let page = isize::try_from(page.height.max(2)).unwrap_or(2) - 1;
    Some(match key {
        Key::Char('j') | Key::Down => 1,
        Key::Char('k') | Key::Up => -1,
        Key::PageDown => page,
        Key::PageUp => -page,
        Key::Control('d') => (page / 2).max(1),
        Key::Control('u') => -(page / 2).max(1),
        Key::Char('g') | Key::Home => isize::MIN,
        Key::Char('G') | Key::End => isize::MAX,
        _ => return None,
    })
}

/// Moves the cursor, or scrolls what has none.
pub(super) fn travel(model: &mut Model, rows: isize) {
    model.dirty = true;
    let now_ms = model.clock_ms;
    if model.help {
        model.help_scroll = model.help_scroll.saturating_add_signed(rows);
    } else if let Some(detail) = &mut model.detail {
        detail.scroll = detail.scroll.saturating_add_signed(rows);
    } else {
        match model.screen {
            Screen::Flows => travel_list(&mut model.flows, rows, now_ms),
            Screen::Jurisdictions => travel_list(&mut model.jurisdictions, rows, now_ms),
            Screen::Alerts => travel_list(&mut model.alerts, rows, now_ms),
            Screen::Calls => travel_list(&mut model.calls, rows, now_ms),
            Screen::Findings => travel_list(&mut model.findings, rows, now_ms),
            Screen::Status => {
                model.status_scroll = model.status_scroll.saturating_add_signed(rows);
            }
        }
    }
}

fn travel_list<R: Row>(list: &mut List<R>, rows: isize, now_ms: u64) {
    match rows {
        isize::MIN => list.follow_first(),
        isize::MAX => list.select_last(now_ms),
        rows => list.move_by(rows, now_ms),
    }
}

#[derive(Clone, Copy)]
enum ListKey {
    NextSort,
    TurnSort,
    TogglePin,
}

fn on_list(model: &mut Model, key: ListKey) {
    fn apply<R: Row>(list: &mut List<R>, key: ListKey) {
        match key {
            ListKey::NextSort => list.next_sort(),
            ListKey::TurnSort => list.turn_sort(),
            ListKey::TogglePin => list.toggle_pin(),
        }
    }
    match model.screen {
        Screen::Flows => apply(&mut model.flows, key),
        Screen::Jurisdictions => apply(&mut model.jurisdictions, key),
        Screen::Alerts => apply(&mut model.alerts, key),
        Screen::Calls => apply(&mut model.calls, key),
        Screen::Findings => apply(&mut model.findings, key),
        Screen::Status => {}
    }
}

/// Escape: closes what lies on top; at the bottom, drops the filter.
fn back(model: &mut Model) -> Vec<Effect> {
    if model.help {
        model.help = false;
    } else if model.detail.is_some() {
        model.detail = None;
    } else if !model.filter.applied.is_empty() && model.screen != Screen::Status {
        return apply_filter(model, "");
    }
    Vec::new()
}

fn freeze(model: &mut Model) {
    if model.frozen.is_some() {
        data::thaw(model);
    } else {
        model.frozen = Some(Frozen {
            since_ms: model.now_ms,
            ..Frozen::default()
        });
    }
}

/// Says that the finding under the cursor, or the one shown, is looked into.
fn acknowledge(model: &mut Model) -> Vec<Effect> {
    let finding = match &model.detail {
        Some(detail) => match &detail.subject {
            Subject::Finding(finding) => Some(&**finding),
            _ => None,
        },
        None if model.screen == Screen::Findings => model.findings.selected(),
        None => None,
    };
    let Some(finding) = finding else {
        return Vec::new();
    };
    if finding.state == "open" {
        return vec![Effect::Acknowledge(finding.id.clone())];
    }
    let told = format!("this finding is {} already", finding.state);
    notice(model, told);
    Vec::new()
}

/// Enter: the detail of a row, or the flows of a jurisdiction.
fn open(model: &mut Model) -> Vec<Effect> {
    let subject = match model.screen {
        Screen::Flows => model
            .flows
            .selected()
            .cloned()
            .map(Box::new)
            .map(Subject::Flow),
        Screen::Alerts => model
            .alerts
            .selected()
            .cloned()
            .map(Box::new)
            .map(Subject::Alert),
        Screen::Calls => model
            .calls
            .selected()
            .cloned()
            .map(Box::new)
            .map(Subject::Call),
        Screen::Findings => model
            .findings
            .selected()
            .cloned()
            .map(Box::new)
            .map(Subject::Finding),
        Screen::Jurisdictions => {
            let Some(row) = model.jurisdictions.selected() else {
                return Vec::new();
            };
            let filter = adapter::jurisdiction_filter(&row.jurisdiction);
            go(model, Screen::Flows);
            return apply_filter(model, &filter);
        }
        Screen::Status => None,
    };
    subject.map_or_else(Vec::new, |subject| show(model, subject))
}

fn show(model: &mut Model, subject: Subject) -> Vec<Effect> {
    let (reason, effects) = match &subject {
        Subject::Flow(flow) => (Some(Loading::Asked), vec![Effect::Explain(flow.clone())]),
        // An alert brings its reason along.
        Subject::Alert(alert) => {
            let reason = Box::new(Reason::clone(&alert.reason));
            (Some(Loading::Ready(reason)), Vec::new())
        }
        Subject::Call(_) | Subject::Finding(_) => (None, Vec::new()),
    };
    model.detail = Some(Detail {
        subject,
        reason,
        scroll: 0,
    });
    effects
}

/// Sorts the list on screen. The daemon sends the first flows only, so it must know the order.
fn sort(model: &mut Model, key: ListKey) -> Vec<Effect> {
    on_list(model, key);
    if model.screen == Screen::Flows {
        vec![Effect::Watch(model.wanted())]
    } else {
        Vec::new()
    }
}

/// The detail of the next or previous row.
fn neighbour_detail(model: &mut Model, rows: isize) -> Vec<Effect> {
    let now_ms = model.clock_ms;
    match model.screen {
        Screen::Flows => model.flows.move_by(rows, now_ms),
        Screen::Alerts => model.alerts.move_by(rows, now_ms),
        Screen::Calls => model.calls.move_by(rows, now_ms),
        Screen::Findings => model.findings.move_by(rows, now_ms),
        Screen::Jurisdictions | Screen::Status => return Vec::new(),
    }
    open(model)
}

fn edit_filter(model: &mut Model, key: Key) -> Vec<Effect> {
    let Some(input) = &mut model.filter.editing else {
        return Vec::new();
    };
    let request = match key {
        Key::Enter => {
            let text = input.value().trim().to_owned();
            return match adapter::check_filter(&text) {
                Ok(()) => {
                    model.filter.editing = None;
                    apply_filter(model, &text)
                }
                Err(error) => {
                    model.filter.error = Some(error);
                    Vec::new()
                }
            };
        }
        Key::Escape => {
            model.filter.editing = None;
            model.filter.error = None;
            return Vec::new();
        }
        Key::Char(character) if input.value().chars().count() < FILTER_MAX => {
            InputRequest::InsertChar(character)
        }
        Key::Backspace => InputRequest::DeletePrevChar,
        Key::Delete => InputRequest::DeleteNextChar,
        Key::Left => InputRequest::GoToPrevChar,
        Key::Right => InputRequest::GoToNextChar,
        Key::Home | Key::Control('a') => InputRequest::GoToStart,
        Key::End | Key::Control('e') => InputRequest::GoToEnd,
        Key::Control('w') => InputRequest::DeletePrevWord,
        Key::Control('u') => InputRequest::DeleteLine,
        Key::Control('k') => InputRequest::DeleteTillEnd,
        _ => return Vec::new(),
    };
    if input.handle(request).is_some() {
        // An error shown is taken back as soon as the line is right; a line being typed is not
        // nagged at.
        if model.filter.error.is_some() {
            model.filter.error = adapter::check_filter(input.value()).err();
        }
    }
    Vec::new()
}

/// Text pasted while the filter line is open goes into it; elsewhere it is no command.
pub(super) fn paste(model: &mut Model, text: &str) -> Vec<Effect> {
    if model.filter.editing.is_some() {
        for character in text.chars().filter(|character| !character.is_control()) {
            edit_filter(model, Key::Char(character));
        }
        model.dirty = true;
    }
    Vec::new()
}

fn apply_filter(model: &mut Model, text: &str) -> Vec<Effect> {
    model.filter.error = None;
    if model.filter.applied == text {
        return Vec::new();
    }
    if model.frozen.is_some() {
        data::thaw(model);
        notice(model, "no longer frozen: another filter needs new rows");
    }
    text.clone_into(&mut model.filter.applied);
    model.flows.follow_first();
    model.alerts.follow_first();
    model.calls.follow_first();
    model.findings.follow_first();
    model.dirty = true;
    vec![Effect::Watch(model.wanted())]
}

/// The row under the cursor, or the open detail with its reason, as one JSON object.
fn copy(model: &mut Model) -> Vec<Effect> {
    let value = match &model.detail {
        Some(detail) => {
            let subject = subject_json(&detail.subject);
            match (&detail.reason, subject) {
                (Some(Loading::Ready(reason)), Ok(Value::Object(mut object))) => {
                    serde_json::to_value(reason).map(|reason| {
                        object.insert("reason".to_owned(), reason);
                        Value::Object(object)
                    })
                }
                (_, subject) => subject,
            }
        }
        None => match model.screen {
            Screen::Flows => serde_json::to_value(model.flows.selected()),
            Screen::Jurisdictions => serde_json::to_value(model.jurisdictions.selected()),
            Screen::Alerts => serde_json::to_value(model.alerts.selected()),
            Screen::Calls => serde_json::to_value(model.calls.selected()),
            Screen::Findings => serde_json::to_value(model.findings.selected()),
            Screen::Status => serde_json::to_value(&model.status),
        },
    };
    match value {
        Ok(Value::Null) => {
            notice(model, "nothing to copy: no row is listed");
            Vec::new()
        }
        Ok(mut value) => {
            if model.masked
                && let Some(source) = value.get_mut("source")
            {
                *source = Value::from(crate::view::MASK);
            }
            notice(model, "copied as JSON (OSC 52: the terminal must allow it)");
            vec![Effect::Copy(value.to_string())]
        }
        Err(error) => {
            notice(model, format!("not copied: {error}"));
            Vec::new()
        }
    }
}

fn subject_json(subject: &Subject) -> serde_json::Result<Value> {
    match subject {
        Subject::Flow(flow) => serde_json::to_value(flow),
        Subject::Alert(alert) => serde_json::to_value(alert),
        Subject::Call(call) => serde_json::to_value(call),
        Subject::Finding(finding) => serde_json::to_value(finding),
    }
}
