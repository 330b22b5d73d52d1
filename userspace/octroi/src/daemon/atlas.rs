//! The atlas in force: opened as the configuration says, and swapped for a newer one while traffic
//! flows. All or nothing; on any error the old one stays, and that is told.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use jiff::Timestamp;
use jiff::civil::Date;
use octroi_api::AtlasUpdate;
use octroi_events::{Notice, NoticeKind};
use octroi_geo_db::Atlas;
use octroi_geo_db::compare::Standing;
use tracing::{error, info, warn};

use super::gate::Gate;
use super::registry::{LiveFlow, address};
use crate::config::AtlasConfig;
use crate::geo_db::{self, signature};
use crate::judge::{self, Judge, today};

/// Changed flows that a report lists one by one.
const LISTED_FLOWS: usize = 10;
/// Kinds of changes that a report lists.
const LISTED_CHANGES: usize = 10;

/// What is known of the atlas in force.
#[derive(Clone, Debug, Default)]
pub(super) struct Opened {
    /// The file it was read from; `None`: the one inside the binary.
    pub(super) file: Option<String>,
    /// The trusted comment of its signature, when one is asked for.
    pub(super) signed: Option<String>,
}

/// Where the atlas came from, and its last update.
#[derive(Debug)]
pub(super) struct AtlasState {
    /// Of the atlas in force.
    pub(super) opened: Opened,
    /// The last update by this daemon.
    pub(super) update: Option<AtlasUpdate>,
    /// The day on which its age was told last.
    pub(super) age_told: Option<Date>,
}

impl AtlasState {
    pub(super) fn of(opened: Opened) -> Self {
        Self {
            opened,
            update: None,
            age_told: None,
        }
    }
}

/// Opens the atlas that the configuration names, with the laws of a day. A file that this gateway builds itself and has not
/// built yet is no error: the atlas inside the binary holds until then.
pub(super) fn open(config: &AtlasConfig, day: Date) -> Result<(Arc<Atlas>, Opened)> {
    let embedded = || {
        let atlas = judge::open_atlas(None, day)?;
        // Decisions must not wait for what would be made at the first look-ups.
        atlas.prepare()?;
        anyhow::Ok((atlas, Opened::default()))
    };
    let Some(path) = &config.file else {
        return embedded();
    };
    if config.sources.is_some() && !path.exists() {
        warn!(
            "{} is not built yet: the atlas inside the binary holds until the first update",
            path.display()
        );
        return embedded();
    }
    let key = config.public_key.as_deref();
    let key = key.map(signature::read_key).transpose()?;
    let (atlas, opened) = geo_db::open_signed(path, key.as_ref(), day)
        .with_context(|| format!("cannot use the atlas {}", path.display()))?;
    atlas
        .prepare()
        .with_context(|| format!("cannot use the atlas {}", path.display()))?;
    let opened = Opened {
        file: Some(path.display().to_string()),
        signed: opened.signed,
    };
    Ok((Arc::new(atlas), opened))
}

/// Days since the newest data of an atlas.
pub(super) fn age_days(atlas: &Atlas) -> u32 {
    let span = today().since(atlas.meta().built);
    span.map_or(0, |span| u32::try_from(span.get_days()).unwrap_or(0))
}

/// The problem of an old atlas, in words.
pub(super) fn too_old(age_days: u32, max_age_days: u32) -> String {
    format!(
        "the atlas's newest data is {age_days} days old, allowed are {max_age_days}: install a \
         newer one (docs/updates.md), or raise atlas.max_age_d"
    )
}

impl Gate {
    /// Opens the configured atlas file again and swaps it in when it is another one; nothing to do
    /// for the one in the binary. What became of it is logged and told; `problems` go with it: what
    /// an update could not take.
    ///
    /// # Errors
    /// It was refused and the old one stays: what was told.
    pub(super) fn reload_atlas(&self, problems: &[String]) -> Result<(), String> {
        let Some(path) = &self.config.atlas.file else {
            return Ok(());
        };
        self.try_atlas(path, problems).map_err(|refusal| {
            let message = format!("the atlas was refused, the old one stays: {refusal:#}");
            error!("{message}");
            let notice = Notice::new(Timestamp::now(), NoticeKind::AtlasRefused, message.clone())
                .with("source", path.display())
                .with("reason", format!("{refusal:#}"));
            self.engine().teller.notice(notice);
            message
        })
    }

