//! What the daemon tells, taken into the model or held back while it is frozen.

use crate::message::Update;
use crate::model::{
    ALERTS_KEPT, AlertsPart, CallsPart, Connection, FindingsPart, FlowsPart, Model, Screen, Subject,
};

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
        if update.calls.is_some() {
            frozen.calls = update.calls;
        }
        if update.findings.is_some() {
            frozen.findings = update.findings;
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
        if let Some(part) = update.calls {
            changed |= calls(model, part);
        }
        if let Some(part) = update.findings {
            changed |= findings(model, part);
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
    if let Some(part) = frozen.calls {
        calls(model, part);
    }
    if let Some(part) = frozen.findings {
        findings(model, part);
    }
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

fn calls(model: &mut Model, part: CallsPart) -> bool {
    let mut changed = model.calls.replace(part.rows);
    let counts = (part.told, part.matched, part.dropped);
    changed |= (model.calls_told, model.calls_matched, model.calls_dropped) != counts;
    (model.calls_told, model.calls_matched, model.calls_dropped) = counts;
    if let Some(detail) = &mut model.detail
        && let Subject::Call(shown) = &mut detail.subject
        && let Some(row) = model.calls.get(&shown.id)
    {
        **shown = row.clone();
    }
    changed
}

fn findings(model: &mut Model, part: FindingsPart) -> bool {
    let unknown = |id| model.findings.get(id).is_none();
    let new = { part.rows.iter() }.filter(|row| row.state == "open" && unknown(&row.id));
    let new = u64::try_from(new.count()).unwrap_or(u64::MAX);
    if model.screen != Screen::Findings {
        model.findings_new = model.findings_new.saturating_add(new);
    }
    let mut changed = model.findings.replace(part.rows);
    let counts = (part.open, part.matched);
    changed |= (model.findings_open, model.findings_matched) != counts;
    (model.findings_open, model.findings_matched) = counts;
    if let Some(detail) = &mut model.detail
        && let Subject::Finding(shown) = &mut detail.subject
        && let Some(row) = model.findings.get(&shown.id)
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
