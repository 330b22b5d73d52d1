//! Keeping the atlas new: updates by a process of their own, so that what strangers publish is
//! never parsed beside the tables, and its memory is given back.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use octroi_api::AtlasUpdate;
use octroi_events::{Notice, NoticeKind};
use tokio::process::Command;
use tokio::time::Instant;
use tracing::{error, info};

use super::gate::Gate;
use crate::config::AtlasConfig;
use crate::geo_db::update::{Outcome, Report};

/// Time between two looks at the age of the atlas.
const LOOK_INTERVAL: Duration = Duration::from_mins(1);
/// The first update comes this long after the start.
const FIRST: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
/// This very program, also after its file was replaced by an upgrade.
const THIS_PROGRAM: &str = "/proc/self/exe";

/// Updates the atlas when its time has come or when asked, and minds its age.
pub(super) async fn keep_new(gate: Arc<Gate>) {
    let mut stop = gate.stop.subscribe();
    let config = &gate.config.atlas;
    let every = (config.sources.is_some() && config.update_every_h > 0)
        .then(|| HOUR * config.update_every_h);
    let mut due = every.map(|every| Instant::now() + FIRST.min(every));
    loop {
        gate.mind_the_age();
        let wake = Instant::now() + LOOK_INTERVAL;
        let asked = tokio::select! {
            () = tokio::time::sleep_until(due.map_or(wake, |due| due.min(wake))) => false,
            () = gate.update_now.notified() => true,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        if !asked && due.is_none_or(|due| Instant::now() < due) {
            continue;
        }
        due = every.map(|every| Instant::now() + every);
        tokio::select! {
            () = update(&gate) => {}
            // The update's process is killed as its future is dropped; it has replaced nothing.
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

async fn update(gate: &Arc<Gate>) {
    let report = run(&gate.config.atlas).await;
    let gate = Arc::clone(gate);
    let told = tokio::task::spawn_blocking(move || match report {
        Ok(report) => take(&gate, &report),
        Err(error) => {
            let message = format!("the atlas was not updated, the old one stays: {error:#}");
            error!("{message}");
            remember(&gate, "failed", &message, vec![message.clone()]);
            gate.tell(NoticeKind::AtlasRefused, message);
        }
    });
    if let Err(error) = told.await {
        error!("an update of the atlas ended badly: {error}");
    }
}

/// Runs `octroi geo-db update` and reads its report.
async fn run(config: &AtlasConfig) -> Result<Report> {
    let (Some(file), Some(sources)) = (&config.file, &config.sources) else {
        bail!("the configuration names no `atlas.sources` to update it from");
    };
    let mut command = Command::new(THIS_PROGRAM);
    command.args(["geo-db", "update", "--json"]);
    command.arg("--sources").arg(sources);
    command.arg("--output").arg(file);
    command.arg("--timeout").arg(config.timeout_s.to_string());
    for (flag, path) in [("--packages", &config.packages), ("--cache", &config.cache)] {
        if let Some(path) = path {
            command.arg(flag).arg(path);
        }
    }
    let output = command
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .context("cannot start the update")?;
    serde_json::from_slice(&output.stdout).map_err(|_| {
        let said = String::from_utf8_lossy(&output.stderr);
        anyhow::anyhow!(
            "{} ({})",
            said.trim().trim_start_matches("octroi: "),
            output.status
        )
    })
}

/// Takes what an update made, and tells what it could not take: one notice for one update.
fn take(gate: &Gate, report: &Report) {
    let problems: Vec<String> = report
        .failed()
        .map(|source| {
            let problem = source.problem.as_deref().unwrap_or("no data");
            format!("source {}: {problem}", source.id)
        })
        .chain(report.refusals.iter().map(ToString::to_string))
        .collect();
    let summary = report.summary();
    match report.outcome {
        Outcome::Updated => match gate.reload_atlas(&problems) {
            Ok(()) => remember(gate, "updated", &summary, problems),
            Err(refused) => remember(gate, "refused", &refused, vec![refused.clone()]),
        },
        Outcome::Unchanged if problems.is_empty() => {
            info!("{summary}");
            remember(gate, "unchanged", &summary, problems);
        }
        outcome => {
            let word = if outcome == Outcome::Refused {
                "refused"
            } else {
                "unchanged"
            };
            let mut message = format!("{summary}: {}", problems.join("; "));
            let new: Vec<&str> = report.updated().map(|source| source.id.as_str()).collect();
            if !report.refusals.is_empty() && !new.is_empty() {
                message = format!("{message}; new data came from: {}", new.join(", "));
            }
            error!("{message}");
            let notice = Notice::new(Timestamp::now(), NoticeKind::AtlasRefused, message);
            gate.engine().teller.notice(facts(report, notice));
            remember(gate, word, &summary, problems);
        }
    }
}

fn facts(report: &Report, mut notice: Notice) -> Notice {
    for source in report.failed() {
        notice = notice
            .with("source", &source.id)
            .with("place", &source.place)
            .with("reason", source.problem.as_deref().unwrap_or("no data"));
    }
    for refusal in &report.refusals {
        notice = notice.with("guard", refusal.guard.name());
        if let Some(source) = &refusal.source {
            notice = notice.with("source", source);
        }
        notice = notice
            .with("found", &refusal.found)
            .with("allowed", &refusal.allowed)
            .with("remedy", &refusal.remedy);
    }
    notice
}

fn remember(gate: &Gate, outcome: &str, message: &str, problems: Vec<String>) {
    gate.atlas().update = Some(AtlasUpdate {
        time: Timestamp::now(),
        outcome: outcome.to_owned(),
        message: message.to_owned(),
        problems,
    });
}
