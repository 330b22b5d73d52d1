//! Calls and findings as clients list them.

use std::sync::Arc;

use octroi_api::filter::{At, Filter};
use octroi_api::{
    ApiError, CallRow, CallsPage, ErrorCode, FindingRow, FindingsPage, MAX_WATCHED_ROWS, Peer,
};
use octroi_events::finding::Acknowledgement;

use super::engine::Engine;
use super::gate::Gate;
use super::watch_log::call_id;

/// What the pages of a moment depend on, besides their filters.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct State {
    words: u64,
    hits: u64,
    running: usize,
}

impl State {
    /// That of now.
    pub(super) fn of(engine: &Engine) -> Self {
        Self {
            words: engine.teller.watched().words(),
            hits: engine.teller.watch().findings().hits(),
            running: engine.teller.watch().running().len(),
        }
    }

    /// Whether some call is not over: its values change by themselves.
    pub(super) const fn runs(self) -> bool {
        self.running > 0
    }
}

/// The calls of a filter: those that run, the youngest first, then the latest that are over (of
/// these only such with an event greater than `after`).
pub(super) fn calls_page(
    gate: &Gate,
    filter: &Filter,
    limit: u32,
    after: Option<u64>,
) -> CallsPage {
    let now = jiff::Timestamp::now();
    let mut page = CallsPage {
        now,
        told: 0,
        kept: 0,
        dropped: 0,
        matching: 0,
        rows: Vec::new(),
    };
    // Only pointers are taken under the lock: decisions wait for it.
    let (running, over) = {
        let engine = gate.engine();
        let (watch, log) = (engine.teller.watch(), engine.teller.watched());
        (page.told, page.dropped) = watch.calls();
        let over = log.calls();
        page.kept = over.len() as u64;
        let over = over.take_while(|row| after.is_none_or(|after| row.event > Some(after)));
        let over: Vec<_> = over.map(Arc::clone).collect();
        (watch.running().to_vec(), over)
    };
    let running = running.into_iter().rev().map(|record| {
        Arc::new(CallRow {
            id: call_id(&record),
            event: None,
            record,
        })
    });
    for row in running.chain(over) {
        if filter.matches(&At { row: &*row, now }) {
            page.matching += 1;
            if page.rows.len() < limit.min(MAX_WATCHED_ROWS) as usize {
                page.rows.push(Arc::unwrap_or_clone(row));
            }
        }
    }
    page
}

/// The findings of a filter: those that are not closed, the latest first, then the latest closed
/// ones (all of them only with an event greater than `after`).
pub(super) fn findings_page(
    gate: &Gate,
    filter: &Filter,
    limit: u32,
    after: Option<u64>,
) -> FindingsPage {
    let now = jiff::Timestamp::now();
    let mut page = FindingsPage {
        now,
        hits: 0,
        open: 0,
        kept: 0,
        forgotten: 0,
        matching: 0,
        rows: Vec::new(),
    };
    let is_new = |event: u64| after.is_none_or(|after| event > after);
    // Sentences are made when the lock is free again: decisions wait for it.
    let (open, closed) = {
        let engine = gate.engine();
        let (findings, log) = (engine.teller.watch().findings(), engine.teller.watched());
        let open = findings.open();
        let closed = log.closed();
        (page.hits, page.forgotten) = (findings.hits(), log.forgotten());
        (page.open, page.kept) = (open.len() as u64, closed.len() as u64);
        let open = { open.into_iter() }
            .map(|finding| (log.event_of(finding.id), finding))
            .filter(|(event, _)| is_new(*event))
            .map(|(event, finding)| (event, finding.clone()));
        let open: Vec<_> = open.collect();
        let closed = closed.filter(|row| is_new(row.event)).map(Arc::clone);
        (open, closed.collect::<Vec<_>>())
    };
    let open = { open.into_iter() }.map(|(event, finding)| FindingRow::new(event, finding));
    for row in open.map(Arc::new).chain(closed) {
        if filter.matches(&At { row: &*row, now }) {
            page.matching += 1;
            if page.rows.len() < limit.min(MAX_WATCHED_ROWS) as usize {
                page.rows.push(Arc::unwrap_or_clone(row));
            }
        }
    }
    page
}

/// Notes that the peer looks into a finding.
pub(super) fn acknowledge(gate: &Gate, peer: &Peer, id: u64) -> Result<String, ApiError> {
    // The user database may be slow: before the lock.
    let user = peer.user();
    match gate.engine().teller.acknowledge(id, &user) {
        Acknowledgement::Taken(finding) => Ok(format!(
            "finding {id} is acknowledged by {user}: {}",
            finding.signature()
        )),
        Acknowledgement::Already(known) => Ok(format!(
            "finding {id} was acknowledged by {} at {:.0}; nothing changed",
            known.by, known.at
        )),
        Acknowledgement::Unknown => Err(ApiError::new(
            ErrorCode::NotFound,
            format!("no open finding has the id {id}"),
        )
        .with_remedy("`octroi findings --json` shows the ids of those that are open")),
    }
}
