//! The guarded interfaces: attached at the start, and again when they come back.

use std::collections::HashSet;

use anyhow::Result;
use jiff::Timestamp;
use octroi_api::InterfaceStatus;
use octroi_datapath::{AttachReport, Datapath, Role, XdpMode};
use octroi_events::{Notice, NoticeKind};
use tracing::{error, info, warn};

use super::gate::Gate;
use super::interfaces;
use crate::config::{self, Config, Interface};

const ABSENT: &str = "the interface does not exist (waiting for it)";

/// An interface of the configuration, and how it stands with it.
#[derive(Clone, Debug)]
pub(super) struct Guarded {
    wanted: Interface,
    role: Role,
    mode: XdpMode,
    /// Index at the last look, `None` while it does not exist.
    pub(super) index: Option<u32>,
    /// How the programs are attached, while they are.
    report: Option<AttachReport>,
    /// Why they are not.
    problem: Option<String>,
    /// Its links were found dead at the last look.
    suspect: bool,
}

impl Guarded {
    fn new(wanted: &Interface, config: &Config) -> Self {
        Self {
            wanted: wanted.clone(),
            role: match wanted.role {
                config::Role::Inside => Role::Inside,
                config::Role::Host => Role::Host,
            },
            mode: match wanted.xdp_mode.unwrap_or(config.xdp_mode) {
                config::XdpMode::Native => XdpMode::Native,
                config::XdpMode::Generic => XdpMode::Generic,
            },
            index: None,
            report: None,
            problem: absence(wanted),
            suspect: false,
        }
    }

    /// Its name.
    pub(super) fn name(&self) -> &str {
        &self.wanted.name
    }

    /// As clients see it.
    pub(super) fn status(&self) -> InterfaceStatus {
        let report = self.report.as_ref();
        let neighbours = octroi_datapath::neighbours(self.name()).unwrap_or_default();
        InterfaceStatus {
            name: self.name().to_owned(),
            index: self.index,
            role: self.role.name().to_owned(),
            attached: report.is_some() && self.problem.is_none(),
            mode: report
                .map_or(self.mode, |report| report.mode)
                .name()
                .to_owned(),
            link: report.map_or_else(String::new, |report| report.link.name().to_owned()),
            before: neighbours.before,
            after: neighbours.after,
            problem: self.problem.clone(),
        }
    }

    fn attach(
        &mut self,
        datapath: &mut Datapath,
        index: u32,
    ) -> Result<(), octroi_datapath::DatapathError> {
        let report = datapath.attach_as(self.name(), self.role, self.mode)?;
        info!("{report}");
        self.index = Some(index);
        self.report = Some(report);
        self.problem = None;
        self.suspect = false;
        Ok(())
    }
}

/// Where held frames can be let go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Releases {
    /// Interfaces where they can.
    pub(super) by_index: HashSet<u32>,
    /// They can on every interface that is guarded now.
    pub(super) everywhere: bool,
}

/// Where held frames can be let go.
pub(super) fn releases(guarded: &[Guarded]) -> Releases {
    let reports = || guarded.iter().filter_map(|guarded| guarded.report.as_ref());
    Releases {
        by_index: reports()
            .filter(|report| report.can_release())
            .map(|report| report.ifindex)
            .collect(),
        everywhere: reports().next().is_some() && reports().all(AttachReport::can_release),
    }
}

/// What is wrong when an interface is not there: nothing, if it may be absent.
fn absence(wanted: &Interface) -> Option<String> {
    (!wanted.optional).then(|| ABSENT.to_owned())
}