    fn try_atlas(&self, path: &Path, problems: &[String]) -> Result<()> {
        let _alone = self.changing();
        let (atlas, opened) = open(&self.config.atlas, self.engine().judge.day())?;
        let (policy, old) = {
            let engine = self.engine();
            (
                Arc::clone(&engine.judge.policy),
                Arc::clone(&engine.judge.atlas),
            )
        };
        if atlas.meta().version == old.meta().version {
            self.atlas().opened = opened;
            return Ok(());
        }
        let kernel_tables = atlas.kernel_tables()?;
        let tables = policy.compile(atlas.as_ref(), atlas.catalogue().day())?;
        let changes = Changes::of(self, &old, &atlas);
        // Lock order: datapath before engine.
        let mut datapath = self.datapath_mut();
        let applied = datapath.apply_atlas_and_policy(&kernel_tables, &tables)?;
        drop(kernel_tables);
        let mut engine = self.engine();
        let mut message = format!(
            "atlas {} of {} replaces {} as generation {} after {} ms; {}",
            atlas.meta().version,
            path.display(),
            old.meta().version,
            applied.generation,
            applied.took.as_millis(),
            changes.summary()
        );
        for problem in problems {
            let _ = write!(message, "; {problem}");
        }
        engine.judge = Judge { atlas, policy };
        engine.generation = applied.generation;
        let notice = Notice::new(Timestamp::now(), NoticeKind::AtlasApplied, message.clone())
            .with("atlas_version", &engine.judge.atlas.meta().version)
            .with("generation", applied.generation);
        engine.teller.notice(changes.facts(notice));
        drop(engine);
        drop(datapath);
        self.judge_anew();
        self.atlas().opened = opened;
        info!("{message}");
        Ok(())
    }

    /// Tells once a day that the atlas is older than allowed.
    pub(super) fn mind_the_age(&self) {
        let age = age_days(&self.engine().judge.atlas);
        let allowed = self.config.atlas.max_age_d;
        let mut state = self.atlas();
        if age <= allowed || state.age_told == Some(today()) {
            return;
        }
        state.age_told = Some(today());
        drop(state);
        let message = too_old(age, allowed);
        warn!("{message}");
        self.tell(NoticeKind::AtlasOld, message);
    }
}

/// The live flows whose standing another atlas changes.
pub(super) struct Changes {
    flows: usize,
    by_kind: Vec<(String, usize)>,
    first: Vec<String>,
}

impl Changes {
    /// Compares the two for every live flow; the oldest are listed.
    pub(super) fn of(gate: &Gate, old: &Atlas, new: &Atlas) -> Self {
        let mut counted: HashMap<(Standing, Standing), usize> = HashMap::new();
        let mut first: Vec<(u64, String)> = Vec::new();
        let mut changed = 0;
        gate.each_flow(|engine, flow| {
            let to = address(flow.key.outside, flow.key.family);
            let judged_by = engine.judge.policy.looked_up(to);
            let before = Standing::of(old.profile(old.class_of(judged_by)));
            let after = Standing::of(new.profile(new.class_of(judged_by)));
            if before == after {
                return;
            }
            changed += 1;
            let since = flow.state.first_ns;
            let place = first.partition_point(|(other, _)| *other <= since);
            if place < LISTED_FLOWS {
                first.insert(place, (since, line(flow, to, &before, &after)));
                first.truncate(LISTED_FLOWS);
            }
            *counted.entry((before, after)).or_default() += 1;
        });
        let mut by_kind: Vec<(String, usize)> = counted
            .iter()
            .map(|((before, after), count)| (change(before, after), *count))
            .collect();
        by_kind.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        Self {
            flows: changed,
            by_kind,
            first: first.into_iter().map(|(_, line)| line).collect(),
        }
    }

    pub(super) fn summary(&self) -> String {
        let mut text = match self.flows {
            0 => return "no live flow changes class".to_owned(),
            1 => "1 live flow changes class".to_owned(),
            flows => format!("{flows} live flows change class"),
        };
        let mut separator = ": ";
        for (kind, count) in self.by_kind.iter().take(LISTED_CHANGES) {
            let _ = write!(text, "{separator}{kind} ({count})");
            separator = "; ";
        }
        text
    }

    pub(super) fn facts(&self, notice: Notice) -> Notice {
        let mut notice = notice.with("flows_changed", self.flows);
        let changes = self.by_kind.iter().take(LISTED_CHANGES);
        for (number, (kind, count)) in (1..).zip(changes) {
            notice = notice.with(&format!("change_{number}"), format!("{kind}: {count}"));
        }
        for (number, flow) in (1..).zip(&self.first) {
            notice = notice.with(&format!("flow_{number}"), flow);
        }
        notice
    }
}

fn line(flow: &LiveFlow, to: IpAddr, before: &Standing, after: &Standing) -> String {
    let from = address(flow.key.inside, flow.key.family);
    format!(
        "flow {}: {from} port {} to {to} port {}, protocol {}: {}",
        flow.id,
        flow.key.inside_port,
        flow.key.outside_port,
        flow.key.protocol,
        change(before, after)
    )
}

fn change(before: &Standing, after: &Standing) -> String {
    format!(
        "{} -> {}",
        geo_db::standing_in_words(before),
        geo_db::standing_in_words(after)
    )
}
