//! The gates of older versions that this start took over: said in the log, in `status`, in a notice,
//! and in a record for each of their flows.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use octroi_abi::flow::{FlowKey, FlowState};
use octroi_datapath::TakeOver;
use octroi_events::{Notice, NoticeKind};
use tracing::info;

use super::gate::Gate;
use super::registry::{End, LiveFlow};

/// Records told at once.
const CHUNK: usize = 256;
/// Time for the sinks when their queue is half full.
const PAUSE: Duration = Duration::from_millis(20);

/// What became of them.
#[derive(Default)]
pub(super) struct TakenOver {
    reports: Vec<TakeOver>,
    told: Vec<String>,
}

impl TakenOver {
    /// Keeps the reports until they are told.
    pub(super) fn of(reports: Vec<TakeOver>) -> Self {
        let told: Vec<_> = reports.iter().map(ToString::to_string).collect();
        for line in &told {
            info!("{line}");
        }
        Self { reports, told }
    }

    /// In words.
    pub(super) fn told(&self) -> Vec<String> {
        self.told.clone()
    }
}

/// Tells what was taken over: a notice for each gate, the closed account of each of its flows. As
/// fast as the sinks take it: a full queue would give up records.
pub(super) async fn tell(gate: Arc<Gate>) {
    let reports = std::mem::take(&mut gate.taken_over().reports);
    for report in reports {
        let notice = Notice::new(Timestamp::now(), NoticeKind::Upgraded, report.to_string())
            .with("from_abi", report.abi)
            .with("flows_closed", report.accounts.len())
            .with("flows_carried", report.carried);
        gate.engine().teller.notice(notice);
        for accounts in report.accounts.chunks(CHUNK) {
            while is_half_full(&gate) && !*gate.stop.borrow() {
                tokio::time::sleep(PAUSE).await;
            }
            tell_accounts(&gate, accounts);
        }
    }
}

fn is_half_full(gate: &Gate) -> bool {
    let queue = gate.engine().teller.queue();
    queue.length * 2 > queue.capacity
}

fn tell_accounts(gate: &Gate, accounts: &[(FlowKey, FlowState)]) {
    let mut engine = gate.engine();
    let engine = &mut *engine;
    for (key, state) in accounts {
        let flow = LiveFlow::new(*key, *state, 0);
        engine
            .teller
            .record(&engine.judge, &engine.clock, &flow, End::Upgraded);
    }
}
