//! A policy as a table for `octroi policy show`.

use std::fmt;

use octroi_abi::opaque::Opaque;

use crate::condition::Condition;
use crate::explain::asked;
use crate::layout::{Page, short};
use crate::model::{Policy, Rule};

impl Policy {
    /// The policy as text: head, zones, rules in order, verdicts for the rest. At most 100 columns.
    #[must_use]
    pub fn render(&self) -> String {
        let mut page = Page::default();
        let version = self.version.as_deref();
        let version = version
            .map(|version| format!(" {version}"))
            .unwrap_or_default();
        let head = format!(
            "policy {}{version}, mode {}, names {}, default {}, sha256 {}",
            self.name,
            self.mode.name(),
            self.names.name(),
            self.default.name(),
            short(&self.sha256)
        );
        page.line(0, &head);
        if let Some(description) = &self.description {
            page.line(0, description);
        }
        page.section("zones");
        for zone in &self.zones {
            let prefixes: Vec<_> = zone.prefixes.iter().map(ToString::to_string).collect();
            page.item(&zone.name, &prefixes.join(", "));
        }
        page.section("rules, in order: the first that matches decides");
        for rule in &self.rules {
            let shadow = if rule.shadow { " (shadow)" } else { "" };
            let verdict = rule.verdict.name();
            let id = format!("{verdict:<7}{}{shadow}", rule.id);
            page.item(&id, &self.rule_text(rule));
        }
        let verdict = self.default.name();
        page.item(&format!("{verdict:<7}default"), "everything else");
        page.section("opaque traffic: the stricter of this and the rules");
        for kind in Opaque::ALL {
            if kind != Opaque::None {
                page.item(self.opaque_verdict(kind).name(), kind.name());
            }
        }
        page.finish()
    }

    fn rule_text(&self, rule: &Rule) -> String {
        let mut parts = Vec::new();
        if rule.title != rule.id {
            parts.push(format!("{}.", rule.title));
        }
        parts.push(self.conditions_text(rule));
        if !rule.basis.is_empty() {
            parts.push(format!("[{}]", rule.basis.join(", ")));
        }
        parts.join(" ")
    }

    /// The conditions of one of its rules, in words; `always` when it has none.
    #[must_use]
    pub fn conditions_text(&self, rule: &Rule) -> String {
        if rule.conditions.is_empty() {
            return "always".to_owned();
        }
        let conditions = rule.conditions.iter();
        let texts: Vec<String> = conditions
            .map(|condition| self.condition_text(condition))
            .collect();
        texts.join("; ")
    }

    fn condition_text(&self, condition: &Condition) -> String {
        format!("{} {}", condition.key(), asked(condition, self).en)
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render())
    }
}
