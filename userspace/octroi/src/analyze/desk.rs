//! The judge at its desk: atlas, policy and day, opened while the first packets are read.

use std::sync::{Arc, Mutex, OnceLock};

use anyhow::Result;
use jiff::civil::Date;

use super::arguments::AnalyzeArguments;
use crate::judge::{self, Judge};

/// The judge, and what the command line adds.
pub(crate) struct Desk {
    pub(crate) judge: Judge,
    /// Zone of sources that are in none.
    pub(crate) zone: u8,
    /// Day of the evaluation.
    pub(crate) at: Date,
}

impl Desk {
    /// Opens the atlas and reads the policy.
    ///
    /// # Errors
    /// When the atlas, the policy or the zone is wrong.
    pub(super) fn open(arguments: &AnalyzeArguments) -> Result<Self> {
        let at = arguments.at.unwrap_or_else(judge::day_of_law);
        let atlas = judge::open_atlas(arguments.atlas.as_deref(), at)?;
        let policy = judge::read_policy(&arguments.policy, atlas.catalogue())?;
        let zone = match &arguments.zone {
            None => 0,
            Some(name) => judge::zone_number(&policy, name)?,
        };
        Ok(Self {
            judge: Judge {
                atlas,
                policy: policy.into(),
            },
            zone,
            at,
        })
    }
}

/// A desk that is being opened by another thread.
#[derive(Default)]
pub(super) struct Opening {
    desk: OnceLock<Option<Arc<Desk>>>,
    failed: Mutex<Option<anyhow::Error>>,
}

impl Opening {
    /// Opens it.
    pub(super) fn open(&self, arguments: &AnalyzeArguments) {
        let opened = Desk::open(arguments).map_err(|error| {
            if let Ok(mut failed) = self.failed.lock() {
                *failed = Some(error);
            }
        });
        let _ = self.desk.set(opened.ok().map(Arc::new));
    }

    /// Opens it, and then reads what will be asked of it later.
    pub(super) fn open_ahead(&self, arguments: &AnalyzeArguments) {
        self.open(arguments);
        if let Some(desk) = self.wait()
            && arguments.needs_evidence()
        {
            // What is wrong with the evidence is told by whoever asks for it.
            let _ = desk.judge.atlas.layers();
        }
    }

    /// The desk, waited for; `None`: it could not be opened.
    pub(super) fn wait(&self) -> Option<Arc<Desk>> {
        self.desk.wait().clone()
    }

    /// Whether it is known that it cannot be opened.
    pub(super) fn has_failed(&self) -> bool {
        matches!(self.desk.get(), Some(None))
    }

    /// Why it could not be opened.
    pub(super) fn failure(&self) -> Option<anyhow::Error> {
        self.failed.lock().ok()?.take()
    }
}