/// Attaches every interface of the configuration that is there. When that fails and this start had
/// made the pins, they are removed again: a failed first start leaves nothing. What an earlier
/// configuration named stays guarded: only `octroi detach` opens the gate.
pub(super) fn attach_all(datapath: &mut Datapath, config: &Config) -> Result<Vec<Guarded>> {
    let mut all = Vec::new();
    for wanted in &config.interfaces {
        let mut guarded = Guarded::new(wanted, config);
        match interfaces::index(&wanted.name) {
            None => {
                warn!("interface {}: {ABSENT}", wanted.name);
                datapath.prepare(guarded.role)?;
            }
            Some(index) => match guarded.attach(datapath, index) {
                Ok(()) => {}
                Err(error) if is_first(datapath) => {
                    let removed = Datapath::detach(&config.pin_root);
                    let removed = removed.map_or_else(|error| error.to_string(), |r| r.to_string());
                    let nothing_stays = format!("the gate was not raised ({removed})");
                    return Err(anyhow::Error::from(error).context(nothing_stays));
                }
                Err(error) => return Err(error.into()),
            },
        }
        all.push(guarded);
    }
    for name in datapath.attached()? {
        if !config.interfaces.iter().any(|wanted| wanted.name == name) {
            warn!(
                "interface {name} stays guarded although the configuration does not name it any \
                 more: name it again, or take the gate down (octroi detach) and start anew"
            );
        }
    }
    Ok(all)
}

/// Whether this start found no gate of any version.
fn is_first(datapath: &Datapath) -> bool {
    let report = datapath.load_report();
    report.adopted_maps == 0 && report.older.is_empty()
}

/// Notices interfaces that vanished or lost their programs, and attaches to those that are there.
pub(super) fn look(gate: &Gate) {
    let known = gate.guarded().clone();
    for mut guarded in known {
        let index = interfaces::index(guarded.name());
        match index {
            None if guarded.index.is_none() => continue,
            None => lost(gate, &mut guarded),
            Some(index) if guarded.index == Some(index) && guarded.report.is_some() => {
                if !is_taken_off(gate, &mut guarded, index) {
                    continue;
                }
                warn!(
                    "interface {}: somebody took the programs off",
                    guarded.name()
                );
                returned(gate, &mut guarded, index);
            }
            Some(index) => returned(gate, &mut guarded, index),
        }
        let mut slots = gate.guarded();
        if let Some(slot) = slots
            .iter_mut()
            .find(|slot| slot.wanted.name == guarded.wanted.name)
        {
            *slot = guarded;
        }
        drop(slots);
        tell_releases(gate);
    }
}

/// An interface came or went: kernel and slow path learn where frames can be let go now.
fn tell_releases(gate: &Gate) {
    let releases = releases(&gate.guarded());
    // Lock order: datapath before engine.
    let mut datapath = gate.datapath_mut();
    if let Err(error) = datapath.set_releases(releases.everywhere) {
        error!("openings of connections may be held in vain: {error}");
    }
    gate.engine().holds.releases = releases.by_index;
}

/// Whether the links are dead on an interface that is the one they were made for. Twice in a row,
/// because an orderly end kills each link a moment before it removes the pin.
fn is_taken_off(gate: &Gate, guarded: &mut Guarded, index: u32) -> bool {
    let dead = gate.datapath().has_dead_link(guarded.name(), index);
    let before = std::mem::replace(&mut guarded.suspect, dead);
    if dead && !before {
        let mut slots = gate.guarded();
        if let Some(slot) = slots
            .iter_mut()
            .find(|slot| slot.wanted.name == guarded.wanted.name)
        {
            slot.suspect = true;
        }
    }
    dead && before
}

fn lost(gate: &Gate, guarded: &mut Guarded) {
    let message = format!(
        "interface {} vanished; it is guarded again when it returns",
        guarded.name()
    );
    warn!("{message}");
    guarded.index = None;
    guarded.report = None;
    guarded.problem = absence(&guarded.wanted);
    gate.tell(NoticeKind::InterfaceLost, message);
}

fn returned(gate: &Gate, guarded: &mut Guarded, index: u32) {
    let attached = guarded.attach(&mut gate.datapath_mut(), index);
    if let Err(error) = attached {
        let problem = error.to_string();
        if guarded.problem.as_deref() != Some(problem.as_str()) {
            error!("interface {} is NOT guarded: {problem}", guarded.name());
        }
        guarded.index = Some(index);
        guarded.report = None;
        guarded.problem = Some(problem);
        return;
    }
    let told = guarded.report.as_ref().map(ToString::to_string);
    let mut engine = gate.engine();
    engine.teller.interface(guarded);
    engine.teller.notice(Notice::new(
        Timestamp::now(),
        NoticeKind::InterfaceAttached,
        told.unwrap_or_default(),
    ));
}
