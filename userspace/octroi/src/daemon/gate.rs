//! The gate: what all tasks of the daemon share, how it is raised and how it is left.
//!
//! Lock order: datapath before engine.

use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use jiff::civil::Date;
use nix::unistd::Group;
use octroi_api::InterfaceStatus;
use octroi_datapath::{Answers, Datapath, EventRing, HeldRing, LoadOptions, SampleRing};
use octroi_events::{Notice, NoticeKind, Origin};
use octroi_policy::{NamesMode, Policy};
use tokio::sync::{Notify, watch};
use tracing::info;

use super::atlas::AtlasState;
use super::engine::Engine;
use super::guarded::{self, Guarded};
use super::interfaces;
use super::taken_over::TakenOver;
use super::tell::Teller;
use crate::config::Config;
use crate::judge::{self, Judge};

/// What all tasks share.
pub(super) struct Gate {
    /// The configuration.
    pub(super) config: Config,
    /// Who tells events.
    pub(super) origin: Origin,
    /// Start of the daemon.
    pub(super) started: Timestamp,
    /// Set when the daemon is to stop.
    pub(super) stop: watch::Sender<bool>,
    /// Told when the atlas is to be updated at once.
    pub(super) update_now: Notify,
    /// Told when interfaces or addresses may have changed.
    pub(super) look_now: Notify,
    datapath: RwLock<Datapath>,
    /// Fair where that is asked for: see [`super::turns`].
    engine: parking_lot::Mutex<Engine>,
    guarded: Mutex<Vec<Guarded>>,
    atlas: Mutex<AtlasState>,
    taken_over: Mutex<TakenOver>,
    changing: Mutex<()>,
}

/// The rings of the kernel, for the tasks that drain them.
pub(super) struct Rings {
    /// Decisions.
    pub(super) events: EventRing,
    /// First payload bytes.
    pub(super) samples: SampleRing,
    /// Frames that wait for a decision.
    pub(super) held: HeldRing,
}

impl Gate {
    /// Raises the gate: opens sinks, atlas and policy, loads or adopts the programs, fills the
    /// tables, and only then attaches, so that no interface is guarded by empty tables. What fails
    /// before the kernel is touched leaves it as it was.
    pub(super) fn raise(config: Config) -> Result<(Self, Rings)> {
        for wanted in &config.interfaces {
            if !wanted.optional && interfaces::index(&wanted.name).is_none() {
                bail!(
                    "there is no interface \"{}\" in this network namespace: correct \
                     `interfaces` in the configuration (ip link shows what there is), or mark it \
                     `optional = true` if it comes later",
                    wanted.name
                );
            }
        }
        let origin = origin(&config);
        let mut teller = Teller::open(&config.events, config.calls, &origin)?;
        let progress = Progress::start();
        progress.step("opening the atlas");
        let (atlas, opened) = super::atlas::open(&config.atlas, judge::day_of_law())?;
        progress.step("reading the policy");
        let (text, file) = judge::policy_text(&config.policy)?;
        let policy = Policy::parse(&text, &file, atlas.catalogue())?;
        for warning in &policy.warnings {
            tracing::warn!("{warning}");
        }
        names_can_be_strict(&config, &policy)?;
        let tables = policy.compile(atlas.as_ref(), atlas.catalogue().day())?;
        progress.step("compiling the atlas for the kernel");
        let kernel_tables = atlas.kernel_tables()?;
        progress.step("loading the kernel programs");
        let mut datapath = Datapath::load(&LoadOptions {
            flows: [config.flows.room_v4, config.flows.room_v6],
            ..LoadOptions::new(&config.pin_root)
        })?;
        info!("{}", datapath.load_report());
        for warning in &datapath.load_report().warnings {
            tracing::warn!("{warning}");
        }
        let own: Vec<_> = interfaces::own_addresses()?.into_iter().collect();
        datapath.set_gateway_addresses(&own)?;
        progress.step("filling the kernel's tables");
        let applied = datapath.apply_atlas_and_policy(&kernel_tables, &tables)?;
        drop(kernel_tables);
        info!(
            "policy {} ({} mode) and atlas {} in force as generation {} after {} ms",
            policy.name,
            policy.mode.name(),
            atlas.meta().version,
            applied.generation,
            applied.took.as_millis()
        );
        progress.step("taking over the gate of an older version");
        let taken_over = TakenOver::of(datapath.take_over()?);
        progress.step("attaching");
        let guarded = guarded::attach_all(&mut datapath, &config)?;
        progress.done();
        for guarded in &guarded {
            teller.interface(guarded);
        }

        let rings = Rings {
            events: datapath.take_events()?,
            samples: datapath.take_samples()?,
            held: datapath.take_held()?,
        };
        teller.notice(
            Notice::new(Timestamp::now(), NoticeKind::Started, "the daemon started")
                .with("version", env!("CARGO_PKG_VERSION"))
                .with("generation", applied.generation),
        );
        let judge = Judge {
            atlas,
            policy: policy.into(),
        };
        let in_force = InForce::now(file, text, judge.day());
        let mut engine = Engine::new(judge, applied.generation, in_force, teller, &config);
        engine.holds.answers = answers();
        let releases = guarded::releases(&guarded);
        datapath.set_releases(releases.everywhere)?;
        engine.holds.releases = releases.by_index;
        let gate = Self {
            config,
            origin,
            started: Timestamp::now(),
            stop: watch::Sender::new(false),
            datapath: RwLock::new(datapath),
            engine: parking_lot::Mutex::new(engine),
            guarded: Mutex::new(guarded),
            atlas: Mutex::new(AtlasState::of(opened)),
            taken_over: Mutex::new(taken_over),
            update_now: Notify::new(),
            look_now: Notify::new(),
            changing: Mutex::new(()),
        };
        Ok((gate, rings))
    }

