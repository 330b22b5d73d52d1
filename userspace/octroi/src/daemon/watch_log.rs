//! The calls and findings that were told, kept for clients.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use octroi_api::{CallRow, FindingRow};
use octroi_events::finding::Activity;
use octroi_events::{CallRecord, Finding};

/// Calls kept.
const CALLS: usize = 1_000;
/// Closed findings kept.
const CLOSED: usize = 1_000;

/// The latest calls and closed findings, oldest first. Open findings are kept by those who find
/// them, as many as may be open at once; here stands which event told of each.
#[derive(Debug, Default)]
pub(super) struct WatchLog {
    calls: VecDeque<Arc<CallRow>>,
    told: HashMap<u64, u64>,
    closed: VecDeque<Arc<FindingRow>>,
    forgotten: u64,
    words: u64,
}

impl WatchLog {
    /// Takes in a call that was told as this event.
    pub(super) fn call(&mut self, event: u64, record: CallRecord) {
        self.words += 1;
        if self.calls.len() == CALLS {
            self.calls.pop_front();
        }
        self.calls.push_back(Arc::new(CallRow {
            id: call_id(&record),
            event: Some(event),
            record,
        }));
    }

    /// Takes in a word on a finding that was told as this event.
    pub(super) fn finding(&mut self, event: u64, finding: Finding) {
        self.words += 1;
        if finding.activity != Activity::Close {
            self.told.insert(finding.id, event);
            return;
        }
        self.told.remove(&finding.id);
        if self.closed.len() == CLOSED {
            self.closed.pop_front();
            self.forgotten += 1;
        }
        self.closed
            .push_back(Arc::new(FindingRow::new(event, finding)));
    }

    /// The calls that are kept, newest first.
    pub(super) fn calls(&self) -> impl ExactSizeIterator<Item = &Arc<CallRow>> {
        self.calls.iter().rev()
    }

    /// The closed findings that are kept, newest first.
    pub(super) fn closed(&self) -> impl ExactSizeIterator<Item = &Arc<FindingRow>> {
        self.closed.iter().rev()
    }

    /// The event that told the latest word on an open finding.
    pub(super) fn event_of(&self, finding: u64) -> u64 {
        self.told.get(&finding).copied().unwrap_or(0)
    }

    /// Closed findings that made room for later ones.
    pub(super) fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// Words taken in: grows with every change.
    pub(super) fn words(&self) -> u64 {
        self.words
    }
}

/// What a call goes by while it runs and afterwards: its first media flow.
pub(super) fn call_id(record: &CallRecord) -> u64 {
    record.call.flow_ids.first().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use octroi_events::Findings;
    use octroi_events::finding::{Hit, Matter};

    use super::*;

    fn hit(second: i64) -> Hit {
        Hit {
            time: Timestamp::from_second(1_795_000_000 + second).unwrap(),
            times: 1,
            client: "10.1.0.5".parse().unwrap(),
            zone: None,
            name: "grabify.link".into(),
            seen_by: "query".into(),
            destination: None,
            matter: Matter::IpLogger {
                host: "grabify.link".into(),
                family: "grabify".into(),
                dual_use: false,
                source: "a list".into(),
            },
        }
    }

    #[test]
    fn a_finding_has_one_event_while_open_and_one_row_when_closed() {
        let mut findings = Findings::default();
        let mut log = WatchLog::default();
        let created = findings.hit(hit(0)).remove(0);
        let id = created.id;
        log.finding(7, created);
        assert_eq!((log.event_of(id), log.closed().len()), (7, 0));
        let closed = findings.flush(hit(9).time).remove(0);
        log.finding(9, closed);
        assert_eq!(log.event_of(id), 0);
        let rows: Vec<_> = log.closed().map(|row| (row.event, &*row.state)).collect();
        assert_eq!(rows, [(9, "closed")]);
        assert_eq!(log.words(), 2);
    }

    #[test]
    fn what_is_closed_is_bounded_and_what_is_forgotten_is_counted() {
        let mut findings = Findings::default();
        let mut log = WatchLog::default();
        for number in 0..CLOSED as u64 + 5 {
            findings.hit(hit(0));
            for closed in findings.flush(hit(1).time) {
                log.finding(number, closed);
            }
        }
        assert_eq!((log.closed().len(), log.forgotten()), (CLOSED, 5));
        assert_eq!(log.closed().next().unwrap().event, CLOSED as u64 + 4);
        assert_eq!(log.closed().last().unwrap().event, 5);
    }
}
