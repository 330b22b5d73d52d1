//! Changes while the gate stands: a policy. All or nothing; on any error the old one stays.

use std::sync::Arc;

use jiff::Timestamp;
use octroi_api::PolicyCheck;
use octroi_events::{Notice, NoticeKind};
use octroi_policy::Policy;
use tracing::{error, info};

use super::gate::{Gate, InForce};
use super::report;
use crate::judge::{self, Judge};

impl Gate {
    /// Reads policy and atlas again and reopens the event file. Says what became of it.
    pub(super) fn reload(&self) -> String {
        self.engine().teller.reopen();
        if let Err(message) = self.reload_atlas(&[]) {
            return message;
        }
        match judge::policy_text(&self.config.policy) {
            Ok((text, file)) => self.apply_policy_text(&text, &file).message,
            Err(refusal) => {
                let message = format!("the policy was refused, the old one stays: {refusal:#}");
                error!("{message}");
                self.tell(NoticeKind::PolicyRefused, message.clone());
                message
            }
        }
    }

    /// Checks, compiles and applies a policy.
    pub(super) fn apply_policy_text(&self, text: &str, file: &str) -> PolicyCheck {
        match self.try_policy(text, file) {
            Ok(check) => {
                info!("{}", check.message);
                self.tell(NoticeKind::PolicyApplied, check.message.clone());
                check
            }
            Err(diagnostics) => {
                let check = report::refused(file, diagnostics);
                error!("{}: {}", check.message, check.diagnostics.join("; "));
                let details = format!("{}: {}", check.message, check.diagnostics.join("; "));
                self.tell(NoticeKind::PolicyRefused, details);
                check
            }
        }
    }

    fn try_policy(&self, text: &str, file: &str) -> Result<PolicyCheck, Vec<String>> {
        let _alone = self.changing();
        let atlas = Arc::clone(&self.engine().judge.atlas);
        let policy = Policy::parse(text, file, atlas.catalogue())
            .map_err(|diagnostics| report::lines(&diagnostics))?;
        super::gate::names_can_be_strict(&self.config, &policy)
            .map_err(|error| vec![error.to_string()])?;
        let tables = policy
            .compile(atlas.as_ref(), atlas.catalogue().day())
            .map_err(|error| vec![error.to_string()])?;
        // Lock order: datapath before engine.
        let mut datapath = self.datapath_mut();
        let applied = datapath
            .apply_policy(&tables)
            .map_err(|error| vec![error.to_string()])?;
        let check = PolicyCheck {
            valid: true,
            name: Some(policy.name.clone()),
            sha256: Some(policy.sha256.clone()),
            generation: Some(applied.generation),
            diagnostics: report::lines(&policy.warnings),
            message: format!(
                "policy {} from {file} is in force as generation {} after {:.1} ms",
                policy.name,
                applied.generation,
                applied.took.as_secs_f64() * 1e3
            ),
        };
        let mut engine = self.engine();
        engine.judge = Judge {
            atlas,
            policy: Arc::new(policy),
        };
        engine.generation = applied.generation;
        let day = engine.judge.day();
        engine.in_force = InForce::now(file.to_owned(), text.to_owned(), day);
        drop(engine);
        drop(datapath);
        self.judge_anew();
        Ok(check)
    }

    pub(super) fn tell(&self, kind: NoticeKind, message: String) {
        self.engine()
            .teller
            .notice(Notice::new(Timestamp::now(), kind, message));
    }
}
