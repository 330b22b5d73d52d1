//! What the daemon tells, taken into the model or held back while it is frozen.

use crate::message::Update;
use crate::model::{ALERTS_KEPT, AlertsPart, Connection, FlowsPart, Model, Screen, Subject};

/// Takes one update.
pub(super) fn take(model: &mut Model, update: Update) {
    let mut changed = false;
    if model.connection != Connection::Up {
        model.connection = Connection::Up;
        changed = true;
    }
    // The header shows whole seconds: a finer difference is no reason to draw.
    changed |= model.now_ms.div_euclid(1_000) != update.now_ms.div_euclid(1_000);
    changed |= model.lost != update.lost;
    model.now_ms = update.now_ms;
    model.lost = update.lost;
    if let Some(status) = update.status
        && model.status != *status
    {
        model.status = *status;
        changed = true;
    }
    if let Some(policy) = update.policy
        && model.policy != *policy
    {
        model.policy = *policy;
        changed = true;
    }
    if let Some(frozen) = &mut model.frozen {
        frozen.updates += 1;
        if update.flows.is_some() {
            frozen.flows = update.flows;
        }
        if update.jurisdictions.is_some() {
            frozen.jurisdictions = update.jurisdictions;
        }
        if let Some(part) = update.alerts {
            hold_back(&mut frozen.alerts, part);
        }
        changed = true;
    } else {
        if let Some(part) = update.flows {
            changed |= flows(model, part);
        }
        if let Some(rows) = update.jurisdictions {
            changed |= model.jurisdictions.replace(rows);
        }
        if let Some(part) = update.alerts {
            changed |= alerts(model, part);
        }
    }
    model.dirty |= changed;
}

/// Ends the pause and takes what was held back.
pub(super) fn thaw(model: &mut Model) {
    let Some(frozen) = model.frozen.take() else {
        return;
    };
    if let Some(part) = frozen.flows {
        flows(model, part);
    }
    if let Some(rows) = frozen.jurisdictions {
        model.jurisdictions.replace(rows);
    }
    alerts(model, frozen.alerts);
    model.dirty = true;
}

fn flows(model: &mut Model, part: FlowsPart) -> bool {
    let mut changed = model.flows.replace(part.rows);
    changed |= (model.flows_total, model.flows_matched) != (part.total, part.matched);
    model.flows_total = part.total;
    model.flows_matched = part.matched;
    if let Some(detail) = &mut model.detail
        && let Subject::Flow(shown) = &mut detail.subject
        && let Some(row) = model.flows.get(&shown.id)
    {
        **shown = row.clone();
    }
    changed
}

/// Keeps alerts for the end of the pause.
fn hold_back(held: &mut AlertsPart, part: AlertsPart) {
    if part.all {
        *held = part;
    } else {
        held.rows.extend(part.rows);
        let surplus = held.rows.len().saturating_sub(ALERTS_KEPT);
        held.rows.drain(..surplus);
    }
}

fn alerts(model: &mut Model, part: AlertsPart) -> bool {
    let new = part
        .rows
        .iter()
        .filter(|row| model.alerts.get(&row.id).is_none())
        .count();
    if model.screen != Screen::Alerts {
        model.alerts_new += u64::try_from(new).unwrap_or(u64::MAX);
    }
    if part.all {
        model.alerts.replace(part.rows)
    } else {
        model
            .alerts
            .merge(part.rows, ALERTS_KEPT, |row| row.time_ms)
    }
}
