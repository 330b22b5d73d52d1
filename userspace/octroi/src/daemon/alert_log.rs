//! The latest alerts, kept for clients.

use std::collections::VecDeque;

use octroi_api::AlertRow;
use octroi_events::Alert;

/// Alerts kept.
const KEPT: usize = 10_000;

/// The latest alerts, oldest first.
#[derive(Debug, Default)]
pub(super) struct AlertLog {
    rows: VecDeque<AlertRow>,
    raised: u64,
}

impl AlertLog {
    /// Takes in an alert that was told under this sequence number.
    pub(super) fn push(&mut self, sequence: u64, alert: &Alert) {
        if self.rows.len() == KEPT {
            self.rows.pop_front();
        }
        let conversation = &alert.conversation;
        self.rows.push_back(AlertRow {
            id: sequence,
            time: alert.time,
            last: alert.last,
            count: alert.count,
            severity: alert.severity,
            signature: alert.signature(),
            flow_id: conversation.flow_id,
            source: conversation.source,
            destination: conversation.destination,
            source_port: conversation.source_port,
            destination_port: conversation.destination_port,
            protocol: conversation.protocol,
            app_protocol: conversation.app_protocol.clone(),
            name: conversation.name.clone(),
            residency: alert.residency.clone(),
        });
    }

    /// One more alert was raised, whether told at once or folded.
    pub(super) fn count(&mut self) {
        self.raised += 1;
    }

    /// The alerts that are kept, newest first.
    pub(super) fn newest_first(&self) -> impl Iterator<Item = &AlertRow> {
        self.rows.iter().rev()
    }

    /// Alerts raised since the start, folded ones included.
    pub(super) fn raised(&self) -> u64 {
        self.raised
    }

    /// Alerts kept.
    pub(super) fn kept(&self) -> u64 {
        self.rows.len() as u64
    }
}
