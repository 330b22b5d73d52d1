//! The calendar: when the day turns, the new day's laws, parents, seats, qualifications and adequacy
//! decisions are laid under the atlas, and the tables of the kernel follow. On any error yesterday's
//! stay, and that is told.

use std::sync::Arc;

use anyhow::Result;
use jiff::Timestamp;
use jiff::civil::Date;
use octroi_events::{Notice, NoticeKind};
use octroi_geo_db::{Atlas, KernelTables};
use octroi_policy::{Policy, Tables};
use tracing::{error, info};

use super::atlas::Changes;
use super::gate::Gate;
use crate::judge::{self, Judge};

/// The same data and the same policy as of another day.
struct Page {
    judge: Judge,
    tables: Tables,
    /// `None`: every address has the class number it had.
    kernel_tables: Option<KernelTables>,
}

impl Page {
    fn of(old: &Atlas, text: &str, file: &str, day: Date) -> Result<Self> {
        let atlas = judge::atlas_at(old, day)?;
        atlas.prepare()?;
        let policy = Policy::parse(text, file, atlas.catalogue())?;
        let tables = policy.compile(atlas.as_ref(), day)?;
        let same = old.classes_v4() == atlas.classes_v4() && old.classes_v6() == atlas.classes_v6();
        let kernel_tables = if same {
            None
        } else {
            Some(atlas.kernel_tables()?)
        };
        Ok(Self {
            judge: Judge {
                atlas,
                policy: Arc::new(policy),
            },
            tables,
            kernel_tables,
        })
    }
}

impl Gate {
    /// Reads atlas and policy as of `day` when that is another one than the day in force.
    pub(super) fn turn_the_page(&self, day: Date) {
        let _alone = self.changing();
        let (file, text, old) = {
            let mut engine = self.engine();
            if engine.in_force.tried == day {
                return;
            }
            // Refused: told once and not every second.
            engine.in_force.tried = day;
            (
                engine.in_force.file.clone(),
                engine.in_force.text.clone(),
                Arc::clone(&engine.judge.atlas),
            )
        };
        let turned = Page::of(&old, &text, &file, day).and_then(|page| self.lay(page, &old));
        if let Err(refusal) = turned {
            let message = format!(
                "atlas and policy cannot be read as of {day}, those of {} stay: {refusal:#}",
                old.catalogue().day()
            );
            error!("{message}");
            self.tell(NoticeKind::PolicyRefused, message);
        }
    }

    fn lay(&self, page: Page, old: &Atlas) -> Result<()> {
        let changes = Changes::of(self, old, &page.judge.atlas);
        // Lock order: datapath before engine.
        let mut datapath = self.datapath_mut();
        let applied = match &page.kernel_tables {
            Some(kernel_tables) => datapath.apply_atlas_and_policy(kernel_tables, &page.tables)?,
            None => datapath.apply_policy(&page.tables)?,
        };
        let mut engine = self.engine();
        let message = format!(
            "the day turned: laws, seats and qualifications are read as of {}, policy {} is in force \
             as generation {} after {:.1} ms; {}",
            page.judge.day(),
            page.judge.policy.name,
            applied.generation,
            applied.took.as_secs_f64() * 1e3,
            changes.summary()
        );
        engine.judge = page.judge;
        engine.generation = applied.generation;
        info!("{message}");
        let notice = Notice::new(Timestamp::now(), NoticeKind::PolicyApplied, message)
            .with("day", engine.judge.day())
            .with("generation", applied.generation);
        engine.teller.notice(changes.facts(notice));
        drop(engine);
        drop(datapath);
        self.judge_anew();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use octroi_geo_db::Catalogue;
    use octroi_policy::{Opaque, Verdict};

    use super::*;
    use crate::judge::{Named, Question};

    /// Microsoft, in Paris.
    const PARIS: &str = "20.74.0.1";
    const POLICY: &str = r#"
        [policy]
        name = "one law"
        version = "1"
        mode = "enforce"
        default = "allow"

        [[rule]]
        id = "fisa"
        verdict = "block"
        laws = ["us_fisa_702"]
    "#;

    fn verdict(judge: &Judge) -> Verdict {
        let question = Question {
            zone: 0,
            destination: PARIS.parse().unwrap(),
            protocol: 6,
            port: 443,
            named: Named::default(),
            opaque: Opaque::None,
            at: judge.day(),
        };
        judge.decide(&question).verdict
    }

    fn last_day() -> Date {
        let catalogue = Catalogue::embedded().unwrap();
        let law = catalogue.law("us_fisa_702").unwrap();
        let ends = law.periods.iter().filter_map(|period| period.until);
        ends.max().expect("the law has a last day")
    }

    #[test]
    fn a_law_that_ends_changes_the_verdict_when_the_day_turns() {
        let last = last_day();
        let atlas = Atlas::embedded_at(last).unwrap();
        let today = Page::of(&atlas, POLICY, "policy.toml", last).unwrap();
        assert_eq!(verdict(&today.judge), Verdict::Block);
        let next = last.tomorrow().unwrap();
        let tomorrow = Page::of(&today.judge.atlas, POLICY, "policy.toml", next).unwrap();
        assert_eq!(tomorrow.judge.day(), next);
        assert_eq!(verdict(&tomorrow.judge), Verdict::Allow);
        assert_ne!(today.tables.verdicts, tomorrow.tables.verdicts);
        // And a law that begins: the same page the other way.
        let back = Page::of(&tomorrow.judge.atlas, POLICY, "policy.toml", last).unwrap();
        assert_eq!(verdict(&back.judge), Verdict::Block);
        assert_eq!(back.tables.verdicts, today.tables.verdicts);
    }

    #[test]
    fn a_day_on_which_nothing_changes_swaps_no_atlas() {
        let day = last_day().yesterday().unwrap();
        let atlas = Atlas::embedded_at(day).unwrap();
        let page = Page::of(&atlas, POLICY, "policy.toml", last_day()).unwrap();
        assert!(page.kernel_tables.is_none());
    }

    #[test]
    fn a_page_that_cannot_be_read_says_where() {
        let day = last_day();
        let atlas = Atlas::embedded_at(day).unwrap();
        let text = POLICY.replace("us_fisa_702", "us_fisa_703");
        let refusal = Page::of(&atlas, &text, "policy.toml", day).err().unwrap();
        assert!(
            format!("{refusal:#}").contains("policy.toml:"),
            "{refusal:#}"
        );
    }
}
