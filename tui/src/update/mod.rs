//! What happens to the model: one message in, changed state and effects out. No I/O.

mod data;
mod keys;

use crate::layout;
use crate::message::{Effect, Key, Message, Target};
use crate::model::list::{List, Row};
use crate::model::{Connection, Loading, Model, NOTICE_MS, Screen};
use crate::view;

/// Applies one message.
pub fn update(model: &mut Model, message: Message) -> Vec<Effect> {
    let effects = match message {
        Message::Clock(now_ms) => {
            clock(model, now_ms);
            return Vec::new();
        }
        Message::Key(key) => keys::press(model, key),
        Message::Paste(text) => keys::paste(model, &text),
        Message::Click(target) => click(model, target),
        Message::Scroll(rows) => {
            keys::travel(model, rows);
            Vec::new()
        }
        Message::Resize(width, height) => {
            model.size = (width, height);
            model.dirty = true;
            Vec::new()
        }
        Message::Update(update) => {
            data::take(model, *update);
            Vec::new()
        }
        Message::Connection(connection) => {
            connected(model, connection);
            Vec::new()
        }
        Message::Reason(id, answer) => {
            if let Some(detail) = &mut model.detail
                && detail.subject.id() == &id
            {
                detail.reason = Some(match answer {
                    Ok(reason) => Loading::Ready(reason),
                    Err(why) => Loading::Failed(why),
                });
                model.dirty = true;
            }
            Vec::new()
        }
        Message::Acknowledged(told) => {
            notice(model, told);
            Vec::new()
        }
        Message::FilterRefused(why, column) => {
            refuse_filter(model, why, column);
            Vec::new()
        }
    };
    fit(model);
    effects
}

fn connected(model: &mut Model, connection: Connection) {
    if model.connection != connection {
        model.connection = connection;
        model.dirty = true;
    }
}

/// Opens the filter line again with what the daemon said of it.
fn refuse_filter(model: &mut Model, why: String, column: usize) {
    if model.filter.editing.is_none() {
        model.filter.editing = Some(model.filter.applied.clone().into());
    }
    model.filter.error = Some((why, column));
    model.dirty = true;
}

fn clock(model: &mut Model, now_ms: u64) {
    model.clock_ms = model.clock_ms.max(now_ms);
    let now_ms = model.clock_ms;
    let mut changed = model.flows.expire_hold(now_ms);
    changed |= model.jurisdictions.expire_hold(now_ms);
    changed |= model.alerts.expire_hold(now_ms);
    changed |= model.calls.expire_hold(now_ms);
    changed |= model.findings.expire_hold(now_ms);
    if matches!(&model.notice, Some((_, until)) if *until <= now_ms) {
        model.notice = None;
        changed = true;
    }
    if changed {
        model.dirty = true;
        fit(model);
    }
}

fn click(model: &mut Model, target: Target) -> Vec<Effect> {
    model.dirty = true;
    match target {
        Target::Screen(screen) => {
            go(model, screen);
            Vec::new()
        }
        Target::Row(id) => {
            let now_ms = model.clock_ms;
            let again = match model.screen {
                Screen::Flows => choose(&mut model.flows, &id, now_ms),
                Screen::Jurisdictions => choose(&mut model.jurisdictions, &id, now_ms),
                Screen::Alerts => choose(&mut model.alerts, &id, now_ms),
                Screen::Calls => choose(&mut model.calls, &id, now_ms),
                Screen::Findings => choose(&mut model.findings, &id, now_ms),
                Screen::Status => false,
            };
            if again {
                keys::press(model, Key::Enter)
            } else {
                Vec::new()
            }
        }
        Target::Sort(column) => {
            match model.screen {
                Screen::Flows => {
                    model.flows.sort_by(column);
                    return vec![Effect::Watch(model.wanted())];
                }
                Screen::Jurisdictions => model.jurisdictions.sort_by(column),
                Screen::Alerts => model.alerts.sort_by(column),
                Screen::Calls => model.calls.sort_by(column),
                Screen::Findings => model.findings.sort_by(column),
                Screen::Status => {}
            }
            Vec::new()
        }
        Target::Key(key) => keys::press(model, key),
    }
}

/// Puts the cursor on a clicked row. Answers whether it was there already, put by hand.
fn choose<R: Row>(list: &mut List<R>, id: &crate::model::row::RowId, now_ms: u64) -> bool {
    let again = list.chosen() && list.selected_id() == Some(id);
    list.select(id.clone(), now_ms);
    again
}

/// Shows a screen, and closes what lies over it.
fn go(model: &mut Model, screen: Screen) {
    model.screen = screen;
    model.detail = None;
    model.help = false;
    match screen {
        Screen::Alerts => model.alerts_new = 0,
        Screen::Findings => model.findings_new = 0,
        _ => {}
    }
    model.dirty = true;
}

/// Shows a passing message.
fn notice(model: &mut Model, text: impl Into<String>) {
    model.notice = Some((text.into(), model.clock_ms.saturating_add(NOTICE_MS)));
    model.dirty = true;
}

/// Scrolls lists and sheets so that what is under the cursor is on screen.
fn fit(model: &mut Model) {
    let height = |screen, model: &Model| usize::from(layout::areas(model.size, screen).rows.height);
    let heights = Screen::ALL.map(|screen| height(screen, model));
    let of = |screen: Screen| heights[screen.index()];
    model.flows.fit(of(Screen::Flows));
    model.jurisdictions.fit(of(Screen::Jurisdictions));
    model.alerts.fit(of(Screen::Alerts));
    model.calls.fit(of(Screen::Calls));
    model.findings.fit(of(Screen::Findings));
    let page = usize::from(layout::areas(model.size, model.screen).sheet.height);
    if model.help {
        let last = view::help_height(model).saturating_sub(page);
        model.help_scroll = model.help_scroll.min(last);
    } else if model.detail.is_some() || model.screen == Screen::Status {
        let last = view::sheet_height(model).saturating_sub(page);
        match &mut model.detail {
            Some(detail) => detail.scroll = detail.scroll.min(last),
            None => model.status_scroll = model.status_scroll.min(last),
        }
    }
}