    /// The datapath, to read and to rewrite single flows.
    pub(super) fn datapath(&self) -> RwLockReadGuard<'_, Datapath> {
        self.datapath.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The datapath, to change tables and attachments.
    pub(super) fn datapath_mut(&self) -> RwLockWriteGuard<'_, Datapath> {
        self.datapath
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The slow path's state.
    pub(super) fn engine(&self) -> parking_lot::MutexGuard<'_, Engine> {
        self.engine.lock()
    }

    /// Held from before the tables in force are read until the new ones are: two changes at once
    /// would build on what the other one replaces. The outermost lock.
    pub(super) fn changing(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the atlas came from, and its last update. The innermost lock.
    pub(super) fn atlas(&self) -> MutexGuard<'_, AtlasState> {
        self.atlas.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What became of the gates of older versions.
    pub(super) fn taken_over(&self) -> MutexGuard<'_, TakenOver> {
        self.taken_over
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The guarded interfaces.
    pub(super) fn guarded(&self) -> MutexGuard<'_, Vec<Guarded>> {
        self.guarded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The guarded interfaces as clients see them.
    pub(super) fn interfaces(&self) -> Vec<InterfaceStatus> {
        self.guarded().iter().map(Guarded::status).collect()
    }

    /// Takes the programs off every interface, removes the pins and has the daemon stop.
    pub(super) fn detach(&self) -> Result<String, octroi_api::ApiError> {
        let datapath = self.datapath_mut();
        let report = Datapath::detach(&self.config.pin_root).map_err(|error| {
            octroi_api::ApiError::new(octroi_api::ErrorCode::Failed, error.to_string())
        })?;
        drop(datapath);
        let message = format!("{report}; the gate stands open and the daemon stops");
        let notice = Notice::new(Timestamp::now(), NoticeKind::Detached, message.clone());
        self.engine().teller.notice(notice);
        self.stop.send_replace(true);
        Ok(message)
    }

    /// Closes the accounts and the sinks.
    pub(super) fn close(&self) {
        let mut engine = self.engine();
        engine.shutdown();
        engine.teller.notice(Notice::new(
            Timestamp::now(),
            NoticeKind::Stopping,
            "the daemon stops; what is pinned in the kernel goes on",
        ));
        engine.teller.close();
    }
}

/// The socket by which refused DNS queries are answered. The gate stands without it: they are dropped.
fn answers() -> Option<Answers> {
    Answers::open()
        .inspect_err(|error| {
            tracing::warn!(
                "DNS queries that a strict policy refuses are dropped and not answered: no packet \
                 socket ({error}; it needs CAP_NET_RAW)"
            );
        })
        .ok()
}

/// Whether the daemon is allowed to do what a policy that is strict about names needs.
pub(super) fn names_can_be_strict(config: &Config, policy: &Policy) -> Result<()> {
    if policy.names == NamesMode::Strict && !config.names.enforce {
        bail!(
            "policy \"{}\" is strict about names, but the configuration says `[names] enforce = \
             false`: nothing would ever be decided by name. Remove that line, or write `names = \
             \"observe\"` in the policy",
            policy.name
        );
    }
    Ok(())
}

/// The group that may read from the socket.
pub(super) fn socket_group(config: &Config) -> Result<Option<u32>> {
    let Some(name) = &config.socket_group else {
        return Ok(None);
    };
    match Group::from_name(name).with_context(|| format!("cannot look up the group {name}"))? {
        Some(group) => Ok(Some(group.gid.as_raw())),
        None => bail!(
            "`socket_group` names the group \"{name}\", which does not exist: create it (groupadd \
             {name}) or change the configuration"
        ),
    }
}

fn origin(config: &Config) -> Origin {
    let here = Origin::of_this_process();
    match &config.host {
        Some(host) => Origin::new(host, &here.boot),
        None => here,
    }
}

/// Where the policy in force came from.
pub(super) struct InForce {
    /// File or `preset:name`.
    pub(super) file: String,
    /// Its text.
    pub(super) text: String,
    /// Since when.
    pub(super) applied: Timestamp,
    /// The last day that was tried: one that cannot be read is told once.
    pub(super) tried: Date,
}

impl InForce {
    /// In force from now on.
    pub(super) fn now(file: String, text: String, day: Date) -> Self {
        Self {
            file,
            text,
            applied: Timestamp::now(),
            tried: day,
        }
    }
}

/// A spinner on standard error while the gate is raised; silent when that is no terminal.
struct Progress(ProgressBar);

impl Progress {
    fn start() -> Self {
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed_precise} {msg}") {
            bar.set_style(style.tick_chars("|/-\\ "));
        }
        bar.enable_steady_tick(Duration::from_millis(100));
        Self(bar)
    }

    fn step(&self, what: &'static str) {
        tracing::debug!("{what}");
        self.0.set_message(what);
    }

    fn done(self) {
        self.0.finish_and_clear();
    }
}
